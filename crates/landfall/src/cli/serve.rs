//! `landfall serve`: what can be set, and what is meant by it.

use std::collections::HashMap;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::Context as _;
use clap::{Args, ValueEnum};
use landfall_core::door::BaseUrl;
use landfall_core::go::duration::parse_duration;
use landfall_core::journal::{Backoff, Retention, RetryPolicy};
use landfall_core::receiver::Sender;
use landfall_core::secret::{SecretBytes, Secrets};

use super::UsageError;
use super::tls::TlsArgs;
use crate::config::{Config, LogFormat};
use crate::registry::{RegistryOptions, Url};
use crate::server::{Limits, ListenAddress};

/// Receive deliveries and follow them up, with resources from a folder of manifests.
///
/// Reads ProjectConfigs, ClusterConfigs, Warehouses and Secrets from the folder, and follows its changes. Senders post to
/// the URLs that `landfall receivers` prints.
///
/// Examples:
///   landfall serve --manifests examples/quickstart
///   landfall serve --manifests /etc/landfall --data-dir /var/lib/landfall --base-url https://hooks.example.com
///   DOCKER_WEBHOOK_SECRET=s3cret landfall serve --registry-mirror docker.io=http://127.0.0.1:5000
#[derive(Args)]
#[command(verbatim_doc_comment)]
#[allow(rustdoc::bare_urls, reason = "the comment is the help, with a shell's examples")]
pub(super) struct ServeArgs {
    /// The folder with the resources, as YAML or JSON; it is read with its subfolders, and watched.
    #[arg(long, env = "LANDFALL_MANIFESTS", default_value = "manifests", value_name = "DIR")]
    manifests: PathBuf,
    /// The folder for the journal, the catalog and the admin socket; made if it does not exist.
    #[arg(long, env = "LANDFALL_DATA_DIR", default_value = "landfall-data", value_name = "DIR")]
    data_dir: PathBuf,
    /// The address of the webhook door; :8080 is every address. Others than loopback do TLS, unless --disable-tls is there.
    #[arg(long, env = "LANDFALL_LISTEN", default_value = "127.0.0.1:8080", value_name = "ADDR",
          value_parser = ListenAddress::parse)]
    listen: ListenAddress,
    #[command(flatten)]
    tls: TlsArgs,
    /// Where /healthz and /readyz are answered beside the webhook door, in plain HTTP; 0 for nowhere.
    #[arg(
        long,
        env = "LANDFALL_HEALTH_PROBE_BIND_ADDRESS",
        default_value = "0",
        value_name = "ADDR"
    )]
    health_probe_bind_address: String,
    /// How long a client may take for the head of a request, for its body, and between two requests on one connection.
    #[arg(long, env = "LANDFALL_CLIENT_TIMEOUT", default_value = "15s", value_name = "DURATION", value_parser = positive_duration)]
    client_timeout: Duration,
    /// Where senders reach the webhook door; part of the URLs in the receivers' status. By default the address of --listen.
    #[arg(long, env = "LANDFALL_BASE_URL", value_name = "URL")]
    base_url: Option<String>,

    /// The secret of deliveries to /webhook?type=docker.io, which come with it in the query as `secret`.
    #[arg(long, env = "DOCKER_WEBHOOK_SECRET", hide_env_values = true, value_name = "SECRET")]
    docker_webhook_secret: Option<String>,
    /// The secret of deliveries to /webhook?type=distribution, which come with it as the header Authorization.
    #[arg(
        long,
        env = "DISTRIBUTION_WEBHOOK_SECRET",
        hide_env_values = true,
        value_name = "SECRET"
    )]
    distribution_webhook_secret: Option<String>,
    /// The secret of deliveries to /webhook?type=ghcr.io, which are signed with it.
    #[arg(long, env = "GHCR_WEBHOOK_SECRET", hide_env_values = true, value_name = "SECRET")]
    ghcr_webhook_secret: Option<String>,
    /// The secret of deliveries to /webhook?type=quay.io, which come with it in the query as `secret`.
    #[arg(long, env = "QUAY_WEBHOOK_SECRET", hide_env_values = true, value_name = "SECRET")]
    quay_webhook_secret: Option<String>,
    /// The secret of deliveries to /webhook?type=harbor, which come with it as the header Authorization.
    #[arg(long, env = "HARBOR_WEBHOOK_SECRET", hide_env_values = true, value_name = "SECRET")]
    harbor_webhook_secret: Option<String>,
    /// The secret of deliveries to /webhook?type=aliyun-acr, which come with it in the query as `secret`.
    #[arg(
        long,
        env = "ALIYUN_ACR_WEBHOOK_SECRET",
        hide_env_values = true,
        value_name = "SECRET"
    )]
    aliyun_acr_webhook_secret: Option<String>,
    /// The secret of deliveries to /webhook?type=acr, which come with it as the header Authorization.
    #[arg(long, env = "ACR_WEBHOOK_SECRET", hide_env_values = true, value_name = "SECRET")]
    acr_webhook_secret: Option<String>,
    /// The secret of deliveries to /webhook?type=cloudevents, in the query as `secret` or as the header X-Webhook-Secret.
    #[arg(
        long,
        env = "CLOUDEVENTS_WEBHOOK_SECRET",
        hide_env_values = true,
        value_name = "SECRET"
    )]
    cloudevents_webhook_secret: Option<String>,
    /// The secret of deliveries to /webhook?type=eventbridge, in the query as `secret` or as the header X-Webhook-Secret.
    #[arg(
        long,
        env = "EVENTBRIDGE_WEBHOOK_SECRET",
        hide_env_values = true,
        value_name = "SECRET"
    )]
    eventbridge_webhook_secret: Option<String>,
    /// The namespace of the Secrets of the ClusterConfig's receivers.
    #[arg(
        long,
        env = "SYSTEM_RESOURCES_NAMESPACE",
        default_value = "kargo-system-resources",
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
    /// How long a registry may take for one answer.
    #[arg(long, env = "LANDFALL_REGISTRY_TIMEOUT", default_value = "30s", value_name = "DURATION", value_parser = duration)]
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

    /// How to log.
    #[arg(long, env = "LANDFALL_LOG_FORMAT", value_enum, default_value = "text")]
    log_format: LogFormatArg,
    /// What to log: error, warn, info, debug, trace, or a filter such as `info,landfall::registry=debug`.
    #[arg(long, env = "LANDFALL_LOG", default_value = "info", value_name = "FILTER")]
    log_level: String,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum LogFormatArg {
    /// For people.
    Text,
    /// For programs, one object a line.
    Json,
}

