use super::*;

#[test]
fn one_platform() {
    let image = ImageSpec::new("hello")
        .created("2024-05-06T07:08:09Z".parse().unwrap())
        .platform(Platform::new("linux", "arm").with_variant("v7"))
        .annotation("a", "1")
        .label("l", "2")
        .build()
        .unwrap();
    let layer = Digest::of(&image.layer);
    let config = format!(
        r#"{{"created":"2024-05-06T07:08:09Z","os":"linux","architecture":"arm","variant":"v7","config":{{"Labels":{{"l":"2"}}}},"rootfs":{{"type":"layers","diff_ids":["{layer}"]}}}}"#
    );
    assert_eq!(String::from_utf8(image.config.clone()).unwrap(), config);
    let manifest = format!(
        r#"{{"schemaVersion":2,"mediaType":"{MANIFEST}","config":{{"mediaType":"{CONFIG}","digest":"{}","size":{}}},"layers":[{{"mediaType":"{LAYER}","digest":"{layer}","size":2048}}],"annotations":{{"a":"1"}}}}"#,
        Digest::of(config.as_bytes()),
        config.len(),
    );
    assert_eq!(String::from_utf8(image.manifest.bytes).unwrap(), manifest);
}

#[test]
fn digests_are_the_same_on_every_machine() {
    let image = ImageSpec::new("hello").build().unwrap();
    assert_eq!(
        image.manifest.digest().as_str(),
        "sha256:a91d0ddd71f71a78eac0ec12f329c71a8f9a34437f75463fd7081e8fac21bd30"
    );
    assert_ne!(
        image.manifest.digest(),
        ImageSpec::new("other").build().unwrap().manifest.digest()
    );
}

#[test]
fn several_platforms() {
    let images = ["amd64", "arm64"].map(|architecture| {
        ImageSpec::new(architecture)
            .platform(Platform::new("linux", architecture))
            .build()
            .unwrap()
    });
    let annotations = BTreeMap::from([("k".to_owned(), "v".to_owned())]);
    let index: serde_json::Value =
        serde_json::from_slice(&Manifest::index(&images, &annotations).unwrap().bytes).unwrap();
    let child = |image: &Image, architecture: &str| {
        serde_json::json!({
            "mediaType": MANIFEST,
            "digest": image.manifest.digest().as_str(),
            "size": image.manifest.bytes.len(),
            "platform": {"os": "linux", "architecture": architecture},
        })
    };
    assert_eq!(
        index,
        serde_json::json!({
            "schemaVersion": 2,
            "mediaType": INDEX,
            "manifests": [child(&images[0], "amd64"), child(&images[1], "arm64")],
            "annotations": {"k": "v"},
        })
    );
}

#[test]
fn digest_text() {
    let digest = Digest::of(b"");
    assert_eq!(
        digest.as_str(),
        "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
    );
    assert_eq!(Digest::parse(digest.as_str()), Some(digest.clone()));
    for text in ["", "sha256:", "sha256:AB", "sha512:00", digest.hex()] {
        assert_eq!(Digest::parse(text), None, "{text:?}");
    }
}

#[test]
fn tar_reads_the_layer() {
    let folder = tempfile::tempdir().unwrap();
    let archive = folder.path().join("layer.tar");
    std::fs::write(&archive, tar::single_file("payload", b"some bytes")).unwrap();
    let output = std::process::Command::new("tar")
        .arg("-xOf")
        .arg(&archive)
        .arg("payload")
        .output()
        .unwrap();
    assert_eq!(
        (output.stdout.as_slice(), output.stderr.as_slice()),
        (&b"some bytes"[..], &b""[..])
    );
}
