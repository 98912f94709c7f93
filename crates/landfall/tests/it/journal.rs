//! What a 2xx promises: the delivery is on the disk, it is followed up once, and nothing but time is lost when the disk
//! or the process fails.

use std::process::Command;
use std::time::Duration;

use landfall_harness::http::{self, Response};
use landfall_harness::{CountingProxy, ImageSpec, Registry, Uploader, free_port, manifests, wait};
use serde_json::{Value, json};

use crate::world::{
    BINARY, NEVER, PATIENCE, PROJECT, World, attempts, delivery_id, envelope, quiet_registry, script, states, tags,
};

/// A landfall that knows an application in a registry.
fn with_app(
    configure: impl FnOnce(landfall_harness::process::Builder) -> landfall_harness::process::Builder,
) -> (World, Registry) {
    let registry = quiet_registry();
    Uploader::new(registry.host())
        .put_image("app", "1.0.0", &ImageSpec::new("one"))
        .unwrap();
    let world = World::with(configure);
    world.discovered("app", NEVER, &format!("{}/app", registry.host()), "discoveryLimit: 100");
    (world, registry)
}

fn push(registry: &Registry, tag: &str) -> landfall_harness::Digest {
    Uploader::new(registry.host())
        .put_image("app", tag, &ImageSpec::new(tag))
        .unwrap()
}

#[test]
fn an_envelope_that_comes_twice_is_done_once() {
    let registry = quiet_registry();
    let proxy = CountingProxy::start(registry.host()).unwrap();
    push(&registry, "1.0.0");
    let world = World::start();
    world.discovered("app", NEVER, &format!("{}/app", proxy.host()), "");
    push(&registry, "1.0.1");
    let envelope = envelope(&[(&proxy.host(), "app", "1.0.1")]);
    let first = world.notify(&envelope);
    world.done(&first);
    let asked = proxy.take_requests();
    assert!(!asked.is_empty());

    let again = world.try_notify(&envelope).unwrap();
    assert_eq!(
        (again.status, again.text()),
        (200, format!("Webhook received before, as delivery {first}"))
    );
    let second = world.explained(&delivery_id(&again));
    assert_eq!(
        (&second["verdict"], &second["duplicateOf"]),
        (&json!("duplicate"), &json!(first))
    );
    assert_eq!(states(&second), [""; 0]);
    // Something else that is followed up shows that the pipeline is past the duplicate.
    push(&registry, "1.0.2");
    world.done(&world.pushed(&proxy.host(), "app", "1.0.2"));
    let requests = proxy.take_requests();
    assert!(
        requests.iter().all(|line| !line.path.contains("1.0.1")),
        "{requests:#?}"
    );
    assert_eq!(attempts(&world.explained(&first)).len(), 1);
}

#[test]
fn a_new_event_among_known_ones_is_followed_up() {
    let (world, registry) = with_app(|landfall| landfall);
    let known: Value = serde_json::from_str(&envelope(&[(&registry.host(), "app", "1.0.0")])).unwrap();
    let first = world.notify(&known.to_string());
    let new = push(&registry, "1.0.1");
    let mut both: Value = serde_json::from_str(&envelope(&[(&registry.host(), "app", "1.0.1")])).unwrap();
    both["events"].as_array_mut().unwrap().push(known["events"][0].clone());
    let delivery = world.done(&world.notify(&both.to_string()));
    assert_eq!(delivery["verdict"], "accepted");
    assert!(delivery["reason"].as_str().unwrap().contains(&first), "{delivery:#}");
    assert_eq!(delivery["events"].as_array().unwrap().len(), 1);
    world.best("app", "1.0.1", &new);
}

/// Posts what Docker Hub posts, which holds no id.
fn hub(world: &World, tag: &str) -> Response {
    let url = world.landfall.url() + &manifests::receiver_path("dockerhub", PROJECT, "hub", "s3cret");
    let body = json!({
        "push_data": { "tag": tag, "pushed_at": 1_700_000_000 },
        "repository": { "repo_name": "example/app" },
    });
    http::post(&url, &[], body.to_string().as_bytes()).unwrap()
}

fn hub_world(window: &str) -> World {
    let world = World::with(|landfall| landfall.arg(&format!("--dedupe-window={window}")));
    world.write("project.yaml", &manifests::dockerhub_project(PROJECT, "hub", "s3cret"));
    wait::until(PATIENCE, "the receiver", || {
        (hub(&world, "ready").status == 200).then_some(())
    })
    .unwrap();
    world
}

#[test]
fn equal_bodies_within_the_window_are_one() {
    let world = hub_world("1h");
    let first = hub(&world, "1.0.0");
    assert_eq!(first.text(), "{\"msg\":\"refreshed 0 warehouse(s)\"}\n");
    let again = hub(&world, "1.0.0");
    assert_eq!(
        (again.status, again.text()),
        (
            200,
            format!("{{\"msg\":\"duplicate of delivery {}\"}}\n", delivery_id(&first))
        )
    );
    assert_eq!(hub(&world, "1.0.1").text(), first.text());
}

