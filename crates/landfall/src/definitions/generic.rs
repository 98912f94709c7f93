//! The schema of a generic receiver's actions; it must not know what their expressions mean.

#![expect(
    dead_code,
    reason = "the types are for their schemas, and no value of them is ever made"
)]

use std::collections::BTreeMap;

use schemars::JsonSchema;

use super::parts::LabelSelector;

/// Something to do about a request.
#[derive(JsonSchema)]
#[schemars(rename_all = "camelCase")]
pub(super) struct Action {
    /// What to do.
    #[schemars(extend("enum" = ["Refresh"]))]
    action: String,
    /// Values that expressions may use.
    parameters: Option<BTreeMap<String, String>>,
    /// What to do it to: everything that one of these selects.
    #[schemars(length(min = 1))]
    target_selection_criteria: Option<Vec<Criteria>>,
    /// Whether to do it at all; an expression.
    when_expression: Option<String>,
}

/// A selection of resources: all that is given must hold.
#[derive(JsonSchema)]
#[schemars(rename_all = "camelCase")]
struct Criteria {
    /// By values that landfall knows of each resource.
    index_selector: Option<IndexSelector>,
    /// The kind of resource.
    #[schemars(extend("enum" = ["Warehouse", "Promotion"]))]
    kind: String,
    /// By labels.
    label_selector: Option<LabelSelector>,
    /// By name.
    name: Option<String>,
}

/// A selection by known values.
#[derive(JsonSchema)]
#[schemars(rename_all = "camelCase")]
struct IndexSelector {
    /// Comparisons, all of which must hold.
    #[schemars(length(min = 1))]
    match_indices: Option<Vec<IndexRequirement>>,
}

/// One comparison.
#[derive(JsonSchema)]
struct IndexRequirement {
    /// What is compared.
    #[schemars(extend("enum" = ["subscribedURLs", "receiverPaths", "pullRequestURL"]))]
    key: String,
    /// `Equals` or `NotEquals`.
    operator: String,
    /// What it is compared with.
    value: String,
}
