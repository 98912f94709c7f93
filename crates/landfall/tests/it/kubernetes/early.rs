//! Deliveries that come while it is still being read who subscribes, by way of a proxy that holds the list of Warehouses back: they are
//! on the disk before anything else, and none of them is forgotten.

use std::thread::{self, ScopedJoinHandle};

use landfall_harness::http::{self, Response};
use landfall_harness::{ApiProxy, ApiServer, Rule, wait};
use serde_json::{Value, json};

use super::cluster::{Cluster, config, hub, post, secret, shared, warehouse};
use super::kargo::{PULL_REQUEST, waiting_promotion};
use super::refusals::refusal;
use crate::world::{PATIENCE, delivery_id};

/// What is in the path of a request for all Warehouses.
const WAREHOUSES: &str = "/warehouses?";

/// A project with a receiver and a Warehouse, which are there before anybody follows it.
fn project(server: &ApiServer) -> String {
    let project = server.namespace().unwrap();
    let objects = secret(&project, "s3cret") + &hub(&project) + &warehouse(&project, "api", "shop/api");
    server.apply(&objects).unwrap();
    project
}

fn follow(proxy: &ApiProxy, project: &str) -> Cluster {
    Cluster::of(shared(), project, proxy.kubeconfig(), |landfall| landfall)
}

/// Waits until `/readyz?verbose` answers so.
fn ready_when(cluster: &Cluster, status: u16, text: &str) {
    let url = cluster.landfall.url() + "/readyz?verbose";
    let mut last = None;
    let found = wait::until(PATIENCE, "readiness", || {
        let answer = http::get(&url).ok()?;
        last = Some((answer.status, answer.text()));
        (last == Some((status, text.to_owned()))).then_some(())
    });
    found.unwrap_or_else(|error| panic!("{error}: {last:?}"));
}

const RECEIVING: &str =
    "[+]resources ok: who subscribes to what is still being read\n[+]journal ok\nreadyz check passed\n";

/// Waits until the journal has a delivery that is not matched. Returns its id.
fn unmatched(cluster: &Cluster) -> String {
    let list = ["deliveries", "list", "-o", "json"];
    let found = wait::until(PATIENCE, "a delivery that is not matched yet", || {
        let deliveries = cluster.landfall.cli_json(&list).ok()?;
        let delivery = deliveries.as_array()?.first()?.clone();
        assert_eq!(
            (&delivery["matched"], &delivery["verdict"]),
            (&Value::Null, &Value::from("accepted"))
        );
        Some(delivery["id"].as_str()?.to_owned())
    });
    found.unwrap()
}

#[test]
fn a_delivery_that_comes_early_is_answered_with_its_number_and_matched_once_that_is_possible() {
    let proxy = shared().proxy().unwrap();
    let held = proxy.hold("GET", WAREHOUSES);
    let cluster = follow(&proxy, &project(shared()));
    held.arrived(1, PATIENCE).unwrap();
    ready_when(&cluster, 200, RECEIVING);
    let path = cluster.path();
    assert_eq!(cluster.post("/in/dockerhub/unknown", "shop/api", "1.0.0").status, 404);

    let answer = thread::scope(|scope| {
        let answer: ScopedJoinHandle<'_, Response> = scope.spawn(|| cluster.post(&path, "shop/api", "1.0.0"));
        let id = unmatched(&cluster);
        drop(held);
        let answer = answer.join().unwrap();
        assert_eq!(delivery_id(&answer), id);
        answer
    });
    let expected = "{\"msg\":\"refreshed 1 warehouse(s)\"}\n".to_owned();
    assert_eq!((answer.status, answer.text()), (200, expected));
    cluster.done(&delivery_id(&answer));
    let token = cluster.refreshed(&["api"]);
    ready_when(&cluster, 200, "[+]resources ok\n[+]journal ok\nreadyz check passed\n");
    // It is not done a second time.
    cluster.done(&cluster.pushed(&path, "shop/nobody", "1.0.0", 0));
    assert_eq!(cluster.refreshed(&["api"]), token);
}

/// Its sender has no answer, and need not send it again all the same.
#[test]
fn a_delivery_that_came_early_outlives_the_process() {
    let proxy = shared().proxy().unwrap();
    let held = proxy.hold("GET", WAREHOUSES);
    let mut cluster = follow(&proxy, &project(shared()));
    ready_when(&cluster, 200, RECEIVING);
    let url = cluster.landfall.url() + &cluster.path();
    let sender = thread::spawn(move || std::panic::catch_unwind(|| post(&url, "shop/api", "1.0.0")));
    let id = unmatched(&cluster);
    cluster.landfall.kill9().unwrap();
    drop(sender.join().unwrap());
    drop(held);
    cluster.landfall.restart().unwrap();
    let delivery = cluster.done(&id);
    assert_eq!(delivery["work"].as_array().unwrap().len(), 1, "{delivery:#}");
    cluster.refreshed(&["api"]);
}

