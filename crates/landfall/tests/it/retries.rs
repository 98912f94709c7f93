//! What goes wrong costs time and never an event: a landfall that is down, a registry that is down, a tag that is not
//! there yet, and a neighbour that fails.

use std::collections::BTreeSet;
use std::time::Duration;

use landfall_harness::{CountingProxy, ImageSpec, Rule, Uploader, free_port, wait};
use serde_json::Value;

use crate::world::{NEVER, PATIENCE, World, attempts, envelope, lines, message, quiet_registry, states, tags};

/// Failures are retried within a second, so that a story need not wait longer.
fn hasty() -> World {
    World::with(|landfall| landfall.arg("--retry-max-delay=1s"))
}

/// Waits until a delivery has failed at least once and will be tried again.
fn retrying(world: &World, id: &str) -> Value {
    world.delivery_when(id, "a failed attempt", |delivery| {
        states(delivery) == ["waiting"] && !attempts(delivery).is_empty()
    })
}

#[test]
fn what_is_pushed_while_landfall_is_down_is_there_afterwards() {
    let mut world = World::start();
    let registry = world.registry();
    let mut uploader = Uploader::new(registry.host());
    uploader.put_image("app", "t-0", &ImageSpec::new("zero")).unwrap();
    let repository = format!("{}/app", registry.host());
    world.discovered(
        "app",
        NEVER,
        &repository,
        "imageSelectionStrategy: Lexical\ndiscoveryLimit: 100",
    );
    let mut pushed = vec!["t-0".to_owned()];
    for round in 1..=3 {
        if round == 2 {
            world.landfall.kill9().unwrap();
        } else {
            world.landfall.terminate().unwrap();
        }
        for number in 0..5 {
            let tag = format!("t-{round}-{number}");
            uploader
                .put_image("app", &tag, &ImageSpec::new(tag.as_bytes()))
                .unwrap();
            pushed.push(tag);
        }
        world.landfall.restart().unwrap();
    }
    pushed.sort_by(|a, b| b.cmp(a));
    world.status_when("app", "every tag that was pushed", |status| tags(status) == pushed);
}

#[test]
fn a_registry_that_is_down_is_asked_again_until_it_is_back() {
    let registry = quiet_registry();
    let proxy = CountingProxy::start(registry.host()).unwrap();
    let mut uploader = Uploader::new(registry.host());
    uploader.put_image("app", "1.0.0", &ImageSpec::new("one")).unwrap();
    let world = hasty();
    world.discovered("app", NEVER, &format!("{}/app", proxy.host()), "");
    let new = uploader.put_image("app", "1.0.1", &ImageSpec::new("two")).unwrap();
    proxy.rule(Rule::on("/v2/").answer(503));
    let id = world.pushed(&proxy.host(), "app", "1.0.1");
    let delivery = retrying(&world, &id);
    let told = attempts(&delivery)[0];
    assert!(told.starts_with("failed: ") && told.contains("503"), "{told}");
    let status = world.status("app");
    assert!(message(&status, "Ready").contains("503"), "{status:#}");
    assert_eq!(tags(&status), ["1.0.0"], "what was known is kept");
    proxy.clear_rules();
    let delivery = world.done(&id);
    assert_eq!(attempts(&delivery).last(), Some(&"done"));
    let status = world.best("app", "1.0.1", &new);
    assert_eq!(
        message(&status, "Ready"),
        "Successfully discovered artifacts from 1 subscriptions"
    );
}

#[test]
fn a_tag_that_is_not_visible_yet_is_looked_for_again() {
    let registry = quiet_registry();
    let proxy = CountingProxy::start(registry.host()).unwrap();
    let mut uploader = Uploader::new(registry.host());
    uploader.put_image("app", "1.0.0", &ImageSpec::new("one")).unwrap();
    // Ordinary failures would take an hour; a tag that is late has short delays of its own.
    let world = World::with(|landfall| landfall.arg("--retry-max-delay=1h"));
    world.discovered("app", NEVER, &format!("{}/app", proxy.host()), "");
    let new = uploader.put_image("app", "1.0.1", &ImageSpec::new("two")).unwrap();
    proxy.rule(Rule::on("/manifests/1.0.1").answer(404).first(3));
    let delivery = world.done(&world.pushed(&proxy.host(), "app", "1.0.1"));
    let late = "not visible yet: the registry has no tag 1.0.1";
    assert_eq!(attempts(&delivery), [late, late, late, "done"]);
    world.best("app", "1.0.1", &new);
}

