//! Decides which texts name the same image repository, and which of them a registry can be asked for. It must not know
//! registries' protocols.

use std::borrow::Cow;
use std::fmt;
use std::net::Ipv6Addr;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::{Normalized, NotARepository, sanitize_url};
use crate::go::printable::to_lower_text;
use crate::go::url::Url;

/// Most bytes of a repository's path, and of a host with its port.
const MAX_LENGTH: usize = 255;
/// Most bytes of a text worth looking at: host, path, tag (128) and digest, and invisible characters between them.
const MAX_WRITTEN: usize = 2048;
/// Most bytes of a tag.
const MAX_TAG: usize = 128;

/// Docker Hub as users write it.
const DOCKER_HUB: &str = "docker.io";
/// Docker Hub as go-containerregistry spells it.
const DOCKER_HUB_INDEX: &str = "index.docker.io";
/// Docker Hub's API, which some users write out.
const DOCKER_HUB_REGISTRY: &str = "registry-1.docker.io";
/// Where Docker Hub keeps the images that have no namespace.
const LIBRARY: &str = "library/";

/// Kargo's `NormalizeImage`: lower case, no tag, no digest, no host and no `library/` for Docker Hub.
///
/// Weak on purpose: `https://ghcr.io/o/a` and `ghcr.io/o/a/` have canonical forms here that nothing else shares.
pub fn normalize_image(text: &str) -> Normalized {
    let lower = to_lower_text(text);
    match Reference::parse(&sanitize_url(&lower)) {
        Some(reference) => Normalized::Canonical(reference.canonical()),
        None => Normalized::AsWritten(text.to_owned()),
    }
}

/// What go-containerregistry's weak validation reads in a reference, without tag and digest.
struct Reference<'a> {
    /// Host and port, Docker Hub's being [`DOCKER_HUB_INDEX`] where it was written in any other way than
    /// [`DOCKER_HUB_REGISTRY`].
    registry: Cow<'a, str>,
    path: Cow<'a, str>,
}

impl<'a> Reference<'a> {
    fn parse(text: &'a str) -> Option<Self> {
        Self::parse_tagged(text).or_else(|| Self::parse_digested(text))
    }

    /// `path` or `path:tag`. A colon before the last slash belongs to a port.
    fn parse_tagged(text: &'a str) -> Option<Self> {
        match text.rsplit_once(':') {
            Some((name, tag)) if !tag.contains('/') => {
                let is_tag_byte = |byte: u8| byte.is_ascii_alphanumeric() || b"_-.".contains(&byte);
                let is_tag = !tag.is_empty() && tag.len() <= MAX_TAG && tag.bytes().all(is_tag_byte);
                if is_tag { Self::parse_name(name) } else { None }
            }
            _ => Self::parse_name(text),
        }
    }

    /// `path@sha256:…` or `path:tag@sha256:…`.
    fn parse_digested(text: &'a str) -> Option<Self> {
        let (name, digest) = text.split_once('@')?;
        let hex = digest.strip_prefix("sha256:")?;
        if hex.len() != 64
            || !hex
                .bytes()
                .all(|byte| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte))
        {
            return None;
        }
        match Self::parse_tagged(name) {
            // Read a second time in its full form, which may have become too long by then.
            Some(tagged) => {
                let full = format!("{}/{}", tagged.registry, tagged.full_path());
                Reference::parse_name(&full).map(Reference::into_owned)
            }
            None => Self::parse_name(name),
        }
    }

    fn parse_name(name: &'a str) -> Option<Self> {
        let (registry, path) = split_host(name).unwrap_or((DOCKER_HUB, name));
        let is_path_byte = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"_-./".contains(&byte);
        if !(2..=MAX_LENGTH).contains(&path.len()) || !path.bytes().all(is_path_byte) {
            return None;
        }
        let registry = match registry {
            DOCKER_HUB => DOCKER_HUB_INDEX,
            other => {
                let authority = Url::parse(&format!("//{other}")).ok()?;
                Some(other).filter(|other| authority.host() == other.as_bytes())?
            }
        };
        Some(Self {
            registry: Cow::Borrowed(registry),
            path: Cow::Borrowed(path),
        })
    }

    fn into_owned<'b>(self) -> Reference<'b> {
        Reference {
            registry: Cow::Owned(self.registry.into_owned()),
            path: Cow::Owned(self.path.into_owned()),
        }
    }

    fn full_path(&self) -> Cow<'_, str> {
        if self.registry == DOCKER_HUB_INDEX {
            with_library(&self.path)
        } else {
            Cow::Borrowed(&self.path)
        }
    }

    fn is_on_docker_hub(&self) -> bool {
        self.registry == DOCKER_HUB_INDEX || self.registry == DOCKER_HUB_REGISTRY
    }

    fn canonical(&self) -> String {
        if self.is_on_docker_hub() {
            self.path.strip_prefix(LIBRARY).unwrap_or(&self.path).to_owned()
        } else {
            format!("{}/{}", self.registry, self.path)
        }
    }
}

/// Splits host and path where the first segment can only be a host: it has a dot or a colon, or is `localhost`.
fn split_host(name: &str) -> Option<(&str, &str)> {
    name.split_once('/')
        .filter(|(first, _)| first.contains(['.', ':']) || *first == "localhost")
}

