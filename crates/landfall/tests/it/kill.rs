//! SIGKILL at any moment, again and again, while deliveries come in: whatever got a 2xx has its effect, and nothing else
//! has one.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::{Duration, Instant};

use landfall_harness::{ImageSpec, Postgres, Registry, Uploader, http, wait};
use serde_json::Value;

use crate::world::{NEVER, PATIENCE, PROOF, World, envelope, quiet_registry, tags};

/// How often landfall is killed, unless LANDFALL_KILLS says otherwise.
const KILLS: usize = 20;
/// As many tags as a Warehouse shows at most.
const SHOWN: usize = 100;
/// How many of them are pushed and nobody is told of, in each partition; one more is there from the beginning.
const SILENT: usize = 4;
/// The rest are delivered.
const TOLD: usize = SHOWN - SILENT - 1;
/// Each of these is a Warehouse's, and all are in one repository.
const PARTITIONS: [&str; 2] = ["a", "b"];
/// Senders that post at the same time.
const SENDERS: usize = 3;
/// Tags that a kill may use up; a few more than it does on average.
const TAGS_PER_KILL: usize = 6;

/// A tag that is pushed and told of.
struct Push {
    repository: String,
    partition: &'static str,
    tag: String,
}

/// Tags by Warehouse.
type Expected = BTreeMap<String, BTreeSet<String>>;

/// Random numbers with a seed that is shown, so that a failure can be played again.
struct Dice(u64);

impl Dice {
    /// A number below `bound`: SplitMix64.
    fn below(&mut self, bound: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ (mixed >> 31)) % bound
    }
}

fn number(variable: &str) -> Option<u64> {
    std::env::var(variable).ok().and_then(|text| text.parse().ok())
}

/// The partition's Warehouse.
fn name(repository: &str, partition: &str) -> String {
    format!("{repository}-{partition}")
}

/// A Warehouse for each partition of each repository, each with one tag in it, discovered; then the silent tags.
fn prepare(repositories: &[String], journal: Option<String>) -> (World, Registry, Expected) {
    let registry = quiet_registry();
    let world = World::on(journal, |landfall| landfall.arg("--log-level=warn"));
    let mut uploader = Uploader::new(registry.host());
    let mut expected = BTreeMap::new();
    for repository in repositories {
        for partition in PARTITIONS {
            let tag = format!("{partition}-000-seed");
            uploader.put_image(repository, &tag, &ImageSpec::new("seed")).unwrap();
            let repo_url = format!("{}/{repository}", registry.host());
            let fields = format!(
                "imageSelectionStrategy: Lexical\ndiscoveryLimit: {SHOWN}\nallowTagsRegexes: [\"^{partition}-\"]"
            );
            world.warehouse(&name(repository, partition), NEVER, &repo_url, &fields);
            expected.insert(name(repository, partition), BTreeSet::from([tag]));
        }
    }
    wait_for(&world, &expected);
    let manifest = ImageSpec::new("silent").build().unwrap().manifest;
    for repository in repositories {
        uploader
            .put_image(repository, "silent", &ImageSpec::new("silent"))
            .unwrap();
        for partition in PARTITIONS {
            for number in 0..SILENT {
                let tag = format!("{partition}-silent-{number}");
                uploader.put_manifest(repository, &tag, &manifest).unwrap();
            }
        }
    }
    (world, registry, expected)
}

/// What every Warehouse shows.
fn shown(world: &World) -> Expected {
    let of = |warehouse: &Value| {
        let name = warehouse["metadata"]["name"].as_str().unwrap().to_owned();
        let tags = tags(&warehouse["status"]).into_iter().map(str::to_owned).collect();
        (name, tags)
    };
    world.list("warehouses").iter().map(of).collect()
}

/// Waits until every Warehouse shows what is expected; says what is missing or too much if that does not come to pass.
fn wait_for(world: &World, expected: &Expected) {
    let mut last = BTreeMap::new();
    let found = wait::until(PATIENCE, "every effect", || {
        last = shown(world);
        (last == *expected).then_some(())
    });
    if let Err(error) = found {
        let none = BTreeSet::new();
        for (name, expected) in expected {
            let found = last.get(name).unwrap_or(&none);
            let missing: Vec<_> = expected.difference(found).collect();
            let too_much: Vec<_> = found.difference(expected).collect();
            if !missing.is_empty() || !too_much.is_empty() {
                eprintln!("{name}: missing {missing:?}, too much {too_much:?}");
            }
        }
        panic!("{error}");
    }
}

/// Pushes tags and posts each delivery until it is taken, as senders do that retry; says so for each. It ends when there
/// are no more tags, or the kills are over.
fn send(
    registry: &str,
    url: &str,
    queue: &Mutex<Vec<Push>>,
    over: &AtomicBool,
    taken: &Sender<Push>,
    refused: &AtomicUsize,
) {
    let mut uploader = Uploader::new(registry);
    let manifest = ImageSpec::new("told").build().unwrap().manifest;
    let mut known = BTreeSet::new();
    loop {
        let next = queue.lock().unwrap().pop();
        let Some(push) = next.filter(|_| !over.load(Ordering::Relaxed)) else {
            return;
        };
        if known.insert(push.repository.clone()) {
            uploader
                .put_image(&push.repository, "told", &ImageSpec::new("told"))
                .unwrap();
        }
        uploader.put_manifest(&push.repository, &push.tag, &manifest).unwrap();
        let envelope = envelope(&[(registry, &push.repository, &push.tag)]);
        wait::until(PATIENCE, "a 2xx", || {
            match http::post(url, &[("Authorization", PROOF)], envelope.as_bytes()) {
                Ok(response) if (200..300).contains(&response.status) => Some(()),
                _ => {
                    refused.fetch_add(1, Ordering::Relaxed);
                    None
                }
            }
        })
        .unwrap();
        if taken.send(push).is_err() {
            return;
        }
    }
}

