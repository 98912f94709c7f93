//! A generic receiver, from a manifest with expressions to the Warehouses that a request chooses; and what hostile expressions and
//! requests can do to it, which is nothing.

use landfall_harness::http::{self, Request, Response};
use landfall_harness::{ImageSpec, Uploader, wait};
use serde_json::{Value, json};

use crate::world::{NEVER, PATIENCE, PROJECT, World, delivery_id, quiet_registry};

/// A generic receiver `any` with these actions, which are JSON and so YAML, and its Secret.
fn configure(world: &World, actions: &Value) {
    let config = json!({
        "apiVersion": "kargo.akuity.io/v1alpha1", "kind": "ProjectConfig", "metadata": { "name": PROJECT },
        "spec": { "webhookReceivers": [{
            "name": "any", "generic": { "secretRef": { "name": "any" }, "actions": actions },
        }] },
    });
    let secret = json!({
        "apiVersion": "v1", "kind": "Secret", "metadata": { "name": "any", "namespace": PROJECT },
        "stringData": { "secret": "0123456789abcdef" },
    });
    world.write("project.yaml", &format!("{config}\n---\n{secret}\n"));
}

/// Writes a Warehouse with labels, and waits until it is discovered.
fn warehouse(world: &World, name: &str, repo_url: &str, labels: &Value) {
    let manifest = json!({
        "apiVersion": "kargo.akuity.io/v1alpha1", "kind": "Warehouse",
        "metadata": { "name": name, "namespace": PROJECT, "labels": labels },
        "spec": { "interval": NEVER, "subscriptions": [{ "image": { "repoURL": repo_url } }] },
    });
    world.write(&format!("{name}.yaml"), &manifest.to_string());
    world.status_when(name, "a first discovery", |status| {
        !status["discoveredArtifacts"]["discoveredAt"].is_null()
    });
}

/// The path of the receiver, once there is one.
fn path(world: &World) -> String {
    let found = wait::until(PATIENCE, "the receiver", || {
        let receivers = world.landfall.cli_json(&["receivers", "-o", "json"]).ok()?;
        let url = receivers[0]["url"].as_str()?;
        Some(url[url.find("/generic/")?..].to_owned())
    });
    found.unwrap()
}

fn post(world: &World, target: &str, body: &str) -> Response {
    let request = Request::new("POST", target).header("X-Event", "push").body(body);
    http::send(&world.landfall.host(), &request).unwrap()
}

fn action(when: &str, criteria: Value) -> Value {
    json!({ "action": "Refresh", "whenExpression": when, "targetSelectionCriteria": criteria })
}

