use serde_json::{Value, json};

use super::super::object::{Object, Unread, read};
use super::*;

fn kind(kind: Kind) -> Feed {
    Feed::Kind { kind, namespace: None }
}

fn hook() -> Feed {
    Feed::Secret {
        namespace: "shop".to_owned(),
        name: "hook".to_owned(),
    }
}

fn object(kind: Kind, name: &str, extra: Value) -> Read {
    let mut object = json!({ "metadata": { "name": name, "namespace": "shop" } });
    object
        .as_object_mut()
        .unwrap()
        .extend(extra.as_object().unwrap().clone());
    read(kind, serde_json::from_value::<Object<Unread>>(object).unwrap())
}

fn warehouse(name: &str, image: &str) -> Read {
    let spec = json!({ "interval": "5m0s", "subscriptions": [{ "image": { "repoURL": image } }] });
    object(Kind::Warehouse, name, json!({ "spec": spec }))
}

fn malformed(name: &str) -> Read {
    object(Kind::Warehouse, name, json!({ "spec": { "interval": [] } }))
}

fn project() -> Read {
    let receivers = json!([
        { "name": "hub", "dockerhub": { "secretRef": { "name": "hook" } } },
        { "name": "odd" },
    ]);
    object(
        Kind::ProjectConfig,
        "shop",
        json!({ "spec": { "webhookReceivers": receivers } }),
    )
}

fn secret(value: &str) -> Read {
    object(Kind::Secret, "hook", json!({ "data": { "secret": value } }))
}

fn held(feeds: &[Feed]) -> Held {
    let mut held = Held::default();
    for feed in feeds {
        held.add(feed.clone());
    }
    held
}

/// The names of resources, and the problems.
fn said(held: &mut Held) -> (Vec<String>, Vec<String>) {
    let snapshot = held.snapshot();
    (
        snapshot.resources.keys().map(ToString::to_string).collect(),
        snapshot.problems.iter().map(ToString::to_string).collect(),
    )
}

fn forbidden() -> Failure {
    Failure::Forbidden("no".to_owned())
}

fn unreachable() -> Failure {
    Failure::Unreachable("down".to_owned())
}

#[test]
fn everything_is_known_when_every_feed_has_answered_and_stays_so() {
    use Known::{Everything, Nothing};
    let (warehouses, projects) = (kind(Kind::Warehouse), kind(Kind::ProjectConfig));
    let mut held = held(&[warehouses.clone(), projects.clone(), kind(Kind::ClusterConfig)]);
    for (feed, report, known) in [
        (
            warehouses.clone(),
            Report::Listed(vec![warehouse("api", "a/b")]),
            Nothing,
        ),
        (kind(Kind::ClusterConfig), Report::Trouble(Failure::NotFound), Nothing),
        (projects.clone(), Report::Trouble(unreachable()), Nothing),
        (projects.clone(), Report::Trouble(forbidden()), Nothing),
        (projects, Report::Listed(vec![]), Everything),
        (warehouses, Report::Trouble(unreachable()), Everything),
    ] {
        let shown = format!("{feed}: {report:?}");
        assert!(held.take(&feed, report), "{shown}");
        assert_eq!(held.knows_more(), held.known < known, "{shown}");
        assert_eq!(held.snapshot().known, known, "{shown}");
    }
}

/// To take deliveries, who subscribes need not be known.
#[test]
fn receivers_are_known_before_it_is_known_who_subscribes() {
    use Known::{Everything, Nothing, Receivers};
    let (warehouses, projects) = (kind(Kind::Warehouse), kind(Kind::ProjectConfig));
    let (promotions, hook) = (kind(Kind::Promotion), hook());
    let mut held = held(&[warehouses.clone(), promotions.clone(), projects.clone()]);
    held.take(&projects, Report::Listed(vec![project()]));
    held.add(hook.clone());
    assert_eq!(held.snapshot().known, Nothing);
    for (feed, report, known, is_withheld) in [
        (&warehouses, Report::Trouble(forbidden()), Nothing, true),
        (&hook, Report::Listed(vec![secret("czE=")]), Receivers, true),
        (&warehouses, Report::Trouble(unreachable()), Receivers, false),
        (&warehouses, Report::Trouble(forbidden()), Receivers, true),
        (&promotions, Report::Trouble(forbidden()), Receivers, true),
        (&warehouses, Report::Listed(vec![]), Everything, false),
        (&warehouses, Report::Trouble(forbidden()), Everything, false),
    ] {
        let shown = format!("{feed}: {report:?}");
        held.take(feed, report);
        assert_eq!(held.knows_more(), held.known < known, "{shown}");
        let snapshot = held.snapshot();
        assert_eq!((snapshot.known, snapshot.is_withheld), (known, is_withheld), "{shown}");
    }
}