#[test]
fn a_configuration_that_is_not_visible_yet_is_waited_for_as_well() {
    let registry = quiet_registry();
    let proxy = CountingProxy::start(registry.host()).unwrap();
    let mut uploader = Uploader::new(registry.host());
    uploader.put_image("app", "1.0.0", &ImageSpec::new("one")).unwrap();
    let world = World::start();
    world.discovered("app", NEVER, &format!("{}/app", proxy.host()), "");
    let new = uploader
        .put_image("app", "1.0.1", &ImageSpec::new("two").label("a", "b"))
        .unwrap();
    proxy.rule(Rule::on("/blobs/").answer(404).first(1));
    let delivery = world.done(&world.pushed(&proxy.host(), "app", "1.0.1"));
    let told = attempts(&delivery);
    assert!(
        told[0].starts_with("not visible yet: the tag 1.0.1 is there, but its configuration"),
        "{told:?}"
    );
    assert_eq!(told[1..], ["done"]);
    world.best("app", "1.0.1", &new);
}

#[test]
fn a_tag_that_never_comes_is_given_up_and_can_be_taken_up_again() {
    let registry = quiet_registry();
    let mut uploader = Uploader::new(registry.host());
    uploader.put_image("app", "1.0.0", &ImageSpec::new("one")).unwrap();
    let world = World::with(|landfall| landfall.arg("--not-visible-attempts=2"));
    world.discovered("app", NEVER, &format!("{}/app", registry.host()), "");
    let fine = world.pushed(&registry.host(), "app", "1.0.0");
    world.done(&fine);
    let id = world.pushed(&registry.host(), "app", "1.0.1");
    let delivery = world.delivery_when(&id, "a dead letter", |delivery| states(delivery) == ["dead"]);
    assert_eq!(attempts(&delivery).len(), 2);

    let dead = || {
        let listed = world
            .landfall
            .cli_json(&["deliveries", "list", "--dead", "-o", "json"])
            .unwrap();
        let ids = listed.as_array().unwrap().iter().map(|delivery| delivery["id"].clone());
        ids.collect::<Vec<_>>()
    };
    assert_eq!(dead(), [id.as_str()]);
    let table = world.landfall.cli(&["deliveries", "list", "--dead"]).unwrap();
    let table = String::from_utf8(table.stdout).unwrap();
    assert!(
        table.contains(&id) && table.contains("1 dead") && !table.contains(&fine),
        "{table}"
    );
    let story = world.landfall.cli(&["deliveries", "explain", &id]).unwrap();
    let story = String::from_utf8(story.stdout).unwrap();
    for words in [
        "given up: the registry has no tag 1.0.1".to_owned(),
        format!("landfall deliveries replay {id}"),
    ] {
        assert!(story.contains(&words), "{story}");
    }

    let new = uploader.put_image("app", "1.0.1", &ImageSpec::new("two")).unwrap();
    let replayed = world
        .landfall
        .cli_json(&["deliveries", "replay", &id, "-o", "json"])
        .unwrap();
    assert_eq!(replayed["targets"], serde_json::json!(["Warehouse shop/app"]));
    let delivery = world.done(&id);
    assert_eq!(attempts(&delivery).last(), Some(&"done"));
    assert_eq!(attempts(&delivery).len(), 3, "the attempts before the replay are kept");
    world.best("app", "1.0.1", &new);
    assert_eq!(dead(), [""; 0]);
}

