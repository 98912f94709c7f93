//! Warehouses that landfall serves itself: from a spec, an annotation or a push to the digest in the status.

use landfall_harness::counting_proxy::Rule;
use landfall_harness::process::Builder;
use landfall_harness::{
    ApiServer, CountingProxy, Credentials, ImageSpec, Registry, RegistryConfig, Storage, Uploader, free_port,
    manifests, wait,
};
use serde_json::{Value, json};

use super::cluster::{Cluster, hub, secret, shared, warehouse};
use crate::deploy::folder;
use crate::world::{PATIENCE, conditions, define, lines, quiet_registry};

/// A project whose Warehouses are served, and the registry that stands for Docker Hub, behind a proxy that counts.
pub struct Served {
    pub cluster: Cluster,
    registry: Registry,
    pub proxy: CountingProxy,
}

impl Served {
    pub fn start() -> Self {
        Self::with(|landfall| landfall)
    }

    pub fn with(configure: impl FnOnce(Builder) -> Builder) -> Self {
        let registry = quiet_registry();
        let proxy = CountingProxy::start(registry.host()).unwrap();
        let server: &'static ApiServer = shared();
        let project = server.namespace().unwrap();
        let mirror = format!("docker.io={}", proxy.url());
        let cluster = Cluster::of(server, &project, &server.kubeconfig(), |landfall| {
            configure(serving(landfall, &mirror))
        });
        cluster.apply(&secret(&project, "s3cret"));
        cluster.apply(&hub(&project));
        Self {
            cluster,
            registry,
            proxy,
        }
    }

    pub fn uploader(&self) -> Uploader {
        Uploader::new(self.registry.host())
    }

    /// Pushes an image, past the proxy. Returns its digest.
    pub fn push(&self, tag: &str) -> String {
        let image = ImageSpec::new(tag);
        self.uploader().put_image("shop/api", tag, &image).unwrap().to_string()
    }

    /// A Warehouse of one subscription to the pushed image, once it was looked at.
    fn discovered(&self, name: &str) -> Value {
        self.cluster
            .apply(&warehouse(&self.cluster.project, name, "docker.io/shop/api"));
        self.cluster.warehouse_when(name, "a first discovery", |status| {
            !status["discoveredArtifacts"]["discoveredAt"].is_null()
        })
    }

    fn annotate(&self, name: &str, annotation: &str) {
        let what = [
            "annotate",
            "--overwrite",
            "warehouses.kargo.akuity.io",
            name,
            annotation,
        ];
        let place = ["--namespace", &self.cluster.project];
        self.cluster.server.kubectl(&[&what[..], &place[..]].concat()).unwrap();
    }
}

/// The flags of one that serves Warehouses.
fn serving(landfall: Builder, mirror: &str) -> Builder {
    landfall
        .arg("--controllers=warehouses")
        .arg("--registry-mirror")
        .arg(mirror)
        .arg("--registry-rate-limit=1000000")
}

pub fn best(status: &Value) -> (&str, &str) {
    let best = &status["discoveredArtifacts"]["images"][0]["references"][0];
    (
        best["tag"].as_str().unwrap_or_default(),
        best["digest"].as_str().unwrap_or_default(),
    )
}

#[test]
fn a_warehouse_is_discovered_and_a_push_costs_two_requests() {
    let served = Served::start();
    let first = served.push("1.0.0");
    let warehouse = served.discovered("api");
    let status = &warehouse["status"];
    assert_eq!(best(status), ("1.0.0", &*first));
    assert_eq!(status["observedGeneration"], warehouse["metadata"]["generation"]);
    assert_eq!(
        conditions(status).into_iter().collect::<Vec<_>>(),
        [
            "Healthy=True (ReconciliationSucceeded)",
            "Ready=True (ArtifactsDiscovered)"
        ]
    );

    let path = served.cluster.path();
    served.cluster.known(&path, "shop/api", 1);
    served.proxy.take_requests();
    let second = served.push("1.2.0");
    let delivery = served.cluster.pushed(&path, "shop/api", "1.2.0", 1);
    served.cluster.done(&delivery);
    let token = served.cluster.refreshed(&["api"]).remove(0);
    let warehouse = served
        .cluster
        .warehouse_when("api", "an answer", |status| status["lastHandledRefresh"] == *token);
    assert_eq!(best(&warehouse["status"]), ("1.2.0", &*second));
    assert_eq!(
        lines(&served.proxy.take_requests()),
        [
            "GET /v2/shop/api/manifests/1.2.0 200",
            "GET /v2/shop/api/blobs/sha256:… 200"
        ]
    );
}

