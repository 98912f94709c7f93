//! Says what the kinds that landfall reads look like to an API server that has neither Kargo's definitions nor others. The
//! types here are for their schemas alone; what a manifest means is read in the core.

mod config;
mod generic;
mod parts;
mod promotion;
mod status;
mod subscription;
#[cfg(test)]
mod tests;
mod warehouse;

use schemars::JsonSchema;
use schemars::generate::SchemaSettings;
use serde_json::{Value, json};

/// The group of all of them.
const GROUP: &str = "kargo.akuity.io";

/// What everybody must know who sees one of these definitions in a cluster.
const WARNING: &str = "Made by landfall for clusters without Kargo. It has less than Kargo's own definition: never apply it over \
                       that one, and delete it before Kargo is installed.";

/// A kind that is defined, with what its schema does not say.
struct Definition {
    kind: &'static str,
    plural: &'static str,
    singular: &'static str,
    short_names: &'static [&'static str],
    scope: &'static str,
    /// Name, type and path of what `kubectl get` shows.
    columns: &'static [(&'static str, &'static str, &'static str)],
    schema: fn() -> Value,
}

const AGE: (&str, &str, &str) = ("Age", "date", ".metadata.creationTimestamp");
const READY: (&str, &str, &str) = ("Ready", "string", ".status.conditions[?(@.type==\"Ready\")].status");
const READY_MESSAGE: (&str, &str, &str) = ("Status", "string", ".status.conditions[?(@.type==\"Ready\")].message");
const SHARD_LABEL: (&str, &str, &str) = ("Shard", "string", r".metadata.labels.kargo\.akuity\.io/shard");

/// Names, scopes and columns are Kargo's, so that everything that names them goes on to work with Kargo itself.
const DEFINITIONS: [Definition; 4] = [
    Definition {
        kind: "ClusterConfig",
        plural: "clusterconfigs",
        singular: "clusterconfig",
        short_names: &["clusterconfig", "clusterconfigs"],
        scope: "Cluster",
        columns: &[READY, READY_MESSAGE, AGE],
        schema: schema::<config::ClusterConfig>,
    },
    Definition {
        kind: "ProjectConfig",
        plural: "projectconfigs",
        singular: "projectconfig",
        short_names: &[],
        scope: "Namespaced",
        columns: &[READY, READY_MESSAGE, AGE],
        schema: schema::<config::ProjectConfig>,
    },
    Definition {
        kind: "Promotion",
        plural: "promotions",
        singular: "promotion",
        short_names: &["promo", "promos"],
        scope: "Namespaced",
        columns: &[
            SHARD_LABEL,
            ("Stage", "string", ".spec.stage"),
            ("Freight", "string", ".spec.freight"),
            ("Phase", "string", ".status.phase"),
            AGE,
        ],
        schema: schema::<promotion::Promotion>,
    },
    Definition {
        kind: "Warehouse",
        plural: "warehouses",
        singular: "warehouse",
        short_names: &[],
        scope: "Namespaced",
        columns: &[("Shard", "string", ".spec.shard"), AGE],
        schema: schema::<warehouse::Warehouse>,
    },
];

/// The `CustomResourceDefinition`s, in the order of their names.
pub fn all() -> Vec<Value> {
    DEFINITIONS.iter().map(Definition::manifest).collect()
}

impl Definition {
    fn manifest(&self) -> Value {
        let columns = self.columns.iter();
        let columns: Vec<Value> = columns
            .map(|(name, kind, path)| json!({"name": name, "type": kind, "jsonPath": path}))
            .collect();
        let mut names = json!({
            "kind": self.kind,
            "listKind": format!("{}List", self.kind),
            "plural": self.plural,
            "singular": self.singular,
        });
        if !self.short_names.is_empty() {
            names["shortNames"] = json!(self.short_names);
        }
        json!({
            "apiVersion": "apiextensions.k8s.io/v1",
            "kind": "CustomResourceDefinition",
            "metadata": {
                "name": format!("{}.{GROUP}", self.plural),
                "labels": {"app.kubernetes.io/managed-by": "landfall"},
                "annotations": {"landfall/warning": WARNING},
            },
            "spec": {
                "group": GROUP,
                "names": names,
                "scope": self.scope,
                "versions": [{
                    "name": "v1alpha1",
                    "served": true,
                    "storage": true,
                    "subresources": {"status": {}},
                    "additionalPrinterColumns": columns,
                    "schema": {"openAPIV3Schema": (self.schema)()},
                }],
            },
        })
    }
}

/// The schema of a type, as an API server takes it: nothing refers to anything, and what must not be `null` is not.
fn schema<T: JsonSchema>() -> Value {
    let settings = SchemaSettings::openapi3().with(|settings| {
        settings.inline_subschemas = true;
        settings.meta_schema = None;
    });
    let mut schema = settings.into_generator().into_root_schema_for::<T>().to_value();
    let of_every_resource = json!({
        "apiVersion": {"type": "string"},
        "kind": {"type": "string"},
        "metadata": {"type": "object"},
    });
    if let (Some(properties), Value::Object(more)) = (schema["properties"].as_object_mut(), of_every_resource) {
        properties.extend(more);
    }
    settle(&mut schema);
    schema
}

/// Takes out of a schema what the API server does not know, or what Kargo's definitions do not have: an absent field is
/// absent, and not `null`.
fn settle(schema: &mut Value) {
    let Value::Object(object) = schema else { return };
    for key in ["nullable", "title"] {
        object.remove(key);
    }
    // Descriptions of several lines are one paragraph.
    if let Some(Value::String(text)) = object.get_mut("description") {
        *text = text.split_whitespace().collect::<Vec<_>>().join(" ");
    }
    if let Some(Value::Object(properties)) = object.get_mut("properties") {
        properties.values_mut().for_each(settle);
    }
    for key in ["items", "additionalProperties"] {
        match object.get_mut(key) {
            Some(inner @ Value::Object(_)) => settle(inner),
            Some(Value::Bool(_)) => drop(object.remove(key)),
            _ => {}
        }
    }
}
