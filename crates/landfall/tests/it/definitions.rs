//! What `landfall crds` prints is what a cluster without Kargo takes, and no different from Kargo's own definitions where
//! landfall reads and writes.

use std::collections::{BTreeMap, BTreeSet};

use landfall_harness::{ApiServer, Definitions, wait};
use serde_json::{Value, json};

use crate::world::{PATIENCE, World, define};

/// What the command prints.
fn printed() -> String {
    let output = World::command(&["crds"]);
    assert!(output.status.success(), "{output:?}");
    String::from_utf8(output.stdout).unwrap()
}

fn definitions() -> Vec<Value> {
    serde_saphyr::from_multiple(&printed()).unwrap()
}

/// Every field of a schema, by its path: `spec.subscriptions[].image.repoURL`.
fn fields(schema: &Value) -> BTreeMap<String, Value> {
    fn collect(schema: &Value, path: &str, found: &mut BTreeMap<String, Value>) {
        let inner = schema["properties"].as_object().into_iter().flatten();
        let inner = inner.map(|(name, field)| (format!("{path}.{name}"), field));
        let marked = [("items", "[]"), ("additionalProperties", "{}")];
        let marked = marked.map(|(key, mark)| (format!("{path}{mark}"), &schema[key]));
        for (path, field) in inner.chain(marked.into_iter().filter(|(_, field)| field.is_object())) {
            collect(field, &path, found);
            found.insert(path, field.clone());
        }
    }
    let mut found = BTreeMap::new();
    collect(schema, "", &mut found);
    found
}

#[test]
fn everything_is_as_kargo_has_it() {
    let server = ApiServer::shared().unwrap();
    if define(server) == Definitions::Own {
        println!("LEFT OUT: LANDFALL_CRDS names no definitions of Kargo's to compare with");
        return;
    }
    for own in definitions() {
        let name = own["metadata"]["name"].as_str().unwrap();
        let peer = server.get(&["crd", name]).unwrap();
        for field in ["group", "names", "scope"] {
            assert_eq!(own["spec"][field], peer["spec"][field], "{name}: {field}");
        }
        let (own, peer) = (&own["spec"]["versions"][0], &peer["spec"]["versions"][0]);
        for field in ["name", "served", "storage", "subresources", "additionalPrinterColumns"] {
            assert_eq!(own[field], peer[field], "{name}: {field}");
        }
        fits(
            name,
            &own["schema"]["openAPIV3Schema"],
            &peer["schema"]["openAPIV3Schema"],
        );
    }
}

/// Every field of ours is one of Kargo's, of the same type and with the same default; and what Kargo takes, ours takes.
fn fits(name: &str, own: &Value, peer: &Value) {
    let peers = fields(peer);
    let words = |field: &Value, key: &str| -> BTreeSet<String> {
        let words = field[key].as_array().into_iter().flatten();
        words.map(|word| word.as_str().unwrap().to_owned()).collect()
    };
    for (path, field) in fields(own) {
        let is_kept = |there: &Value| there["x-kubernetes-preserve-unknown-fields"] == true;
        let Some(there) = peers.get(&path) else {
            let kept = peers
                .iter()
                .any(|(at, there)| path.starts_with(at.as_str()) && is_kept(there));
            assert!(kept, "{name}: {path} is not Kargo's");
            continue;
        };
        // Of what Kargo keeps unseen it says nothing, and we say nothing of what we keep unseen.
        if is_kept(there) || is_kept(&field) {
            continue;
        }
        for key in [
            "type",
            "default",
            "format",
            "minimum",
            "x-kubernetes-list-type",
            "x-kubernetes-list-map-keys",
        ] {
            let is_list_that_nobody_reads = key.starts_with("x-") && field[key].is_null();
            assert!(
                field[key] == there[key] || is_list_that_nobody_reads,
                "{name}: {path}: {key}"
            );
        }
        assert!(
            words(&field, "enum").is_superset(&words(there, "enum")),
            "{name}: {path}: enum"
        );
        assert!(
            words(&field, "required").is_subset(&words(there, "required")),
            "{name}: {path}: required"
        );
    }
}

#[test]
fn they_are_not_created_over_kargos_own() {
    let server = ApiServer::shared().unwrap();
    define(server);
    let before = server.get(&["crd", "warehouses.kargo.akuity.io"]).unwrap();
    let error = server
        .kubectl_with(&["create", "--filename=-"], &printed())
        .unwrap_err();
    assert!(error.to_string().contains("already exists"), "{error}");
    let after = server.get(&["crd", "warehouses.kargo.akuity.io"]).unwrap();
    assert_eq!(
        after["metadata"]["resourceVersion"],
        before["metadata"]["resourceVersion"]
    );
}

