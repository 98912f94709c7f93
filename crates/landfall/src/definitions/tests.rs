use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use landfall_core::resource::status as core;
use landfall_core::resource::{Parsed, Resource};
use serde::de::{DeserializeOwned, Visitor};
use serde::{Deserializer, forward_to_deserialize_any};

use super::*;

/// Every field of a schema, by its path: `spec.subscriptions[].image.repoURL`.
fn fields(schema: &Value) -> BTreeMap<String, Value> {
    fn collect(schema: &Value, path: &str, found: &mut BTreeMap<String, Value>) {
        for (name, field) in schema["properties"].as_object().into_iter().flatten() {
            let path = if path.is_empty() {
                name.clone()
            } else {
                format!("{path}.{name}")
            };
            collect(field, &path, found);
            found.insert(path, field.clone());
        }
        for (key, mark) in [("items", "[]"), ("additionalProperties", "{}")] {
            if schema[key].is_object() {
                let path = format!("{path}{mark}");
                collect(&schema[key], &path, found);
                found.insert(path, schema[key].clone());
            }
        }
    }
    let mut found = BTreeMap::new();
    collect(schema, "", &mut found);
    found
}

fn schema_of(kind: &str) -> Value {
    let definition = DEFINITIONS.iter().find(|definition| definition.kind == kind);
    (definition.expect("it is defined").schema)()
}

fn keeps(schema: &Value) -> bool {
    schema["x-kubernetes-preserve-unknown-fields"] == true
}

/// A value that has every field of a schema.
fn filled(schema: &Value) -> Value {
    if let Some(default) = schema.get("default").filter(|default| **default != "") {
        return default.clone();
    }
    if let Some(first) = schema["enum"].get(0) {
        return first.clone();
    }
    match schema["type"].as_str() {
        Some("object") => {
            let properties = schema["properties"].as_object().into_iter().flatten();
            properties.map(|(name, field)| (name.clone(), filled(field))).collect()
        }
        Some("array") => json!([filled(&schema["items"])]),
        Some("integer") => json!(1),
        Some("boolean") => json!(true),
        Some("string") if schema["format"] == "date-time" => json!("2026-01-02T03:04:05Z"),
        Some("string") => json!("name"),
        _ => json!({}),
    }
}

/// Manifests that between them have every field of a kind that the core reads, and each alternative by itself.
fn samples(kind: &str) -> Vec<Value> {
    let mut whole = filled(&schema_of(kind));
    let name = if kind == "ClusterConfig" { "cluster" } else { "name" };
    whole["apiVersion"] = json!(format!("{GROUP}/v1alpha1"));
    whole["kind"] = json!(kind);
    whole["metadata"] = json!({"name": name});
    let (list, shared) = match kind {
        "Warehouse" => ("subscriptions", "name"),
        _ => ("webhookReceivers", "name"),
    };
    // Texts of which the schema says only in words what they may be.
    for (field, operator) in [
        ("labelSelector/matchExpressions", "In"),
        ("indexSelector/matchIndices", "Equals"),
    ] {
        let place = format!("/spec/{list}/0/generic/actions/0/targetSelectionCriteria/0/{field}/0/operator");
        if let Some(text) = whole.pointer_mut(&place) {
            *text = json!(operator);
        }
    }
    let item = whole["spec"][list][0].as_object().unwrap().clone();
    let alternatives = item.keys().filter(|key| *key != shared);
    alternatives
        .map(|key| {
            let mut sample = whole.clone();
            sample["spec"][list] = json!([{shared: item[shared], key: item[key]}]);
            sample
        })
        .collect()
}

