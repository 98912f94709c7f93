//! Reads the files of a certificate and its key; it must not know what is in them.

use std::io;
use std::path::Path;

use super::certificate::{CertificateError, Problem};
use super::settings::CertificateFiles;

/// What the two files hold.
#[derive(Clone, PartialEq, Eq)]
pub(super) enum Contents {
    Both {
        certificate: Vec<u8>,
        key: Vec<u8>,
    },
    /// At least one of them does not exist, or is empty.
    Missing(Missing),
    Unreadable(CertificateError),
}

/// Which of the files are missing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Missing {
    Both,
    Certificate,
    Key,
}

impl Contents {
    pub(super) fn read(files: &CertificateFiles) -> Self {
        match (read(&files.certificate), read(&files.key)) {
            (Err(error), _) | (_, Err(error)) => Self::Unreadable(error),
            (Ok(None), Ok(None)) => Self::Missing(Missing::Both),
            (Ok(None), Ok(Some(_))) => Self::Missing(Missing::Certificate),
            (Ok(Some(_)), Ok(None)) => Self::Missing(Missing::Key),
            (Ok(Some(certificate)), Ok(Some(key))) => Self::Both { certificate, key },
        }
    }
}

impl Missing {
    /// Nobody means to have one file without the other, nor to have none where they have names. Image Updater says nothing of it.
    pub(super) fn problem(self, files: &CertificateFiles) -> Option<String> {
        let (certificate, key) = (files.certificate.display(), files.key.display());
        let what = match self {
            Self::Both if files.named => format!("{certificate} and {key} are not there, or are empty"),
            Self::Both => return None,
            Self::Certificate => format!("{key} is there and {certificate} is not, or is empty"),
            Self::Key => format!("{certificate} is there and {key} is not, or is empty"),
        };
        Some(format!(
            "{what}: until both are, a self-signed TLS certificate is served"
        ))
    }
}

fn read(path: &Path) -> Result<Option<Vec<u8>>, CertificateError> {
    match std::fs::read(path) {
        Ok(content) => Ok(Some(content).filter(|content| !content.is_empty())),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(CertificateError::new(path, Problem::Unreadable(error.to_string()))),
    }
}