/// Secrets are among the arguments, so nothing of them is shown.
impl std::fmt::Debug for ServeArgs {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("ServeArgs(…)")
    }
}

impl ServeArgs {
    pub(super) fn run(self) -> anyhow::Result<()> {
        let config = self.meaning()?;
        crate::telemetry::start(config.log_format, &config.log_level).map_err(UsageError)?;
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .enable_all()
            // For looking up names of hosts; each thread costs memory, and there can be a thousand look-ups at once.
            .max_blocking_threads(16)
            .build()
            .context("no threads")?;
        runtime.block_on(crate::app::serve(config))
    }

    fn meaning(self) -> Result<Config, UsageError> {
        let http2 = self.tls.enable_http2;
        let tls = self.tls.at(&self.listen)?;
        let probes = ListenAddress::parse_optional(&self.health_probe_bind_address)
            .map_err(|error| UsageError(format!("--health-probe-bind-address: {error}")))?;
        let base_url = match &self.base_url {
            None => None,
            Some(text) => Some(BaseUrl::parse(text).map_err(|error| UsageError(format!("--base-url: {error}")))?),
        };
        let secrets = [
            (Sender::DockerHub, "docker", self.docker_webhook_secret),
            (Sender::Distribution, "distribution", self.distribution_webhook_secret),
            (Sender::GitHub, "ghcr", self.ghcr_webhook_secret),
            (Sender::Quay, "quay", self.quay_webhook_secret),
            (Sender::Harbor, "harbor", self.harbor_webhook_secret),
            (Sender::AliyunAcr, "aliyun-acr", self.aliyun_acr_webhook_secret),
            (Sender::Azure, "acr", self.acr_webhook_secret),
            (Sender::CloudEvents, "cloudevents", self.cloudevents_webhook_secret),
            (Sender::EventBridge, "eventbridge", self.eventbridge_webhook_secret),
        ];
        let mut webhook_secrets = HashMap::new();
        for (sender, name, secret) in secrets {
            match secret.as_deref() {
                None => {}
                Some("") => {
                    return Err(UsageError(format!(
                        "--{name}-webhook-secret: an empty secret proves nothing; leave it out"
                    )));
                }
                Some(secret) => {
                    webhook_secrets.insert(sender, Secrets::only(SecretBytes::from(secret)));
                }
            }
        }
        let mirrors = self
            .registry_mirror
            .iter()
            .filter(|text| !text.is_empty())
            .map(|text| mirror(text));
        let defaults = RetryPolicy::default();
        Ok(Config {
            manifests: self.manifests,
            data_dir: self.data_dir,
            listen: self.listen,
            tls,
            http2,
            probes,
            base_url,
            webhook_secrets,
            system_namespace: self.system_resources_namespace,
            shared_namespace: self.shared_resources_namespace.filter(|name| !name.is_empty()),
            registry: RegistryOptions {
                mirrors: mirrors.collect::<Result<_, _>>()?,
                requests_per_second: self.registry_rate_limit,
                request_timeout: self.registry_timeout,
                ..RegistryOptions::default()
            },
            dedupe_window: self.dedupe_window,
            retries: RetryPolicy {
                failed: Backoff {
                    most: self.retry_max_delay,
                    attempts: self.retry_attempts,
                    ..defaults.failed
                },
                not_visible: Backoff {
                    attempts: self.not_visible_attempts,
                    ..defaults.not_visible
                },
            },
            retention: Retention {
                age: self.retention_age,
                count: self.retention_count,
            },
            limits: Limits {
                head: self.client_timeout,
                body: self.client_timeout,
                ..Limits::default()
            },
            log_format: match self.log_format {
                LogFormatArg::Text => LogFormat::Text,
                LogFormatArg::Json => LogFormat::Json,
            },
            log_level: self.log_level,
        })
    }
}

fn duration(text: &str) -> Result<Duration, String> {
    let nanos = parse_duration(text).map_err(|error| format!("{error}; one reads 30s, 5m or 1h30m"))?;
    u64::try_from(nanos)
        .map(Duration::from_nanos)
        .map_err(|_| "it must not be negative".to_owned())
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
