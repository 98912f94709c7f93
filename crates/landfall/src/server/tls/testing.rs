//! Certificates for tests, made with chosen times of validity.

use std::time::SystemTime;

use jiff::{SignedDuration, Timestamp};
use rcgen::{CertificateParams, DnType, KeyPair};

use super::settings::CertificateFiles;

/// 2026-01-01T00:00:00Z.
pub(super) const START: Timestamp = Timestamp::constant(1_767_225_600, 0);
pub(super) const DAY: SignedDuration = SignedDuration::from_hours(24);

/// Names of files that are not there.
pub(super) fn files() -> CertificateFiles {
    CertificateFiles {
        certificate: "tls.crt".into(),
        key: "tls.key".into(),
        named: false,
    }
}

/// A file with certificates, and one with the first one's key.
pub(super) struct Chain {
    pub certificate: String,
    pub key: String,
}

impl Chain {
    /// Certificates by name, each with the days after [`START`] between which it is valid. Each signs itself: what a client
    /// makes of that is not what is tested with them.
    pub(super) fn of(certificates: &[(&str, i32, i32)]) -> Self {
        let mut chain = Self {
            certificate: String::new(),
            key: String::new(),
        };
        for &(name, from, until) in certificates {
            let key = KeyPair::generate().unwrap();
            let mut params = CertificateParams::new(vec![name.to_owned()]).unwrap();
            params.distinguished_name.remove(DnType::CommonName);
            params.distinguished_name.push(DnType::CommonName, name);
            params.not_before = SystemTime::from(START + DAY * from).into();
            params.not_after = SystemTime::from(START + DAY * until).into();
            let certificate = params.self_signed(&key).unwrap();
            chain.certificate += &certificate.pem();
            if chain.key.is_empty() {
                chain.key = key.serialize_pem();
            }
        }
        chain
    }
}