/// One look instead of hundreds: an event for many Warehouses is one look, also where it comes before the registry has the tag.
#[test]
fn a_push_for_many_warehouses_costs_what_it_costs_for_one() {
    let served = Served::start();
    served.push("1.0.0");
    let names: Vec<String> = (0..60).map(|number| format!("api-{number:02}")).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    served.cluster.warehouses(&names, "docker.io/shop/api");
    let all_have = |tag: &str| {
        for name in &names {
            served.cluster.warehouse_when(name, tag, |status| best(status).0 == tag);
        }
    };
    all_have("1.0.0");
    let path = served.cluster.path();
    served.cluster.known(&path, "shop/api", names.len());
    served.proxy.take_requests();
    served.push("1.2.0");
    served.cluster.pushed(&path, "shop/api", "1.2.0", names.len());
    all_have("1.2.0");
    assert_eq!(
        lines(&served.proxy.take_requests()),
        [
            "GET /v2/shop/api/manifests/1.2.0 200",
            "GET /v2/shop/api/blobs/sha256:… 200"
        ]
    );
}

/// Two replicas ask for the same Warehouse again and again, at the same moments: no hint is lost on the way to the one that leads,
/// which never has to look at more than what was pushed.
#[test]
fn hints_of_many_pushes_to_two_replicas_all_arrive() {
    const PUSHES: usize = 12;
    let served = Served::start();
    served.push("1.0.0");
    served.discovered("api");
    let path = served.cluster.path();
    let mirror = format!("docker.io={}", served.proxy.url());
    let (server, project) = (served.cluster.server, &served.cluster.project);
    let other = Cluster::of(server, project, &server.kubeconfig(), |landfall| {
        serving(landfall, &mirror)
    });
    other.open(&path);
    for replica in [&served.cluster, &other] {
        replica.known(&path, "shop/api", 1);
    }
    let tags: Vec<String> = (0..PUSHES).map(|number| format!("1.1.{number}")).collect();
    for tag in &tags {
        served.push(tag);
    }
    served.proxy.take_requests();
    std::thread::scope(|scope| {
        for (replica, half) in [(&served.cluster, 0), (&other, 1)] {
            let (path, tags) = (&path, &tags);
            scope.spawn(move || {
                for tag in tags.iter().skip(half).step_by(2) {
                    replica.pushed(path, "shop/api", tag, 1);
                }
            });
        }
    });
    served.cluster.warehouse_when("api", "all pushes", |status| {
        let references = &status["discoveredArtifacts"]["images"][0]["references"];
        references
            .as_array()
            .is_some_and(|references| references.len() == PUSHES + 1)
    });
    let asked = lines(&served.proxy.take_requests());
    assert_eq!(asked.len(), 2 * PUSHES, "{asked:#?}");
    assert!(!asked.iter().any(|line| line.contains("/tags/")), "{asked:#?}");
}

