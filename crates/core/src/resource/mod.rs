//! Decides what a manifest says: the resources that landfall reads, typed as their CRDs type them, with what is wrong in them;
//! it must not know whether they came from a folder or from an API server.

pub mod base64;
mod cluster_config;
mod condition;
mod config_map;
mod fields;
mod generic_action;
mod metadata;
mod path;
mod project_config;
mod promotion;
mod secret;
mod serial;
pub mod status;
mod subscription;
#[cfg(test)]
mod tests;
mod warehouse;

use std::fmt;
use std::sync::Arc;

use serde_json::Value;

pub use cluster_config::ClusterConfig;
pub use config_map::ConfigMap;
pub use fields::{FieldError, Warning};
pub use generic_action::GenericAction;
pub use metadata::{CLUSTER_CONFIG_NAME, DEFAULT_NAMESPACE, Metadata, REFRESH_ANNOTATION};
pub use path::{FieldPath, Step};
pub use project_config::{ProjectConfig, ReceiverKind, ReceiverSpec};
pub use promotion::{Promotion, PromotionStep};
pub use secret::{CREDENTIAL_TYPE_LABEL, Secret};
pub use subscription::{
    ChartSubscription, DEFAULT_DISCOVERY_LIMIT, GitSubscription, ImageSubscription, MAX_DISCOVERY_LIMIT, Source,
    SubscriptionSpec,
};
pub use warehouse::{DEFAULT_INTERVAL, FreightCreationPolicy, Interval, Warehouse};

/// The API version of Kargo's resources.
pub const KARGO_API_VERSION: &str = "kargo.akuity.io/v1alpha1";

/// A kind of resource that landfall reads.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    /// `kargo.akuity.io/v1alpha1` `ProjectConfig`.
    ProjectConfig,
    /// `kargo.akuity.io/v1alpha1` `ClusterConfig`.
    ClusterConfig,
    /// `kargo.akuity.io/v1alpha1` `Warehouse`.
    Warehouse,
    /// `kargo.akuity.io/v1alpha1` `Promotion`.
    Promotion,
    /// `v1` `Secret`.
    Secret,
    /// `v1` `ConfigMap`.
    ConfigMap,
}

impl Kind {
    /// Every kind.
    pub const ALL: [Self; 6] = [
        Self::ProjectConfig,
        Self::ClusterConfig,
        Self::Warehouse,
        Self::Promotion,
        Self::Secret,
        Self::ConfigMap,
    ];

    /// The kind's name, as manifests spell it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::ProjectConfig => "ProjectConfig",
            Self::ClusterConfig => "ClusterConfig",
            Self::Warehouse => "Warehouse",
            Self::Promotion => "Promotion",
            Self::Secret => "Secret",
            Self::ConfigMap => "ConfigMap",
        }
    }

    /// The kind's API version.
    pub fn api_version(self) -> &'static str {
        match self {
            Self::ProjectConfig | Self::ClusterConfig | Self::Warehouse | Self::Promotion => KARGO_API_VERSION,
            Self::Secret | Self::ConfigMap => "v1",
        }
    }

    /// The kind that a manifest names, where it is one of ours.
    pub fn of(api_version: &str, kind: &str) -> Option<Self> {
        Self::ALL
            .into_iter()
            .find(|known| known.as_str() == kind && known.api_version() == api_version)
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// What identifies a resource. It prints as `Warehouse shop/api`, or `ClusterConfig cluster`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ResourceKey {
    /// Its kind.
    pub kind: Kind,
    /// Its namespace; `None` for a `ClusterConfig` alone.
    pub namespace: Option<String>,
    /// Its name.
    pub name: String,
}

impl fmt::Display for ResourceKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.namespace {
            Some(namespace) => write!(f, "{} {namespace}/{}", self.kind, self.name),
            None => write!(f, "{} {}", self.kind, self.name),
        }
    }
}

/// A resource that landfall reads, in order as a whole. Its parts may still be unreadable one by one. It is small itself: nearly all there are
/// are Warehouses, and none should take the room of what it is not.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Resource {
    /// The receivers of one project.
    ProjectConfig(Box<ProjectConfig>),
    /// The receivers of all projects.
    ClusterConfig(Box<ClusterConfig>),
    /// Subscriptions. There may be very many, and whoever needs one later keeps this very one.
    Warehouse(Arc<Warehouse>),
    /// A promotion that may wait for a pull request.
    Promotion(Box<Promotion>),
    /// Secrets and credentials.
    Secret(Box<Secret>),
    /// Settings.
    ConfigMap(Box<ConfigMap>),
}

