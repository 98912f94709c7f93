use std::path::Path;
use std::sync::Arc;

use landfall_core::delivery::Unverified;
use landfall_core::resource::Parsed;
use landfall_core::secret::SecretAge;
use serde_json::{Value, json};

use super::*;
use crate::resources::{Loaded, Origin};

fn snapshot(manifests: &[Value]) -> Snapshot {
    let mut snapshot = Snapshot::default();
    for manifest in manifests {
        let Parsed::Known(resource, _) = Resource::from_value(manifest) else {
            panic!("{manifest} is known");
        };
        let origin = Origin::File {
            file: Path::new("all.yaml").into(),
            position: None,
        };
        let loaded = Loaded {
            resource: *resource,
            origin,
            manifest: manifest.clone(),
        };
        Arc::make_mut(&mut snapshot.resources).insert(loaded.resource.key(), loaded.into());
    }
    snapshot
}

fn settings() -> Settings {
    Settings {
        base_url: BaseUrl::parse("https://hooks.example.com/in").unwrap(),
        system_namespace: "system".to_owned(),
    }
}

/// A ProjectConfig, or the ClusterConfig where the project is empty, with receivers `(name, type, secret)`.
fn config(project: &str, receivers: &[(&str, &str, &str)]) -> Value {
    let receivers: Vec<Value> = receivers
        .iter()
        .map(|(name, kind, secret)| json!({ "name": name, *kind: { "secretRef": { "name": secret } } }))
        .collect();
    let (kind, name) = match project {
        "" => ("ClusterConfig", "cluster"),
        project => ("ProjectConfig", project),
    };
    json!({
        "apiVersion": "kargo.akuity.io/v1alpha1",
        "kind": kind,
        "metadata": { "name": name },
        "spec": { "webhookReceivers": receivers },
    })
}

fn secret(namespace: &str, name: &str, data: Value) -> Value {
    json!({
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": { "name": name, "namespace": namespace },
        "stringData": data,
    })
}

/// The path that a secret makes.
fn path(kind: &str, project: &str, name: &str, secret: &str) -> String {
    landfall_harness::manifests::receiver_path(kind, project, name, secret)
}

/// The receiver behind a path, and which secret a request tells there that shows one as Harbor does.
fn behind(doors: &Doors, path: &str, shown: &str) -> Option<(String, Option<SecretAge>)> {
    let receiver = doors.behind(path)?;
    let request = Unverified {
        headers: vec![("authorization".to_owned(), shown.into())],
        query: Vec::new(),
        body: Vec::new(),
    };
    let secret = receiver
        .authenticate(request)
        .ok()
        .and_then(|delivery| delivery.secret());
    Some((receiver.name().to_string(), secret))
}

fn ready(derived: &Derived) -> String {
    let status = derived.status(&ConfigStatus::default(), 1, Timestamp::UNIX_EPOCH);
    let ready = status.conditions.find("Ready").unwrap();
    format!("{:?} {}", ready.status, ready.message)
}

