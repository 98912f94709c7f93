//! Decides what TLS to serve from what was typed, by Image Updater's rules and in its words; it touches no file and no library.

use std::path::PathBuf;

use super::cipher::Cipher;
use super::version::Version;

/// What was typed.
#[derive(Clone, Copy, Debug)]
pub struct Typed<'a> {
    /// Such as `1.3`; nothing for Go's own choice, as with `max`.
    pub min: &'a str,
    pub max: &'a str,
    /// Names with colons between them; nothing for all.
    pub ciphers: &'a str,
}

/// The TLS to serve.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TlsSettings {
    pub versions: Versions,
    /// The suites of TLS 1.2 to offer; empty for all.
    pub ciphers: Vec<Cipher>,
    pub certificate: CertificateFiles,
    /// What was typed and is not done, in sentences for the log.
    pub warnings: Vec<String>,
}

/// The versions that are served.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Versions {
    Only1_2,
    Only1_3,
    Both,
}

/// Where the certificate is. The files may be missing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CertificateFiles {
    /// The certificate, followed by those between it and its root, as PEM.
    pub certificate: PathBuf,
    /// Its private key, as PEM.
    pub key: PathBuf,
    /// Whether somebody said where they are. Whoever did misses them where they are not.
    pub named: bool,
}

impl CertificateFiles {
    /// No files, where a certificate of our own is all that is wanted: an empty path names nothing.
    pub fn none() -> Self {
        Self {
            certificate: PathBuf::new(),
            key: PathBuf::new(),
            named: false,
        }
    }
}

/// What was typed cannot be served.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("failed to configure TLS: {0}")]
pub struct SettingsError(Problem);

#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
enum Problem {
    #[error("invalid --tlsminversion: {0}")]
    Min(Unsupported),
    #[error("invalid --tlsmaxversion: {0}")]
    Max(Unsupported),
    #[error("invalid --tlsciphers: {0}")]
    Ciphers(Unsupported),
    #[error("--tlsminversion {0} is higher than --tlsmaxversion {1}")]
    Order(Version, Version),
}

