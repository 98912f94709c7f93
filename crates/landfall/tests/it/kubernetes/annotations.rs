//! Annotations that are asked for together and settled together: each comes to its end by itself.

use landfall_harness::Rule;
use landfall_harness::http::Response;
use serde_json::Value;

use super::refusals::start;
use crate::world::{PATIENCE, attempts};

/// The state of each Warehouse's work, by its name.
fn state<'a>(delivery: &'a Value, name: &str) -> &'a Value {
    let work = delivery["work"].as_array().unwrap().iter();
    let mut of = work.filter(|work| work["target"].as_str().is_some_and(|target| target.ends_with(name)));
    &of.next().unwrap()["work"]["state"]
}

#[test]
fn one_that_takes_for_ever_keeps_no_other_from_being_done() {
    let (proxy, cluster) = start();
    let names = ["api", "slow", "web"];
    cluster.warehouses(&names, "shop/api");
    let path = cluster.path();
    cluster.known(&path, "shop/api", names.len());
    let held = proxy.hold("PATCH", "/warehouses/slow");
    let first = cluster.pushed(&path, "shop/api", "1.2.0", names.len());
    held.arrived(1, PATIENCE).unwrap();
    let others = |delivery: &Value| state(delivery, "api") == "done" && state(delivery, "web") == "done";
    let delivery = cluster.delivery_when(&first, "the others to be done", others);
    assert_eq!(state(&delivery, "slow"), "waiting", "{delivery:#}");
    // What comes meanwhile waits for that one alone, and shares what is asked for after it.
    let more = ["1.2.1", "1.2.2"].map(|tag| cluster.pushed(&path, "shop/api", tag, names.len()));
    for delivery in &more {
        cluster.delivery_when(delivery, "the others to be done", others);
    }
    proxy.take_requests();
    drop(held);
    for delivery in [&first, &more[0], &more[1]] {
        cluster.done(delivery);
    }
    let requests = proxy.take_requests().into_iter();
    let patches = requests.filter(|line| line.method == "PATCH" && line.path.contains("/warehouses/slow"));
    assert_eq!(patches.count(), 2);
}

/// Whatever stands before an API server may say yes to everything.
#[test]
fn an_answer_that_is_not_about_the_warehouse_is_none() {
    let (proxy, cluster) = start();
    cluster.warehouses(&["api"], "shop/api");
    let path = cluster.path();
    cluster.known(&path, "shop/api", 1);
    for body in ["<html>ok</html>", "{}", r#"{"metadata":{"name":"other"}}"#] {
        let answer = Response {
            status: 200,
            headers: vec![("Content-Type".to_owned(), "application/json".to_owned())],
            body: body.as_bytes().to_vec(),
        };
        let patches = Rule::on("/warehouses/api").method("PATCH");
        proxy.rule(patches.first(1).respond(answer));
    }
    proxy.take_requests();
    let delivery = cluster.pushed(&path, "shop/api", "1.2.0", 1);
    let delivery = cluster.done(&delivery);
    // Nothing was attempted while nobody answered.
    let outcomes = attempts(&delivery);
    assert!(
        matches!(outcomes[..], [done] if done.starts_with("done: the API server has the token ")),
        "{delivery:#}"
    );
    let requests = proxy.take_requests().into_iter();
    let patches = requests.filter(|line| line.method == "PATCH" && line.path.contains("/warehouses/api"));
    assert_eq!(patches.count(), 4);
    cluster.refreshed(&["api"]);
}
