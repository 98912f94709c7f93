//! One delivery that concerns a thousand Warehouses.

use super::cluster::{Cluster, shared, warehouse};
use super::measure;

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

/// How long a thousand annotations take through landfall, and how long a thousand patches that are sent side by side take
/// without it, seen by the same watch. It prints both; a debug build on a busy machine tells little.
#[test]
#[ignore = "measures, and prints what it measured"]
fn a_thousand_annotations_against_a_thousand_patches() {
    let cluster = Cluster::start(shared());
    let names: Vec<String> = (0..MANY).map(|number| format!("w-{number:04}")).collect();
    make(&cluster, &names);
    let path = cluster.path();
    cluster.matched(&path, "shop/api", MANY);
    cluster.refreshed(&names.iter().map(String::as_str).collect::<Vec<_>>());
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .unwrap();
    let mut ratios = Vec::new();
    for round in 0..5 {
        let direct = runtime.block_on(measure::direct(&cluster, &names));
        let through = runtime.block_on(measure::through(&cluster, &path, &format!("1.2.{round}")));
        println!("{direct:?} for {MANY} patches, {through:?} for as many through landfall");
        ratios.push(through.as_secs_f64() / direct.as_secs_f64());
    }
    ratios.sort_by(f64::total_cmp);
    println!("ratios {ratios:.2?}, median {:.2}", ratios[2]);
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