/// What was found while the API server is away is written when it is back, and what was pushed meanwhile is looked at.
#[test]
fn an_api_server_that_is_away_loses_nothing() {
    let registry = quiet_registry();
    let image = |tag: &str| {
        let mut uploader = Uploader::new(registry.host());
        uploader.put_image("shop/api", tag, &ImageSpec::new(tag)).unwrap();
    };
    image("1.0.0");
    let server = Box::new(ApiServer::start().unwrap());
    define(&server);
    let project = server.namespace().unwrap();
    let (kubeconfig, mirror) = (server.kubeconfig(), format!("docker.io={}", registry.url()));
    let mut cluster = Cluster::of(server, &project, &kubeconfig, |landfall| serving(landfall, &mirror));
    cluster.apply(&(secret(&project, "s3cret") + &hub(&project) + &warehouse(&project, "api", "docker.io/shop/api")));
    cluster.warehouse_when("api", "a first discovery", |status| best(status).0 == "1.0.0");
    let path = cluster.path();
    cluster.known(&path, "shop/api", 1);
    for round in 1..=2 {
        let [before, during] = [0, 1].map(|patch| format!("1.{round}.{patch}"));
        image(&before);
        image(&during);
        cluster.pushed(&path, "shop/api", &before, 1);
        cluster.server.stop();
        cluster.pushed(&path, "shop/api", &during, 1);
        cluster.server.restart().unwrap();
        cluster.warehouse_when("api", "both pushes", |status| best(status).0 == during);
    }
}

/// Somebody's own request says nothing of where to look, so that everything is looked at, also what no event told.
#[test]
fn whoever_asks_gets_a_look_at_everything() {
    let served = Served::start();
    served.push("1.0.0");
    served.discovered("api");
    let untold = served.push("1.3.0");
    served.annotate("api", "kargo.akuity.io/refresh=now");
    let warehouse = served
        .cluster
        .warehouse_when("api", "an answer", |status| status["lastHandledRefresh"] == "now");
    assert_eq!(best(&warehouse["status"]), ("1.3.0", &*untold));
}

/// W2: what failed is not acknowledged, nor called well, and is tried again by itself.
#[test]
fn a_failed_refresh_is_acknowledged_when_it_has_succeeded() {
    let served = Served::start();
    served.push("1.0.0");
    served.discovered("api");
    served.proxy.rule(Rule::on("/v2/").answer(503));
    served.annotate("api", "kargo.akuity.io/refresh=now");
    let warehouse = served.cluster.warehouse_when("api", "a failure", |status| {
        conditions(status).contains("Ready=False (DiscoveryFailure)")
    });
    let status = &warehouse["status"];
    assert_eq!(status["lastHandledRefresh"], Value::Null, "{status:#}");
    assert!(conditions(status).contains("Reconciling=True (ScheduledDiscovery)"));
    assert_eq!(best(status).0, "1.0.0", "what was known stays");

    served.proxy.clear_rules();
    let warehouse = served
        .cluster
        .warehouse_when("api", "an answer", |status| status["lastHandledRefresh"] == "now");
    assert!(conditions(&warehouse["status"]).contains("Ready=True (ArtifactsDiscovered)"));
}

#[test]
fn a_changed_spec_is_looked_at_and_the_interval_looks_by_itself() {
    let served = Served::start();
    served.push("1.0.0");
    served.discovered("api");
    let other = served.push("2.0.0");
    let changed = warehouse(&served.cluster.project, "api", "docker.io/shop/api").replace("^1.0.0", "^2.0.0");
    served.cluster.apply(&changed);
    let status = |wanted: &'static str| {
        let warehouse = served
            .cluster
            .warehouse_when("api", wanted, |status| best(status).0 == wanted);
        warehouse["status"].clone()
    };
    let seen = status("2.0.0");
    assert_eq!((best(&seen).1, &seen["observedGeneration"]), (&*other, &json!(2)));

    served.cluster.apply(&changed.replace("5m0s", "1s"));
    served.push("2.1.0");
    status("2.1.0");
}

