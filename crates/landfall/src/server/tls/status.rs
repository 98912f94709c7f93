//! Which certificate is in force, as one value that is swapped as a whole: connections take theirs from it, and probes and
//! metrics what they show.

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;

use arc_swap::ArcSwap;
use jiff::Timestamp;
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;

/// A handle to the certificate in force; cheap to clone, and to read.
#[derive(Clone)]
pub struct CertificateStatus(pub(super) Arc<ArcSwap<InForce>>);

/// The certificate in force, and how it came to be.
#[derive(Clone)]
pub struct InForce {
    pub(super) key: Arc<CertifiedKey>,
    pub source: Source,
    /// When the first certificate of its chain ceases to be valid.
    pub expires: Timestamp,
    /// Why what the files hold now is not in force, or what else somebody should do something about.
    pub problem: Option<String>,
}

/// Where a certificate comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Source {
    /// This file, and its key's.
    File(PathBuf),
    /// We made it ourselves, for want of files.
    SelfSigned,
}

impl CertificateStatus {
    /// What is in force now.
    pub fn current(&self) -> Arc<InForce> {
        self.0.load_full()
    }
}

impl InForce {
    /// Whole days until it expires; negative from the day on that it has.
    pub fn days_left(&self, now: Timestamp) -> i64 {
        self.expires.duration_since(now).as_secs().div_euclid(24 * 60 * 60)
    }
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(path) => write!(f, "from {}", path.display()),
            Self::SelfSigned => f.write_str("self-signed"),
        }
    }
}

/// The library asks for a key with each handshake. Its own `Debug` would be that of the key.
impl fmt::Debug for CertificateStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "CertificateStatus({})", self.0.load().source)
    }
}

impl ResolvesServerCert for CertificateStatus {
    fn resolve(&self, _hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(self.0.load().key.clone())
    }
}
