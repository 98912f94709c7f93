//! What the deliveries of Git forges have in common: a repository with its names, and a ref that moves.

use super::{Subject, What, hex};
use crate::cli::UsageError;
use sha2::{Digest as _, Sha256};

/// A Git repository as forges tell of it.
pub(super) struct Repository<'a> {
    /// Scheme, host and path without `.git`: the page that people see.
    pub page: String,
    pub host: &'a str,
    /// The path on the host, without `.git`: `shop/api`.
    pub path: &'a str,
    /// The last segment of the path.
    pub name: &'a str,
    /// `git@HOST:PATH.git`.
    pub ssh: String,
}

impl What {
    /// Whether the repository is written as a Git repository: images have no scheme.
    pub(super) fn is_git(&self) -> bool {
        self.repo.contains("://")
    }

    /// The repository, where it is written as its address by https.
    pub(super) fn git_repository(&self) -> Result<Repository<'_>, UsageError> {
        let wrong = || {
            UsageError(
                "--repo needs a Git repository's address, for example https://git.example.com/shop/api".to_owned(),
            )
        };
        let (scheme, place) = self.repo.split_once("://").ok_or_else(wrong)?;
        let place = place.trim_end_matches('/');
        let (host, path) = place.trim_end_matches(".git").split_once('/').ok_or_else(wrong)?;
        if !matches!(scheme, "https" | "http") || host.is_empty() || path.is_empty() {
            return Err(wrong());
        }
        // By ssh there is no port of the web.
        let bare = host.split(':').next().unwrap_or(host);
        Ok(Repository {
            page: format!("{scheme}://{host}/{path}"),
            host,
            path,
            name: path.rsplit('/').next().unwrap_or(path),
            ssh: format!("git@{bare}:{path}.git"),
        })
    }
}

impl Subject<'_> {
    /// The full name of the ref that moved; none where a pull request was closed.
    pub(super) fn reference(&self) -> Option<String> {
        match self {
            Self::Tag(name) => Some(format!("refs/tags/{name}")),
            Self::Branch(name) => Some(format!("refs/heads/{name}")),
            Self::PullRequest(_) => None,
        }
    }
}

/// An id as commits have them.
pub(super) fn commit() -> String {
    let unique = format!("{}{}", crate::clock::now(), fastrand::u64(..));
    hex(&Sha256::digest(unique)[..20])
}
