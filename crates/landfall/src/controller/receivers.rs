//! Turns `ProjectConfig`s, the `ClusterConfig` and their Secrets into receivers behind doors, and into statuses. It reads
//! nothing by itself.

use std::collections::HashMap;
use std::sync::Arc;

use jiff::Timestamp;
use landfall_core::door::{BaseUrl, PathDoor};
use landfall_core::receiver::{Reach, Receiver, ReceiverName, Sender};
use landfall_core::resource::status::{ConditionStatus, ConfigStatus, NewCondition, ReceiverStatus};
use landfall_core::resource::{Kind, ReceiverKind, ReceiverSpec, Resource, ResourceKey};
use landfall_core::secret::SecretBytes;

use crate::resources::manifests::Snapshot;

/// What receivers are derived with.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Where senders reach us.
    pub base_url: BaseUrl,
    /// The namespace of the Secrets of the `ClusterConfig`'s receivers.
    pub system_namespace: String,
}

/// The receivers of one resource.
pub struct Derived {
    /// The `ProjectConfig` or `ClusterConfig`.
    pub key: ResourceKey,
    /// Those that can be reached.
    pub open: Vec<(PathDoor, Receiver)>,
    /// Names and reasons of those that cannot.
    pub closed: Vec<(String, String)>,
    statuses: Vec<ReceiverStatus>,
    refresh_token: Option<String>,
}

/// Derives the receivers of every resource of a snapshot. One that cannot be derived does not keep the others away.
pub fn derive(snapshot: &Snapshot, settings: &Settings) -> Vec<Derived> {
    let mut derived = Vec::new();
    for loaded in snapshot.resources.values() {
        let (specs, project, secrets) = match &loaded.resource {
            Resource::ProjectConfig(config) => {
                let project = config.metadata.name.as_str();
                (&config.webhook_receivers, Some(project), project)
            }
            Resource::ClusterConfig(config) => (&config.webhook_receivers, None, settings.system_namespace.as_str()),
            Resource::Warehouse(_) | Resource::Promotion(_) | Resource::Secret(_) | Resource::ConfigMap(_) => continue,
        };
        let key = loaded.resource.key();
        let refresh_token = loaded.resource.refresh_token().map(str::to_owned);
        let mut entry = Derived {
            key,
            open: vec![],
            closed: vec![],
            statuses: vec![],
            refresh_token,
        };
        for spec in specs {
            match open(spec, &entry.key, project, secrets, snapshot, settings) {
                Ok((door, receiver)) => {
                    entry.statuses.push(ReceiverStatus {
                        name: spec.name.clone(),
                        path: door.path().to_owned(),
                        url: door.url().to_owned(),
                    });
                    entry.open.push((door, receiver));
                }
                Err(problem) => entry.closed.push((spec.name.clone(), problem)),
            }
        }
        derived.push(entry);
    }
    derived
}

fn open(
    spec: &ReceiverSpec,
    owner: &ResourceKey,
    project: Option<&str>,
    secrets: &str,
    snapshot: &Snapshot,
    settings: &Settings,
) -> Result<(PathDoor, Receiver), String> {
    let (sender, data_key) = sender(&spec.kind)?;
    let secret = secret(snapshot, secrets, &spec.secret_ref, data_key)?;
    let door = PathDoor::derive(
        &settings.base_url,
        sender,
        project.unwrap_or_default(),
        &spec.name,
        secret,
    );
    let reach = project.map_or(Reach::Everywhere, |project| Reach::Project(project.to_owned()));
    let name = ReceiverName(format!("{} {}/{}", owner.kind, owner.name, spec.name));
    Ok((door, Receiver::by_path(name, sender, reach)))
}

