//! What manifests say, what a catalog keeps of looks and listings, and what a Warehouse's status says of it all.

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::Timestamp;
use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;
use crate::artifact::{Digest, Tag};
use crate::journal::Setback;
use crate::resource::status::{
    ChartDiscoveryResult, ConditionStatus, Conditions, DiscoveredArtifacts, DiscoveredImageReference, DiscoveryResult,
    GitDiscoveryResult, ImageDiscoveryResult, NewCondition, WarehouseStatus,
};
use crate::selection::{Choice, LeftOut, Reference};

const OCI: &str = "application/vnd.oci.image.manifest.v1+json";
const OCI_INDEX: &str = "application/vnd.oci.image.index.v1+json";
const DOCKER: &str = "application/vnd.docker.distribution.manifest.v2+json";
const DOCKER_LIST: &str = "application/vnd.docker.distribution.manifest.list.v2+json";
const OCI_CONFIG: &str = "application/vnd.oci.image.config.v1+json";
const DOCKER_CONFIG: &str = "application/vnd.docker.container.image.v1+json";
const CREATED: &str = "org.opencontainers.image.created";
const BUILD_DATE: &str = "org.label-schema.build-date";

fn digest(number: usize) -> Digest {
    Digest::parse(&format!("sha256:{number:064x}")).unwrap()
}

fn tag(text: &str) -> Tag {
    Tag::parse(text).unwrap()
}

/// A time on the first of January 2026, in hours.
fn at(hour: i64) -> Timestamp {
    Timestamp::from_second(1_767_225_600 + 3600 * hour).unwrap()
}

fn texts(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
    pairs
        .iter()
        .map(|(key, value)| ((*key).to_owned(), (*value).to_owned()))
        .collect()
}

fn reference(media_type: &str, number: usize) -> Value {
    json!({ "mediaType": media_type, "digest": digest(number).as_str(), "size": 7 })
}

/// An index's reference to the image of `os/architecture[/variant]`.
fn child(number: usize, platform: &str) -> Value {
    let mut child = reference(OCI, number);
    let parts: Vec<&str> = platform.split('/').collect();
    child["platform"] = json!({ "os": parts[0], "architecture": parts[1] });
    if let Some(variant) = parts.get(2) {
        child["platform"]["variant"] = json!(variant);
    }
    child
}

fn child_image(number: usize, platform: &str, annotations: &[(&str, &str)], created: Option<Timestamp>) -> ChildImage {
    ChildImage {
        digest: digest(number),
        platform: platform.parse().unwrap(),
        annotations: texts(annotations),
        created,
    }
}

fn image(created: Option<Timestamp>, annotations: &[(&str, &str)]) -> Manifest {
    Manifest::Image {
        config: digest(1),
        annotations: texts(annotations),
        created,
    }
}

fn unusable<T>(reason: &str) -> Result<T, Unusable> {
    Err(Unusable(reason.to_owned()))
}

fn check_manifest(what: &str, media_type: &str, body: Value, expected: Result<Manifest, Unusable>) {
    assert_eq!(
        read_manifest(media_type, body.to_string().as_bytes()),
        expected,
        "{what}"
    );
}

#[test]
fn images() {
    let oci = json!({ "schemaVersion": 2, "mediaType": OCI, "config": reference(OCI_CONFIG, 1), "layers": [] });
    let docker =
        json!({ "schemaVersion": 2, "mediaType": DOCKER, "config": reference(DOCKER_CONFIG, 1), "layers": [] });
    let with = |change: fn(&mut Value)| {
        let mut body = oci.clone();
        change(&mut body);
        body
    };
    let bare = with(|body| drop(body.as_object_mut().unwrap().remove("mediaType")));
    let plain = || Ok(image(None, &[]));
    let rows = [
        ("OCI", OCI, oci.clone(), plain()),
        ("Docker", DOCKER, docker.clone(), plain()),
        (
            "charset",
            "application/vnd.oci.image.manifest.v1+json; charset=utf-8",
            oci.clone(),
            plain(),
        ),
        (
            "upper case",
            "Application/VND.oci.image.manifest.v1+JSON",
            oci.clone(),
            plain(),
        ),
        ("no mediaType", OCI, bare.clone(), plain()),
        ("vague Content-Type", "application/json", docker, plain()),
        ("no Content-Type", "", oci.clone(), plain()),
        ("neither", "text/plain; charset=utf-8", bare, plain()),
        ("no layers", OCI, with(|body| body["layers"] = Value::Null), plain()),
        (
            "created",
            OCI,
            with(|body| body["annotations"] = json!({ CREATED: "2026-01-01T02:00:00+01:00" })),
            Ok(image(Some(at(1)), &[(CREATED, "2026-01-01T02:00:00+01:00")])),
        ),
        (
            "the first key that can be read counts",
            OCI,
            with(|body| body["annotations"] = json!({ BUILD_DATE: "2026-01-01T02:00:00Z", CREATED: "today", "n": 7 })),
            Ok(image(
                Some(at(2)),
                &[(BUILD_DATE, "2026-01-01T02:00:00Z"), (CREATED, "today")],
            )),
        ),
        (
            "annotations are a list",
            OCI,
            with(|body| body["annotations"] = json!(["a"])),
            plain(),
        ),
        (
            "a chart",
            OCI,
            with(|body| body["config"]["mediaType"] = json!("application/vnd.cncf.helm.config.v1+json")),
            unusable(
                "its configuration has the media type \"application/vnd.cncf.helm.config.v1+json\", which is no image's",
            ),
        ),
        (
            "an artifact",
            OCI,
            with(|body| {
                body["artifactType"] = json!("application/vnd.example.sbom");
                body["config"]["mediaType"] = json!("application/vnd.oci.empty.v1+json");
            }),
            unusable("its configuration has the media type \"application/vnd.oci.empty.v1+json\", which is no image's"),
        ),
        (
            "no config",
            OCI,
            with(|body| body["config"] = Value::Null),
            unusable("its configuration has the media type \"\", which is no image's"),
        ),
        (
            "a broken digest",
            OCI,
            with(|body| body["config"]["digest"] = json!("sha256:00")),
            unusable("its manifest names no configuration"),
        ),
        (
            "a list",
            OCI,
            json!([]),
            unusable("its configuration has the media type \"\", which is no image's"),
        ),
        (
            "schema 1",
            "application/vnd.docker.distribution.manifest.v1+prettyjws",
            json!({ "schemaVersion": 1, "fsLayers": [] }),
            unusable(
                "its manifest has the media type \"application/vnd.docker.distribution.manifest.v1+prettyjws\", which is no image",
            ),
        ),
        (
            "an endless media type",
            "",
            json!({ "mediaType": "x".repeat(5000), "config": {} }),
            unusable(&format!(
                "its manifest has the media type \"{}\", which is no image",
                "x".repeat(100)
            )),
        ),
    ];
    for (what, media_type, body, expected) in rows {
        check_manifest(what, media_type, body, expected);
    }
    let broken = read_manifest(OCI, b"{").map_err(|unusable| unusable.0);
    assert_eq!(
        broken,
        Err("its manifest is not JSON: EOF while parsing an object at line 1 column 1".to_owned())
    );
}

