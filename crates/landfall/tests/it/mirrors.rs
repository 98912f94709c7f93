//! A registry that is asked under another address keeps its name in subscriptions, events and results.

use landfall_harness::{CountingProxy, ImageSpec, Uploader, manifests, wait};
use serde_json::Value;

use crate::world::{NEVER, PATIENCE, PROJECT, World, first_image, quiet_registry};

/// Docker Hub posts to the receiver of a project, and what it names is looked at in the mirror.
fn a_push_to_docker_hub(repo_url: &str, repository: &str, repo: &str, canonical: &str) {
    let registry = quiet_registry();
    let mirror = CountingProxy::start(registry.host()).unwrap();
    let mut uploader = Uploader::new(registry.host());
    uploader.put_image(repository, "1.0.0", &ImageSpec::new("one")).unwrap();
    let world = World::with(|landfall| landfall.arg(&format!("--registry-mirror=docker.io={}", mirror.url())));
    world.write("project.yaml", &manifests::dockerhub_project(PROJECT, "hub", "s3cret"));
    world.discovered("app", NEVER, repo_url, "");
    assert!(!mirror.take_requests().is_empty());
    let url = wait::until(PATIENCE, "the receiver's URL", || {
        let receivers = world.landfall.cli_json(&["receivers", "-o", "json"]).unwrap();
        let receivers = receivers.as_array().unwrap().clone();
        let hub = receivers.iter().find(|receiver| receiver["sender"] == "dockerhub")?;
        hub["url"].as_str().map(str::to_owned)
    })
    .unwrap();
    assert_eq!(
        url,
        world.landfall.url() + &manifests::receiver_path("dockerhub", PROJECT, "hub", "s3cret")
    );

    let new = uploader.put_image(repository, "1.0.1", &ImageSpec::new("two")).unwrap();
    let sent = World::command(&["send", "dockerhub", "--repo", repo, "--tag", "1.0.1", "--to", &url]);
    let said = String::from_utf8(sent.stdout).unwrap();
    assert!(sent.status.success(), "{}", String::from_utf8_lossy(&sent.stderr));
    assert!(
        said.starts_with("200 OK  {\"msg\":\"refreshed 1 warehouse(s)\"}"),
        "{said}"
    );
    let status = world.best("app", "1.0.1", &new);
    assert_eq!(first_image(&status)["repoURL"], repo_url);
    let repositories: Vec<Value> = world
        .settled()
        .iter()
        .map(|delivery| delivery["events"][0]["repository"].clone())
        .collect();
    assert_eq!(repositories, [canonical]);
}

#[test]
fn docker_hub_by_its_short_name() {
    a_push_to_docker_hub("example/app", "example/app", "example/app", "example/app");
}

#[test]
fn docker_hub_by_its_full_name() {
    a_push_to_docker_hub("docker.io/example/app", "example/app", "example/app", "example/app");
}

#[test]
fn an_official_image() {
    a_push_to_docker_hub("nginx", "library/nginx", "library/nginx", "nginx");
}
