//! Reads a `Secret` into bytes that cannot be printed; it must not know what they open.

use std::collections::BTreeMap;

use serde_json::Value;

use super::base64;
use super::fields::{FieldError, Fields, Place, Warning};
use super::metadata::Metadata;
use crate::secret::SecretBytes;

/// The label that says what a `Secret` gives access to: `git`, `helm`, `image` or `generic`.
pub const CREDENTIAL_TYPE_LABEL: &str = "kargo.akuity.io/cred-type";

/// A core `v1` `Secret`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Secret {
    /// Its identity, labels and annotations.
    pub metadata: Metadata,
    /// `type`, by default `Opaque`.
    pub secret_type: String,
    /// The decoded values by key: `data`, over which `stringData` wins.
    pub data: BTreeMap<String, SecretBytes>,
}

impl Secret {
    /// The value of the label [`CREDENTIAL_TYPE_LABEL`].
    pub fn credential_type(&self) -> Option<&str> {
        self.metadata.labels.get(CREDENTIAL_TYPE_LABEL).map(String::as_str)
    }
}

/// Reads everything but the metadata, which the caller has read.
pub(super) fn read(value: &Value, metadata: Metadata, warnings: &mut Vec<Warning>) -> Result<Secret, FieldError> {
    let mut fields = Fields::of(value, &Place::ROOT)?;
    fields.ignore(&["apiVersion", "kind", "metadata", "immutable", "status"]);
    let secret_type = fields.text_or("type", "Opaque")?;
    let place = Place::ROOT.key("data");
    let mut data = BTreeMap::new();
    for (key, text) in fields.text_map("data")? {
        let bytes = base64::decode(&text).map_err(|error| place.key(&key).error(error.to_string()))?;
        data.insert(key, SecretBytes::new(bytes));
    }
    for (key, text) in fields.text_map("stringData")? {
        data.insert(key, SecretBytes::new(text.into_bytes()));
    }
    fields.finish(warnings);
    Ok(Secret {
        metadata,
        secret_type,
        data,
    })
}