/// As Kargo's chart has it, whatever a Warehouse asks for.
#[test]
fn an_interval_below_the_least_counts_as_the_least() {
    let served = Served::with(|landfall| landfall.env("MIN_WAREHOUSE_RECONCILIATION_INTERVAL", "1h"));
    served.push("1.0.0");
    let project = &served.cluster.project;
    let often = warehouse(project, "api", "docker.io/shop/api").replace("5m0s", "1s");
    assert!(often.contains("interval: 1s"), "{often}");
    served.cluster.apply(&often);
    let found = |status: &Value| best(status).0 == "1.0.0";
    served.cluster.warehouse_when("api", "a first discovery", found);
    served.proxy.take_requests();
    // Its own interval passes several times.
    std::thread::sleep(std::time::Duration::from_secs(4));
    assert_eq!(lines(&served.proxy.take_requests()), [""; 0]);
}

/// What is of another shard is another controller's; what nobody here can look at keeps its results and is named.
#[test]
fn other_shards_and_other_kinds_are_left_alone() {
    let served = Served::start();
    served.push("1.0.0");
    let project = &served.cluster.project;
    let other = warehouse(project, "other", "docker.io/shop/api").replace("  interval", "  shard: east\n  interval");
    served.cluster.apply(&other);
    let charts = served.proxy.url() + "/charts";
    let others = format!(
        "subscriptions: [{{git: {{repoURL: 'https://git.example/shop/api'}}}}, {{chart: {{repoURL: '{charts}', name: api}}}}, "
    );
    let both = warehouse(project, "both", "docker.io/shop/api").replace("subscriptions: [", &others);
    served.cluster.apply(&both);
    let before = json!({ "status": { "lastFreightID": "f00", "discoveredArtifacts": {
        "git": [{ "repoURL": "https://git.example/shop/api", "commits": [{ "id": "0a1b2c" }] }],
        "charts": [{ "repoURL": charts, "name": "api", "versions": ["1.0.0"] }]
    } } });
    let patch = ["patch", "warehouses.kargo.akuity.io", "both", "--namespace", project];
    let status = ["--subresource=status", "--type=merge", "--patch"];
    served
        .cluster
        .server
        .kubectl(&[&patch[..], &status[..], &[&before.to_string()]].concat())
        .unwrap();
    served.discovered("api");
    let warehouse = served
        .cluster
        .warehouse_when("both", "images", |status| best(status).0 == "1.0.0");
    let artifacts = &warehouse["status"]["discoveredArtifacts"];
    assert_eq!(artifacts["git"][0]["commits"][0]["id"], "0a1b2c", "{artifacts:#}");
    assert_eq!(artifacts["charts"][0]["versions"], json!(["1.0.0"]), "{artifacts:#}");
    let conditions = warehouse["status"]["conditions"].to_string();
    for subscription in [
        "1 (git https://git.example/shop/api)".to_owned(),
        format!("2 (chart {charts})"),
    ] {
        let reason = format!("subscription {subscription}: this version of landfall discovers images only");
        assert!(conditions.contains(&reason), "{reason}: {conditions}");
    }
    served.annotate("both", "kargo.akuity.io/refresh=now");
    let answered = served
        .cluster
        .warehouse_when("both", "an answer", |status| status["lastHandledRefresh"] == "now");
    assert_eq!(answered["status"]["lastFreightID"], "f00", "no Freight is made here");
    let asked = served.proxy.take_requests();
    assert!(
        !asked.is_empty() && asked.iter().all(|request| request.path.starts_with("/v2/")),
        "a chart's index was asked for: {asked:?}"
    );
    let other = served.cluster.warehouse_when("other", "the other", |_| true);
    assert!(
        other["status"].as_object().is_none_or(|status| status.is_empty()),
        "{other:#}"
    );
}

/// A push that is told before the registry has it: looked for until it is there, and acknowledged then.
#[test]
fn what_is_not_there_yet_is_looked_for() {
    let served = Served::start();
    served.push("1.0.0");
    served.discovered("api");
    let path = served.cluster.path();
    served.cluster.known(&path, "shop/api", 1);
    served.cluster.pushed(&path, "shop/api", "1.4.0", 1);
    let token = served.cluster.refreshed(&["api"]).remove(0);
    served.cluster.says("refreshed");
    let early = served.cluster.warehouse_when("api", "a status", |_| true);
    assert_eq!(early["status"]["lastHandledRefresh"], Value::Null, "{early:#}");
    let late = served.push("1.4.0");
    let warehouse = served
        .cluster
        .warehouse_when("api", "an answer", |status| status["lastHandledRefresh"] == *token);
    assert_eq!(best(&warehouse["status"]), ("1.4.0", &*late));
}

