//! Names the cipher suites that can be asked for, as Go names those that it counts as secure; it does not know a library.

use super::settings::Unsupported;
use super::version::Version;

/// A cipher suite of TLS 1.2 that can be chosen. Those of TLS 1.3 cannot be: where 1.3 is served, all are, as in Go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cipher {
    EcdheEcdsaAes128Gcm,
    EcdheEcdsaAes256Gcm,
    EcdheEcdsaChacha20,
    EcdheRsaAes128Gcm,
    EcdheRsaAes256Gcm,
    EcdheRsaChacha20,
}

/// What a name can stand for.
enum Named {
    /// Only in TLS 1.2, and served.
    Served(Cipher),
    /// In TLS 1.2 and before. They have had one attack after the other, and the library that does TLS here leaves them out.
    Cbc,
    /// Only in TLS 1.3.
    V1_3,
}

const NAMES: [(&str, Named); 13] = [
    ("TLS_AES_128_GCM_SHA256", Named::V1_3),
    ("TLS_AES_256_GCM_SHA384", Named::V1_3),
    ("TLS_CHACHA20_POLY1305_SHA256", Named::V1_3),
    ("TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA", Named::Cbc),
    ("TLS_ECDHE_ECDSA_WITH_AES_256_CBC_SHA", Named::Cbc),
    ("TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA", Named::Cbc),
    ("TLS_ECDHE_RSA_WITH_AES_256_CBC_SHA", Named::Cbc),
    (
        "TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256",
        Named::Served(Cipher::EcdheEcdsaAes128Gcm),
    ),
    (
        "TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384",
        Named::Served(Cipher::EcdheEcdsaAes256Gcm),
    ),
    (
        "TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256",
        Named::Served(Cipher::EcdheEcdsaChacha20),
    ),
    (
        "TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256",
        Named::Served(Cipher::EcdheRsaAes128Gcm),
    ),
    (
        "TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384",
        Named::Served(Cipher::EcdheRsaAes256Gcm),
    ),
    (
        "TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256",
        Named::Served(Cipher::EcdheRsaChacha20),
    ),
];

impl Cipher {
    /// Reads names with colons between them. Each must stand for a suite that the lowest version has.
    pub(super) fn parse_list(text: &str, lowest: Version) -> Result<Vec<Self>, Unsupported> {
        let names = text.split(':').map(str::trim).filter(|name| !name.is_empty());
        names.map(|name| Self::parse(name, lowest)).collect()
    }

    fn parse(name: &str, lowest: Version) -> Result<Self, Unsupported> {
        let (known, named) = NAMES
            .iter()
            .find(|(known, _)| *known == name)
            .ok_or_else(|| Unsupported::Cipher(name.to_owned()))?;
        match named {
            Named::Cbc => Err(Unsupported::Cbc(known)),
            Named::Served(cipher) if lowest == Version::V1_2 => Ok(*cipher),
            Named::Served(_) | Named::V1_3 => Err(Unsupported::CipherOfVersion(known, lowest)),
        }
    }
}
