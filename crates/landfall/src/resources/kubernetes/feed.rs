//! What of an API server is followed, and what is reported of it.

use std::collections::BTreeSet;
use std::fmt;

use kube::{Api, Client};
use landfall_core::refresh::Progress;
use landfall_core::resource::{Kind, ResourceKey};
use serde::de::DeserializeOwned;
use tokio::sync::mpsc;

use super::failure::Failure;
use super::object::{Object, Read, api_resource};

/// What is followed.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Feed {
    /// All objects of a kind, in one namespace or in all.
    Kind { kind: Kind, namespace: Option<String> },
    /// One Secret.
    Secret { namespace: String, name: String },
}

/// What happened.
#[derive(Debug)]
pub(super) enum Report {
    /// This is everything there is.
    Listed(Vec<Read>),
    /// These are there, as they were reported before, and no others.
    Remaining(BTreeSet<ResourceKey>),
    /// One object is new or another one now.
    Changed(Box<Read>),
    /// One object is the one it was, and says this of refreshes.
    Progressed(ResourceKey, Progress),
    /// One object is no more.
    Gone(ResourceKey),
    /// The Secrets of a configuration were read, because somebody asks by this token for it to be refreshed.
    SecretsRead(ResourceKey, String),
    /// Nobody can tell at the moment; what was reported before may be out of date.
    Trouble(Failure),
    /// It goes on where it was.
    Well,
}

/// Where reports go.
pub(super) type Reports = mpsc::Sender<(Feed, Report)>;

impl Feed {
    /// The kind of its objects.
    pub(super) fn kind(&self) -> Kind {
        match self {
            Self::Kind { kind, .. } => *kind,
            Self::Secret { .. } => Kind::Secret,
        }
    }

    /// Whether an object of this name is one of its objects.
    pub(super) fn tells_of(&self, key: &ResourceKey) -> bool {
        let is_its_namespace = |namespace: &String| key.namespace.as_ref() == Some(namespace);
        key.kind == self.kind()
            && match self {
                Self::Kind { namespace, .. } => namespace.as_ref().is_none_or(is_its_namespace),
                Self::Secret { namespace, name } => is_its_namespace(namespace) && key.name == *name,
            }
    }

    /// Whether it tells who subscribes to what, and nothing that is needed to take a delivery.
    pub(super) fn is_of_subscribers(&self) -> bool {
        matches!(self.kind(), Kind::Warehouse | Kind::Promotion)
    }

    pub(super) fn api<S>(&self, client: Client) -> Api<Object<S>>
    where
        S: Clone + DeserializeOwned,
    {
        let resource = api_resource(self.kind());
        match self {
            Self::Kind { namespace: None, .. } => Api::all_with(client, &resource),
            Self::Kind {
                namespace: Some(namespace),
                ..
            }
            | Self::Secret { namespace, .. } => Api::namespaced_with(client, namespace, &resource),
        }
    }
}

impl fmt::Display for Feed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Kind { kind, namespace: None } => write!(f, "{kind}s"),
            Self::Kind {
                kind,
                namespace: Some(namespace),
            } => write!(f, "{kind}s in {namespace}"),
            Self::Secret { namespace, name } => write!(f, "Secret {namespace}/{name}"),
        }
    }
}
