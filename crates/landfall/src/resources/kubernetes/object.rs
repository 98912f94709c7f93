//! Reads what an API server sends into resources, with as little of each object as we need. An object that cannot be read is
//! a value, not an error: it must not stop the others.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::Arc;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use kube::Resource as _;
use kube::core::{ApiResource, DynamicResourceScope};
use landfall_core::resource::{Kind, Parsed, REFRESH_ANNOTATION, Resource, ResourceKey};
use serde::Deserialize;
use serde_json::{Map, Value};

use crate::resources::{Loaded, Origin, Problem, ProblemKind};

/// An object of any kind. `S` is what is made of its status, which may be nothing: those of Warehouses are large.
#[derive(Clone, Deserialize)]
pub(super) struct Object<S> {
    #[serde(default)]
    pub metadata: ObjectMeta,
    #[serde(default)]
    spec: Option<Value>,
    #[serde(default)]
    data: Option<Value>,
    #[serde(default, rename = "type")]
    secret_type: Option<Value>,
    #[serde(default = "none")]
    pub status: Option<S>,
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
pub(super) fn read<S: Into<Value>>(kind: Kind, object: Object<S>) -> Read {
    let key = key(kind, &object);
    let what: Arc<str> = key.to_string().into();
    let problem = |message: String, kind| Problem {
        origin: Origin::ApiServer { what: what.clone() },
        message,
        kind,
    };
    let manifest = manifest(kind, object);
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
            key,
        },
        Parsed::Invalid(invalid) => Read {
            problems: vec![problem(
                format!("{} {}", invalid.path, invalid.problem),
                ProblemKind::Error,
            )],
            outcome: Outcome::Unusable,
            key,
        },
        Parsed::UnknownKind { .. } => Read {
            problems: vec![problem(
                "is of a kind that nobody asked for".to_owned(),
                ProblemKind::Error,
            )],
            outcome: Outcome::Unusable,
            key,
        },
    }
}

/// What is kept of a resource. Of Promotions there are many, and only those that wait for a pull request matter; how far they
/// have come changes all the time, and only what they wait for matters.
fn essence(resource: Resource) -> Option<Resource> {
    let Resource::Promotion(mut promotion) = resource else {
        return Some(resource);
    };
    let awaited: BTreeSet<String> = promotion.awaited_pull_requests().map(str::to_owned).collect();
    promotion.pull_requests.retain(|_, url| awaited.contains(url));
    promotion.steps.truncate(promotion.current_step.saturating_add(1));
    let known = &promotion.pull_requests;
    promotion.steps.retain(|step| known.contains_key(&step.alias));
    promotion.current_step = promotion.steps.len();
    (!awaited.is_empty()).then_some(Resource::Promotion(promotion))
}

/// The object as a manifest, without what changes all the time and what nobody here reads.
fn manifest<S: Into<Value>>(kind: Kind, object: Object<S>) -> Value {
    let Object {
        metadata,
        spec,
        data,
        secret_type,
        status,
    } = object;
    let mut fields = Map::new();
    fields.insert("name".to_owned(), metadata.name.into());
    let optional = [
        ("namespace", metadata.namespace.map(Value::from)),
        ("labels", metadata.labels.map(texts)),
        (
            "annotations",
            metadata.annotations.map(|all| texts(relevant(kind, all))),
        ),
        ("generation", metadata.generation.map(Value::from)),
        ("uid", metadata.uid.map(Value::from)),
    ];
    let present = |(name, value): (&str, Option<Value>)| Some((name.to_owned(), value?));
    fields.extend(optional.into_iter().filter_map(present));
    let mut manifest = Map::new();
    manifest.insert("apiVersion".to_owned(), kind.api_version().into());
    manifest.insert("kind".to_owned(), kind.as_str().into());
    manifest.insert("metadata".to_owned(), Value::Object(fields));
    let status = status.map(Into::into);
    let optional = [
        ("spec", spec),
        ("data", data),
        ("type", secret_type),
        ("status", status),
    ];
    manifest.extend(optional.into_iter().filter_map(present));
    Value::Object(manifest)
}

/// Which annotations are kept. Of a configuration, whoever changes the annotation wants an answer. That of a Warehouse we write ourselves, and whoever
/// discovers for it answers.
fn relevant(kind: Kind, mut annotations: BTreeMap<String, String>) -> BTreeMap<String, String> {
    match kind {
        Kind::ProjectConfig | Kind::ClusterConfig => annotations.retain(|name, _| name == REFRESH_ANNOTATION),
        Kind::Warehouse | Kind::Promotion | Kind::Secret | Kind::ConfigMap => annotations.clear(),
    }
    annotations
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

/// A status that nobody reads.
#[derive(Clone, Copy, Debug)]
pub(super) struct Unread;

impl<'de> Deserialize<'de> for Unread {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        serde::de::IgnoredAny::deserialize(deserializer).map(|_| Self)
    }
}

