//! Reads what an object says of refreshes: its annotations, and its status as far as it tells of looks. What was found there is
//! large, and not read.

use kube::Resource as _;
use landfall_core::refresh::{HINTS_ANNOTATION, Progress};
use landfall_core::resource::REFRESH_ANNOTATION;
use serde::Deserialize;
use serde_json::value::RawValue;

use super::object::{Object, Status};

/// The label that says which controller serves a Warehouse, where its spec does not.
const SHARD_LABEL: &str = "kargo.akuity.io/shard";

/// A Warehouse's status as far as it says what was looked at when.
#[derive(Clone, Debug, Default)]
pub(super) struct Refreshes(Said);

/// One that says anything else than a status does says nothing of refreshes: that is this Warehouse's problem, and not the watch's.
impl<'de> Deserialize<'de> for Refreshes {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = Box::<RawValue>::deserialize(deserializer)?;
        Ok(Self(serde_json::from_str(text.get()).unwrap_or_default()))
    }
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Said {
    last_handled_refresh: Option<String>,
    observed_generation: Option<i64>,
    discovered_artifacts: Option<Discovered>,
    conditions: Option<Vec<Condition>>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Discovered {
    discovered_at: Option<String>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
struct Condition {
    #[serde(rename = "type")]
    condition_type: String,
    status: String,
}

/// A spec as far as it says which controller is to serve it.
#[derive(Default, Deserialize)]
#[serde(default)]
struct Sharded {
    shard: Option<String>,
}

impl Status for Refreshes {
    fn refreshes(status: Option<&Self>) -> Option<Refreshes> {
        Some(status.cloned().unwrap_or_default())
    }
}

/// What an object says of refreshes, where its status is read as far as that.
pub(super) fn progress<S: Status>(object: &Object<S>) -> Option<Progress> {
    let Refreshes(Said {
        last_handled_refresh,
        observed_generation,
        discovered_artifacts,
        conditions,
    }) = S::refreshes(object.status.as_ref())?;
    let metadata = object.meta();
    let annotations = metadata.annotations.as_ref();
    let annotation = |name| annotations.and_then(|all| all.get(name)).cloned();
    let spec = object.spec.as_ref().map(|spec| serde_json::from_str(spec.get()));
    let Sharded { shard } = spec.and_then(Result::ok).unwrap_or_default();
    let label = metadata.labels.as_ref().and_then(|labels| labels.get(SHARD_LABEL));
    let is_named = |shard: &String| !shard.is_empty();
    Some(Progress {
        uid: metadata.uid.clone().unwrap_or_default(),
        shard: shard.filter(is_named).or_else(|| label.cloned().filter(is_named)),
        generation: metadata.generation.unwrap_or_default(),
        is_annotated: annotations.is_some_and(|all| !all.is_empty()),
        token: annotation(REFRESH_ANNOTATION),
        hints: annotation(HINTS_ANNOTATION),
        handled: last_handled_refresh.unwrap_or_default(),
        observed_generation: observed_generation.unwrap_or_default(),
        discovered_at: discovered_artifacts
            .and_then(|artifacts| artifacts.discovered_at)
            .and_then(|text| text.parse().ok()),
        is_unfinished: conditions
            .unwrap_or_default()
            .iter()
            .any(|condition| condition.condition_type == "Reconciling" && condition.status == "True"),
    })
}