#[test]
fn indexes() {
    let attestation = || {
        let mut attestation = child(9, "unknown/unknown");
        attestation["annotations"] = json!({ "vnd.docker.reference.type": "attestation-manifest" });
        attestation
    };
    let index = |manifests: Value| json!({ "schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": manifests });
    let of = |children: Vec<ChildImage>| {
        Ok(Manifest::Index {
            annotations: BTreeMap::new(),
            created: None,
            children,
        })
    };
    let two = || {
        vec![
            child_image(1, "linux/amd64", &[], None),
            child_image(2, "linux/arm/v7", &[], None),
        ]
    };
    let both = index(json!([
        child(1, "linux/amd64"),
        attestation(),
        child(2, "linux/arm/v7"),
        attestation()
    ]));
    let mut list = both.clone();
    list["mediaType"] = json!(DOCKER_LIST);
    let mut bare = both.clone();
    bare.as_object_mut().unwrap().remove("mediaType");
    let mut dated = index(json!([child(1, "linux/amd64")]));
    dated["annotations"] = json!({ CREATED: "2026-01-01T03:00:00Z" });
    dated["manifests"][0]["annotations"] = json!({ BUILD_DATE: "2026-01-01T04:00:00Z" });
    let mut odd = child(3, "linux/amd64");
    odd["digest"] = json!("sha256:0");
    let nested = json!({ "mediaType": OCI_INDEX, "digest": digest(4).as_str(), "platform": { "os": "linux", "architecture": "s390x" } });
    let none = || unusable("its index names no image for a known platform");
    let rows = [
        ("OCI", OCI_INDEX, both.clone(), of(two())),
        ("Docker", DOCKER_LIST, list.clone(), of(two())),
        (
            "charset",
            "application/vnd.oci.image.index.v1+json;charset=UTF-8",
            both,
            of(two()),
        ),
        ("no mediaType", OCI_INDEX, bare.clone(), of(two())),
        ("vague Content-Type", "application/octet-stream", list, of(two())),
        ("neither", "application/json", bare, of(two())),
        (
            "dates",
            OCI_INDEX,
            dated,
            Ok(Manifest::Index {
                annotations: texts(&[(CREATED, "2026-01-01T03:00:00Z")]),
                created: Some(at(3)),
                children: vec![child_image(
                    1,
                    "linux/amd64",
                    &[(BUILD_DATE, "2026-01-01T04:00:00Z")],
                    Some(at(4)),
                )],
            }),
        ),
        ("attestations alone", OCI_INDEX, index(json!([attestation()])), none()),
        ("no platform", OCI_INDEX, index(json!([reference(OCI, 1)])), none()),
        ("no architecture", OCI_INDEX, index(json!([child(1, "linux/")])), none()),
        (
            "unknown system",
            OCI_INDEX,
            index(json!([child(1, "unknown/amd64")])),
            none(),
        ),
        ("empty", OCI_INDEX, index(json!([])), none()),
        ("no list", OCI_INDEX, index(json!({})), none()),
        (
            "odd entries",
            OCI_INDEX,
            index(json!([7, null, odd, child(1, "linux/amd64")])),
            of(vec![child_image(1, "linux/amd64", &[], None)]),
        ),
        // What it refers to shows when it is fetched.
        (
            "nested",
            OCI_INDEX,
            index(json!([nested])),
            of(vec![child_image(4, "linux/s390x", &[], None)]),
        ),
    ];
    for (what, media_type, body, expected) in rows {
        check_manifest(what, media_type, body, expected);
    }
}

