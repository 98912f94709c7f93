//! Reads a `ProjectConfig`, and the receivers that it shares with a `ClusterConfig`; it must not know what serves them.

use std::collections::BTreeSet;

use serde_json::Value;

use super::fields::{FieldError, Fields, Place, Warning};
use super::generic_action::{self, GenericAction};
use super::metadata::{Metadata, is_dns_subdomain};

/// The configuration of one project, named after it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProjectConfig {
    /// Its name and its namespace are both the project.
    pub metadata: Metadata,
    /// `spec.webhookReceivers`, in the order of the file.
    pub webhook_receivers: Vec<ReceiverSpec>,
}

/// One entry of `spec.webhookReceivers`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReceiverSpec {
    /// Its name, unique in its list; part of the URL's hash. As given, and maybe empty, where `kind` is `Unreadable`.
    pub name: String,
    /// Which sender it is for.
    pub kind: ReceiverKind,
    /// The name of the `Secret` that holds its secret; empty only where `kind` is `Unreadable`.
    pub secret_ref: String,
}

/// The sender that a receiver is for, with what only that sender's receiver has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ReceiverKind {
    /// JFrog Artifactory.
    Artifactory {
        /// Stands for the repository key of the payload, where it is given.
        virtual_repo_name: Option<String>,
    },
    /// Azure Container Registry and Azure DevOps.
    Azure,
    /// Bitbucket Cloud and Data Center.
    Bitbucket,
    /// Docker Hub.
    DockerHub,
    /// Any sender, described by expressions.
    Generic {
        /// `actions`, whose expressions are compiled elsewhere.
        actions: Vec<GenericAction>,
    },
    /// Gitea and Forgejo.
    Gitea,
    /// GitHub, its packages included.
    GitHub,
    /// GitLab.
    GitLab,
    /// Harbor.
    Harbor,
    /// Quay.
    Quay,
    /// An entry that says nothing usable; it has no URL, and spoils none of its neighbours.
    Unreadable {
        /// What is wrong with it, as a clause with its path.
        problem: String,
    },
}

impl ReceiverKind {
    /// The name of the type in a manifest and in a URL; `None` where the entry is unreadable.
    pub fn type_name(&self) -> Option<&'static str> {
        match self {
            Self::Artifactory { .. } => Some("artifactory"),
            Self::Azure => Some("azure"),
            Self::Bitbucket => Some("bitbucket"),
            Self::DockerHub => Some("dockerhub"),
            Self::Generic { .. } => Some("generic"),
            Self::Gitea => Some("gitea"),
            Self::GitHub => Some("github"),
            Self::GitLab => Some("gitlab"),
            Self::Harbor => Some("harbor"),
            Self::Quay => Some("quay"),
            Self::Unreadable { .. } => None,
        }
    }
}

/// The type keys of an entry, as the CRD spells them.
const TYPE_KEYS: [&str; 10] = [
    "artifactory",
    "azure",
    "bitbucket",
    "dockerhub",
    "generic",
    "gitea",
    "github",
    "gitlab",
    "harbor",
    "quay",
];

/// Reads everything but the metadata, which the caller has read.
pub(super) fn read(
    value: &Value,
    metadata: Metadata,
    warnings: &mut Vec<Warning>,
) -> Result<ProjectConfig, FieldError> {
    let mut fields = Fields::of(value, &Place::ROOT)?;
    fields.ignore(&["apiVersion", "kind", "metadata", "status"]);
    let place = Place::ROOT.key("spec");
    let webhook_receivers = match fields.value("spec") {
        None => Vec::new(),
        Some(spec) => {
            let mut fields = Fields::of(spec, &place)?;
            fields.ignore(&["freightLinks", "promotionPolicies", "promotionWindows", "stageLinks"]);
            let receivers = read_receivers(&mut fields, warnings)?;
            fields.finish(warnings);
            receivers
        }
    };
    fields.finish(warnings);
    Ok(ProjectConfig {
        metadata,
        webhook_receivers,
    })
}

