//! Makes a certificate that nobody vouches for, in memory, as Image Updater does where there is none: enough to encrypt, not to
//! be recognized by.

use std::time::SystemTime;

use jiff::{SignedDuration, Timestamp};
use rcgen::{CertificateParams, DnType, ExtendedKeyUsagePurpose, KeyPair, KeyUsagePurpose, PKCS_ECDSA_P256_SHA256};
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};

use super::certificate::{Certificate, certified};

/// Who the certificate says it is.
const ORGANIZATION: &str = "Argo CD Image Updater";
const NAMES: [&str; 3] = ["localhost", "127.0.0.1", "::1"];
const LIFE: SignedDuration = SignedDuration::from_hours(365 * 24);
/// When this much is left, there is a new one. The peer's expires with the process that made it.
const RENEWED_BEFORE: SignedDuration = SignedDuration::from_hours(30 * 24);
/// Clocks differ a little; whoever looks at this one must not find it to begin in the future.
const SKEW: SignedDuration = SignedDuration::from_mins(5);

/// The libraries could not make a certificate.
#[derive(Debug, thiserror::Error)]
#[error("no self-signed certificate could be made: {0}")]
pub struct SelfSignedError(String);

/// A new certificate with a new key.
pub(super) fn make(now: Timestamp) -> Result<Certificate, SelfSignedError> {
    let failed = |error: &dyn std::fmt::Display| SelfSignedError(error.to_string());
    let expires = now + LIFE;
    let key = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256).map_err(|error| failed(&error))?;
    let mut params = CertificateParams::new(NAMES.map(str::to_owned)).map_err(|error| failed(&error))?;
    params.distinguished_name.remove(DnType::CommonName);
    params.distinguished_name.push(DnType::OrganizationName, ORGANIZATION);
    params.not_before = SystemTime::from(now - SKEW).into();
    params.not_after = SystemTime::from(expires).into();
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    let certificate = params.self_signed(&key).map_err(|error| failed(&error))?;
    let key = PrivateKeyDer::from(PrivatePkcs8KeyDer::from(key.serialize_der()));
    let key = certified(vec![certificate.der().clone()], key).map_err(|error| failed(&error))?;
    Ok(Certificate { key, expires })
}

/// Whether one that expires then is to be made anew.
pub(super) fn is_due(expires: Timestamp, now: Timestamp) -> bool {
    now + RENEWED_BEFORE >= expires
}

#[cfg(test)]
mod tests {
    use x509_parser::prelude::*;

    use super::super::testing::{DAY, START};
    use super::*;

    #[test]
    fn it_is_the_peers() {
        let made = make(START).unwrap();
        let der = made.key.end_entity_cert().unwrap();
        let (_, read) = parse_x509_certificate(der).unwrap();
        let names = read.subject_alternative_name().unwrap().unwrap().value;
        let names: Vec<String> = names.general_names.iter().map(ToString::to_string).collect();
        let usage = read.key_usage().unwrap().unwrap().value;
        let extended = read.extended_key_usage().unwrap().unwrap().value;
        let shown = (
            read.subject().to_string(),
            names,
            (usage.digital_signature(), usage.flags.count_ones()),
            (extended.server_auth, extended.client_auth),
            read.public_key().algorithm.algorithm.to_id_string(),
            read.public_key().parsed().unwrap().key_size(),
        );
        let expected = (
            "O=Argo CD Image Updater".to_owned(),
            vec![
                "DNSName(localhost)".to_owned(),
                "IPAddress(7f:00:00:01)".to_owned(),
                "IPAddress(00:00:00:00:00:00:00:00:00:00:00:00:00:00:00:01)".to_owned(),
            ],
            (true, 1),
            (true, false),
            "1.2.840.10045.2.1".to_owned(),
            256,
        );
        assert_eq!(shown, expected);
        assert_eq!(read.validity().not_after.timestamp(), (START + DAY * 365).as_second());
        assert_eq!(made.expires, START + DAY * 365);
    }

    #[test]
    fn it_is_made_anew_a_month_before_it_expires() {
        for (days, expected) in [(0, false), (334, false), (335, true), (365, true), (400, true)] {
            assert_eq!(
                is_due(START + DAY * 365, START + DAY * days),
                expected,
                "after {days} days"
            );
        }
    }
}
