//! In the place of Kargo's external webhooks server: its command, its variables, its certificate, its image's name for the program,
//! and the rights that its chart grants and no others.

use std::fs::{self, File};
use std::os::unix::fs::symlink;
use std::path::PathBuf;
use std::process::{Child, Command};

use landfall_harness::http::Request;
use landfall_harness::{ApiServer, free_port, wait};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};
use tempfile::TempDir;

use super::cluster::{config, is_ready, secret, warehouse};
use crate::deploy::folder;
use crate::secured::{self, Client, tls};
use crate::world::{BINARY, PATIENCE, define};

const ACCOUNT: &str = "kargo-external-webhooks-server";

/// What Kargo's chart grants its webhooks server, and its project controller in each project.
const RIGHTS: &str = "
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRole
metadata: {name: kargo-external-webhooks-server}
rules:
  - {apiGroups: [kargo.akuity.io], resources: [clusterconfigs, projectconfigs], verbs: [get, list, watch]}
  - {apiGroups: [kargo.akuity.io], resources: [promotions, warehouses], verbs: [get, list, patch, watch]}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRoleBinding
metadata: {name: kargo-external-webhooks-server}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: kargo-external-webhooks-server}
subjects: [{kind: ServiceAccount, name: kargo-external-webhooks-server, namespace: KARGO}]
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRole
metadata: {name: kargo-project-secrets-reader}
rules: [{apiGroups: [''], resources: [secrets], verbs: [get, list]}]
---
apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
metadata: {name: kargo-project-secrets-reader, namespace: PROJECT}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: kargo-project-secrets-reader}
subjects: [{kind: ServiceAccount, name: kargo-external-webhooks-server, namespace: KARGO}]
---
apiVersion: rbac.authorization.k8s.io/v1
kind: Role
metadata: {name: kargo-system-resources-reader, namespace: SYSTEM}
rules: [{apiGroups: [''], resources: [secrets], verbs: [get, list, watch]}]
---
apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
metadata: {name: kargo-system-resources-reader, namespace: SYSTEM}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: Role, name: kargo-system-resources-reader}
subjects: [{kind: ServiceAccount, name: kargo-external-webhooks-server, namespace: KARGO}]
";

/// What `docs/kubernetes/migrate-from-kargo.md` grants beside that.
const STATUSES: &str = "
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRole
metadata: {name: landfall-statuses}
rules: [{apiGroups: [kargo.akuity.io], resources: [clusterconfigs/status, projectconfigs/status], verbs: [patch]}]
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRoleBinding
metadata: {name: landfall-statuses}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: landfall-statuses}
subjects: [{kind: ServiceAccount, name: kargo-external-webhooks-server, namespace: KARGO}]
";

/// A cluster of Kargo's, and landfall in a pod of it.
struct Replaced {
    server: ApiServer,
    project: String,
    system: String,
    kargo: String,
    host: String,
    log: PathBuf,
    child: Child,
    _folder: TempDir,
}