#[test]
fn a_request_refreshes_what_its_expressions_choose() {
    let registry = quiet_registry();
    let mut uploader = Uploader::new(registry.host());
    for repository in ["shop/api", "shop/web"] {
        uploader
            .put_image(repository, "1.0.0", &ImageSpec::new(repository))
            .unwrap();
    }
    let world = World::start();
    let repo = |name: &str| format!("{}/shop/{name}", registry.host());
    configure(
        &world,
        &json!([
            action(
                "request.header('X-Event') == 'push' && request.body.image != nil",
                json!([{
                    "kind": "Warehouse", "indexSelector": { "matchIndices": [{
                        "key": "subscribedURLs", "operator": "Equals",
                        "value": format!("${{{{ normalizeImage('{}/' + request.body.image) }}}}", registry.host()),
                    }] },
                }])
            ),
            action(
                "request.params('tier') != ''",
                json!([
                    { "kind": "Warehouse", "labelSelector": { "matchLabels": { "tier": "${{ request.params('tier') }}" } } },
                    { "kind": "Warehouse", "name": "api" },
                ])
            ),
        ]),
    );
    warehouse(&world, "api", &repo("api"), &json!({ "tier": "silver" }));
    warehouse(&world, "web", &repo("web"), &json!({ "tier": "gold" }));
    let path = path(&world);

    // One is told of by its repository, with a tag that nobody names.
    let second = uploader
        .put_image("shop/api", "1.1.0", &ImageSpec::new("second"))
        .unwrap();
    let told = post(&world, &path, r#"{"image": "shop/api"}"#);
    let expected = "{\"results\":[{\"action\":\"Refresh\",\"matchedWhenExpression\":true,\"selectedTargets\":[{\"namespace\":\"shop\",\
        \"name\":\"api\",\"success\":true}],\"result\":\"Success\",\"summary\":\"Refreshed 1 of 1 selected resources\"},{\"action\":\
        \"Refresh\",\"matchedWhenExpression\":false,\"result\":\"NotApplicable\",\"summary\":\"Request did not match whenExpression\"}]}\n";
    assert_eq!((told.status, told.text().as_str()), (200, expected));
    assert_eq!(told.header("content-type"), Some("application/json"));
    world.best("api", "1.1.0", &second);
    let explained = world.done(&delivery_id(&told));
    assert_eq!(
        explained["events"][0]["criteria"][0]["indices"][0]["value"],
        repo("api")
    );
    let line = &explained["explanations"][0]["lines"][0];
    assert_eq!(
        (&line["wanted"], &line["targets"]),
        (&json!(true), &json!(["Warehouse shop/api"]))
    );

    // Both are chosen by the other action, each once, and the same request again is another one.
    let third = ["shop/api", "shop/web"].map(|repository| {
        uploader
            .put_image(
                repository,
                "1.2.0",
                &ImageSpec::new(format!("third {repository}").as_str()),
            )
            .unwrap()
    });
    let both = post(&world, &format!("{path}?tier=gold"), "");
    let results: Value = serde_json::from_str(&both.text()).unwrap();
    assert_eq!(
        results["results"][1]["summary"], "Refreshed 2 of 2 selected resources",
        "{results}"
    );
    world.best("api", "1.2.0", &third[0]);
    world.best("web", "1.2.0", &third[1]);
    world.done(&delivery_id(&both));
    let again = post(&world, &format!("{path}?tier=gold"), "");
    assert_eq!(again.text(), both.text());
    assert_eq!(world.done(&delivery_id(&again))["verdict"], "accepted");

    // Who is not meant is told why.
    let nobody = post(&world, &path, r#"{"image": "shop/api:1.2.0"}"#);
    assert!(
        nobody.text().contains("Refreshed 1 of 1 selected resources"),
        "{}",
        nobody.text()
    );
    let nobody = post(&world, &path, r#"{"image": "shop/none"}"#);
    assert!(
        nobody.text().contains("Refreshed 0 of 0 selected resources"),
        "{}",
        nobody.text()
    );
    let explained = world.done(&delivery_id(&nobody));
    let reason = format!(
        "the receiver reaches no Warehouse with subscribedURLs = {}",
        repo("none")
    );
    assert_eq!(explained["explanations"][0]["lines"][0]["reason"], reason);

    // Neither the configuration nor the secret path is told to anybody.
    let shown = format!("{}{}{}", told.text(), explained, world.log());
    assert!(
        !shown.contains("whenExpression\":\"") && !shown.contains(&path),
        "{shown}"
    );
}

/// What was asked for is done whenever the process is killed: before it was matched, before it was begun, or in the midst of it.
#[test]
fn what_was_asked_for_survives_a_kill() {
    let registry = quiet_registry();
    let mut uploader = Uploader::new(registry.host());
    uploader.put_image("shop/api", "1.0.0", &ImageSpec::new("0")).unwrap();
    let mut world = World::start();
    configure(
        &world,
        &json!([action("", json!([{ "kind": "Warehouse", "name": "api" }]))]),
    );
    warehouse(&world, "api", &format!("{}/shop/api", registry.host()), &json!({}));
    let path = path(&world);
    for round in 1..=5 {
        let tag = format!("1.{round}.0");
        let pushed = uploader
            .put_image("shop/api", &tag, &ImageSpec::new(tag.as_str()))
            .unwrap();
        let told = post(&world, &path, "");
        assert_eq!(told.status, 200, "{}", told.text());
        world.landfall.kill9().unwrap();
        world.landfall.restart().unwrap();
        world.best("api", &tag, &pushed);
        world.done(&delivery_id(&told));
    }
}

#[test]
fn what_has_no_answer_fails_alone_and_is_no_reason_to_stop() {
    let world = World::start();
    let named = json!([{ "kind": "Warehouse", "name": "api" }]);
    let doubling = (1..100).fold("let a0 = 'x'; ".to_owned(), |all, n| {
        format!("{all}let a{n} = a{0} + a{0}; ", n - 1)
    });
    configure(
        &world,
        &json!([
            action("request.body.nobody.x == 1", named.clone()),
            action("1 +", named.clone()),
            action("len(1..1000000000) > 0", named.clone()),
            action(&format!("{doubling} len(a99) > 0"), named.clone()),
            action(&"(".repeat(4000), named.clone()),
            action("any(1..1000, any(1..1000, any(1..1000, # < 0)))", named.clone()),
            action("true", json!([{ "kind": "Warehouse", "name": "${{ 1 }}" }])),
        ]),
    );
    let path = path(&world);
    let answer = post(&world, &path, "{}");
    let results: Value = serde_json::from_str(&answer.text()).unwrap();
    let summaries: Vec<&str> = results["results"]
        .as_array()
        .unwrap()
        .iter()
        .filter_map(|result| result["summary"].as_str())
        .collect();
    let when = ["Error evaluating whenExpression"; 6];
    assert_eq!(
        summaries,
        [&when[..], &["Error evaluating targetSelectionCriteria"]].concat()
    );
    assert_eq!(answer.status, 500);
    assert_eq!(world.deliveries()[0]["verdict"], "malformed");
    let receivers = world.landfall.cli_json(&["receivers", "-o", "json"]).unwrap();
    let problem = receivers[0]["problem"].as_str().unwrap_or_default();
    assert!(
        problem.contains("action 2, whenExpression: column 4: the expression ends too early"),
        "{problem}"
    );

    for (method, body, status, expected) in [
        (
            "POST",
            "not json",
            400,
            "{\"error\":\"invalid request body: expected ident at line 1 column 2\"}\n".to_owned(),
        ),
        (
            "GET",
            "",
            405,
            "{\"error\":\"method not allowed: use POST\"}\n".to_owned(),
        ),
        (
            "POST",
            &"[".repeat(1 << 20),
            400,
            "{\"error\":\"invalid request body: recursion limit exceeded at line 1 column 128\"}\n".to_owned(),
        ),
    ] {
        let request = Request::new(method, path.as_str()).body(body);
        let response = http::send(&world.landfall.host(), &request).unwrap();
        assert_eq!((response.status, response.text()), (status, expected), "{method}");
    }

    // Many at once are as harmless as one, and somebody is answered all the while.
    std::thread::scope(|scope| {
        let posts: Vec<_> = (0..12)
            .map(|_| scope.spawn(|| post(&world, &path, "{}").status))
            .collect();
        for post in posts {
            assert!([500, 503].contains(&post.join().unwrap()));
        }
    });
    let healthy = http::send(&world.landfall.host(), &Request::new("GET", "/healthz")).unwrap();
    assert_eq!(healthy.status, 200);
}
