//! What `deploy/kustomize/kargo` says is what a cluster takes, fits what Kargo has, and gives landfall the rights that it
//! needs and no others.

use landfall_harness::{ApiServer, wait};
use serde_json::{Value, json};

use crate::deploy::{find, folder, may, objects};
use crate::world::{PATIENCE, World};

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
    server.define_resources().unwrap();
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
        if !help.status.success() || !args[1..].iter().all(is_known) {
            println!("{name}: LEFT OUT: this landfall has no {args:?} yet");
            continue;
        }
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
