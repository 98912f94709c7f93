//! What `deploy/kustomize/kargo` says is what a cluster takes, fits what Kargo has, and gives landfall the rights that it
//! needs and no others.

use landfall_harness::{ApiServer, wait};
use serde_json::{Value, json};

use crate::deploy::{find, folder, may, objects};
use crate::world::{PATIENCE, World, define};

/// The name that everything of Kargo's external webhooks server has.
const KARGOS: &str = "kargo-external-webhooks-server";
/// The accounts, as `namespace:name`.
const RECEIVERS: &str = "kargo:kargo-external-webhooks-server";
const STANDALONE: &str = "landfall:landfall";

/// The folders that somebody may apply, each with its Deployment and how many objects it makes.
const ENTRY_POINTS: [(&str, &str, usize); 3] = [
    ("kargo/beside-kargo", "landfall-receivers", 5),
    ("kargo/instead-of-receivers", KARGOS, 11),
    ("kargo/standalone-controller", "landfall", 10),
];

/// An API server that knows the kinds and the namespaces.
fn server() -> &'static ApiServer {
    let server = ApiServer::shared().unwrap();
    define(server);
    for name in [
        "kargo",
        "kargo-shared-resources",
        "kargo-system-resources",
        "landfall",
        "my-project",
    ] {
        let namespace = json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}});
        server.apply(&namespace.to_string()).unwrap();
    }
    server
}

fn pod<'a>(objects: &'a [Value], deployment: &str) -> &'a Value {
    &find(objects, "Deployment", deployment)["spec"]["template"]["spec"]
}

#[test]
fn the_api_server_takes_what_is_made() {
    let server = server();
    let project = ("kargo/project", "", 1);
    for (name, _, expected) in ENTRY_POINTS.into_iter().chain([project]) {
        let manifests = server.kustomize(&folder(name)).unwrap();
        let taken = server
            .try_apply(&manifests)
            .unwrap_or_else(|error| panic!("{name}: {error}"));
        assert_eq!(taken.lines().count(), expected, "{name}: {taken}");
    }
}

#[test]
fn whatever_points_at_kargos_server_finds_landfall() {
    let objects = objects("kargo/instead-of-receivers");
    let pod = pod(&objects, KARGOS);
    let container = &pod["containers"][0];
    let kargo = json!({
        "name": "webhooks-server", "command": ["/sbin/tini", "--", "/usr/local/bin/kargo"], "args": ["external-webhooks-server"],
        "envFrom": [{"configMapRef": {"name": KARGOS}}],
    });
    for (field, expected) in kargo.as_object().unwrap() {
        assert_eq!(&container[field], expected, "{field}");
    }
    assert_eq!(pod["serviceAccountName"], KARGOS);
    assert_eq!(container["ports"][0]["containerPort"], 8080);
    assert_eq!(container["volumeMounts"][0]["mountPath"], "/etc/kargo");
    assert_eq!(pod["volumes"][0]["secret"]["secretName"], format!("{KARGOS}-cert"));
    assert_eq!(find(&objects, "Service", KARGOS)["spec"]["ports"][0]["port"], 443);
    assert_eq!(find(&objects, "Service", KARGOS)["metadata"]["namespace"], "kargo");
    let settings = find(&objects, "ConfigMap", KARGOS)["data"].as_object().unwrap();
    let names: Vec<&str> = settings.keys().map(String::as_str).collect();
    let expected = [
        "EXTERNAL_WEBHOOK_SERVER_BASE_URL",
        "KARGO_NAMESPACE",
        "LOG_FORMAT",
        "LOG_LEVEL",
        "SYSTEM_RESOURCES_NAMESPACE",
        "TLS_CERT_PATH",
        "TLS_ENABLED",
        "TLS_KEY_PATH",
    ];
    assert_eq!(names, expected);
}

