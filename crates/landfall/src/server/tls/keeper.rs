//! Keeps the certificate in force current: reads the files again and again, puts what is good in force, keeps what is in force
//! where it is not, and makes a self-signed one anew in time.
//!
//! The files are read every few seconds rather than watched: a mounted Secret changes by the swap of a link above the files,
//! and a volume over the network tells nothing. They are small.

use std::io;
use std::sync::{Arc, Weak};
use std::thread;
use std::time::Duration;

use arc_swap::ArcSwap;
use jiff::Timestamp;

use super::certificate::{Certificate, CertificateError};
use super::contents::Contents;
use super::self_signed::{self, SelfSignedError};
use super::settings::CertificateFiles;
use super::status::{CertificateStatus, InForce, Source};

/// How often the files are read.
const PERIOD: Duration = Duration::from_secs(2);
/// With fewer days left, the log says so once a day: by then, whoever renews certificates has failed.
const FEW_DAYS: i64 = 7;

/// TLS cannot be served.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    #[error(transparent)]
    Certificate(#[from] CertificateError),
    #[error(transparent)]
    SelfSigned(#[from] SelfSignedError),
    #[error("no thread to keep the TLS certificate current: {0}")]
    Thread(#[from] io::Error),
    #[error("failed to configure TLS: {0}")]
    Library(String),
}

/// Reads the files and puts what they hold in force.
pub(super) struct Keeper {
    files: CertificateFiles,
    /// Shared with connections and probes; when they are gone, there is nothing to keep.
    in_force: Weak<ArcSwap<InForce>>,
    /// What the files held when they were last found good.
    good: Option<Contents>,
    /// What they held at the last look.
    seen: Contents,
    /// The number of days left that was last warned of.
    warned: Option<i64>,
}

impl Keeper {
    /// Reads the files for the first time, when what is wrong with them is an error.
    pub(super) fn open(files: CertificateFiles, now: Timestamp) -> Result<(Self, CertificateStatus), StartError> {
        let seen = Contents::read(&files);
        let (first, good) = match &seen {
            Contents::Both { certificate, key } => {
                let certificate = Certificate::parse(&files, certificate, key, now)?;
                (from_files(&files, certificate), Some(seen.clone()))
            }
            Contents::Missing(missing) => (own(now, missing.problem(&files))?, None),
            Contents::Unreadable(error) => return Err(error.clone().into()),
        };
        report(&first, None);
        let status = CertificateStatus(Arc::new(ArcSwap::from_pointee(first)));
        let keeper = Self {
            files,
            in_force: Arc::downgrade(&status.0),
            good,
            seen,
            warned: None,
        };
        Ok((keeper, status))
    }

    /// Looks again and again, on a thread of its own, for as long as somebody has the status.
    pub(super) fn start(mut self) -> io::Result<()> {
        let work = move || {
            loop {
                thread::sleep(PERIOD);
                let Some(in_force) = self.in_force.upgrade() else {
                    return;
                };
                self.look(&in_force, crate::clock::now());
            }
        };
        thread::Builder::new()
            .name("certificate".to_owned())
            .spawn(work)
            .map(drop)
    }

    /// Looks at the files once.
    fn look(&mut self, in_force: &ArcSwap<InForce>, now: Timestamp) {
        let before = in_force.load_full();
        let seen = Contents::read(&self.files);
        let is_settled = seen == self.seen;
        self.seen = seen;
        let after = self.next(&before, is_settled, now);
        report(&after, Some(&before));
        self.warn_of_end(&after, now);
        in_force.store(Arc::new(after));
    }

    /// What is to be in force, by what the files hold now.
    fn next(&mut self, before: &InForce, is_settled: bool, now: Timestamp) -> InForce {
        let keep = |problem| InForce {
            problem,
            ..before.clone()
        };
        let is_good = self.good.as_ref() == Some(&self.seen);
        match (&self.seen, &before.source) {
            (Contents::Both { .. }, Source::File(_)) if is_good => keep(None),
            (Contents::Both { certificate, key }, _) => match Certificate::parse(&self.files, certificate, key, now) {
                Ok(certificate) => {
                    self.good = Some(self.seen.clone());
                    from_files(&self.files, certificate)
                }
                // One file may have been written and the other not yet: that is no problem if it is over by the next look.
                Err(_) if !is_settled => before.clone(),
                Err(error) => keep(Some(format!("{error}; what was served before still is"))),
            },
            (Contents::Unreadable(error), _) => keep(Some(format!("{error}; what was served before still is"))),
            (Contents::Missing(missing), Source::SelfSigned) => keep(missing.problem(&self.files)),
            (Contents::Missing(_), Source::File(_)) if !is_settled => before.clone(),
            (Contents::Missing(_), Source::File(_)) => keep(Some(format!(
                "the TLS certificate in {} is gone, or its key is; what was served before still is",
                self.files.certificate.display()
            ))),
        }
        .renewed(now)
    }

    fn warn_of_end(&mut self, current: &InForce, now: Timestamp) {
        let days = current.days_left(now);
        if days < FEW_DAYS && self.warned != Some(days) {
            tracing::warn!(days, source = %current.source, "the TLS certificate has few days left, or none: renew it");
            self.warned = Some(days);
        }
    }
}

impl InForce {
    /// The same, or a new self-signed one where this is one whose end comes near.
    fn renewed(self, now: Timestamp) -> Self {
        if self.source != Source::SelfSigned || !self_signed::is_due(self.expires, now) {
            return self;
        }
        match own(now, self.problem.clone()) {
            Ok(new) => new,
            Err(error) => Self {
                problem: Some(error.to_string()),
                ..self
            },
        }
    }
}

fn from_files(files: &CertificateFiles, certificate: Certificate) -> InForce {
    InForce {
        key: certificate.key,
        source: Source::File(files.certificate.clone()),
        expires: certificate.expires,
        problem: None,
    }
}

fn own(now: Timestamp, problem: Option<String>) -> Result<InForce, SelfSignedError> {
    let made = self_signed::make(now)?;
    Ok(InForce {
        key: made.key,
        source: Source::SelfSigned,
        expires: made.expires,
        problem,
    })
}

/// Says in the log what has changed, once.
fn report(current: &InForce, before: Option<&InForce>) {
    if before.is_none_or(|before| !Arc::ptr_eq(&before.key, &current.key)) {
        tracing::info!(source = %current.source, expires = %current.expires, "a TLS certificate is in force");
    }
    let known = before.and_then(|before| before.problem.as_ref());
    match &current.problem {
        Some(problem) if known != Some(problem) => tracing::error!("{problem}"),
        None if known.is_some() => tracing::info!("what was wrong with the TLS certificate is over"),
        _ => {}
    }
}

#[cfg(test)]
mod tests;