#[test]
fn configurations() {
    let facts = |created: Option<Timestamp>, platform: Option<&str>| {
        Ok(ConfigFacts {
            created,
            platform: platform.map(|platform| platform.parse().unwrap()),
        })
    };
    let labels = |created: &str, labels: Value| json!({ "created": created, "config": { "Labels": labels } });
    let rows = [
        ("nothing", json!({}), facts(None, None)),
        (
            "nulls",
            json!({ "created": null, "config": null, "os": null }),
            facts(None, None),
        ),
        (
            "empty texts",
            json!({ "created": "", "os": "", "architecture": "" }),
            facts(None, None),
        ),
        (
            "platform",
            json!({ "os": "linux", "architecture": "arm", "variant": "v7" }),
            facts(None, Some("linux/arm/v7")),
        ),
        ("half a platform", json!({ "os": "linux" }), facts(None, None)),
        (
            "unknown",
            json!({ "os": "unknown", "architecture": "unknown" }),
            facts(None, None),
        ),
        (
            "created",
            json!({ "created": "2026-01-01T01:00:00Z" }),
            facts(Some(at(1)), None),
        ),
        (
            "the beginning of Go's time",
            json!({ "created": "0001-01-01T00:00:00Z" }),
            facts(Some("0001-01-01T00:00:00Z".parse().unwrap()), None),
        ),
        (
            "a later label",
            labels("2026-01-01T01:00:00Z", json!({ CREATED: "2026-01-01T02:00:00Z" })),
            facts(Some(at(2)), None),
        ),
        (
            "an earlier label",
            labels("2026-01-01T01:00:00Z", json!({ BUILD_DATE: "2025-01-01T02:00:00Z" })),
            facts(Some(at(1)), None),
        ),
        (
            "a label alone",
            labels("", json!({ BUILD_DATE: "2026-01-01T05:00:00Z", CREATED: "?" })),
            facts(Some(at(5)), None),
        ),
        (
            "labels are null",
            labels("2026-01-01T01:00:00Z", Value::Null),
            facts(Some(at(1)), None),
        ),
        (
            "broken",
            json!({ "created": "yesterday" }),
            unusable("its configuration has the creation time \"yesterday\""),
        ),
        ("a list", json!([]), unusable("its configuration is not a JSON object")),
    ];
    for (what, body, expected) in rows {
        assert_eq!(read_config(body.to_string().as_bytes()), expected, "{what}");
    }
    let empty = read_config(b"").map_err(|unusable| unusable.0);
    assert_eq!(
        empty,
        Err("its configuration is not JSON: EOF while parsing a value at line 1 column 0".to_owned())
    );
}

#[test]
fn facts_of_an_image() {
    let annotations = texts(&[("a", "b")]);
    let config = |created, platform: Option<&str>| ConfigFacts {
        created,
        platform: platform.map(|p| p.parse().unwrap()),
    };
    let facts = |created, platforms: &[&str]| Facts {
        created,
        annotations: annotations.clone(),
        platforms: platforms
            .iter()
            .map(|platform| PlatformFacts {
                platform: platform.parse().unwrap(),
                annotations: BTreeMap::new(),
            })
            .collect(),
    };
    let rows = [
        (None, config(None, None), facts(None, &[])),
        (
            Some(at(1)),
            config(Some(at(2)), Some("linux/amd64")),
            facts(Some(at(1)), &["linux/amd64"]),
        ),
        (
            None,
            config(Some(at(2)), Some("linux/arm/v7")),
            facts(Some(at(2)), &["linux/arm/v7"]),
        ),
    ];
    for (created, config, expected) in rows {
        assert_eq!(
            Manifest::image_facts(annotations.clone(), created, config.clone()),
            expected,
            "{created:?} {config:?}"
        );
    }
}

#[test]
fn facts_of_an_index() {
    let platforms = |named: &[(&str, &[(&str, &str)])]| -> Vec<PlatformFacts> {
        named
            .iter()
            .map(|(platform, annotations)| PlatformFacts {
                platform: platform.parse().unwrap(),
                annotations: texts(annotations),
            })
            .collect()
    };
    let children = |first, second| {
        vec![
            child_image(1, "linux/amd64", &[("who", "amd")], first),
            child_image(2, "linux/arm64", &[], second),
        ]
    };
    let rows = [
        (None, (None, None), None),
        (None, (Some(at(1)), None), Some(at(1))),
        (None, (Some(at(1)), Some(at(3))), Some(at(3))),
        (Some(at(2)), (Some(at(1)), Some(at(3))), Some(at(2))),
    ];
    for (own, (first, second), expected) in rows {
        let found = Manifest::index_facts(texts(&[("a", "b")]), own, children(first, second));
        let expected = Facts {
            created: expected,
            annotations: texts(&[("a", "b")]),
            platforms: platforms(&[("linux/amd64", &[("who", "amd")]), ("linux/arm64", &[])]),
        };
        assert_eq!(found, expected, "{own:?} {first:?} {second:?}");
        let kept = serde_json::to_value(Seen::Image(found.clone())).unwrap();
        assert_eq!(serde_json::from_value::<Seen>(kept).unwrap(), Seen::Image(found));
    }
}

fn holds(what: &str) -> Arc<Seen> {
    Arc::new(Seen::Unusable(Unusable(what.to_owned())))
}

/// The tags of a catalog, each with the hour of the look at it.
fn tags(catalog: &Catalog) -> Vec<(&str, Option<Timestamp>)> {
    let tags = catalog.tags.iter();
    tags.map(|(tag, observation)| (tag.as_str(), observation.as_ref().map(|observation| observation.seen)))
        .collect()
}

