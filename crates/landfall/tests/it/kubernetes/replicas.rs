//! Several landfalls at one API server: each receives, and none undoes what another has written.

use super::cluster::{Cluster, hub, secret, shared};

#[test]
fn two_replicas_publish_once_and_both_receive() {
    let server = shared();
    let project = server.namespace().unwrap();
    let start = || Cluster::of(server, &project, &server.kubeconfig(), |landfall| landfall);
    let (one, other) = (start(), start());
    one.warehouses(&["api"], "shop/api");
    one.apply(&(secret(&project, "s3cret") + &hub(&project)));
    let path = one.path();
    for replica in [&one, &other] {
        replica.open(&path);
        let delivery = replica.matched(&path, "shop/api", 1);
        replica.done(&delivery);
    }
    let events = ["events.events.k8s.io", "--namespace", &project];
    let events = server.get(&events).unwrap();
    let published = events["items"].as_array().unwrap().iter();
    assert_eq!(
        published.filter(|event| event["reason"] == "ReceiverPublished").count(),
        1
    );
}
