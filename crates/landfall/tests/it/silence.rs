//! A sender that falls silent is reported once, in the log and in the metrics, and so is its return. Time passes in the journal:
//! what landfall knows of a sender's habits it reads there.

use landfall_harness::free_port;
use landfall_harness::http;

use crate::world::World;

const SILENT: &str = "a sender is silent; lately it was for";
const BACK: &str = "a sender is heard of again";

/// Ages all deliveries: each comes a minute after the one before it, and the last one came 11 minutes ago, which is longer
/// than three minutes and as long as nobody need look sooner.
fn age(world: &World) {
    let journal = rusqlite::Connection::open(world.landfall.data_dir().join("landfall.db")).unwrap();
    let aged = "UPDATE entries SET received = received - 60000 * (
                    11 + (SELECT count(*) FROM entries AS later WHERE later.id > entries.id))";
    assert_eq!(journal.execute(aged, []).unwrap(), 6);
}

/// What the metrics say of the sender.
fn silent(metrics: &str) -> Option<String> {
    let page = http::get(metrics).unwrap().text();
    let series = page
        .lines()
        .find_map(|line| line.strip_prefix("landfall_sender_silent{sender=\"distribution\"} "));
    series.map(str::to_owned)
}

#[test]
fn a_sender_that_falls_silent_is_reported_once_and_so_is_its_return() {
    let port = free_port().unwrap();
    let mut world = World::with(|landfall| landfall.arg(&format!("--metrics-bind-address=127.0.0.1:{port}")));
    let metrics = format!("http://127.0.0.1:{port}/metrics");
    for number in 0..6 {
        world.pushed("127.0.0.1:1", "example/app", &format!("1.0.{number}"));
    }
    assert_eq!(silent(&metrics).as_deref(), Some("0"));
    world.landfall.terminate().unwrap();
    age(&world);
    world.landfall.restart().unwrap();
    world.says(SILENT);
    assert_eq!(silent(&metrics).as_deref(), Some("1"));

    world.pushed("127.0.0.1:1", "example/app", "1.0.6");
    world.says(BACK);
    assert_eq!(silent(&metrics).as_deref(), Some("0"));
    let log = world.log();
    assert_eq!(
        (log.matches(SILENT).count(), log.matches(BACK).count()),
        (1, 1),
        "{log}"
    );
}
