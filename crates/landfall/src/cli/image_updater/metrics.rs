//! How metrics are served and to whom: over HTTPS, for whom an API server lets read them, unless `--metrics-secure=false` says
//! otherwise, as the peer does it.

use std::path::PathBuf;

use clap::{ArgAction, Args};

use crate::cli::UsageError;
use crate::cli::listeners::optional_address;
use crate::cli::tls::switch;
use crate::config::{MetricsListener, MetricsReaders};
use crate::server::tls::{CertificateFiles, TlsSettings, Typed};

#[derive(Args, Debug)]
pub(super) struct MetricsArgs {
    /// Where metrics are served; 0 for nowhere.
    #[arg(long, default_value = "0", value_name = "ADDR")]
    metrics_bind_address: String,
    /// Serve metrics over HTTPS, with TLS 1.2 or 1.3, and only to whom the API server lets get /metrics; outside of Kubernetes, to
    /// everybody. Without it, to everybody in plain HTTP.
    #[arg(long, value_name = "BOOL", action = ArgAction::Set, num_args = 0..=1, require_equals = true,
          default_value = "true", default_missing_value = "true", value_parser = switch)]
    metrics_secure: bool,
    /// Ask the API server whether whoever reads metrics over HTTPS may. Without it, everybody may who reaches the address.
    #[arg(long, env = "LANDFALL_METRICS_AUTHORIZATION", value_name = "BOOL", action = ArgAction::Set, num_args = 0..=1,
          require_equals = true, default_value = "true", default_missing_value = "true", value_parser = switch)]
    metrics_authorization: bool,
    /// The folder with the certificate of the metrics, tls.crt, and its key, tls.key. They are read again when they change.
    /// Without them, a certificate is made that nobody vouches for.
    #[arg(long, env = "LANDFALL_METRICS_CERT_PATH", value_name = "DIR")]
    metrics_cert_path: Option<PathBuf>,
}

impl MetricsArgs {
    /// Where, how and to whom they are served; whom to ask, a kubeconfig may say.
    pub(super) fn meaning(self, kubeconfig: Option<PathBuf>) -> Result<Option<MetricsListener>, UsageError> {
        let Some(address) = optional_address("metrics-bind-address", &self.metrics_bind_address)? else {
            return Ok(None);
        };
        let readers = match self.metrics_secure && self.metrics_authorization {
            true => MetricsReaders::Authorized { kubeconfig },
            false => MetricsReaders::Everybody,
        };
        Ok(Some(MetricsListener {
            address,
            tls: self.tls()?,
            readers,
        }))
    }

    /// How they are served; `None` for plain HTTP.
    fn tls(self) -> Result<Option<TlsSettings>, UsageError> {
        if !self.metrics_secure {
            return Ok(None);
        }
        let folder = self.metrics_cert_path.filter(|folder| !folder.as_os_str().is_empty());
        let files = folder.map_or_else(CertificateFiles::none, |folder| CertificateFiles {
            certificate: folder.join("tls.crt"),
            key: folder.join("tls.key"),
            named: true,
        });
        // What Go serves where nothing is said: the flags for versions and suites are the webhook door's.
        let typed = Typed {
            min: "",
            max: "",
            ciphers: "",
        };
        let settings = TlsSettings::parse(typed, files).map_err(|error| UsageError(error.to_string()))?;
        Ok(Some(settings))
    }
}
