//! What looks find and what they cost where subscriptions differ: one that fails, one that follows a single tag, one that nobody here
//! looks at.

use landfall_harness::{ImageSpec, free_port, http, wait};
use serde_json::{Value, json};

use super::cluster::warehouse;
use super::controller::{Served, best};
use crate::world::{PATIENCE, conditions, lines};

/// A Warehouse that subscribes to the pushed image and, before it, to one that nobody answers for.
fn half(served: &Served, name: &str) -> String {
    let refused = format!("127.0.0.1:{}/down", free_port().unwrap());
    warehouse(&served.cluster.project, name, "docker.io/shop/api").replace(
        "subscriptions: [",
        &format!("subscriptions: [{{image: {{repoURL: '{refused}', constraint: ^1.0.0}}}}, "),
    )
}

/// Waits until the best of a Warehouse's first image is this tag, with this digest.
fn finds(served: &Served, name: &str, tag: &str, digest: &str) -> Value {
    let warehouse = served
        .cluster
        .warehouse_when(name, tag, |status| best(status) == (tag, digest));
    warehouse["status"].clone()
}

/// A subscription that fails does not make pushes to its neighbours dearer, nor do the attempts that follow, nor many pushes that
/// nobody can be answered for.
#[test]
fn a_push_costs_two_requests_also_beside_what_fails() {
    const PUSHES: usize = 36;
    let served = Served::start();
    let first = served.push("1.0.0");
    served.cluster.apply(&half(&served, "api"));
    let status = finds(&served, "api", "1.0.0", &first);
    assert!(conditions(&status).contains("Ready=False (DiscoveryFailure)"));
    let path = served.cluster.path();
    served.cluster.known(&path, "shop/api", 1);
    served.proxy.take_requests();
    let mut expected = Vec::new();
    for number in 1..=PUSHES {
        let tag = format!("1.{number}.0");
        let digest = served.push(&tag);
        served.cluster.pushed(&path, "shop/api", &tag, 1);
        finds(&served, "api", &tag, &digest);
        expected.push(format!("GET /v2/shop/api/manifests/{tag} 200"));
        expected.push("GET /v2/shop/api/blobs/sha256:… 200".to_owned());
    }
    // Attempts to look for the other one follow all the time.
    let looks = || served.cluster.log().matches("a refresh failed in part").count();
    let before = looks();
    wait::until(PATIENCE, "two more looks", || (looks() >= before + 2).then_some(())).unwrap();
    let mut asked = lines(&served.proxy.take_requests());
    // One listing for so many that nobody has answered: there is no room for all that they point at.
    let listings = asked.extract_if(.., |line| line.contains("/tags/list")).count();
    assert!(listings <= 1, "{listings} listings");
    assert_eq!(asked, expected);
    // A connection is kept for what comes next.
    let connections = served.proxy.connections();
    assert!(
        connections <= 8,
        "{connections} connections for {} requests",
        expected.len()
    );
}

/// Nor does it stop the polling of its neighbours: what no event told is found in its time.
#[test]
fn what_fails_stops_no_polling() {
    let served = Served::start();
    let first = served.push("1.0.0");
    served.cluster.apply(&half(&served, "api").replace("5m0s", "1s"));
    finds(&served, "api", "1.0.0", &first);
    let untold = served.push("1.1.0");
    finds(&served, "api", "1.1.0", &untold);
}

/// An event that names no tag may be of any, also of one that is known and has moved.
#[test]
fn an_event_without_a_tag_finds_what_has_moved() {
    let served = Served::start();
    let (one, latest) = (served.push("1.0.0"), served.push("latest"));
    let project = &served.cluster.project;
    served
        .cluster
        .apply(&warehouse(project, "versions", "docker.io/shop/api"));
    let digest = warehouse(project, "single", "docker.io/shop/api").replace(
        "constraint: ^1.0.0",
        "constraint: latest, imageSelectionStrategy: Digest",
    );
    served.cluster.apply(&digest);
    finds(&served, "versions", "1.0.0", &one);
    finds(&served, "single", "latest", &latest);
    let moved = |tag: &str| {
        let image = ImageSpec::new(format!("another {tag}"));
        let digest = served.uploader().put_image("shop/api", tag, &image).unwrap();
        digest.to_string()
    };
    let (one, latest) = (moved("1.0.0"), moved("latest"));
    let path = served.cluster.path();
    served.cluster.open(&path);
    let push = json!({ "push_data": {}, "repository": { "repo_name": "shop/api" } });
    let headers = [("Content-Type", "application/json")];
    let url = served.cluster.landfall.url() + &path;
    let answer = http::post(&url, &headers, push.to_string().as_bytes()).unwrap();
    assert_eq!(answer.status, 200, "{}", answer.text());
    finds(&served, "versions", "1.0.0", &one);
    finds(&served, "single", "latest", &latest);
}

