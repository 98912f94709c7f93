//! The schema of a `Warehouse`; it must not know how anything is looked up.

#![expect(
    dead_code,
    reason = "the types are for their schemas, and no value of them is ever made"
)]

use landfall_core::resource::DEFAULT_INTERVAL;
use schemars::JsonSchema;

use super::status::WarehouseStatus;
use super::subscription::Subscription;

/// What to subscribe to, and how often to look without being told.
#[derive(JsonSchema)]
pub(super) struct Warehouse {
    spec: WarehouseSpec,
    status: Option<WarehouseStatus>,
}

/// What is wanted.
#[derive(JsonSchema)]
#[schemars(rename_all = "camelCase")]
struct WarehouseSpec {
    freight_creation_criteria: Option<FreightCreationCriteria>,
    /// Whether new artifacts become Freight by themselves.
    #[schemars(extend("enum" = ["Automatic", "Manual"], "default" = "Automatic"))]
    freight_creation_policy: Option<String>,
    /// The time between two looks that no event asked for.
    #[schemars(extend("pattern" = r"^([0-9]+(\.[0-9]+)?(s|m|h))+$", "default" = DEFAULT_INTERVAL))]
    interval: String,
    /// The controller that is to serve it.
    shard: Option<String>,
    /// What to look at.
    #[schemars(length(min = 1))]
    subscriptions: Vec<Subscription>,
}

/// When new artifacts become Freight by themselves.
#[derive(JsonSchema)]
struct FreightCreationCriteria {
    /// An expression that must be true.
    expression: Option<String>,
}
