//! Decides which texts name the same repository: the canonical forms of images, charts and Git repositories. It must
//! not know how one asks a registry or a Git server.
//!
//! The `normalize_*` functions answer what Kargo's `pkg/urls` answers, byte for byte, so that names which Kargo stored
//! still match. The types hold a canonical form only, and refuse what nothing could be asked under.

mod chart;
mod git;
mod image;

use std::borrow::Cow;
use std::fmt;

use serde::{Deserialize, Serialize};

pub use self::chart::{ChartRepository, normalize_chart};
pub use self::git::{GitRepository, normalize_git};
pub use self::image::{ImageRepository, normalize_image};

use crate::go::printable::is_print;
use crate::go::url::UrlError;

/// What normalising gave.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Normalized {
    /// The canonical form. It may hold the password of an `ssh://` URL: Kargo keeps it.
    Canonical(String),
    /// There is none; Kargo then compares the text as written (a chart's, once it parsed as a URL, in lower case).
    AsWritten(String),
}

impl Normalized {
    /// The text that Kargo would compare.
    pub fn as_str(&self) -> &str {
        match self {
            Self::Canonical(text) | Self::AsWritten(text) => text,
        }
    }

    /// The text that Kargo would compare.
    pub fn into_string(self) -> String {
        match self {
            Self::Canonical(text) | Self::AsWritten(text) => text,
        }
    }
}

/// Drops every character that does not print (byte order marks, zero-width and no-break spaces, line ends), then spaces
/// at both ends. Spaces inside stay.
pub fn sanitize_url(text: &str) -> Cow<'_, str> {
    // Almost every text is as plain as this, and is then spared the look at each character.
    if text.bytes().all(|byte| (0x20..0x7f).contains(&byte)) {
        return Cow::Borrowed(text.trim_matches(' '));
    }
    let printed: String = text.chars().filter(|&character| is_print(character)).collect();
    Cow::Owned(printed.trim_matches(' ').to_owned())
}

/// Why a text names no repository. The text itself is not repeated: it may hold a password.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotARepository {
    /// Nothing is left once spaces are cut.
    #[error("the repository is empty")]
    Empty,
    /// Longer than anything that could be asked for.
    #[error("the repository is longer than {limit} bytes")]
    TooLong {
        /// Most bytes that are allowed.
        limit: usize,
    },
    /// A scheme where none belongs, or one that nobody here speaks.
    #[error("the repository begins with a scheme that does not belong there; expected {expected}")]
    Scheme {
        /// What to write instead.
        expected: &'static str,
    },
    /// No image reference at all.
    #[error("this is no image repository; expected [host[:port]/]path in letters, digits and . _ - /")]
    NotAnImage,
    /// No form of Git URL.
    #[error("this is no Git repository; expected https://host/path, ssh://[user@]host/path or [user@]host:path")]
    NotGit,
    /// A URL that does not parse.
    #[error("the repository's URL {0}")]
    Url(#[from] UrlError),
    /// `?` with parameters.
    #[error("the repository's URL has query parameters, which belong to no repository's name")]
    Query,
    /// User or password where none is kept.
    #[error("the repository's URL has a user or a password; keep them in a Secret")]
    Credentials,
    /// An impossible host.
    #[error("the repository's host is missing or is no name, IPv4 address or [IPv6 address] in ASCII")]
    Host,
    /// An impossible port.
    #[error("the port after the repository's host is not between 1 and 65535")]
    Port,
    /// A path that no registry accepts.
    #[error(
        "the repository's path is empty, ends in a slash, or has a segment that registries refuse: segments are \
         lower-case letters and digits, joined by single . or _, two _, or any number of -"
    )]
    Path,
    /// A path that Docker Hub cannot have, or that reads as another registry without its host.
    #[error("Docker Hub has no such repository: it has `name` and `namespace/name`, of two characters at least")]
    DockerHub,
    /// A host without anything on it.
    #[error("the repository's URL names a host and no repository on it")]
    NoPath,
    /// More endings to cut than anyone would write.
    #[error("the repository's path ends in too many slashes or `.git`")]
    Endings,
}

/// One repository of any kind, in canonical form.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Repository {
    /// Container images.
    Image(ImageRepository),
    /// Helm charts.
    Chart(ChartRepository),
    /// A Git repository.
    Git(GitRepository),
}

impl Repository {
    /// The canonical form, without its kind.
    pub fn as_str(&self) -> &str {
        match self {
            Self::Image(repository) => repository.as_str(),
            Self::Chart(repository) => repository.as_str(),
            Self::Git(repository) => repository.as_str(),
        }
    }
}

impl fmt::Display for Repository {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests;
