//! Whom requests choose, whole: every line of their explanations.

use serde_json::{Value, json};

use super::super::{Index, IndexBuilder};
use super::*;
use crate::event::Event;
use crate::resource::{Parsed, Resource};

/// An index of Warehouses and a Promotion of two projects.
fn index() -> Index {
    let mut index = IndexBuilder::default();
    let image = |url: &str| json!({ "image": { "repoURL": url } });
    for (project, name, labels, subscriptions) in [
        (
            "shop",
            "api",
            json!({ "tier": "gold", "env": "prod" }),
            vec![image("ghcr.io/shop/api"), image("nginx")],
        ),
        (
            "shop",
            "web",
            json!({ "tier": "silver" }),
            vec![image("ghcr.io/shop/web")],
        ),
        (
            "shop",
            "charts",
            json!({}),
            vec![json!({ "chart": { "repoURL": "oci://ghcr.io/shop/api" } })],
        ),
        (
            "shop",
            "code",
            json!({ "tier": "gold" }),
            vec![json!({ "git": { "repoURL": "https://git.example.com/Shop/api.git" } })],
        ),
        (
            "bank",
            "api",
            json!({ "tier": "gold" }),
            vec![image("ghcr.io/shop/api")],
        ),
    ] {
        let manifest = json!({
            "apiVersion": "kargo.akuity.io/v1alpha1", "kind": "Warehouse",
            "metadata": { "name": name, "namespace": project, "labels": labels },
            "spec": { "subscriptions": subscriptions },
        });
        let Parsed::Known(resource, _) = Resource::from_value(&manifest) else {
            panic!("known")
        };
        let Resource::Warehouse(warehouse) = *resource else {
            panic!("a Warehouse")
        };
        let target = target(TargetKind::Warehouse, project, name);
        index.describe(&target, &warehouse.metadata.labels);
        index.add(&target, &warehouse.subscriptions);
    }
    let promotion = json!({
        "apiVersion": "kargo.akuity.io/v1alpha1", "kind": "Promotion",
        "metadata": { "name": "api", "namespace": "shop", "labels": { "tier": "gold" } },
        "spec": { "steps": [{ "uses": "git-wait-for-pr", "as": "wait" }] },
        "status": { "phase": "Running", "currentStep": 0, "state": { "wait": { "pr": { "url": "https://git.example.com/pr/1" } } } },
    });
    let Parsed::Known(resource, _) = Resource::from_value(&promotion) else {
        panic!("known")
    };
    let Resource::Promotion(promotion) = *resource else {
        panic!("a Promotion")
    };
    index.add_promotion(&promotion);
    index.build()
}

fn request(criteria: Value) -> Event {
    Event::RefreshRequested(RefreshRequested {
        action: 1,
        criteria: serde_json::from_value(criteria).unwrap(),
    })
}

fn of_shop() -> Reach {
    Reach::Project("shop".to_owned())
}

/// The verdicts in short: `+` for chosen, and the targets' names.
fn explained(criteria: Value, reach: &Reach) -> Vec<String> {
    let (index, event) = (index(), request(criteria));
    let explanation = index.explain(&event, reach);
    assert_eq!(index.count(&event, reach), explanation.wanted_by().len());
    let short = |line: Line| {
        let names: Vec<String> = line.targets.iter().map(ToString::to_string).collect();
        let sign = if line.wanted { "+" } else { "-" };
        format!("{sign} {}: {}", names.join(" "), line.reason)
    };
    explanation.lines.into_iter().map(short).collect()
}

const CHOSEN: &str = "it is what was asked for";

