//! Image Updater's flags that have an effect, and what is meant by them.

use std::path::PathBuf;

use clap::Args;

use crate::cli::UsageError;
use crate::cli::kubernetes::PlaceArgs;
use crate::cli::listeners::optional_address;
use crate::cli::pflag::number;
use crate::cli::secrets::SecretArgs;
use crate::cli::server::{Own, ServerArgs};
use crate::cli::tls::TlsArgs;
use crate::config::{Config, LogFormat};
use crate::server::ListenAddress;

use super::Program;
use super::metrics::MetricsArgs;

/// Where the journal is if nobody says where: the one place that can be written to in Image Updater's Deployment.
pub(in crate::cli) const DATA_DIR: &str = "/tmp/landfall";

#[derive(Args, Debug)]
pub(super) struct Flags {
    /// The folder with the resources, as YAML or JSON; it is read with its subfolders, and watched.
    #[arg(long, env = "LANDFALL_MANIFESTS", value_name = "DIR")]
    manifests: Option<PathBuf>,
    #[command(flatten)]
    place: PlaceArgs,
    /// The folder for the journal, the catalog and the admin socket; made if it does not exist. Mount a volume there: what
    /// was accepted and is not done yet is in it.
    #[arg(long, env = "LANDFALL_DATA_DIR", default_value = DATA_DIR, value_name = "DIR")]
    pub(super) data_dir: PathBuf,
    /// The port of the webhook door, on every address; 0 for any free port.
    #[arg(long, env = "WEBHOOK_PORT", default_value = "8082", value_name = "N", value_parser = number)]
    webhook_port: i64,
    /// Deliveries that are followed up in an hour; the others wait in the journal. 0 for all.
    #[arg(long, env = "WEBHOOK_RATELIMIT_ALLOWED", default_value = "0", value_name = "N", value_parser = number)]
    webhook_ratelimit_allowed: i64,
    #[command(flatten)]
    tls: TlsArgs,
    /// Where /healthz and /readyz are answered, in plain HTTP; 0 for nowhere.
    #[arg(long, default_value = ":8081", value_name = "ADDR")]
    health_probe_bind_address: String,
    #[command(flatten)]
    metrics: MetricsArgs,
    /// What to log: trace, debug, info, warn or error.
    #[arg(long, env = "IMAGE_UPDATER_LOGLEVEL", default_value = "info", value_name = "LEVEL")]
    loglevel: String,
    /// How to log: text or json.
    #[arg(long, env = "IMAGE_UPDATER_LOGFORMAT", default_value = "text", value_name = "FORMAT")]
    logformat: String,
    #[command(flatten)]
    server: ServerArgs,
    #[command(flatten)]
    secrets: SecretArgs,
}

impl Flags {
    /// What is meant. Whether the webhook door is opened is the command's to say.
    pub(super) fn meaning(self, program: Program, enable_webhook: bool) -> Result<Config, UsageError> {
        let kubeconfig = self.place.kubeconfig();
        let manifests = self.manifests.filter(|folder| !folder.as_os_str().is_empty());
        let (resources, alone) = self.place.meaning(|| {
            manifests.ok_or_else(|| {
                UsageError(
                    "--manifests DIR is missing (or LANDFALL_MANIFESTS): this command reads its resources from a folder; mount \
                     them as files, for example from a ConfigMap, or let --kubernetes take them from an API server"
                        .to_owned(),
                )
            })
        })?;
        let listen = match program {
            Program::Webhook => Some(port(self.webhook_port)?),
            // Image Updater's own guard: `run` has no webhook door at any free port.
            Program::Run if enable_webhook && self.webhook_port > 0 => Some(port(self.webhook_port)?),
            Program::Run => None,
        };
        let http2 = self.tls.enable_http2;
        // A certificate for a door that stays closed must not keep the rest from starting.
        let tls = self.tls.unless_disabled()?.filter(|_| listen.is_some());
        let (log_level, log_format) = (log_filter(&self.loglevel)?, log_format(&self.logformat)?);
        self.server.meaning(Own {
            resources,
            alone,
            data_dir: self.data_dir,
            listen,
            tls,
            http2,
            probes: optional_address("health-probe-bind-address", &self.health_probe_bind_address)?,
            metrics: self.metrics.meaning(kubeconfig)?,
            webhook_secrets: self.secrets.lenient_sources(),
            rate_limit_per_hour: rate_limit(self.webhook_ratelimit_allowed),
            log_format,
            log_level,
        })
    }
}

fn port(number: i64) -> Result<ListenAddress, UsageError> {
    let port = u16::try_from(number);
    let port = port.map_err(|_| UsageError(format!("--webhook-port {number}: a port is between 0 and 65535")))?;
    Ok(ListenAddress::every(port))
}

fn rate_limit(allowed: i64) -> Option<u32> {
    // What is more than fits is no limit that anyone would notice.
    (allowed > 0).then(|| u32::try_from(allowed).unwrap_or(u32::MAX))
}

/// The filter of a level of Image Updater's. Details are those of landfall alone: the libraries' would drown them.
fn log_filter(level: &str) -> Result<String, UsageError> {
    match level.to_lowercase().as_str() {
        "trace" => Ok("info,landfall=trace".to_owned()),
        "debug" => Ok("info,landfall=debug".to_owned()),
        "info" => Ok("info".to_owned()),
        "warn" | "warning" => Ok("warn".to_owned()),
        "error" => Ok("error".to_owned()),
        _ => Err(UsageError(format!(
            "--loglevel {level:?}: one of trace, debug, info, warn and error"
        ))),
    }
}

fn log_format(format: &str) -> Result<LogFormat, UsageError> {
    match format {
        "text" => Ok(LogFormat::Text),
        "json" => Ok(LogFormat::Json),
        _ => Err(UsageError(format!("invalid log format '{format}'"))),
    }
}
