//! What becomes of receivers when their Secrets change, vanish, or cannot be read.

use std::collections::BTreeMap;
use std::thread;

use landfall_harness::http::{self, Response};
use landfall_harness::wait;
use serde_json::{Value, json};

use super::cluster::{Cluster, config, is_ready, post, secret, shared};
use super::load::Load;
use crate::world::{PATIENCE, conditions, delivery_id};

#[test]
fn a_rotated_secret_is_published_and_the_old_path_is_closed() {
    let cluster = Cluster::start(shared());
    let old = cluster.path();
    cluster.apply(&secret(&cluster.project, "another"));
    let status = cluster.status_when("another path", |status| status["webhookReceivers"][0]["path"] != old);
    let new = status["webhookReceivers"][0]["path"].as_str().unwrap().to_owned();
    cluster.pushed(&new, "shop/api", "1.0.0", 0);
    assert_eq!(cluster.post(&old, "shop/api", "1.0.1").status, 404);
}

#[test]
fn a_secret_that_comes_late_opens_the_door_and_one_that_goes_closes_it() {
    let server = shared();
    let project = server.namespace().unwrap();
    let cluster = Cluster::of(server, &project, &server.kubeconfig(), |landfall| landfall);
    cluster.apply(&super::cluster::hub(&project));
    let failed = |status: &serde_json::Value| conditions(status).contains("Ready=False (SyncWebhookReceiversFailed)");
    cluster.status_when("a missing Secret to be told", failed);
    cluster.apply(&secret(&project, "s3cret"));
    let path = cluster.path();
    cluster.pushed(&path, "shop/api", "1.0.0", 0);

    server
        .kubectl(&["delete", "secret", "hook", "--namespace", &project])
        .unwrap();
    let status = cluster.status_when("a missing Secret to be told", failed);
    assert!(status["webhookReceivers"].is_null(), "{status}");
    assert_eq!(cluster.post(&path, "shop/api", "1.0.1").status, 404);
}

/// Posts what Harbor posts of a push.
fn harbor(url: &str, proof: &str, tag: &str) -> Response {
    let resource = json!({ "tag": tag, "resource_url": format!("harbor.example.com/shop/api:{tag}") });
    let body = json!({ "type": "PUSH_ARTIFACT", "event_data": {
        "resources": [resource], "repository": { "name": "api", "namespace": "shop", "repo_full_name": "shop/api" },
    } });
    let headers = [("Content-Type", "application/json"), ("Authorization", proof)];
    http::post(url, &headers, body.to_string().as_bytes()).unwrap()
}

/// The URLs of the receivers by name, once the status has other ones than `before`.
fn urls(cluster: &Cluster, before: &BTreeMap<String, String>) -> BTreeMap<String, String> {
    let urls = |status: &Value| -> BTreeMap<String, String> {
        let published = status["webhookReceivers"].as_array().into_iter().flatten();
        let pair = |one: &Value| {
            let text = |field: &str| one[field].as_str().unwrap().to_owned();
            (text("name"), cluster.landfall.url() + &text("path"))
        };
        published.map(pair).collect()
    };
    let status = cluster.status_when("other URLs", |status| {
        let urls = urls(status);
        is_ready(status) && urls.len() == 2 && before.iter().all(|(name, url)| urls[name] != *url)
    });
    urls(&status)
}

/// Senders post all the time, while the Secret changes and they are moved: with their old URL, or their old proof, or both, and
/// then with the new ones. While the old secret is there as the previous one, nobody is refused, and nothing is lost.
#[test]
fn a_secret_is_exchanged_under_load_and_nobody_is_refused() {
    let server = shared();
    let project = server.namespace().unwrap();
    let cluster = Cluster::of(server, &project, &server.kubeconfig(), |landfall| landfall);
    let exchange = |data: Value| {
        let patch = json!({ "data": data["gone"], "stringData": data["new"] }).to_string();
        let patch = [
            "patch",
            "secret",
            "hook",
            "--namespace",
            &project,
            "--type=merge",
            "--patch",
            &patch,
        ];
        server.kubectl(&patch).unwrap();
    };
    cluster.apply(&secret(&project, "old").replace("secret: old", "secret: old, auth-header: old"));
    let receivers =
        "[{name: hub, dockerhub: {secretRef: {name: hook}}}, {name: harbor, harbor: {secretRef: {name: hook}}}]";
    cluster.apply(&config(&project, receivers));
    cluster.warehouses(&["api"], "shop/api");
    cluster.warehouses(&["web"], "harbor.example.com/shop/api");
    let old = urls(&cluster, &BTreeMap::new());
    let path = |url: &str| url.strip_prefix(&cluster.landfall.url()).unwrap().to_owned();
    cluster.known(&path(&old["hub"]), "shop/api", 1);

    let [hub, moved_hub, both_old, new_proof, new_url, both_new] = [(), (), (), (), (), ()].map(|()| Load::default());
    let all = [&hub, &moved_hub, &both_old, &new_proof, &new_url, &both_new];
    thread::scope(|scope| {
        let mut leaving = vec![scope.spawn(|| hub.posts(1, |tag| post(&old["hub"], "shop/api", tag)))];
        leaving.push(scope.spawn(|| both_old.posts(2, |tag| harbor(&old["harbor"], "old", tag))));
        [&hub, &both_old].into_iter().for_each(Load::goes_on);
        exchange(
            json!({ "new": { "secret": "new", "secret-previous": "old", "auth-header": "new", "auth-header-previous": "old" } }),
        );
        let new = urls(&cluster, &old);
        let (new_hub, new_harbor) = (new["hub"].clone(), new["harbor"].clone());
        scope.spawn(|| moved_hub.posts(3, move |tag| post(&new_hub, "shop/api", tag)));
        leaving.push(scope.spawn(|| new_proof.posts(4, |tag| harbor(&old["harbor"], "new", tag))));
        let url = new_harbor.clone();
        leaving.push(scope.spawn(|| new_url.posts(5, move |tag| harbor(&url, "old", tag))));
        scope.spawn(|| both_new.posts(6, move |tag| harbor(&new_harbor, "new", tag)));
        all.into_iter().for_each(Load::goes_on);
        // Everybody has moved before the old one goes.
        [&hub, &both_old, &new_proof, &new_url].into_iter().for_each(Load::ends);
        leaving.into_iter().for_each(|sender| sender.join().unwrap());
        exchange(json!({ "gone": { "secret-previous": null, "auth-header-previous": null } }));
        let closed = wait::until(PATIENCE, "the old URL to be closed", || {
            (post(&old["hub"], "shop/nobody", "1.0.0").status == 404).then_some(())
        });
        closed.unwrap();
        assert_eq!(harbor(&new["harbor"], "old", "2.0.0").status, 401);
        [&moved_hub, &both_new].into_iter().for_each(Load::goes_on);
        [&moved_hub, &both_new].into_iter().for_each(Load::ends);
    });
    let all = [hub, moved_hub, both_old, new_proof, new_url, both_new].map(Load::told);
    let answers: Vec<Response> = all.into_iter().flatten().collect();
    for answer in &answers {
        let text = "{\"msg\":\"refreshed 1 warehouse(s)\"}\n".to_owned();
        assert_eq!((answer.status, answer.text()), (200, text));
    }
    let ids: Vec<String> = answers.iter().map(delivery_id).collect();
    cluster.settled();
    assert_eq!(cluster.deliveries_of(&ids), ids.len());
    cluster.refreshed(&["api", "web"]);
}
