use std::time::{Duration, Instant};

use super::*;
use crate::image::Platform;
use crate::oci_layout;
use crate::registry::{Registry, RegistryConfig, Storage};

fn registry(credentials: Option<Credentials>) -> Registry {
    Registry::start(RegistryConfig {
        storage: Storage::Memory,
        credentials,
        ..RegistryConfig::default()
    })
    .unwrap()
}

fn platforms() -> Vec<ImageSpec> {
    [
        Platform::new("linux", "amd64"),
        Platform::new("linux", "arm").with_variant("v7"),
    ]
    .map(|platform| ImageSpec::new(format!("{platform:?}")).platform(platform))
    .to_vec()
}

fn annotations() -> BTreeMap<String, String> {
    BTreeMap::from([(
        "org.opencontainers.image.created".to_owned(),
        "2024-01-02T03:04:05Z".to_owned(),
    )])
}

#[test]
fn skopeo_and_the_uploader_push_the_same() {
    let registry = registry(None);
    let layout = tempfile::tempdir().unwrap();
    let spec = ImageSpec::new("one")
        .created("2024-01-02T03:04:05Z".parse().unwrap())
        .annotation("a", "b");
    let image = oci_layout::image(layout.path(), "v1", &spec).unwrap();
    let index = oci_layout::index(layout.path(), "multi", &platforms(), &annotations()).unwrap();
    let mut uploader = Uploader::new(registry.host());
    for (tag, expected) in [("v1", &image), ("multi", &index)] {
        let destination = format!("{}/by/skopeo:{tag}", registry.host());
        assert_eq!(
            &skopeo_copy(layout.path(), tag, &destination, None).unwrap(),
            expected,
            "{tag}"
        );
    }
    assert_eq!(uploader.put_image("by/uploader", "v1", &spec).unwrap(), image);
    assert_eq!(
        uploader
            .put_index("by/uploader", "multi", &platforms(), &annotations())
            .unwrap(),
        index
    );
    for reference in ["v1", "multi", image.as_str(), index.as_str()] {
        let by_skopeo = uploader.manifest("by/skopeo", reference).unwrap().unwrap();
        assert_eq!(
            Some(by_skopeo),
            uploader.manifest("by/uploader", reference).unwrap(),
            "{reference}"
        );
    }
    let output = Command::new("skopeo")
        .args([
            "inspect",
            "--tls-verify=false",
            &format!("docker://{}/by/uploader:v1", registry.host()),
        ])
        .output()
        .unwrap();
    let inspected: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(
        (&inspected["Digest"], &inspected["Created"], &inspected["Architecture"]),
        (&image.as_str().into(), &"2024-01-02T03:04:05Z".into(), &"amd64".into())
    );
}

#[test]
fn credentials_let_in() {
    for credentials in [Credentials::fixed(), Credentials::new("ann", "another secret")] {
        let registry = registry(Some(credentials.clone()));
        let layout = tempfile::tempdir().unwrap();
        let image = oci_layout::image(layout.path(), "v1", &ImageSpec::new("one")).unwrap();
        let destination = format!("{}/app:v1", registry.host());
        let refused = skopeo_copy(layout.path(), "v1", &destination, None)
            .unwrap_err()
            .to_string();
        assert!(refused.contains("skopeo could not copy to"), "{refused}");
        assert_eq!(
            skopeo_copy(layout.path(), "v1", &destination, Some(&credentials)).unwrap(),
            image
        );
        for (uploader, accepted) in [
            (Uploader::new(registry.host()), false),
            (
                Uploader::new(registry.host()).with_credentials(&Credentials::new("ann", "wrong")),
                false,
            ),
            (Uploader::new(registry.host()).with_credentials(&credentials), true),
        ] {
            let mut uploader = uploader;
            assert_eq!(
                uploader.put_image("app", "v2", &ImageSpec::new("two")).is_ok(),
                accepted
            );
        }
    }
}

#[test]
fn tags_come_and_go() {
    let mut registry = registry(None);
    let mut uploader = Uploader::new(registry.host());
    let one = uploader.put_image("app", "v1", &ImageSpec::new("one")).unwrap();
    let manifest = uploader.manifest("app", "v1").unwrap().unwrap();
    assert_eq!(uploader.tag_existing("app", "also-v1", &manifest.bytes).unwrap(), one);
    uploader.put_image("app", "v2", &ImageSpec::new("two")).unwrap();
    assert_eq!(uploader.delete_tag("app", "v1").unwrap(), Some(one));
    assert_eq!(uploader.delete_tag("app", "v1").unwrap(), None);
    let tags = crate::http::get(&format!("{}/v2/app/tags/list", registry.url()))
        .unwrap()
        .json()
        .unwrap();
    assert_eq!(tags, serde_json::json!({"name": "app", "tags": ["v2"]}));
    // The kept connection does not outlive the registry; the uploader opens another.
    registry.restart().unwrap();
    assert_eq!(uploader.manifest("app", "v2").unwrap(), None);
    registry.stop();
    assert!(uploader.manifest("app", "v2").is_err());
    assert!(uploader.tag_existing("app", "v3", b"{}").is_err());
}

#[test]
fn a_thousand_tags_in_seconds() {
    let registry = registry(None);
    let mut uploader = Uploader::new(registry.host());
    uploader.put_image("app", "v0", &ImageSpec::new("one")).unwrap();
    let manifest = uploader.manifest("app", "v0").unwrap().unwrap();
    let started = Instant::now();
    for n in 1..=1000 {
        uploader.tag_existing("app", &format!("v{n}"), &manifest.bytes).unwrap();
    }
    let took = started.elapsed();
    assert!(took < Duration::from_secs(30), "{took:?}");
    println!("a thousand tags took {took:?}");
    // The uploader's blobs went up once: two requests each for layer and configuration.
    assert_eq!(
        registry
            .requests(|line| line.path.contains("/blobs/uploads/"))
            .unwrap()
            .len(),
        4
    );
}