/// What the core does not know of a manifest: the paths of its fields, with `[]` for each place in a list.
fn unknown(manifest: &Value) -> Result<BTreeSet<String>, String> {
    match Resource::from_value(manifest) {
        Parsed::Known(_, warnings) => {
            let unknown = warnings
                .iter()
                .filter(|warning| warning.problem == "is not a known field");
            let others: Vec<String> = warnings
                .iter()
                .filter(|warning| warning.problem != "is not a known field")
                .map(ToString::to_string)
                .collect();
            if others.is_empty() {
                Ok(unknown
                    .map(|warning| warning.path.to_string().replace("[0]", "[]"))
                    .collect())
            } else {
                Err(others.concat())
            }
        }
        other => Err(format!("{other:?}")),
    }
}

#[test]
fn the_core_knows_every_field_that_is_defined() {
    for kind in ["ClusterConfig", "ProjectConfig", "Warehouse"] {
        for sample in samples(kind) {
            assert_eq!(unknown(&sample), Ok(BTreeSet::new()), "{sample}");
        }
    }
}

/// The words in quotes in the core's readers: among them are the names of all fields that they read.
fn words_of_the_core() -> BTreeSet<String> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../core/src/resource");
    let mut words = BTreeSet::new();
    for file in [
        "cluster_config.rs",
        "project_config.rs",
        "subscription.rs",
        "warehouse.rs",
    ] {
        let text = std::fs::read_to_string(folder.join(file)).unwrap();
        let quoted = text.split('"').skip(1).step_by(2);
        words.extend(quoted.filter(|word| is_a_name(word)).map(str::to_owned));
    }
    assert!(words.len() > 50, "{words:?}");
    words
}

fn is_a_name(word: &str) -> bool {
    word.starts_with(|first: char| first.is_ascii_lowercase())
        && word.chars().all(|letter| letter.is_ascii_alphanumeric())
}

/// Every object of a value that is not kept as a whole, as a JSON pointer, with its path in the schema.
fn objects(value: &Value, pointer: &str, path: &str, schema: &Value, found: &mut Vec<(String, String)>) {
    match value {
        Value::Object(fields) if schema["properties"].is_object() => {
            if !keeps(schema) {
                found.push((pointer.to_owned(), path.to_owned()));
            }
            for (name, field) in fields {
                let path = if path.is_empty() {
                    name.clone()
                } else {
                    format!("{path}.{name}")
                };
                objects(
                    field,
                    &format!("{pointer}/{name}"),
                    &path,
                    &schema["properties"][name],
                    found,
                );
            }
        }
        Value::Array(items) => {
            for (index, item) in items.iter().enumerate() {
                objects(
                    item,
                    &format!("{pointer}/{index}"),
                    &format!("{path}[]"),
                    &schema["items"],
                    found,
                );
            }
        }
        _ => {}
    }
}

/// Tries each word at each place. What the core does not call unknown there must be defined.
#[test]
fn every_field_that_the_core_reads_is_defined() {
    let words = words_of_the_core();
    for kind in ["ClusterConfig", "ProjectConfig", "Warehouse"] {
        let schema = schema_of(kind);
        let defined = fields(&schema);
        let mut tried = BTreeSet::new();
        for sample in samples(kind) {
            let mut places = Vec::new();
            objects(
                &sample["spec"],
                "/spec",
                "spec",
                &schema["properties"]["spec"],
                &mut places,
            );
            for (pointer, path) in places {
                // Actions are read elsewhere.
                if path.contains("actions") || !tried.insert(path.clone()) {
                    continue;
                }
                for word in &words {
                    let field = format!("{path}.{word}");
                    let mut with = sample.clone();
                    let object = with.pointer_mut(&pointer).and_then(Value::as_object_mut).unwrap();
                    if object.insert(word.clone(), json!({})).is_none()
                        && unknown(&with) != Ok(BTreeSet::from([field.clone()]))
                    {
                        assert!(defined.contains_key(&field), "{kind}: {field} is read and not defined");
                    }
                }
            }
        }
        assert!(tried.len() > 2, "{kind}: {tried:?}");
    }
}

/// Learns from a type which fields it reads, by being what it reads them from.
struct Names<'a>(&'a mut BTreeSet<String>);

