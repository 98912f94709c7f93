//! What a server was told to do, after everything that was typed has been found to mean something.

use std::path::PathBuf;
use std::time::Duration;

use landfall_core::door::BaseUrl;
use landfall_core::journal::{Retention, RetryPolicy};
use landfall_core::selection::TagCachePolicy;

use crate::registry::RegistryOptions;
use crate::resources::Place;
use crate::server::tls::TlsSettings;
use crate::server::{Limits, ListenAddress};
use crate::store::DatabaseUrl;
use crate::webhook_secrets::SecretSources;

/// The configuration of a server.
pub struct Config {
    /// Where resources come from.
    pub resources: Place,
    pub data_dir: PathBuf,
    /// The database that keeps the journal; `None` for a file in the data folder.
    pub journal: Option<DatabaseUrl>,
    /// The address of the webhook door; `None` where it is not to be opened.
    pub listen: Option<ListenAddress>,
    /// How the webhook door does TLS; `None` for plain HTTP.
    pub tls: Option<TlsSettings>,
    /// Whether the webhook door offers HTTP/2.
    pub http2: bool,
    /// Where probes are answered beside the webhook door; `None` for nowhere.
    pub probes: Option<ListenAddress>,
    /// Where metrics are served; `None` for nowhere.
    pub metrics: Option<MetricsListener>,
    /// What one process alone does where resources come from an API server; `None` where nobody stands for election.
    pub alone: Option<Alone>,
    /// By default the address that is listened at.
    pub base_url: Option<BaseUrl>,
    /// Where the secrets of the door by type come from.
    pub webhook_secrets: SecretSources,
    pub system_namespace: String,
    pub shared_namespace: Option<String>,
    pub registry: RegistryOptions,
    pub tag_cache: TagCachePolicy,
    pub dedupe_window: Duration,
    /// So many deliveries of the door by type are followed up in an hour; the others wait in the journal.
    pub rate_limit_per_hour: Option<u32>,
    /// Requests that one address may make in a minute; 0 for any number.
    pub peer_requests_per_minute: u32,
    /// Failed proofs that one address may make in a minute before it is told to come back; 0 for any number.
    pub failed_proofs_per_minute: u32,
    /// A sender that is silent for so many times its usual gap is reported; 0 for never.
    pub silence_factor: u32,
    pub retries: RetryPolicy,
    pub retention: Retention,
    pub limits: Limits,
    pub log_format: LogFormat,
    pub log_level: String,
}

/// Where metrics are served, how and to whom.
#[derive(Clone, Debug)]
pub struct MetricsListener {
    pub address: ListenAddress,
    /// `None` for plain HTTP.
    pub tls: Option<TlsSettings>,
    pub readers: MetricsReaders,
}

/// Who may read metrics.
#[derive(Clone, Debug)]
pub enum MetricsReaders {
    /// Everybody who reaches the address.
    Everybody,
    /// Whom the API server lets that resources come from, or else the one that is found here.
    Authorized {
        /// The file that says where it is; without one, the environment and the pod's service account say so.
        kubeconfig: Option<PathBuf>,
    },
}

/// What one of several processes does alone, while it leads: it writes statuses.
#[derive(Clone, Debug)]
pub struct Alone {
    /// The namespace of the Lease; by default that of the API server's client.
    pub lease_namespace: Option<String>,
    /// Where Warehouses are served, the shard of those; `None` for those that name none.
    pub shard: Option<String>,
    /// The least time between two looks that nothing but the interval asks for.
    pub least_interval: Duration,
}

/// How to log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogFormat {
    /// For people.
    Text,
    /// For programs.
    Json,
}