impl Drop for Replaced {
    fn drop(&mut self) {
        // One that has ended already is as dead.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Where Kargo has a receiver: the hash has no separators.
fn path(kind: &str, project: &str, name: &str, secret: &str) -> String {
    let hash = Sha256::digest(format!("{project}{name}{secret}"));
    let hex: String = hash.iter().map(|byte| format!("{byte:02x}")).collect();
    format!("/webhooks/{kind}/{hex}")
}

/// A status as Kargo's management controller writes it.
fn published(kind: &str, receivers: &[(&str, String)]) -> Value {
    let receivers: Vec<Value> = receivers
        .iter()
        .map(|(name, path)| json!({ "name": name, "path": path, "url": format!("https://hooks.example.com{path}") }))
        .collect();
    let ready = json!({
        "type": "Ready", "status": "True", "reason": "Synced", "message": format!("{kind} is synced and ready for use"),
        "observedGeneration": 1, "lastTransitionTime": "2026-01-02T03:04:05Z",
    });
    json!({ "status": { "conditions": [ready], "observedGeneration": 1, "webhookReceivers": receivers } })
}

impl Replaced {
    /// With the rights that Kargo's chart grants.
    fn start() -> Self {
        Self::with(|rights, _| rights)
    }

    /// The ClusterConfig's receivers reach every project; a closed pull request wakes the Promotion that waits for it.
    fn with(rights: impl FnOnce(String, &ApiServer) -> String) -> Self {
        // Whoever shares an API server shares its ClusterConfig.
        let server = ApiServer::start().unwrap();
        define(&server);
        let project = server.namespace().unwrap();
        let [system, kargo] = ["kargo-system-resources", "kargo"].map(str::to_owned);
        for name in [&system, &kargo] {
            let namespace = json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}});
            server.apply(&namespace.to_string()).unwrap();
        }
        let charts = RIGHTS
            .replace("PROJECT", &project)
            .replace("SYSTEM", &system)
            .replace("KARGO", &kargo);
        server.apply(&rights(charts, &server)).unwrap();
        let account = server.service_account_kubeconfig(&kargo, ACCOUNT).unwrap();
        server
            .apply(&(secret(&system, "s3cret") + &secret(&project, "s3cret")))
            .unwrap();
        let receivers =
            "[{name: hub, dockerhub: {secretRef: {name: hook}}}, {name: ado, azure: {secretRef: {name: hook}}}]";
        let cluster = format!(
            "apiVersion: kargo.akuity.io/v1alpha1\nkind: ClusterConfig\nmetadata: {{name: cluster}}\nspec: {{webhookReceivers: {receivers}}}\n"
        );
        server.apply(&cluster).unwrap();
        let own = "[{name: own, dockerhub: {secretRef: {name: hook}}}]";
        server.apply(&config(&project, own)).unwrap();
        let kargos = [
            (
                vec!["clusterconfigs.kargo.akuity.io", "cluster"],
                published(
                    "ClusterConfig",
                    &[
                        ("hub", path("dockerhub", "", "hub", "s3cret")),
                        ("ado", path("azure", "", "ado", "s3cret")),
                    ],
                ),
            ),
            (
                vec!["projectconfigs.kargo.akuity.io", &project, "--namespace", &project],
                published(
                    "ProjectConfig",
                    &[("own", path("dockerhub", &project, "own", "s3cret"))],
                ),
            ),
        ];
        for (object, status) in kargos {
            let patch = ["--subresource=status", "--type=merge", "--patch", &status.to_string()];
            server.kubectl(&[&["patch"][..], &object, &patch].concat()).unwrap();
        }
        server.apply(&warehouse(&project, "api", "shop/kargo")).unwrap();
        waiting_promotion(&server, &project);

        let folder = tempfile::tempdir().unwrap();
        let program = folder.path().join("kargo");
        symlink(BINARY, &program).unwrap();
        secured::ecdsa(folder.path(), "localhost");
        let (port, log) = (free_port().unwrap(), folder.path().join("log"));
        let mut command = Command::new(&program);
        command
            .arg("external-webhooks-server")
            .env_clear()
            .env("EXTERNAL_WEBHOOK_SERVER_BASE_URL", "https://hooks.example.com/webhooks")
            .env("KARGO_NAMESPACE", &kargo)
            .env("PORT", port.to_string())
            .env("BIND_ADDRESS", "127.0.0.1")
            .env("SYSTEM_RESOURCES_NAMESPACE", &system)
            .env("TLS_ENABLED", "true")
            .env("TLS_CERT_PATH", folder.path().join("tls.crt"))
            .env("TLS_KEY_PATH", folder.path().join("tls.key"))
            // As a template writes what it leaves out.
            .env("GRACEFUL_SHUTDOWN_TIMEOUT", "")
            .env("KUBECONFIG", &account)
            .env("LOG_LEVEL", "INFO")
            .env("LOG_FORMAT", "CONSOLE")
            .env("LANDFALL_DATA_DIR", folder.path().join("data"));
        let child = command.stderr(File::create(&log).unwrap()).spawn().unwrap();
        let host = format!("127.0.0.1:{port}");
        wait::until(PATIENCE, "the door to be open", || {
            std::net::TcpStream::connect(&host).ok()
        })
        .unwrap();
        Self {
            server,
            project,
            system,
            kargo,
            host,
            log,
            child,
            _folder: folder,
        }
    }

    fn log(&self) -> String {
        fs::read_to_string(&self.log).unwrap()
    }

    fn ask(&self, request: &Request) -> (u16, String) {
        Client::new(tls(&self.host, &[])).ask(request)
    }

    fn post(&self, path: &str, body: &Value) -> (u16, String) {
        let request = Request::new("POST", path)
            .header("Content-Type", "application/json")
            .header("User-Agent", "VSServices/1.0")
            .body(body.to_string());
        self.ask(&request)
    }

    /// Posts a push of Docker Hub's until it is answered so.
    fn pushed(&self, path: &str, tag: &str, expected: &str) {
        let push = json!({ "push_data": { "tag": tag }, "repository": { "repo_name": "shop/kargo" } });
        let mut last = String::new();
        wait::until(PATIENCE, "an answer", || {
            last = self.post(path, &push).1;
            (last == expected).then_some(())
        })
        .unwrap_or_else(|error| panic!("{error}: {last}\n{}", self.log()));
    }

    fn token(&self, kind: &str, name: &str) -> Option<String> {
        let kind = format!("{kind}.kargo.akuity.io");
        let object = [&*kind, name, "--namespace", &self.project];
        let object = self.server.get(&object).unwrap();
        let token = object["metadata"]["annotations"]["kargo.akuity.io/refresh"].as_str();
        token.map(str::to_owned)
    }

    fn config(&self) -> Value {
        let config = [
            "projectconfigs.kargo.akuity.io",
            &self.project,
            "--namespace",
            &self.project,
        ];
        self.server.get(&config).unwrap()["status"].clone()
    }
}

