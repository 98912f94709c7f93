//! Every sender of the door by type: what it sends is taken with its secret and refused without, and a push that it tells of
//! is in the status of the Warehouse that wants it. Some ask before they send.

use std::process::Output;

use landfall_harness::http::{self, Request};
use landfall_harness::{ImageSpec, Uploader, manifests, wait};
use serde_json::{Value, json};

use crate::world::{NEVER, PATIENCE, PROJECT, World, delivery_id, quiet_registry};

/// A command of `send`, the type that it is sent to, and the variable with the secret.
const SENDERS: [(&str, &str, &str); 8] = [
    ("distribution", "distribution", "DISTRIBUTION_WEBHOOK_SECRET"),
    ("github", "ghcr.io", "GHCR_WEBHOOK_SECRET"),
    ("harbor", "harbor", "HARBOR_WEBHOOK_SECRET"),
    ("quay", "quay.io", "QUAY_WEBHOOK_SECRET"),
    ("aliyun-acr", "aliyun-acr", "ALIYUN_ACR_WEBHOOK_SECRET"),
    ("azure", "acr", "ACR_WEBHOOK_SECRET"),
    ("cloudevents", "cloudevents", "CLOUDEVENTS_WEBHOOK_SECRET"),
    ("eventbridge", "eventbridge", "EVENTBRIDGE_WEBHOOK_SECRET"),
];

/// A landfall that every sender may post to, each with a secret of its own.
fn world() -> World {
    World::with(|landfall| {
        SENDERS
            .into_iter()
            .chain([("dockerhub", "docker.io", "DOCKER_WEBHOOK_SECRET")])
            .fold(landfall, |landfall, (sender, _, variable)| {
                landfall.env(variable, &secret(sender))
            })
    })
}

fn secret(sender: &str) -> String {
    format!("{sender} & s3cret")
}

/// Posts as a sender does.
fn send(world: &World, (sender, typed): (&str, &str), repo: &str, tag: &str, secret: &str) -> Output {
    let url = format!("{}/webhook?type={typed}", world.landfall.url());
    let args = [
        "send", sender, "--repo", repo, "--tag", tag, "--to", &url, "--secret", secret,
    ];
    World::command(&args)
}

#[test]
fn a_push_is_in_the_warehouse_whoever_tells_of_it() {
    let registry = quiet_registry();
    let mut uploader = Uploader::new(registry.host());
    uploader.put_image("shop/api", "1.0.0", &ImageSpec::new("0")).unwrap();
    let repo = format!("{}/shop/api", registry.host());
    let world = world();
    world.discovered("api", NEVER, &repo, "");
    for (place, (sender, typed, _)) in (1..).zip(SENDERS) {
        let tag = format!("1.0.{place}");
        let pushed = uploader
            .put_image("shop/api", &tag, &ImageSpec::new(tag.as_str()))
            .unwrap();

        let refused = send(&world, (sender, typed), &repo, &tag, "wrong");
        let said = String::from_utf8_lossy(&refused.stderr).into_owned();
        assert!(
            !refused.status.success() && said.contains("401 Unauthorized: unauthorized"),
            "{sender}: {said}"
        );
        assert!(!said.contains("wrong"), "{sender}: {said}");

        let taken = send(&world, (sender, typed), &repo, &tag, &secret(sender));
        let said = String::from_utf8_lossy(&taken.stdout).into_owned();
        assert!(
            said.starts_with("200 OK  Webhook received and processing"),
            "{sender}: {said}{taken:?}"
        );
        world.best("api", &tag, &pushed);
    }
    let deliveries = world.settled();
    let told: Vec<&str> = deliveries
        .iter()
        .rev()
        .filter_map(|delivery| delivery["sender"].as_str())
        .collect();
    assert_eq!(told, SENDERS.map(|(sender, ..)| sender));
    // Nothing that was refused was kept, and nothing that was kept or logged shows a secret.
    for delivery in &deliveries {
        let shown = world.explained(delivery["id"].as_str().unwrap()).to_string();
        assert!(!shown.contains("s3cret"), "{shown}");
    }
    assert!(!world.log().contains("s3cret"), "{}", world.log());
}