#[test]
fn a_listing_takes_over_and_keeps_what_was_seen_since() {
    let mut catalog = Catalog::default();
    assert!(!catalog.listed_after(Timestamp::MIN, Timestamp::MAX));
    catalog.take_listing([tag("a"), tag("b"), tag("c")], at(1));
    assert_eq!(tags(&catalog), [("a", None), ("b", None), ("c", None)]);
    catalog.note(tag("a"), digest(1), holds("a"), at(2));
    catalog.note(tag("b"), digest(1), holds("never kept: the digest is known"), at(5));
    catalog.note(tag("new"), digest(2), holds("new"), at(6));
    // It began before the looks at b and at the new tag, so that it may not have them yet.
    assert_eq!(catalog.take_listing([tag("c"), tag("d")], at(5)), []);
    assert_eq!(
        tags(&catalog),
        [("b", Some(at(5))), ("c", None), ("d", None), ("new", Some(at(6)))]
    );
    assert_eq!(catalog.seen(&tag("b")), Some((&digest(1), holds("a").as_ref())));
    assert_eq!(catalog.seen(&tag("c")), None);
    assert_eq!(catalog.seen(&tag("nowhere")), None);
    // Of what no tag points at, nothing is kept.
    assert_eq!(catalog.take_listing([tag("new")], at(7)), [digest(1)]);
    assert_eq!(catalog.contents.keys().collect::<Vec<_>>(), [&digest(2)]);
    assert_eq!(tags(&catalog), [("new", Some(at(6)))]);
    for (since, now, expected) in [(6, 9, true), (7, 9, false), (6, 7, true), (6, 6, false)] {
        assert_eq!(catalog.listed_after(at(since), at(now)), expected, "{since} {now}");
    }
    catalog.take_listing([], at(8));
    assert_eq!(tags(&catalog), []);
}

#[test]
fn looks_count_from_when_they_began() {
    let mut catalog = Catalog::default();
    catalog.take_listing([tag("listed")], at(1));
    catalog.note(tag("seen"), digest(1), holds("x"), at(3));
    catalog.note_absent(&tag("gone"), at(3));
    for (name, since, now, expected) in [
        ("seen", 2, 9, true),
        ("seen", 3, 3, true),
        ("seen", 4, 9, false),
        ("gone", 3, 9, true),
        ("gone", 4, 9, false),
        ("listed", 0, 9, false),
        ("other", 0, 9, false),
        // The clock was set back.
        ("seen", 1, 2, false),
        ("gone", 1, 2, false),
    ] {
        assert_eq!(
            catalog.looked_since(&tag(name), at(since), at(now)),
            expected,
            "{name} {since} {now}"
        );
    }
}

/// A tag is there or absent, whatever was noted in whichever order.
#[test]
fn a_tag_that_comes_and_goes() {
    let mut catalog = Catalog::default();
    let late = tag("late");
    catalog.note_absent(&late, at(1));
    assert_eq!(catalog.absent.get(&late), Some(&at(1)));
    catalog.note(late.clone(), digest(1), holds("x"), at(2));
    assert_eq!((catalog.absent.len(), tags(&catalog)), (0, vec![("late", Some(at(2)))]));
    catalog.note_absent(&late, at(3));
    assert_eq!((catalog.absent.get(&late), tags(&catalog)), (Some(&at(3)), vec![]));
    // A listing that lacks it says nothing new.
    catalog.take_listing([tag("other")], at(4));
    assert_eq!(
        (catalog.absent.get(&late), tags(&catalog)),
        (Some(&at(3)), vec![("other", None)])
    );
    // Once it is listed, a look in vain must not answer for it any longer: a choice would ask for it again and again.
    catalog.take_listing([tag("other"), late.clone()], at(5));
    assert_eq!(
        (catalog.absent.len(), tags(&catalog)),
        (0, vec![("late", None), ("other", None)])
    );
    assert!(!catalog.looked_since(&late, Timestamp::MIN, at(9)));
}

/// Where one tag alone is followed nothing is ever listed, and it may move with each push.
#[test]
fn what_a_tag_held_before_it_moved_is_forgotten() {
    let holds = || Arc::new(Seen::Unusable(Unusable("no image".to_owned())));
    let mut catalog = Catalog::default();
    assert_eq!(catalog.note(tag("latest"), digest(1), holds(), at(1)), []);
    // The image of one platform, which no tag points at.
    catalog.contents.insert(digest(9), holds());
    assert_eq!(catalog.note(tag("latest"), digest(1), holds(), at(2)), []);
    let mut forgotten = catalog.note(tag("latest"), digest(2), holds(), at(3));
    forgotten.sort();
    assert_eq!(forgotten, [digest(1), digest(9)]);
    assert_eq!(catalog.contents.len(), 1);
    // What is listed is forgotten with the next listing: the others may be needed until then.
    catalog.take_listing([tag("latest")], at(4));
    assert_eq!(catalog.note(tag("latest"), digest(3), holds(), at(5)), []);
}

fn outcome(repo_url: &str, name: &str, references: Vec<Reference>) -> Discovered {
    Discovered {
        label: format!("subscription 1 (image {repo_url})"),
        subject: Some(subject(repo_url, name)),
        outcome: Ok(Choice {
            candidates: references.len() + 1,
            references,
            left_out: vec![LeftOut {
                tag: tag("9.9.9"),
                reason: "it is a chart".to_owned(),
            }],
        }),
    }
}

fn subject(repo_url: &str, name: &str) -> Subject {
    Subject {
        repo_url: repo_url.to_owned(),
        platform: "linux/amd64".to_owned(),
        subscription_name: name.to_owned(),
    }
}

fn failure(label: &str, subject: Subject, setback: Setback) -> Discovered {
    Discovered {
        label: label.to_owned(),
        subject: Some(subject),
        outcome: Err(setback),
    }
}

fn chosen(text: &str, number: usize) -> Reference {
    Reference {
        tag: tag(text),
        digest: digest(number),
        created: Some(at(1)),
        annotations: texts(&[("a", "b")]),
    }
}

