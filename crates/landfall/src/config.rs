//! What `serve` was told to do, after everything that was typed has been found to mean something.

use std::collections::HashMap;
use std::path::PathBuf;
use std::time::Duration;

use landfall_core::door::BaseUrl;
use landfall_core::journal::{Retention, RetryPolicy};
use landfall_core::receiver::Sender;
use landfall_core::secret::Secrets;

use crate::registry::RegistryOptions;
use crate::server::tls::TlsSettings;
use crate::server::{Limits, ListenAddress};

/// The configuration of a server.
pub struct Config {
    pub manifests: PathBuf,
    pub data_dir: PathBuf,
    pub listen: ListenAddress,
    /// How the webhook door does TLS; `None` for plain HTTP.
    pub tls: Option<TlsSettings>,
    /// Whether the webhook door offers HTTP/2.
    #[allow(dead_code, reason = "the listener reads it once it does TLS")]
    pub http2: bool,
    /// Where probes are answered beside the webhook door; `None` for nowhere.
    pub probes: Option<ListenAddress>,
    /// By default the address that is listened at.
    pub base_url: Option<BaseUrl>,
    /// The secrets of the door by type; a sender without one has no receiver there.
    pub webhook_secrets: HashMap<Sender, Secrets>,
    pub system_namespace: String,
    pub shared_namespace: Option<String>,
    pub registry: RegistryOptions,
    pub dedupe_window: Duration,
    pub retries: RetryPolicy,
    pub retention: Retention,
    pub limits: Limits,
    pub log_format: LogFormat,
    pub log_level: String,
}

/// How to log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogFormat {
    /// For people.
    Text,
    /// For programs.
    Json,
}