impl From<Unread> for Value {
    fn from(_: Unread) -> Self {
        Self::Null
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn warehouse(extra: Value) -> Object<Unread> {
        let mut object = json!({
            "apiVersion": "kargo.akuity.io/v1alpha1",
            "kind": "Warehouse",
            "metadata": {
                "name": "api",
                "namespace": "shop",
                "uid": "1",
                "resourceVersion": "17",
                "generation": 2,
                "labels": { "team": "a" },
                "annotations": { REFRESH_ANNOTATION: "now", "kubectl.kubernetes.io/last-applied-configuration": "{}" },
                "managedFields": [{ "manager": "kubectl", "operation": "Apply" }],
            },
            "spec": { "interval": "5m0s", "subscriptions": [{ "image": { "repoURL": "shop/api" } }] },
        });
        let fields = object.as_object_mut().unwrap();
        fields.extend(extra.as_object().unwrap().clone());
        serde_json::from_value(object).unwrap()
    }

    fn usable(read: Read) -> Arc<Loaded> {
        match read.outcome {
            Outcome::Usable(loaded) => loaded,
            other => panic!("{other:?} of {}", read.key),
        }
    }

    fn promotion(phase: &str, step: u8) -> Read {
        let object = json!({
            "metadata": { "name": "test.01j", "namespace": "shop" },
            "spec": { "stage": "test", "steps": [
                { "uses": "git-wait-for-pr", "as": "wait" },
                { "uses": "argocd-update", "as": "sync", "config": { "apps": [{ "name": "shop" }] } },
            ] },
            "status": {
                "phase": phase,
                "currentStep": step,
                "freight": { "name": "f00" },
                "state": { "wait": { "pr": { "url": "https://git.example.com/pulls/7" } }, "sync": { "n": step } },
            },
        });
        read(
            Kind::Promotion,
            serde_json::from_value::<Object<Value>>(object).unwrap(),
        )
    }

    #[test]
    fn of_promotions_those_are_kept_that_wait_and_only_what_they_wait_for() {
        assert_eq!(promotion("Pending", 0).outcome, Outcome::Idle);
        assert_eq!(promotion("Succeeded", 1).outcome, Outcome::Idle);
        let waiting = usable(promotion("Running", 0));
        assert_eq!(waiting, usable(promotion("Running", 1)));
        let Resource::Promotion(promotion) = &waiting.resource else {
            panic!("{waiting:?} is no Promotion");
        };
        let awaited: Vec<&str> = promotion.awaited_pull_requests().collect();
        assert_eq!(awaited, ["https://git.example.com/pulls/7"]);
    }

    #[test]
    fn a_refresh_and_a_status_make_no_other_warehouse() {
        let plain = read(Kind::Warehouse, warehouse(json!({})));
        let discovered = read(
            Kind::Warehouse,
            warehouse(json!({ "status": { "lastHandledRefresh": "now" } })),
        );
        assert_eq!(plain.outcome, discovered.outcome);
        assert_eq!(plain.problems, []);
        let loaded = usable(plain);
        assert_eq!(loaded.origin.to_string(), "Warehouse shop/api");
        assert_eq!(loaded.manifest, Value::Null);
        assert_eq!(loaded.resource.metadata().annotations, BTreeMap::new());
        assert_eq!(loaded.resource.metadata().generation, Some(2));
    }

    #[test]
    fn what_cannot_be_read_is_named() {
        let read = read(Kind::Warehouse, warehouse(json!({ "spec": { "interval": 5 } })));
        assert_eq!(read.outcome, Outcome::Unusable);
        let said: Vec<String> = read.problems.iter().map(ToString::to_string).collect();
        assert_eq!(said.len(), 1, "{said:?}");
        assert!(said[0].starts_with("Warehouse shop/api: spec.interval "), "{said:?}");
    }

    #[test]
    fn a_secret_is_not_printed() {
        let secret: Object<Unread> = serde_json::from_value(json!({
            "metadata": { "name": "hook", "namespace": "shop" },
            "data": { "secret": "czNjcmV0" },
        }))
        .unwrap();
        assert_eq!(format!("{secret:?}"), "Object(Some(\"hook\"))");
        let loaded = usable(read(Kind::Secret, secret));
        let Resource::Secret(secret) = &loaded.resource else {
            panic!("{loaded:?} is no Secret");
        };
        assert_eq!(secret.data["secret"].expose(), b"s3cret");
        assert!(!format!("{loaded:?}").contains("s3cret"), "{loaded:?}");
    }
}