#[test]
fn requests_choose_by_name_labels_and_indices() {
    let labels = |key: &str, operator: &str, values: Value| json!([{ "kind": "Warehouse", "labels": [{ "key": key, "operator": operator, "values": values }] }]);
    let url = |operator: &str, value: &str| json!([{ "kind": "Warehouse", "indices": [{ "key": "subscribedURLs", "operator": operator, "value": value }] }]);
    for (criteria, expected) in [
        (json!([{ "kind": "Warehouse", "name": "api" }]), vec![format!("+ Warehouse shop/api: {CHOSEN}")]),
        (json!([{ "kind": "Promotion", "name": "api" }]), vec![format!("+ Promotion shop/api: {CHOSEN}")]),
        (
            json!([{ "kind": "Warehouse", "name": "nobody" }]),
            vec!["- : the receiver reaches no Warehouse of the name nobody".to_owned()],
        ),
        (
            labels("tier", "In", json!(["gold", "bronze"])),
            vec![
                format!("+ Warehouse shop/api Warehouse shop/code: {CHOSEN}"),
                "- Warehouse shop/charts: it has no label tier".to_owned(),
                "- Warehouse shop/web: its label tier is silver".to_owned(),
            ],
        ),
        (
            labels("tier", "NotIn", json!(["gold"])),
            vec![
                format!("+ Warehouse shop/charts Warehouse shop/web: {CHOSEN}"),
                "- Warehouse shop/api Warehouse shop/code: its label tier is gold".to_owned(),
            ],
        ),
        (
            labels("env", "Exists", json!([])),
            vec![
                format!("+ Warehouse shop/api: {CHOSEN}"),
                "- Warehouse shop/charts Warehouse shop/code Warehouse shop/web: it has no label env".to_owned(),
            ],
        ),
        (
            labels("env", "DoesNotExist", json!([])),
            vec![
                format!("+ Warehouse shop/charts Warehouse shop/code Warehouse shop/web: {CHOSEN}"),
                "- Warehouse shop/api: its label env is prod".to_owned(),
            ],
        ),
        (
            url("Equals", "ghcr.io/shop/api"),
            vec![format!("+ Warehouse shop/api Warehouse shop/charts: {CHOSEN}")],
        ),
        (url("Equals", "https://git.example.com/shop/api"), vec![format!("+ Warehouse shop/code: {CHOSEN}")]),
        (
            url("Equals", "ghcr.io/shop/api:1.0.0"),
            vec!["- : no Warehouse subscribes to ghcr.io/shop/api:1.0.0, which is not in normal form: use normalizeImage, normalizeChart or normalizeGit".to_owned()],
        ),
        (
            url("Equals", "ghcr.io/shop/none"),
            vec!["- : the receiver reaches no Warehouse with subscribedURLs = ghcr.io/shop/none".to_owned()],
        ),
        (
            url("NotEquals", "ghcr.io/shop/api"),
            vec![
                format!("+ Warehouse shop/code Warehouse shop/web: {CHOSEN}"),
                "- Warehouse shop/api Warehouse shop/charts: it is found under subscribedURLs ghcr.io/shop/api".to_owned(),
            ],
        ),
        (
            json!([{ "kind": "Warehouse", "indices": [{ "key": "receiverPaths", "operator": "Equals", "value": "" }] }]),
            vec!["- : no Warehouse is found in the index receiverPaths".to_owned()],
        ),
        (
            json!([{ "kind": "Warehouse", "name": "api", "indices": [{ "key": "receiverPaths", "operator": "NotEquals", "value": "" }] }]),
            vec!["- Warehouse shop/api: no Warehouse is found in the index receiverPaths".to_owned()],
        ),
        (
            json!([{ "kind": "Promotion", "indices": [
                { "key": "pullRequestURL", "operator": "Equals", "value": "https://git.example.com/pr/1" },
            ] }]),
            vec![format!("+ Promotion shop/api: {CHOSEN}")],
        ),
    ] {
        assert_eq!(explained(criteria.clone(), &of_shop()), expected, "{criteria}");
    }
}

/// Kargo's own indices know one term at a time: the last one counts.
#[test]
fn what_is_asked_for_in_one_entry_has_to_hold_together() {
    let both = json!([{ "kind": "Warehouse", "indices": [
        { "key": "subscribedURLs", "operator": "NotEquals", "value": "ghcr.io/shop/web" },
        { "key": "subscribedURLs", "operator": "Equals", "value": "ghcr.io/shop/api" },
        { "key": "subscribedURLs", "operator": "Equals", "value": "nginx" },
    ], "labels": [{ "key": "tier", "operator": "In", "values": ["gold"] }] }]);
    let expected = [
        format!("+ Warehouse shop/api: {CHOSEN}"),
        "- Warehouse shop/charts: it has no label tier".to_owned(),
    ];
    assert_eq!(explained(both, &of_shop()), expected);
}

#[test]
fn what_several_entries_choose_is_chosen_once() {
    let entries = json!([
        { "kind": "Warehouse", "name": "api" },
        { "kind": "Warehouse", "labels": [{ "key": "tier", "operator": "In", "values": ["gold"] }] },
    ]);
    let (index, event) = (index(), request(entries));
    let chosen: Vec<String> = index
        .explain(&event, &of_shop())
        .wanted_by()
        .iter()
        .map(ToString::to_string)
        .collect();
    assert_eq!(chosen, ["Warehouse shop/api", "Warehouse shop/code"]);
}

#[test]
fn receivers_of_the_cluster_reach_every_project() {
    for (criteria, expected) in [
        (
            json!([{ "kind": "Warehouse", "name": "api" }]),
            "+ Warehouse bank/api Warehouse shop/api: it is what was asked for",
        ),
        (
            json!([{ "kind": "Warehouse", "indices": [{ "key": "subscribedURLs", "operator": "Equals", "value": "ghcr.io/shop/api" }] }]),
            "+ Warehouse bank/api Warehouse shop/api Warehouse shop/charts: it is what was asked for",
        ),
    ] {
        assert_eq!(explained(criteria, &Reach::Everywhere), [expected]);
    }
    let of_bank = Reach::Project("bank".to_owned());
    let gold = json!([{ "kind": "Warehouse", "labels": [{ "key": "tier", "operator": "Exists", "values": [] }] }]);
    assert_eq!(
        explained(gold, &of_bank),
        ["+ Warehouse bank/api: it is what was asked for"]
    );
}
