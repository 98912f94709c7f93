//! Resources with their statuses, receivers with their URLs, and what is wrong in the manifests.

use std::collections::HashMap;

use axum::Json;
use axum::extract::{Path, State};
use landfall_core::resource::{Kind, ResourceKey};
use serde_json::{Value, json};

use super::types::ManifestProblem;
use super::{Admin, Refusal};
use crate::live::{PreviousSecret, ReceiverSummary};
use crate::resources::{Loaded, Origin, ProblemKind};

/// All resources of a kind, each as its manifest has it, with its status and generation.
pub(super) async fn list(State(admin): State<Admin>, Path(kind): Path<String>) -> Result<Json<Vec<Value>>, Refusal> {
    let kind = match kind.as_str() {
        "warehouses" => Kind::Warehouse,
        "projectconfigs" => Kind::ProjectConfig,
        "clusterconfigs" => Kind::ClusterConfig,
        _ => return Err(Refusal::NotFound(format!("there are no resources called {kind}"))),
    };
    admin.pipeline.statuses.renew(&admin.pipeline.store).await?;
    let snapshot = admin.snapshot.borrow().clone();
    let resources = snapshot
        .resources
        .iter()
        .filter(|(key, _)| key.kind == kind)
        .map(|(key, loaded)| {
            if let Origin::ApiServer { .. } = loaded.origin {
                return as_served(key, loaded);
            }
            let record = admin.pipeline.statuses.record(key);
            let mut resource = loaded.manifest.clone();
            if let Some(fields) = resource.as_object_mut() {
                fields.insert(
                    "status".to_owned(),
                    serde_json::from_str(&record.status).unwrap_or_default(),
                );
                let metadata = fields
                    .entry("metadata")
                    .or_insert_with(|| Value::Object(serde_json::Map::new()));
                if let Some(metadata) = metadata.as_object_mut() {
                    metadata.insert("generation".to_owned(), record.generation.into());
                    if let Some(namespace) = &key.namespace {
                        metadata.insert("namespace".to_owned(), namespace.clone().into());
                    }
                }
            }
            resource
        });
    Ok(Json(resources.collect()))
}

/// What is kept of a resource of an API server, which has the rest of it, and its status.
fn as_served(key: &ResourceKey, loaded: &Loaded) -> Value {
    match &loaded.manifest {
        Value::Null => json!({
            "apiVersion": key.kind.api_version(),
            "kind": key.kind.as_str(),
            "metadata": {
                "name": key.name,
                "namespace": key.namespace,
                "generation": loaded.resource.metadata().generation,
            },
        }),
        manifest => manifest.clone(),
    }
}

/// Receivers, with the URLs to configure at their senders.
pub(super) async fn receivers(State(admin): State<Admin>) -> Result<Json<Vec<ReceiverSummary>>, Refusal> {
    let mut receivers = admin.pipeline.live.load().receivers.clone();
    let with_previous = receivers
        .iter_mut()
        .filter(|receiver| receiver.previous_secret.is_some());
    let with_previous: Vec<_> = with_previous.collect();
    if with_previous.is_empty() {
        return Ok(Json(receivers));
    }
    // What the journal has is of earlier processes as well, and of others that share it.
    let kept: HashMap<_, _> = admin.pipeline.store.previous_secrets().await?.into_iter().collect();
    for receiver in with_previous {
        let counted = admin.pipeline.metrics.previous_secrets.of(&receiver.receiver);
        let kept = kept.get(&receiver.receiver).copied().unwrap_or_default();
        receiver.previous_secret = Some(PreviousSecret {
            deliveries: counted.deliveries.max(kept.deliveries),
            last: counted.last.max(kept.last),
        });
    }
    Ok(Json(receivers))
}

/// What is wrong in the manifests.
pub(super) async fn problems(State(admin): State<Admin>) -> Json<Vec<ManifestProblem>> {
    let snapshot = admin.snapshot.borrow().clone();
    let problems = snapshot.problems.iter().map(|problem| ManifestProblem {
        place: problem.origin.to_string(),
        severity: match problem.kind {
            ProblemKind::Error => "error".to_owned(),
            ProblemKind::Warning => "warning".to_owned(),
        },
        message: problem.message.clone(),
    });
    Json(problems.collect())
}