#[test]
fn docker_hub_is_taken_with_its_secret_alone() {
    let world = world();
    let hub = ("dockerhub", "docker.io");
    assert!(!send(&world, hub, "example/app", "1.0.0", "wrong").status.success());
    assert!(
        send(&world, hub, "example/app", "1.0.0", &secret("dockerhub"))
            .status
            .success()
    );
    let verdicts: Vec<Value> = world
        .deliveries()
        .iter()
        .map(|delivery| delivery["verdict"].clone())
        .collect();
    assert_eq!(verdicts, ["accepted"]);
}

#[test]
fn what_is_of_no_interest_is_no_failure() {
    let world = World::with(|landfall| {
        landfall
            .env("HARBOR_WEBHOOK_SECRET", "s3cret")
            .env("ACR_WEBHOOK_SECRET", "s3cret")
    });
    for (typed, body, expected) in [
        (
            "harbor",
            json!({"type": "DELETE_ARTIFACT"}),
            "Webhook ignored: unsupported event type: DELETE_ARTIFACT",
        ),
        (
            "acr",
            json!({"action": "ping"}),
            "Webhook ignored: ping event received, webhook is configured correctly",
        ),
    ] {
        let request = Request::new("POST", format!("/webhook?type={typed}"))
            .header("Authorization", "s3cret")
            .header("Content-Type", "application/json")
            .body(body.to_string());
        let response = http::send(&world.landfall.host(), &request).unwrap();
        assert_eq!((response.status, response.text().as_str()), (200, expected), "{typed}");
        assert_eq!(
            world.explained(&delivery_id(&response))["verdict"],
            "ignored",
            "{typed}"
        );
    }
}

#[test]
fn a_ping_by_path_is_answered_in_kargos_words() {
    let world = World::start();
    let project = manifests::dockerhub_project(PROJECT, "acr", "s3cret").replace("dockerhub", "azure");
    world.write("project.yaml", &project);
    let url = world.landfall.url() + &manifests::receiver_path("azure", PROJECT, "acr", "s3cret");
    let answer = wait::until(PATIENCE, "the receiver", || {
        let answer = http::post(&url, &[], json!({"action": "ping"}).to_string().as_bytes()).unwrap();
        (answer.status == 200).then_some(answer)
    });
    assert_eq!(
        answer.unwrap().text(),
        "{\"msg\":\"ping event received, webhook is configured correctly\"}\n"
    );
}

#[test]
fn senders_that_ask_are_answered_where_they_show_their_secret() {
    let world = World::with(|landfall| {
        landfall
            .env("CLOUDEVENTS_WEBHOOK_SECRET", "s3cret")
            .env("ACR_WEBHOOK_SECRET", "s3cret")
    });
    let host = world.landfall.host();
    let options = |query: &str| {
        Request::new("OPTIONS", format!("/webhook?type={query}"))
            .header("WebHook-Request-Origin", "eventgrid.azure.net")
    };

    let welcome = http::send(&host, &options("cloudevents&secret=s3cret")).unwrap();
    let shown = ["webhook-allowed-origin", "webhook-allowed-rate", "allow"].map(|name| welcome.header(name));
    assert_eq!(
        (welcome.status, shown),
        (200, [Some("eventgrid.azure.net"), Some("*"), Some("POST")])
    );
    for (query, status) in [
        ("cloudevents&secret=wrong", 401),
        ("cloudevents", 401),
        ("acr&secret=s3cret", 405),
        ("x", 405),
    ] {
        let response = http::send(&host, &options(query)).unwrap();
        assert_eq!(
            (response.status, response.header("webhook-allowed-origin")),
            (status, None),
            "{query}"
        );
    }

    let asks = json!([{
        "id": "1",
        "eventType": "Microsoft.EventGrid.SubscriptionValidationEvent",
        "data": { "validationCode": "512d38b6", "validationUrl": "https://nowhere.example.com" },
    }]);
    let asking = |secret: &str| {
        Request::new("POST", "/webhook?type=acr")
            .header("Authorization", secret)
            .header("Content-Type", "application/json")
            .header("aeg-event-type", "SubscriptionValidation")
            .body(asks.to_string())
    };
    let answered = http::send(&host, &asking("s3cret")).unwrap();
    assert_eq!(
        (answered.status, answered.json().unwrap()),
        (200, json!({ "validationResponse": "512d38b6" }))
    );
    let refused = http::send(&host, &asking("wrong")).unwrap();
    assert_eq!((refused.status, refused.text().as_str()), (401, "unauthorized\n"));
    assert!(world.deliveries().is_empty());
}