fn result(repo_url: &str, name: &str, references: &[(&str, usize)]) -> ImageDiscoveryResult {
    ImageDiscoveryResult {
        repo_url: repo_url.to_owned(),
        platform: "linux/amd64".to_owned(),
        references: references
            .iter()
            .map(|(tag, number)| DiscoveredImageReference {
                tag: (*tag).to_owned(),
                digest: digest(*number).to_string(),
                annotations: texts(&[("a", "b")]),
                created_at: Some(at(1)),
            })
            .collect(),
        subscription_name: name.to_owned(),
    }
}

/// Conditions as (type, status, reason, message, hour of the transition), all about one generation.
fn conditions(generation: i64, written: &[(&str, ConditionStatus, &str, &str, i64)]) -> Conditions {
    let mut conditions = Conditions::default();
    for (condition_type, status, reason, message, hour) in written {
        let new = NewCondition {
            condition_type,
            status: *status,
            reason,
            message,
            observed_generation: generation,
        };
        conditions.set(new, at(*hour));
    }
    conditions
}

const ALL_WELL: &str = "Successfully discovered artifacts from 2 subscriptions";
const API: &str = "ghcr.io/shop/api";
const WEB: &str = "ghcr.io/shop/web";

/// What two good subscriptions had in the first hour.
fn well() -> WarehouseStatus {
    let results = [
        outcome(API, "", vec![chosen("1.0.0", 1)]),
        outcome(WEB, "web", vec![chosen("2.0.0", 2)]),
    ];
    warehouse_status(&WarehouseStatus::default(), &results, &[], 1, Some("first"), at(1))
}

#[test]
fn a_success_says_what_was_chosen() {
    use ConditionStatus::True;
    let expected = WarehouseStatus {
        conditions: conditions(
            1,
            &[
                ("Ready", True, "ArtifactsDiscovered", ALL_WELL, 1),
                ("Healthy", True, "ReconciliationSucceeded", ALL_WELL, 1),
            ],
        ),
        last_handled_refresh: "first".to_owned(),
        observed_generation: 1,
        last_freight_id: String::new(),
        discovered_artifacts: Some(DiscoveredArtifacts {
            discovered_at: Some(at(1)),
            images: vec![result(API, "", &[("1.0.0", 1)]), result(WEB, "web", &[("2.0.0", 2)])],
            ..DiscoveredArtifacts::default()
        }),
    };
    assert_eq!(well(), expected);
}

/// Somebody pushes images with annotations that no API server would store: those that are there are of the best references.
#[test]
fn a_status_has_room_for_so_many_annotations() {
    let annotated = |text: &str, number: usize, kibibytes: usize| Reference {
        annotations: texts(&[("note", &"\"".repeat(kibibytes * 512))]),
        ..chosen(text, number)
    };
    let results = [
        outcome(
            API,
            "",
            vec![
                annotated("1.2.0", 1, 200),
                annotated("1.1.0", 2, 200),
                annotated("1.0.0", 3, 200),
                annotated("0.9.0", 4, 1),
            ],
        ),
        outcome(
            WEB,
            "web",
            vec![annotated("2.0.0", 5, 100), annotated("1.0.0", 6, 2_000)],
        ),
    ];
    let status = warehouse_status(&WarehouseStatus::default(), &results, &[], 1, None, at(1));
    let artifacts = status.discovered_artifacts.as_ref().unwrap();
    let annotated: Vec<Vec<(&str, bool)>> = artifacts
        .images
        .iter()
        .map(|image| {
            let references = image.references.iter();
            let references = references.map(|reference| (reference.tag.as_str(), !reference.annotations.is_empty()));
            references.collect()
        })
        .collect();
    assert_eq!(
        annotated,
        [
            vec![("1.2.0", true), ("1.1.0", true), ("1.0.0", false), ("0.9.0", true)],
            vec![("2.0.0", true), ("1.0.0", false)],
        ]
    );
    assert!(serde_json::to_vec(&status).unwrap().len() < 600 << 10);
}

/// The second success in a row: times of transition stay, results and the acknowledged token are new.
#[test]
fn another_success_is_no_transition() {
    let results = [
        outcome(API, "", vec![chosen("1.1.0", 3), chosen("1.0.0", 1)]),
        outcome(WEB, "web", vec![chosen("2.0.0", 2)]),
    ];
    let status = warehouse_status(&well(), &results, &[], 2, Some("second"), at(2));
    let mut expected = well();
    expected.conditions = conditions(
        1,
        &[
            ("Ready", ConditionStatus::True, "ArtifactsDiscovered", ALL_WELL, 1),
            ("Healthy", ConditionStatus::True, "ReconciliationSucceeded", ALL_WELL, 1),
        ],
    );
    for (condition_type, reason) in [("Ready", "ArtifactsDiscovered"), ("Healthy", "ReconciliationSucceeded")] {
        let new = NewCondition {
            condition_type,
            status: ConditionStatus::True,
            reason,
            message: ALL_WELL,
            observed_generation: 2,
        };
        expected.conditions.set(new, at(2));
    }
    expected.last_handled_refresh = "second".to_owned();
    expected.observed_generation = 2;
    let artifacts = expected.discovered_artifacts.as_mut().unwrap();
    artifacts.discovered_at = Some(at(2));
    artifacts.images[0] = result(API, "", &[("1.1.0", 3), ("1.0.0", 1)]);
    assert_eq!(status, expected);
    assert!(
        status
            .conditions
            .iter()
            .all(|condition| condition.last_transition_time == at(1))
    );
    // Without an annotation, what was acknowledged stays.
    assert_eq!(
        warehouse_status(&well(), &results, &[], 2, None, at(2)).last_handled_refresh,
        "first"
    );
}

