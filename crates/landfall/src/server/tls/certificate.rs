//! Decides whether a certificate and its key can be served: readable, in force, and belonging together. It reads no file, and
//! nothing that it says shows a key.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use jiff::Timestamp;
use rustls::crypto::CryptoProvider;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::sign::CertifiedKey;
use x509_parser::parse_x509_certificate;

use super::settings::CertificateFiles;

/// A certificate that can be served.
pub(super) struct Certificate {
    pub key: Arc<CertifiedKey>,
    /// When the first certificate of the chain ceases to be valid.
    pub expires: Timestamp,
}

/// Why there is no certificate that can be served.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("failed to load TLS certificate from {file}: {problem}")]
pub struct CertificateError {
    file: String,
    problem: Problem,
}

#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum Problem {
    #[error("the file cannot be read: {0}")]
    Unreadable(String),
    #[error("the file holds no certificate in PEM")]
    NoCertificate,
    #[error("certificate {0} in the file cannot be read; is the file whole?")]
    BrokenCertificate(usize),
    #[error("certificate {position} ({subject}) expired at {at}; renew it")]
    Expired {
        position: usize,
        subject: String,
        at: Timestamp,
    },
    #[error("certificate {position} ({subject}) is not valid before {at}; is the clock right?")]
    NotYetValid {
        position: usize,
        subject: String,
        at: Timestamp,
    },
    #[error("the file holds no private key in PEM that can be used; one that is encrypted cannot be")]
    NoKey,
    #[error("the private key does not belong to the certificate in {}", .0.display())]
    Mismatch(PathBuf),
    #[error("the key cannot be used for TLS; ECDSA, RSA and Ed25519 keys can be")]
    UnusableKey,
}

impl CertificateError {
    pub(super) fn new(file: &Path, problem: Problem) -> Self {
        let file = file.display().to_string();
        Self { file, problem }
    }
}

impl Certificate {
    /// Reads the content of the two files.
    pub(super) fn parse(
        files: &CertificateFiles,
        certificate: &[u8],
        key: &[u8],
        now: Timestamp,
    ) -> Result<Self, CertificateError> {
        let in_chain = |problem| CertificateError::new(&files.certificate, problem);
        let in_key = |problem| CertificateError::new(&files.key, problem);
        let chain = chain(certificate).map_err(in_chain)?;
        let expires = validity(&chain, now).map_err(in_chain)?;
        // What the library says of a broken key can quote it.
        let key = PrivateKeyDer::from_pem_slice(key).map_err(|_| in_key(Problem::NoKey))?;
        let key = certified(chain, key).map_err(|error| match error {
            rustls::Error::InconsistentKeys(_) => in_key(Problem::Mismatch(files.certificate.clone())),
            rustls::Error::InvalidCertificate(_) => in_chain(Problem::BrokenCertificate(1)),
            _ => in_key(Problem::UnusableKey),
        })?;
        Ok(Self { key, expires })
    }
}

/// Puts a chain and a key together, if they belong together.
pub(super) fn certified(
    chain: Vec<CertificateDer<'static>>,
    key: PrivateKeyDer<'static>,
) -> Result<Arc<CertifiedKey>, rustls::Error> {
    CertifiedKey::from_der(chain, key, &provider()).map(Arc::new)
}

/// The one library that does cryptography here.
pub(super) fn provider() -> CryptoProvider {
    rustls::crypto::aws_lc_rs::default_provider()
}

fn chain(pem: &[u8]) -> Result<Vec<CertificateDer<'static>>, Problem> {
    let certificates = CertificateDer::pem_slice_iter(pem).enumerate();
    let chain: Vec<_> = certificates
        .map(|(index, certificate)| certificate.map_err(|_| Problem::BrokenCertificate(index + 1)))
        .collect::<Result<_, _>>()?;
    if chain.is_empty() {
        return Err(Problem::NoCertificate);
    }
    Ok(chain)
}

