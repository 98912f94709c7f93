//! A journal in PostgreSQL: what a 2xx promises holds when the database or one of several processes fails, and processes that
//! share it share the work.

use std::collections::{BTreeMap, BTreeSet};
use std::process::Command;

use landfall_harness::http::{self, Response};
use landfall_harness::{CountingProxy, ImageSpec, Landfall, Postgres, Registry, Uploader, wait};
use serde_json::Value;
use tempfile::TempDir;

use crate::world::{BINARY, NEVER, PATIENCE, PROJECT, PROOF, World, envelope, quiet_registry, tags};

fn database() -> String {
    Postgres::shared().unwrap().database().unwrap()
}

fn push(registry: &Registry, tag: &str) {
    Uploader::new(registry.host())
        .put_image("app", tag, &ImageSpec::new(tag))
        .unwrap();
}

/// A registry with an application that a landfall on this database has discovered.
fn with_app(database: String) -> (World, Registry) {
    let registry = quiet_registry();
    push(&registry, "1.0.0");
    let world = World::on(Some(database), |landfall| landfall);
    world.discovered("app", NEVER, &format!("{}/app", registry.host()), "discoveryLimit: 100");
    (world, registry)
}

#[test]
fn a_crash_right_after_the_answer_loses_nothing() {
    let (mut world, registry) = with_app(database());
    let mut expected = vec!["1.0.0".to_owned()];
    for patch in 1..=3 {
        let tag = format!("1.0.{patch}");
        push(&registry, &tag);
        let id = world.pushed(&registry.host(), "app", &tag);
        world.landfall.kill9().unwrap();
        world.landfall.restart().unwrap();
        world.done(&id);
        expected.insert(0, tag);
        assert_eq!(tags(&world.status("app")), expected);
    }
}

#[test]
fn a_database_that_is_away_is_said_and_recovers_by_itself() {
    let mut postgres = Postgres::start().unwrap();
    let (world, registry) = with_app(postgres.database().unwrap());
    let host = registry.host();
    push(&registry, "1.0.1");
    // Wherever the work of this one is when the database goes, it has to wait.
    let in_the_middle = world.pushed(&host, "app", "1.0.1");
    postgres.crash().unwrap();
    push(&registry, "1.0.2");
    let refused = envelope(&[(&host, "app", "1.0.2")]);
    for _ in 0..3 {
        let response = world.try_notify(&refused).expect("an answer");
        assert_eq!(response.status, 503, "{}", response.text());
        let seconds = response.header("retry-after").and_then(|text| text.parse::<u32>().ok());
        assert!(seconds.is_some_and(|seconds| seconds > 0), "{response:?}");
    }
    let ready = || {
        http::get(&(world.landfall.url() + "/readyz"))
            .map(|answer| answer.status)
            .ok()
    };
    wait::until(PATIENCE, "it not to be ready", || (ready() == Some(503)).then_some(())).unwrap();
    postgres.restart().unwrap();
    wait::until(PATIENCE, "it to be ready", || (ready() == Some(200)).then_some(())).unwrap();
    world.done(&in_the_middle);
    world.done(&world.notify(&refused));
    assert_eq!(tags(&world.status("app")), ["1.0.2", "1.0.1", "1.0.0"]);
    assert!(!world.log().contains("s3cret"), "{}", world.log());
}

#[test]
fn a_url_that_is_none_ends_the_start_and_is_not_repeated() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("url");
    std::fs::write(&file, "postgres://me:s3cret@db:s3/landfall").unwrap();
    let run = |args: &[&str]| {
        let mut command = Command::new(BINARY);
        command
            .env_clear()
            .arg("serve")
            .arg("--data-dir")
            .arg(folder.path().join("data"));
        command.args(args).output().unwrap()
    };
    let file = file.to_str().unwrap();
    for args in [
        &["--journal=postgres://me:s3cret@db:s3/landfall"][..],
        &["--journal-file", file],
        &["--journal=postgres://me:s3cret@db/landfall", "--journal-file", file],
        // A database that refuses is not waited for.
        &[&format!(
            "--journal={}_of_nobody",
            database().replace("?sslmode=disable", "")
        )],
    ] {
        let output = run(args);
        let said = String::from_utf8(output.stderr).unwrap();
        assert!(!output.status.success());
        assert!(!said.contains("s3"), "{said}");
    }
}

/// Two processes with one folder of manifests and one database.
struct Pair {
    world: World,
    other: Landfall,
    _folder: TempDir,
}

impl Pair {
    fn start() -> Self {
        let database = database();
        let folder = tempfile::tempdir().unwrap();
        let world = World::on(Some(database.clone()), |landfall| landfall);
        let other = Landfall::builder(BINARY)
            .manifests(world.manifests())
            .data_dir(folder.path().join("data"))
            .env("DISTRIBUTION_WEBHOOK_SECRET", PROOF)
            .env("LANDFALL_JOURNAL", &database)
            .arg("--registry-rate-limit=1000000")
            .start()
            .unwrap();
        Self {
            world,
            other,
            _folder: folder,
        }
    }

