//! Reads a `Warehouse`: when to look, and at what; it must not know how anything is looked up.

use std::time::Duration;

use serde_json::Value;

use super::fields::{FieldError, Fields, Place, Warning};
use super::metadata::Metadata;
use super::subscription::{self, SubscriptionSpec};
use crate::go::duration::{is_interval, parse_duration};

/// The shortest time between two looks that no event asked for. `0s` is well-formed, and must not mean all the time.
pub const LEAST_INTERVAL: Duration = Duration::from_secs(1);

/// The interval of a Warehouse that gives none.
pub const DEFAULT_INTERVAL: &str = "5m0s";

/// What to subscribe to, and how often to look without being told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Warehouse {
    /// Its identity, labels and annotations.
    pub metadata: Metadata,
    /// `spec.interval`: the time between two looks that no event asked for.
    pub interval: Interval,
    /// `spec.freightCreationPolicy`.
    pub freight_creation_policy: FreightCreationPolicy,
    /// `spec.freightCreationCriteria.expression` as given; it is not compiled here.
    pub freight_creation_criteria: Option<String>,
    /// `spec.shard`: the controller that is to serve it; `None` is the default one.
    pub shard: Option<String>,
    /// `spec.subscriptions`, at least one, in the order of the file.
    pub subscriptions: Vec<SubscriptionSpec>,
}

/// A duration and the text that it was given as, which a status shows unchanged.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Interval {
    /// In Go's notation: `5m0s`, `1.5h`.
    pub text: String,
    /// What the text means, and at least a second.
    pub duration: Duration,
}

/// Whether new artifacts become Freight by themselves.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum FreightCreationPolicy {
    /// Each new artifact becomes Freight.
    #[default]
    Automatic,
    /// Only people make Freight.
    Manual,
}

/// Reads everything but the metadata, which the caller has read.
pub(super) fn read(value: &Value, metadata: Metadata, warnings: &mut Vec<Warning>) -> Result<Warehouse, FieldError> {
    let mut fields = Fields::of(value, &Place::ROOT)?;
    fields.ignore(&["apiVersion", "kind", "metadata", "status"]);
    let place = Place::ROOT.key("spec");
    let Some(spec) = fields.value("spec") else {
        return Err(place.error("is missing"));
    };
    fields.finish(warnings);

    let mut fields = Fields::of(spec, &place)?;
    let warehouse = Warehouse {
        metadata,
        interval: read_interval(&mut fields)?,
        freight_creation_policy: read_policy(&mut fields)?,
        freight_creation_criteria: read_criteria(&mut fields, warnings)?,
        shard: fields.optional_text("shard")?.filter(|shard| !shard.is_empty()),
        subscriptions: subscription::read_all(&mut fields, warnings)?,
    };
    fields.finish(warnings);
    Ok(warehouse)
}

fn read_interval(fields: &mut Fields<'_>) -> Result<Interval, FieldError> {
    let text = fields.text_or("interval", DEFAULT_INTERVAL)?;
    if !is_interval(&text) {
        return Err(fields.error(
            "interval",
            "must be a duration in hours, minutes and seconds, such as 5m0s or 1.5h",
        ));
    }
    let nanos = parse_duration(&text).ok().and_then(|nanos| u64::try_from(nanos).ok());
    match nanos {
        Some(nanos) => Ok(Interval {
            text,
            duration: Duration::from_nanos(nanos).max(LEAST_INTERVAL),
        }),
        None => Err(fields.error("interval", "is too long: it must be below 2562047h")),
    }
}

fn read_policy(fields: &mut Fields<'_>) -> Result<FreightCreationPolicy, FieldError> {
    match fields.text("freightCreationPolicy")?.as_str() {
        "" | "Automatic" => Ok(FreightCreationPolicy::Automatic),
        "Manual" => Ok(FreightCreationPolicy::Manual),
        _ => Err(fields.error("freightCreationPolicy", "must be Automatic or Manual")),
    }
}

fn read_criteria(fields: &mut Fields<'_>, warnings: &mut Vec<Warning>) -> Result<Option<String>, FieldError> {
    let Some(criteria) = fields.value("freightCreationCriteria") else {
        return Ok(None);
    };
    let place = fields.place().key("freightCreationCriteria");
    let mut fields = Fields::of(criteria, &place)?;
    let expression = fields
        .optional_text("expression")?
        .filter(|expression| !expression.is_empty());
    fields.finish(warnings);
    Ok(expression)
}