impl<'de> Deserializer<'de> for Names<'_> {
    type Error = serde::de::value::Error;

    fn deserialize_any<V: Visitor<'de>>(self, _: V) -> Result<V::Value, Self::Error> {
        Err(serde::de::Error::custom(
            "only the fields of a structure are of interest",
        ))
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Self::Error> {
        self.0.extend(fields.iter().map(|name| (*name).to_owned()));
        self.deserialize_any(visitor)
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf option unit unit_struct
        newtype_struct seq tuple tuple_struct map enum identifier ignored_any
    }
}

fn names<T: DeserializeOwned>() -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    let _ = T::deserialize(Names(&mut names));
    names
}

#[test]
fn statuses_are_defined_as_the_core_writes_them() {
    let condition = names::<core::Condition>();
    let rows = [
        ("ProjectConfig", "status", names::<core::ConfigStatus>()),
        ("ProjectConfig", "status.conditions[]", condition.clone()),
        (
            "ProjectConfig",
            "status.webhookReceivers[]",
            names::<core::ReceiverStatus>(),
        ),
        ("ClusterConfig", "status", names::<core::ConfigStatus>()),
        ("ClusterConfig", "status.conditions[]", condition.clone()),
        (
            "ClusterConfig",
            "status.webhookReceivers[]",
            names::<core::ReceiverStatus>(),
        ),
        ("Warehouse", "status", names::<core::WarehouseStatus>()),
        ("Warehouse", "status.conditions[]", condition),
        (
            "Warehouse",
            "status.discoveredArtifacts",
            names::<core::DiscoveredArtifacts>(),
        ),
        (
            "Warehouse",
            "status.discoveredArtifacts.charts[]",
            names::<core::ChartDiscoveryResult>(),
        ),
        (
            "Warehouse",
            "status.discoveredArtifacts.git[]",
            names::<core::GitDiscoveryResult>(),
        ),
        (
            "Warehouse",
            "status.discoveredArtifacts.git[].commits[]",
            names::<core::DiscoveredCommit>(),
        ),
        (
            "Warehouse",
            "status.discoveredArtifacts.git[].observedRefs",
            names::<core::ObservedRefs>(),
        ),
        (
            "Warehouse",
            "status.discoveredArtifacts.git[].observedRefs.tags[]",
            names::<core::DiscoveredRef>(),
        ),
        (
            "Warehouse",
            "status.discoveredArtifacts.images[]",
            names::<core::ImageDiscoveryResult>(),
        ),
        (
            "Warehouse",
            "status.discoveredArtifacts.images[].references[]",
            names::<core::DiscoveredImageReference>(),
        ),
        (
            "Warehouse",
            "status.discoveredArtifacts.results[]",
            names::<core::DiscoveryResult>(),
        ),
        (
            "Warehouse",
            "status.discoveredArtifacts.results[].artifactReferences[]",
            names::<core::ArtifactReference>(),
        ),
    ];
    for kind in ["ProjectConfig", "ClusterConfig", "Warehouse"] {
        let objects = fields(&schema_of(kind)).into_iter().filter_map(|(path, field)| {
            let names: BTreeSet<String> = field["properties"].as_object()?.keys().cloned().collect();
            path.starts_with("status").then_some((path, names))
        });
        let written = rows.iter().filter(|(of, ..)| *of == kind);
        let written: BTreeMap<String, BTreeSet<String>> = written
            .map(|(_, path, names)| ((*path).to_owned(), names.clone()))
            .collect();
        assert_eq!(objects.collect::<BTreeMap<_, _>>(), written, "{kind}");
    }
}

#[test]
fn nobody_applies_them_without_having_been_warned() {
    for definition in all() {
        assert_eq!(definition["metadata"]["annotations"]["landfall/warning"], WARNING);
        assert_eq!(
            definition["metadata"]["labels"]["app.kubernetes.io/managed-by"],
            "landfall"
        );
    }
}