#[test]
fn a_failure_keeps_its_old_results_and_spoils_no_neighbours() {
    use ConditionStatus::{False, True};
    let setbacks = [
        Setback::Failed("the registry answered 503".to_owned()),
        Setback::Hopeless("constraint: improper".to_owned()),
        Setback::NotVisible("no tag".to_owned()),
    ];
    for setback in setbacks {
        let message = format!("subscription web: {}", setback.reason());
        let results = [
            outcome(API, "", vec![chosen("1.1.0", 3)]),
            failure("subscription web", subject(WEB, "web"), setback),
        ];
        let status = warehouse_status(&well(), &results, &[], 2, Some("second"), at(2));
        let mut expected = well();
        expected.observed_generation = 2;
        let hopeless = matches!(results[1].outcome, Err(Setback::Hopeless(_)));
        let rows = [
            ("Ready", False, "DiscoveryFailure", message.as_str(), 2),
            ("Healthy", False, "DiscoveryFailed", message.as_str(), 2),
            ("Reconciling", True, "ScheduledDiscovery", "Discovery is tried again", 2),
        ];
        // What cannot work until somebody changes it is not tried again by itself.
        expected.conditions = conditions(2, &rows[..if hopeless { 2 } else { 3 }]);
        // Not acknowledged, and not newly discovered as a whole; yet the good half is there.
        expected.discovered_artifacts.as_mut().unwrap().images[0] = result(API, "", &[("1.1.0", 3)]);
        assert_eq!(status, expected, "{message}");

        let failing = warehouse_status(&status, &results, &[], 2, Some("second"), at(3));
        assert_eq!(failing, expected, "a second failure is no transition");

        let results = [
            outcome(API, "", vec![chosen("1.1.0", 3)]),
            outcome(WEB, "web", vec![chosen("2.1.0", 4)]),
        ];
        let recovered = warehouse_status(&failing, &results, &[], 2, Some("second"), at(4));
        expected.conditions = conditions(
            2,
            &[
                ("Ready", True, "ArtifactsDiscovered", ALL_WELL, 4),
                ("Healthy", True, "ReconciliationSucceeded", ALL_WELL, 4),
            ],
        );
        expected.last_handled_refresh = "second".to_owned();
        let artifacts = expected.discovered_artifacts.as_mut().unwrap();
        artifacts.discovered_at = Some(at(4));
        artifacts.images[1] = result(WEB, "web", &[("2.1.0", 4)]);
        assert_eq!(recovered, expected, "recovery");
    }
}

/// What nobody looks at keeps its results, and what was looked at beside it is acknowledged; where nothing was, nothing is.
#[test]
fn what_nobody_looks_at_is_named_and_stays() {
    let undiscovered = [Undiscovered {
        label: "subscription 2 (git https://git.example/a)".to_owned(),
        reason: "images only".to_owned(),
        keeps: Keeps::Git {
            repo_url: "https://git.example/a".to_owned(),
        },
    }];
    let git = vec![GitDiscoveryResult {
        repo_url: "https://git.example/a".to_owned(),
        ..GitDiscoveryResult::default()
    }];
    let mut before = well();
    before.discovered_artifacts.as_mut().unwrap().git = git.clone();
    let results = [outcome(API, "", vec![chosen("1.1.0", 3)])];
    let status = warehouse_status(&before, &results, &undiscovered, 2, Some("second"), at(2));
    let artifacts = status.discovered_artifacts.unwrap();
    assert_eq!(artifacts.git, git);
    assert_eq!(artifacts.images, [result(API, "", &[("1.1.0", 3)])]);
    assert_eq!(
        (artifacts.discovered_at, &*status.last_handled_refresh),
        (Some(at(2)), "second")
    );
    let ready = status.conditions.find("Ready").unwrap();
    assert_eq!(
        (ready.status, &*ready.message),
        (
            ConditionStatus::False,
            "subscription 2 (git https://git.example/a): images only"
        )
    );
    let alone = warehouse_status(&before, &[], &undiscovered, 2, Some("second"), at(2));
    // There are no image subscriptions any more.
    before.discovered_artifacts.as_mut().unwrap().images.clear();
    assert_eq!(
        (alone.discovered_artifacts, &*alone.last_handled_refresh),
        (before.discovered_artifacts, "first")
    );
}

/// A subscription that is taken out takes its results with it, whether it was looked at or not.
#[test]
fn what_nobody_subscribes_to_any_more_goes() {
    let of = |repo_url: &str| GitDiscoveryResult {
        repo_url: repo_url.to_owned(),
        ..GitDiscoveryResult::default()
    };
    let chart = |name: &str| ChartDiscoveryResult {
        repo_url: "https://charts.example".to_owned(),
        name: name.to_owned(),
        ..ChartDiscoveryResult::default()
    };
    let mut before = well();
    let artifacts = before.discovered_artifacts.as_mut().unwrap();
    artifacts.git = vec![of("https://git.example/a"), of("https://git.example/b")];
    artifacts.charts = vec![chart("a"), chart("b")];
    artifacts.results = vec![DiscoveryResult::default()];
    let left = |keeps: Keeps| Undiscovered {
        label: "subscription 2".to_owned(),
        reason: "images only".to_owned(),
        keeps,
    };
    let git = Keeps::Git {
        repo_url: "https://git.example/b".to_owned(),
    };
    let named = Keeps::Chart {
        repo_url: "https://charts.example".to_owned(),
        name: "a".to_owned(),
    };
    let found = [outcome(API, "", vec![chosen("1.1.0", 3)])];
    let half = [
        found[0].clone(),
        failure("subscription 3", subject(WEB, "web"), Setback::Failed("a".to_owned())),
    ];
    for results in [&found[..], &half] {
        for (undiscovered, expected) in [
            (vec![], (vec![], vec![], 0)),
            (vec![left(git.clone())], (vec!["https://git.example/b"], vec![], 0)),
            (vec![left(named.clone())], (vec![], vec!["a"], 0)),
            (vec![left(Keeps::Generic)], (vec![], vec![], 1)),
            (
                vec![left(Keeps::Any)],
                (
                    vec!["https://git.example/a", "https://git.example/b"],
                    vec!["a", "b"],
                    1,
                ),
            ),
        ] {
            let status = warehouse_status(&before, results, &undiscovered, 2, None, at(2));
            let artifacts = status.discovered_artifacts.unwrap();
            let git: Vec<&str> = artifacts.git.iter().map(|result| &*result.repo_url).collect();
            let charts: Vec<&str> = artifacts.charts.iter().map(|result| &*result.name).collect();
            assert_eq!((git, charts, artifacts.results.len()), expected, "{undiscovered:?}");
        }
    }
}

