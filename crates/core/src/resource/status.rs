//! Says what landfall reports of a resource, in the shape of its CRD's `status`; it must not know where a status is kept.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;

pub use super::condition::{Condition, ConditionStatus, Conditions, NewCondition};
use super::serial::{is_zero, null_is_default, optional_seconds};

/// The status of a `Warehouse`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct WarehouseStatus {
    /// Where it stands: `Ready`, `Healthy`, `Reconciling` and others.
    #[serde(skip_serializing_if = "Conditions::is_empty", deserialize_with = "null_is_default")]
    pub conditions: Conditions,
    /// The value of the refresh annotation that the last attempt answered.
    #[serde(skip_serializing_if = "String::is_empty", deserialize_with = "null_is_default")]
    pub last_handled_refresh: String,
    /// The generation that the last attempt saw; 0 is none.
    #[serde(skip_serializing_if = "is_zero", deserialize_with = "null_is_default")]
    pub observed_generation: i64,
    /// The name of the newest Freight.
    #[serde(
        rename = "lastFreightID",
        skip_serializing_if = "String::is_empty",
        deserialize_with = "null_is_default"
    )]
    pub last_freight_id: String,
    /// What the last successful look found.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub discovered_artifacts: Option<DiscoveredArtifacts>,
}

/// What one look at all subscriptions of a Warehouse found.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct DiscoveredArtifacts {
    /// When; whole seconds.
    #[serde(with = "optional_seconds", skip_serializing_if = "Option::is_none")]
    pub discovered_at: Option<Timestamp>,
    /// By Git subscription.
    #[serde(skip_serializing_if = "Vec::is_empty", deserialize_with = "null_is_default")]
    pub git: Vec<GitDiscoveryResult>,
    /// By image subscription.
    #[serde(skip_serializing_if = "Vec::is_empty", deserialize_with = "null_is_default")]
    pub images: Vec<ImageDiscoveryResult>,
    /// By chart subscription.
    #[serde(skip_serializing_if = "Vec::is_empty", deserialize_with = "null_is_default")]
    pub charts: Vec<ChartDiscoveryResult>,
    /// By generic subscription.
    #[serde(skip_serializing_if = "Vec::is_empty", deserialize_with = "null_is_default")]
    pub results: Vec<DiscoveryResult>,
}

/// What a Git subscription yielded.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct GitDiscoveryResult {
    /// The repository as the subscription writes it.
    #[serde(rename = "repoURL")]
    pub repo_url: String,
    /// Best first; an empty list says that nothing matched, and is written.
    #[serde(deserialize_with = "null_is_default")]
    pub commits: Vec<DiscoveredCommit>,
    /// The refs that were seen, by which the next look tells whether anything moved.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub observed_refs: Option<ObservedRefs>,
    /// The subscription's name.
    #[serde(skip_serializing_if = "String::is_empty", deserialize_with = "null_is_default")]
    pub subscription_name: String,
}

/// One commit.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct DiscoveredCommit {
    /// Its hash.
    #[serde(skip_serializing_if = "String::is_empty", deserialize_with = "null_is_default")]
    pub id: String,
    /// The branch it was found on, if it was.
    #[serde(skip_serializing_if = "String::is_empty", deserialize_with = "null_is_default")]
    pub branch: String,
    /// The tag it was found by, if it was.
    #[serde(skip_serializing_if = "String::is_empty", deserialize_with = "null_is_default")]
    pub tag: String,
    /// The first line of its message.
    #[serde(skip_serializing_if = "String::is_empty", deserialize_with = "null_is_default")]
    pub subject: String,
    /// `Name <email>`.
    #[serde(skip_serializing_if = "String::is_empty", deserialize_with = "null_is_default")]
    pub author: String,
    /// `Name <email>`.
    #[serde(skip_serializing_if = "String::is_empty", deserialize_with = "null_is_default")]
    pub committer: String,
    /// When it was committed, or its annotated tag was made; whole seconds.
    #[serde(with = "optional_seconds", skip_serializing_if = "Option::is_none")]
    pub creator_date: Option<Timestamp>,
}

/// The refs of a repository before any selection.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct ObservedRefs {
    /// The tip of the subscribed branch.
    #[serde(skip_serializing_if = "String::is_empty", deserialize_with = "null_is_default")]
    pub branch_head: String,
    /// The tags that passed the filters by name, in the order of their names.
    #[serde(skip_serializing_if = "Vec::is_empty", deserialize_with = "null_is_default")]
    pub tags: Vec<DiscoveredRef>,
}