/// Beside Kargo, nothing is named as something that Kargo's chart makes: applying and deleting it touches nothing of Kargo's.
#[test]
fn beside_kargo_nothing_of_kargos_is_touched() {
    let objects = objects("kargo/beside-kargo");
    for object in &objects {
        let name = object["metadata"]["name"].as_str().unwrap();
        assert!(name.starts_with("landfall-"), "{} {name}", object["kind"]);
    }
    assert_eq!(pod(&objects, "landfall-receivers")["serviceAccountName"], KARGOS);
}

#[test]
fn pods_have_no_more_rights_on_their_nodes_than_they_need() {
    for (name, deployment, _) in ENTRY_POINTS {
        let objects = objects(name);
        let pod = pod(&objects, deployment);
        assert_eq!(pod["securityContext"]["runAsNonRoot"], true, "{name}");
        assert_eq!(
            pod["securityContext"]["seccompProfile"],
            json!({"type": "RuntimeDefault"}),
            "{name}"
        );
        let expected = json!({
            "allowPrivilegeEscalation": false, "readOnlyRootFilesystem": true, "capabilities": {"drop": ["ALL"]},
        });
        assert_eq!(pod["containers"][0]["securityContext"], expected, "{name}");
        assert!(pod["terminationGracePeriodSeconds"].as_u64() > Some(30), "{name}");
    }
}

/// The binary that is tested reads the arguments as they stand, without their last effect, which needs a cluster.
#[test]
fn arguments_are_understood_as_they_stand() {
    for (name, deployment, _) in ENTRY_POINTS {
        let objects = objects(name);
        let args = pod(&objects, deployment)["containers"][0]["args"].clone();
        let args: Vec<&str> = args
            .as_array()
            .unwrap()
            .iter()
            .map(|arg| arg.as_str().unwrap())
            .collect();
        let help = World::command(&[args[0], "--help"]);
        let said = String::from_utf8_lossy(&help.stdout).into_owned();
        let is_known = |arg: &&str| said.contains(arg.split('=').next().unwrap_or_default());
        assert!(help.status.success(), "{name}: {args:?}: {help:?}");
        assert!(args[1..].iter().all(is_known), "{name}: {args:?} in {said}");
        let whole = World::command(&[&args[..], &["--help"]].concat());
        assert!(whole.status.success(), "{name}: {args:?}: {whole:?}");
    }
}

/// Makes a rule's rights be in force: the API server's authorizer hears of new ones by watches.
fn in_force(account: &str, rights: &[(&str, &str, &str, &str)]) {
    wait::until(PATIENCE, "the roles to be in force", || {
        let all = rights
            .iter()
            .all(|(namespace, verb, resource, name)| may(account, namespace, verb, resource, name));
        all.then_some(())
    })
    .unwrap();
}

const WAREHOUSES: &str = "kargo.akuity.io/warehouses";
const PROMOTIONS: &str = "kargo.akuity.io/promotions";
const PROJECTS: &str = "kargo.akuity.io/projectconfigs";
const CLUSTERS: &str = "kargo.akuity.io/clusterconfigs";
const LEASES: &str = "coordination.k8s.io/leases";

/// What both accounts may do anywhere, or not, whatever else they may.
fn common(account: &str) {
    for (verb, resource, expected) in [
        ("get", PROJECTS, true),
        ("list", PROJECTS, true),
        ("watch", CLUSTERS, true),
        ("watch", WAREHOUSES, true),
        ("patch", WAREHOUSES, true),
        ("patch", PROMOTIONS, true),
        ("patch", "kargo.akuity.io/projectconfigs/status", true),
        ("patch", "kargo.akuity.io/clusterconfigs/status", true),
        ("create", "events.k8s.io/events", true),
        ("patch", PROJECTS, false),
        ("patch", CLUSTERS, false),
        ("patch", "kargo.akuity.io/promotions/status", false),
        ("update", WAREHOUSES, false),
        ("create", WAREHOUSES, false),
        ("delete", WAREHOUSES, false),
        ("create", PROMOTIONS, false),
        ("delete", PROMOTIONS, false),
        ("get", "kargo.akuity.io/stages", false),
        ("promote", "kargo.akuity.io/stages", false),
        ("create", "kargo.akuity.io/freights", false),
        ("get", "/secrets", false),
        ("list", "/secrets", false),
        ("get", "/configmaps", false),
        ("create", "/events", false),
        ("delete", "/events", false),
        ("patch", "events.k8s.io/events", false),
        ("delete", "events.k8s.io/events", false),
        ("get", LEASES, false),
        ("create", "/pods", false),
        ("create", "rbac.authorization.k8s.io/rolebindings", false),
        ("create", "authentication.k8s.io/tokenreviews", false),
        ("impersonate", "/users", false),
    ] {
        assert_eq!(
            may(account, "", verb, resource, ""),
            expected,
            "{account}: {verb} {resource}"
        );
    }
}