/// While one subscription fails, those that are gone go all the same, and the others stand in the order of the spec. One of another
/// name is another one: nobody can tell whether it wishes for the same.
#[test]
fn a_failure_keeps_nothing_of_subscriptions_that_are_gone() {
    let three = [
        outcome(API, "", vec![chosen("1.0.0", 1)]),
        outcome(WEB, "web", vec![chosen("2.0.0", 2)]),
        outcome("ghcr.io/shop/db", "db", vec![chosen("3.0.0", 3)]),
    ];
    let before = warehouse_status(&WarehouseStatus::default(), &three, &[], 1, None, at(1));
    let failed = |subject: Subject| failure("subscription", subject, Setback::Failed("503".to_owned()));
    let images = |results: &[Discovered], undiscovered: &[Undiscovered]| {
        let status = warehouse_status(&before, results, undiscovered, 2, None, at(2));
        status.discovered_artifacts.unwrap().images
    };
    let new = outcome("ghcr.io/shop/new", "", vec![chosen("4.0.0", 4)]);
    // A new one stands first, and two are gone, one of which may have been given another name.
    let results = [new.clone(), failed(subject(WEB, "site")), failed(subject(API, ""))];
    assert_eq!(
        images(&results, &[]),
        [
            result("ghcr.io/shop/new", "", &[("4.0.0", 4)]),
            result(API, "", &[("1.0.0", 1)]),
        ]
    );
    // Two of one repository keep what is theirs, and none takes what is another's.
    let results = [
        failed(subject(WEB, "other")),
        outcome(WEB, "web", vec![chosen("2.1.0", 5)]),
    ];
    assert_eq!(images(&results, &[]), [result(WEB, "web", &[("2.1.0", 5)])]);
    // One that cannot be read may be the one that it belongs to.
    let unreadable = [Undiscovered {
        label: "subscription 2".to_owned(),
        reason: "it has two kinds".to_owned(),
        keeps: Keeps::Any,
    }];
    assert_eq!(
        images(&[new], &unreadable),
        [
            result("ghcr.io/shop/new", "", &[("4.0.0", 4)]),
            result(API, "", &[("1.0.0", 1)]),
            result(WEB, "web", &[("2.0.0", 2)]),
            result("ghcr.io/shop/db", "db", &[("3.0.0", 3)]),
        ]
    );
    // Of a look that failed as a whole nobody can tell.
    let whole = Discovered {
        label: "refresh of shop".to_owned(),
        subject: None,
        outcome: Err(Setback::Failed("no Secrets".to_owned())),
    };
    assert_eq!(
        images(&[whole], &[]),
        before.discovered_artifacts.clone().unwrap().images
    );
}

#[test]
fn failures_alone_change_no_results() {
    let results = [
        failure("subscription 1", subject(API, ""), Setback::Failed("a".to_owned())),
        failure("subscription 2", subject(WEB, "web"), Setback::Failed("b".to_owned())),
    ];
    let status = warehouse_status(&well(), &results, &[], 1, Some("second"), at(2));
    assert_eq!(status.discovered_artifacts, well().discovered_artifacts);
    assert_eq!(status.last_handled_refresh, "first");
    assert_eq!(
        status.conditions.find("Ready").unwrap().message,
        "subscription 1: a; subscription 2: b"
    );
    let first = warehouse_status(&WarehouseStatus::default(), &results, &[], 1, Some("first"), at(2));
    assert_eq!(
        (first.discovered_artifacts, first.last_handled_refresh),
        (None, String::new())
    );
    // A first look that succeeds in part has results and no time at which everything was discovered.
    let half = [
        outcome(API, "", vec![]),
        failure("subscription 2", subject(WEB, "web"), Setback::Failed("b".to_owned())),
    ];
    let half = warehouse_status(&WarehouseStatus::default(), &half, &[], 1, None, at(2));
    let images = vec![result(API, "", &[])];
    assert_eq!(
        half.discovered_artifacts,
        Some(DiscoveredArtifacts {
            images,
            ..DiscoveredArtifacts::default()
        })
    );
}

