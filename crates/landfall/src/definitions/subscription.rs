//! The schema of a Warehouse's subscriptions; it must not know what their patterns and constraints mean.

#![expect(
    dead_code,
    reason = "the types are for their schemas, and no value of them is ever made"
)]

use landfall_core::resource::{DEFAULT_DISCOVERY_LIMIT, MAX_DISCOVERY_LIMIT};
use schemars::JsonSchema;

/// One thing to look at: one field besides the name, which says of what kind it is. Kinds that are not known here are kept.
#[derive(JsonSchema)]
#[schemars(extend("x-kubernetes-preserve-unknown-fields" = true))]
pub(super) struct Subscription {
    /// A Helm chart.
    chart: Option<Chart>,
    /// A Git repository.
    git: Option<Git>,
    /// An image repository.
    image: Option<Image>,
    /// Its name, unique in its Warehouse.
    #[schemars(length(max = 63))]
    name: Option<String>,
}

/// A subscription to an image repository.
#[derive(JsonSchema)]
#[schemars(rename_all = "camelCase")]
struct Image {
    /// Deprecated: one expression in place of `allowTagsRegexes`.
    allow_tags: Option<String>,
    /// Regular expressions, one of which a tag must match.
    allow_tags_regexes: Option<Vec<String>>,
    /// Whether tags of this repository never move.
    cache_by_tag: Option<bool>,
    /// The tag of `Digest`, the version constraint of `SemVer`.
    constraint: Option<String>,
    /// How many artifacts to keep.
    #[schemars(range(min = 1, max = MAX_DISCOVERY_LIMIT), extend("default" = DEFAULT_DISCOVERY_LIMIT))]
    discovery_limit: Option<i64>,
    /// Deprecated: tags in place of `ignoreTagsRegexes`.
    ignore_tags: Option<Vec<String>>,
    /// Regular expressions, none of which a tag may match.
    ignore_tags_regexes: Option<Vec<String>>,
    /// How the best tag is chosen.
    #[schemars(extend("enum" = ["Digest", "Lexical", "NewestBuild", "SemVer"], "default" = "SemVer"))]
    image_selection_strategy: Option<String>,
    /// Whether to trust any certificate of the registry.
    #[schemars(rename = "insecureSkipTLSVerify")]
    insecure_skip_tls_verify: Option<bool>,
    /// `os/arch` or `os/arch/variant`.
    platform: Option<String>,
    /// The repository, without tag or scheme.
    #[schemars(rename = "repoURL", length(min = 1))]
    repo_url: String,
    /// Whether a version needs all of major, minor and patch.
    #[schemars(extend("default" = true))]
    strict_semvers: Option<bool>,
}

/// A subscription to a Git repository.
#[derive(JsonSchema)]
#[schemars(rename_all = "camelCase")]
struct Git {
    /// Deprecated: one expression in place of `allowTagsRegexes`.
    allow_tags: Option<String>,
    /// Regular expressions, one of which a tag must match.
    allow_tags_regexes: Option<Vec<String>>,
    /// Whether to clone without the contents of files.
    blobless: Option<bool>,
    /// The branch of `NewestFromBranch`; without it, the default one.
    #[schemars(length(max = 255))]
    branch: Option<String>,
    /// How the best commit is chosen.
    #[schemars(extend("enum" = ["Lexical", "NewestFromBranch", "NewestTag", "SemVer"], "default" = "NewestFromBranch"))]
    commit_selection_strategy: Option<String>,
    /// How many artifacts to keep.
    #[schemars(range(min = 1, max = MAX_DISCOVERY_LIMIT), extend("default" = DEFAULT_DISCOVERY_LIMIT))]
    discovery_limit: Option<i64>,
    /// Paths that do not count.
    exclude_paths: Option<Vec<String>>,
    /// An expression that a commit or tag must satisfy.
    expression_filter: Option<String>,
    /// Deprecated: tags in place of `ignoreTagsRegexes`.
    ignore_tags: Option<Vec<String>>,
    /// Regular expressions, none of which a tag may match.
    ignore_tags_regexes: Option<Vec<String>>,
    /// Paths, one of which a commit must change.
    include_paths: Option<Vec<String>>,
    /// Whether to trust any certificate of the server.
    #[schemars(rename = "insecureSkipTLSVerify")]
    insecure_skip_tls_verify: Option<bool>,
    /// The repository.
    #[schemars(rename = "repoURL", length(min = 1))]
    repo_url: String,
    /// The version constraint of `SemVer`.
    semver_constraint: Option<String>,
    /// Commits before this are not looked at.
    #[schemars(extend("format" = "date-time"))]
    since: Option<String>,
    /// Whether a version needs all of major, minor and patch.
    #[schemars(extend("default" = true))]
    strict_semvers: Option<bool>,
}

/// A subscription to a Helm chart.
#[derive(JsonSchema)]
#[schemars(rename_all = "camelCase")]
struct Chart {
    /// How many artifacts to keep.
    #[schemars(range(min = 1, max = MAX_DISCOVERY_LIMIT), extend("default" = DEFAULT_DISCOVERY_LIMIT))]
    discovery_limit: Option<i64>,
    /// Whether to trust any certificate of the server.
    #[schemars(rename = "insecureSkipTLSVerify")]
    insecure_skip_tls_verify: Option<bool>,
    /// The chart within a chart repository.
    name: Option<String>,
    /// `https://…` of a chart repository, or `oci://…` of one chart.
    #[schemars(rename = "repoURL", length(min = 1))]
    repo_url: String,
    /// The version constraint.
    semver_constraint: Option<String>,
}
