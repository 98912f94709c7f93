//! Where resources come from: a folder of manifests, or an API server. What is asked of either is the same, a snapshot that
//! is kept current; it must not know what is done with it.

pub mod kubernetes;
pub mod manifests;

use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use landfall_core::resource::{Resource, ResourceKey};
use serde_json::Value;
use tokio::sync::watch;

use kubernetes::ApiServer;
use manifests::Position;

/// The place that resources come from.
#[derive(Clone, Debug)]
pub enum Place {
    /// A folder of manifests.
    Manifests(PathBuf),
    /// An API server.
    Kubernetes(kubernetes::Options),
}

/// Resources that are followed from now on.
pub struct Resources {
    /// What the place says; it changes whenever something that matters does.
    pub snapshot: watch::Receiver<Arc<Snapshot>>,
    /// The place, where it is an API server.
    pub api_server: Option<ApiServer>,
}

/// What a place says at one moment.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Snapshot {
    /// The resources in force, among them the last good state of what is broken now. A resource that did not change is the same
    /// `Arc` from one snapshot to the next.
    pub resources: Arc<BTreeMap<ResourceKey, Arc<Loaded>>>,
    /// What is wrong in the place, in its order.
    pub problems: Vec<Problem>,
    /// Resources of which nobody can tell at the moment what they say, or whether they exist, and why. Whatever was known of
    /// them before is still among the resources.
    pub unreadable: BTreeMap<ResourceKey, String>,
    /// What was read at least once. Before that, what is not here may exist all the same.
    pub known: Known,
    /// Whether this process may not know who subscribes to what, and never did.
    pub is_withheld: bool,
    /// Whether there may be receivers that were never told: whether a path is one, nobody can tell then.
    pub hides_receivers: bool,
    /// Whether there may be Promotions that were never told.
    pub hides_promotions: bool,
}

/// How much of what a place has is known, at least as it once was.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Known {
    /// Not even who may post.
    #[default]
    Nothing,
    /// All receivers and their Secrets, which is enough to take deliveries. Who subscribes to what is still being read.
    Receivers,
    /// Who subscribes to what as well.
    Everything,
}

/// A resource and where it was read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Loaded {
    /// The resource.
    pub resource: Resource,
    /// Where it was read.
    pub origin: Origin,
    /// The document as it was written, to be shown again; `null` for what is not shown, or shown better by its API server.
    pub manifest: Value,
}

/// Where something was read.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Origin {
    /// A place in a file. It prints as `shop/api.yaml:12:3`, or as `shop/api.yaml` for the file as a whole.
    File {
        /// The file, below the folder as that was named.
        file: Arc<Path>,
        /// The place in it; `None` is the whole file.
        position: Option<Position>,
    },
    /// Something that an API server has, in words: `Warehouse shop/api`.
    ApiServer {
        /// What it is.
        what: Arc<str>,
    },
}

/// Something that is not as it should be. It prints as `shop/api.yaml:12:3: …`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// Where it is.
    pub origin: Origin,
    /// What is wrong and what stays in force. Never a value.
    pub message: String,
    /// How bad it is.
    pub kind: ProblemKind,
}

/// How bad a problem is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ProblemKind {
    /// Something that the place says is not in force.
    Error,
    /// Everything that could be read is in force, but some of it looks like a mistake.
    Warning,
}

/// Begins to follow a place. In an API server, the Secrets of the `ClusterConfig`'s receivers are in `system_namespace`.
pub async fn open(place: &Place, system_namespace: &str) -> anyhow::Result<Resources> {
    match place {
        Place::Manifests(folder) => Ok(Resources {
            snapshot: manifests::watch(folder)?,
            api_server: None,
        }),
        Place::Kubernetes(options) => {
            let api_server = ApiServer::connect(options).await?;
            Ok(Resources {
                snapshot: api_server.watch(options, system_namespace),
                api_server: Some(api_server),
            })
        }
    }
}

impl Place {
    /// The place in a word or a path, for the log.
    pub fn name(&self) -> String {
        match self {
            Self::Manifests(folder) => folder.display().to_string(),
            Self::Kubernetes(_) => "kubernetes".to_owned(),
        }
    }
}

impl Origin {
    /// The file, where it is in one.
    fn file(&self) -> Option<&Path> {
        match self {
            Self::File { file, .. } => Some(file),
            Self::ApiServer { .. } => None,
        }
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File {
                file,
                position: Some(position),
            } => write!(f, "{}:{}:{}", file.display(), position.line, position.column),
            Self::File { file, position: None } => write!(f, "{}", file.display()),
            Self::ApiServer { what } => f.write_str(what),
        }
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.origin, self.message)
    }
}

/// Logs the problems that were not there before.
fn report(before: &[Problem], now: &[Problem]) {
    let known: std::collections::BTreeSet<_> = before
        .iter()
        .map(|problem| (&problem.origin, &problem.message))
        .collect();
    for problem in now
        .iter()
        .filter(|problem| !known.contains(&(&problem.origin, &problem.message)))
    {
        match problem.kind {
            ProblemKind::Error => tracing::error!("{problem}"),
            ProblemKind::Warning => tracing::warn!("{problem}"),
        }
    }
}