/// A Warehouse with as little as there can be, and with something that landfall does not know.
const WAREHOUSE: &str = "
apiVersion: kargo.akuity.io/v1alpha1
kind: Warehouse
metadata: {name: api}
spec:
  subscriptions:
    - image: {repoURL: registry.example/api}
    - {name: model, weights: {where: {it: is}}}
";

const CONFIGS: &str = "
apiVersion: kargo.akuity.io/v1alpha1
kind: ProjectConfig
metadata: {name: NAMESPACE}
spec:
  promotionPolicies: [{stage: test, autoPromotionEnabled: true}]
  webhookReceivers:
    - {name: hub, dockerhub: {secretRef: {name: hub}}}
---
apiVersion: kargo.akuity.io/v1alpha1
kind: ClusterConfig
metadata: {name: cluster}
spec:
  gitClient: {name: A, email: a@example.com}
---
apiVersion: kargo.akuity.io/v1alpha1
kind: Promotion
metadata: {name: one}
spec: {stage: test, freight: abc, steps: [{uses: git-wait-for-pr, as: pr, config: {prNumber: 1}}]}
";

#[test]
fn a_cluster_without_kargo_takes_them_and_what_they_define() {
    let server = ApiServer::start().unwrap();
    server.kubectl_with(&["create", "--filename=-"], &printed()).unwrap();
    let established = ["wait", "--for=condition=Established", "--timeout=60s", "crd", "--all"];
    server.kubectl(&established).unwrap();
    for definition in server.get(&["crd"]).unwrap()["items"].as_array().unwrap() {
        let conditions = definition["status"]["conditions"].as_array().unwrap();
        let is_structural = conditions
            .iter()
            .all(|condition| condition["type"] != "NonStructuralSchema");
        assert!(is_structural, "{conditions:?}");
    }
    let namespace = server.namespace().unwrap();
    let create = ["create", "--validate=strict", "--filename=-", "--namespace", &namespace];
    // What is established is served some moments later.
    wait::until(PATIENCE, "the kinds to be served", || {
        let manifests = [WAREHOUSE, &CONFIGS.replace("NAMESPACE", &namespace)].join("---");
        server.kubectl_with(&create, &manifests).ok()
    })
    .unwrap();

    let warehouse = || server.get(&["warehouse", "api", "--namespace", &namespace]).unwrap();
    let image = json!({
        "repoURL": "registry.example/api", "discoveryLimit": 20, "imageSelectionStrategy": "SemVer", "strictSemvers": true,
    });
    let expected = json!({
        "interval": "5m0s", "freightCreationPolicy": "Automatic",
        "subscriptions": [{"image": image}, {"name": "model", "weights": {"where": {"it": "is"}}}],
    });
    assert_eq!(warehouse()["spec"], expected);
    let config = server
        .get(&["projectconfig", &namespace, "--namespace", &namespace])
        .unwrap();
    let policies = json!([{"stage": "test", "autoPromotionEnabled": true}]);
    assert_eq!(config["spec"]["promotionPolicies"], policies);

    status_is_apart(&server, &namespace, &warehouse);
    let refused = server
        .kubectl_with(&create, &WAREHOUSE.replace("repoURL", "repoUrl"))
        .unwrap_err();
    assert!(refused.to_string().contains("unknown field"), "{refused}");
}

fn status_is_apart(server: &ApiServer, namespace: &str, warehouse: &dyn Fn() -> Value) {
    let patch = |more: &[&str]| {
        let status = json!({"status": {"lastHandledRefresh": "now", "discoveredArtifacts": {"images": [
            {"repoURL": "registry.example/api", "references": [{"tag": "1.0.0", "digest": "sha256:00"}]},
        ]}}});
        let patch = ["patch", "warehouse", "api", "--type=merge", "--namespace", namespace];
        let status = status.to_string();
        server
            .kubectl(&[&patch[..], &["--patch", &status], more].concat())
            .unwrap();
        warehouse()["status"]["lastHandledRefresh"].clone()
    };
    assert_eq!(patch(&[]), Value::Null);
    assert_eq!(patch(&["--subresource=status"]), "now");
    assert_eq!(warehouse()["metadata"]["generation"], 1);
}
