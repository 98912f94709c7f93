//! Webhook secrets come from files and from the Secret in the folder as well, and are exchanged while landfall runs, without a
//! delivery that is lost and without a restart.

use std::fs;
use std::path::Path;

use landfall_harness::http::{self, Request};
use landfall_harness::{manifests, wait};

use crate::world::{PATIENCE, World};

const HUB: &str = r#"{"push_data":{"tag":"1.2.3"},"repository":{"repo_name":"example/app"}}"#;

/// A landfall with Docker Hub's secrets in files below `folder`, and others' in the Secret.
fn world(folder: &Path) -> World {
    let flag = |name: &str, file: &str| format!("--docker-webhook-secret{name}-file={}", folder.join(file).display());
    World::with(|landfall| {
        landfall
            .arg(&flag("", "current"))
            .arg(&flag("-previous", "previous"))
            .arg("--log-level=trace")
    })
}

/// What Docker Hub is answered when it shows a secret.
fn hub(world: &World, secret: &str) -> u16 {
    let request = Request::new("POST", format!("/webhook?type=docker.io&secret={secret}")).body(HUB);
    http::send(&world.landfall.host(), &request).unwrap().status
}

/// What Harbor is answered when it shows a secret.
fn harbor(world: &World, secret: &str) -> u16 {
    let request = Request::new("POST", "/webhook?type=harbor")
        .header("Authorization", secret)
        .header("Content-Type", "application/json")
        .body(r#"{"type":"QUOTA_WARNING","event_data":{}}"#);
    http::send(&world.landfall.host(), &request).unwrap().status
}

/// Waits until secrets are answered as expected.
fn becomes(world: &World, answer: fn(&World, &str) -> u16, expected: &[(&str, u16)]) {
    let mut last = Vec::new();
    let found = wait::until(PATIENCE, "other secrets to be in force", || {
        last = expected.iter().map(|(secret, _)| answer(world, secret)).collect();
        expected
            .iter()
            .zip(&last)
            .all(|((_, status), found)| status == found)
            .then_some(())
    });
    found.unwrap_or_else(|error| panic!("{error}: {expected:?}, answered {last:?}\n{}", world.log()));
}

/// Replaces a file as a mounted volume does: at once.
fn replace(path: &Path, content: &str) {
    let new = path.with_extension("new");
    fs::write(&new, content).unwrap();
    fs::rename(new, path).unwrap();
}

#[test]
fn a_secret_in_a_file_is_exchanged_while_landfall_runs() {
    let folder = tempfile::tempdir().unwrap();
    let (current, previous) = (folder.path().join("current"), folder.path().join("previous"));
    fs::write(&current, "xyzzy-1\n").unwrap();
    let world = world(folder.path());
    assert_eq!([hub(&world, "xyzzy-1"), hub(&world, "xyzzy-2")], [200, 401]);
    // Whoever exchanges a secret makes the old one the previous one first; then there is no moment at which it is refused.
    replace(&previous, "xyzzy-1\n");
    replace(&current, "xyzzy-2\n");
    becomes(&world, hub, &[("xyzzy-2", 200), ("xyzzy-1", 200)]);
    world.says("a delivery shows the previous secret");
    fs::remove_file(&previous).unwrap();
    becomes(&world, hub, &[("xyzzy-2", 200), ("xyzzy-1", 401)]);
    // A file that is gone for a moment turns nobody away.
    fs::remove_file(&current).unwrap();
    world.says("the last secret stays in force");
    assert_eq!([hub(&world, "xyzzy-2"), hub(&world, "")], [200, 401]);
    assert!(!world.log().contains("xyzzy"), "{}", world.log());
}

#[test]
fn a_secret_in_the_folder_is_exchanged_while_landfall_runs() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("current"), "file").unwrap();
    let world = world(folder.path());
    assert_eq!(
        harbor(&world, "Bearer one"),
        400,
        "Harbor has no secret yet, so it is no type that is served"
    );
    let secret = |keys: &[(&str, &str)]| {
        let lines: String = keys
            .iter()
            .map(|(key, value)| format!("  webhook.{key}: {value}\n"))
            .collect();
        let head = "apiVersion: v1\nkind: Secret\nmetadata: {name: argocd-image-updater-secret, namespace: argocd}\nstringData:\n";
        manifests::write(&world.manifests(), "secret.yaml", &format!("{head}{lines}")).unwrap();
    };
    secret(&[("harbor-secret", "Bearer one"), ("docker-secret", "folder")]);
    becomes(&world, harbor, &[("Bearer one", 200), ("Bearer two", 401)]);
    // What a file says is not overruled.
    assert_eq!([hub(&world, "file"), hub(&world, "folder")], [200, 401]);
    secret(&[
        ("harbor-secret", "Bearer two"),
        ("harbor-secret-previous", "Bearer one"),
    ]);
    becomes(&world, harbor, &[("Bearer two", 200), ("Bearer one", 200)]);
    secret(&[("harbor-secret", "Bearer two")]);
    becomes(&world, harbor, &[("Bearer two", 200), ("Bearer one", 401)]);
}

#[test]
fn without_required_secrets_whoever_has_none_is_open_and_the_others_are_not() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("current"), "file").unwrap();
    let current = format!(
        "--docker-webhook-secret-file={}",
        folder.path().join("current").display()
    );
    let world = World::with(|landfall| landfall.arg(&current).arg("--webhook-require-secret=false"));
    assert_eq!([harbor(&world, "anything"), harbor(&world, "")], [200, 200]);
    assert_eq!([hub(&world, "file"), hub(&world, "anything")], [200, 401]);
}