const ONE: &str = "{\"msg\":\"refreshed 1 warehouse(s)\"}\n";

/// With nothing but the image exchanged: what Kargo has published is served, and nothing of it is written again.
#[test]
fn kargos_webhook_server_can_be_replaced() {
    let kargo = Replaced::start();
    let [hub, own] = [
        path("dockerhub", "", "hub", "s3cret"),
        path("dockerhub", &kargo.project, "own", "s3cret"),
    ];
    kargo.pushed(&hub, "1.0.0", ONE);
    // Kargo's probe, at the door.
    assert_eq!(kargo.ask(&Request::new("GET", "/healthz")).0, 200);
    let before = wait::until(PATIENCE, "a refresh", || kargo.token("warehouses", "api")).unwrap();
    kargo.pushed(&own, "1.0.1", ONE);
    let links = json!({ "web": { "href": PULL_REQUEST } });
    let closed =
        json!({ "eventType": "git.pullrequest.merged", "resource": { "status": "completed", "_links": links } });
    let answer = kargo.post(&path("azure", "", "ado", "s3cret"), &closed).1;
    assert_eq!(answer, "{\"msg\":\"refreshed 1 promotion(s)\"}\n");
    wait::until(PATIENCE, "both refreshes", || {
        let again = kargo.token("warehouses", "api").filter(|token| *token != before);
        again.and(kargo.token("promotions", "test.01j"))
    })
    .unwrap();
    let log = kargo.log();
    assert!(
        !log.contains("cannot be written") && !log.contains("ERROR"),
        "Kargo grants no more, and no more is needed: {log}"
    );
}

/// With the rights that our manifests grant, beside those that Kargo keeps where it runs.
#[test]
fn the_rights_of_the_receivers_manifests_are_enough() {
    for (overlay, keeps_charts) in [("kargo/beside-kargo", true), ("kargo/instead-of-receivers", false)] {
        let kargo = Replaced::with(|charts, server| {
            let ours = server.kustomize(&folder(overlay)).unwrap();
            // Of a project, Kargo lets the account read the Secrets, whoever has made it.
            let of_projects = charts
                .split("---\n")
                .filter(|part| keeps_charts || part.contains("kargo-project-secrets-reader"));
            of_projects.chain([&*ours]).collect::<Vec<_>>().join("\n---\n")
        });
        let own = |secret: &str| path("dockerhub", &kargo.project, "own", secret);
        kargo.pushed(&own("s3cret"), "1.0.0", ONE);
        kargo.pushed(&path("dockerhub", "", "hub", "s3cret"), "1.0.1", ONE);
        wait::until(PATIENCE, "a refresh", || kargo.token("warehouses", "api")).unwrap();
        kargo.server.apply(&secret(&kargo.project, "another")).unwrap();
        wait::until(PATIENCE, "the new path to be published", || {
            let status = kargo.config();
            (status["webhookReceivers"][0]["path"] == own("another")).then_some(())
        })
        .unwrap_or_else(|error| panic!("{overlay}: {error}: {}", kargo.log()));
        kargo.pushed(&own("another"), "1.0.2", ONE);
        let events = kargo
            .server
            .get(&["events.events.k8s.io", "--namespace", &kargo.project])
            .unwrap();
        assert!(
            events.to_string().contains("ReceiverPublished"),
            "{overlay}: {events:#}"
        );
        let log = kargo.log();
        assert!(
            !log.contains("ERROR") && !log.contains("cannot be written"),
            "{overlay}: {log}"
        );
    }
}