/// Credentials are the project's own Secrets with Kargo's label, as they are when they are needed.
#[test]
fn a_private_registry_is_shown_the_projects_credentials() {
    let credentials = Credentials::fixed();
    let registry = Registry::start(RegistryConfig {
        credentials: Some(credentials.clone()),
        storage: Storage::Memory,
        ..RegistryConfig::default()
    })
    .unwrap();
    let mut uploader = Uploader::new(registry.host()).with_credentials(&credentials);
    let digest = uploader
        .put_image("shop/api", "1.0.0", &ImageSpec::new("private"))
        .unwrap();
    let (server, repository) = (shared(), format!("{}/shop/api", registry.host()));
    let project = server.namespace().unwrap();
    let cluster = Cluster::of(server, &project, &server.kubeconfig(), |landfall| {
        landfall.arg("--controllers=warehouses")
    });
    cluster.apply(&warehouse(&project, "api", &repository));
    let refused = cluster.warehouse_when("api", "a refusal", |status| {
        conditions(status).contains("Ready=False (DiscoveryFailure)")
    });
    let said = refused["status"]["conditions"].to_string();
    assert!(
        said.contains("it wants credentials, and there are none for it"),
        "{said}"
    );
    cluster.apply(&manifests::image_credentials(
        "creds",
        &project,
        &repository,
        &credentials,
    ));
    let warehouse = cluster.warehouse_when("api", "a first discovery", |status| best(status).0 == "1.0.0");
    assert_eq!(best(&warehouse["status"]).1, digest.to_string());
}

/// Who leads again with nobody between knows what it knew, though something else failed all the time: a push costs what it did.
#[test]
fn a_restart_forgets_nothing_because_something_else_fails() {
    let mut served = Served::start();
    served.push("1.0.0");
    let refused = format!("127.0.0.1:{}/down", free_port().unwrap());
    served
        .cluster
        .apply(&warehouse(&served.cluster.project, "down", &refused));
    served.discovered("api");
    let noted = served.cluster.landfall.data_dir().join("last-term");
    let down = format!("Warehouse {}/down", served.cluster.project);
    wait::until(PATIENCE, "what failed to be noted", || {
        let noted = std::fs::read_to_string(&noted).ok()?;
        noted.lines().skip(1).eq([down.as_str()]).then_some(())
    })
    .unwrap();
    served.cluster.landfall.terminate().unwrap();
    served.proxy.take_requests();
    served.cluster.landfall.restart().unwrap();
    let path = served.cluster.path();
    served.cluster.known(&path, "shop/api", 1);
    assert_eq!(
        lines(&served.proxy.take_requests()),
        [""; 0],
        "to be started is no reason to look"
    );
    served.push("1.1.0");
    served.cluster.pushed(&path, "shop/api", "1.1.0", 1);
    let token = served.cluster.refreshed(&["api"]).remove(0);
    served
        .cluster
        .warehouse_when("api", "an answer", |status| status["lastHandledRefresh"] == *token);
    assert_eq!(
        lines(&served.proxy.take_requests()),
        [
            "GET /v2/shop/api/manifests/1.1.0 200",
            "GET /v2/shop/api/blobs/sha256:… 200"
        ]
    );
}