    fn urls(&self) -> [String; 2] {
        [self.world.landfall.url(), self.other.url()].map(|url| url + "/webhook?type=distribution")
    }
}

fn post(url: &str, envelope: &str) -> Option<Response> {
    http::post(url, &[("Authorization", PROOF)], envelope.as_bytes()).ok()
}

/// What `landfall get` shows of the Warehouse's tags.
fn shown(landfall: &Landfall) -> BTreeSet<String> {
    let args = ["get", "warehouses", "-n", PROJECT, "app", "-o", "json"];
    let warehouse: Value = landfall.cli_json(&args).unwrap_or_default();
    tags(&warehouse["status"]).into_iter().map(str::to_owned).collect()
}

fn wait_until_shown(landfall: &Landfall, expected: &BTreeSet<String>) {
    let mut last = BTreeSet::new();
    let found = wait::until(PATIENCE, "every tag", || {
        last = shown(landfall);
        (last == *expected).then_some(())
    });
    let missing: Vec<_> = expected.difference(&last).collect();
    found.unwrap_or_else(|error| panic!("{error}: missing {missing:?}"));
}

#[test]
fn two_processes_share_the_work_and_do_nothing_twice() {
    let registry = quiet_registry();
    let proxy = CountingProxy::start(registry.host()).unwrap();
    push(&registry, "1.0.0");
    let pair = Pair::start();
    let host = proxy.host();
    pair.world
        .discovered("app", NEVER, &format!("{host}/app"), "discoveryLimit: 100");
    let mut expected = BTreeSet::from(["1.0.0".to_owned()]);
    wait_until_shown(&pair.other, &expected);
    proxy.take_requests();
    for patch in 1..=20 {
        let tag = format!("1.0.{patch}");
        push(&registry, &tag);
        let envelope = envelope(&[(&host, "app", &tag)]);
        // To both of them at the same time, as a sender does that tries again too soon.
        let answers: Vec<String> = std::thread::scope(|scope| {
            let posts = pair.urls().map(|url| {
                let envelope = &envelope;
                scope.spawn(move || post(&url, envelope).expect("an answer").text())
            });
            posts.into_iter().map(|post| post.join().unwrap()).collect()
        });
        let repeated = answers.iter().filter(|text| text.contains("received before")).count();
        assert_eq!(repeated, 1, "{answers:?}");
        expected.insert(tag);
    }
    wait_until_shown(&pair.world.landfall, &expected);
    wait_until_shown(&pair.other, &expected);
    pair.world.settled();
    let mut looks: BTreeMap<String, usize> = BTreeMap::new();
    for line in proxy.take_requests() {
        if let Some((_, tag)) = line.path.split_once("/manifests/1.0.") {
            *looks.entry(tag.to_owned()).or_default() += 1;
        }
    }
    let once: BTreeMap<String, usize> = (1..=20).map(|patch| (patch.to_string(), 1)).collect();
    assert_eq!(looks, once);
}

#[test]
fn the_death_of_one_of_two_processes_loses_nothing() {
    let registry = quiet_registry();
    push(&registry, "1.0.0");
    let mut pair = Pair::start();
    let host = registry.host();
    pair.world
        .discovered("app", NEVER, &format!("{host}/app"), "discoveryLimit: 100");
    let urls = pair.urls();
    let mut expected = BTreeSet::from(["1.0.0".to_owned()]);
    for patch in 1..=60 {
        let tag = format!("1.0.{patch}");
        push(&registry, &tag);
        let envelope = envelope(&[(&host, "app", &tag)]);
        if patch == 30 {
            // Right after its answer: matched, claimed or looked at, or none of it.
            post(&urls[1], &envelope).expect("an answer");
            pair.other.kill9().unwrap();
        } else {
            let taken = |url: &String| post(url, &envelope).is_some_and(|answer| answer.status == 200);
            // As a load balancer does: to either, and to the other one where that does not answer.
            let (first, second) = (&urls[patch % 2], &urls[1 - patch % 2]);
            assert!(taken(first) || taken(second), "{tag}");
        }
        expected.insert(tag);
    }
    wait_until_shown(&pair.world.landfall, &expected);
    for delivery in pair.world.settled() {
        assert!(delivery["targets"]["dead"].is_null(), "{delivery:#}");
    }
    // Whoever comes back is one of two again.
    pair.other.restart().unwrap();
    wait_until_shown(&pair.other, &expected);
    push(&registry, "2.0.0");
    assert_eq!(
        post(&urls[1], &envelope(&[(&host, "app", "2.0.0")])).map(|answer| answer.status),
        Some(200)
    );
    expected.insert("2.0.0".to_owned());
    wait_until_shown(&pair.world.landfall, &expected);
}
