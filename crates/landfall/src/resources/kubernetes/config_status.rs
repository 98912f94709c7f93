//! Reads and writes the status of a `ProjectConfig` or a `ClusterConfig`; it must not know what belongs into it.

use std::time::Duration;

use k8s_openapi::api::core::v1::ObjectReference;
use kube::api::{Patch, PatchParams};
use kube::{Api, Resource as _};
use landfall_core::resource::ResourceKey;
use landfall_core::resource::status::ConfigStatus;
use serde_json::{Value, json};
use tokio::time::timeout;

use super::ApiServer;
use super::annotator::FIELD_MANAGER;
use super::failure::Failure;
use super::object::{Object, api_resource};

/// How long the API server may take for one answer.
const PATIENCE: Duration = Duration::from_secs(20);

/// A configuration as it is right now.
pub struct ConfigObject {
    /// Counts changes of its spec.
    pub generation: i64,
    /// Its status.
    pub status: ConfigStatus,
    version: String,
    pub(super) reference: ObjectReference,
}

impl ApiServer {
    /// Reads a configuration, past every cache; absent where it exists no more.
    pub async fn config(&self, key: &ResourceKey) -> Result<Option<ConfigObject>, Failure> {
        let object = in_time(self.configs(key).get_opt(&key.name)).await?;
        Ok(object.map(|object| ConfigObject {
            generation: object.metadata.generation.unwrap_or_default(),
            reference: object.object_ref(&api_resource(key.kind)),
            version: object.metadata.resource_version.unwrap_or_default(),
            status: object
                .status
                .and_then(|status| serde_json::from_value(status).ok())
                .unwrap_or_default(),
        }))
    }

    /// Writes its status, unless somebody else has changed it since it was read: then it is a conflict.
    pub async fn write_config_status(
        &self,
        key: &ResourceKey,
        read: &ConfigObject,
        status: &ConfigStatus,
    ) -> Result<(), Failure> {
        let patch = json!({
            "metadata": { "resourceVersion": read.version },
            "status": {
                "conditions": status.conditions,
                "observedGeneration": Some(status.observed_generation).filter(|generation| *generation != 0),
                "lastHandledRefresh": Some(&status.last_handled_refresh).filter(|token| !token.is_empty()),
                "webhookReceivers": Some(&status.webhook_receivers).filter(|receivers| !receivers.is_empty()),
            },
        });
        let parameters = PatchParams {
            field_manager: Some(FIELD_MANAGER.to_owned()),
            ..PatchParams::default()
        };
        let api = self.configs(key);
        in_time(api.patch_status(&key.name, &parameters, &Patch::Merge(patch)))
            .await
            .map(drop)
    }

    fn configs(&self, key: &ResourceKey) -> Api<Object<Value>> {
        let resource = api_resource(key.kind);
        match &key.namespace {
            Some(namespace) => Api::namespaced_with(self.client.clone(), namespace, &resource),
            None => Api::all_with(self.client.clone(), &resource),
        }
    }
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
