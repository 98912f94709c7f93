//! The folder of manifests while landfall runs: what is written there is soon in force, and what is wrong there harms
//! nothing else.

use landfall_harness::manifests::{self, Receiver};
use landfall_harness::{CountingProxy, ImageSpec, Registry, Rule, Uploader, free_port, http, wait};
use serde_json::{Value, json};

use crate::world::{NEVER, PATIENCE, PROJECT, World, conditions, message, quiet_registry, states, tags};

/// A registry with the versions 1.0.0 and 2.0.0 of one application.
fn two_versions() -> (Registry, String) {
    let registry = quiet_registry();
    let mut uploader = Uploader::new(registry.host());
    for tag in ["1.0.0", "2.0.0"] {
        uploader.put_image("app", tag, &ImageSpec::new(tag)).unwrap();
    }
    let repository = format!("{}/app", registry.host());
    (registry, repository)
}

/// Waits until `look` gives something.
fn soon<T>(what: &str, look: impl FnMut() -> Option<T>) -> T {
    wait::until(PATIENCE, what, look).unwrap()
}

#[test]
fn a_changed_constraint_selects_anew_and_counts_the_generation_up() {
    let (_registry, repository) = two_versions();
    let world = World::start();
    let status = world.discovered("app", NEVER, &repository, "constraint: ^1.0.0");
    assert_eq!(
        (tags(&status), &status["observedGeneration"]),
        (vec!["1.0.0"], &json!(1))
    );
    world.warehouse("app", NEVER, &repository, "constraint: ^2.0.0");
    let status = world.status_when("app", "the other version", |status| tags(status) == ["2.0.0"]);
    assert_eq!(status["observedGeneration"], 2);
    assert_eq!(world.try_warehouse("app").unwrap()["metadata"]["generation"], 2);
    // A file that says the same in other words is no change.
    let subscription = manifests::image_subscription(&repository, "constraint: \"^2.0.0\"  # the same");
    let same = manifests::warehouse("app", PROJECT, NEVER, &subscription);
    world.write(
        "app.yaml",
        &same.replace("metadata:\n", "metadata:\n  labels: { team: blue }\n"),
    );
    let warehouse = soon("the label", || {
        let warehouse = world.try_warehouse("app")?;
        (warehouse["metadata"]["labels"]["team"] == "blue").then_some(warehouse)
    });
    assert_eq!(warehouse["metadata"]["generation"], 2);
}

#[test]
fn a_broken_file_keeps_its_last_good_state_and_says_where_it_is_broken() {
    let (_registry, repository) = two_versions();
    let world = World::start();
    let before = world.discovered("app", NEVER, &repository, "");
    assert_eq!(world.list("problems"), [Value::Null; 0]);
    let subscription = manifests::image_subscription(&repository, "");
    let good = manifests::warehouse("app", PROJECT, NEVER, &subscription);
    world.write("app.yaml", &good.replace("  interval:", " interval:"));
    let problems = soon("a problem", || {
        Some(world.list("problems")).filter(|problems| !problems.is_empty())
    });
    let place = problems[0]["place"].as_str().unwrap();
    let position: Vec<&str> = place.rsplitn(3, ':').collect();
    assert!(
        position.len() == 3 && position[..2].iter().all(|number| number.parse::<u32>().is_ok()),
        "{place}"
    );
    assert!(position[2].ends_with("app.yaml"), "{place}");
    assert_eq!(problems[0]["severity"], "error");
    let table = world.landfall.cli(&["get", "problems"]).unwrap();
    assert!(String::from_utf8(table.stdout).unwrap().contains(place));
    assert_eq!(world.status("app"), before);

    // The rest of the folder goes on meanwhile.
    world.discovered("other", NEVER, &repository, "");
    world.write("app.yaml", &good);
    soon("the problem to be over", || {
        world.list("problems").is_empty().then_some(())
    });
    assert_eq!(world.status("app"), before);
}

#[test]
fn a_wrong_field_is_a_problem_with_its_line() {
    let world = World::start();
    let subscription = manifests::image_subscription("127.0.0.1:1/app", "");
    world.write(
        "app.yaml",
        &manifests::warehouse("app", PROJECT, "5 minutes", &subscription),
    );
    let problems = soon("a problem", || {
        Some(world.list("problems")).filter(|problems| !problems.is_empty())
    });
    let place = problems[0]["place"].as_str().unwrap();
    assert!(place.contains("app.yaml:7:"), "{place}");
    let said = problems[0]["message"].as_str().unwrap();
    assert!(said.contains("spec.interval"), "{said}");
    assert!(world.try_warehouse("app").is_none());
}

