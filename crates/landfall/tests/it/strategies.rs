//! A push becomes the status that it was pushed for, with each way of choosing.

use landfall_harness::{Digest, ImageSpec, Platform, Uploader, wait};
use serde_json::{Value, json};

use crate::world::{NEVER, PATIENCE, World, conditions, first_image, skopeo_image, skopeo_index, states, tags};

/// An image of that content, built in that year.
fn image(content: &str, year: u16) -> ImageSpec {
    ImageSpec::new(content)
        .created(format!("{year}-01-02T03:04:05Z").parse().unwrap())
        .annotation("org.opencontainers.image.revision", content)
}

/// How a status shows such an image.
fn reference(tag: &str, digest: &Digest, content: &str, year: u16) -> Value {
    json!({
        "tag": tag,
        "digest": digest.as_str(),
        "createdAt": format!("{year}-01-02T03:04:05Z"),
        "annotations": { "org.opencontainers.image.revision": content },
    })
}

fn assert_well(status: &Value) {
    let expected = [
        "Healthy=True (ReconciliationSucceeded)",
        "Ready=True (ArtifactsDiscovered)",
    ];
    assert!(conditions(status).iter().eq(expected), "{status:#}");
    assert_eq!(status["observedGeneration"], 1);
}

/// A Warehouse knows `old`; then `new` is pushed, and moved.
fn a_push_is_chosen(fields: &str, old: &str, new: &str) {
    let world = World::start();
    let registry = world.registry();
    let repository = format!("{}/shop/api", registry.host());
    let first = Uploader::new(registry.host())
        .put_image("shop/api", old, &image("first", 2021))
        .unwrap();
    let status = world.discovered("api", NEVER, &repository, fields);
    assert_eq!(first_image(&status)["repoURL"], repository);
    assert_eq!(
        first_image(&status)["references"],
        json!([reference(old, &first, "first", 2021)])
    );
    assert_well(&status);

    let second = skopeo_image(&registry.host(), "shop/api", new, &image("second", 2022));
    let status = world.best("api", new, &second);
    assert_eq!(
        first_image(&status)["references"][0],
        reference(new, &second, "second", 2022)
    );
    assert_well(&status);

    let third = skopeo_image(&registry.host(), "shop/api", new, &image("third", 2023));
    let status = world.best("api", new, &third);
    assert_eq!(
        first_image(&status)["references"][0],
        reference(new, &third, "third", 2023)
    );
    assert_well(&status);
    for delivery in world.settled() {
        assert_eq!(delivery["targets"]["dead"], Value::Null, "{delivery:#}");
    }
}

#[test]
fn semver() {
    a_push_is_chosen("constraint: ^1.0.0", "1.9.0", "1.10.0");
}

#[test]
fn lexical() {
    a_push_is_chosen(
        "imageSelectionStrategy: Lexical\nallowTagsRegexes: [\"^nightly-\"]",
        "nightly-2021",
        "nightly-2022",
    );
}

#[test]
fn newest_build() {
    a_push_is_chosen("imageSelectionStrategy: NewestBuild", "zebra", "aardvark");
}

#[test]
fn digest() {
    a_push_is_chosen("imageSelectionStrategy: Digest\nconstraint: stable", "stable", "stable");
}

#[test]
fn a_platform_is_found_in_an_index_and_nothing_else_will_do() {
    let world = World::start();
    let registry = world.registry();
    let (host, arm) = (registry.host(), Platform::new("linux", "arm64"));
    let repository = format!("{host}/shop/api");
    let mut uploader = Uploader::new(&host);
    uploader
        .put_image("shop/api", "1.0.0", &image("only amd64", 2021))
        .unwrap();
    let single = uploader
        .put_image("shop/api", "1.1.0", &image("only arm64", 2021).platform(arm.clone()))
        .unwrap();
    let status = world.discovered("arm", NEVER, &repository, "platform: linux/arm64");
    assert_eq!(first_image(&status)["platform"], "linux/arm64");
    assert_eq!(
        first_image(&status)["references"],
        json!([reference("1.1.0", &single, "only arm64", 2021)])
    );
    let both = [image("amd64", 2022), image("arm64", 2022).platform(arm)];
    let index = skopeo_index(&host, "shop/api", "1.2.0", &both);
    let status = world.best("arm", "1.2.0", &index);
    assert_eq!(
        first_image(&status)["references"][0]["createdAt"],
        "2022-01-02T03:04:05Z"
    );
    assert_eq!(tags(&status), ["1.2.0", "1.1.0"]);
    assert_well(&status);
}

