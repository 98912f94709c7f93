//! What every command that runs a server can be told beside its own flags, and the start of one.

use std::path::PathBuf;
use std::str::FromStr as _;
use std::time::Duration;

use anyhow::Context as _;
use clap::Args;
use landfall_core::door::BaseUrl;
use landfall_core::journal::{Backoff, Retention, RetryPolicy};
use landfall_core::selection::TagCachePolicy;

use super::UsageError;
use super::journal::JournalArgs;
use super::pflag::duration;
use crate::config::{Alone, Config, LogFormat, MetricsListener};
use crate::registry::{RegistryOptions, Url};
use crate::resources::Place;
use crate::server::tls::TlsSettings;
use crate::server::{Limits, ListenAddress};
use crate::webhook_secrets::SecretSources;

/// The settings that are the same for all of them.
#[derive(Args, Debug)]
pub(super) struct ServerArgs {
    #[command(flatten)]
    journal: JournalArgs,
    /// Where senders reach the webhook door; part of the URLs in the receivers' status. By default the address that is
    /// listened at.
    #[arg(long, env = "LANDFALL_BASE_URL", value_name = "URL")]
    base_url: Option<String>,
    /// How long a client may take for the head of a request, for its body, and between two requests on one connection.
    #[arg(long, env = "LANDFALL_CLIENT_TIMEOUT", default_value = "15s", value_name = "DURATION", value_parser = positive_duration)]
    client_timeout: Duration,
    /// How long the webhook door stays open when the process is told to stop, so that whoever sends requests here hears of it first; 0s,
    /// and 5s for external-webhooks-server, unless it is set.
    #[arg(long, env = "LANDFALL_SHUTDOWN_DELAY", value_name = "DURATION", value_parser = duration)]
    shutdown_delay: Option<Duration>,
    /// How many connections there are at once, at most.
    #[arg(long, env = "LANDFALL_MAX_CONNECTIONS", default_value_t = 4096, value_name = "N",
          value_parser = clap::value_parser!(u32).range(1..))]
    max_connections: u32,
    /// Requests that one address may make in a minute; further ones get 503 with Retry-After. 0 for any number: behind a
    /// proxy, all senders have its address.
    #[arg(
        long,
        env = "LANDFALL_PEER_REQUESTS_PER_MINUTE",
        default_value_t = 0,
        value_name = "N"
    )]
    peer_requests_per_minute: u32,
    /// Wrong secrets, signatures and paths that one address may try in a minute, half of them at once, before all its
    /// requests get 503 with Retry-After. 0 for any number.
    #[arg(
        long,
        env = "LANDFALL_FAILED_PROOFS_PER_MINUTE",
        default_value_t = 0,
        value_name = "N"
    )]
    failed_proofs_per_minute: u32,
    /// Report a sender that has been silent for N times the longest gap it lately had, by log and metric. 0 for never.
    #[arg(long, env = "LANDFALL_SILENCE_FACTOR", default_value_t = 3, value_name = "N")]
    silence_factor: u32,
    /// The namespace of the Secrets of the ClusterConfig's receivers.
    #[arg(
        long,
        env = "SYSTEM_RESOURCES_NAMESPACE",
        default_value = SYSTEM_NAMESPACE,
        value_name = "NAME"
    )]
    system_resources_namespace: String,
    /// A namespace whose registry credentials every project may use.
    #[arg(long, env = "SHARED_RESOURCES_NAMESPACE", value_name = "NAME")]
    shared_resources_namespace: Option<String>,

    /// Ask URL in place of a registry, which keeps its name in subscriptions and results. May be repeated.
    #[arg(
        long,
        env = "LANDFALL_REGISTRY_MIRRORS",
        value_name = "HOST=URL",
        value_delimiter = ','
    )]
    registry_mirror: Vec<String>,
    /// Requests that each registry host gets in a second, at most.
    #[arg(long, env = "IMAGE_REGISTRY_RATE_LIMIT", default_value_t = 20, value_name = "N",
          value_parser = clap::value_parser!(u32).range(1..))]
    registry_rate_limit: u32,
    /// What is made of cacheByTag in subscriptions: Allow, Forbid (nobody does it), Require (each has to) or Force (all do it).
    #[arg(long, env = "CACHE_BY_TAG_POLICY", default_value = "Allow", value_name = "POLICY", value_parser = TagCachePolicy::from_str)]
    cache_by_tag_policy: TagCachePolicy,
    /// How long a registry may take for one answer.
    #[arg(long, env = "LANDFALL_REGISTRY_TIMEOUT", default_value = "30s", value_name = "DURATION", value_parser = positive_duration)]
    registry_timeout: Duration,

    /// How long deliveries of equal content from senders without ids count as one.
    #[arg(long, env = "LANDFALL_DEDUPE_WINDOW", default_value = "1m", value_name = "DURATION", value_parser = duration)]
    dedupe_window: Duration,
    /// How often a failing target is tried before its delivery is given up.
    #[arg(long, env = "LANDFALL_RETRY_ATTEMPTS", default_value_t = 15, value_name = "N",
          value_parser = clap::value_parser!(u32).range(1..))]
    retry_attempts: u32,
    /// The longest wait between two of these attempts; the first is 1s, and each is twice the one before.
    #[arg(long, env = "LANDFALL_RETRY_MAX_DELAY", default_value = "10m", value_name = "DURATION", value_parser = duration)]
    retry_max_delay: Duration,
    /// How often a pushed tag that the registry does not have yet is looked for.
    #[arg(long, env = "LANDFALL_NOT_VISIBLE_ATTEMPTS", default_value_t = 9, value_name = "N",
          value_parser = clap::value_parser!(u32).range(1..))]
    not_visible_attempts: u32,
    /// How long finished deliveries are kept.
    #[arg(long, env = "LANDFALL_RETENTION_AGE", default_value = "168h", value_name = "DURATION", value_parser = duration)]
    retention_age: Duration,
    /// How many deliveries are kept; unfinished ones are kept all the same.
    #[arg(long, env = "LANDFALL_RETENTION_COUNT", default_value_t = 100_000, value_name = "N")]
    retention_count: u64,
}

