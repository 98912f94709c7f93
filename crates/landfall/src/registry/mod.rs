//! Asks container registries for tags, manifests and blobs by the OCI distribution protocol; the only module that speaks it.
//!
//! It must not know who subscribed to a repository, where answers are kept, or what is done with them. Reading order:
//! `repository` asks and checks, `exchange` gets one answer, `listing` walks tag pages, `auth` finds the proof, `site` says where secrets may go,
//! `transport` sends within a `budget`.

mod answer;
mod auth;
mod budget;
mod challenge;
mod connections;
mod credentials;
mod digest;
mod endpoint;
mod error;
mod exchange;
mod http_time;
mod link;
mod listing;
mod repository;
mod site;
mod token;
mod transport;

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

pub use budget::{HostUse, Priority};
pub use connections::TlsVerification;
pub use credentials::{Access, Password};
pub use endpoint::RepositoryAddress;
pub use error::RegistryError;
pub use listing::TagListing;
pub use repository::RepositoryHandle;
pub use reqwest::Url;

/// How registries are asked. The defaults suit public registries.
#[derive(Debug, Clone)]
pub struct RegistryOptions {
    /// By canonical host (`docker.io`): the URL that is asked in its stead. It stands in fully, so it is also sent the
    /// credentials for that host. A path in it comes before every repository's path. `http` only for loopback and private
    /// addresses.
    pub mirrors: HashMap<String, Url>,
    /// By canonical host: further hosts that may be sent its credentials to buy tokens with.
    pub trusted_realms: HashMap<String, Vec<String>>,
    /// Requests per second to each asked host, token services included; at least 1. A quarter of it may go at once.
    pub requests_per_second: u32,
    /// Requests to each asked host at once; at least 1.
    pub concurrency_per_host: usize,
    /// How long to wait for a connection.
    pub connect_timeout: Duration,
    /// How long one request may take, with its whole answer.
    pub request_timeout: Duration,
    /// How long one request may wait for its turn, over all pauses the host asks for.
    pub wait_deadline: Duration,
    /// How long a whole tag list may take.
    pub listing_timeout: Duration,
    /// The `User-Agent` header.
    pub user_agent: String,
}

impl Default for RegistryOptions {
    fn default() -> Self {
        Self {
            mirrors: HashMap::new(),
            trusted_realms: HashMap::new(),
            requests_per_second: 20,
            concurrency_per_host: 16,
            connect_timeout: Duration::from_secs(10),
            request_timeout: Duration::from_secs(60),
            wait_deadline: Duration::from_secs(120),
            listing_timeout: Duration::from_secs(600),
            user_agent: concat!("landfall/", env!("CARGO_PKG_VERSION")).to_owned(),
        }
    }
}

/// Asks registries. Cheap to clone; clones share connections, budgets and tokens.
#[derive(Clone)]
pub struct RegistryClient {
    inner: Arc<Inner>,
}

struct Inner {
    options: RegistryOptions,
    transport: transport::Transport,
    authenticator: auth::Authenticator,
}

impl std::fmt::Debug for RegistryClient {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("RegistryClient")
            .field("options", &self.inner.options)
            .finish_non_exhaustive()
    }
}

impl RegistryClient {
    /// A client that knows nothing of any host yet; an error if a mirror cannot be used.
    pub fn new(options: RegistryOptions) -> Result<Self, RegistryError> {
        endpoint::check_mirrors(&options.mirrors)?;
        let transport = transport::Transport::new(&options);
        Ok(Self {
            inner: Arc::new(Inner {
                options,
                transport,
                authenticator: auth::Authenticator::default(),
            }),
        })
    }

    /// What each host was asked so far, and what is left of its budget.
    pub fn uses(&self) -> Vec<HostUse> {
        self.inner.transport.uses()
    }

    /// A repository, to be asked as one tenant; an error if the address cannot be one. Nothing is sent yet.
    pub fn repository(
        &self,
        address: RepositoryAddress,
        access: Access,
        tls: TlsVerification,
        priority: Priority,
    ) -> Result<RepositoryHandle, RegistryError> {
        RepositoryHandle::new(Arc::clone(&self.inner), address, access, tls, priority)
    }
}

#[cfg(test)]
mod tests;