/// What is pushed beside an image and that nobody here looks at keeps nobody waiting.
#[test]
fn a_push_of_a_chart_is_answered_with_the_images() {
    let served = Served::start();
    let first = served.push("1.0.0");
    let both = warehouse(&served.cluster.project, "api", "docker.io/shop/api").replace(
        "subscriptions: [",
        "subscriptions: [{chart: {repoURL: 'oci://docker.io/shop/chart', semverConstraint: ^1.0.0}}, ",
    );
    served.cluster.apply(&both);
    finds(&served, "api", "1.0.0", &first);
    let path = served.cluster.path();
    served.cluster.known(&path, "shop/api", 1);
    let second = served.push("1.1.0");
    served.cluster.pushed(&path, "shop/api", "1.1.0", 1);
    let delivery = served.cluster.pushed(&path, "shop/chart", "1.1.0", 1);
    served.cluster.done(&delivery);
    let token = served.cluster.refreshed(&["api"]).remove(0);
    let warehouse = served
        .cluster
        .warehouse_when("api", "an answer", |status| status["lastHandledRefresh"] == *token);
    assert_eq!(best(&warehouse["status"]), ("1.1.0", &*second));
}

/// As Kargo has it: whoever has to ask for it is told so, and one tag that is followed is never taken for what it was.
#[test]
fn caching_by_tag_may_be_required() {
    let served = Served::with(|landfall| landfall.env("CACHE_BY_TAG_POLICY", "Require"));
    let (one, latest) = (served.push("1.0.0"), served.push("latest"));
    let project = &served.cluster.project;
    let plain = warehouse(project, "plain", "docker.io/shop/api");
    let with = |name: &str, fields: &str| {
        let warehouse = warehouse(project, name, "docker.io/shop/api");
        warehouse.replace("constraint: ^1.0.0", fields)
    };
    served.cluster.apply(&plain);
    served
        .cluster
        .apply(&with("asks", "constraint: ^1.0.0, cacheByTag: true"));
    served
        .cluster
        .apply(&with("single", "constraint: latest, imageSelectionStrategy: Digest"));
    finds(&served, "asks", "1.0.0", &one);
    finds(&served, "single", "latest", &latest);
    let refused = served.cluster.warehouse_when("plain", "a refusal", |status| {
        conditions(status).contains("Ready=False (DiscoveryFailure)")
    });
    let said = refused["status"]["conditions"].to_string();
    assert!(said.contains("it must set cacheByTag: true"), "{said}");
}

/// The Warehouses of a shard, by their spec or Kargo's label, and no others.
#[test]
fn a_shard_serves_its_own_warehouses() {
    let served = Served::with(|landfall| landfall.env("SHARD_NAME", "east"));
    let first = served.push("1.0.0");
    let project = &served.cluster.project;
    for (name, shard) in [("spec", "east"), ("none", ""), ("west", "west")] {
        let warehouse = warehouse(project, name, "docker.io/shop/api");
        let shard = match shard {
            "" => "  interval".to_owned(),
            shard => format!("  shard: {shard}\n  interval"),
        };
        served.cluster.apply(&warehouse.replace("  interval", &shard));
    }
    let label = warehouse(project, "label", "docker.io/shop/api")
        .replace("metadata: {", "metadata: {labels: {kargo.akuity.io/shard: east}, ");
    served.cluster.apply(&label);
    finds(&served, "spec", "1.0.0", &first);
    finds(&served, "label", "1.0.0", &first);
    for name in ["none", "west"] {
        let other = served.cluster.warehouse_when(name, "the other", |_| true);
        let status = &other["status"];
        assert!(status.as_object().is_none_or(|status| status.is_empty()), "{other:#}");
    }
    // It leads among its own, whoever leads elsewhere.
    let leases = served.cluster.server.get(&["leases", "--namespace", project]).unwrap();
    let names = leases["items"].as_array().unwrap().iter();
    let names: Vec<&str> = names.filter_map(|lease| lease["metadata"]["name"].as_str()).collect();
    assert_eq!(names, ["landfall-east"]);
}
