//! What whoever runs landfall sees of it: metrics, the log, deliveries that wait for their turn; and what one address may cost.

use jiff::{SignedDuration, Timestamp};
use landfall_harness::http::{self, Request, Response};
use landfall_harness::{ImageSpec, free_port, wait};
use serde_json::{Map, Value};

use crate::world::{PATIENCE, World, delivery_id, quiet_registry, skopeo_image};

const CURRENT: &str = "the-current-secret";
const PREVIOUS: &str = "the-previous-secret";

/// Posts a delivery of Docker Hub for a tag, with a secret.
fn hub(world: &World, secret: &str, repository: &str, tag: &str) -> Response {
    let body = format!(r#"{{"push_data":{{"tag":"{tag}"}},"repository":{{"repo_name":"{repository}"}}}}"#);
    let request = Request::new("POST", format!("/webhook?type=docker.io&secret={secret}")).body(body);
    http::send(&world.landfall.host(), &request).unwrap()
}

/// The value of a series, once it is there.
fn series(metrics: &str, name: &str) -> Option<f64> {
    let page = http::get(metrics).unwrap();
    assert_eq!(
        (page.status, page.header("content-type")),
        (200, Some("application/openmetrics-text; version=1.0.0; charset=utf-8"))
    );
    let text = page.text();
    let line = text
        .lines()
        .find_map(|line| line.strip_prefix(name)?.strip_prefix(' ').map(str::to_owned))?;
    line.parse().ok()
}

fn becomes(metrics: &str, name: &str, expected: f64) {
    let mut last = None;
    let found = wait::until(PATIENCE, "a metric", || {
        last = series(metrics, name);
        (last == Some(expected)).then_some(())
    });
    found.unwrap_or_else(|error| panic!("{name}: {last:?} instead of {expected}: {error}"));
}

#[test]
fn a_log_for_programs_has_each_field_once() {
    let world = World::with(|landfall| landfall.arg("--log-format=json").env("DOCKER_WEBHOOK_SECRET", CURRENT));
    let registry = quiet_registry();
    skopeo_image(&registry.host(), "example/app", "1.0.0", &ImageSpec::new("one"));
    world.discovered("app", "1h", &format!("{}/example/app", registry.host()), "");
    assert_eq!(hub(&world, "a-guess", "example/nobodys", "1.0.0").status, 401);
    world.done(&world.pushed(&registry.host(), "example/app", "1.0.0"));
    let lines = wait::until(PATIENCE, "the log to tell of all of it", || {
        let log = world.log();
        // The last line may be half there.
        let lines: Vec<String> = log.split_inclusive('\n').map(str::to_owned).collect();
        let told = |words: &str| lines.iter().any(|line| line.contains(words) && line.ends_with('\n'));
        let told = ["\"refreshed\"", "\"a request proved nothing\"", "\"accepted\""]
            .iter()
            .all(|words| told(words));
        told.then_some(lines)
    });
    let lines = lines.unwrap_or_else(|error| panic!("{error}: {}", world.log()));
    let mut targets = Vec::new();
    for line in lines.iter().filter(|line| line.ends_with('\n')) {
        let fields: Map<String, Value> = serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"));
        for name in fields.keys() {
            // Within a text, the quotation mark before the colon would be behind a backslash.
            assert_eq!(line.matches(&format!("\"{name}\":")).count(), 1, "{name}: {line}");
        }
        if fields["message"] == "refreshed" {
            targets.push(fields["target"].as_str().unwrap().to_owned());
        }
    }
    targets.dedup();
    assert_eq!(targets, ["Warehouse shop/app"]);
}

#[test]
fn metrics_tell_what_came_in_and_what_came_of_it() {
    let port = free_port().unwrap();
    let world = World::with(|landfall| {
        landfall
            .arg(&format!("--metrics-bind-address=127.0.0.1:{port}"))
            .arg("--log-level=info,landfall=debug")
            .env("DOCKER_WEBHOOK_SECRET", CURRENT)
            .env("DOCKER_WEBHOOK_SECRET_PREVIOUS", PREVIOUS)
    });
    let metrics = format!("http://127.0.0.1:{port}/metrics");
    let registry = quiet_registry();
    skopeo_image(&registry.host(), "example/app", "1.0.0", &ImageSpec::new("one"));
    world.discovered("app", "1h", &format!("{}/example/app", registry.host()), "");
    let requests = format!("landfall_registry_requests_total{{registry=\"{}\"}}", registry.host());
    assert!(series(&metrics, &requests).is_some_and(|requests| requests >= 2.0));

    assert_eq!(hub(&world, CURRENT, "example/nobodys", "1.0.0").status, 200);
    let old = hub(&world, PREVIOUS, "example/nobodys", "1.0.1");
    assert_eq!(hub(&world, "a-guess", "example/nobodys", "1.0.2").status, 401);
    let pushed = world.pushed(&registry.host(), "example/app", "1.0.0");
    world.done(&pushed);
    for (name, expected) in [
        (
            "landfall_deliveries_total{sender=\"dockerhub\",outcome=\"accepted\"}",
            2.0,
        ),
        (
            "landfall_deliveries_total{sender=\"dockerhub\",outcome=\"rejected\"}",
            1.0,
        ),
        (
            "landfall_deliveries_total{sender=\"distribution\",outcome=\"accepted\"}",
            1.0,
        ),
        (
            "landfall_secret_uses_total{sender=\"dockerhub\",secret=\"current\"}",
            1.0,
        ),
        (
            "landfall_secret_uses_total{sender=\"dockerhub\",secret=\"previous\"}",
            1.0,
        ),
        ("landfall_attempts_total{outcome=\"done\"}", 1.0),
        ("landfall_delivery_done_seconds_count", 1.0),
        ("landfall_unmatched_deliveries", 0.0),
        ("landfall_waiting_work", 0.0),
        ("landfall_dead_work", 0.0),
        ("landfall_manifest_problems", 0.0),
        ("landfall_sender_silent{sender=\"dockerhub\"}", 0.0),
    ] {
        becomes(&metrics, name, expected);
    }
    // The log has the peer's fields; Docker Hub has a host there, which its canonical names leave out.
    let log = world.log();
    for fields in [
        "webhook_registry=\"docker.io\" webhook_repository=example/nobodys webhook_tag=\"1.0.0\" matched=0".to_owned(),
        format!(
            "webhook_registry=\"{}\" webhook_repository=example/app webhook_tag=\"1.0.0\" matched=1",
            registry.host()
        ),
    ] {
        assert!(log.contains(&fields), "{fields} is not in:\n{log}");
    }
    // Who still shows the old secret is to be seen at the delivery as well.
    let shown = World::command(&[
        "deliveries",
        "show",
        &delivery_id(&old),
        "--data-dir",
        &world.landfall.data_dir().display().to_string(),
    ]);
    let shown = String::from_utf8(shown.stdout).unwrap();
    assert!(
        shown.contains("proof     the previous secret: its sender is still to be told the new one"),
        "{shown}"
    );
    let page = http::get(&metrics).unwrap().text();
    for secret in [CURRENT, PREVIOUS, "a-guess"] {
        assert!(
            !page.contains(secret) && !world.log().contains(secret),
            "{secret} is shown"
        );
    }
}

#[test]
fn the_rate_limit_answers_at_once_and_lets_work_wait_visibly_across_a_restart() {
    let mut world = World::with(|landfall| {
        landfall
            .arg("--webhook-ratelimit-allowed=60")
            .env("DOCKER_WEBHOOK_SECRET", CURRENT)
    });
    let registry = world.registry();
    let repository = format!("{}/example/app", registry.host());
    skopeo_image(&registry.host(), "example/app", "1.0.0", &ImageSpec::new("one"));
    world.discovered("app", "1h", &repository, "");
    // Ten go at once, the others a minute apart.
    let ids: Vec<String> = (0..12)
        .map(|number| {
            let answer = hub(&world, CURRENT, &repository, &format!("1.0.{number}"));
            assert_eq!(
                (answer.status, answer.text().as_str()),
                (200, "Webhook received and processing")
            );
            delivery_id(&answer)
        })
        .collect();
    let matched = |world: &World| -> Vec<bool> {
        let shown = ids.iter().map(|id| world.explained(id));
        shown.map(|shown| shown["matched"].is_string()).collect()
    };
    let expected: Vec<bool> = (0..12).map(|number| number < 10).collect();
    wait::until(PATIENCE, "ten deliveries to be matched", || {
        (matched(&world) == expected).then_some(())
    })
    .unwrap();
    world.landfall.kill9().unwrap();
    world.landfall.restart().unwrap();
    assert_eq!(matched(&world), expected);
    let waits = |world: &World, id: &str| world.explained(id)["waitsUntil"].as_str().map(str::to_owned);
    let (first, second) = (waits(&world, &ids[10]), waits(&world, &ids[11]));
    assert!(first.is_some() && first < second, "{first:?} {second:?}");
    let folder = world.landfall.data_dir().display().to_string();
    let list = String::from_utf8(World::command(&["deliveries", "list", "--data-dir", &folder]).stdout).unwrap();
    assert_eq!(list.matches("waits until").count(), 2, "{list}");

    // As if all that had been written by a clock that was an hour ahead: nobody waits for an hour, and the order stays.
    world.landfall.terminate().unwrap();
    let journal = rusqlite::Connection::open(world.landfall.data_dir().join("landfall.db")).unwrap();
    journal
        .execute("UPDATE entries SET slot = slot + 3600000 WHERE slot > 0", [])
        .unwrap();
    drop(journal);
    world.landfall.restart().unwrap();
    let waits = |id: &str| waits(&world, id).map(|time| time.parse::<Timestamp>().unwrap());
    let within = first.unwrap().parse::<Timestamp>().unwrap() + SignedDuration::from_mins(30);
    wait::until(PATIENCE, "the turns to come forward", || {
        waits(&ids[10]).is_none_or(|until| until < within).then_some(())
    })
    .unwrap();
    let last = waits(&ids[11]);
    assert!(
        last.is_some_and(|last| last < within && waits(&ids[10]) < Some(last)),
        "{last:?}"
    );
}

#[test]
fn guesses_from_one_address_are_told_to_come_back() {
    let world = World::with(|landfall| {
        landfall
            .arg("--failed-proofs-per-minute=4")
            .env("DOCKER_WEBHOOK_SECRET", CURRENT)
    });
    let statuses: Vec<u16> = (0..4)
        .map(|number| hub(&world, "a-guess", "example/app", &format!("1.0.{number}")).status)
        .collect();
    assert_eq!(statuses, [401, 401, 503, 503]);
    let refused = hub(&world, CURRENT, "example/app", "1.0.0");
    assert_eq!((refused.status, refused.header("retry-after")), (503, Some("5")));
}
