//! What a registry is asked: as little as it takes, and nothing twice. Counted between landfall and a real registry.

use std::collections::{BTreeMap, BTreeSet};

use landfall_harness::{CountingProxy, ImageSpec, Platform, Registry, RequestLine, Uploader, wait};

use crate::world::{NEVER, PATIENCE, World, lines, quiet_registry, tags};

/// A registry behind a proxy that counts. Stories push past the proxy, so that it counts landfall's requests only.
struct Counted {
    registry: Registry,
    proxy: CountingProxy,
}

impl Counted {
    fn start() -> Self {
        let registry = quiet_registry();
        let proxy = CountingProxy::start(registry.host()).unwrap();
        Self { registry, proxy }
    }

    fn uploader(&self) -> Uploader {
        Uploader::new(self.registry.host())
    }

    fn repository(&self) -> String {
        format!("{}/app", self.proxy.host())
    }

    fn asked(&self) -> Vec<String> {
        lines(&self.proxy.take_requests())
    }
}

/// Puts one image under as many version tags.
fn put_versions(uploader: &mut Uploader, count: usize) {
    let manifest = ImageSpec::new("old").build().unwrap().manifest;
    uploader.put_image("app", "0.0.0", &ImageSpec::new("old")).unwrap();
    for patch in 1..count {
        uploader
            .put_manifest("app", &format!("0.0.{patch}"), &manifest)
            .unwrap();
    }
}

fn a_new_image_costs_two_requests(fields: &str, old_tags: usize) {
    let counted = Counted::start();
    let mut uploader = counted.uploader();
    put_versions(&mut uploader, old_tags);
    let world = World::start();
    world.discovered("app", NEVER, &counted.repository(), fields);
    assert!(!counted.asked().is_empty());

    let new = uploader
        .put_image(
            "app",
            "1.0.0",
            &ImageSpec::new("new").created("2024-01-02T03:04:05Z".parse().unwrap()),
        )
        .unwrap();
    let delivery = world.done(&world.pushed(&counted.proxy.host(), "app", "1.0.0"));
    world.best("app", "1.0.0", &new);
    assert_eq!(
        counted.asked(),
        ["GET /v2/app/manifests/1.0.0 200", "GET /v2/app/blobs/sha256:… 200"]
    );
    assert_eq!(delivery["work"][0]["attempts"][0]["requests"], 2);

    let manifest = uploader.manifest("app", "1.0.0").unwrap().unwrap();
    uploader.put_manifest("app", "1.0.1", &manifest).unwrap();
    world.done(&world.pushed(&counted.proxy.host(), "app", "1.0.1"));
    world.best("app", "1.0.1", &new);
    assert_eq!(counted.asked(), ["GET /v2/app/manifests/1.0.1 200"]);
}

#[test]
fn a_new_image_among_ten() {
    a_new_image_costs_two_requests("constraint: '>=0.0.0'", 10);
}

#[test]
fn a_new_image_among_a_thousand() {
    a_new_image_costs_two_requests("constraint: '>=0.0.0'", 1_000);
}

#[test]
fn the_newest_build_among_a_thousand() {
    a_new_image_costs_two_requests("imageSelectionStrategy: NewestBuild", 1_000);
}

#[test]
fn an_index_costs_two_requests_more_for_each_platform_unless_it_says_when_it_was_built() {
    let counted = Counted::start();
    let mut uploader = counted.uploader();
    uploader.put_image("app", "0.0.0", &ImageSpec::new("old")).unwrap();
    let world = World::start();
    world.discovered("app", NEVER, &counted.repository(), "");
    counted.asked();

    let of = |content: &str| {
        ["amd64", "arm64"].map(|architecture| {
            ImageSpec::new(format!("{content} {architecture}")).platform(Platform::new("linux", architecture))
        })
    };
    let silent = uploader
        .put_index("app", "1.0.0", &of("silent"), &BTreeMap::new())
        .unwrap();
    world.done(&world.pushed(&counted.proxy.host(), "app", "1.0.0"));
    world.best("app", "1.0.0", &silent);
    let asked = counted.asked();
    assert_eq!(asked.len(), 1 + 2 * 2, "{asked:#?}");
    assert_eq!(asked[0], "GET /v2/app/manifests/1.0.0 200");

    let created = [(
        "org.opencontainers.image.created".to_owned(),
        "2024-01-02T03:04:05Z".to_owned(),
    )];
    let dated = uploader
        .put_index("app", "1.1.0", &of("dated"), &BTreeMap::from(created))
        .unwrap();
    world.done(&world.pushed(&counted.proxy.host(), "app", "1.1.0"));
    world.best("app", "1.1.0", &dated);
    assert_eq!(counted.asked(), ["GET /v2/app/manifests/1.1.0 200"]);
}