/// When the first of a chain expires, if all are valid now.
fn validity(chain: &[CertificateDer<'_>], now: Timestamp) -> Result<Timestamp, Problem> {
    let mut expires = Timestamp::MAX;
    for (position, der) in (1..).zip(chain) {
        let broken = || Problem::BrokenCertificate(position);
        let (_, certificate) = parse_x509_certificate(der).map_err(|_| broken())?;
        let validity = certificate.validity();
        // A time that is out of range for us is one that no certificate is meant to have.
        let time = |time: x509_parser::time::ASN1Time| Timestamp::from_second(time.timestamp()).map_err(|_| broken());
        let (from, until) = (time(validity.not_before)?, time(validity.not_after)?);
        let subject = || certificate.subject().to_string();
        if now < from {
            return Err(Problem::NotYetValid {
                position,
                subject: subject(),
                at: from,
            });
        }
        if now > until {
            return Err(Problem::Expired {
                position,
                subject: subject(),
                at: until,
            });
        }
        expires = expires.min(until);
    }
    Ok(expires)
}

#[cfg(test)]
mod tests {
    use super::super::testing::{Chain, DAY, START, files};
    use super::*;

    fn parse(certificate: &str, key: &str, now: Timestamp) -> Result<Timestamp, String> {
        Certificate::parse(&files(), certificate.as_bytes(), key.as_bytes(), now)
            .map(|certificate| certificate.expires)
            .map_err(|error| error.to_string())
    }

    #[test]
    fn certificates_are_in_force_between_their_dates() {
        let short = Chain::of(&[("leaf", 0, 10)]);
        let chain = Chain::of(&[("leaf", 0, 10), ("middle", 1, 5), ("root", 0, 100)]);
        let crt = "failed to load TLS certificate from tls.crt: ";
        for (chain, now, expected) in [
            (&short, START, Ok(START + DAY * 10)),
            (&short, START + DAY * 10, Ok(START + DAY * 10)),
            (&chain, START + DAY * 2, Ok(START + DAY * 5)),
            (
                &short,
                START + DAY * 11,
                Err(format!(
                    "{crt}certificate 1 (CN=leaf) expired at 2026-01-11T00:00:00Z; renew it"
                )),
            ),
            (
                &short,
                START - DAY,
                Err(format!(
                    "{crt}certificate 1 (CN=leaf) is not valid before 2026-01-01T00:00:00Z; is the clock right?"
                )),
            ),
            (
                &chain,
                START + DAY * 6,
                Err(format!(
                    "{crt}certificate 2 (CN=middle) expired at 2026-01-06T00:00:00Z; renew it"
                )),
            ),
            (
                &chain,
                START,
                Err(format!(
                    "{crt}certificate 2 (CN=middle) is not valid before 2026-01-02T00:00:00Z; is the clock right?"
                )),
            ),
        ] {
            assert_eq!(parse(&chain.certificate, &chain.key, now), expected);
        }
    }

    #[test]
    fn what_cannot_be_served_is_told_without_a_key() {
        let good = Chain::of(&[("leaf", 0, 10)]);
        let other = Chain::of(&[("other", 0, 10)]);
        let (crt, key) = (
            "failed to load TLS certificate from tls.crt: ",
            "failed to load TLS certificate from tls.key: ",
        );
        let no_key =
            format!("{key}the file holds no private key in PEM that can be used; one that is encrypted cannot be");
        let no_certificate = format!("{crt}the file holds no certificate in PEM");
        let broken = |n| format!("{crt}certificate {n} in the file cannot be read; is the file whole?");
        let encrypted = good.key.replace("PRIVATE KEY", "ENCRYPTED PRIVATE KEY");
        let torn = &good.key[..good.key.len() / 2];
        let odd = good.key.replacen("MI", "!!", 1);
        let dashes = format!("-----BEGIN {}", good.key);
        let garbage = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
        let second = format!("{}{garbage}", good.certificate);
        for (name, certificate, key, expected) in [
            (
                "a key in place of the certificate",
                good.key.as_str(),
                good.key.as_str(),
                no_certificate.clone(),
            ),
            ("text", "hello", &good.key, no_certificate),
            ("garbage", garbage, &good.key, broken(1)),
            ("garbage after it", &second, &good.key, broken(2)),
            ("a torn certificate", &good.certificate[..100], &good.key, broken(1)),
            (
                "a certificate in place of the key",
                &good.certificate,
                &good.certificate,
                no_key.clone(),
            ),
            ("an encrypted key", &good.certificate, &encrypted, no_key.clone()),
            ("a torn key", &good.certificate, torn, no_key.clone()),
            ("a broken key", &good.certificate, &odd, no_key.clone()),
            ("a key with a broken beginning", &good.certificate, &dashes, no_key),
            (
                "somebody else's key",
                &good.certificate,
                &other.key,
                format!(
                    "{}the private key does not belong to the certificate in tls.crt",
                    key_prefix()
                ),
            ),
        ] {
            let error = parse(certificate, key, START).unwrap_err();
            assert_eq!(error, expected, "{name}");
            for line in good.key.lines().filter(|line| !line.starts_with("---")) {
                assert!(!error.contains(line), "{name}: {error}");
            }
        }
    }

    fn key_prefix() -> &'static str {
        "failed to load TLS certificate from tls.key: "
    }
}