#[test]
fn nothing_to_choose_from_is_a_success_that_is_not_ready() {
    use ConditionStatus::False;
    let results = [outcome(API, "", vec![]), outcome(WEB, "web", vec![])];
    let status = warehouse_status(&well(), &results, &[], 1, Some("second"), at(2));
    let message = "No image references discovered for ghcr.io/shop/api, ghcr.io/shop/web";
    let expected = WarehouseStatus {
        conditions: conditions(
            1,
            &[
                ("Ready", False, "MissingImageReferences", message, 2),
                ("Healthy", False, "NoImageReferencesDiscovered", message, 2),
            ],
        ),
        last_handled_refresh: "second".to_owned(),
        observed_generation: 1,
        last_freight_id: String::new(),
        discovered_artifacts: Some(DiscoveredArtifacts {
            discovered_at: Some(at(2)),
            images: vec![result(API, "", &[]), result(WEB, "web", &[])],
            ..DiscoveredArtifacts::default()
        }),
    };
    assert_eq!(status, expected);
}

/// What others wrote into the status is not ours to remove.
#[test]
fn what_others_wrote_stays() {
    let mut previous = well();
    previous.last_freight_id = "f00".to_owned();
    previous
        .discovered_artifacts
        .as_mut()
        .unwrap()
        .git
        .push(GitDiscoveryResult::default());
    let subscribed = Undiscovered {
        label: "subscription 2 (git)".to_owned(),
        reason: "images only".to_owned(),
        keeps: Keeps::Git {
            repo_url: String::new(),
        },
    };
    let new = NewCondition {
        condition_type: "FreightCreated",
        status: ConditionStatus::True,
        reason: "NewFreight",
        message: "",
        observed_generation: 1,
    };
    previous.conditions.set(new, at(1));
    let status = warehouse_status(
        &previous,
        &[outcome(API, "", vec![chosen("1.0.0", 1)])],
        &[subscribed],
        1,
        None,
        at(2),
    );
    assert_eq!(status.last_freight_id, "f00");
    assert_eq!(
        status.discovered_artifacts.unwrap().git,
        [GitDiscoveryResult::default()]
    );
    assert_eq!(
        status.conditions.find("FreightCreated"),
        previous.conditions.find("FreightCreated")
    );
}

#[test]
fn before_the_first_look() {
    use ConditionStatus::{False, True, Unknown};
    let waiting = "Waiting for the first discovery";
    let expected = WarehouseStatus {
        conditions: conditions(
            3,
            &[
                ("Ready", False, "DiscoveryInProgress", waiting, 1),
                ("Healthy", Unknown, "Pending", waiting, 1),
                (
                    "Reconciling",
                    True,
                    "ScheduledDiscovery",
                    "The first discovery is on its way",
                    1,
                ),
            ],
        ),
        ..WarehouseStatus::default()
    };
    assert_eq!(first_look_status(3, at(1)), expected);
    let after = warehouse_status(
        &expected,
        &[outcome(API, "", vec![chosen("1.0.0", 1)])],
        &[],
        3,
        None,
        at(2),
    );
    let times: Vec<_> = after
        .conditions
        .iter()
        .map(|condition| (&*condition.condition_type, condition.last_transition_time))
        .collect();
    assert_eq!(times, [("Ready", at(2)), ("Healthy", at(2))]);
}

proptest! {
    #[test]
    fn any_bytes_are_read_without_a_panic(media_type in ".{0,20}", body in proptest::collection::vec(any::<u8>(), 0..200)) {
        for media_type in [media_type.as_str(), OCI, OCI_INDEX, DOCKER, DOCKER_LIST] {
            let _ = read_manifest(media_type, &body);
        }
        let _ = read_config(&body);
    }

    /// Whatever is noted in whichever order, a tag is never there and absent at once.
    #[test]
    fn no_tag_is_there_and_absent(steps in proptest::collection::vec((0..3_u8, 0..4_usize, 0..6_i64), 0..40)) {
        let names = ["a", "b", "c", "d"];
        let mut catalog = Catalog::default();
        for (step, number, hour) in steps {
            match step {
                0 => drop(catalog.note(tag(names[number]), digest(number), holds("x"), at(hour))),
                1 => catalog.note_absent(&tag(names[number]), at(hour)),
                _ => drop(catalog.take_listing(names[..number].iter().map(|name| tag(name)), at(hour))),
            }
            prop_assert!(catalog.absent.keys().all(|tag| !catalog.tags.contains_key(tag)));
        }
    }
}

#[test]
fn a_catalog_learns_what_somebody_else_saw() {
    let seen = |hour| {
        Some(Observation {
            digest: digest(1),
            seen: at(hour),
        })
    };
    let mut ours = Catalog::default();
    ours.take_listing([tag("gone"), tag("older"), tag("newer"), tag("unseen")], at(1));
    for (name, hour) in [("older", 2), ("newer", 6), ("fresh", 9)] {
        ours.note(tag(name), digest(1), holds("a"), at(hour));
    }
    ours.note_absent(&tag("back"), at(2));
    ours.note_absent(&tag("away"), at(9));
    let mut theirs = Catalog::default();
    theirs.take_listing(["older", "newer", "unseen", "back", "away"].map(tag), at(8));
    for (name, hour) in [("older", 4), ("newer", 5), ("unseen", 3)] {
        theirs.note(tag(name), digest(1), holds("a"), at(hour));
    }
    ours.learn(theirs);
    let expected = [
        ("back", None),
        ("fresh", seen(9)),
        ("newer", seen(6)),
        ("older", seen(4)),
        ("unseen", seen(3)),
    ];
    let expected = expected.map(|(name, observation)| (tag(name), observation));
    assert_eq!((ours.listed, &ours.tags), (Some(at(8)), &expected.into()));
    // An older listing says nothing of what is known since.
    let mut theirs = Catalog::default();
    theirs.take_listing([], at(7));
    ours.learn(theirs);
    assert_eq!((ours.listed, ours.tags.len()), (Some(at(8)), 5));
}