/// What a path is on Docker Hub, where images without a namespace are in `library`.
fn with_library(path: &str) -> Cow<'_, str> {
    if path.contains('/') {
        Cow::Borrowed(path)
    } else {
        Cow::Owned(format!("{LIBRARY}{path}"))
    }
}

/// An image repository that a registry can be asked for: `nginx`, `team/app` (both on Docker Hub) or
/// `ghcr.io/team/app`.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub struct ImageRepository(String);

impl ImageRepository {
    /// Reads `[host[:port]/]path`, with a tag, a digest or neither; both are dropped. Invisible characters and case do
    /// not matter.
    ///
    /// # Errors
    /// Where no registry could be asked: a scheme, an impossible host, a path outside the distribution specification.
    pub fn parse(text: &str) -> Result<Self, NotARepository> {
        if text.len() > MAX_WRITTEN {
            return Err(NotARepository::TooLong { limit: MAX_WRITTEN });
        }
        let text = to_lower_text(text);
        let text = sanitize_url(&text);
        if text.is_empty() {
            return Err(NotARepository::Empty);
        }
        if text.contains("://") {
            return Err(NotARepository::Scheme {
                expected: "none: an image is written like ghcr.io/team/app",
            });
        }
        let reference = Reference::parse(&text).ok_or(NotARepository::NotAnImage)?;
        let canonical = reference.canonical();
        if reference.is_on_docker_hub() {
            check_docker_hub_path(&canonical)?;
        } else {
            check_host(&reference.registry)?;
            check_path(&reference.path)?;
        }
        Ok(Self(canonical))
    }

    /// The canonical form.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Host and port of the registry; `docker.io` for Docker Hub, whose API is elsewhere.
    pub fn registry_host(&self) -> &str {
        split_host(&self.0).map_or(DOCKER_HUB, |(host, _)| host)
    }

    /// The path on the registry, as the distribution API wants it: `team/app`, and `library/nginx` for Docker Hub's
    /// `nginx`.
    pub fn path(&self) -> Cow<'_, str> {
        split_host(&self.0).map_or_else(|| with_library(&self.0), |(_, path)| Cow::Borrowed(path))
    }
}

/// Without its host, a path must not read as something else.
fn check_docker_hub_path(path: &str) -> Result<(), NotARepository> {
    check_path(path)?;
    if with_library(path).len() > MAX_LENGTH {
        return Err(NotARepository::TooLong { limit: MAX_LENGTH });
    }
    if path.len() < 2 || path.starts_with(LIBRARY) || split_host(path).is_some() {
        return Err(NotARepository::DockerHub);
    }
    Ok(())
}

/// The distribution specification's `<name>`, segment by segment.
fn check_path(path: &str) -> Result<(), NotARepository> {
    if path.split('/').all(is_segment) {
        Ok(())
    } else {
        Err(NotARepository::Path)
    }
}

/// `[a-z0-9]+((\.|_|__|-+)[a-z0-9]+)*`
fn is_segment(segment: &str) -> bool {
    let is_separator = |byte: u8| !(byte.is_ascii_lowercase() || byte.is_ascii_digit());
    let begins_or_ends_in_one =
        segment.bytes().next().is_none_or(is_separator) || segment.bytes().next_back().is_none_or(is_separator);
    !begins_or_ends_in_one
        && segment
            .split(|character: char| character.is_ascii_lowercase() || character.is_ascii_digit())
            .all(|separator| matches!(separator, "" | "." | "_" | "__") || separator.bytes().all(|byte| byte == b'-'))
}

/// A host that a connection can be made to, with or without a port. Underscores are allowed: container networks have
/// them.
///
/// # Errors
/// [`NotARepository::Host`], [`NotARepository::Port`], or too long.
pub(super) fn check_host(authority: &str) -> Result<(), NotARepository> {
    if authority.len() > MAX_LENGTH {
        return Err(NotARepository::TooLong { limit: MAX_LENGTH });
    }
    let (host, port) = match authority.rfind(':') {
        Some(colon) if !authority.ends_with(']') => (&authority[..colon], Some(&authority[colon + 1..])),
        _ => (authority, None),
    };
    let is_port = |port: &str| {
        port.bytes().all(|byte| byte.is_ascii_digit()) && u16::from_str(port).is_ok_and(|number| number != 0)
    };
    if port.is_some_and(|port| !is_port(port)) {
        return Err(NotARepository::Port);
    }
    let in_brackets = host.strip_prefix('[').and_then(|rest| rest.strip_suffix(']'));
    let is_host = match in_brackets {
        Some(address) => Ipv6Addr::from_str(address).is_ok(),
        None => host.split('.').all(is_label),
    };
    if is_host { Ok(()) } else { Err(NotARepository::Host) }
}

fn is_label(label: &str) -> bool {
    let is_edge = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
    label.bytes().next().is_some_and(is_edge)
        && label.bytes().next_back().is_some_and(is_edge)
        && label.bytes().all(|byte| is_edge(byte) || byte == b'-' || byte == b'_')
}

impl fmt::Display for ImageRepository {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(&self.0)
    }
}

impl From<ImageRepository> for String {
    fn from(repository: ImageRepository) -> Self {
        repository.0
    }
}

impl TryFrom<String> for ImageRepository {
    type Error = NotARepository;

    fn try_from(text: String) -> Result<Self, NotARepository> {
        Self::parse(&text)
    }
}
