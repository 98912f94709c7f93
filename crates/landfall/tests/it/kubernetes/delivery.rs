//! From a delivery to the annotation, and what the status says of receivers.

use serde_json::{Value, json};

use super::cluster::{Cluster, config, hub, shared};
use crate::world::conditions;

/// Two pushes within the same second are two tokens, and each delivery is done when the API server has its own.
#[test]
fn a_push_becomes_an_annotation_on_whoever_subscribed() {
    let cluster = Cluster::start(shared());
    cluster.warehouses(&["other"], "docker.io/shop/other");
    cluster.warehouses(&["api"], "shop/api");
    let path = cluster.path();

    let first = cluster.matched(&path, "shop/api", 1);
    cluster.done(&first);
    let one = cluster.refreshed(&["api"]);
    let second = cluster.pushed(&path, "shop/api", "1.2.4", 1);
    let explained = cluster.done(&second);
    let two = cluster.refreshed(&["api"]);
    assert_ne!(one, two);
    let outcome = &explained["work"][0]["attempts"][0]["outcome"];
    assert_eq!(
        outcome,
        &json!(format!("done: the API server has the token {}", two[0]))
    );

    cluster.pushed(&path, "shop/api", "2.0.0", 0);
    cluster.pushed(&path, "shop/nobody", "1.0.0", 0);
    assert_eq!(cluster.refreshed(&["api"]), two);
    assert_eq!(cluster.post("/in/dockerhub/unknown", "shop/api", "1.2.5").status, 404);
}

/// What is annotated comes back as it was, mostly. Here it does not.
#[test]
fn what_changes_together_with_an_annotation_counts() {
    let cluster = Cluster::start(shared());
    cluster.warehouses(&["api"], "shop/api");
    let path = cluster.path();
    let delivery = cluster.matched(&path, "shop/api", 1);
    cluster.done(&delivery);
    let change = json!({
        "metadata": { "annotations": { "kargo.akuity.io/refresh": "by-hand" } },
        "spec": { "subscriptions": [{ "image": { "repoURL": "shop/web" } }] },
    })
    .to_string();
    let patch = [
        "patch",
        "warehouses.kargo.akuity.io",
        "api",
        "--namespace",
        &cluster.project,
    ];
    let patch = [&patch[..], &["--type=merge", "--patch", &change]].concat();
    cluster.server.kubectl(&patch).unwrap();
    let delivery = cluster.matched(&path, "shop/web", 1);
    cluster.done(&delivery);
    cluster.pushed(&path, "shop/api", "1.2.5", 0);
    assert_ne!(cluster.refreshed(&["api"]), ["by-hand"]);
}

#[test]
fn the_status_is_kargos_and_follows_the_spec() {
    let cluster = Cluster::start(shared());
    let path = cluster.path();
    let status = cluster.status_when("a status", |status| status["observedGeneration"] == 1);
    let since = status["conditions"][0]["lastTransitionTime"].clone();
    assert_eq!(
        status,
        json!({
            "conditions": [{
                "type": "Ready",
                "status": "True",
                "reason": "Synced",
                "message": "ProjectConfig is synced and ready for use",
                "observedGeneration": 1,
                "lastTransitionTime": since,
            }],
            "observedGeneration": 1,
            "webhookReceivers": [{
                "name": "hub",
                "path": path,
                "url": format!("https://hooks.example.com{path}"),
            }],
        })
    );
    assert!(path.starts_with("/in/dockerhub/"), "{path}");

    let receivers =
        "[{name: hub, dockerhub: {secretRef: {name: hook}}}, {name: late, dockerhub: {secretRef: {name: late}}}]";
    cluster.apply(&config(&cluster.project, receivers));
    let status = cluster.status_when("a failure", |status| {
        conditions(status).contains("Ready=False (SyncWebhookReceiversFailed)")
    });
    let expected = format!(
        "Failed to sync WebhookReceivers: receiver \"late\": Secret {}/late does not exist",
        cluster.project
    );
    assert_eq!(status["conditions"][0]["message"], expected);
    assert_eq!(status["webhookReceivers"].as_array().unwrap().len(), 1);
    assert_eq!(status["observedGeneration"], 1);
    assert!(conditions(&status).contains("Reconciling=True (SyncingWebhooks)"));

    cluster.apply(&hub(&cluster.project));
    let status = cluster.status_when("everything to be well again", |status| {
        status["observedGeneration"] == 3
    });
    assert_eq!(
        conditions(&status).into_iter().collect::<Vec<_>>(),
        ["Ready=True (Synced)"]
    );
    assert_eq!(reasons(&cluster), ["ReceiverPublished", "SyncWebhookReceiversFailed"]);
}

/// The reasons of the Events on the `ProjectConfig`, which never show a path.
fn reasons(cluster: &Cluster) -> Vec<String> {
    let events = cluster
        .server
        .get(&["events.events.k8s.io", "--namespace", &cluster.project])
        .unwrap();
    let events = events["items"].as_array().unwrap();
    let path = cluster.path();
    assert!(!Value::from(events.clone()).to_string().contains(&path));
    let mut reasons: Vec<String> = events
        .iter()
        .filter(|event| event["regarding"]["kind"] == "ProjectConfig")
        .map(|event| event["reason"].as_str().unwrap().to_owned())
        .collect();
    reasons.sort();
    reasons
}

/// Somebody who asks for it gets an answer, as from Kargo's own tools.
#[test]
fn a_requested_refresh_is_acknowledged() {
    let cluster = Cluster::start(shared());
    cluster.path();
    let project = &cluster.project;
    let asked = [
        "annotate",
        "projectconfigs.kargo.akuity.io",
        project,
        "--namespace",
        project,
    ];
    cluster
        .server
        .kubectl(&[&asked[..], &["kargo.akuity.io/refresh=now"]].concat())
        .unwrap();
    cluster.status_when("an answer", |status| status["lastHandledRefresh"] == "now");
}

/// A project that cannot be read in part keeps its other parts: two types in one entry, and none.
#[test]
fn one_bad_subscription_spoils_none_of_its_neighbours() {
    let cluster = Cluster::start(shared());
    let path = cluster.path();
    cluster.apply(&format!(
        "apiVersion: kargo.akuity.io/v1alpha1\nkind: Warehouse\nmetadata: {{name: odd, namespace: {}}}\nspec:\n  \
         interval: 5m0s\n  subscriptions: [{{image: {{repoURL: shop/api}}, git: {{repoURL: 'https://a.example/b'}}}}, \
         {{image: {{repoURL: shop/api, constraint: '['}}}}, {{image: {{repoURL: shop/api}}}}]\n",
        cluster.project
    ));
    cluster.warehouses(&["api"], "shop/api");
    cluster.matched(&path, "shop/api", 2);
    cluster.refreshed(&["api", "odd"]);
}
