//! Decides which texts name the same Git repository; it must not know how one is cloned.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::{Normalized, NotARepository, sanitize_url};
use crate::go::printable::to_lower_text;
use crate::go::url::Url;

/// Most bytes of a Git repository's URL, by the usual limit for URLs.
const MAX_LENGTH: usize = 2048;
/// How often normalising may change its own answer. Twice is the most that honest URLs need.
const MAX_PASSES: usize = 16;

const SSH: &str = "ssh://";

/// Kargo's `NormalizeGit`: lower case, one `/` and then one `.git` cut from the end, no user for http and https, and
/// `[user@]host:path` as `ssh://`. Kargo keeps the user and password of an `ssh://` URL.
pub fn normalize_git(text: &str) -> Normalized {
    let lower = to_lower_text(text);
    let lower = sanitize_url(&lower);
    let canonical = if is_absolute(&lower) {
        normalize_absolute(&lower).ok()
    } else {
        normalize_scp(&lower)
    };
    match canonical {
        Some(canonical) => Normalized::Canonical(canonical),
        None => Normalized::AsWritten(text.to_owned()),
    }
}

fn is_absolute(text: &str) -> bool {
    ["https://", "http://", SSH]
        .iter()
        .any(|scheme| text.starts_with(scheme))
}

fn normalize_absolute(text: &str) -> Result<String, NotARepository> {
    let mut url = Url::parse(text)?;
    if url.has_query_parameters() {
        return Err(NotARepository::Query);
    }
    if !text.starts_with(SSH) {
        url.drop_userinfo();
    }
    cut_endings(&mut url);
    Ok(url.to_string())
}

/// `[user@]host[:path]`. The path is read as a URL of its own, so one that begins like a scheme loses itself.
fn normalize_scp(text: &str) -> Option<String> {
    let (user_and_host, path) = text.split_once(':').unwrap_or((text, ""));
    if !is_scp_host(user_and_host) {
        return None;
    }
    let mut path = Url::parse(path).ok()?;
    cut_endings(&mut path);
    if path.path().is_empty() {
        return Some(format!("{SSH}{user_and_host}"));
    }
    Some(format!("{SSH}{user_and_host}/{path}"))
}

/// `([\w-]+@)?[\w-]+(\.[\w-]+)*`
fn is_scp_host(text: &str) -> bool {
    let is_word = |word: &str| {
        !word.is_empty()
            && word
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-')
    };
    match text.split_once('@') {
        Some((user, host)) => is_word(user) && host.split('.').all(is_word),
        None => text.split('.').all(is_word),
    }
}

fn cut_endings(url: &mut Url) {
    url.trim_path_suffix("/");
    url.trim_path_suffix(".git");
}

/// A Git repository: `https://host/path`, `http://host/path` or `ssh://[user@]host/path`.
///
/// It tells what is the same and not what to clone: it is in lower case, and servers may tell `/Team` from `/team`. The
/// https and the ssh address of one repository stay two names.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub struct GitRepository(String);

impl GitRepository {
    /// Reads `http[s]://`, `ssh://` or `[user@]host:path`, and normalises until nothing changes any more: names that
    /// Kargo finds equal are equal here, and so are some it only meant to (`/a.git.git` and `/a`, `/ü` and `/%C3%BC`).
    /// A password is dropped.
    ///
    /// # Errors
    /// What is none of these, has a query, or has no host or no path.
    pub fn parse(text: &str) -> Result<Self, NotARepository> {
        if text.len() > MAX_LENGTH {
            return Err(NotARepository::TooLong { limit: MAX_LENGTH });
        }
        let lower = to_lower_text(text);
        let lower = sanitize_url(&lower);
        let mut form = if is_absolute(&lower) {
            lower.into_owned()
        } else if lower.is_empty() {
            return Err(NotARepository::Empty);
        } else if lower.contains("://") {
            return Err(NotARepository::Scheme {
                expected: "https://, http:// or ssh://",
            });
        } else {
            normalize_scp(&lower).ok_or(NotARepository::NotGit)?
        };
        for _ in 0..MAX_PASSES {
            let next = without_password(&normalize_absolute(&to_lower_text(&form))?)?;
            if next == form {
                return Ok(Self(form));
            }
            form = next;
        }
        Err(NotARepository::Endings)
    }

    /// The canonical form.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// The form without its password, if host and path are such that something could be asked.
fn without_password(form: &str) -> Result<String, NotARepository> {
    let mut url = Url::parse(form)?;
    url.drop_password();
    // A leading dash reads as an option where the name becomes an argument of ssh.
    let is_option = |name: &[u8]| name.starts_with(b"-");
    if url.host().is_empty() || is_option(url.host()) || url.user().is_some_and(is_option) {
        return Err(NotARepository::Host);
    }
    if url.path().iter().all(|&byte| byte == b'/') {
        return Err(NotARepository::NoPath);
    }
    Ok(url.to_string())
}

impl fmt::Display for GitRepository {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(&self.0)
    }
}

impl From<GitRepository> for String {
    fn from(repository: GitRepository) -> Self {
        repository.0
    }
}

impl TryFrom<String> for GitRepository {
    type Error = NotARepository;

    fn try_from(text: String) -> Result<Self, NotARepository> {
        Self::parse(&text)
    }
}
