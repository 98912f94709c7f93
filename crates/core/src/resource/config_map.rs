//! Reads a `ConfigMap`; it must not know what its texts are for.

use std::collections::BTreeMap;

use serde_json::Value;

use super::base64;
use super::fields::{FieldError, Fields, Place, Warning};
use super::metadata::Metadata;

/// A core `v1` `ConfigMap`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConfigMap {
    /// Its identity, labels and annotations.
    pub metadata: Metadata,
    /// `data`, the texts by key.
    pub data: BTreeMap<String, String>,
    /// `binaryData`, decoded, by key.
    pub binary_data: BTreeMap<String, Vec<u8>>,
}

/// Reads everything but the metadata, which the caller has read.
pub(super) fn read(value: &Value, metadata: Metadata, warnings: &mut Vec<Warning>) -> Result<ConfigMap, FieldError> {
    let mut fields = Fields::of(value, &Place::ROOT)?;
    fields.ignore(&["apiVersion", "kind", "metadata", "immutable", "status"]);
    let data = fields.text_map("data")?;
    let place = Place::ROOT.key("binaryData");
    let mut binary_data = BTreeMap::new();
    for (key, text) in fields.text_map("binaryData")? {
        let bytes = base64::decode(&text).map_err(|error| place.key(&key).error(error.to_string()))?;
        binary_data.insert(key, bytes);
    }
    fields.finish(warnings);
    Ok(ConfigMap {
        metadata,
        data,
        binary_data,
    })
}
