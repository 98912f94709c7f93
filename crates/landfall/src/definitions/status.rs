//! The schemas of statuses, field by field as `landfall_core::resource::status` has them; it must not know who writes them.

#![expect(
    dead_code,
    reason = "the types are for their schemas, and no value of them is ever made"
)]

use std::collections::BTreeMap;

use schemars::JsonSchema;

use super::parts::{Condition, Kept};

/// Where the receivers stand.
#[derive(JsonSchema)]
#[schemars(rename_all = "camelCase")]
pub(super) struct ConfigStatus {
    #[schemars(extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["type"]))]
    conditions: Option<Vec<Condition>>,
    /// The value of the refresh annotation that the last attempt answered.
    last_handled_refresh: Option<String>,
    /// The generation that the last success saw.
    observed_generation: Option<i64>,
    /// The receivers that can be reached.
    webhook_receivers: Option<Vec<ReceiverStatus>>,
}

/// Where one receiver is reached.
#[derive(JsonSchema)]
struct ReceiverStatus {
    name: Option<String>,
    path: Option<String>,
    /// To be given to the sender.
    url: Option<String>,
}

/// Where the subscriptions stand.
#[derive(JsonSchema)]
#[schemars(rename_all = "camelCase")]
pub(super) struct WarehouseStatus {
    #[schemars(extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["type"]))]
    conditions: Option<Vec<Condition>>,
    discovered_artifacts: Option<DiscoveredArtifacts>,
    /// The name of the newest Freight.
    #[schemars(rename = "lastFreightID")]
    last_freight_id: Option<String>,
    /// The value of the refresh annotation that the last attempt answered.
    last_handled_refresh: Option<String>,
    /// The generation that the last attempt saw.
    observed_generation: Option<i64>,
}

/// What the last successful look found.
#[derive(JsonSchema)]
#[schemars(rename_all = "camelCase")]
struct DiscoveredArtifacts {
    charts: Option<Vec<Charts>>,
    #[schemars(extend("format" = "date-time"))]
    discovered_at: Option<String>,
    git: Option<Vec<Commits>>,
    images: Option<Vec<Images>>,
    results: Option<Vec<Results>>,
}

/// What a chart subscription yielded, best first.
#[derive(JsonSchema)]
#[schemars(rename_all = "camelCase")]
struct Charts {
    name: Option<String>,
    #[schemars(rename = "repoURL", length(min = 1))]
    repo_url: String,
    semver_constraint: Option<String>,
    subscription_name: Option<String>,
    versions: Option<Vec<String>>,
}

/// What a Git subscription yielded, best first.
#[derive(JsonSchema)]
#[schemars(rename_all = "camelCase")]
struct Commits {
    commits: Option<Vec<Commit>>,
    observed_refs: Option<ObservedRefs>,
    #[schemars(rename = "repoURL", length(min = 1))]
    repo_url: String,
    subscription_name: Option<String>,
}

/// One commit.
#[derive(JsonSchema)]
#[schemars(rename_all = "camelCase")]
struct Commit {
    author: Option<String>,
    branch: Option<String>,
    committer: Option<String>,
    #[schemars(extend("format" = "date-time"))]
    creator_date: Option<String>,
    id: Option<String>,
    subject: Option<String>,
    tag: Option<String>,
}

/// The refs of a repository before any selection.
#[derive(JsonSchema)]
#[schemars(rename_all = "camelCase")]
struct ObservedRefs {
    branch_head: Option<String>,
    tags: Option<Vec<ObservedRef>>,
}

/// A ref and what it points to.
#[derive(JsonSchema)]
struct ObservedRef {
    id: String,
    name: String,
}

/// What an image subscription yielded, best first.
#[derive(JsonSchema)]
#[schemars(rename_all = "camelCase")]
struct Images {
    platform: Option<String>,
    references: Option<Vec<Reference>>,
    #[schemars(rename = "repoURL", length(min = 1))]
    repo_url: String,
    subscription_name: Option<String>,
}

/// One image.
#[derive(JsonSchema)]
#[schemars(rename_all = "camelCase")]
struct Reference {
    annotations: Option<BTreeMap<String, String>>,
    #[schemars(extend("format" = "date-time"))]
    created_at: Option<String>,
    #[schemars(length(min = 1))]
    digest: String,
    #[schemars(length(min = 1, max = 128))]
    tag: String,
}

/// What a subscription of another kind yielded, best first.
#[derive(JsonSchema)]
#[schemars(rename_all = "camelCase")]
struct Results {
    artifact_references: Option<Vec<Artifact>>,
    #[schemars(length(min = 1))]
    name: String,
}

/// One version of an artifact.
#[derive(JsonSchema)]
#[schemars(rename_all = "camelCase")]
struct Artifact {
    artifact_type: Option<String>,
    metadata: Option<Kept>,
    subscription_name: String,
    version: String,
}
