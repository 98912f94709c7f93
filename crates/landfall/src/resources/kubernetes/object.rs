//! Reads what an API server sends into resources, with as little of each object as we need. An object that cannot be read is
//! a value, not an error: it must not stop the others.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::hash::Hash;
use std::sync::Arc;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use kube::Resource as _;
use kube::core::{ApiResource, DynamicResourceScope};
use landfall_core::refresh::Progress;
use landfall_core::resource::{Kind, Parsed, REFRESH_ANNOTATION, Resource, ResourceKey};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::value::RawValue;
use serde_json::{Map, Value};

use super::refreshes::{Refreshes, progress};
use crate::resources::{Loaded, Origin, Problem, ProblemKind};

/// An object of any kind. `S` is what is made of its status, which may be nothing: those of Warehouses are large. What it says
/// apart from that stays a text until somebody wants to know: mostly an object comes again as it was.
#[derive(Clone, Deserialize)]
pub(super) struct Object<S> {
    #[serde(default, deserialize_with = "without_history")]
    pub metadata: ObjectMeta,
    #[serde(default)]
    pub spec: Option<Box<RawValue>>,
    #[serde(default)]
    data: Option<Box<RawValue>>,
    #[serde(default, rename = "type")]
    secret_type: Option<Box<RawValue>>,
    #[serde(default = "none")]
    pub status: Option<S>,
}

/// What is read of an object's metadata. Who has changed which field, which is most of them, is not even made a value of.
fn without_history<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<ObjectMeta, D::Error> {
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Metadata {
        name: Option<String>,
        namespace: Option<String>,
        labels: Option<BTreeMap<String, String>>,
        annotations: Option<BTreeMap<String, String>>,
        generation: Option<i64>,
        uid: Option<String>,
        resource_version: Option<String>,
    }
    let read = Metadata::deserialize(deserializer)?;
    Ok(ObjectMeta {
        name: read.name,
        namespace: read.namespace,
        labels: read.labels,
        annotations: read.annotations,
        generation: read.generation,
        uid: read.uid,
        resource_version: read.resource_version,
        ..ObjectMeta::default()
    })
}

fn none<S>() -> Option<S> {
    None
}

/// It may be a Secret.
impl<S> fmt::Debug for Object<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Object({:?})", self.metadata.name)
    }
}

impl<S> kube::Resource for Object<S> {
    type DynamicType = ApiResource;
    type Scope = DynamicResourceScope;

    fn kind(of: &ApiResource) -> Cow<'_, str> {
        of.kind.as_str().into()
    }

    fn group(of: &ApiResource) -> Cow<'_, str> {
        of.group.as_str().into()
    }

    fn version(of: &ApiResource) -> Cow<'_, str> {
        of.version.as_str().into()
    }

    fn plural(of: &ApiResource) -> Cow<'_, str> {
        of.plural.as_str().into()
    }

    fn meta(&self) -> &ObjectMeta {
        &self.metadata
    }

    fn meta_mut(&mut self) -> &mut ObjectMeta {
        &mut self.metadata
    }
}

/// The kind, as the API server addresses it.
pub(super) fn api_resource(kind: Kind) -> ApiResource {
    let api_version = kind.api_version().to_owned();
    let (group, version) = api_version.split_once('/').unwrap_or(("", &api_version));
    ApiResource {
        group: group.to_owned(),
        version: version.to_owned(),
        kind: kind.as_str().to_owned(),
        plural: format!("{}s", kind.as_str().to_lowercase()),
        api_version,
    }
}

/// What became of an object.
#[derive(Debug)]
pub(super) struct Read {
    pub key: ResourceKey,
    pub outcome: Outcome,
    /// What it says of refreshes, where that is read.
    pub progress: Option<Progress>,
    /// What is wrong with it, or odd about it.
    pub problems: Vec<Problem>,
}