/// Reads `webhookReceivers` of a spec. An entry that cannot be read becomes `Unreadable` with a warning: it must not take the
/// other receivers of its project down.
pub(super) fn read_receivers(
    fields: &mut Fields<'_>,
    warnings: &mut Vec<Warning>,
) -> Result<Vec<ReceiverSpec>, FieldError> {
    let list = fields.place().key("webhookReceivers");
    let mut names = BTreeSet::new();
    let mut receivers = Vec::new();
    for (index, item) in fields.list("webhookReceivers")?.iter().enumerate() {
        let place = list.index(index);
        let mut inner = Vec::new();
        let receiver = match read_receiver(item, &place, &names, &mut inner) {
            Ok(receiver) => {
                warnings.append(&mut inner);
                receiver
            }
            Err(error) => {
                let kind = ReceiverKind::Unreadable {
                    problem: error.to_string(),
                };
                warnings.push(error.into_warning());
                let name = item.get("name").and_then(Value::as_str).unwrap_or_default().to_owned();
                ReceiverSpec {
                    name,
                    kind,
                    secret_ref: String::new(),
                }
            }
        };
        names.insert(receiver.name.clone());
        receivers.push(receiver);
    }
    Ok(receivers)
}

fn read_receiver(
    item: &Value,
    place: &Place<'_>,
    taken: &BTreeSet<String>,
    warnings: &mut Vec<Warning>,
) -> Result<ReceiverSpec, FieldError> {
    let mut fields = Fields::of(item, place)?;
    let name = fields.required_text("name")?;
    if !is_dns_subdomain(&name) {
        return Err(fields.error("name", "must be lower case letters, digits, '-' and '.', at most 253"));
    }
    if taken.contains(&name) {
        return Err(fields.error(
            "name",
            format!("is {name}, which an earlier receiver of this list has already"),
        ));
    }
    let present: Vec<(&'static str, &Value)> = TYPE_KEYS
        .into_iter()
        .filter_map(|key| fields.value(key).map(|value| (key, value)))
        .collect();
    let (key, settings) = match present[..] {
        [one] => one,
        [] => return Err(place.error(format!("names no sender: it needs one of {}", TYPE_KEYS.join(", ")))),
        _ => {
            let keys: Vec<_> = present.iter().map(|(key, _)| *key).collect();
            return Err(place.error(format!(
                "names more than one sender ({}): make it one entry each",
                keys.join(", ")
            )));
        }
    };
    let (kind, secret_ref) = read_settings(key, settings, &place.key(key), warnings)?;
    fields.finish(warnings);
    Ok(ReceiverSpec { name, kind, secret_ref })
}

fn read_settings(
    key: &'static str,
    settings: &Value,
    place: &Place<'_>,
    warnings: &mut Vec<Warning>,
) -> Result<(ReceiverKind, String), FieldError> {
    let mut fields = Fields::of(settings, place)?;
    let kind = match key {
        "artifactory" => ReceiverKind::Artifactory {
            virtual_repo_name: fields.optional_text("virtualRepoName")?.filter(|name| !name.is_empty()),
        },
        "azure" => ReceiverKind::Azure,
        "bitbucket" => ReceiverKind::Bitbucket,
        "dockerhub" => ReceiverKind::DockerHub,
        "generic" => ReceiverKind::Generic {
            actions: generic_action::read_all(&mut fields, warnings)?,
        },
        "gitea" => ReceiverKind::Gitea,
        "github" => ReceiverKind::GitHub,
        "gitlab" => ReceiverKind::GitLab,
        "harbor" => ReceiverKind::Harbor,
        "quay" => ReceiverKind::Quay,
        other => return Err(place.error(format!("is no sender that is known: {other}"))),
    };
    let reference = place.key("secretRef");
    let Some(value) = fields.value("secretRef") else {
        return Err(reference.error("is missing"));
    };
    let mut reference_fields = Fields::of(value, &reference)?;
    let secret_ref = reference_fields.required_text("name")?;
    reference_fields.finish(warnings);
    fields.finish(warnings);
    Ok((kind, secret_ref))
}