/// What an account may do in its own namespace with its Lease, if it has one, and in others not.
fn at_home(account: &str, home: &str, own: Option<&str>) {
    let (has_one, lease) = (own.is_some(), own.unwrap_or("landfall"));
    for (namespace, verb, name, expected) in [
        (home, "create", "", has_one),
        (home, "get", lease, has_one),
        (home, "update", lease, has_one),
        (home, "update", "somebody-elses", false),
        (home, "delete", lease, false),
        (home, "list", "", false),
        ("my-project", "create", "", false),
        ("kube-system", "update", lease, false),
    ] {
        let allowed = may(account, namespace, verb, LEASES, name);
        assert_eq!(allowed, expected, "{account}: {verb} Lease {name} in {namespace}");
    }
}

/// Which verbs an account has on the Secrets of each namespace.
fn secrets(account: &str, expected: &[(&str, &[&str])]) {
    for (namespace, verbs) in expected {
        for verb in ["get", "list", "watch", "create", "update", "patch", "delete"] {
            let allowed = may(account, namespace, verb, "/secrets", "");
            assert_eq!(
                allowed,
                verbs.contains(&verb),
                "{account}: {verb} Secrets in {namespace}"
            );
        }
    }
}

#[test]
fn receivers_may_do_this_and_nothing_more() {
    let server = server();
    let made = server.kustomize(&folder("kargo/instead-of-receivers")).unwrap();
    server.apply(&made).unwrap();
    in_force(
        RECEIVERS,
        &[
            ("", "get", PROJECTS, ""),
            ("", "patch", "kargo.akuity.io/projectconfigs/status", ""),
            ("kargo-system-resources", "get", "/secrets", ""),
        ],
    );
    common(RECEIVERS);
    // None of them leads.
    at_home(RECEIVERS, "kargo", None);
    assert!(!may(RECEIVERS, "", "patch", "kargo.akuity.io/warehouses/status", ""));
    // Those of a project are bound by Kargo, when it makes the project.
    let read: &[&str] = &["get", "list", "watch"];
    let elsewhere: [(&str, &[&str]); 3] = [("kargo-system-resources", read), ("kargo", &[]), ("my-project", &[])];
    secrets(RECEIVERS, &elsewhere);
    secrets(RECEIVERS, &[("kargo-shared-resources", &[])]);

    let annotates = |kind: &str| {
        let account = format!("--as=system:serviceaccount:{RECEIVERS}");
        let refresh = "kargo.akuity.io/refresh=now";
        server.kubectl(&[
            "annotate",
            "--overwrite",
            kind,
            "my-project",
            refresh,
            "--namespace=my-project",
            &account,
        ])
    };
    let manifest = |kind: &str, spec: &Value| {
        let metadata = json!({"name": "my-project", "namespace": "my-project"});
        json!({"apiVersion": "kargo.akuity.io/v1alpha1", "kind": kind, "metadata": metadata, "spec": spec}).to_string()
    };
    let subscriptions = json!({"interval": "5m0s", "subscriptions": [{"image": {"repoURL": "registry.example/api"}}]});
    server.apply(&manifest("Warehouse", &subscriptions)).unwrap();
    server.apply(&manifest("ProjectConfig", &json!({}))).unwrap();
    annotates("warehouse").unwrap();
    let refused = annotates("projectconfig").unwrap_err().to_string();
    assert!(refused.contains("Forbidden"), "{refused}");

    // Where they serve Warehouses as well, they may do that, and nothing more.
    let made = with_components("kargo/instead-of-receivers", &["warehouses", "shared-credentials"]);
    server.apply(&made).unwrap();
    in_force(
        RECEIVERS,
        &[
            ("", "patch", "kargo.akuity.io/warehouses/status", ""),
            ("kargo", "create", LEASES, ""),
            ("kargo-shared-resources", "list", "/secrets", ""),
        ],
    );
    common(RECEIVERS);
    at_home(RECEIVERS, "kargo", Some("landfall-landfall"));
    secrets(RECEIVERS, &elsewhere);
    secrets(RECEIVERS, &[("kargo-shared-resources", &["list"])]);
}

