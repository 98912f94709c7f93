//! Makes of settings and a certificate what connections are served with; it keeps no connection.

use std::sync::Arc;

use rustls::crypto::CryptoProvider;
use rustls::server::ServerConfig;
use rustls::{CipherSuite, SupportedCipherSuite, SupportedProtocolVersion, version};
use tokio_rustls::TlsAcceptor;

use super::cipher::Cipher;
use super::keeper::{Keeper, StartError};
use super::settings::{TlsSettings, Versions};
use super::status::CertificateStatus;

/// TLS that can be served.
#[derive(Clone)]
pub struct Tls {
    pub(in crate::server) acceptor: TlsAcceptor,
    status: CertificateStatus,
}

impl Tls {
    /// Reads the certificate and keeps it current from then on, on a thread of its own. Says in the log what was asked for and
    /// is not done.
    pub fn start(settings: TlsSettings, http2: bool) -> Result<Self, StartError> {
        for warning in &settings.warnings {
            tracing::warn!("{warning}");
        }
        let (keeper, status) = Keeper::open(settings.certificate.clone(), crate::clock::now())?;
        let config =
            server_config(&settings, http2, status.clone()).map_err(|error| StartError::Library(error.to_string()))?;
        keeper.start()?;
        Ok(Self {
            acceptor: TlsAcceptor::from(Arc::new(config)),
            status,
        })
    }

    /// A handle to the certificate in force.
    pub fn status(&self) -> CertificateStatus {
        self.status.clone()
    }
}

fn server_config(
    settings: &TlsSettings,
    http2: bool,
    certificate: CertificateStatus,
) -> Result<ServerConfig, rustls::Error> {
    let offered = CryptoProvider {
        cipher_suites: suites(&settings.ciphers),
        ..super::certificate::provider()
    };
    let mut config = ServerConfig::builder_with_provider(Arc::new(offered))
        .with_protocol_versions(&versions(settings.versions))?
        .with_no_client_auth()
        .with_cert_resolver(Arc::new(certificate));
    config.alpn_protocols = if http2 {
        vec![b"h2".to_vec(), b"http/1.1".to_vec()]
    } else {
        vec![b"http/1.1".to_vec()]
    };
    Ok(config)
}

fn versions(versions: Versions) -> Vec<&'static SupportedProtocolVersion> {
    match versions {
        Versions::Only1_2 => vec![&version::TLS12],
        Versions::Only1_3 => vec![&version::TLS13],
        Versions::Both => vec![&version::TLS13, &version::TLS12],
    }
}

/// The suites to offer: all of TLS 1.3, as with Go, and the chosen ones of TLS 1.2. The library leaves out those of versions
/// that are not served.
fn suites(chosen: &[Cipher]) -> Vec<SupportedCipherSuite> {
    let chosen: Vec<CipherSuite> = chosen.iter().map(|cipher| suite(*cipher)).collect();
    let mut suites = super::certificate::provider().cipher_suites;
    suites.retain(|suite| suite.tls13().is_some() || chosen.is_empty() || chosen.contains(&suite.suite()));
    suites
}

fn suite(cipher: Cipher) -> CipherSuite {
    match cipher {
        Cipher::EcdheEcdsaAes128Gcm => CipherSuite::TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256,
        Cipher::EcdheEcdsaAes256Gcm => CipherSuite::TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384,
        Cipher::EcdheEcdsaChacha20 => CipherSuite::TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256,
        Cipher::EcdheRsaAes128Gcm => CipherSuite::TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256,
        Cipher::EcdheRsaAes256Gcm => CipherSuite::TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384,
        Cipher::EcdheRsaChacha20 => CipherSuite::TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256,
    }
}