/// What is known, whether receivers may be hidden, and whether Promotions may.
fn known(held: &mut Held) -> (Known, bool, bool) {
    let snapshot = held.snapshot();
    (snapshot.known, snapshot.hides_receivers, snapshot.hides_promotions)
}

#[test]
fn a_namespace_whose_rights_are_missing_holds_up_no_other() {
    let within = |kind: Kind, namespace: &str| Feed::Kind {
        kind,
        namespace: Some(namespace.to_owned()),
    };
    let feeds = [Kind::ProjectConfig, Kind::Warehouse].map(|kind| ["shop", "infra"].map(|place| within(kind, place)));
    let feeds = feeds.concat();
    let mut held = held(&feeds);
    for feed in &feeds {
        held.take(feed, Report::Trouble(forbidden()));
    }
    assert_eq!(known(&mut held), (Known::Nothing, true, false));
    held.take(&feeds[0], Report::Listed(vec![project()]));
    held.add(hook());
    held.take(&hook(), Report::Listed(vec![secret("czE=")]));
    assert_eq!(known(&mut held), (Known::Receivers, true, false));
    held.take(&feeds[2], Report::Listed(vec![warehouse("api", "a/b")]));
    // An API server that has just started refuses everybody: for whom a delivery is, is said once and for all.
    for number in 2..=REFUSALS {
        assert_eq!(known(&mut held), (Known::Receivers, true, false));
        // What makes more known is told.
        let is_news = held.take(&feeds[3], Report::Trouble(forbidden()));
        assert_eq!(is_news, number == REFUSALS);
    }
    assert!(!held.take(&feeds[3], Report::Trouble(forbidden())), "it is said once");
    assert_eq!(known(&mut held), (Known::Everything, true, false));
    held.take(&feeds[1], Report::Listed(vec![]));
    assert_eq!(known(&mut held), (Known::Everything, false, false));
}

#[test]
fn promotions_that_cannot_be_listed_hold_up_no_warehouse() {
    let (warehouses, promotions) = (kind(Kind::Warehouse), kind(Kind::Promotion));
    let mut held = held(&[warehouses.clone(), promotions.clone()]);
    held.take(&warehouses, Report::Listed(vec![]));
    assert_eq!(known(&mut held), (Known::Receivers, false, true));
    held.take(
        &promotions,
        Report::Trouble(Failure::Refused("its storage is broken".to_owned())),
    );
    assert_eq!(known(&mut held), (Known::Everything, false, true));
    held.take(&promotions, Report::Listed(vec![]));
    assert_eq!(known(&mut held), (Known::Everything, false, false));
}

#[test]
fn a_clusterconfig_that_nobody_may_see_is_none() {
    let feed = kind(Kind::ClusterConfig);
    let mut held = held(std::slice::from_ref(&feed));
    for _ in 1..REFUSALS {
        held.take(&feed, Report::Trouble(forbidden()));
        assert_eq!(held.snapshot().known, Known::Nothing);
    }
    assert!(held.take(&feed, Report::Trouble(forbidden())));
    assert_eq!(held.snapshot().known, Known::Everything);
}