/// What somebody's own overlay makes of a folder and components, which it names by the way from where it is.
fn with_components(base: &str, components: &[&str]) -> String {
    let own = tempfile::tempdir().unwrap();
    let from = own.path().canonicalize().unwrap();
    let to_the_root = "../".repeat(from.components().count() - 1);
    let way = |name: &str| {
        let there = folder(name).canonicalize().unwrap();
        format!("{to_the_root}{}", there.strip_prefix("/").unwrap().display())
    };
    let listed: Vec<String> = components
        .iter()
        .map(|name| format!("  - {}\n", way(&format!("kargo/components/{name}"))))
        .collect();
    let kustomization = format!("resources: [{}]\ncomponents:\n{}", way(base), listed.concat());
    std::fs::write(from.join("kustomization.yaml"), kustomization).unwrap();
    ApiServer::shared().unwrap().kustomize(&from).unwrap()
}

/// What an overlay with one component makes, which the API server takes; but for kinds that it does not know, which are named here.
fn with_component(base: &str, component: &str, unknown: &[&str]) -> Vec<Value> {
    let made = with_components(base, &[component]);
    let objects: Vec<Value> = serde_saphyr::from_multiple(&made).unwrap();
    for object in &objects {
        if !unknown.iter().any(|kind| object["kind"] == *kind) {
            let taken = server().try_apply(&object.to_string());
            taken.unwrap_or_else(|error| panic!("{base} with {component}: {error}"));
        }
    }
    objects
}

/// The value of a variable of the first container, which landfall reads.
fn variable<'a>(pod: &'a Value, name: &str) -> &'a Value {
    let args: Vec<&str> = pod["containers"][0]["args"].as_array().unwrap()[..1]
        .iter()
        .map(|arg| arg.as_str().unwrap())
        .collect();
    let help = World::command(&[&args[..], &["--help"]].concat());
    assert!(
        String::from_utf8_lossy(&help.stdout).contains(name),
        "{args:?} does not read {name}"
    );
    let variables = pod["containers"][0]["env"].as_array().unwrap();
    let variable = variables.iter().find(|variable| variable["name"] == name);
    &variable.unwrap_or_else(|| panic!("no {name}"))["value"]
}

fn named<'a>(list: &'a Value, name: &str) -> &'a Value {
    let mut list = list.as_array().unwrap().iter();
    list.find(|one| one["name"] == name)
        .unwrap_or_else(|| panic!("no {name}"))
}

