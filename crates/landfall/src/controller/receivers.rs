//! Turns `ProjectConfig`s, the `ClusterConfig` and their Secrets into receivers behind doors, and into statuses. It reads
//! nothing by itself.

mod doors;
mod secret;

use std::collections::HashSet;

use jiff::Timestamp;
use landfall_core::door::{BaseUrl, PathDoor};
use landfall_core::receiver::generic::Actions;
use landfall_core::receiver::{Reach, Receiver, ReceiverName, Sender};
use landfall_core::resource::status::{ConditionStatus, ConfigStatus, NewCondition, ReceiverStatus};
use landfall_core::resource::{Kind, ReceiverKind, ReceiverSpec, Resource, ResourceKey};
use landfall_core::secret::Secrets;
use serde_json::Value;

use crate::resources::Snapshot;
pub use doors::Doors;

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
    /// Those that can be reached, in the order of the spec.
    pub open: Vec<Open>,
    /// Names and reasons of those that cannot.
    pub closed: Vec<(String, String)>,
    /// Names of those that can, and what is wrong with them all the same.
    pub flawed: Vec<(String, String)>,
    /// What stays published although nobody can tell the secret behind it now.
    withheld: Vec<ReceiverStatus>,
    /// All names, in the order of the spec.
    names: Vec<String>,
    /// Counts changes of the spec, where an API server does.
    generation: Option<i64>,
    refresh_token: Option<String>,
}

/// A receiver that can be reached.
pub struct Open {
    /// Its name in the spec.
    pub name: String,
    pub door: PathDoor,
    /// The door that its previous secret made, while that is still good.
    pub previous: Option<PathDoor>,
    pub receiver: Receiver,
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
            flawed: vec![],
            withheld: vec![],
            names: distinct(specs),
            generation: loaded.resource.metadata().generation,
            refresh_token,
        };
        let published = published(&loaded.manifest);
        for spec in specs {
            match open(spec, &entry.key, project, secrets, snapshot, settings) {
                Ok((open, problem)) => {
                    entry.flawed.extend(problem.map(|problem| (open.name.clone(), problem)));
                    entry.open.push(open);
                }
                Err(Closed { problem, is_certain }) => {
                    let before = published.iter().find(|published| published.name == spec.name);
                    entry.withheld.extend(before.filter(|_| !is_certain).cloned());
                    entry.closed.push((spec.name.clone(), problem));
                }
            }
        }
        derived.push(entry);
    }
    doors::part(&mut derived);
    derived
}

/// Why a receiver cannot be reached.
struct Closed {
    problem: String,
    /// Whether it is so, or nobody can tell at the moment.
    is_certain: bool,
}

impl From<String> for Closed {
    fn from(problem: String) -> Self {
        Self {
            problem,
            is_certain: true,
        }
    }
}

/// What the status of a configuration in an API server says at the moment.
fn published(manifest: &Value) -> Vec<ReceiverStatus> {
    let status = manifest.get("status").cloned().unwrap_or_default();
    let status: ConfigStatus = serde_json::from_value(status).unwrap_or_default();
    status.webhook_receivers
}