/// A registry that does not answer holds up nobody but those who need it, however many those are, and whatever else they need.
#[test]
fn slow_warehouses_starve_no_others() {
    let served = Served::start();
    served.push("1.0.0");
    let silent = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let slow: String = (0..100)
        .map(|number| {
            let image = format!("{}/app{number}", silent.local_addr().unwrap());
            let slow = warehouse(&served.cluster.project, &format!("slow-{number}"), &image);
            match number % 2 {
                0 => slow,
                _ => slow.replace(
                    "subscriptions: [",
                    "subscriptions: [{image: {repoURL: docker.io/shop/api, constraint: ^1.0.0}}, ",
                ),
            }
        })
        .collect();
    served.cluster.apply(&slow);
    served
        .cluster
        .says("the resources have changed and are in force resources=102");
    let warehouse = served.discovered("api");
    assert_eq!(best(&warehouse["status"]).0, "1.0.0");
    // It did not have to wait until they gave up.
    let log = served.cluster.log();
    assert!(!log.contains("a refresh failed in part"), "{log}");
}

/// With the rights that our manifests grant, and no others; and where the right to a project's Secrets is missing, the condition
/// says so, nothing is lost, and it goes on when the right is there.
#[test]
fn the_rights_of_our_manifests_are_enough() {
    let server = shared();
    let project = server.namespace().unwrap();
    let registry = quiet_registry();
    let mut uploader = Uploader::new(registry.host());
    uploader
        .put_image("shop/api", "1.0.0", &ImageSpec::new("1.0.0"))
        .unwrap();
    server
        .apply("{apiVersion: v1, kind: Namespace, metadata: {name: landfall}}")
        .unwrap();
    let made = server.kustomize(&folder("kargo/standalone-controller")).unwrap();
    server.apply(&made).unwrap();
    let account = server.service_account_kubeconfig("landfall", "landfall").unwrap();
    let mirror = format!("docker.io={}", registry.url());
    let cluster = Cluster::of(server, &project, &account, |landfall| {
        serving(landfall, &mirror).arg("--lease-namespace=landfall")
    });
    cluster.apply(&(secret(&project, "s3cret") + &hub(&project)));
    cluster.apply(&warehouse(&project, "api", "docker.io/shop/api"));
    let refused = cluster.warehouse_when("api", "a missing right", |status| {
        conditions(status).contains("Ready=False (DiscoveryFailure)")
    });
    let said = refused["status"]["conditions"].to_string();
    let expected =
        format!("the Secrets with credentials for namespace {project} cannot be read: the API server refuses: ");
    assert!(said.contains(&expected), "{said}");

    let of_the_project = server.kustomize(&folder("kargo/project")).unwrap();
    cluster.apply(&of_the_project.replace("my-project", &project));
    let path = cluster.path();
    cluster.warehouse_when("api", "a first discovery", |status| best(status).0 == "1.0.0");
    let delivery = cluster.matched(&path, "shop/api", 1);
    cluster.done(&delivery);
    uploader
        .put_image("shop/api", "1.9.0", &ImageSpec::new("1.9.0"))
        .unwrap();
    cluster.pushed(&path, "shop/api", "1.9.0", 1);
    cluster.warehouse_when("api", "the push", |status| best(status).0 == "1.9.0");
    let events = server.get(&["events.events.k8s.io", "--namespace", &project]).unwrap();
    let reasons = events.to_string();
    assert!(
        reasons.contains("DiscoveryFailed") && reasons.contains("ReceiverPublished"),
        "{reasons}"
    );
}

/// What has the name of a Warehouse that is gone is another one: it is looked at for what it says itself.
#[test]
fn a_warehouse_that_is_made_again_is_looked_at_anew() {
    let served = Served::start();
    served.push("1.0.0");
    let other = served.push("2.0.0");
    served.discovered("api");
    let project = &served.cluster.project;
    let first = warehouse(project, "api", "docker.io/shop/api");
    served.cluster.apply(&first.replace("5m0s", "6m0s"));
    served
        .cluster
        .warehouse_when("api", "a second spec", |status| status["observedGeneration"] == 2);
    // In one go, so that little time is between the two.
    let folder = tempfile::tempdir().unwrap();
    let second = folder.path().join("second.yaml");
    std::fs::write(&second, first.replace("^1.0.0", "^2.0.0")).unwrap();
    let replace = ["replace", "--force", "--filename", &second.to_string_lossy()];
    served.cluster.server.kubectl(&replace).unwrap();
    let made = served
        .cluster
        .warehouse_when("api", "its own images", |status| best(status).0 == "2.0.0");
    let status = &made["status"];
    assert_eq!((best(status).1, &status["observedGeneration"]), (&*other, &json!(1)));
}