/// What an object is to us.
#[derive(Debug, PartialEq)]
pub(super) enum Outcome {
    /// A resource.
    Usable(Arc<Loaded>),
    /// Nothing that can be used.
    Unusable,
    /// Nothing of interest at the moment.
    Idle,
}

/// The identity of an object of `kind`.
pub(super) fn key<S>(kind: Kind, object: &Object<S>) -> ResourceKey {
    ResourceKey {
        kind,
        namespace: object.meta().namespace.clone(),
        name: object.meta().name.clone().unwrap_or_default(),
    }
}

/// Reads an object of `kind`.
pub(super) fn read<S: Status>(kind: Kind, object: Object<S>) -> Read {
    let key = key(kind, &object);
    let progress = progress(&object);
    let what: Arc<str> = key.to_string().into();
    let problem = |message: String, kind| Problem {
        origin: Origin::ApiServer { what: what.clone() },
        message,
        kind,
    };
    let unusable = |message: String| Read {
        key: key.clone(),
        progress: progress.clone(),
        problems: vec![problem(message, ProblemKind::Error)],
        outcome: Outcome::Unusable,
    };
    let manifest = match manifest(kind, object) {
        Ok(manifest) => manifest,
        Err(error) => return unusable(format!("cannot be read: {error}")),
    };
    match Resource::from_value(&manifest) {
        Parsed::Known(resource, warnings) => Read {
            problems: warnings
                .iter()
                .map(|warning| problem(warning.to_string(), ProblemKind::Warning))
                .collect(),
            outcome: match essence(*resource) {
                None => Outcome::Idle,
                Some(resource) => Outcome::Usable(Arc::new(Loaded {
                    resource,
                    origin: Origin::ApiServer { what: what.clone() },
                    manifest: shown(kind, manifest),
                })),
            },
            key: key.clone(),
            progress,
        },
        Parsed::Invalid(invalid) => unusable(format!("{} {}", invalid.path, invalid.problem)),
        Parsed::UnknownKind { .. } => unusable("is of a kind that nobody asked for".to_owned()),
    }
}

/// What is kept of a resource. Of Promotions there are many, and only those that are not over matter; how far they have come changes
/// all the time, and only what they wait for matters.
fn essence(resource: Resource) -> Option<Resource> {
    let Resource::Promotion(mut promotion) = resource else {
        return Some(resource);
    };
    if promotion.is_over() {
        return None;
    }
    let awaited: BTreeSet<String> = promotion.awaited_pull_requests().map(str::to_owned).collect();
    promotion.pull_requests.retain(|_, url| awaited.contains(url));
    promotion.steps.truncate(promotion.current_step.saturating_add(1));
    let known = &promotion.pull_requests;
    promotion.steps.retain(|step| known.contains_key(&step.alias));
    promotion.current_step = promotion.steps.len();
    if awaited.is_empty() {
        promotion.phase.clear();
    }
    Some(Resource::Promotion(promotion))
}

/// The object as a manifest, without what changes all the time and what nobody here reads. The error shows no value.
fn manifest<S: Status>(kind: Kind, object: Object<S>) -> serde_json::Result<Value> {
    let Object {
        metadata,
        spec,
        data,
        secret_type,
        status,
    } = object;
    let mut fields = Map::new();
    fields.insert("name".to_owned(), metadata.name.into());
    let relevant = |mut all: BTreeMap<String, String>| {
        all.retain(|name, _| is_relevant(kind, name));
        texts(all)
    };
    let optional = [
        ("namespace", metadata.namespace.map(Value::from)),
        ("labels", metadata.labels.map(texts)),
        ("annotations", metadata.annotations.map(relevant)),
        ("generation", metadata.generation.map(Value::from)),
        ("uid", metadata.uid.map(Value::from)),
    ];
    let present = |(name, value): (&str, Option<Value>)| Some((name.to_owned(), value?));
    fields.extend(optional.into_iter().filter_map(present));
    let mut manifest = Map::new();
    manifest.insert("apiVersion".to_owned(), kind.api_version().into());
    manifest.insert("kind".to_owned(), kind.as_str().into());
    manifest.insert("metadata".to_owned(), Value::Object(fields));
    let value = |text: Option<Box<RawValue>>| text.map(|text| serde_json::from_str(text.get())).transpose();
    let optional = [
        ("spec", value(spec)?),
        ("data", value(data)?),
        ("type", value(secret_type)?),
        ("status", status.map(S::shown).transpose()?.flatten()),
    ];
    manifest.extend(optional.into_iter().filter_map(present));
    Ok(Value::Object(manifest))
}

