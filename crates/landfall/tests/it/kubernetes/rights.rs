//! What becomes of landfall where a right is missing: it is told where, and nothing is lost.

use super::cluster::{Cluster, hub, secret, shared};
use crate::world::conditions;

const ACCOUNT: &str = "landfall";

/// A role of the project with the rights of Kargo's own webhook server and the statuses', and one that reads Secrets with `verbs`.
fn roles(project: &str, secrets: &str, warehouses: &str) -> String {
    format!(
        "---
apiVersion: rbac.authorization.k8s.io/v1
kind: Role
metadata: {{name: landfall, namespace: {project}}}
rules:
  - {{apiGroups: [kargo.akuity.io], resources: [projectconfigs], verbs: [get, list, watch]}}
  - {{apiGroups: [kargo.akuity.io], resources: [projectconfigs/status], verbs: [patch]}}
  - {{apiGroups: [kargo.akuity.io], resources: [warehouses], verbs: {warehouses}}}
  - {{apiGroups: [''], resources: [secrets], verbs: {secrets}}}
  - {{apiGroups: [coordination.k8s.io], resources: [leases], verbs: [create, get, update]}}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
metadata: {{name: landfall, namespace: {project}}}
roleRef: {{apiGroup: rbac.authorization.k8s.io, kind: Role, name: landfall}}
subjects: [{{kind: ServiceAccount, name: {ACCOUNT}, namespace: {project}}}]
"
    )
}

const ALL: &str = "[get, list, watch, patch]";

/// Whoever may read Secrets and not watch them.
fn polling() -> Cluster {
    let server = shared();
    let project = server.namespace().unwrap();
    server.apply(&roles(&project, "[get, list]", ALL)).unwrap();
    server.apply(&secret(&project, "s3cret")).unwrap();
    server.apply(&hub(&project)).unwrap();
    let account = server.service_account_kubeconfig(&project, ACCOUNT).unwrap();
    Cluster::of(server, &project, &account, |landfall| landfall)
}

/// Kargo grants its webhook server to read Secrets and not to watch them. It sees a rotation all the same.
#[test]
fn secrets_that_may_not_be_watched_are_read_again() {
    let cluster = polling();
    let old = cluster.path();
    cluster.apply(&secret(&cluster.project, "another"));
    cluster.status_when("another path", |status| status["webhookReceivers"][0]["path"] != old);
}

/// Whoever changes a Secret and asks for a refresh, as Kargo's users do, reads the new URL beside the answer.
#[test]
fn a_refresh_of_a_configuration_is_answered_by_what_its_secrets_say() {
    let cluster = polling();
    let (server, project) = (cluster.server, &cluster.project);
    let mut paths = vec![cluster.path()];
    for token in ["t1", "t2", "t3"] {
        cluster.apply(&secret(project, &format!("secret of {token}")));
        let annotation = format!("kargo.akuity.io/refresh={token}");
        let kind = "projectconfigs.kargo.akuity.io";
        let place = ["--overwrite", "--namespace", project];
        let annotate = ["annotate", kind, project, &annotation];
        server.kubectl(&[&annotate[..], &place[..]].concat()).unwrap();
        let status = cluster.status_when("an answer", |status| status["lastHandledRefresh"] == token);
        let path = status["webhookReceivers"][0]["path"].as_str().unwrap().to_owned();
        assert!(!paths.contains(&path), "{token}: the path is of an earlier secret");
        paths.push(path);
    }
}

/// A receiver whose Secret cannot be read any more stays published, and its senders are still served.
#[test]
fn a_right_that_is_taken_away_unpublishes_nothing() {
    let server = shared();
    let project = server.namespace().unwrap();
    server.apply(&roles(&project, "[get]", ALL)).unwrap();
    server.apply(&secret(&project, "s3cret")).unwrap();
    server.apply(&hub(&project)).unwrap();
    let account = server.service_account_kubeconfig(&project, ACCOUNT).unwrap();
    let mut cluster = Cluster::of(server, &project, &account, |landfall| landfall);
    cluster.warehouses(&["api"], "shop/api");
    let path = cluster.path();

    cluster.apply(&roles(&project, "[create]", "[get, list, watch]"));
    let doubt = |status: &serde_json::Value| {
        conditions(status).contains("Ready=False (SyncWebhookReceiversFailed)")
            && status["conditions"].to_string().contains("cannot be read")
    };
    let status = cluster.status_when("the missing right to be told", doubt);
    assert_eq!(status["webhookReceivers"][0]["path"], path);
    let delivery = cluster.matched(&path, "shop/api", 1);
    let delivery_waits = |delivery: &serde_json::Value| {
        let attempts = delivery["work"][0]["attempts"].to_string();
        attempts.contains("failed: the API server refuses: ")
    };
    cluster.delivery_when(&delivery, "an attempt that is refused", delivery_waits);

    // The next process cannot read it either: it keeps the URL, and asks senders to try again.
    cluster.landfall.restart().unwrap();
    cluster.says("a receiver cannot be reached");
    assert_eq!(cluster.post(&path, "shop/api", "1.0.1").status, 503);
    assert_eq!(
        cluster.status_when("the same words", doubt)["webhookReceivers"][0]["path"],
        path
    );

    cluster.apply(&roles(&project, "[get, list, watch]", ALL));
    cluster.path();
    cluster.done(&delivery);
    cluster.refreshed(&["api"]);
}
