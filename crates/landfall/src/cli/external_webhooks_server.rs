//! `landfall external-webhooks-server`: Kargo's command of that name, with its variables, in the place of its Deployment.

use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

use clap::{ArgAction, Args};

use super::UsageError;
use super::image_updater::DATA_DIR;
use super::kubernetes::KubernetesArgs;
use super::listeners::ListenerArgs;
use super::pflag::{duration, truth};
use super::secrets::SecretArgs;
use super::server::{self, Own, ServerArgs};
use crate::config::{Config, LogFormat};
use crate::resources::Place;
use crate::server::tls::{CertificateFiles, TlsSettings, Typed};

/// The webhook door stays open for so long at the end, unless somebody says otherwise: Services hear later that a pod ends.
const LINGER: Duration = Duration::from_secs(5);

/// Receive deliveries as Kargo's external webhooks server does, with its variables.
///
/// Takes the resources from the API server, writes the status of ProjectConfigs and of the ClusterConfig, and refreshes
/// Warehouses and Promotions by their annotation. What is set by a flag can be set by Kargo's variable as well, which is named
/// with it.
///
/// Examples:
///   EXTERNAL_WEBHOOK_SERVER_BASE_URL=https://hooks.example.com landfall external-webhooks-server
///   kargo external-webhooks-server --data-dir /var/lib/landfall
#[derive(Args, Debug)]
#[command(verbatim_doc_comment, after_long_help = super::secrets::HELP)]
#[allow(rustdoc::bare_urls, reason = "the comment is the help, with a shell's examples")]
pub(super) struct ExternalWebhooksServerArgs {
    /// Where senders reach the webhook door; part of the URLs in the receivers' status. It has to be set, here or by --base-url.
    #[arg(long, env = "EXTERNAL_WEBHOOK_SERVER_BASE_URL", value_name = "URL")]
    external_webhook_server_base_url: Option<String>,
    /// The port of the webhook door.
    #[arg(long, env = "PORT", default_value_t = 8080, value_name = "N")]
    port: u16,
    /// The address of the webhook door.
    #[arg(long, env = "BIND_ADDRESS", default_value = "0.0.0.0", value_name = "ADDR")]
    bind_address: IpAddr,
    /// Do TLS at the webhook door, with the certificate of the next two.
    #[arg(long, env = "TLS_ENABLED", value_name = "BOOL", action = ArgAction::Set, num_args = 0..=1, require_equals = true,
          default_value = "false", default_missing_value = "true", value_parser = truth)]
    tls_enabled: bool,
    /// The file with the certificate, as PEM. It is read again when it changes.
    #[arg(long, env = "TLS_CERT_PATH", value_name = "FILE")]
    tls_cert_path: Option<PathBuf>,
    /// The file with the certificate's private key, as PEM.
    #[arg(long, env = "TLS_KEY_PATH", value_name = "FILE")]
    tls_key_path: Option<PathBuf>,
    /// How long the end may take when the process is told to stop: first the webhook door stays open for --shutdown-delay, and then
    /// requests that have begun may go on.
    #[arg(long, env = "GRACEFUL_SHUTDOWN_TIMEOUT", default_value = "30s", value_name = "DURATION", value_parser = duration)]
    graceful_shutdown_timeout: Duration,
    /// Kargo's own namespace. Nothing that is done here depends on it.
    #[arg(long, env = "KARGO_NAMESPACE", value_name = "NAME")]
    kargo_namespace: Option<String>,
    /// Without effect: so many requests are made at once, and the API server says when that is too much.
    #[arg(long, env = "KUBE_API_QPS", value_name = "N")]
    kube_api_qps: Option<String>,
    /// Without effect, like --kube-api-qps.
    #[arg(long, env = "KUBE_API_BURST", value_name = "N")]
    kube_api_burst: Option<String>,
    /// The folder for the journal, the catalog and the admin socket; made if it does not exist.
    #[arg(long, env = "LANDFALL_DATA_DIR", default_value = DATA_DIR, value_name = "DIR")]
    data_dir: PathBuf,
    #[command(flatten)]
    listeners: ListenerArgs,
    #[command(flatten)]
    api_server: KubernetesArgs,
    #[command(flatten)]
    server: ServerArgs,
    /// How to log: console or json.
    #[arg(long, env = "LOG_FORMAT", default_value = "console", value_name = "FORMAT", value_parser = log_format)]
    log_format: LogFormat,
    /// What to log: discard, error, info, debug or trace.
    #[arg(long, env = "LOG_LEVEL", default_value = "info", value_name = "LEVEL", value_parser = log_filter)]
    log_level: String,
    #[command(flatten)]
    secrets: SecretArgs,
}