/// A right to the statuses, which Kargo does not grant, publishes a rotation at once. Without it the new URL is good all the same, and
/// the log tells what is missing.
#[test]
fn a_rotation_is_served_without_the_right_to_publish_it_and_published_with_it() {
    let kargo = Replaced::start();
    let own = |secret: &str| path("dockerhub", &kargo.project, "own", secret);
    kargo.pushed(&own("s3cret"), "1.0.0", ONE);
    kargo.server.apply(&secret(&kargo.project, "another")).unwrap();
    kargo.pushed(&own("another"), "1.0.1", ONE);
    assert_eq!(kargo.post(&own("s3cret"), &json!({})).0, 404);
    wait::until(PATIENCE, "the missing right to be told", || {
        let log = kargo.log();
        (log.contains("a status cannot be written") && log.contains("projectconfigs/status")).then_some(())
    })
    .unwrap_or_else(|error| panic!("{error}: {}", kargo.log()));
    assert_eq!(kargo.config()["webhookReceivers"][0]["path"], own("s3cret"));

    let rights = STATUSES.replace("KARGO", &kargo.kargo);
    kargo.server.apply(&rights).unwrap();
    let status = |what: &str, wanted: &dyn Fn(&Value) -> bool, read: &dyn Fn() -> Value| {
        let mut last = Value::Null;
        wait::until(PATIENCE, what, || {
            last = read();
            wanted(&last).then_some(())
        })
        .unwrap_or_else(|error| panic!("{error}: {last:#}\n{}", kargo.log()));
    };
    let is_new = |status: &Value| is_ready(status) && status["webhookReceivers"][0]["path"] == own("another");
    status("the new path to be published", &is_new, &|| kargo.config());

    // The same for the cluster's own, which says so in its own words where something is missing, and answers whoever asks.
    let cluster = || {
        let cluster = ["clusterconfigs.kargo.akuity.io", "cluster"];
        kargo.server.get(&cluster).unwrap()["status"].clone()
    };
    kargo.server.apply(&secret(&kargo.system, "third")).unwrap();
    let ask = [
        "annotate",
        "clusterconfigs.kargo.akuity.io",
        "cluster",
        "kargo.akuity.io/refresh=t1",
    ];
    kargo.server.kubectl(&ask).unwrap();
    let answered = |status: &Value| status["lastHandledRefresh"] == "t1";
    status("an answer", &answered, &cluster);
    let hub = path("dockerhub", "", "hub", "third");
    assert_eq!(cluster()["webhookReceivers"][0]["path"], hub);
    let gone = ["delete", "secret", "hook", "--namespace", &kargo.system];
    kargo.server.kubectl(&gone).unwrap();
    let words = format!(
        "Failed to sync webhook receivers: receiver \"hub\": Secret {0}/hook does not exist; receiver \"ado\": Secret {0}/hook does not exist",
        kargo.system
    );
    let failed = |status: &Value| {
        let mut conditions = status["conditions"].as_array().into_iter().flatten();
        conditions.any(|condition| condition["type"] == "Ready" && condition["message"] == *words)
    };
    status("the missing Secret to be told", &failed, &cluster);
    assert_eq!(kargo.post(&hub, &json!({})).0, 404);
}

pub const PULL_REQUEST: &str = "https://dev.azure.com/shop/_git/env/pullrequest/7";

/// A Promotion whose first step waits for the pull request.
pub fn waiting_promotion(server: &ApiServer, project: &str) {
    let promotion = format!(
        "apiVersion: kargo.akuity.io/v1alpha1\nkind: Promotion\nmetadata: {{name: test.01j, namespace: {project}}}\n\
         spec: {{stage: test, freight: f00, steps: [{{uses: git-wait-for-pr, as: wait}}]}}\n"
    );
    server.apply(&promotion).unwrap();
    let state = json!({ "wait": { "pr": { "id": 7, "url": PULL_REQUEST } } });
    let status = json!({ "status": { "phase": "Running", "currentStep": 0, "state": state } });
    server
        .kubectl(&[
            "patch",
            "promotions.kargo.akuity.io",
            "test.01j",
            "--namespace",
            project,
            "--subresource=status",
            "--type=merge",
            "--patch",
            &status.to_string(),
        ])
        .unwrap();
}
