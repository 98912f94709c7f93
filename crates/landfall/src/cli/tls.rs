//! How TLS at the webhook door is set: the flags that every command with that door has, and what is meant by them.

use std::path::PathBuf;

use clap::{ArgAction, Args};

use super::UsageError;
use crate::server::ListenAddress;
use crate::server::tls::{CertificateFiles, TlsSettings, Typed};

/// Where Image Updater's Deployment mounts the Secret with the certificate.
const CERTIFICATE: &str = "/app/config/tls/tls.crt";
/// Where it mounts the certificate's key.
const KEY: &str = "/app/config/tls/tls.key";
/// The version that is both lowest and highest where nothing is said.
const VERSION: &str = "1.3";

/// TLS at the webhook door.
#[derive(Args, Clone, Debug)]
pub(super) struct TlsArgs {
    /// Serve plain HTTP, because something in front of this server does TLS.
    #[arg(long, env = "DISABLE_TLS", value_name = "BOOL", action = ArgAction::Set, num_args = 0..=1, require_equals = true,
          default_value = "false", default_missing_value = "true", value_parser = switch)]
    disable_tls: bool,
    /// The file with the certificate and those between it and its root, as PEM. It is read again when it changes. Without
    /// the files, a certificate is made that nobody vouches for [default: /app/config/tls/tls.crt]
    #[arg(long, env = "LANDFALL_TLS_CERT", value_name = "FILE")]
    tls_cert: Option<PathBuf>,
    /// The file with the certificate's private key, as PEM [default: /app/config/tls/tls.key]
    #[arg(long, env = "LANDFALL_TLS_KEY", value_name = "FILE")]
    tls_key: Option<PathBuf>,
    /// The lowest version of TLS: 1.2 or 1.3; 1.1 means 1.2 [default: 1.3]
    #[arg(long, env = "TLS_MIN_VERSION", value_name = "VERSION")]
    tlsminversion: Option<String>,
    /// The highest version of TLS: 1.2 or 1.3 [default: 1.3]
    #[arg(long, env = "TLS_MAX_VERSION", value_name = "VERSION")]
    tlsmaxversion: Option<String>,
    /// The cipher suites of TLS 1.2, by Go's names, with colons between them; all if none are named.
    #[arg(long, env = "TLS_CIPHERS", value_name = "NAMES")]
    tlsciphers: Option<String>,
    /// Offer HTTP/2 beside HTTP/1.1.
    #[arg(long, env = "LANDFALL_ENABLE_HTTP2", value_name = "BOOL", action = ArgAction::Set, num_args = 0..=1,
          require_equals = true, default_value = "false", default_missing_value = "true", value_parser = switch)]
    pub(super) enable_http2: bool,
}

impl TlsArgs {
    /// TLS unless it is switched off, as Image Updater's commands do it.
    pub(super) fn unless_disabled(self) -> Result<Option<TlsSettings>, UsageError> {
        if self.disable_tls {
            return Ok(None);
        }
        self.settings().map(Some)
    }

    /// TLS unless it is switched off, or nobody outside can reach the address and nothing was said about TLS.
    pub(super) fn at(self, address: &ListenAddress) -> Result<Option<TlsSettings>, UsageError> {
        if self.disable_tls || (address.is_loopback() && !self.says_anything()) {
            return Ok(None);
        }
        self.settings().map(Some)
    }

    fn says_anything(&self) -> bool {
        let files = [&self.tls_cert, &self.tls_key];
        let words = [&self.tlsminversion, &self.tlsmaxversion, &self.tlsciphers];
        files.iter().any(|file| file.is_some()) || words.iter().any(|word| word.is_some())
    }

    fn settings(self) -> Result<TlsSettings, UsageError> {
        let typed = Typed {
            min: self.tlsminversion.as_deref().unwrap_or(VERSION),
            max: self.tlsmaxversion.as_deref().unwrap_or(VERSION),
            ciphers: self.tlsciphers.as_deref().unwrap_or_default(),
        };
        let certificate = CertificateFiles {
            named: self.tls_cert.is_some() || self.tls_key.is_some(),
            certificate: self.tls_cert.unwrap_or_else(|| CERTIFICATE.into()),
            key: self.tls_key.unwrap_or_else(|| KEY.into()),
        };
        TlsSettings::parse(typed, certificate).map_err(|error| UsageError(error.to_string()))
    }
}

/// A switch as Go's flags take it.
pub(super) fn switch(text: &str) -> Result<bool, String> {
    match text {
        "1" | "t" | "T" | "true" | "TRUE" | "True" => Ok(true),
        "0" | "f" | "F" | "false" | "FALSE" | "False" | "" => Ok(false),
        _ => Err("it is either true or false".to_owned()),
    }
}
