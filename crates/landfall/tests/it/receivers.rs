//! Receivers by path: nine senders, each behind a URL of its own for one project and one for all, what each tells of, and the
//! exchange of their secrets without a delivery that is lost.

use std::collections::BTreeMap;

use landfall_harness::http::{self, Request};
use landfall_harness::manifests::{self, Receiver};
use landfall_harness::wait;
use serde_json::{Value, json};

use crate::world::{NEVER, PATIENCE, PROJECT, World};

/// A project that the receivers of [`PROJECT`] must not reach.
const OTHER: &str = "bank";

/// The types with the keys of their Secrets.
const KINDS: [(&str, &str); 9] = [
    ("artifactory", "secret-token"),
    ("azure", "secret"),
    ("bitbucket", "secret"),
    ("dockerhub", "secret"),
    ("gitea", "secret"),
    ("github", "secret"),
    ("gitlab", "secret-token"),
    ("harbor", "auth-header"),
    ("quay", "secret"),
];

/// Senders that show nothing but their URL.
const SHOWING_NOTHING: [&str; 3] = ["azure", "dockerhub", "quay"];

/// What a sender tells of, in words of `landfall send`, and the subscription that wants it.
const TOLD: [(&str, &[&str], &str); 11] = [
    (
        "artifactory",
        &["--repo", "127.0.0.1:1/docker/shop/api", "--tag", "1.4.0"],
        "image: { repoURL: '127.0.0.1:1/docker/shop/api' }",
    ),
    (
        "azure",
        &["--repo", "127.0.0.1:1/azure/api", "--tag", "1.4.0"],
        "chart: { repoURL: 'oci://127.0.0.1:1/azure/api', semverConstraint: '^1' }",
    ),
    (
        "azure",
        &["--repo", "https://dev.azure.com/org/Shop/_git/API", "--branch", "main"],
        "git: { repoURL: 'git@ssh.dev.azure.com:v3/Org/Shop/API' }",
    ),
    (
        "bitbucket",
        &["--repo", "https://bitbucket.org/Shop/API", "--branch", "main"],
        "git: { repoURL: 'git@bitbucket.org:shop/api.git', branch: main }",
    ),
    (
        "bitbucket",
        &["--repo", "https://git.example.com/scm/shop/api", "--tag", "v1.4.0"],
        "git: { repoURL: 'https://git.example.com/scm/shop/api.git', commitSelectionStrategy: SemVer }",
    ),
    (
        "dockerhub",
        &["--repo", "example/app", "--tag", "1.4.0"],
        "image: { repoURL: example/app, constraint: '^1' }",
    ),
    (
        "gitea",
        &["--repo", "https://gitea.example.com/shop/api", "--branch", "main"],
        "git: { repoURL: 'git@gitea.example.com:shop/api.git' }",
    ),
    (
        "github",
        &["--repo", "https://github.com/shop/api", "--branch", "main"],
        "git: { repoURL: 'https://github.com/shop/api' }",
    ),
    (
        "gitlab",
        &["--repo", "https://gitlab.example.com/shop/api", "--branch", "main"],
        "git: { repoURL: 'ssh://git@gitlab.example.com/shop/api.git' }",
    ),
    (
        "harbor",
        &["--repo", "127.0.0.1:1/library/api", "--tag", "1.4.0"],
        "image: { repoURL: '127.0.0.1:1/library/api' }",
    ),
    (
        "quay",
        &["--repo", "127.0.0.1:1/quay/api", "--tag", "1.4.0"],
        "image: { repoURL: '127.0.0.1:1/quay/api' }",
    ),
];

