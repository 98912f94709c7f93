//! An API server that does not know the kinds yet, that is gone for a while, and that has objects which nobody can read.

use std::thread;

use landfall_harness::{ApiServer, wait};

use super::cluster::{Cluster, hub, post, secret, warehouse};
use super::load::Load;
use crate::world::{PATIENCE, define};

/// A definition under which anything goes, as if admission had been passed by.
const LENIENT: &str = r#"[{"op": "replace", "path": "/spec/versions/0/schema/openAPIV3Schema/properties/spec",
    "value": {"type": "object", "x-kubernetes-preserve-unknown-fields": true}}]"#;

#[test]
fn kinds_may_come_late_objects_may_be_malformed_and_the_api_server_may_be_gone_for_a_while() {
    let server = Box::new(ApiServer::start().unwrap());
    let project = server.namespace().unwrap();
    let kubeconfig = server.kubeconfig();
    let mut cluster = Cluster::of(server, &project, &kubeconfig, |landfall| landfall);
    cluster.says(&format!("Warehouses in {project}: do not exist there"));
    cluster.says("landfall is ready");
    assert_eq!(cluster.post("/in/dockerhub/unknown", "shop/api", "1.0.0").status, 404);

    define(&cluster.server);
    cluster.apply(&(secret(&project, "s3cret") + &hub(&project)));
    let path = cluster.path();
    malformed_beside_good(&cluster, &path);

    // Of both processes, landfall is the one that stays: what it takes, it has to do once the other is back.
    cluster.server.stop();
    let mut taken: Vec<String> = (2..=20)
        .map(|patch| cluster.pushed(&path, "shop/api", &format!("1.0.{patch}"), 1))
        .collect();
    cluster.says("cannot be followed at the moment, and what was known stays in force");
    // A second outage within the first: a new process finds the work in its journal, and does not know the doors yet.
    cluster.landfall.restart().unwrap();
    assert_eq!(cluster.post(&path, "shop/api", "1.0.21").status, 503);
    cluster.server.restart().unwrap();
    for delivery in &taken {
        cluster.done(delivery);
    }
    wait::until(PATIENCE, "the door to be open", || {
        let answer = cluster.post(&path, "shop/api", "1.0.21");
        (answer.status == 200).then(|| taken.push(crate::world::delivery_id(&answer)))
    })
    .unwrap();
    cluster.done(&taken[taken.len() - 1]);
}

/// One Warehouse is malformed as a whole when it is first seen, and later comes right.
fn malformed_beside_good(cluster: &Cluster<Box<ApiServer>>, path: &str) {
    let project = &cluster.project;
    let crd = [
        "patch",
        "crd",
        "warehouses.kargo.akuity.io",
        "--type=json",
        "--patch",
        LENIENT,
    ];
    cluster.server.kubectl(&crd).unwrap();
    let bad = warehouse(project, "bad", "shop/api").replace("interval: 5m0s", "interval: [5]");
    let made = wait::until(PATIENCE, "a lenient definition", || cluster.server.apply(&bad).ok());
    made.unwrap();
    cluster.says(&format!("Warehouse {project}/bad: spec.interval"));
    cluster.warehouses(&["good"], "shop/api");
    let first = cluster.matched(path, "shop/api", 1);
    cluster.done(&first);
    cluster.refreshed(&["good"]);
    cluster.apply(&warehouse(project, "bad", "shop/other"));
    let second = cluster.matched(path, "shop/other", 1);
    cluster.done(&second);
    cluster.refreshed(&["bad", "good"]);
}

/// Whoever tries again has come to his longest pauses by then.
const OUTAGE: std::time::Duration = std::time::Duration::from_secs(60);

/// It is killed for a minute while deliveries come in, and comes back while they still do: each is taken at once, for all that want it, and
/// all of them are done in the end, each with an annotation that came after it.
#[test]
fn whatever_comes_in_while_the_api_server_is_killed_is_done_once_it_is_back() {
    let server = Box::new(ApiServer::start().unwrap());
    define(&server);
    let mut cluster = Cluster::start(server);
    cluster.warehouses(&["api", "web"], "shop/api");
    let path = cluster.path();
    cluster.known(&path, "shop/api", 2);
    let Cluster { landfall, server, .. } = &mut cluster;
    let url = landfall.url() + &path;
    let senders = [(), (), ()].map(|()| Load::default());
    thread::scope(|scope| {
        for (name, sender) in senders.iter().enumerate() {
            let url = &url;
            scope.spawn(move || sender.posts(name, |tag| post(url, "shop/api", tag)));
        }
        senders.iter().for_each(Load::goes_on);
        server.stop();
        senders.iter().for_each(Load::goes_on);
        thread::sleep(OUTAGE);
        senders.iter().for_each(Load::goes_on);
        server.restart().unwrap();
        senders.iter().for_each(Load::goes_on);
        senders.iter().for_each(Load::ends);
    });
    let taken: Vec<String> = senders
        .into_iter()
        .flat_map(Load::told)
        .map(|answer| {
            let text = "{\"msg\":\"refreshed 2 warehouse(s)\"}\n".to_owned();
            assert_eq!((answer.status, answer.text()), (200, text));
            crate::world::delivery_id(&answer)
        })
        .collect();
    cluster.settled();
    for delivery in [&taken[0], &taken[taken.len() / 2], &taken[taken.len() - 1]] {
        let work = cluster.done(delivery);
        assert_eq!(work["work"].as_array().unwrap().len(), 2, "{work:#}");
    }
    let last = cluster.pushed(&path, "shop/api", "1.4.0", 2);
    let last = cluster.done(&last);
    for token in cluster.refreshed(&["api", "web"]) {
        assert!(last["work"].to_string().contains(&token), "{token}: {last:#}");
    }
    assert_eq!(cluster.deliveries_of(&taken), taken.len());
}
