//! One delivery that concerns a thousand Warehouses.

use super::cluster::{Cluster, shared, warehouse};

const MANY: usize = 1000;

/// Each of them gets its annotation, and none gets it twice.
#[test]
fn one_push_refreshes_a_thousand_warehouses() {
    let cluster = Cluster::start(shared());
    let names: Vec<String> = (0..MANY).map(|number| format!("w-{number:04}")).collect();
    make(&cluster, &names);
    let path = cluster.path();
    cluster.known(&path, "shop/api", MANY);
    let delivery = cluster.matched(&path, "shop/api", MANY);
    cluster.done(&delivery);
    let tokens = cluster.refreshed(&names.iter().map(String::as_str).collect::<Vec<_>>());
    let distinct: std::collections::BTreeSet<_> = tokens.iter().collect();
    assert_eq!(distinct.len(), MANY);
    assert_eq!(cluster.log().matches("asked for a refresh").count(), MANY);
}

/// By several at once, since each has its own answer.
fn make(cluster: &Cluster, names: &[String]) {
    std::thread::scope(|scope| {
        for some in names.chunks(MANY / 4) {
            scope.spawn(|| {
                let some = some.iter().map(|name| warehouse(&cluster.project, name, "shop/api"));
                cluster.apply(&some.collect::<String>());
            });
        }
    });
}