/// The sender, and the key of its Secret's data.
fn sender(kind: &ReceiverKind) -> Result<(Sender, &'static str), String> {
    match kind {
        ReceiverKind::DockerHub => Ok((Sender::DockerHub, "secret")),
        ReceiverKind::Unreadable { problem } => Err(problem.clone()),
        ReceiverKind::Artifactory { .. }
        | ReceiverKind::Azure
        | ReceiverKind::Bitbucket
        | ReceiverKind::Generic { .. }
        | ReceiverKind::Gitea
        | ReceiverKind::GitHub
        | ReceiverKind::GitLab
        | ReceiverKind::Harbor
        | ReceiverKind::Quay => Err(format!(
            "receivers of type {} are not served by this version of landfall",
            kind.type_name().unwrap_or_default()
        )),
    }
}

fn secret<'a>(snapshot: &'a Snapshot, namespace: &str, name: &str, data_key: &str) -> Result<&'a SecretBytes, String> {
    let key = ResourceKey {
        kind: Kind::Secret,
        namespace: Some(namespace.to_owned()),
        name: name.to_owned(),
    };
    let Some(Resource::Secret(secret)) = snapshot.resources.get(&key).map(|loaded| &loaded.resource) else {
        return Err(format!("{key} does not exist"));
    };
    match secret.data.get(data_key) {
        None => Err(format!("{key} has no key {data_key:?} in its data")),
        Some(value) if value.is_empty() => Err(format!("the key {data_key:?} of {key} is empty")),
        Some(value) => Ok(value),
    }
}

impl Derived {
    /// The status that says which receivers can be reached, and why others cannot.
    pub fn status(&self, previous: &ConfigStatus, generation: i64, now: Timestamp) -> ConfigStatus {
        let mut status = previous.clone();
        status.webhook_receivers = self.statuses.clone();
        status.last_handled_refresh = self.refresh_token.clone().unwrap_or_default();
        let mut set = |condition_type, condition, reason, message: &str| {
            let new = NewCondition {
                condition_type,
                status: condition,
                reason,
                message,
                observed_generation: generation,
            };
            status.conditions.set(new, now);
        };
        if self.closed.is_empty() {
            let message = format!("{} is synced and ready for use", self.key.kind);
            set("Ready", ConditionStatus::True, "Synced", &message);
            status.conditions.remove("Reconciling");
            status.observed_generation = generation;
        } else {
            let what = if self.key.kind == Kind::ProjectConfig {
                "WebhookReceivers"
            } else {
                "webhook receivers"
            };
            let problems: Vec<String> = self
                .closed
                .iter()
                .map(|(name, problem)| format!("receiver {name:?}: {problem}"))
                .collect();
            let message = format!("Failed to sync {what}: {}", problems.join("; "));
            set("Ready", ConditionStatus::False, "SyncWebhookReceiversFailed", &message);
            set(
                "Reconciling",
                ConditionStatus::True,
                "SyncingWebhooks",
                "Syncing webhook receivers",
            );
        }
        status
    }
}

/// Receivers by the path of a request. Two receivers can derive the same path, since the hash has no separators: then a
/// request is for both of them.
#[derive(Default)]
pub struct Doors(HashMap<String, Arc<[Receiver]>>);

impl Doors {
    /// The doors of all derived receivers, also without the base path, because proxies are told to strip it.
    pub fn of(derived: &[Derived], base: &BaseUrl) -> Self {
        let mut doors: HashMap<String, Vec<Receiver>> = HashMap::new();
        for (door, receiver) in derived.iter().flat_map(|derived| &derived.open) {
            let stripped = door.path().strip_prefix(base.path()).unwrap_or(door.path());
            doors.entry(door.path().to_owned()).or_default().push(receiver.clone());
            if stripped != door.path() {
                doors.entry(stripped.to_owned()).or_default().push(receiver.clone());
            }
        }
        Self(
            doors
                .into_iter()
                .map(|(path, receivers)| (path, receivers.into()))
                .collect(),
        )
    }

    /// The receivers behind a path; none for an unknown one.
    pub fn behind(&self, path: &str) -> Option<Arc<[Receiver]>> {
        self.0.get(path).cloned()
    }
}