/// A landfall with a project's nine receivers and the cluster's nine, and two projects that want what they tell of.
fn world() -> World {
    let world = World::with(|landfall| landfall.arg("--registry-mirror=docker.io=http://127.0.0.1:1"));
    for project in [PROJECT, OTHER] {
        for (place, (_, _, subscription)) in TOLD.iter().enumerate() {
            let name = format!("w-{place}");
            let text = manifests::warehouse(&name, project, NEVER, &format!("- {subscription}\n"));
            world.write(&format!("{project}-{name}.yaml"), &text);
        }
    }
    let receivers = KINDS.map(|(kind, _)| Receiver::new(kind, kind, kind));
    world.write("project.yaml", &manifests::project_config(PROJECT, &receivers));
    world.write("cluster.yaml", &manifests::cluster_config(&receivers));
    world
}

/// Writes the Secrets of all receivers, each made of a word for the current one and maybe one for the previous.
fn secrets(world: &World, current: &str, previous: Option<&str>) {
    for namespace in [PROJECT, "kargo-system-resources"] {
        let texts = KINDS.map(|(kind, key)| {
            let (previous_key, now) = (format!("{key}-previous"), secret(kind, current));
            let before = previous.map(|previous| secret(kind, previous));
            let mut data = vec![(key, now.as_str())];
            data.extend(before.as_deref().map(|before| (previous_key.as_str(), before)));
            manifests::receiver_secret(kind, namespace, &data)
        });
        world.write(&format!("{namespace}-secrets.yaml"), &texts.join("---\n"));
    }
}

fn secret(kind: &str, word: &str) -> String {
    format!("{kind} & s3cret {word}")
}

/// Receivers as `landfall receivers` shows them, by name.
fn receivers(world: &World) -> BTreeMap<String, Value> {
    let receivers = world.landfall.cli_json(&["receivers", "-o", "json"]).unwrap();
    let receivers = receivers.as_array().unwrap().iter();
    let receivers = receivers.map(|one| (one["receiver"].as_str().unwrap().to_owned(), one.clone()));
    receivers.filter(|(name, _)| !name.starts_with("type ")).collect()
}

/// Waits until all receivers are as `wanted`.
fn receivers_when(world: &World, what: &str, wanted: impl Fn(&Value) -> bool) -> BTreeMap<String, Value> {
    let mut last = BTreeMap::new();
    let found = wait::until(PATIENCE, what, || {
        last = receivers(world);
        let all = last.len() == 2 * KINDS.len() && last.values().all(&wanted);
        all.then(|| last.clone())
    });
    found.unwrap_or_else(|error| panic!("{error}: {last:#?}\n{}", world.log()))
}

/// Posts as a sender does; the answer's text and the delivery's id, or what went wrong.
fn send(sender: &str, told: &[&str], url: &str, secret: &str) -> Result<(String, String), String> {
    let mut args = vec!["send", sender, "--to", url, "--secret", secret, "-o", "json"];
    args.extend(told);
    let output = World::command(&args);
    if !output.status.success() {
        return Err(String::from_utf8_lossy(&output.stderr).into_owned());
    }
    let answer: Value = serde_json::from_slice(&output.stdout).unwrap();
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    Ok((text(&answer["body"]), text(&answer["delivery"])))
}

fn refreshed(count: usize, what: &str) -> String {
    json!({ "msg": format!("refreshed {count} {what}(s)") }).to_string()
}

/// The targets that a delivery was wanted by, once it is matched.
fn wanted_by(world: &World, id: &str) -> Vec<String> {
    let delivery = world.delivery_when(id, "a delivery to be matched", |delivery| {
        !delivery["matched"].is_null()
    });
    let lines = delivery["explanations"].as_array().unwrap().iter();
    let lines = lines.flat_map(|explanation| explanation["lines"].as_array().unwrap());
    let wanted = lines.filter(|line| line["wanted"] == true);
    let targets = wanted.flat_map(|line| line["targets"].as_array().unwrap());
    let mut targets: Vec<String> = targets.map(|target| target.as_str().unwrap().to_owned()).collect();
    targets.sort();
    targets
}

fn url(receiver: &Value) -> &str {
    receiver["url"].as_str().unwrap_or_default()
}