/// Waits for the registry's notification of a tag, and returns the delivery's id.
fn notified(world: &World, tag: &str) -> String {
    let found = wait::until(PATIENCE, "the registry's notification", || {
        let deliveries = world.deliveries();
        let of_tag = deliveries.iter().find(|delivery| delivery["events"][0]["tag"] == tag)?;
        of_tag["id"].as_str().map(str::to_owned)
    });
    found.unwrap()
}

#[test]
fn an_unwanted_tag_changes_nothing_and_says_why() {
    let world = World::start();
    let registry = world.registry();
    let repository = format!("{}/shop/api", registry.host());
    let mut uploader = Uploader::new(registry.host());
    uploader.put_image("shop/api", "1.0.0", &image("one", 2021)).unwrap();
    world.discovered("api", NEVER, &repository, "constraint: ^1.0.0");
    // The first tag's notification may come late, and would be one more look.
    world.done(&notified(&world, "1.0.0"));
    let before = world.status("api");
    uploader.put_image("shop/api", "2.0.0", &image("two", 2022)).unwrap();
    let id = notified(&world, "2.0.0");
    let delivery = world.done(&id);
    assert_eq!(states(&delivery), [""; 0]);
    let lines = &delivery["explanations"][0]["lines"];
    assert_eq!(
        (lines.as_array().unwrap().len(), &lines[0]["wanted"]),
        (1, &json!(false)),
        "{lines:#}"
    );
    assert_eq!(lines[0]["targets"], json!(["Warehouse shop/api"]));
    let reason = lines[0]["reason"].as_str().unwrap();
    assert!(reason.contains("2.0.0") && reason.contains("^1.0.0"), "{reason}");
    let told = world.landfall.cli(&["deliveries", "explain", &id]).unwrap();
    let told = String::from_utf8(told.stdout).unwrap();
    assert!(
        told.contains("not wanted by Warehouse shop/api") && told.contains(reason),
        "{told}"
    );
    assert_eq!(world.status("api"), before);
}

#[test]
fn several_warehouses_share_a_repository_and_each_gets_its_own() {
    let world = World::start();
    let registry = world.registry();
    let repository = format!("{}/shop/api", registry.host());
    let mut uploader = Uploader::new(registry.host());
    let one = uploader.put_image("shop/api", "1.0.0", &image("one", 2021)).unwrap();
    let dev = uploader.put_image("shop/api", "dev", &image("dev", 2021)).unwrap();
    let wishes = [
        ("stable", "constraint: ^1.0.0"),
        ("next", "constraint: '>=1.0.0'"),
        ("dev", "imageSelectionStrategy: Digest\nconstraint: dev"),
        ("any", "imageSelectionStrategy: Lexical"),
    ];
    for (name, fields) in wishes {
        world.warehouse(name, NEVER, &repository, fields);
    }
    for (name, tag, digest) in [
        ("stable", "1.0.0", &one),
        ("next", "1.0.0", &one),
        ("dev", "dev", &dev),
        ("any", "dev", &dev),
    ] {
        world.best(name, tag, digest);
    }
    let two = skopeo_image(&registry.host(), "shop/api", "2.0.0", &image("two", 2022));
    world.best("next", "2.0.0", &two);
    let _ = world.settled();
    assert_eq!(tags(&world.status("stable")), ["1.0.0"]);
    assert_eq!(tags(&world.status("next")), ["2.0.0", "1.0.0"]);
    assert_eq!(tags(&world.status("dev")), ["dev"]);
    assert_eq!(tags(&world.status("any")), ["dev", "2.0.0", "1.0.0"]);
}