/// What each command decides by its own flags.
pub(super) struct Own {
    pub(super) resources: Place,
    pub(super) alone: Option<Alone>,
    pub(super) data_dir: PathBuf,
    pub(super) listen: Option<ListenAddress>,
    pub(super) tls: Option<TlsSettings>,
    pub(super) http2: bool,
    pub(super) probes: Option<ListenAddress>,
    pub(super) metrics: Option<MetricsListener>,
    pub(super) webhook_secrets: SecretSources,
    pub(super) rate_limit_per_hour: Option<u32>,
    pub(super) log_format: LogFormat,
    pub(super) log_level: String,
}

/// The namespace of the Secrets of the `ClusterConfig`'s receivers where nobody names one.
const SYSTEM_NAMESPACE: &str = "kargo-system-resources";

impl ServerArgs {
    /// How long the webhook door stays open at the end, where somebody has said so.
    pub(super) fn shutdown_delay(&self) -> Option<Duration> {
        self.shutdown_delay
    }

    /// Whether somebody has said that a database keeps the journal.
    pub(super) fn has_database(&self) -> bool {
        matches!(self.journal.meaning(), Ok(Some(_)))
    }

    /// Whether somebody has said where senders reach the webhook door.
    pub(super) fn has_base_url(&self) -> bool {
        self.base_url.as_ref().is_some_and(|url| !url.is_empty())
    }

    /// The same settings with another base URL.
    pub(super) fn at_base_url(self, url: String) -> Self {
        Self {
            base_url: Some(url),
            ..self
        }
    }

    /// The configuration of a server, or what cannot be meant.
    pub(super) fn meaning(self, own: Own) -> Result<Config, UsageError> {
        let Own {
            resources,
            alone,
            data_dir,
            listen,
            tls,
            http2,
            probes,
            metrics,
            webhook_secrets,
            rate_limit_per_hour,
            log_format,
            log_level,
        } = own;
        let base_url = self.base_url.as_deref().filter(|text| !text.is_empty());
        let base_url = base_url
            .map(|text| base_url_of("--base-url or LANDFALL_BASE_URL", text))
            .transpose()?;
        let journal = self.journal.meaning()?;
        Ok(Config {
            resources,
            alone,
            data_dir,
            journal,
            listen,
            tls,
            http2,
            probes,
            metrics,
            base_url,
            webhook_secrets,
            rate_limit_per_hour,
            peer_requests_per_minute: self.peer_requests_per_minute,
            failed_proofs_per_minute: self.failed_proofs_per_minute,
            silence_factor: self.silence_factor,
            retries: self.retries(),
            registry: self.registry()?,
            tag_cache: self.cache_by_tag_policy,
            system_namespace: Some(self.system_resources_namespace)
                .filter(|name| !name.is_empty())
                .unwrap_or_else(|| SYSTEM_NAMESPACE.to_owned()),
            shared_namespace: self.shared_resources_namespace.filter(|name| !name.is_empty()),
            dedupe_window: self.dedupe_window,
            retention: Retention {
                age: self.retention_age,
                count: self.retention_count,
            },
            limits: Limits {
                linger: self.shutdown_delay.unwrap_or_default(),
                connections: self.max_connections as usize,
                head: self.client_timeout,
                body: self.client_timeout,
                ..Limits::default()
            },
            log_format,
            log_level,
        })
    }

