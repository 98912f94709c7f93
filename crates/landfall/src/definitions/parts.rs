//! Schemas of parts that several kinds have; it must not know the kinds.

#![expect(
    dead_code,
    reason = "the types are for their schemas, and no value of them is ever made"
)]

use std::borrow::Cow;
use std::collections::BTreeMap;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};

/// What a name must look like: an RFC 1123 subdomain.
pub(super) const SUBDOMAIN: &str = r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$";

/// The Secret in the same namespace.
#[derive(JsonSchema)]
#[schemars(extend("x-kubernetes-map-type" = "atomic"))]
pub(super) struct LocalReference {
    /// Its name.
    #[schemars(extend("default" = ""))]
    name: Option<String>,
}

/// One aspect of where a resource stands.
#[derive(JsonSchema)]
#[schemars(rename_all = "camelCase")]
pub(super) struct Condition {
    /// When `status` last changed.
    #[schemars(extend("format" = "date-time"))]
    last_transition_time: String,
    /// A sentence for people.
    #[schemars(length(max = 32_768))]
    message: String,
    /// The generation that it is about.
    #[schemars(range(min = 0))]
    observed_generation: Option<i64>,
    /// One word for why.
    #[schemars(length(min = 1, max = 1_024), extend("pattern" = "^[A-Za-z]([A-Za-z0-9_,:]*[A-Za-z0-9_])?$"))]
    reason: String,
    /// Whether it holds.
    #[schemars(extend("enum" = ["True", "False", "Unknown"]))]
    status: String,
    /// The aspect.
    #[schemars(rename = "type", length(max = 316))]
    condition_type: String,
}

/// A selection by labels.
#[derive(JsonSchema)]
#[schemars(rename_all = "camelCase", extend("x-kubernetes-map-type" = "atomic"))]
pub(super) struct LabelSelector {
    /// Requirements, all of which must hold.
    #[schemars(extend("x-kubernetes-list-type" = "atomic"))]
    match_expressions: Option<Vec<LabelRequirement>>,
    /// Labels, all of which must be there with these values.
    match_labels: Option<BTreeMap<String, String>>,
}

/// A requirement on one label.
#[derive(JsonSchema)]
struct LabelRequirement {
    /// The label.
    key: String,
    /// `In`, `NotIn`, `Exists` or `DoesNotExist`.
    operator: String,
    /// What it is compared with.
    #[schemars(extend("x-kubernetes-list-type" = "atomic"))]
    values: Option<Vec<String>>,
}

/// Anything, which is kept as it is.
pub(super) struct Kept;

/// A list of anything, which is kept as it is.
pub(super) struct KeptList;

/// An object of anything, which is kept as it is.
pub(super) struct KeptObject;

impl JsonSchema for Kept {
    fn schema_name() -> Cow<'static, str> {
        "Kept".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({"x-kubernetes-preserve-unknown-fields": true})
    }
}

impl JsonSchema for KeptList {
    fn schema_name() -> Cow<'static, str> {
        "KeptList".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({"type": "array", "items": {"x-kubernetes-preserve-unknown-fields": true}})
    }
}

impl JsonSchema for KeptObject {
    fn schema_name() -> Cow<'static, str> {
        "KeptObject".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({"type": "object", "x-kubernetes-preserve-unknown-fields": true})
    }
}