/// A word that stands for nothing that is served.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum Unsupported {
    #[error("unsupported TLS version: {0:?} (supported: 1.1, 1.2, 1.3)")]
    Version(String),
    #[error(
        "TLS 1.1 is not secure and landfall does not have it; 1.2 is the lowest version that can be the highest one"
    )]
    TooOld,
    #[error("unsupported TLS cipher suite: {0:?}")]
    Cipher(String),
    #[error(
        "the TLS cipher suite {0:?} is not secure and landfall does not have it; those with GCM and CHACHA20 can be chosen"
    )]
    Cbc(&'static str),
    #[error("the TLS cipher suite {0:?} does not exist in TLS {1}, the minimum version")]
    CipherOfVersion(&'static str, Version),
}

impl TlsSettings {
    /// What is meant by what was typed.
    pub fn parse(typed: Typed<'_>, certificate: CertificateFiles) -> Result<Self, SettingsError> {
        let Typed { min, max, ciphers } = typed;
        let min = Version::parse(min).map_err(|problem| SettingsError(Problem::Min(problem)))?;
        let max = Version::parse(max).map_err(|problem| SettingsError(Problem::Max(problem)))?;
        // What Go takes where nothing is said.
        let (min, max) = (min.unwrap_or(Version::V1_2), max.unwrap_or(Version::V1_3));
        if min > max {
            return Err(SettingsError(Problem::Order(min, max)));
        }
        let mut warnings = Vec::new();
        if min == Version::V1_1 {
            let warning =
                "--tlsminversion 1.1: TLS 1.1 is not secure and landfall does not have it; 1.2 is the minimum";
            warnings.push(warning.to_owned());
        }
        let ciphers = if min == Version::V1_3 {
            if !ciphers.trim().is_empty() {
                warnings.push("--tlsciphers is ignored: the cipher suites of TLS 1.3 cannot be chosen".to_owned());
            }
            Vec::new()
        } else {
            Cipher::parse_list(ciphers, min).map_err(|problem| SettingsError(Problem::Ciphers(problem)))?
        };
        let versions = match (min, max) {
            (_, Version::V1_1) => return Err(SettingsError(Problem::Max(Unsupported::TooOld))),
            (Version::V1_3, _) => Versions::Only1_3,
            (_, Version::V1_2) => Versions::Only1_2,
            (_, Version::V1_3) => Versions::Both,
        };
        Ok(Self {
            versions,
            ciphers,
            certificate,
            warnings,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn files() -> CertificateFiles {
        CertificateFiles {
            certificate: "tls.crt".into(),
            key: "tls.key".into(),
            named: false,
        }
    }

    fn parse(min: &str, max: &str, ciphers: &str) -> Result<TlsSettings, String> {
        TlsSettings::parse(Typed { min, max, ciphers }, files()).map_err(|error| error.to_string())
    }

    fn settings(versions: Versions, ciphers: &[Cipher], warnings: &[&str]) -> TlsSettings {
        TlsSettings {
            versions,
            ciphers: ciphers.to_vec(),
            certificate: files(),
            warnings: warnings.iter().map(|&warning| warning.to_owned()).collect(),
        }
    }

    const OLD: &str = "--tlsminversion 1.1: TLS 1.1 is not secure and landfall does not have it; 1.2 is the minimum";
    const IGNORED: &str = "--tlsciphers is ignored: the cipher suites of TLS 1.3 cannot be chosen";
    const ECDSA: &str = "TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384";

    #[test]
    fn what_can_be_served() {
        for (min, max, ciphers, expected) in [
            ("1.3", "1.3", "", settings(Versions::Only1_3, &[], &[])),
            ("1.2", "1.3", "", settings(Versions::Both, &[], &[])),
            ("tls1.2", " TLS1.2", "", settings(Versions::Only1_2, &[], &[])),
            ("1.1", "1.3", "", settings(Versions::Both, &[], &[OLD])),
            ("1.1", "1.2", "", settings(Versions::Only1_2, &[], &[OLD])),
            ("", "", "", settings(Versions::Both, &[], &[])),
            ("", "1.2", "", settings(Versions::Only1_2, &[], &[])),
            ("1.3", "", "", settings(Versions::Only1_3, &[], &[])),
            ("1.3", "1.3", ECDSA, settings(Versions::Only1_3, &[], &[IGNORED])),
            ("1.3", "1.3", "nonsense", settings(Versions::Only1_3, &[], &[IGNORED])),
            ("1.3", "1.3", " ", settings(Versions::Only1_3, &[], &[])),
            (
                "1.2",
                "1.3",
                ECDSA,
                settings(Versions::Both, &[Cipher::EcdheEcdsaAes256Gcm], &[]),
            ),
            (
                "1.2",
                "1.2",
                ":TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256:: TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256 :",
                settings(
                    Versions::Only1_2,
                    &[Cipher::EcdheRsaChacha20, Cipher::EcdheRsaAes128Gcm],
                    &[],
                ),
            ),
        ] {
            assert_eq!(parse(min, max, ciphers), Ok(expected), "{min:?} {max:?} {ciphers:?}");
        }
    }

    #[test]
    fn what_cannot_be_served() {
        let old = "TLS 1.1 is not secure and landfall does not have it; 1.2 is the lowest version that can be the highest one";
        for (min, max, ciphers, expected) in [
            (
                "1.0",
                "1.3",
                "",
                "invalid --tlsminversion: unsupported TLS version: \"1.0\" (supported: 1.1, 1.2, 1.3)".to_owned(),
            ),
            (
                "1.3",
                "SSL3",
                "",
                "invalid --tlsmaxversion: unsupported TLS version: \"SSL3\" (supported: 1.1, 1.2, 1.3)".to_owned(),
            ),
            ("1.3", "1.2", "", "--tlsminversion 1.3 is higher than --tlsmaxversion 1.2".to_owned()),
            ("1.1", "1.1", "", format!("invalid --tlsmaxversion: {old}")),
            ("", "1.1", "", "--tlsminversion 1.2 is higher than --tlsmaxversion 1.1".to_owned()),
            (
                "1.2",
                "1.3",
                "tls_aes_128_gcm_sha256",
                "invalid --tlsciphers: unsupported TLS cipher suite: \"tls_aes_128_gcm_sha256\"".to_owned(),
            ),
            (
                "1.2",
                "1.3",
                "TLS_RSA_WITH_AES_128_GCM_SHA256",
                "invalid --tlsciphers: unsupported TLS cipher suite: \"TLS_RSA_WITH_AES_128_GCM_SHA256\"".to_owned(),
            ),
            (
                "1.2",
                "1.3",
                "TLS_AES_128_GCM_SHA256",
                "invalid --tlsciphers: the TLS cipher suite \"TLS_AES_128_GCM_SHA256\" does not exist in TLS 1.2, the minimum version"
                    .to_owned(),
            ),
            (
                "1.1",
                "1.3",
                ECDSA,
                format!("invalid --tlsciphers: the TLS cipher suite \"{ECDSA}\" does not exist in TLS 1.1, the minimum version"),
            ),
            (
                "1.2",
                "1.2",
                "TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA",
                "invalid --tlsciphers: the TLS cipher suite \"TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA\" is not secure and landfall \
                 does not have it; those with GCM and CHACHA20 can be chosen"
                    .to_owned(),
            ),
        ] {
            let expected = format!("failed to configure TLS: {expected}");
            assert_eq!(parse(min, max, ciphers), Err(expected), "{min:?} {max:?} {ciphers:?}");
        }
    }
}