#[test]
fn a_journal_in_postgresql_is_one_of_two_replicas_and_needs_no_volume() {
    for (base, deployment, _) in ENTRY_POINTS {
        let objects = with_component(base, "postgresql", &[]);
        assert!(
            !objects.iter().any(|object| object["kind"] == "PersistentVolumeClaim"),
            "{base}"
        );
        let spec = &find(&objects, "Deployment", deployment)["spec"];
        assert_eq!(
            (&spec["replicas"], &spec["strategy"]),
            (&json!(2), &json!({"type": "RollingUpdate"})),
            "{base}"
        );
        let pod = pod(&objects, deployment);
        let mount = named(&pod["containers"][0]["volumeMounts"], "journal");
        let file = format!("{}/url", mount["mountPath"].as_str().unwrap());
        assert_eq!(variable(pod, "LANDFALL_JOURNAL_FILE"), &json!(file), "{base}");
        assert_eq!(
            named(&pod["volumes"], "journal")["secret"]["secretName"],
            "landfall-journal"
        );
        assert_eq!(
            named(&pod["volumes"], "data"),
            &json!({"name": "data", "emptyDir": {}}),
            "{base}"
        );
    }
}

#[test]
fn metrics_have_a_port_that_landfall_opens_and_the_service_has() {
    for (base, deployment) in [
        ("kargo/beside-kargo", "landfall-receivers"),
        ("kargo/instead-of-receivers", KARGOS),
    ] {
        let objects = with_component(base, "metrics", &[]);
        let pod = pod(&objects, deployment);
        let port = named(&pod["containers"][0]["ports"], "metrics")["containerPort"]
            .as_u64()
            .unwrap();
        assert_eq!(
            variable(pod, "LANDFALL_METRICS_BIND_ADDRESS"),
            &json!(format!(":{port}")),
            "{base}"
        );
        let service = named(&find(&objects, "Service", deployment)["spec"]["ports"], "metrics");
        assert_eq!(
            (&service["port"], &service["targetPort"]),
            (&json!(port), &json!("metrics")),
            "{base}"
        );
    }
}

#[test]
fn a_certificate_of_our_own_is_the_one_that_is_served() {
    for (base, deployment) in [
        ("kargo/beside-kargo", "landfall-receivers"),
        ("kargo/instead-of-receivers", KARGOS),
    ] {
        let objects = with_component(base, "certificate", &["Certificate"]);
        let certificate = &find(&objects, "Certificate", "landfall-receivers")["spec"];
        let mounted = &named(&pod(&objects, deployment)["volumes"], "cert")["secret"];
        assert_eq!(mounted["secretName"], certificate["secretName"], "{base}");
        let names = certificate["dnsNames"].as_array().unwrap();
        assert!(
            names.contains(&json!(format!("{deployment}.kargo.svc"))),
            "{base}: {names:?}"
        );
    }
}

#[test]
fn without_tls_the_service_has_kargos_other_port() {
    for (base, deployment) in [
        ("kargo/beside-kargo", "landfall-receivers"),
        ("kargo/instead-of-receivers", KARGOS),
    ] {
        let objects = with_component(base, "without-tls", &[]);
        let port = &find(&objects, "Service", deployment)["spec"]["ports"][0];
        assert_eq!((&port["port"], &port["name"]), (&json!(80), &json!("http")), "{base}");
        assert_eq!(port["targetPort"], "webhooks", "{base}");
        // Beside Kargo the settings are the chart's.
        if base == "kargo/instead-of-receivers" {
            assert_eq!(find(&objects, "ConfigMap", KARGOS)["data"]["TLS_ENABLED"], "false");
        }
    }
}

#[test]
fn a_controller_without_kargo_may_do_this_and_nothing_more() {
    let server = server();
    for name in ["kargo/standalone-controller", "kargo/project"] {
        server.apply(&server.kustomize(&folder(name)).unwrap()).unwrap();
    }
    in_force(
        STANDALONE,
        &[
            ("", "get", PROJECTS, ""),
            ("landfall", "create", LEASES, ""),
            ("my-project", "get", "/secrets", ""),
        ],
    );
    common(STANDALONE);
    at_home(STANDALONE, "landfall", Some("landfall"));
    assert!(may(STANDALONE, "", "patch", "kargo.akuity.io/warehouses/status", ""));
    let read: &[&str] = &["get", "list", "watch"];
    secrets(
        STANDALONE,
        &[
            ("my-project", read),
            ("landfall", read),
            ("kargo", &[]),
            ("default", &[]),
        ],
    );
}
