//! Reads objects with their statuses, past every cache, and writes the statuses; it must not know what belongs into them.

use std::time::Duration;

use k8s_openapi::api::core::v1::ObjectReference;
use kube::api::{Patch, PatchParams};
use kube::{Api, Resource as _};
use landfall_core::resource::ResourceKey;
use landfall_core::resource::status::{ConfigStatus, DiscoveredArtifacts, WarehouseStatus};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use tokio::time::timeout;

use super::ApiServer;
use super::annotator::FIELD_MANAGER;
use super::failure::Failure;
use super::object::{Object, api_resource};

/// How long the API server may take for one answer.
const PATIENCE: Duration = Duration::from_secs(20);

/// An object as it is right now.
pub struct Observed<S> {
    /// Counts changes of its spec.
    pub generation: i64,
    /// Its status.
    pub status: S,
    version: String,
    pub(super) reference: ObjectReference,
}

impl<S> Observed<S> {
    /// What tells it from others of its name, before and after.
    pub fn uid(&self) -> &str {
        self.reference.uid.as_deref().unwrap_or_default()
    }
}

impl ApiServer {
    /// Reads a configuration; absent where it exists no more.
    pub async fn config(&self, key: &ResourceKey) -> Result<Option<Observed<ConfigStatus>>, Failure> {
        self.observe(key).await
    }

    /// Reads a Warehouse; absent where it exists no more.
    pub async fn warehouse(&self, key: &ResourceKey) -> Result<Option<Observed<WarehouseStatus>>, Failure> {
        self.observe(key).await
    }

    /// Writes the status of a configuration, unless somebody else has changed it since it was read: then it is a conflict.
    pub async fn write_config_status(
        &self,
        key: &ResourceKey,
        read: &Observed<ConfigStatus>,
        status: &ConfigStatus,
    ) -> Result<(), Failure> {
        let fields = json!({
            "conditions": status.conditions,
            "observedGeneration": Some(status.observed_generation).filter(|generation| *generation != 0),
            "lastHandledRefresh": Some(&status.last_handled_refresh).filter(|token| !token.is_empty()),
            "webhookReceivers": Some(&status.webhook_receivers).filter(|receivers| !receivers.is_empty()),
        });
        self.write(key, &read.version, fields).await
    }

    /// Writes what looking found into the status of a Warehouse, in the same way. What others keep there stays.
    pub async fn write_warehouse_status(
        &self,
        key: &ResourceKey,
        read: &Observed<WarehouseStatus>,
        status: &WarehouseStatus,
    ) -> Result<(), Failure> {
        let mut fields = json!({
            "conditions": status.conditions,
            "observedGeneration": Some(status.observed_generation).filter(|generation| *generation != 0),
            "lastHandledRefresh": Some(&status.last_handled_refresh).filter(|token| !token.is_empty()),
        });
        // They are large, and often the same.
        if status.discovered_artifacts != read.status.discovered_artifacts {
            fields["discoveredArtifacts"] = status.discovered_artifacts.as_ref().map_or(Value::Null, whole);
        }
        self.write(key, &read.version, fields).await
    }

    async fn observe<S: Default + DeserializeOwned>(&self, key: &ResourceKey) -> Result<Option<Observed<S>>, Failure> {
        let Some(object) = in_time(self.api(key).get_opt(&key.name)).await? else {
            return Ok(None);
        };
        let reference = object.object_ref(&api_resource(key.kind));
        // What cannot be read must not be written over: it is somebody's.
        let status = match object.status {
            None | Some(Value::Null) => S::default(),
            Some(status) => serde_json::from_value(status)
                .map_err(|error| Failure::Refused(format!("its status cannot be read: {error}")))?,
        };
        Ok(Some(Observed {
            generation: object.metadata.generation.unwrap_or_default(),
            reference,
            version: object.metadata.resource_version.unwrap_or_default(),
            status,
        }))
    }

    async fn write(&self, key: &ResourceKey, version: &str, status: Value) -> Result<(), Failure> {
        let patch = json!({ "metadata": { "resourceVersion": version }, "status": status });
        let parameters = PatchParams {
            field_manager: Some(FIELD_MANAGER.to_owned()),
            ..PatchParams::default()
        };
        let api = self.api(key);
        in_time(api.patch_status(&key.name, &parameters, &Patch::Merge(patch)))
            .await
            .map(drop)
    }

    fn api(&self, key: &ResourceKey) -> Api<Object<Value>> {
        let resource = api_resource(key.kind);
        match &key.namespace {
            Some(namespace) => Api::namespaced_with(self.client.clone(), namespace, &resource),
            None => Api::all_with(self.client.clone(), &resource),
        }
    }
}

/// A patch merges objects: a list that is no more has to be taken away by name.
fn whole(artifacts: &DiscoveredArtifacts) -> Value {
    fn unless_empty<T: Serialize>(list: &[T]) -> Value {
        match list {
            [] => Value::Null,
            list => json!(list),
        }
    }
    let mut fields = json!(artifacts);
    fields["git"] = unless_empty(&artifacts.git);
    fields["images"] = unless_empty(&artifacts.images);
    fields["charts"] = unless_empty(&artifacts.charts);
    fields["results"] = unless_empty(&artifacts.results);
    fields
}

pub(super) async fn in_time<T>(request: impl Future<Output = kube::Result<T>>) -> Result<T, Failure> {
    match timeout(PATIENCE, request).await {
        Ok(outcome) => outcome.map_err(Failure::from),
        Err(_elapsed) => Err(Failure::Unreachable(format!(
            "no answer within {} seconds",
            PATIENCE.as_secs()
        ))),
    }
}