    fn registry(&self) -> Result<RegistryOptions, UsageError> {
        let mirrors = self.registry_mirror.iter().filter(|text| !text.is_empty());
        Ok(RegistryOptions {
            mirrors: mirrors.map(|text| mirror(text)).collect::<Result<_, _>>()?,
            requests_per_second: self.registry_rate_limit,
            request_timeout: self.registry_timeout,
            ..RegistryOptions::default()
        })
    }

    fn retries(&self) -> RetryPolicy {
        let defaults = RetryPolicy::default();
        RetryPolicy {
            failed: Backoff {
                most: self.retry_max_delay,
                attempts: self.retry_attempts,
                ..defaults.failed
            },
            not_visible: Backoff {
                attempts: self.not_visible_attempts,
                ..defaults.not_visible
            },
            is_endless: false,
        }
    }
}

/// The base URL that a setting says. What it says is not repeated: somebody may have put a password into it.
pub(super) fn base_url_of(setting: &str, text: &str) -> Result<BaseUrl, UsageError> {
    BaseUrl::parse(text).map_err(|error| UsageError(format!("{setting}: {error}; one reads https://hooks.example.com")))
}

/// How long threads may take to end that still do something when the server has ended.
const ENDING: Duration = Duration::from_secs(1);

/// Runs a server until it is told to stop; `notes` go to its log first.
pub(super) fn run(config: Config, notes: &[String]) -> anyhow::Result<()> {
    // It outlives the threads of the runtime, and with them everybody who logs.
    let _log = crate::telemetry::start(config.log_format, &config.log_level).map_err(UsageError)?;
    for note in notes {
        tracing::warn!("{note}");
    }
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .worker_threads(workers())
        // After so many steps of its tasks a thread looks whether a delivery has come, and not after 61, as it would without this: steps
        // here take up to a tenth of a millisecond, and with a thousand annotations under way there is always one to be made.
        .event_interval(11)
        // For looking up names of hosts; each thread costs memory, and there can be a thousand look-ups at once.
        .max_blocking_threads(16)
        .build()
        .context("no threads")?;
    let served = runtime.block_on(crate::app::serve(config));
    // Everybody was answered who could be. A disk that never answers must not keep the process.
    runtime.shutdown_timeout(ENDING);
    served
}

/// Threads that answer and ask: one for every two processors. The journal is written and read by threads of its own, which need the
/// others: on two processors, nearly as many deliveries are taken in as with two of these, and each costs less, since fewer threads
/// wake each other.
fn workers() -> usize {
    std::thread::available_parallelism().map_or(1, |processors| processors.get().div_ceil(2))
}

fn positive_duration(text: &str) -> Result<Duration, String> {
    match duration(text)? {
        Duration::ZERO => Err("it must be longer than nothing".to_owned()),
        longer => Ok(longer),
    }
}

fn mirror(text: &str) -> Result<(String, Url), UsageError> {
    let wrong = |problem: &str| UsageError(format!("--registry-mirror {text}: {problem}"));
    let (host, url) = text
        .split_once('=')
        .ok_or_else(|| wrong("one reads HOST=URL, for example docker.io=http://127.0.0.1:5000"))?;
    let url: Url = url.parse().map_err(|_| wrong("what follows the = is no URL"))?;
    if !url.username().is_empty() || url.password().is_some() {
        return Err(UsageError(
            "--registry-mirror: credentials belong into a Secret, not into the URL".to_owned(),
        ));
    }
    Ok((host.to_ascii_lowercase(), url))
}
