use serde_json::json;

use super::*;

fn warehouse(extra: Value) -> Object<Unread> {
    let mut object = json!({
        "apiVersion": "kargo.akuity.io/v1alpha1",
        "kind": "Warehouse",
        "metadata": {
            "name": "api",
            "namespace": "shop",
            "uid": "1",
            "resourceVersion": "17",
            "generation": 2,
            "labels": { "team": "a" },
            "annotations": { REFRESH_ANNOTATION: "now", "kubectl.kubernetes.io/last-applied-configuration": "{}" },
            "managedFields": [{ "manager": "kubectl", "operation": "Apply" }],
        },
        "spec": { "interval": "5m0s", "subscriptions": [{ "image": { "repoURL": "shop/api" } }] },
    });
    let fields = object.as_object_mut().unwrap();
    fields.extend(extra.as_object().unwrap().clone());
    serde_json::from_value(object).unwrap()
}

fn usable(read: Read) -> Arc<Loaded> {
    match read.outcome {
        Outcome::Usable(loaded) => loaded,
        other => panic!("{other:?} of {}", read.key),
    }
}

fn promotion(phase: &str, step: u8) -> Read {
    let object = json!({
        "metadata": { "name": "test.01j", "namespace": "shop" },
        "spec": { "stage": "test", "steps": [
            { "uses": "git-wait-for-pr", "as": "wait" },
            { "uses": "argocd-update", "as": "sync", "config": { "apps": [{ "name": "shop" }] } },
        ] },
        "status": {
            "phase": phase,
            "currentStep": step,
            "freight": { "name": "f00" },
            "state": { "wait": { "pr": { "url": "https://git.example.com/pulls/7" } }, "sync": { "n": step } },
        },
    });
    read(
        Kind::Promotion,
        serde_json::from_value::<Object<Whole>>(object).unwrap(),
    )
}

#[test]
fn of_promotions_those_are_kept_that_are_not_over_and_only_what_they_wait_for() {
    for phase in ["Succeeded", "Failed", "Errored", "Aborted"] {
        assert_eq!(promotion(phase, 1).outcome, Outcome::Idle, "{phase}");
    }
    // Somebody may ask for it by its name or its labels.
    let pending = usable(promotion("Pending", 0));
    assert_eq!(pending, usable(promotion("", 1)));
    let Resource::Promotion(idle) = &pending.resource else {
        panic!("{pending:?} is no Promotion");
    };
    assert_eq!((idle.awaited_pull_requests().count(), idle.steps.len()), (0, 0));
    let waiting = usable(promotion("Running", 0));
    assert_eq!(waiting, usable(promotion("Running", 1)));
    let Resource::Promotion(promotion) = &waiting.resource else {
        panic!("{waiting:?} is no Promotion");
    };
    let awaited: Vec<&str> = promotion.awaited_pull_requests().collect();
    assert_eq!(awaited, ["https://git.example.com/pulls/7"]);
}

#[test]
fn a_refresh_and_a_status_make_no_other_warehouse() {
    let plain = read(Kind::Warehouse, warehouse(json!({})));
    let discovered = read(
        Kind::Warehouse,
        warehouse(json!({ "status": { "lastHandledRefresh": "now" } })),
    );
    assert_eq!(plain.outcome, discovered.outcome);
    assert_eq!(plain.problems, []);
    let loaded = usable(plain);
    assert_eq!(loaded.origin.to_string(), "Warehouse shop/api");
    assert_eq!(loaded.manifest, Value::Null);
    assert_eq!(loaded.resource.metadata().annotations, BTreeMap::new());
    assert_eq!(loaded.resource.metadata().generation, Some(2));
}

#[test]
fn what_cannot_be_read_is_named() {
    let read = read(Kind::Warehouse, warehouse(json!({ "spec": { "interval": 5 } })));
    assert_eq!(read.outcome, Outcome::Unusable);
    let said: Vec<String> = read.problems.iter().map(ToString::to_string).collect();
    assert_eq!(said.len(), 1, "{said:?}");
    assert!(said[0].starts_with("Warehouse shop/api: spec.interval "), "{said:?}");
}

#[test]
fn a_secret_is_not_printed() {
    let secret: Object<Unread> = serde_json::from_value(json!({
        "metadata": { "name": "hook", "namespace": "shop" },
        "data": { "secret": "czNjcmV0" },
    }))
    .unwrap();
    assert_eq!(format!("{secret:?}"), "Object(Some(\"hook\"))");
    let loaded = usable(read(Kind::Secret, secret));
    let Resource::Secret(secret) = &loaded.resource else {
        panic!("{loaded:?} is no Secret");
    };
    assert_eq!(secret.data["secret"].expose(), b"s3cret");
    assert!(!format!("{loaded:?}").contains("s3cret"), "{loaded:?}");
}
