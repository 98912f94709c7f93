use std::fs;

use landfall_core::delivery::Unverified;
use landfall_core::resource::{Parsed, Resource};
use serde_json::json;

use super::*;
use crate::resources::{Loaded, Origin};

const CURRENT: SecretName = SecretName {
    sender: Sender::DockerHub,
    age: SecretAge::Current,
};
const PREVIOUS: SecretName = SecretName {
    sender: Sender::DockerHub,
    age: SecretAge::Previous,
};

fn sources(named: &[(SecretName, Source)]) -> SecretSources {
    SecretSources {
        named: named.iter().cloned().collect(),
        without: Without::Closed,
        namespace: None,
    }
}

fn said(text: &str) -> Source {
    Source::Said(text.into())
}

/// A folder with the Secret in each of the namespaces, whose keys for Docker Hub are as given.
fn snapshot(secrets: &[(&str, &str, &str)]) -> Snapshot {
    let mut snapshot = Snapshot::default();
    for (namespace, current, previous) in secrets {
        let manifest = json!({
            "apiVersion": "v1",
            "kind": "Secret",
            "metadata": { "name": SECRET, "namespace": namespace },
            "stringData": { "webhook.docker-secret": current, "webhook.docker-secret-previous": previous },
        });
        let Parsed::Known(resource, _) = Resource::from_value(&manifest) else {
            panic!("{manifest} is no Secret");
        };
        let origin = Origin::File {
            file: Path::new("secret.yaml").into(),
            position: None,
        };
        let loaded = Loaded {
            resource: *resource,
            origin,
            manifest: json!(null),
        };
        Arc::make_mut(&mut snapshot.resources).insert(loaded.resource.key(), Arc::new(loaded));
    }
    snapshot
}

/// What Docker Hub's receiver makes of each of the secrets: which one it is, or nothing.
fn shown(secrets: &WebhookSecrets, snapshot: &Snapshot, offered: &[&str]) -> String {
    let receivers = secrets.receivers(snapshot);
    let Some(receiver) = receivers.get(&Sender::DockerHub) else {
        return "closed".to_owned();
    };
    let taken = |offered: &&str| {
        let request = Unverified {
            headers: Vec::new(),
            query: vec![("secret".to_owned(), (*offered).to_owned())],
            body: Vec::new(),
        };
        if receiver.authenticate(request).is_ok() {
            "yes"
        } else {
            "no"
        }
    };
    offered.iter().map(taken).collect::<Vec<_>>().join(" ")
}

#[test]
fn a_name_that_is_said_hides_the_secrets_key() {
    let folder = snapshot(&[("argocd", "from-secret\n", "old-secret")]);
    let offered = ["said", "old", "from-secret", "old-secret", ""];
    for (named, expected) in [
        (sources(&[]), "no no yes yes no"),
        (sources(&[(CURRENT, said("said"))]), "yes no no yes no"),
        (
            sources(&[(CURRENT, said("said")), (PREVIOUS, said("old"))]),
            "yes yes no no no",
        ),
        (sources(&[(PREVIOUS, said("old"))]), "no yes yes no no"),
    ] {
        let secrets = WebhookSecrets::open(named).unwrap();
        assert_eq!(shown(&secrets, &folder, &offered), expected);
    }
}

#[test]
fn a_sender_without_a_secret_is_closed_or_open() {
    let offered = ["anything", ""];
    let folder = snapshot(&[("argocd", "", "\n")]);
    let closed = WebhookSecrets::open(sources(&[])).unwrap();
    assert_eq!(shown(&closed, &folder, &offered), "closed");
    let without = Without::Open;
    let open = WebhookSecrets::open(SecretSources {
        without,
        ..sources(&[])
    })
    .unwrap();
    assert_eq!(shown(&open, &folder, &offered), "yes yes");
    let secret = sources(&[(CURRENT, said("anything"))]);
    let enforced = WebhookSecrets::open(SecretSources { without, ..secret }).unwrap();
    assert_eq!(shown(&enforced, &folder, &offered), "yes no");
    let only_previous = WebhookSecrets::open(sources(&[(PREVIOUS, said("anything"))])).unwrap();
    assert_eq!(shown(&only_previous, &Snapshot::default(), &offered), "yes no");
}

#[test]
fn the_secret_of_our_namespace_comes_before_others() {
    let folder = snapshot(&[("argocd", "first", ""), ("hooks", "second", "")]);
    for (namespace, expected) in [
        (None, "yes no"),
        (Some("hooks"), "no yes"),
        (Some("elsewhere"), "yes no"),
    ] {
        let namespace = namespace.map(str::to_owned);
        let secrets = WebhookSecrets::open(SecretSources {
            namespace,
            ..sources(&[])
        })
        .unwrap();
        assert_eq!(shown(&secrets, &folder, &["first", "second"]), expected);
    }
}

#[test]
fn a_file_is_followed_and_what_it_said_last_stays() {
    let folder = tempfile::tempdir().unwrap();
    let (current, previous) = (folder.path().join("current"), folder.path().join("previous"));
    let named = sources(&[
        (CURRENT, Source::File(current.clone())),
        (PREVIOUS, Source::File(previous.clone())),
    ]);
    let missing = WebhookSecrets::open(named.clone()).err().unwrap().to_string();
    let expected = format!(
        "--docker-webhook-secret-file {}: there is no such file, or nothing in it",
        current.display()
    );
    assert_eq!(missing, expected);

    fs::write(&current, "one\n").unwrap();
    let secrets = WebhookSecrets::open(named).unwrap();
    let (mut told, empty, offered) = (BTreeSet::new(), Snapshot::default(), ["one", "two"]);
    assert!(!secrets.look(&mut told));
    assert_eq!(shown(&secrets, &empty, &offered), "yes no");

    fs::write(&current, "two\n").unwrap();
    fs::write(&previous, "one\n").unwrap();
    assert!(secrets.look(&mut told));
    assert_eq!(shown(&secrets, &empty, &offered), "yes yes");

    fs::remove_file(&previous).unwrap();
    assert!(secrets.look(&mut told));
    assert_eq!(shown(&secrets, &empty, &offered), "no yes");

    fs::remove_file(&current).unwrap();
    assert!(!secrets.look(&mut told));
    assert_eq!(told, BTreeSet::from([CURRENT]));
    assert_eq!(shown(&secrets, &empty, &offered), "no yes");

    fs::write(&current, "one").unwrap();
    assert!(secrets.look(&mut told));
    assert_eq!(
        (shown(&secrets, &empty, &offered).as_str(), told.is_empty()),
        ("yes no", true)
    );
}