/// It is said that nobody can count them yet, and nothing is taken for wanted by nobody.
#[test]
fn a_delivery_is_taken_while_nobody_can_be_asked_who_subscribes() {
    let proxy = shared().proxy().unwrap();
    proxy.rule(Rule::on(WAREHOUSES).answer(503));
    let cluster = follow(&proxy, &project(shared()));
    ready_when(&cluster, 200, RECEIVING);
    let path = cluster.path();
    let answer = cluster.post(&path, "shop/api", "1.0.0");
    let expected = "{\"msg\":\"accepted; each warehouse that wants it is refreshed once all of them are known\"}\n";
    assert_eq!((answer.status, answer.text()), (200, expected.to_owned()));
    proxy.clear_rules();
    cluster.done(&delivery_id(&answer));
    cluster.refreshed(&["api"]);
}

/// Who can be told is told. What may be for Promotions waits until they can be, also when the rest is known, and is not refused: it
/// was taken when nothing was known.
#[test]
fn a_closed_pull_request_waits_for_the_promotions() {
    let proxy = shared().proxy().unwrap();
    let project = shared().namespace().unwrap();
    let receivers =
        "[{name: ado, azure: {secretRef: {name: hook}}}, {name: hub, dockerhub: {secretRef: {name: hook}}}]";
    let objects = secret(&project, "s3cret") + &config(&project, receivers) + &warehouse(&project, "api", "shop/api");
    shared().apply(&objects).unwrap();
    waiting_promotion(shared(), &project);
    proxy.rule(Rule::on("/promotions?").answer(503));
    let warehouses = proxy.hold("GET", WAREHOUSES);
    let cluster = follow(&proxy, &project);
    ready_when(&cluster, 200, RECEIVING);
    let status = cluster.status_when("two receivers", |status| {
        status["webhookReceivers"].as_array().is_some_and(|all| all.len() == 2)
    });
    let path = |place: usize| status["webhookReceivers"][place]["path"].as_str().unwrap().to_owned();
    let close = || {
        let links = json!({ "web": { "href": PULL_REQUEST } });
        let closed =
            json!({ "eventType": "git.pullrequest.merged", "resource": { "status": "completed", "_links": links } });
        let headers = [("Content-Type", "application/json"), ("User-Agent", "VSServices/1.0")];
        let url = cluster.landfall.url() + &path(0);
        http::post(&url, &headers, closed.to_string().as_bytes()).unwrap()
    };
    let early = thread::scope(|scope| {
        let early = scope.spawn(close);
        unmatched(&cluster);
        drop(warehouses);
        early.join().unwrap()
    });
    assert_eq!(early.status, 200, "{}", early.text());
    // Pushes are followed up meanwhile, and who comes now is asked to come again.
    cluster.done(&cluster.matched(&path(1), "shop/api", 1));
    assert_eq!(close().status, 503);
    let id = delivery_id(&early);
    let list = cluster
        .landfall
        .cli_json(&["deliveries", "show", &id, "-o", "json"])
        .unwrap();
    assert_eq!(list["matched"], Value::Null, "{list:#}");
    proxy.clear_rules();
    cluster.done(&id);
    let promotion = ["promotions.kargo.akuity.io", "test.01j", "--namespace", &project];
    wait::until(PATIENCE, "the Promotion's refresh", || {
        let promotion = shared().get(&promotion).ok()?;
        let token = &promotion["metadata"]["annotations"]["kargo.akuity.io/refresh"];
        token.is_string().then_some(())
    })
    .unwrap();
}

/// Whoever may not read them never gets to know them by itself: deliveries are for others to take.
#[test]
fn whoever_may_not_read_the_warehouses_is_not_ready() {
    let proxy = shared().proxy().unwrap();
    let project = project(shared());
    proxy.rule(Rule::on(WAREHOUSES).respond(refusal(403, "Forbidden", "warehouses are forbidden")));
    let cluster = follow(&proxy, &project);
    cluster.says(&format!("Warehouses in {project}: cannot be read"));
    let failed = "[-]resources failed: reason withheld\n[+]journal ok\nreadyz check failed\n";
    ready_when(&cluster, 503, failed);
    proxy.clear_rules();
    let path = cluster.path();
    cluster.done(&cluster.pushed(&path, "shop/api", "1.0.0", 1));
}

/// Who subscribes is asked after the receivers, and also where these cannot be told.
#[test]
fn the_warehouses_are_read_while_nobody_tells_of_the_receivers() {
    let proxy = shared().proxy().unwrap();
    let held = proxy.hold("GET", "/projectconfigs?");
    let warehouses = proxy.hold("GET", WAREHOUSES);
    let cluster = follow(&proxy, &project(shared()));
    warehouses.arrived(1, PATIENCE).unwrap();
    ready_when(
        &cluster,
        503,
        "[-]resources failed: reason withheld\n[+]journal ok\nreadyz check failed\n",
    );
    assert_eq!(cluster.post("/in/dockerhub/unknown", "shop/api", "1.0.0").status, 503);
    drop((held, warehouses));
    let path = cluster.path();
    cluster.done(&cluster.pushed(&path, "shop/api", "1.0.0", 1));
}