#[test]
fn what_is_not_listed_any_more_is_gone_and_what_cannot_be_listed_stays() {
    let feed = kind(Kind::Warehouse);
    let mut held = held(std::slice::from_ref(&feed));
    held.take(
        &feed,
        Report::Listed(vec![warehouse("api", "a/b"), warehouse("web", "a/c")]),
    );
    for (report, changed, names) in [
        (
            Report::Changed(Box::new(warehouse("api", "a/b"))),
            false,
            vec!["api", "web"],
        ),
        (Report::Trouble(unreachable()), true, vec!["api", "web"]),
        (Report::Trouble(Failure::NotFound), true, vec!["api", "web"]),
        (Report::Well, true, vec!["api", "web"]),
        (Report::Well, false, vec!["api", "web"]),
        (
            Report::Remaining(BTreeSet::from([
                warehouse("api", "a/b").key,
                warehouse("web", "a/c").key,
            ])),
            false,
            vec!["api", "web"],
        ),
        (Report::Trouble(unreachable()), true, vec!["api", "web"]),
        // What it does not know yet comes later; that it could be asked is news.
        (
            Report::Remaining(BTreeSet::from([
                warehouse("new", "a/d").key,
                warehouse("web", "a/c").key,
            ])),
            true,
            vec!["web"],
        ),
        (
            Report::Changed(Box::new(warehouse("api", "a/b"))),
            true,
            vec!["api", "web"],
        ),
        (Report::Listed(vec![warehouse("web", "a/c")]), true, vec!["web"]),
        (Report::Gone(warehouse("web", "a/c").key), true, vec![]),
    ] {
        let shown = format!("{report:?}");
        assert_eq!(held.take(&feed, report), changed, "{shown}");
        let names: Vec<String> = names.iter().map(|name| format!("Warehouse shop/{name}")).collect();
        assert_eq!(said(&mut held).0, names, "{shown}");
    }
}

#[test]
fn a_malformed_object_is_named_and_what_it_said_before_stays_in_force() {
    let feed = kind(Kind::Warehouse);
    let mut held = held(std::slice::from_ref(&feed));
    held.take(&feed, Report::Listed(vec![warehouse("api", "a/b"), malformed("bad")]));
    held.take(&feed, Report::Changed(Box::new(malformed("api"))));
    let (names, problems) = said(&mut held);
    assert_eq!(names, ["Warehouse shop/api"]);
    assert_eq!(problems.len(), 2, "{problems:?}");
    assert!(
        problems[0].ends_with("; what it said before stays in force"),
        "{problems:?}"
    );
    assert!(problems[1].ends_with("; it is left out"), "{problems:?}");
    held.take(
        &feed,
        Report::Listed(vec![warehouse("api", "a/b"), warehouse("bad", "a/c")]),
    );
    let names = vec!["Warehouse shop/api".to_owned(), "Warehouse shop/bad".to_owned()];
    assert_eq!(said(&mut held), (names, vec![]));
}

#[test]
fn a_secret_that_cannot_be_read_keeps_what_it_said_and_says_so() {
    let (projects, hook) = (kind(Kind::ProjectConfig), hook());
    let mut held = held(std::slice::from_ref(&projects));
    held.take(&projects, Report::Listed(vec![project()]));
    assert_eq!(held.named_secrets("system"), BTreeSet::from([hook.clone()]));
    held.add(hook.clone());
    let key = secret("czE=").key;
    for (report, doubt, known) in [
        (None, Some("it has not been read yet"), false),
        (
            Some(Report::Trouble(forbidden())),
            Some("the API server refuses: no"),
            false,
        ),
        (Some(Report::Listed(vec![secret("czE=")])), None, true),
        (Some(Report::Trouble(unreachable())), None, true),
        (
            Some(Report::Trouble(forbidden())),
            Some("the API server refuses: no"),
            true,
        ),
        (Some(Report::Listed(vec![])), None, false),
    ] {
        let shown = format!("{report:?}");
        if let Some(report) = report {
            held.take(&hook, report);
        }
        let snapshot = held.snapshot();
        assert_eq!(snapshot.unreadable.get(&key).map(String::as_str), doubt, "{shown}");
        assert_eq!(snapshot.resources.contains_key(&key), known, "{shown}");
    }
    held.take(&hook, Report::Listed(vec![secret("czE=")]));
    held.remove(&hook);
    assert_eq!(said(&mut held).0, ["ProjectConfig shop/shop"]);
    assert!(!held.take(&hook, Report::Listed(vec![secret("czE=")])));
}
