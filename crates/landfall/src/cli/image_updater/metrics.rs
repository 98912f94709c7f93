//! How metrics are served: over HTTPS unless `--metrics-secure=false` says otherwise, as the peer does it; and what the peer does
//! beyond that and we do not.

use std::path::PathBuf;

use clap::{ArgAction, Args};

use crate::cli::UsageError;
use crate::cli::tls::switch;
use crate::server::tls::{CertificateFiles, TlsSettings, Typed};

/// What whoever relies on the peer's second half of `--metrics-secure` has to know.
pub(super) const NOTE: &str = "--metrics-secure: metrics are served over HTTPS to everybody who reaches their address; unlike \
                               Image Updater, this version asks no API server whether they may be read";

#[derive(Args, Debug)]
pub(super) struct MetricsArgs {
    /// Serve metrics over HTTPS, with TLS 1.2 or 1.3. Whoever reaches the address may read them: no API server is asked.
    #[arg(long, value_name = "BOOL", action = ArgAction::Set, num_args = 0..=1, require_equals = true,
          default_value = "true", default_missing_value = "true", value_parser = switch)]
    metrics_secure: bool,
    /// The folder with the certificate of the metrics, tls.crt, and its key, tls.key. They are read again when they change.
    /// Without them, a certificate is made that nobody vouches for.
    #[arg(long, env = "LANDFALL_METRICS_CERT_PATH", value_name = "DIR")]
    metrics_cert_path: Option<PathBuf>,
}

impl MetricsArgs {
    /// How they are served; `None` for plain HTTP.
    pub(super) fn tls(self) -> Result<Option<TlsSettings>, UsageError> {
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
