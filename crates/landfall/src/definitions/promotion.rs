//! The schema of a `Promotion`, as much of it as is read: which pull request a running one waits for. The rest is kept.

#![expect(
    dead_code,
    reason = "the types are for their schemas, and no value of them is ever made"
)]

use schemars::JsonSchema;

use super::parts::Kept;

/// A Promotion, which landfall finds by the pull request that it waits for.
#[derive(JsonSchema)]
pub(super) struct Promotion {
    spec: PromotionSpec,
    status: Option<PromotionStatus>,
}

/// What is wanted. What is not read is kept as it is.
#[derive(JsonSchema)]
#[schemars(extend("x-kubernetes-preserve-unknown-fields" = true))]
struct PromotionSpec {
    freight: Option<String>,
    stage: String,
    #[schemars(length(min = 1))]
    steps: Vec<Step>,
}

/// One step.
#[derive(JsonSchema)]
#[schemars(extend("x-kubernetes-preserve-unknown-fields" = true))]
struct Step {
    /// The name by which `status.state` has what it did.
    #[schemars(rename = "as")]
    alias: Option<String>,
    /// What it does.
    uses: Option<String>,
}

/// Where it stands. What is not read is kept as it is.
#[derive(JsonSchema)]
#[schemars(rename_all = "camelCase", extend("x-kubernetes-preserve-unknown-fields" = true))]
struct PromotionStatus {
    /// The step that runs, counted from 0.
    current_step: Option<i64>,
    /// The value of the refresh annotation that the last attempt answered.
    last_handled_refresh: Option<String>,
    phase: Option<String>,
    /// What the steps did, by their names.
    state: Option<Kept>,
}