#[test]
fn equal_bodies_after_the_window_are_two() {
    let world = hub_world("0s");
    for _ in 0..2 {
        assert_eq!(hub(&world, "1.0.0").text(), "{\"msg\":\"refreshed 0 warehouse(s)\"}\n");
    }
}

/// Quay names a repository and its tags: two pushes of one tag are two deliveries that do not differ.
#[test]
fn the_same_from_quay_once_more_is_another_push() {
    let world = World::with(|landfall| landfall.arg("--dedupe-window=1h"));
    let project = manifests::dockerhub_project(PROJECT, "quay", "s3cret").replace("dockerhub", "quay");
    world.write("project.yaml", &project);
    let url = world.landfall.url() + &manifests::receiver_path("quay", PROJECT, "quay", "s3cret");
    let body = json!({ "docker_url": "quay.io/example/app", "repository": "example/app", "updated_tags": ["latest"] });
    let post = || http::post(&url, &[], body.to_string().as_bytes()).unwrap();
    wait::until(PATIENCE, "the receiver", || (post().status == 200).then_some(())).unwrap();
    for _ in 0..2 {
        assert_eq!(post().text(), "{\"msg\":\"refreshed 0 warehouse(s)\"}\n");
    }
}

/// An answer is 503 with a time to come again, and names no delivery.
pub fn assert_asked_to_come_again(response: &Response) {
    assert_eq!(response.status, 503, "{}", response.text());
    let seconds = response.header("retry-after").and_then(|text| text.parse::<u32>().ok());
    assert!(seconds.is_some_and(|seconds| seconds > 0), "{response:?}");
    assert_eq!(response.header("x-landfall-delivery"), None);
}

#[test]
fn a_locked_database_is_said_and_recovers_by_itself() {
    let (world, registry) = with_app(|landfall| landfall);
    let new = push(&registry, "1.0.1");
    let envelope = envelope(&[(&registry.host(), "app", "1.0.1")]);
    let other = rusqlite::Connection::open(world.landfall.data_dir().join("landfall.db")).unwrap();
    other.busy_timeout(PATIENCE).unwrap();
    other.execute_batch("BEGIN EXCLUSIVE").unwrap();
    for _ in 0..3 {
        assert_asked_to_come_again(&world.try_notify(&envelope).unwrap());
    }
    assert!(world.deliveries().is_empty(), "what was refused is not there");
    other.execute_batch("ROLLBACK").unwrap();
    let id = world.notify(&envelope);
    world.done(&id);
    world.best("app", "1.0.1", &new);
    assert_eq!(world.deliveries().len(), 1);
}

#[test]
fn a_database_that_is_locked_in_the_middle_delays_the_work_and_loses_none() {
    let (world, registry) = with_app(|landfall| landfall);
    let new = push(&registry, "1.0.1");
    let other = rusqlite::Connection::open(world.landfall.data_dir().join("landfall.db")).unwrap();
    other.busy_timeout(PATIENCE).unwrap();
    let id = world.pushed(&registry.host(), "app", "1.0.1");
    // Wherever it is on its way now, it has to wait.
    other.execute_batch("BEGIN EXCLUSIVE").unwrap();
    let refused = world
        .try_notify(&envelope(&[(&registry.host(), "app", "1.0.0")]))
        .unwrap();
    assert_asked_to_come_again(&refused);
    other.execute_batch("COMMIT").unwrap();
    world.done(&id);
    world.best("app", "1.0.1", &new);
}

/// Sets how large a file the process may make, in bytes; `None` for no limit.
pub fn limit_files(world: &World, bytes: Option<u64>) {
    let pid = world.landfall.process_id().unwrap().to_string();
    let limit = bytes.map_or("unlimited".to_owned(), |bytes| bytes.to_string());
    let status = Command::new("prlimit")
        .args(["--pid", &pid, &format!("--fsize={limit}:unlimited")])
        .status();
    assert!(status.unwrap().success());
}

/// Waits until `/readyz` answers so. What it says may be a moment old.
pub fn ready_when(world: &World, expected: (u16, &str)) {
    let url = world.landfall.url() + "/readyz";
    let mut last = None;
    let found = wait::until(PATIENCE, "readiness", || {
        last = http::get(&url).ok().map(|answer| (answer.status, answer.text()));
        (last.as_ref().map(|(status, text)| (*status, text.as_str())) == Some(expected)).then_some(())
    });
    found.unwrap_or_else(|error| panic!("{error}: {last:?}"));
}