#[test]
fn a_warehouse_that_cannot_work_fails_alone() {
    let (registry, repository) = two_versions();
    let world = World::start();
    world.warehouse("poison", NEVER, &repository, "allowTagsRegexes: [\"(\"]");
    world.discovered("good", NEVER, &repository, "");
    let status = world.status_when("poison", "a condition", |status| {
        message(status, "Ready").contains("allowTagsRegexes[0]")
    });
    // It is not said to be on its way: nothing happens until somebody mends it.
    let expected = ["Healthy=False (DiscoveryFailed)", "Ready=False (DiscoveryFailure)"];
    assert!(conditions(&status).iter().eq(expected), "{status:#}");
    let new = Uploader::new(registry.host())
        .put_image("app", "2.0.1", &ImageSpec::new("new"))
        .unwrap();
    let delivery = world.done(&world.pushed(&registry.host(), "app", "2.0.1"));
    assert_eq!(delivery["work"][0]["target"], "Warehouse shop/good");
    world.best("good", "2.0.1", &new);
    // Mended, it works like any other.
    world.warehouse("poison", NEVER, &repository, "allowTagsRegexes: [\"^2\"]");
    world.best("poison", "2.0.1", &new);
}

#[test]
fn a_deleted_warehouse_is_gone_and_its_work_is_settled() {
    let (_registry, repository) = two_versions();
    let world = World::start();
    let nobody = format!("127.0.0.1:{}", free_port().unwrap());
    world.discovered("stays", NEVER, &repository, "");
    world.warehouse("goes", NEVER, &format!("{nobody}/app"), "");
    soon("the Warehouse", || world.try_warehouse("goes"));
    let id = world.pushed(&nobody, "app", "1.0.0");
    world.delivery_when(&id, "work that waits", |delivery| states(delivery) == ["waiting"]);
    world.remove("goes.yaml");
    soon("the Warehouse to be gone", || {
        world.try_warehouse("goes").is_none().then_some(())
    });
    let delivery = world.done(&id);
    let attempts = delivery["work"][0]["attempts"].as_array().unwrap();
    assert_eq!(
        attempts.last().unwrap()["outcome"],
        "Warehouse shop/goes exists no more"
    );
    let names: Vec<Value> = world
        .list("warehouses")
        .iter()
        .map(|warehouse| warehouse["metadata"]["name"].clone())
        .collect();
    assert_eq!(names, ["stays"]);
}

#[test]
fn a_requested_refresh_lists_again_and_is_acknowledged_when_it_succeeded() {
    let registry = quiet_registry();
    let proxy = CountingProxy::start(registry.host()).unwrap();
    let mut uploader = Uploader::new(registry.host());
    uploader.put_image("app", "1.0.0", &ImageSpec::new("one")).unwrap();
    let repository = format!("{}/app", proxy.host());
    let world = World::with(|landfall| landfall.arg("--retry-max-delay=1s"));
    world.discovered("app", NEVER, &repository, "");
    let request = |token: &str| {
        let subscription = manifests::image_subscription(&repository, "");
        let annotations = format!("metadata:\n  annotations: {{ kargo.akuity.io/refresh: {token} }}\n");
        let warehouse = manifests::warehouse("app", PROJECT, NEVER, &subscription);
        world.write("app.yaml", &warehouse.replace("metadata:\n", &annotations));
    };
    // Nobody told of this push.
    let silent = uploader.put_image("app", "1.0.1", &ImageSpec::new("two")).unwrap();
    request("first");
    let status = world.status_when("app", "the first request", |status| {
        status["lastHandledRefresh"] == "first"
    });
    assert_eq!(tags(&status), ["1.0.1", "1.0.0"]);
    world.best("app", "1.0.1", &silent);

    proxy.rule(Rule::on("/v2/").answer(503));
    request("second");
    let status = world.status_when("app", "a failure", |status| message(status, "Ready").contains("503"));
    assert_eq!(status["lastHandledRefresh"], "first");
    proxy.clear_rules();
    let status = world.status_when("app", "the second request", |status| {
        status["lastHandledRefresh"] == "second"
    });
    assert_eq!(status["observedGeneration"], 1);
    assert!(message(&status, "Ready").starts_with("Successfully"));
}