/// Whether an annotation is kept. Of a configuration, whoever changes the annotation wants an answer. That of a Warehouse we write
/// ourselves, and whoever discovers for it answers.
fn is_relevant(kind: Kind, annotation: &str) -> bool {
    match kind {
        Kind::ProjectConfig | Kind::ClusterConfig => annotation == REFRESH_ANNOTATION,
        Kind::Warehouse | Kind::Promotion | Kind::Secret | Kind::ConfigMap => false,
    }
}

fn texts(texts: BTreeMap<String, String>) -> Value {
    texts
        .into_iter()
        .map(|(name, value)| (name, Value::from(value)))
        .collect()
}

/// What is kept to be shown: of configurations all, of others nothing, which `kubectl` shows better.
fn shown(kind: Kind, manifest: Value) -> Value {
    match kind {
        Kind::ProjectConfig | Kind::ClusterConfig => manifest,
        Kind::Warehouse | Kind::Promotion | Kind::Secret | Kind::ConfigMap => Value::Null,
    }
}

/// Everything that an object of `kind` is read from, apart from its status: where it is the same, so is what is made of it.
pub(super) fn read_from<S>(kind: Kind, object: &Object<S>) -> impl Hash {
    let metadata = &object.metadata;
    let annotations = metadata.annotations.iter().flatten();
    let relevant: Vec<_> = annotations.filter(|(name, _)| is_relevant(kind, name)).collect();
    let [spec, data, secret_type] =
        [&object.spec, &object.data, &object.secret_type].map(|text| text.as_ref().map(|text| text.get()));
    (
        (&metadata.uid, metadata.generation, &metadata.labels, relevant),
        (spec, data, secret_type),
    )
}

/// What tells by metadata alone that an object of which nothing else in its metadata counts is as it was: the API server counts the
/// changes of its spec. Nothing where it does not.
pub(super) fn generation<S>(object: &Object<S>) -> Option<impl Hash> {
    let metadata = &object.metadata;
    Some((&metadata.uid, metadata.generation?, &metadata.labels))
}

/// What is made of a status when an object is read. None of it may fail while an object is told apart from the next: then all
/// others would be lost with it.
pub(super) trait Status: Clone + DeserializeOwned + Send + 'static {
    /// What a resource is read from, as far as a status matters to it.
    fn shown(self) -> serde_json::Result<Option<Value>> {
        Ok(None)
    }

    /// What it says of refreshes, where that is read; of an object without a status as well.
    fn refreshes(_status: Option<&Self>) -> Option<Refreshes> {
        None
    }
}

/// A status that matters as a whole.
#[derive(Clone, Deserialize)]
#[serde(transparent)]
pub(super) struct Whole(Box<RawValue>);

impl Status for Whole {
    fn shown(self) -> serde_json::Result<Option<Value>> {
        serde_json::from_str(self.0.get()).map(Some)
    }
}

impl Status for Unread {}

/// A status that nobody reads.
#[derive(Clone, Copy, Debug)]
pub(super) struct Unread;

impl<'de> Deserialize<'de> for Unread {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        serde::de::IgnoredAny::deserialize(deserializer).map(|_| Self)
    }
}

#[cfg(test)]
mod tests;