#[test]
fn a_full_disk_is_said_and_recovers_by_itself() {
    // A write beyond the limit then fails as on a full disk, instead of ending the process.
    let folder = tempfile::tempdir().unwrap();
    let script = script(folder.path(), "trap '' XFSZ");
    let registry = quiet_registry();
    push(&registry, "1.0.0");
    let world = World::running(&script, |landfall| landfall);
    world.discovered("app", NEVER, &format!("{}/app", registry.host()), "");
    let new = push(&registry, "1.0.1");
    let envelope = envelope(&[(&registry.host(), "app", "1.0.1")]);
    let process = world.landfall.process_id();
    limit_files(&world, Some(0));
    for _ in 0..3 {
        assert_asked_to_come_again(&world.try_notify(&envelope).expect("an answer from a full disk"));
    }
    let failed = "[+]resources ok\n[-]journal failed: reason withheld\nreadyz check failed\n";
    ready_when(&world, (503, failed));
    limit_files(&world, None);
    ready_when(&world, (200, "ok"));
    let id = world.notify(&envelope);
    world.done(&id);
    world.best("app", "1.0.1", &new);
    assert_eq!(world.landfall.process_id(), process);
    assert_eq!(world.deliveries().len(), 1);
}

#[test]
fn a_data_folder_serves_one_process() {
    let world = World::start();
    let (data, manifests) = (world.landfall.data_dir(), world.manifests());
    let second = Command::new(BINARY)
        .args(["serve", "--listen", &format!("127.0.0.1:{}", free_port().unwrap())])
        .arg("--data-dir")
        .arg(data)
        .arg("--manifests")
        .arg(&manifests)
        .output()
        .unwrap();
    assert_eq!(second.status.code(), Some(1));
    let said = String::from_utf8(second.stderr).unwrap();
    let expected = format!("another landfall is using the data folder {}", data.display());
    assert!(said.contains(&expected), "{said}");
    // The first one has taken no harm.
    assert_eq!(world.deliveries(), [Value::Null; 0]);
    world.pushed("127.0.0.1:1", "app", "1.0.0");
}

#[test]
fn retention_lets_finished_entries_go_and_keeps_the_unfinished() {
    let (mut world, registry) = with_app(|landfall| landfall.arg("--retention-count=3"));
    let nobody = format!("127.0.0.1:{}", free_port().unwrap());
    world.warehouse("lost", NEVER, &format!("{nobody}/app"), "");
    wait::until(PATIENCE, "the Warehouse", || world.try_warehouse("lost")).unwrap();
    let unfinished = world.pushed(&nobody, "app", "1.0.0");
    world.delivery_when(&unfinished, "a failed attempt", |delivery| {
        !attempts(delivery).is_empty()
    });
    let finished: Vec<String> = (0..6)
        .map(|_| {
            let id = world.pushed(&registry.host(), "app", "1.0.0");
            world.done(&id);
            id
        })
        .collect();
    // What is too much goes with the start, and now and then.
    world.landfall.terminate().unwrap();
    world.landfall.restart().unwrap();
    let kept = [&finished[5], &finished[4], &unfinished];
    wait::until(PATIENCE, "old entries to be gone", || {
        let deliveries = world.deliveries();
        let ids: Vec<&str> = deliveries
            .iter()
            .filter_map(|delivery| delivery["id"].as_str())
            .collect();
        (ids == kept).then_some(())
    })
    .unwrap();
    assert_eq!(states(&world.explained(&unfinished)), ["waiting"]);
    let gone = world.landfall.cli(&["deliveries", "show", &finished[0]]).unwrap();
    assert_eq!(gone.status.code(), Some(1));
    assert!(
        String::from_utf8(gone.stderr)
            .unwrap()
            .contains(&format!("there is no delivery {}", finished[0]))
    );
}

#[test]
fn finished_entries_that_are_too_old_go() {
    let (mut world, registry) = with_app(|landfall| landfall.arg("--retention-age=1ms"));
    world.done(&world.pushed(&registry.host(), "app", "1.0.0"));
    let newest = world.pushed(&registry.host(), "app", "1.0.0");
    world.done(&newest);
    world.landfall.terminate().unwrap();
    world.landfall.restart().unwrap();
    // The newest of all stays: it is where ids go on.
    wait::until(PATIENCE, "the older entry to be gone", || {
        let kept = world.deliveries();
        (kept.len() == 1 && kept[0]["id"] == newest.as_str()).then_some(())
    })
    .unwrap();
    assert_eq!(tags(&world.status("app")), ["1.0.0"], "the status is no entry");
}

#[test]
fn a_crash_right_after_the_answer_loses_nothing() {
    let (mut world, registry) = with_app(|landfall| landfall);
    let mut expected = vec!["1.0.0".to_owned()];
    for patch in 1..=5 {
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
fn what_is_in_flight_when_landfall_is_told_to_stop_is_finished_by_the_next_process() {
    let registry = quiet_registry();
    let proxy = CountingProxy::start(registry.host()).unwrap();
    push(&registry, "1.0.0");
    let mut world = World::start();
    world.discovered("app", NEVER, &format!("{}/app", proxy.host()), "");
    let new = push(&registry, "1.0.1");
    let slow = landfall_harness::Rule::on("/manifests/1.0.1")
        .delay(Duration::from_secs(3))
        .first(1);
    proxy.rule(slow);
    let id = world.pushed(&proxy.host(), "app", "1.0.1");
    assert!(world.landfall.terminate().unwrap().success());
    world.landfall.restart().unwrap();
    world.done(&id);
    world.best("app", "1.0.1", &new);
}
