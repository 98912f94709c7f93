//! What becomes of receivers when their Secrets change, vanish, or cannot be read.

use super::cluster::{Cluster, secret, shared};
use crate::world::conditions;

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