/// A ref and what it points to.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct DiscoveredRef {
    /// The short name: `v1.2.3`.
    pub name: String,
    /// The hash of the object.
    pub id: String,
}

/// What an image subscription yielded.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct ImageDiscoveryResult {
    /// The repository as the subscription writes it.
    #[serde(rename = "repoURL")]
    pub repo_url: String,
    /// The platform that was asked for, if one was.
    #[serde(skip_serializing_if = "String::is_empty", deserialize_with = "null_is_default")]
    pub platform: String,
    /// Best first; an empty list says that nothing matched, and is written.
    #[serde(deserialize_with = "null_is_default")]
    pub references: Vec<DiscoveredImageReference>,
    /// The subscription's name.
    #[serde(skip_serializing_if = "String::is_empty", deserialize_with = "null_is_default")]
    pub subscription_name: String,
}

/// One image.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct DiscoveredImageReference {
    /// Its tag.
    pub tag: String,
    /// What the tag pointed to: `sha256:…`.
    pub digest: String,
    /// The annotations of its manifest.
    #[serde(skip_serializing_if = "BTreeMap::is_empty", deserialize_with = "null_is_default")]
    pub annotations: BTreeMap<String, String>,
    /// When it was built, where that is known; whole seconds.
    #[serde(with = "optional_seconds", skip_serializing_if = "Option::is_none")]
    pub created_at: Option<Timestamp>,
}

/// What a chart subscription yielded.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct ChartDiscoveryResult {
    /// The repository as the subscription writes it.
    #[serde(rename = "repoURL")]
    pub repo_url: String,
    /// The chart within a chart repository.
    #[serde(skip_serializing_if = "String::is_empty", deserialize_with = "null_is_default")]
    pub name: String,
    /// The constraint that was asked for, if one was.
    #[serde(skip_serializing_if = "String::is_empty", deserialize_with = "null_is_default")]
    pub semver_constraint: String,
    /// Best first; an empty list says that nothing matched, and is written.
    #[serde(deserialize_with = "null_is_default")]
    pub versions: Vec<String>,
    /// The subscription's name.
    #[serde(skip_serializing_if = "String::is_empty", deserialize_with = "null_is_default")]
    pub subscription_name: String,
}

/// What a generic subscription yielded.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct DiscoveryResult {
    /// The subscription's name.
    pub name: String,
    /// Best first; an empty list says that nothing matched, and is written.
    #[serde(deserialize_with = "null_is_default")]
    pub artifact_references: Vec<ArtifactReference>,
}

/// One version of an artifact of a generic subscription.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct ArtifactReference {
    /// Often its media type.
    #[serde(skip_serializing_if = "String::is_empty", deserialize_with = "null_is_default")]
    pub artifact_type: String,
    /// The subscription's name.
    pub subscription_name: String,
    /// The version.
    pub version: String,
    /// An object that its subscriber understands.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub metadata: Option<Value>,
}

/// The status of a `ProjectConfig` or a `ClusterConfig`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct ConfigStatus {
    /// Where it stands: `Ready`, `Reconciling`.
    #[serde(skip_serializing_if = "Conditions::is_empty", deserialize_with = "null_is_default")]
    pub conditions: Conditions,
    /// The generation that the last success saw; 0 is none.
    #[serde(skip_serializing_if = "is_zero", deserialize_with = "null_is_default")]
    pub observed_generation: i64,
    /// The value of the refresh annotation that the last attempt answered.
    #[serde(skip_serializing_if = "String::is_empty", deserialize_with = "null_is_default")]
    pub last_handled_refresh: String,
    /// The receivers that can be reached, in the order of the spec; those that failed are left out.
    #[serde(skip_serializing_if = "Vec::is_empty", deserialize_with = "null_is_default")]
    pub webhook_receivers: Vec<ReceiverStatus>,
}

/// Where one receiver is reached.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct ReceiverStatus {
    /// Its name in the spec.
    #[serde(skip_serializing_if = "String::is_empty", deserialize_with = "null_is_default")]
    pub name: String,
    /// The path that the router matches. Whoever knows it can post.
    #[serde(skip_serializing_if = "String::is_empty", deserialize_with = "null_is_default")]
    pub path: String,
    /// The whole URL, to be given to the sender.
    #[serde(skip_serializing_if = "String::is_empty", deserialize_with = "null_is_default")]
    pub url: String,
}