#[test]
fn warehouses_that_share_a_repository_look_once_and_between_events_nobody_looks() {
    let counted = Counted::start();
    let mut uploader = counted.uploader();
    uploader.put_image("app", "0.0.0", &ImageSpec::new("old")).unwrap();
    let world = World::start();
    world.discovered("one", NEVER, &counted.repository(), "");
    world.discovered("two", NEVER, &counted.repository(), "constraint: '>=0.0.0'");
    counted.asked();

    let mut expected = Vec::new();
    for tag in ["1.0.0", "1.0.1"] {
        uploader.put_image("app", tag, &ImageSpec::new(tag)).unwrap();
        let delivery = world.done(&world.pushed(&counted.proxy.host(), "app", tag));
        assert_eq!(delivery["work"].as_array().unwrap().len(), 2);
        expected.push(format!("GET /v2/app/manifests/{tag} 200"));
        expected.push("GET /v2/app/blobs/sha256:… 200".to_owned());
    }
    // Everything since the first discovery: the two events', and not one more.
    assert_eq!(counted.asked(), expected);
    for name in ["one", "two"] {
        assert_eq!(tags(&world.status(name)), ["1.0.1", "1.0.0", "0.0.0"]);
    }
}

#[test]
fn a_new_warehouse_is_served_by_what_another_one_has_seen() {
    let counted = Counted::start();
    let mut uploader = counted.uploader();
    put_versions(&mut uploader, 5);
    let world = World::start();
    world.discovered("one", NEVER, &counted.repository(), "");
    counted.asked();
    world.discovered("two", NEVER, &counted.repository(), "constraint: '>=0.0.0'");
    // Pushes that nobody wanted so far are in no catalog, so it lists once; of what was seen nothing is fetched again: what it
    // would choose is confirmed, with requests that transfer nothing.
    let asked = counted.asked();
    let (listed, confirmed) = asked.split_first().unwrap();
    assert_eq!(listed, "GET /v2/app/tags/list 200");
    assert!(confirmed.iter().all(|line| line.starts_with("HEAD ")), "{asked:#?}");
}

#[test]
fn listing_again_fetches_nothing_twice_unless_a_tag_has_moved() {
    let counted = Counted::start();
    let mut uploader = counted.uploader();
    for tag in ["1.0.0", "1.1.0"] {
        uploader.put_image("app", tag, &ImageSpec::new(tag)).unwrap();
    }
    let world = World::start();
    world.discovered("app", "1s", &counted.repository(), "");
    let mut seen: Vec<RequestLine> = Vec::new();
    let mut until_listed = |times: usize| {
        let mut listed = 0;
        let what = "the interval's listings";
        wait::until(PATIENCE, what, || {
            let new = counted.proxy.take_requests();
            listed += new.iter().filter(|line| line.path.contains("/tags/list")).count();
            seen.extend(new);
            (listed >= times).then_some(())
        })
        .unwrap();
        std::mem::take(&mut seen)
    };
    let fetched = |requests: &[RequestLine]| -> Vec<String> {
        let gets = requests.iter().filter(|line| line.method == "GET");
        gets.filter(|line| !line.path.contains("/tags/list"))
            .map(|line| line.path.clone())
            .collect()
    };
    let first = fetched(&until_listed(3));
    let once: BTreeSet<&String> = first.iter().collect();
    assert_eq!((first.len(), once.len()), (4, 4), "{first:#?}");

    let moved = uploader.put_image("app", "1.1.0", &ImageSpec::new("moved")).unwrap();
    world.best("app", "1.1.0", &moved);
    let second = fetched(&until_listed(2));
    let image = ImageSpec::new("moved").build().unwrap();
    let config = landfall_harness::Digest::of(&image.config);
    assert_eq!(
        second,
        ["/v2/app/manifests/1.1.0".to_owned(), format!("/v2/app/blobs/{config}")]
    );
}

#[test]
fn a_restart_is_no_reason_to_list() {
    let counted = Counted::start();
    let mut uploader = counted.uploader();
    uploader.put_image("app", "1.0.0", &ImageSpec::new("old")).unwrap();
    let mut world = World::start();
    let before = world.discovered("app", NEVER, &counted.repository(), "");
    counted.asked();
    assert!(world.landfall.terminate().unwrap().success());
    world.landfall.restart().unwrap();
    assert_eq!(world.status("app"), before);
    world.landfall.kill9().unwrap();
    world.landfall.restart().unwrap();
    assert_eq!(world.status("app"), before);

    let new = uploader.put_image("app", "1.0.1", &ImageSpec::new("new")).unwrap();
    world.done(&world.pushed(&counted.proxy.host(), "app", "1.0.1"));
    world.best("app", "1.0.1", &new);
    assert_eq!(
        counted.asked(),
        ["GET /v2/app/manifests/1.0.1 200", "GET /v2/app/blobs/sha256:… 200"]
    );
}
