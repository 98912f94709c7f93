//! Reads a `ClusterConfig`, of which landfall needs the receivers; it must not know what serves them.

use serde_json::Value;

use super::fields::{FieldError, Fields, Place, Warning};
use super::metadata::Metadata;
use super::project_config::{ReceiverSpec, read_receivers};

/// The one `ClusterConfig`, whose receivers reach every project.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClusterConfig {
    /// Its name is always `cluster`, and it has no namespace.
    pub metadata: Metadata,
    /// `spec.webhookReceivers`, in the order of the file.
    pub webhook_receivers: Vec<ReceiverSpec>,
}

/// Reads everything but the metadata, which the caller has read.
pub(super) fn read(
    value: &Value,
    metadata: Metadata,
    warnings: &mut Vec<Warning>,
) -> Result<ClusterConfig, FieldError> {
    let mut fields = Fields::of(value, &Place::ROOT)?;
    fields.ignore(&["apiVersion", "kind", "metadata", "status"]);
    let place = Place::ROOT.key("spec");
    let webhook_receivers = match fields.value("spec") {
        None => Vec::new(),
        Some(spec) => {
            let mut fields = Fields::of(spec, &place)?;
            fields.ignore(&["freightLinks", "gitClient", "promotionWindows", "stageLinks"]);
            let receivers = read_receivers(&mut fields, warnings)?;
            fields.finish(warnings);
            receivers
        }
    };
    fields.finish(warnings);
    Ok(ClusterConfig {
        metadata,
        webhook_receivers,
    })
}