/// Kills and restarts landfall, each time some answers and a moment later than the last time, and every third time once
/// more before it is ready. Notes what was answered.
fn kill(world: &mut World, kills: usize, dice: &mut Dice, taken: &Receiver<Push>, expected: &mut Expected) {
    let started = Instant::now();
    for kill in 1..=kills {
        for _ in 0..dice.below(6) {
            // Where no more answers come, the work that follows from them is what is killed.
            if let Ok(push) = taken.recv_timeout(Duration::from_millis(100)) {
                note(expected, push);
            }
        }
        let moment = Duration::from_micros(dice.below(12_000));
        note_for(moment, taken, expected);
        world.landfall.kill9().unwrap();
        if dice.below(3) == 0 {
            let unready = world.start_unready();
            note_for(Duration::from_micros(dice.below(60_000)), taken, expected);
            drop(unready);
        }
        world.landfall.restart().unwrap();
        if kill % 100 == 0 {
            println!("{kill} kills in {:?}", started.elapsed());
        }
    }
}

/// Notes what is answered within so long.
fn note_for(moment: Duration, taken: &Receiver<Push>, expected: &mut Expected) {
    let until = Instant::now() + moment;
    while let Some(left) = until.checked_duration_since(Instant::now()) {
        if let Ok(push) = taken.recv_timeout(left) {
            note(expected, push);
        }
    }
}

/// The delivery was answered with a 2xx, so its tag has to show.
fn note(expected: &mut Expected, push: Push) {
    let tags = expected.get_mut(&name(&push.repository, push.partition)).unwrap();
    tags.insert(push.tag);
}

/// The tags of all partitions, in an order that spreads them.
fn queue(repositories: &[String]) -> Vec<Push> {
    let mut queue = Vec::new();
    for number in 0..TOLD {
        for repository in repositories {
            for partition in PARTITIONS {
                let (repository, tag) = (repository.clone(), format!("{partition}-{number:03}-told"));
                queue.push(Push {
                    repository,
                    partition,
                    tag,
                });
            }
        }
    }
    queue
}

#[test]
fn kill_again_and_again_and_nothing_is_lost_and_nothing_made_up() {
    kill_with(None);
}

#[test]
fn kill_again_and_again_with_a_journal_in_postgresql() {
    kill_with(Some(Postgres::shared().unwrap().database().unwrap()));
}

fn kill_with(journal: Option<String>) {
    let kills = number("LANDFALL_KILLS").map_or(KILLS, |kills| usize::try_from(kills).unwrap());
    let clock = || {
        std::time::UNIX_EPOCH
            .elapsed()
            .map_or(0, |since| since.subsec_nanos().into())
    };
    let seed = number("LANDFALL_KILL_SEED").unwrap_or_else(clock);
    println!("{kills} kills; play again with LANDFALL_KILL_SEED={seed}");
    let partitions = (kills * TAGS_PER_KILL).div_ceil(TOLD);
    let repositories: Vec<String> = (0..partitions.div_ceil(PARTITIONS.len()))
        .map(|number| format!("app{number:03}"))
        .collect();
    let (mut world, registry, mut expected) = prepare(&repositories, journal);

    let (queue, over, refused) = (
        Mutex::new(queue(&repositories)),
        AtomicBool::new(false),
        AtomicUsize::new(0),
    );
    let (host, url) = (registry.host(), world.landfall.url() + "/webhook?type=distribution");
    std::thread::scope(|scope| {
        let (taken, answers) = channel();
        for _ in 0..SENDERS {
            let (host, url, queue, over, refused, taken) = (&host, &url, &queue, &over, &refused, taken.clone());
            scope.spawn(move || send(host, url, queue, over, &taken, refused));
        }
        drop(taken);
        kill(&mut world, kills, &mut Dice(seed), &answers, &mut expected);
        over.store(true, Ordering::Relaxed);
        // What is on its way is taken to its end.
        for push in answers {
            note(&mut expected, push);
        }
    });
    let told: usize = expected.values().map(|tags| tags.len() - 1).sum();
    println!(
        "{told} deliveries were taken, {} attempts were refused or broke off",
        refused.into_inner()
    );
    assert!(2 * told >= kills, "too few deliveries to mean anything: {told}");
    wait_for(&world, &expected);

    // And it stays so when all work is done and the process starts once more.
    for delivery in world.settled() {
        assert!(delivery["targets"]["dead"].is_null(), "{delivery:#}");
    }
    world.landfall.restart().unwrap();
    let again = world.pushed(&host, &repositories[0], "a-000-seed");
    world.done(&again);
    assert_eq!(shown(&world), expected);
}