#[test]
fn nine_senders_have_their_keys_and_their_doors() {
    let kinds = [
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
    let receivers = kinds.map(|(kind, _)| (kind, kind, kind));
    for (project, namespace) in [("shop", "shop"), ("", "system")] {
        let mut manifests = vec![config(project, &receivers)];
        manifests.extend(kinds.map(|(kind, key)| secret(namespace, kind, json!({ key: format!("of {kind}\n") }))));
        let settings = settings();
        let derived = derive(&snapshot(&manifests), &settings);
        assert_eq!(
            ready(&derived[0]),
            format!("True {} is synced and ready for use", derived[0].key.kind)
        );
        let found: Vec<(String, String)> = derived[0]
            .status(&ConfigStatus::default(), 1, Timestamp::UNIX_EPOCH)
            .webhook_receivers
            .into_iter()
            .map(|receiver| (receiver.name, receiver.path))
            .collect();
        let expected = kinds.map(|(kind, _)| {
            let path = path(kind, project, kind, &format!("of {kind}\n"));
            (kind.to_owned(), format!("/in{path}"))
        });
        assert_eq!(found, expected);
        let doors = Doors::of(&derived, &settings.base_url);
        for (kind, in_base) in expected {
            let owner = &derived[0].key;
            let name = format!("{} {}/{kind}", owner.kind, owner.name);
            for path in [in_base.as_str(), in_base.trim_start_matches("/in")] {
                let receiver = doors.behind(path).map(|receiver| receiver.name().to_string());
                assert_eq!(receiver.as_ref(), Some(&name), "{path}");
            }
        }
    }
}

#[test]
fn a_name_that_is_there_twice_is_published_once() {
    let twice = config(
        "shop",
        &[("a", "dockerhub", "s"), ("a", "quay", "s"), ("b", "quay", "s")],
    );
    let derived = derive(
        &snapshot(&[twice, secret("shop", "s", json!({ "secret": "x" }))]),
        &settings(),
    );
    let status = derived[0].status(&ConfigStatus::default(), 1, Timestamp::UNIX_EPOCH);
    let published = status.webhook_receivers.iter();
    let published: Vec<(&str, &str)> = published
        .map(|receiver| (receiver.name.as_str(), receiver.path.as_str()))
        .collect();
    let paths = [("dockerhub", "a"), ("quay", "b")].map(|(kind, name)| format!("/in{}", path(kind, "shop", name, "x")));
    assert_eq!(published, [("a", paths[0].as_str()), ("b", paths[1].as_str())]);
    assert!(ready(&derived[0]).contains("which an earlier receiver of this list has already"));
}

#[test]
fn a_virtual_repository_is_told_to_its_receiver() {
    let mut config = config("shop", &[("jfrog", "artifactory", "s")]);
    config["spec"]["webhookReceivers"][0]["artifactory"]["virtualRepoName"] = json!("docker");
    let derived = derive(
        &snapshot(&[config, secret("shop", "s", json!({ "secret-token": "x" }))]),
        &settings(),
    );
    assert_eq!(derived[0].open[0].receiver.virtual_repository(), Some("docker"));
}

/// While the Secret has the one before, the old URL and the old proof are good, each beside the new one; only the new URL is
/// published.
#[test]
fn two_secrets_are_alive_while_one_is_exchanged() {
    let manifests = |data: Value| [config("shop", &[("h", "harbor", "s")]), secret("shop", "s", data)];
    let settings = settings();
    let (new, old) = (path("harbor", "shop", "h", "new"), path("harbor", "shop", "h", "old"));
    let name = "ProjectConfig shop/h".to_owned();
    let found = |data: Value| {
        let derived = derive(&snapshot(&manifests(data)), &settings);
        let doors = Doors::of(&derived, &settings.base_url);
        let published = &derived[0]
            .status(&ConfigStatus::default(), 1, Timestamp::UNIX_EPOCH)
            .webhook_receivers;
        assert_eq!(published[0].path, format!("/in{new}"));
        let answers = [
            (&new, "new"),
            (&new, "old"),
            (&old, "new"),
            (&old, "old"),
            (&new, ""),
            (&old, ""),
        ];
        (
            ready(&derived[0]),
            answers.map(|(path, shown)| behind(&doors, path, shown)),
        )
    };
    let (current, previous) = (
        Some((name.clone(), Some(SecretAge::Current))),
        Some((name.clone(), Some(SecretAge::Previous))),
    );
    let refused = Some((name, None));
    let synced = "True ProjectConfig is synced and ready for use".to_owned();
    assert_eq!(
        found(json!({ "auth-header": "new", "auth-header-previous": "old" })),
        (
            synced.clone(),
            [
                current.clone(),
                previous.clone(),
                previous.clone(),
                previous,
                refused.clone(),
                refused.clone()
            ]
        )
    );
    let alone = [current, refused.clone(), None, None, refused, None];
    assert_eq!(found(json!({ "auth-header": "new" })), (synced.clone(), alone.clone()));
    assert_eq!(
        found(json!({ "auth-header": "new", "auth-header-previous": "new" })),
        (synced, alone.clone())
    );
    let problem = "False Failed to sync WebhookReceivers: receiver \"h\": the key \"auth-header-previous\" of Secret shop/s is \
                   empty, and proves nothing; remove it";
    assert_eq!(
        found(json!({ "auth-header": "new", "auth-header-previous": "" })),
        (problem.to_owned(), alone)
    );
}

#[test]
fn a_receiver_without_a_secret_is_closed_and_its_neighbours_are_not() {
    let receivers = [
        ("empty", "gitlab", "empty"),
        ("other-key", "github", "other-key"),
        ("nowhere", "quay", "nowhere"),
        ("generic", "generic", "good"),
        ("good", "gitea", "good"),
    ];
    let derived = derive(
        &snapshot(&[
            config("shop", &receivers),
            secret(
                "shop",
                "empty",
                json!({ "secret-token": "", "secret-token-previous": "old" }),
            ),
            secret("shop", "other-key", json!({ "token": "x" })),
            secret("shop", "good", json!({ "secret": "x" })),
        ]),
        &settings(),
    );
    let open: Vec<&str> = derived[0].open.iter().map(|open| open.name.as_str()).collect();
    assert_eq!(open, ["generic", "good"]);
    let closed: Vec<String> = derived[0]
        .closed
        .iter()
        .map(|(name, problem)| format!("{name}: {problem}"))
        .collect();
    assert_eq!(
        closed,
        [
            "empty: the key \"secret-token\" of Secret shop/empty is empty",
            "other-key: Secret shop/other-key has no key \"secret\" in its data",
            "nowhere: Secret shop/nowhere does not exist",
        ]
    );
}

/// It is there and nobody can tell whom to let in: whoever posts is to come again, by the published path and by what a proxy leaves of it.
#[test]
fn a_receiver_whose_secret_nobody_can_read_is_withheld_with_the_base_path_and_without() {
    let settings = settings();
    let path = path("github", "shop", "hub", "x");
    let mut config = config("shop", &[("hub", "github", "s")]);
    config["status"] = json!({ "webhookReceivers": [{ "name": "hub", "path": format!("/in{path}"), "url": "https://hooks.example.com/in" }] });
    let mut snapshot = snapshot(&[config]);
    let key = ResourceKey {
        kind: Kind::Secret,
        namespace: Some("shop".to_owned()),
        name: "s".to_owned(),
    };
    snapshot.unreadable = [(key, "forbidden".to_owned())].into();
    let doors = Doors::of(&derive(&snapshot, &settings), &settings.base_url);
    assert!(doors.withholds(&path) && doors.withholds(&format!("/in{path}")));
    assert!(doors.behind(&path).is_none() && !doors.withholds("/github/other"));
}

/// While nobody can read the Secret of one, its published path is no other's.
#[test]
fn a_path_that_is_published_for_one_that_nobody_can_read_is_no_others() {
    let settings = settings();
    let contested = path("harbor", "foo", "bar", "x");
    let mut withheld = config("foo", &[("bar", "harbor", "s")]);
    withheld["status"] = json!({ "webhookReceivers": [{ "name": "bar", "path": format!("/in{contested}"), "url": "https://hooks.example.com/in" }] });
    let manifests = [
        withheld,
        config("foob", &[("ar", "harbor", "s")]),
        secret("foob", "s", json!({ "auth-header": "x" })),
    ];
    let mut snapshot = snapshot(&manifests);
    let key = ResourceKey {
        kind: Kind::Secret,
        namespace: Some("foo".to_owned()),
        name: "s".to_owned(),
    };
    snapshot.unreadable = [(key, "forbidden".to_owned())].into();
    let derived = derive(&snapshot, &settings);
    let doors = Doors::of(&derived, &settings.base_url);
    assert!(doors.behind(&contested).is_none() && doors.withholds(&contested));
    assert!(ready(&derived[1]).contains("its path is also that of ProjectConfig foo/bar"));
}

/// The hash has no separators, so that receivers of two projects can come to one path.
#[test]
fn a_path_that_two_receivers_claim_is_nobodys() {
    let settings = settings();
    let contested = path("harbor", "foo", "bar", "x");
    assert_eq!(contested, path("harbor", "foob", "ar", "x"));
    let found = |foo: Value, foob: Value| {
        let manifests = [
            config("foo", &[("bar", "harbor", "s"), ("else", "harbor", "s")]),
            secret("foo", "s", foo),
            config("foob", &[("ar", "harbor", "s")]),
            secret("foob", "s", foob),
        ];
        let derived = derive(&snapshot(&manifests), &settings);
        let doors = Doors::of(&derived, &settings.base_url);
        assert_eq!(behind(&doors, &contested, "x"), None);
        let open = derived
            .iter()
            .flat_map(|derived| &derived.open)
            .map(|open| open.receiver.name().to_string());
        (open.collect::<Vec<_>>(), derived.iter().map(ready).collect::<Vec<_>>())
    };
    let x = || json!({ "auth-header": "x" });
    let remedy = "give one of them another name or another secret";
    let failed =
        |name: &str, what: &str| format!("False Failed to sync WebhookReceivers: receiver {name:?}: {what}; {remedy}");
    let closed = |name: &str, other: &str| {
        failed(
            name,
            &format!("its path is also that of ProjectConfig {other}, so none of them is served"),
        )
    };
    assert_eq!(
        found(x(), x()),
        (
            vec!["ProjectConfig foo/else".to_owned()],
            vec![closed("bar", "foob/ar"), closed("ar", "foo/bar")]
        )
    );
    let flawed = failed(
        "bar",
        "the path of its previous secret is also that of ProjectConfig foob/ar",
    );
    assert_eq!(
        found(json!({ "auth-header": "y", "auth-header-previous": "x" }), x()),
        (
            vec!["ProjectConfig foo/bar".to_owned(), "ProjectConfig foo/else".to_owned()],
            vec![flawed, closed("ar", "foo/bar")]
        )
    );
}