impl ExternalWebhooksServerArgs {
    pub(super) fn run(self) -> anyhow::Result<()> {
        let notes = self.notes();
        server::run(self.meaning()?, &notes)
    }

    /// What whoever started it should know.
    fn notes(&self) -> Vec<String> {
        let mut notes = Vec::new();
        let idle = [
            ("KUBE_API_QPS", &self.kube_api_qps),
            ("KUBE_API_BURST", &self.kube_api_burst),
        ];
        let idle: Vec<&str> = idle
            .iter()
            .filter(|(_, value)| value.is_some())
            .map(|(name, _)| *name)
            .collect();
        if !idle.is_empty() {
            notes.push(format!("these settings have no effect: {}", idle.join(", ")));
        }
        if self.data_dir.as_os_str() == DATA_DIR && !self.server.has_database() {
            notes.push(format!(
                "the journal is in {DATA_DIR} and ends with the pod; mount a volume, and name it by --data-dir or LANDFALL_DATA_DIR"
            ));
        }
        notes
    }

    fn meaning(self) -> Result<Config, UsageError> {
        let tls = self.tls()?;
        let linger = self
            .server
            .shutdown_delay()
            .unwrap_or(LINGER)
            .min(self.graceful_shutdown_timeout);
        let server = match self.external_webhook_server_base_url.filter(|url| !url.is_empty()) {
            Some(url) => {
                server::base_url_of("EXTERNAL_WEBHOOK_SERVER_BASE_URL", &url)?;
                self.server.at_base_url(url)
            }
            None if self.server.has_base_url() => self.server,
            None => {
                let missing = "EXTERNAL_WEBHOOK_SERVER_BASE_URL is missing: set it to where senders reach this server, for example \
                               https://hooks.example.com";
                return Err(UsageError(missing.to_owned()));
            }
        };
        let mut config = server.meaning(Own {
            // As Kargo's own, it may write no Lease; and what it writes, several may write.
            alone: self.api_server.serves_warehouses().then(|| self.api_server.alone()),
            resources: Place::Kubernetes(self.api_server.options()?),
            data_dir: self.data_dir,
            listen: Some(SocketAddr::new(self.bind_address, self.port).into()),
            tls,
            http2: false,
            probes: self.listeners.probes()?,
            metrics: self.listeners.metrics()?,
            webhook_secrets: self.secrets.lenient_sources(),
            rate_limit_per_hour: None,
            log_format: self.log_format,
            log_level: self.log_level,
        })?;
        // Kubernetes ends the pod when that is over, whatever it was for.
        config.limits.linger = linger;
        config.limits.drain = self.graceful_shutdown_timeout - linger;
        Ok(config)
    }

    /// TLS as Go does it where nobody says more: 1.2 and 1.3.
    fn tls(&self) -> Result<Option<TlsSettings>, UsageError> {
        if !self.tls_enabled {
            return Ok(None);
        }
        let named = |path: &Option<PathBuf>| path.clone().filter(|path| !path.as_os_str().is_empty());
        let (Some(certificate), Some(key)) = (named(&self.tls_cert_path), named(&self.tls_key_path)) else {
            return Err(UsageError(
                "TLS_ENABLED needs TLS_CERT_PATH and TLS_KEY_PATH".to_owned(),
            ));
        };
        let typed = Typed {
            min: "1.2",
            max: "1.3",
            ciphers: "",
        };
        let files = CertificateFiles {
            certificate,
            key,
            named: true,
        };
        TlsSettings::parse(typed, files)
            .map(Some)
            .map_err(|error| UsageError(error.to_string()))
    }
}

/// The filter of a level of Kargo's. Details are those of landfall alone: the libraries' would drown them.
fn log_filter(level: &str) -> Result<String, String> {
    match level.to_lowercase().as_str() {
        "discard" => Ok("off".to_owned()),
        "error" => Ok("error".to_owned()),
        "warn" | "warning" => Ok("warn".to_owned()),
        "info" | "" => Ok("info".to_owned()),
        "debug" => Ok("info,landfall=debug".to_owned()),
        "trace" => Ok("info,landfall=trace".to_owned()),
        _ => Err("it is one of discard, error, info, debug and trace".to_owned()),
    }
}

fn log_format(format: &str) -> Result<LogFormat, String> {
    match format.to_lowercase().as_str() {
        "console" | "" => Ok(LogFormat::Text),
        "json" => Ok(LogFormat::Json),
        _ => Err("it is either console or json".to_owned()),
    }
}

#[cfg(test)]
mod tests;