/// The path of a receiver's URL.
fn path(receiver: &Value) -> String {
    let (_, rest) = url(receiver).split_once("//").unwrap_or_default();
    format!("/{}", rest.split_once('/').unwrap_or_default().1)
}

#[test]
fn each_sender_reaches_who_wants_what_it_tells_of() {
    let world = world();
    secrets(&world, "one", None);
    let open = receivers_when(&world, "nine receivers, twice", |receiver| !receiver["url"].is_null());
    for (place, (sender, told, _)) in TOLD.into_iter().enumerate() {
        let proof = secret(sender, "one");
        let here = format!("Warehouse {PROJECT}/w-{place}");
        let there = format!("Warehouse {OTHER}/w-{place}");
        for (owner, expected) in [
            (format!("ProjectConfig {PROJECT}"), vec![here.clone()]),
            ("ClusterConfig cluster".to_owned(), vec![there, here]),
        ] {
            let receiver = &open[&format!("{owner}/{sender}")];
            assert_eq!(receiver["sender"], sender);
            let (answer, id) = send(sender, told, url(receiver), &proof).unwrap();
            assert_eq!(answer, refreshed(expected.len(), "warehouse"), "{owner} {sender}");
            assert_eq!(wanted_by(&world, &id), expected, "{owner} {sender}");

            let refused = send(sender, told, url(receiver), "wrong");
            if SHOWING_NOTHING.contains(&sender) {
                assert!(refused.is_ok(), "{sender}: {refused:?}");
            } else {
                let said = refused.unwrap_err();
                assert!(
                    said.contains(r#"401 Unauthorized: {"error":"unauthorized"}"#),
                    "{sender}: {said}"
                );
            }
        }
    }
    assert!(!world.log().contains("s3cret"), "{}", world.log());
}

/// A target counts once however much a delivery tells, very many tags are one look, and what is set aside is told beside that.
#[test]
fn a_delivery_that_tells_much_is_bounded_and_told_as_it_is() {
    let world = world();
    secrets(&world, "one", None);
    let open = receivers_when(&world, "nine receivers, twice", |receiver| !receiver["url"].is_null());
    let post = |repository: &str, tags: Vec<String>| {
        let body = json!({ "repository": repository, "docker_url": format!("127.0.0.1:1/{repository}"), "updated_tags": tags });
        let to = path(&open[&format!("ProjectConfig {PROJECT}/quay")]);
        let request = Request::new("POST", to).body(body.to_string());
        let response = http::send(&world.landfall.host(), &request).unwrap();
        let id = response.header("x-landfall-delivery").unwrap_or_default().to_owned();
        (response.status, response.text().trim().to_owned(), id)
    };
    let texts = |tags: &[&str]| tags.iter().map(|tag| (*tag).to_owned()).collect::<Vec<_>>();
    let wanting = format!("Warehouse {PROJECT}/w-10");

    let (status, answer, id) = post("quay/api", texts(&["1.4.0", "1.4.1", "1.4.0", "bad tag"]));
    assert_eq!((status, answer), (200, refreshed(1, "warehouse")));
    assert_eq!(wanted_by(&world, &id), [wanting.as_str(); 2]);
    let told = world.explained(&id);
    assert_eq!(told["events"].as_array().unwrap().len(), 2, "{told:#}");
    assert!(told["reason"].as_str().unwrap().contains("tag"), "{told:#}");

    let (status, answer, id) = post("quay/api", (0..3000).map(|number| format!("2.0.{number}")).collect());
    assert_eq!((status, answer), (200, refreshed(1, "warehouse")));
    assert_eq!(wanted_by(&world, &id), [wanting.as_str()]);
    let told = world.explained(&id);
    assert_eq!(told["events"].as_array().unwrap().len(), 1, "{told:#}");
    assert_eq!(
        told["reason"],
        "3000 pushes to 127.0.0.1:1/quay/api are told at once, so all of it is looked at instead of each"
    );

    // Event Grid asks before its first delivery; whoever has the URL is welcome.
    let asks = json!([{
        "id": "1",
        "eventType": "Microsoft.EventGrid.SubscriptionValidationEvent",
        "data": { "validationCode": "512d38b6" },
    }]);
    let to = path(&open[&format!("ProjectConfig {PROJECT}/azure")]);
    let asking = Request::new("POST", to).header("aeg-event-type", "SubscriptionValidation");
    let answered = http::send(&world.landfall.host(), &asking.body(asks.to_string())).unwrap();
    assert_eq!(
        (answered.status, answered.json().unwrap()),
        (200, json!({ "validationResponse": "512d38b6" }))
    );

    // Somebody wants it later.
    let (status, answer, id) = post("quay/later", texts(&["1.4.0"]));
    assert_eq!((status, answer), (200, refreshed(0, "warehouse")));
    assert_eq!(wanted_by(&world, &id), Vec::<String>::new());
    let text = manifests::warehouse(
        "later",
        PROJECT,
        NEVER,
        "- image: { repoURL: '127.0.0.1:1/quay/later' }\n",
    );
    world.write("later.yaml", &text);
    wait::until(PATIENCE, "the Warehouse", || {
        let all = world.list("warehouses");
        all.iter().any(|one| one["metadata"]["name"] == "later").then_some(())
    })
    .unwrap();
    let replay = world
        .landfall
        .cli_json(&["deliveries", "replay", &id, "-o", "json"])
        .unwrap();
    assert_eq!(replay["matchedAgain"], true, "{replay:#}");
    let targets = wait::until(PATIENCE, "the delivery to be matched again", || {
        Some(wanted_by(&world, &id)).filter(|targets| !targets.is_empty())
    });
    assert_eq!(targets.unwrap(), [format!("Warehouse {PROJECT}/later")]);
}

#[test]
fn a_closed_pull_request_reaches_the_promotion_that_waits_for_it() {
    const PAGE: &str = "https://gitea.example.com/shop/env/pulls/7";
    let world = world();
    let promotion = |name: &str, status: &str| {
        format!(
            "apiVersion: kargo.akuity.io/v1alpha1\nkind: Promotion\nmetadata: {{ name: {name}, namespace: {PROJECT} }}\n\
             spec:\n  stage: test\n  freight: abc\n  steps:\n  - {{ uses: git-open-pr, as: open }}\n  \
             - {{ uses: git-wait-for-pr, as: wait }}\nstatus: {status}\n"
        )
    };
    let state = |phase: &str| {
        format!("{{ phase: {phase}, currentStep: 1, state: {{ wait: {{ pr: {{ id: 7, url: '{PAGE}' }} }} }} }}")
    };
    for (name, status) in [
        ("waits", state("Running")),
        ("is-done", state("Succeeded")),
        ("is-odd", "{ phase: Running, currentStep: x, state: [] }".to_owned()),
    ] {
        world.write(&format!("promotion-{name}.yaml"), &promotion(name, &status));
    }
    secrets(&world, "one", None);
    let open = receivers_when(&world, "nine receivers, twice", |receiver| !receiver["url"].is_null());
    let repo = ["--repo", "https://gitea.example.com/shop/env"];
    for (sender, owner) in [
        ("gitea", format!("ProjectConfig {PROJECT}")),
        ("gitlab", "ClusterConfig cluster".to_owned()),
    ] {
        let (receiver, proof) = (&open[&format!("{owner}/{sender}")], secret(sender, "one"));
        let tell = |page: &str| {
            send(
                sender,
                &[&repo[..], &["--pull-request", page]].concat(),
                url(receiver),
                &proof,
            )
        };

        let (answer, id) = tell(PAGE).unwrap();
        assert_eq!(answer, refreshed(1, "promotion"));
        assert_eq!(wanted_by(&world, &id), [format!("Promotion {PROJECT}/waits")]);
        let done = world.done(&id);
        let attempt = &done["work"][0]["attempts"][0];
        assert_eq!(
            attempt["outcome"],
            format!("there is nothing to do for Promotion {PROJECT}/waits without an API server"),
            "{done:#}"
        );

        let (answer, id) = tell("https://gitea.example.com/shop/env/pulls/8").unwrap();
        assert_eq!(answer, refreshed(0, "promotion"));
        assert_eq!(wanted_by(&world, &id), Vec::<String>::new());
    }
    assert_eq!(
        world.landfall.cli_json(&["get", "problems", "-o", "json"]).unwrap(),
        json!([])
    );
}

/// First both secrets live, with either URL and either proof, then only the new one.
#[test]
fn secrets_are_exchanged_without_a_delivery_that_is_lost() {
    let mut world = world();
    secrets(&world, "one", None);
    let before = receivers_when(&world, "nine receivers, twice", |receiver| !receiver["url"].is_null());
    secrets(&world, "two", Some("one"));
    let unused = |receiver: &Value| receiver["previousSecret"] == json!({ "deliveries": 0 });
    let both = receivers_when(&world, "both secrets", unused);
    for (name, receiver) in &both {
        let old = &before[name];
        assert_ne!(url(receiver), url(old), "{name}");
        let sender = receiver["sender"].as_str().unwrap();
        let (_, told, _) = TOLD.into_iter().find(|(known, ..)| *known == sender).unwrap();
        let mut previous = 0;
        for (to, word, is_previous) in [
            (url(receiver), "two", false),
            (url(receiver), "one", !SHOWING_NOTHING.contains(&sender)),
            (url(old), "two", true),
            (url(old), "one", true),
        ] {
            // Where a sender gives no id, what it repeats within a minute is a duplicate, which is taken all the same.
            let (_, id) = send(sender, told, to, &secret(sender, word)).unwrap();
            let expected = if is_previous { "previous" } else { "current" };
            assert_eq!(world.explained(&id)["secret"], expected, "{name} {word}");
            previous += u64::from(is_previous);
        }
        let shown = &receivers(&world)[name]["previousSecret"];
        assert_eq!(shown["deliveries"], previous, "{name}: {shown}");
        assert!(!shown["last"].is_null(), "{name}: {shown}");
    }
    // Who is left is known to the next process as well.
    world.landfall.kill9().unwrap();
    world.landfall.restart().unwrap();
    let is_shown = |receiver: &Value| receiver["previousSecret"]["deliveries"].as_u64() >= Some(2);
    receivers_when(&world, "uses of previous secrets", is_shown);
    let config = &world.list("projectconfigs")[0]["status"]["webhookReceivers"];
    let published: Vec<&Value> = config
        .as_array()
        .unwrap()
        .iter()
        .map(|receiver| &receiver["url"])
        .collect();
    let current = KINDS.map(|(kind, _)| &both[&format!("ProjectConfig {PROJECT}/{kind}")]["url"]);
    assert_eq!(published, current);

    secrets(&world, "two", None);
    let after = receivers_when(&world, "one secret", |receiver| receiver["previousSecret"].is_null());
    for (name, receiver) in &after {
        let sender = receiver["sender"].as_str().unwrap();
        let (_, told, _) = TOLD.into_iter().find(|(known, ..)| *known == sender).unwrap();
        assert_eq!(url(receiver), url(&both[name]));
        let gone = send(sender, told, url(&before[name]), &secret(sender, "one")).unwrap_err();
        assert!(gone.contains("404 Not Found: {}"), "{name}: {gone}");
        if !SHOWING_NOTHING.contains(&sender) {
            let old = send(sender, told, url(receiver), &secret(sender, "one")).unwrap_err();
            assert!(old.contains("401 Unauthorized"), "{name}: {old}");
        }
        assert!(
            send(sender, told, url(receiver), &secret(sender, "two")).is_ok(),
            "{name}"
        );
    }
}