/// A receiver with its doors, and what is wrong with it all the same; or why it has none.
fn open(
    spec: &ReceiverSpec,
    owner: &ResourceKey,
    project: Option<&str>,
    secrets: &str,
    snapshot: &Snapshot,
    settings: &Settings,
) -> Result<(Open, Option<String>), Closed> {
    let (sender, data_key) = sender(&spec.kind)?;
    let found = secret::find(snapshot, secrets, &spec.secret_ref, data_key)?;
    let door = |secret| {
        let project = project.unwrap_or_default();
        PathDoor::derive(&settings.base_url, sender, project, &spec.name, secret)
    };
    let reach = project.map_or(Reach::Everywhere, |project| Reach::Project(project.to_owned()));
    let name = receiver_name(owner, &spec.name);
    let shown = match found.previous {
        Some(previous) => Secrets::rotating(found.current.clone(), previous.clone()),
        None => Secrets::only(found.current.clone()),
    };
    let receiver = Receiver::by_path(name, sender, reach, shown);
    let actions = match &spec.kind {
        ReceiverKind::Generic { actions } => Actions::compile(actions),
        _ => Actions::default(),
    };
    let open = Open {
        name: spec.name.clone(),
        door: door(found.current),
        previous: found.previous.map(door),
        receiver: match &spec.kind {
            ReceiverKind::Artifactory { virtual_repo_name } => {
                receiver.for_virtual_repository(virtual_repo_name.clone())
            }
            ReceiverKind::Generic { .. } => receiver.with_actions(actions.clone()),
            _ => receiver,
        },
    };
    // An expression that cannot be evaluated fails its own action; the others are carried out.
    let problems: Vec<String> = found.problem.into_iter().chain(actions.problems()).collect();
    Ok((open, (!problems.is_empty()).then(|| problems.join("; "))))
}

/// The sender, and the key of its Secret's data.
fn sender(kind: &ReceiverKind) -> Result<(Sender, &'static str), String> {
    Ok(match kind {
        ReceiverKind::Artifactory { .. } => (Sender::Artifactory, "secret-token"),
        ReceiverKind::Azure => (Sender::Azure, "secret"),
        ReceiverKind::Bitbucket => (Sender::Bitbucket, "secret"),
        ReceiverKind::DockerHub => (Sender::DockerHub, "secret"),
        ReceiverKind::Gitea => (Sender::Gitea, "secret"),
        ReceiverKind::GitHub => (Sender::GitHub, "secret"),
        ReceiverKind::GitLab => (Sender::GitLab, "secret-token"),
        ReceiverKind::Harbor => (Sender::Harbor, "auth-header"),
        ReceiverKind::Quay => (Sender::Quay, "secret"),
        ReceiverKind::Unreadable { problem } => return Err(problem.clone()),
        ReceiverKind::Generic { .. } => (Sender::Generic, "secret"),
    })
}

fn receiver_name(owner: &ResourceKey, name: &str) -> ReceiverName {
    ReceiverName(format!("{} {}/{name}", owner.kind, owner.name))
}

impl Derived {
    /// What one of its receivers is called.
    fn receiver_name(&self, name: &str) -> ReceiverName {
        receiver_name(&self.key, name)
    }

    /// The generation of the spec that this was derived from, where an API server counts.
    pub fn generation(&self) -> i64 {
        self.generation.unwrap_or_default()
    }

    /// What is published of each receiver, in the order of the spec.
    fn statuses(&self) -> Vec<ReceiverStatus> {
        let of = |name: &String| {
            let open = self.open.iter().find(|open| open.name == *name).map(receiver_status);
            open.or_else(|| self.withheld.iter().find(|withheld| withheld.name == *name).cloned())
        };
        self.names.iter().filter_map(of).collect()
    }

    /// The status that says which receivers can be reached, and why others cannot.
    pub fn status(&self, previous: &ConfigStatus, generation: i64, now: Timestamp) -> ConfigStatus {
        let mut status = previous.clone();
        status.webhook_receivers = self.statuses();
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
        if self.closed.is_empty() && self.flawed.is_empty() {
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
                .chain(&self.flawed)
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

/// Each name once: of those that have one name, all but the first are closed.
fn distinct(specs: &[ReceiverSpec]) -> Vec<String> {
    let mut known = HashSet::new();
    let names = specs.iter().map(|spec| &spec.name);
    names.filter(|name| known.insert(*name)).cloned().collect()
}

/// Where its sender is to post: behind the current secret's path alone, whatever else is still good.
fn receiver_status(open: &Open) -> ReceiverStatus {
    ReceiverStatus {
        name: open.name.clone(),
        path: open.door.path().to_owned(),
        url: open.door.url().to_owned(),
    }
}

#[cfg(test)]
mod tests;