#[test]
fn a_target_that_fails_delays_no_other() {
    let registry = quiet_registry();
    let mut uploader = Uploader::new(registry.host());
    uploader.put_image("app", "1.0.0", &ImageSpec::new("one")).unwrap();
    let world = World::start();
    let nobody = format!("127.0.0.1:{}", free_port().unwrap());
    world.warehouse("lost", NEVER, &format!("{nobody}/app"), "");
    world.discovered("found", NEVER, &format!("{}/app", registry.host()), "");
    let new = uploader.put_image("app", "1.0.1", &ImageSpec::new("two")).unwrap();
    let id = world.notify(&envelope(&[
        (&nobody, "app", "1.0.1"),
        (&registry.host(), "app", "1.0.1"),
    ]));
    let delivery = world.delivery_when(&id, "one target to be done and the other to be tried", |delivery| {
        let work = delivery["work"].as_array().unwrap();
        let is = |name: &str, state: &str, attempts: usize| {
            work.iter().any(|work| {
                work["target"] == format!("Warehouse shop/{name}")
                    && work["work"]["state"] == state
                    && work["attempts"].as_array().unwrap().len() >= attempts
            })
        };
        is("found", "done", 1) && is("lost", "waiting", 1)
    });
    let done = delivery["work"].as_array().unwrap();
    let done = done.iter().find(|work| work["work"]["state"] == "done").unwrap();
    assert_eq!(done["attempts"].as_array().unwrap().len(), 1, "at the first attempt");
    world.best("found", "1.0.1", &new);
    assert!(!message(&world.status("lost"), "Ready").is_empty());
}

#[test]
fn a_burst_is_few_refreshes_and_every_tag_is_looked_at() {
    const BURST: usize = 30;
    let registry = quiet_registry();
    let proxy = CountingProxy::start(registry.host()).unwrap();
    let mut uploader = Uploader::new(registry.host());
    uploader.put_image("app", "t-00", &ImageSpec::new("zero")).unwrap();
    let world = World::start();
    let fields = "imageSelectionStrategy: Lexical\ndiscoveryLimit: 100";
    world.discovered("app", NEVER, &format!("{}/app", proxy.host()), fields);
    let burst: Vec<String> = (1..=BURST).map(|number| format!("t-{number:02}")).collect();
    for tag in &burst {
        uploader.put_image("app", tag, &ImageSpec::new(tag.as_bytes())).unwrap();
    }
    let _ = proxy.take_requests();
    // The first look takes its time, as with a registry far away: whatever comes meanwhile can meet.
    proxy.rule(Rule::on("/manifests/").delay(Duration::from_secs(2)).first(1));
    let ids: Vec<String> = std::thread::scope(|scope| {
        let (world, host) = (&world, proxy.host());
        let senders: Vec<_> = burst
            .iter()
            .map(|tag| {
                let host = host.clone();
                scope.spawn(move || world.pushed(&host, "app", tag))
            })
            .collect();
        senders.into_iter().map(|sender| sender.join().unwrap()).collect()
    });
    let mut refreshes = BTreeSet::new();
    for id in &ids {
        let delivery = world.done(id);
        assert_eq!(attempts(&delivery), ["done"]);
        refreshes.insert(delivery["work"][0]["attempts"][0]["began"].to_string());
    }
    assert!(refreshes.len() <= BURST / 3, "{} refreshes", refreshes.len());
    let mut expected: Vec<&str> = burst.iter().map(String::as_str).chain(["t-00"]).collect();
    expected.sort_unstable_by(|a, b| b.cmp(a));
    assert_eq!(tags(&world.status("app")), expected);
    // Each tag's manifest and configuration, once each.
    let asked = proxy.take_requests();
    assert_eq!(asked.len(), 2 * BURST, "{asked:#?}");
}

