//! Decides which texts name the same place for Helm charts, and which of them can be asked. It must not know index
//! files or registries' protocols.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::image::check_host;
use super::{ImageRepository, Normalized, NotARepository, normalize_image, sanitize_url};
use crate::go::printable::to_lower_text;
use crate::go::url::Url;

/// Most bytes of a chart repository's URL, by the usual limit for URLs.
const MAX_LENGTH: usize = 2048;

const OCI: &str = "oci://";

/// Kargo's `NormalizeChart`: lower case, no `oci://`, the rest as an image; web addresses keep scheme and trailing
/// slash.
pub fn normalize_chart(text: &str) -> Normalized {
    let sanitized = sanitize_url(text);
    if Url::parse(&sanitized).is_err() {
        return Normalized::AsWritten(text.to_owned());
    }
    let lower = to_lower_text(&sanitized);
    normalize_image(lower.strip_prefix(OCI).unwrap_or(&lower))
}

/// Where charts are: a repository of a registry (`ghcr.io/team/chart`, `oci://` cut) or the address of an index
/// (`https://charts.example.com/stable`).
///
/// An address in canonical form is in lower case, so it tells what is the same and not what to ask: servers may tell
/// `/Stable` from `/stable`. `Display` and `Debug` leave out a query, which may hold a token.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub struct ChartRepository(String);

impl ChartRepository {
    /// Reads `oci://host/path`, the same without `oci://` (its canonical form), or a web address.
    ///
    /// # Errors
    /// Where nothing could be asked: another scheme, a user or password, an impossible host or path.
    pub fn parse(text: &str) -> Result<Self, NotARepository> {
        if text.len() > MAX_LENGTH {
            return Err(NotARepository::TooLong { limit: MAX_LENGTH });
        }
        let text = sanitize_url(text);
        let text = to_lower_text(&text);
        if is_web_address(&text) {
            return Self::parse_web_address(&text);
        }
        let reference = text.strip_prefix(OCI).unwrap_or(&text);
        if reference.contains("://") {
            return Err(NotARepository::Scheme {
                expected: "oci://, https:// or http://",
            });
        }
        Ok(Self(ImageRepository::parse(reference)?.into()))
    }

    fn parse_web_address(text: &str) -> Result<Self, NotARepository> {
        let url = Url::parse(text)?;
        if url.user().is_some() {
            return Err(NotARepository::Credentials);
        }
        let host = str::from_utf8(url.host()).map_err(|_| NotARepository::Host)?;
        check_host(host)?;
        Ok(Self(normalize_chart(text).into_string()))
    }

    /// The canonical form, the query of a web address included.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The repository to ask a registry for; `None` for a web address.
    pub fn on_registry(&self) -> Option<ImageRepository> {
        if is_web_address(&self.0) {
            None
        } else {
            ImageRepository::parse(&self.0).ok()
        }
    }
}

fn is_web_address(text: &str) -> bool {
    text.starts_with("https://") || text.starts_with("http://")
}

impl fmt::Display for ChartRepository {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(self.0.split('?').next().unwrap_or_default())
    }
}

impl fmt::Debug for ChartRepository {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "ChartRepository({self})")
    }
}

impl From<ChartRepository> for String {
    fn from(repository: ChartRepository) -> Self {
        repository.0
    }
}

impl TryFrom<String> for ChartRepository {
    type Error = NotARepository;

    fn try_from(text: String) -> Result<Self, NotARepository> {
        Self::parse(&text)
    }
}