/// The status of the project, once `wanted`.
fn project_when(world: &World, what: &str, wanted: impl Fn(&Value) -> bool) -> Value {
    soon(what, || {
        let args = ["get", "projectconfigs", PROJECT, "-o", "json"];
        let status = world.landfall.cli_json(&args).ok()?["status"].clone();
        wanted(&status).then_some(status)
    })
}

/// Posts to a receiver by its path.
fn post(world: &World, path: &str, repository: &str, tag: &str) -> http::Response {
    let body = json!({
        "push_data": { "tag": tag, "pushed_at": 1_700_000_000 },
        "repository": { "repo_name": repository },
    });
    http::post(&(world.landfall.url() + path), &[], body.to_string().as_bytes()).unwrap()
}

#[test]
fn a_receivers_url_appears_and_changes_with_its_secret() {
    let world = World::start();
    let config = manifests::project_config(PROJECT, &[Receiver::new("hub", "dockerhub", "hub-secret")]);
    world.write("project.yaml", &config);
    let status = project_when(&world, "a condition", |status| !message(status, "Ready").is_empty());
    assert!(conditions(&status).contains("Ready=False (SyncWebhookReceiversFailed)"));
    assert!(message(&status, "Ready").contains("hub-secret"), "{status:#}");
    assert_eq!(status["webhookReceivers"], Value::Null);

    let mut paths = Vec::new();
    for secret in ["first", "second"] {
        let path = manifests::receiver_path("dockerhub", PROJECT, "hub", secret);
        world.write(
            "secret.yaml",
            &manifests::receiver_secret("hub-secret", PROJECT, &[("secret", secret)]),
        );
        let status = project_when(&world, "the receiver's path", |status| {
            status["webhookReceivers"][0]["path"] == path.as_str()
        });
        assert_eq!(
            status["webhookReceivers"],
            json!([{ "name": "hub", "path": path, "url": world.landfall.url() + &path }])
        );
        assert!(conditions(&status).contains("Ready=True (Synced)"), "{status:#}");
        assert_eq!(post(&world, &path, "example/app", secret).status, 200);
        paths.push(path);
    }
    assert_eq!(post(&world, &paths[0], "example/app", "third").status, 404);
    world.remove("secret.yaml");
    project_when(&world, "the receiver to be gone", |status| {
        status["webhookReceivers"].as_array().is_none_or(Vec::is_empty)
    });
    assert_eq!(post(&world, &paths[1], "example/app", "third").status, 404);
}

#[test]
fn a_receiver_that_cannot_be_served_is_said_and_the_others_are_published() {
    let world = World::start();
    let receivers = [
        Receiver::new("forge", "gitlab", "hub-secret"),
        Receiver::new("hub", "dockerhub", "hub-secret"),
    ];
    let secret = manifests::receiver_secret("hub-secret", PROJECT, &[("secret", "s3cret")]);
    world.write(
        "project.yaml",
        &(manifests::project_config(PROJECT, &receivers) + "---\n" + &secret),
    );
    let status = project_when(&world, "a published receiver", |status| {
        !status["webhookReceivers"].is_null()
    });
    let published = status["webhookReceivers"].as_array().unwrap();
    assert_eq!((published.len(), &published[0]["name"]), (1, &json!("hub")));
    let said = message(&status, "Ready");
    assert!(said.contains("\"forge\"") && said.contains("secret-token"), "{said}");
    let path = manifests::receiver_path("dockerhub", PROJECT, "hub", "s3cret");
    assert_eq!(post(&world, &path, "example/app", "1.0.0").status, 200);
}

