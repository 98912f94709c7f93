//! The schemas of `ProjectConfig` and `ClusterConfig`; it must not know what serves their receivers.

#![expect(
    dead_code,
    reason = "the types are for their schemas, and no value of them is ever made"
)]

use schemars::JsonSchema;

use super::generic::Action;
use super::parts::{KeptList, KeptObject, LocalReference, SUBDOMAIN};
use super::status::ConfigStatus;

/// The receivers of one project. Its name is that of its namespace.
#[derive(JsonSchema)]
pub(super) struct ProjectConfig {
    spec: Option<ProjectConfigSpec>,
    status: Option<ConfigStatus>,
}

/// What is wanted. Fields that only Kargo has a use for are kept as they are.
#[derive(JsonSchema)]
#[schemars(rename_all = "camelCase")]
struct ProjectConfigSpec {
    freight_links: Option<KeptList>,
    promotion_policies: Option<KeptList>,
    promotion_windows: Option<KeptList>,
    stage_links: Option<KeptList>,
    /// Endpoints for senders. Each gets a URL, which `status.webhookReceivers` shows.
    webhook_receivers: Option<Vec<Receiver>>,
}

/// The receivers of all projects. There is one, and its name is `cluster`.
#[derive(JsonSchema)]
pub(super) struct ClusterConfig {
    spec: Option<ClusterConfigSpec>,
    status: Option<ConfigStatus>,
}

/// What is wanted. Fields that only Kargo has a use for are kept as they are.
#[derive(JsonSchema)]
#[schemars(rename_all = "camelCase")]
struct ClusterConfigSpec {
    freight_links: Option<KeptList>,
    git_client: Option<KeptObject>,
    promotion_windows: Option<KeptList>,
    stage_links: Option<KeptList>,
    /// Endpoints for senders. Each gets a URL, which `status.webhookReceivers` shows.
    webhook_receivers: Option<Vec<Receiver>>,
}

/// An endpoint for one sender: exactly one of the fields besides the name.
#[derive(JsonSchema)]
struct Receiver {
    /// Its name, unique in its list; part of its URL.
    #[schemars(length(min = 1, max = 253), extend("pattern" = SUBDOMAIN))]
    name: String,
    /// JFrog Artifactory.
    artifactory: Option<Artifactory>,
    /// Azure Container Registry and Azure DevOps.
    azure: Option<SecretOnly>,
    /// Bitbucket Cloud and Data Center.
    bitbucket: Option<SecretOnly>,
    /// Docker Hub.
    dockerhub: Option<SecretOnly>,
    /// Any sender, described by expressions.
    generic: Option<Generic>,
    /// Gitea and Forgejo.
    gitea: Option<SecretOnly>,
    /// GitHub, its packages included.
    github: Option<SecretOnly>,
    /// GitLab.
    gitlab: Option<SecretOnly>,
    /// Harbor.
    harbor: Option<SecretOnly>,
    /// Quay.
    quay: Option<SecretOnly>,
}

/// A receiver that needs its secret alone.
#[derive(JsonSchema)]
#[schemars(rename_all = "camelCase")]
struct SecretOnly {
    secret_ref: LocalReference,
}

/// A receiver for JFrog Artifactory.
#[derive(JsonSchema)]
#[schemars(rename_all = "camelCase")]
struct Artifactory {
    secret_ref: LocalReference,
    /// Stands for the repository key of the payload.
    virtual_repo_name: Option<String>,
}

/// A receiver for any sender.
#[derive(JsonSchema)]
#[schemars(rename_all = "camelCase")]
struct Generic {
    /// What to do, in this order.
    #[schemars(length(min = 1))]
    actions: Option<Vec<Action>>,
    secret_ref: LocalReference,
}
