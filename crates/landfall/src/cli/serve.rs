//! `landfall serve`: what can be set, and what is meant by it.

use std::path::PathBuf;

use clap::{Args, ValueEnum};

use super::UsageError;
use super::kubernetes::PlaceArgs;
use super::listeners::ListenerArgs;
use super::secrets::SecretArgs;
use super::server::{self, Own, ServerArgs};
use super::tls::TlsArgs;
use crate::config::{Config, LogFormat};
use crate::server::ListenAddress;

/// The folder with the resources where nobody names one.
const MANIFESTS: &str = "manifests";

/// Receive deliveries and follow them up, with resources from a folder of manifests or from Kubernetes.
///
/// Reads ProjectConfigs, ClusterConfigs, Warehouses and Secrets, and follows their changes. Senders post to the URLs that
/// `landfall receivers` prints. With a folder, registries are asked, and statuses are kept beside the journal. With
/// Kubernetes, Warehouses are refreshed by their annotation kargo.akuity.io/refresh, and whoever serves them asks.
///
/// Examples:
///   landfall serve --manifests examples/quickstart
///   landfall serve --manifests /etc/landfall --data-dir /var/lib/landfall --base-url https://hooks.example.com
///   landfall serve --kubernetes --data-dir /var/lib/landfall --base-url https://hooks.example.com
///   DOCKER_WEBHOOK_SECRET=s3cret landfall serve --registry-mirror docker.io=http://127.0.0.1:5000
#[derive(Args, Debug)]
#[command(verbatim_doc_comment, after_long_help = super::secrets::HELP)]
#[allow(rustdoc::bare_urls, reason = "the comment is the help, with a shell's examples")]
pub(super) struct ServeArgs {
    /// The folder with the resources, as YAML or JSON; it is read with its subfolders, and watched.
    #[arg(long, env = "LANDFALL_MANIFESTS", default_value = MANIFESTS, value_name = "DIR")]
    manifests: PathBuf,
    #[command(flatten)]
    place: PlaceArgs,
    /// The folder for the journal, the catalog and the admin socket; made if it does not exist.
    #[arg(long, env = "LANDFALL_DATA_DIR", default_value = "landfall-data", value_name = "DIR")]
    data_dir: PathBuf,
    /// The address of the webhook door; :8080 is every address. Others than loopback do TLS, unless --disable-tls is there.
    #[arg(long, env = "LANDFALL_LISTEN", default_value = "127.0.0.1:8080", value_name = "ADDR",
          value_parser = ListenAddress::parse)]
    listen: ListenAddress,
    #[command(flatten)]
    tls: TlsArgs,
    #[command(flatten)]
    listeners: ListenerArgs,
    /// How many deliveries of the door by type are followed up in an hour. Its senders get their answer all the same, and
    /// what has to wait is kept in the journal; 0 is no limit.
    #[arg(long, env = "WEBHOOK_RATELIMIT_ALLOWED", default_value_t = 0, value_name = "N")]
    webhook_ratelimit_allowed: u32,
    #[command(flatten)]
    server: ServerArgs,
    /// How to log.
    #[arg(long, env = "LANDFALL_LOG_FORMAT", value_enum, default_value = "text")]
    log_format: LogFormatArg,
    /// What to log: error, warn, info, debug, trace, or a filter such as `info,landfall::registry=debug`.
    #[arg(long, env = "LANDFALL_LOG", default_value = "info", value_name = "FILTER")]
    log_level: String,
    #[command(flatten)]
    secrets: SecretArgs,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum LogFormatArg {
    /// For people.
    Text,
    /// For programs, one object a line.
    Json,
}

impl ServeArgs {
    pub(super) fn run(self) -> anyhow::Result<()> {
        let notes = self.notes();
        server::run(self.meaning()?, &notes)
    }

    /// What whoever started it should know.
    fn notes(&self) -> Vec<String> {
        let mut notes = Vec::new();
        let idle = self.place.idle();
        if !idle.is_empty() {
            let idle = idle.join(", ");
            notes.push(format!("without --kubernetes these settings have no effect: {idle}"));
        }
        if self.place.is_kubernetes() && self.manifests.as_os_str() != MANIFESTS {
            let folder = self.manifests.display();
            notes.push(format!(
                "with --kubernetes no folder is read: --manifests {folder} has no effect"
            ));
        }
        notes
    }

    fn meaning(self) -> Result<Config, UsageError> {
        let (resources, alone) = self.place.meaning(|| Ok(self.manifests))?;
        let http2 = self.tls.enable_http2;
        let tls = self.tls.at(&self.listen)?;
        self.server.meaning(Own {
            resources,
            alone,
            data_dir: self.data_dir,
            listen: Some(self.listen),
            tls,
            http2,
            probes: self.listeners.probes()?,
            metrics: self.listeners.metrics()?,
            webhook_secrets: self.secrets.sources()?,
            rate_limit_per_hour: (self.webhook_ratelimit_allowed > 0).then_some(self.webhook_ratelimit_allowed),
            log_format: match self.log_format {
                LogFormatArg::Text => LogFormat::Text,
                LogFormatArg::Json => LogFormat::Json,
            },
            log_level: self.log_level,
        })
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Parser, Debug)]
    struct Typed {
        #[command(flatten)]
        args: ServeArgs,
    }

    #[test]
    fn settings_of_the_other_place_are_named() {
        let notes = |words: &[&str]| {
            let words = std::iter::once("serve").chain(words.iter().copied());
            Typed::try_parse_from(words).unwrap().args.notes()
        };
        assert_eq!(notes(&["--manifests=a"]), Vec::<String>::new());
        assert_eq!(
            notes(&["--kubernetes", "--kubeconfig=a", "--shard=a"]),
            Vec::<String>::new()
        );
        assert_eq!(
            notes(&["--kubeconfig=a", "--watch-namespaces=shop", "--shard=a"]),
            ["without --kubernetes these settings have no effect: --kubeconfig, --watch-namespaces, --shard"]
        );
        assert_eq!(
            notes(&["--min-warehouse-interval=5m"]),
            ["without --kubernetes these settings have no effect: --min-warehouse-interval"]
        );
        assert_eq!(notes(&["--min-warehouse-interval="]), Vec::<String>::new());
        assert_eq!(
            notes(&["--kubernetes", "--manifests=a"]),
            ["with --kubernetes no folder is read: --manifests a has no effect"]
        );
    }
}