/// A Warehouse that comes to this controller from another is looked at, by its spec or by its label.
#[test]
fn a_warehouse_that_comes_from_another_shard_is_looked_at() {
    let served = Served::start();
    served.push("1.0.0");
    let project = &served.cluster.project;
    let spec = warehouse(project, "spec", "docker.io/shop/api").replace("  interval", "  shard: east\n  interval");
    let label = "labels: {kargo.akuity.io/shard: east}, name: label";
    let label = warehouse(project, "label", "docker.io/shop/api").replace("name: label", label);
    served.cluster.apply(&(spec + &label));
    served
        .cluster
        .says("the resources have changed and are in force resources=4");
    served
        .cluster
        .apply(&warehouse(project, "spec", "docker.io/shop/api").replace("  interval", "  shard: ''\n  interval"));
    let patch = ["label", "warehouses.kargo.akuity.io", "label", "--namespace", project];
    let patch = [&patch[..], &["kargo.akuity.io/shard-"]].concat();
    served.cluster.server.kubectl(&patch).unwrap();
    for name in ["spec", "label"] {
        served
            .cluster
            .warehouse_when(name, "a first discovery", |status| best(status).0 == "1.0.0");
    }
}

/// What no look can answer before somebody changes something is not looked at all the time.
#[test]
fn what_cannot_be_answered_waits() {
    let served = Served::start();
    served.push("1.0.0");
    let project = &served.cluster.project;
    let git = "---\napiVersion: kargo.akuity.io/v1alpha1\nkind: Warehouse\nmetadata: {name: git, namespace: PROJECT}\n\
               spec:\n  subscriptions: [{git: {repoURL: 'https://git.example/shop/api'}}]\n";
    served.cluster.apply(&git.replace("PROJECT", project));
    let half = warehouse(project, "half", "docker.io/shop/api").replace(
        "subscriptions: [",
        "subscriptions: [{image: {repoURL: docker.io/shop/api, allowTags: '(', tagSelectionStrategy: Lexical}}, ",
    );
    served.cluster.apply(&half);
    let handed_over = "kargo.akuity.io/refresh=t1";
    let hints = r#"landfall.dev/refresh-hints={"after":"","steps":[{"token":"t1","at":[]}]}"#;
    for name in ["git", "half"] {
        served.cluster.warehouse_when(name, "a first look", |status| {
            conditions(status).contains("Ready=False (DiscoveryFailure)")
        });
        let place = ["--namespace", project.as_str()];
        let both = ["annotate", "warehouses.kargo.akuity.io", name, handed_over, hints];
        served
            .cluster
            .server
            .kubectl(&[&both[..], &place[..]].concat())
            .unwrap();
    }
    served.annotate("half", "kargo.akuity.io/refresh=now");
    // Others are looked at meanwhile, again and again.
    served.discovered("api");
    for round in 0..10 {
        served.annotate("api", &format!("kargo.akuity.io/refresh={round}"));
        served.cluster.warehouse_when("api", "an answer", |status| {
            status["lastHandledRefresh"].as_str() == Some(&round.to_string())
        });
    }
    let log = served.cluster.log();
    for name in ["git", "half"] {
        let target = format!("{project}/{name}");
        let looks = log.lines().filter(|line| {
            line.contains(&target) && (line.contains("a refresh failed in part") || line.contains("refreshed"))
        });
        let looks = looks.count();
        assert!((1..=6).contains(&looks), "{name}: {looks}\n{log}");
        let warehouse = served.cluster.warehouse_when(name, "a status", |_| true);
        assert_eq!(warehouse["status"]["lastHandledRefresh"], Value::Null, "{warehouse:#}");
    }
}
