//! In the place of Kargo's external webhooks server: its command, its variables, its image's name for the program, and the rights
//! that its chart grants.

use std::os::unix::fs::symlink;
use std::process::{Child, Command, Stdio};

use landfall_harness::{ApiServer, free_port, http, wait};
use serde_json::json;

use super::cluster::{config, is_ready, secret, warehouse};
use crate::world::{BINARY, PATIENCE, define};

/// The rights of `kargo-external-webhooks-server`, and those of the management controller to write statuses.
const RIGHTS: &str = "
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRole
metadata: {name: PROJECT}
rules:
  - {apiGroups: [kargo.akuity.io], resources: [clusterconfigs, projectconfigs], verbs: [get, list, watch]}
  - {apiGroups: [kargo.akuity.io], resources: [promotions, warehouses], verbs: [get, list, watch, patch]}
  - {apiGroups: [kargo.akuity.io], resources: [clusterconfigs/status, projectconfigs/status], verbs: [patch]}
  - {apiGroups: [''], resources: [secrets], verbs: [get, list]}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRoleBinding
metadata: {name: PROJECT}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: PROJECT}
subjects: [{kind: ServiceAccount, name: kargo-external-webhooks-server, namespace: PROJECT}]
";

struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        // One that has ended already is as dead.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// The ClusterConfig's receiver reaches every project; a closed pull request wakes the Promotion that waits for it.
#[test]
fn kargos_webhook_server_can_be_replaced() {
    // Whoever shares an API server shares its ClusterConfig.
    let server = ApiServer::start().unwrap();
    define(&server);
    let project = server.namespace().unwrap();
    server.apply(&RIGHTS.replace("PROJECT", &project)).unwrap();
    let account = server
        .service_account_kubeconfig(&project, "kargo-external-webhooks-server")
        .unwrap();
    server.apply(&secret(&project, "s3cret")).unwrap();
    let receivers =
        "[{name: hub, dockerhub: {secretRef: {name: hook}}}, {name: ado, azure: {secretRef: {name: hook}}}]";
    let cluster = format!(
        "apiVersion: kargo.akuity.io/v1alpha1\nkind: ClusterConfig\nmetadata: {{name: cluster}}\nspec: {{webhookReceivers: {receivers}}}\n"
    );
    server.apply(&cluster).unwrap();
    server.apply(&config(&project, "[]")).unwrap();
    server.apply(&warehouse(&project, "api", "shop/kargo")).unwrap();
    waiting_promotion(&server, &project);

    let folder = tempfile::tempdir().unwrap();
    let kargo = folder.path().join("kargo");
    symlink(BINARY, &kargo).unwrap();
    let port = free_port().unwrap();
    let mut command = Command::new(&kargo);
    command
        .arg("external-webhooks-server")
        .env_clear()
        .env("EXTERNAL_WEBHOOK_SERVER_BASE_URL", "https://hooks.example.com/webhooks")
        .env("PORT", port.to_string())
        .env("BIND_ADDRESS", "127.0.0.1")
        .env("SYSTEM_RESOURCES_NAMESPACE", &project)
        // As a template writes what it leaves out.
        .env("TLS_ENABLED", "")
        .env("GRACEFUL_SHUTDOWN_TIMEOUT", "")
        .env("KUBECONFIG", &account)
        .env("LOG_LEVEL", "INFO")
        .env("LANDFALL_DATA_DIR", folder.path().join("data"));
    let _running = Running(command.stderr(Stdio::null()).spawn().unwrap());

    let status = wait::until(PATIENCE, "the ClusterConfig to be published", || {
        let status = server.get(&["clusterconfigs.kargo.akuity.io", "cluster"]).ok()?["status"].clone();
        (is_ready(&status) && status["webhookReceivers"].as_array()?.len() == 2).then_some(status)
    })
    .unwrap();
    let url = |number: usize| {
        let path = status["webhookReceivers"][number]["path"].as_str().unwrap();
        assert!(path.starts_with("/webhooks/"), "{path}");
        format!("http://127.0.0.1:{port}{path}")
    };
    let headers = [("Content-Type", "application/json"), ("User-Agent", "VSServices/1.0")];
    let push = json!({ "push_data": { "tag": "1.0.0" }, "repository": { "repo_name": "shop/kargo" } });
    let answer = http::post(&url(0), &headers, push.to_string().as_bytes()).unwrap();
    assert_eq!(answer.text(), "{\"msg\":\"refreshed 1 warehouse(s)\"}\n");
    let links = json!({ "web": { "href": PULL_REQUEST } });
    let closed =
        json!({ "eventType": "git.pullrequest.merged", "resource": { "status": "completed", "_links": links } });
    let answer = http::post(&url(1), &headers, closed.to_string().as_bytes()).unwrap();
    assert_eq!(answer.text(), "{\"msg\":\"refreshed 1 promotion(s)\"}\n");
    for (kind, name) in [("warehouses", "api"), ("promotions", "test.01j")] {
        wait::until(PATIENCE, "both annotations", || {
            let object = server
                .get(&[&format!("{kind}.kargo.akuity.io"), name, "--namespace", &project])
                .unwrap();
            object["metadata"]["annotations"]["kargo.akuity.io/refresh"]
                .is_string()
                .then_some(())
        })
        .unwrap();
    }
}

const PULL_REQUEST: &str = "https://dev.azure.com/shop/_git/env/pullrequest/7";

/// A Promotion whose first step waits for the pull request.
fn waiting_promotion(server: &ApiServer, project: &str) {
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