/// What a manifest turned out to be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Parsed {
    /// A resource, and what is odd about it.
    Known(Box<Resource>, Vec<Warning>),
    /// Nothing of ours; either text is empty where the manifest has none.
    UnknownKind {
        /// `apiVersion`.
        api_version: String,
        /// `kind`.
        kind: String,
    },
    /// One of ours, but not usable.
    Invalid(InvalidResource),
}

/// Why a manifest of a known kind cannot be used. It prints as one sentence without a value in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InvalidResource {
    /// The kind it is of.
    pub kind: Kind,
    /// Its namespace by the rules of its kind, where that much is readable.
    pub namespace: Option<String>,
    /// Its name, where that much is readable.
    pub name: Option<String>,
    /// The field that is wrong: `spec.interval`.
    pub path: FieldPath,
    /// What is wrong with it, as a clause that follows the path.
    pub problem: String,
}

impl InvalidResource {
    /// The identity, where it is readable: by it the last good state is found.
    pub fn key(&self) -> Option<ResourceKey> {
        let name = self.name.clone()?;
        let namespace = self.namespace.clone();
        (namespace.is_some() || self.kind == Kind::ClusterConfig).then_some(ResourceKey {
            kind: self.kind,
            namespace,
            name,
        })
    }
}

impl fmt::Display for InvalidResource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.key() {
            Some(key) => write!(f, "{key}: {} {}", self.path, self.problem),
            None => write!(f, "{}: {} {}", self.kind, self.path, self.problem),
        }
    }
}

impl Resource {
    /// Reads one manifest: the value of one YAML or JSON document.
    pub fn from_value(value: &Value) -> Parsed {
        let text = |key: &str| value.get(key).and_then(Value::as_str).unwrap_or_default();
        let (api_version, kind) = (text("apiVersion"), text("kind"));
        let Some(kind) = Kind::of(api_version, kind) else {
            return Parsed::UnknownKind {
                api_version: api_version.to_owned(),
                kind: kind.to_owned(),
            };
        };
        let mut warnings = Vec::new();
        let metadata = match metadata::read(&value["metadata"], kind, &mut warnings) {
            Ok(metadata) => metadata,
            Err(error) => return Parsed::Invalid(invalid(kind, None, error)),
        };
        let key = metadata.key(kind);
        match Self::read(value, kind, metadata, &mut warnings) {
            Ok(resource) => Parsed::Known(Box::new(resource), warnings),
            Err(error) => Parsed::Invalid(invalid(kind, Some(key), error)),
        }
    }

    fn read(value: &Value, kind: Kind, metadata: Metadata, warnings: &mut Vec<Warning>) -> Result<Self, FieldError> {
        Ok(match kind {
            Kind::ProjectConfig => Self::ProjectConfig(Box::new(project_config::read(value, metadata, warnings)?)),
            Kind::ClusterConfig => Self::ClusterConfig(Box::new(cluster_config::read(value, metadata, warnings)?)),
            Kind::Warehouse => Self::Warehouse(Arc::new(warehouse::read(value, metadata, warnings)?)),
            Kind::Promotion => Self::Promotion(Box::new(promotion::read(value, metadata))),
            Kind::Secret => Self::Secret(Box::new(secret::read(value, metadata, warnings)?)),
            Kind::ConfigMap => Self::ConfigMap(Box::new(config_map::read(value, metadata, warnings)?)),
        })
    }

    /// The kind it is of.
    pub fn kind(&self) -> Kind {
        match self {
            Self::ProjectConfig(_) => Kind::ProjectConfig,
            Self::ClusterConfig(_) => Kind::ClusterConfig,
            Self::Warehouse(_) => Kind::Warehouse,
            Self::Promotion(_) => Kind::Promotion,
            Self::Secret(_) => Kind::Secret,
            Self::ConfigMap(_) => Kind::ConfigMap,
        }
    }

    /// Its metadata.
    pub fn metadata(&self) -> &Metadata {
        match self {
            Self::ProjectConfig(config) => &config.metadata,
            Self::ClusterConfig(config) => &config.metadata,
            Self::Warehouse(warehouse) => &warehouse.metadata,
            Self::Promotion(promotion) => &promotion.metadata,
            Self::Secret(secret) => &secret.metadata,
            Self::ConfigMap(config) => &config.metadata,
        }
    }

    /// Its identity.
    pub fn key(&self) -> ResourceKey {
        self.metadata().key(self.kind())
    }

    /// The value of the annotation [`REFRESH_ANNOTATION`].
    pub fn refresh_token(&self) -> Option<&str> {
        self.metadata().refresh_token()
    }
}

fn invalid(kind: Kind, key: Option<ResourceKey>, error: FieldError) -> InvalidResource {
    let (namespace, name) = key.map_or((None, None), |key| (key.namespace, Some(key.name)));
    InvalidResource {
        kind,
        namespace,
        name,
        path: error.path,
        problem: error.problem,
    }
}
