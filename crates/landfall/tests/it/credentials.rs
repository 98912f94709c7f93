//! Credentials for registries: who gets in, who does not, and that what one project may see is not another one's to see.

use landfall_harness::{Credentials, ImageSpec, Registry, RegistryConfig, Storage, Uploader, manifests, wait};
use serde_json::Value;

use crate::world::{NEVER, PATIENCE, PROJECT, World, message, tags};

fn guarded_registry() -> Registry {
    Registry::start(RegistryConfig {
        storage: Storage::Memory,
        credentials: Some(Credentials::fixed()),
        ..RegistryConfig::default()
    })
    .unwrap()
}

fn uploader(registry: &Registry) -> Uploader {
    let mut uploader = Uploader::new(registry.host()).with_credentials(&Credentials::fixed());
    uploader.put_image("app", "1.0.0", &ImageSpec::new("one")).unwrap();
    uploader
}

/// Landfall that comes back to what failed within a second.
fn hasty() -> World {
    World::with(|landfall| landfall.arg("--retry-max-delay=1s"))
}

fn is_discovered(status: &Value) -> bool {
    tags(status) == ["1.0.0"]
}

#[test]
fn a_secret_for_the_repository_opens_it() {
    let registry = guarded_registry();
    let mut uploader = uploader(&registry);
    let (world, repository) = (World::start(), format!("{}/app", registry.host()));
    world.write(
        "secret.yaml",
        &manifests::image_credentials("creds", PROJECT, &repository, &Credentials::fixed()),
    );
    world.discovered("app", NEVER, &repository, "");
    let new = uploader.put_image("app", "1.0.1", &ImageSpec::new("two")).unwrap();
    world.done(&world.pushed(&registry.host(), "app", "1.0.1"));
    world.best("app", "1.0.1", &new);
}

#[test]
fn a_secret_for_a_pattern_opens_what_it_covers() {
    let registry = guarded_registry();
    let mut uploader = uploader(&registry);
    uploader.put_image("other", "1.0.0", &ImageSpec::new("one")).unwrap();
    let (world, credentials) = (hasty(), Credentials::fixed());
    let pattern = format!("^{}/ap+$", registry.host().replace('.', "\\."));
    let secret = manifests::image_credentials("creds", PROJECT, &pattern, &credentials);
    world.write("secret.yaml", &(secret + "  repoURLIsRegex: \"true\"\n"));
    world.discovered("app", NEVER, &format!("{}/app", registry.host()), "");
    world.warehouse("other", NEVER, &format!("{}/other", registry.host()), "");
    let status = world.status_when("other", "a refusal", |status| {
        message(status, "Ready").contains("it wants credentials, and there are none for it")
    });
    assert_eq!(tags(&status), [""; 0]);
}

#[test]
fn a_wrong_password_is_said_and_not_shown_and_a_mended_secret_works() {
    let registry = guarded_registry();
    let _uploader = uploader(&registry);
    let (world, repository) = (hasty(), format!("{}/app", registry.host()));
    let secret = |password: &str| {
        let credentials = Credentials::new(Credentials::fixed().username, password);
        world.write(
            "secret.yaml",
            &manifests::image_credentials("creds", PROJECT, &repository, &credentials),
        );
    };
    secret("open-sesame");
    world.warehouse("app", NEVER, &repository, "");
    let status = world.status_when("app", "a refusal", |status| {
        message(status, "Ready").contains(&registry.host())
    });
    let said = message(&status, "Ready");
    assert!(said.contains("it rejects the user name or password"), "{said}");
    assert!(!status.to_string().contains("open-sesame"), "{status:#}");
    secret(&Credentials::fixed().password);
    let status = world.status_when("app", "the mended Secret to work", is_discovered);
    for password in ["open-sesame", &Credentials::fixed().password] {
        assert!(!status.to_string().contains(password), "{status:#}");
        assert!(!world.log().contains(password), "{}", world.log());
    }
}

#[test]
fn a_project_without_credentials_never_sees_what_another_one_sees() {
    let registry = guarded_registry();
    let mut uploader = uploader(&registry);
    let (world, repository) = (hasty(), format!("{}/app", registry.host()));
    world.write(
        "secret.yaml",
        &manifests::image_credentials("creds", PROJECT, &repository, &Credentials::fixed()),
    );
    world.discovered("app", NEVER, &repository, "");
    let subscription = manifests::image_subscription(&repository, "");
    world.write(
        "other.yaml",
        &manifests::warehouse("app", "other", NEVER, &subscription),
    );
    let args = ["get", "warehouses", "-n", "other", "app", "-o", "json"];
    wait::until(PATIENCE, "the other project's refusal", || {
        let other = world.landfall.cli_json(&args).ok()?;
        message(&other["status"], "Ready")
            .contains(&registry.host())
            .then_some(())
    })
    .unwrap();
    let new = uploader.put_image("app", "1.0.1", &ImageSpec::new("two")).unwrap();
    let id = world.pushed(&registry.host(), "app", "1.0.1");
    world.best("app", "1.0.1", &new);
    let of_other = |delivery: &Value| {
        let work = delivery["work"].as_array().unwrap().clone();
        work.into_iter().find(|work| work["target"] == "Warehouse other/app")
    };
    let delivery = world.delivery_when(&id, "the other project's attempt", |delivery| {
        of_other(delivery).is_some_and(|work| !work["attempts"].as_array().unwrap().is_empty())
    });
    let attempt = of_other(&delivery).unwrap()["attempts"][0].to_string();
    assert!(!attempt.contains("1.0.0") && !attempt.contains("sha256:"), "{attempt}");
    let other = world.landfall.cli_json(&args).unwrap();
    assert_eq!(other["status"]["discoveredArtifacts"], Value::Null, "{other:#}");
    assert!(
        message(&other["status"], "Ready").contains(&registry.host()),
        "{other:#}"
    );
}

#[test]
fn the_shared_namespace_serves_every_project() {
    let registry = guarded_registry();
    let _uploader = uploader(&registry);
    let world = World::with(|landfall| landfall.arg("--shared-resources-namespace=shared"));
    let repository = format!("{}/app", registry.host());
    world.write(
        "secret.yaml",
        &manifests::image_credentials("creds", "shared", &repository, &Credentials::fixed()),
    );
    let status = world.discovered("app", NEVER, &repository, "");
    assert!(is_discovered(&status), "{status:#}");
}
