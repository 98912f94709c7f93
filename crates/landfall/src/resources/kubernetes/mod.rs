//! Brings resources from a Kubernetes API server, keeps them current, and asks for refreshes and writes statuses there. It is
//! the one folder that names the client library, and must not know why something is written.

mod annotator;
mod answer;
mod asked;
mod client;
mod coalesce;
mod credentials;
mod events;
mod failure;
mod feed;
mod follower;
mod held;
mod object;
mod progresses;
mod protobuf;
mod reading;
mod refreshes;
mod reviews;
mod status;
mod watching;

use std::path::PathBuf;
use std::sync::Arc;

use tokio::sync::watch;

pub use annotator::{Annotated, Annotator};
pub use client::ConnectError;
pub use events::Happening;
pub use failure::Failure;
pub use progresses::Progresses;
pub use reviews::Standing;
pub use status::Observed;

use super::Snapshot;

/// Which API server, and what of it.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// The file that says where it is; without one, the environment and the pod's service account say so.
    pub kubeconfig: Option<PathBuf>,
    /// The namespaces to look at; empty for all.
    pub namespaces: Vec<String>,
    /// Whether somebody here serves Warehouses: then it is read what they say of refreshes, and told what a refresh points at.
    pub serves_warehouses: bool,
}

/// A connection to an API server; cheap to clone.
#[derive(Clone)]
pub struct ApiServer {
    client: kube::Client,
    /// What this process is called among its like.
    instance: Arc<str>,
    /// What Warehouses say of refreshes, where somebody here serves them.
    progresses: Option<Arc<Progresses>>,
}

impl ApiServer {
    /// Finds out where the API server is. Whether it answers shows later.
    pub async fn connect(options: &Options) -> Result<Self, ConnectError> {
        let client = client::open(options.kubeconfig.as_deref()).await?;
        let instance = events::instance().into();
        let progresses = options.serves_warehouses.then(Arc::default);
        Ok(Self {
            client,
            instance,
            progresses,
        })
    }

    /// Follows its resources from now on. The first snapshot is empty and incomplete. The Secrets of the `ClusterConfig`'s
    /// receivers are in `system_namespace`.
    pub fn watch(&self, options: &Options, system_namespace: &str) -> watch::Receiver<Arc<Snapshot>> {
        follower::start(
            self.client.clone(),
            options.namespaces.clone(),
            system_namespace.to_owned(),
            self.progresses.clone(),
        )
    }

    /// What asks for refreshes.
    pub fn annotator(&self) -> Annotator {
        Annotator::new(self.client.clone(), self.progresses.clone())
    }

    /// What Warehouses say of refreshes, where somebody here serves them.
    pub fn progresses(&self) -> Option<Arc<Progresses>> {
        self.progresses.clone()
    }

    /// What this process is called among its like.
    pub fn instance(&self) -> &str {
        &self.instance
    }

    /// The connection itself, for elections.
    pub fn client(&self) -> kube::Client {
        self.client.clone()
    }
}