#[test]
fn a_receiver_of_the_cluster_reaches_every_project_and_one_of_a_project_only_its_own() {
    let registry = quiet_registry();
    let mut uploader = Uploader::new(registry.host());
    uploader
        .put_image("example/app", "1.0.0", &ImageSpec::new("one"))
        .unwrap();
    let world = World::with(|landfall| landfall.arg(&format!("--registry-mirror=docker.io={}", registry.url())));
    for project in ["shop", "bank"] {
        let subscription = manifests::image_subscription("example/app", "");
        world.write(
            &format!("{project}.yaml"),
            &manifests::warehouse("app", project, NEVER, &subscription),
        );
    }
    let secret = manifests::receiver_secret("all-secret", "kargo-system-resources", &[("secret", "everyone")]);
    let cluster = manifests::cluster_config(&[Receiver::new("all", "dockerhub", "all-secret")]);
    world.write("cluster.yaml", &(cluster + "---\n" + &secret));
    world.write(
        "project.yaml",
        &manifests::dockerhub_project("shop", "hub", "shop-only"),
    );
    let everyone = manifests::receiver_path("dockerhub", "", "all", "everyone");
    let shop_only = manifests::receiver_path("dockerhub", "shop", "hub", "shop-only");
    soon("both receivers", || {
        let receivers = world.list("receivers");
        let has = |path: &str| {
            receivers
                .iter()
                .any(|receiver| receiver["url"] == (world.landfall.url() + path).as_str())
        };
        (has(&everyone) && has(&shop_only)).then_some(())
    });
    assert_eq!(
        post(&world, &shop_only, "example/app", "1.0.0").text(),
        "{\"msg\":\"refreshed 1 warehouse(s)\"}\n"
    );
    assert_eq!(
        post(&world, &everyone, "example/app", "1.0.0").text(),
        "{\"msg\":\"refreshed 2 warehouse(s)\"}\n"
    );
    let deliveries = world.settled();
    let targets: Vec<&Value> = deliveries.iter().map(|delivery| &delivery["targets"]["done"]).collect();
    assert_eq!(targets, [&json!(2), &json!(1)]);
    let clusters = world.list("clusterconfigs");
    assert_eq!(clusters[0]["status"]["webhookReceivers"][0]["path"], everyone.as_str());
}

#[test]
fn what_is_shown_can_be_had_as_json_as_yaml_and_as_a_table() {
    let (_registry, repository) = two_versions();
    let world = World::start();
    world.discovered("app", NEVER, &repository, "");
    world.write("project.yaml", &manifests::dockerhub_project(PROJECT, "hub", "s3cret"));
    project_when(&world, "the project", |status| !status["webhookReceivers"].is_null());
    let shown = |args: &[&str]| {
        let output = world.landfall.cli(args).unwrap();
        assert!(
            output.status.success(),
            "{args:?}: {}",
            String::from_utf8_lossy(&output.stderr)
        );
        String::from_utf8(output.stdout).unwrap()
    };
    let yaml = shown(&["get", "warehouses", "app", "-o", "yaml"]);
    for line in ["---\n", "kind: Warehouse\n", "  name: app\n", "status:\n", "tag: "] {
        assert!(yaml.contains(line), "{line:?} in\n{yaml}");
    }
    let table = shown(&["get", "warehouses"]);
    let rows: Vec<Vec<&str>> = table.lines().map(|line| line.split_whitespace().collect()).collect();
    assert_eq!(rows.len(), 2, "{table}");
    assert_eq!(rows[0][..4], ["NAMESPACE", "NAME", "READY", "REASON"], "{table}");
    assert_eq!(
        rows[1][..7],
        ["shop", "app", "True", "ArtifactsDiscovered", &repository, "2.0.0", "2"],
        "{table}"
    );
    let listed: Value = serde_json::from_str(&shown(&["get", "warehouses", "-o", "json"])).unwrap();
    let one: Value = serde_json::from_str(&shown(&["get", "warehouses", "app", "-o", "json"])).unwrap();
    assert_eq!(listed, json!([one]));
    assert_eq!(
        (&one["kind"], &one["metadata"]["name"]),
        (&json!("Warehouse"), &json!("app"))
    );
    assert!(shown(&["get", "projectconfigs"]).contains(PROJECT));
    assert!(shown(&["receivers"]).contains("ProjectConfig shop/hub"));

    let missing = world.landfall.cli(&["get", "warehouses", "nobody"]).unwrap();
    assert_eq!(missing.status.code(), Some(1));
    assert!(
        String::from_utf8(missing.stderr)
            .unwrap()
            .contains("there is no nobody")
    );
}

/// A push that nobody wants is looked at by nobody; when somebody wants it later, it must be found all the same.
#[test]
fn a_changed_spec_finds_what_was_pushed_when_nobody_wanted_it() {
    let registry = quiet_registry();
    let mut uploader = Uploader::new(registry.host());
    uploader.put_image("app", "1.0.0", &ImageSpec::new("one")).unwrap();
    let world = World::start();
    let repository = format!("{}/app", registry.host());
    world.discovered("app", NEVER, &repository, "constraint: ^1.0.0");
    let second = uploader.put_image("app", "2.0.0", &ImageSpec::new("two")).unwrap();
    world.pushed(&registry.host(), "app", "2.0.0");
    world.warehouse("app", NEVER, &repository, "constraint: ^2.0.0");
    world.best("app", "2.0.0", &second);
}