#[test]
fn a_registry_that_says_when_to_come_back_is_not_asked_before() {
    let registry = quiet_registry();
    let proxy = CountingProxy::start(registry.host()).unwrap();
    let mut uploader = Uploader::new(registry.host());
    uploader.put_image("app", "1.0.0", &ImageSpec::new("one")).unwrap();
    let world = hasty();
    world.discovered("app", NEVER, &format!("{}/app", proxy.host()), "");
    let _ = proxy.take_requests();
    proxy.rule(Rule::on("/v2/").too_many_requests(Duration::from_secs(3600)));
    let id = world.pushed(&proxy.host(), "app", "1.0.0");
    let delivery = world.delivery_when(&id, "three attempts", |delivery| attempts(delivery).len() >= 3);
    for told in attempts(&delivery) {
        assert!(told.contains("is to be asked less often"), "{told}");
    }
    assert_eq!(lines(&proxy.take_requests()), ["GET /v2/app/manifests/1.0.0 429"]);
}

#[test]
fn a_refresh_that_nobody_settles_is_taken_up_by_the_next_process() {
    let registry = quiet_registry();
    let proxy = CountingProxy::start(registry.host()).unwrap();
    let mut uploader = Uploader::new(registry.host());
    uploader.put_image("app", "1.0.0", &ImageSpec::new("one")).unwrap();
    let mut world = World::start();
    world.discovered("app", NEVER, &format!("{}/app", proxy.host()), "");
    let new = uploader.put_image("app", "1.0.1", &ImageSpec::new("two")).unwrap();
    let _ = proxy.take_peak_in_flight();
    proxy.rule(Rule::on("/manifests/1.0.1").delay(Duration::from_secs(5)).first(1));
    let id = world.pushed(&proxy.host(), "app", "1.0.1");
    wait::until(PATIENCE, "a look that is on its way", || {
        (proxy.take_peak_in_flight() > 0).then_some(())
    })
    .unwrap();
    world.landfall.kill9().unwrap();
    world.landfall.restart().unwrap();
    assert_eq!(attempts(&world.done(&id)), ["done"]);
    world.best("app", "1.0.1", &new);
}

/// CNCF Distribution tells of a push before the tag has moved: a look that comes too early sees the old image.
#[test]
fn a_tag_that_has_not_moved_yet_is_looked_at_again() {
    let registry = quiet_registry();
    let mut uploader = Uploader::new(registry.host());
    let old = uploader.put_image("app", "stable", &ImageSpec::new("old")).unwrap();
    let new = uploader.put_image("app", "elsewhere", &ImageSpec::new("new")).unwrap();
    let world = World::start();
    let fields = "imageSelectionStrategy: Digest\nconstraint: stable";
    world.discovered("app", NEVER, &format!("{}/app", registry.host()), fields);
    let id = world.notify(&claiming(&envelope(&[(&registry.host(), "app", "stable")]), &new));
    let early = retrying(&world, &id);
    let told = attempts(&early)[0];
    assert!(
        told.contains("not visible yet") && told.contains(&old.to_string()),
        "{told}"
    );
    let moved = uploader.put_image("app", "stable", &ImageSpec::new("new")).unwrap();
    assert_eq!(moved, new);
    world.best("app", "stable", &new);
    world.done(&id);
}

/// What a sender claims is a reason to look again, and no more: in the end the registry is believed.
#[test]
fn a_wrong_claim_does_not_keep_a_delivery_from_its_end() {
    let registry = quiet_registry();
    let mut uploader = Uploader::new(registry.host());
    let stable = uploader.put_image("app", "stable", &ImageSpec::new("one")).unwrap();
    let other = uploader.put_image("app", "other", &ImageSpec::new("two")).unwrap();
    let world = World::start();
    let fields = "imageSelectionStrategy: Digest\nconstraint: stable";
    world.discovered("app", NEVER, &format!("{}/app", registry.host()), fields);
    let id = world.notify(&claiming(&envelope(&[(&registry.host(), "app", "stable")]), &other));
    world.done(&id);
    world.best("app", "stable", &stable);
}

/// An envelope whose first push is said to be of this digest.
fn claiming(envelope: &str, digest: &impl ToString) -> String {
    let mut envelope: Value = serde_json::from_str(envelope).unwrap();
    envelope["events"][0]["target"]["digest"] = digest.to_string().into();
    envelope.to_string()
}
