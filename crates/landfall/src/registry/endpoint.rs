//! Decides where a canonical registry host is asked, and which hosts may be asked without TLS; must not know credentials.

use std::collections::HashMap;
use std::net::IpAddr;

use super::error::RegistryError;
use reqwest::Url;

/// Docker Hub's canonical name, and the host that answers for it.
const DOCKER_HUB: (&str, &str) = ("docker.io", "registry-1.docker.io");
/// Longest repository path, as the distribution project limits it.
const MAX_PATH: usize = 255;

/// A repository, by the canonical name of its registry.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct RepositoryAddress {
    /// The registry's canonical host, with a port where it has one: `docker.io`, `ghcr.io`, `127.0.0.1:5000`.
    pub host: String,
    /// The repository's full path: `library/nginx`.
    pub path: String,
}

/// Where a repository is asked: known to be a valid address, with the schemes to try.
#[derive(Debug, Clone)]
pub(super) struct Endpoint {
    /// The base to try first, `https` unless a mirror says otherwise; only scheme, host and port matter.
    pub(super) preferred: Url,
    /// The plain `http` base for a host that may be asked so.
    pub(super) plain: Option<Url>,
    /// The repository path as the asked host knows it: a mirror's own path comes first.
    pub(super) path: String,
}

/// Checks the mirrors an administrator configured, so that a wrong one is found at start.
pub(super) fn check_mirrors(mirrors: &HashMap<String, Url>) -> Result<(), RegistryError> {
    for (canonical, mirror) in mirrors {
        let why = match mirror.scheme() {
            _ if mirror.host_str().is_none_or(str::is_empty) => "it has no host",
            _ if !mirror.username().is_empty() || mirror.password().is_some() => "it must not hold credentials",
            _ if mirror.query().is_some() || mirror.fragment().is_some() => "it must not have a query or fragment",
            "https" => continue,
            "http" if is_local(mirror) => continue,
            "http" => "plain http is only for loopback and private addresses; use https",
            _ => "its scheme must be https",
        };
        return Err(RegistryError::refused(format!(
            "the mirror for {canonical} cannot be used: {why}"
        )));
    }
    Ok(())
}

impl Endpoint {
    /// Where to ask for a repository; an error says what is wrong with the address.
    pub(super) fn of(address: &RepositoryAddress, mirrors: &HashMap<String, Url>) -> Result<Self, RegistryError> {
        let invalid = |what: &str, value: &str| {
            let shown: String = value.chars().filter(|c| !c.is_control()).take(100).collect();
            RegistryError::refused(format!("{what} {shown:?} is not valid"))
        };
        if !is_repository_path(&address.path) {
            return Err(invalid("the repository path", &address.path));
        }
        if let Some(mirror) = mirrors.get(&address.host) {
            let prefix = mirror.path().trim_matches('/');
            let path = if prefix.is_empty() {
                address.path.clone()
            } else {
                format!("{prefix}/{}", address.path)
            };
            let mut preferred = mirror.clone();
            preferred.set_path("/");
            return Ok(Self {
                preferred,
                plain: None,
                path,
            });
        }
        let host = if address.host == DOCKER_HUB.0 {
            DOCKER_HUB.1
        } else {
            &address.host
        };
        let base = |scheme: &str| base_url(scheme, host).ok_or_else(|| invalid("the registry host", &address.host));
        let preferred = base("https")?;
        let plain = if is_local(&preferred) {
            Some(base("http")?)
        } else {
            None
        };
        Ok(Self {
            preferred,
            plain,
            path: address.path.clone(),
        })
    }

    /// The `host:port` under which the asked host's budget and scheme are kept.
    pub(super) fn authority(&self) -> String {
        authority(&self.preferred)
    }
}

/// A URL's host, told apart by how it is written.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Host<'u> {
    /// An address written as digits.
    Address(IpAddr),
    /// A name, lower-case.
    Name(&'u str),
}

/// The host of a URL that has one.
pub(super) fn host(url: &Url) -> Option<Host<'_>> {
    let text = url.host_str()?;
    let bare = text.trim_start_matches('[').trim_end_matches(']');
    Some(bare.parse::<IpAddr>().map_or(Host::Name(text), Host::Address))
}

/// A URL's host, with its port where that is not the scheme's own: safe to show.
pub(super) fn authority(url: &Url) -> String {
    let host = url.host_str().unwrap_or_default();
    url.port()
        .map_or_else(|| host.to_owned(), |port| format!("{host}:{port}"))
}

/// Whether a URL's host is on this machine or written as a private address, and so may be asked without TLS.
///
/// A name that merely resolves to such an address does not qualify: who answers for a name can change.
pub(super) fn is_local(url: &Url) -> bool {
    match host(url) {
        Some(Host::Address(IpAddr::V4(address))) => address.is_loopback() || address.is_private(),
        Some(Host::Address(IpAddr::V6(address))) => address.is_loopback(),
        Some(Host::Name(name)) => name == "localhost",
        None => false,
    }
}

/// Whether a URL's host is this machine itself, so that no proxy can stand between.
pub(super) fn is_loopback(url: &Url) -> bool {
    match host(url) {
        Some(Host::Address(address)) => address.is_loopback(),
        Some(Host::Name(name)) => name == "localhost",
        None => false,
    }
}

fn base_url(scheme: &str, host: &str) -> Option<Url> {
    // The URL parser would read these as the end of the host, or as user info.
    if host.is_empty() || host.len() > 300 || host.contains(['/', '\\', '@', '?', '#', '%']) {
        return None;
    }
    if host.chars().any(|c| !c.is_ascii_graphic()) {
        return None;
    }
    Url::parse(&format!("{scheme}://{host}/"))
        .ok()
        .filter(|url| url.host_str().is_some_and(|host| !host.is_empty()))
}

/// Whether a path can be put into a URL as it stands; the registry judges the finer points of the grammar.
fn is_repository_path(path: &str) -> bool {
    let segment = |segment: &str| {
        let bytes = segment.as_bytes();
        let outer = |b: Option<&u8>| b.is_some_and(|b| b.is_ascii_lowercase() || b.is_ascii_digit());
        let inner = |b: &u8| b.is_ascii_lowercase() || b.is_ascii_digit() || matches!(b, b'.' | b'_' | b'-');
        outer(bytes.first()) && outer(bytes.last()) && bytes.iter().all(inner)
    };
    path.len() <= MAX_PATH && path.split('/').all(segment)
}

/// Whether a text is a tag.
pub(super) fn is_tag(tag: &str) -> bool {
    let bytes = tag.as_bytes();
    let word = |b: &u8| b.is_ascii_alphanumeric() || *b == b'_';
    bytes.len() <= 128 && bytes.first().is_some_and(word) && bytes.iter().all(|b| word(b) || matches!(b, b'.' | b'-'))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(host: &str, path: &str, mirrors: &[(&str, &str)]) -> Result<(String, Option<String>, String), String> {
        let mirrors = mirrors
            .iter()
            .map(|(host, url)| ((*host).to_owned(), Url::parse(url).expect("a test's URL parses")))
            .collect();
        let address = RepositoryAddress {
            host: host.into(),
            path: path.into(),
        };
        check_mirrors(&mirrors)
            .and_then(|()| Endpoint::of(&address, &mirrors))
            .map(|end| (end.preferred.into(), end.plain.map(Into::into), end.path))
            .map_err(|error| error.to_string())
    }

    #[test]
    fn where_a_host_is_asked() {
        type Row<'r> = (&'r str, &'r [(&'r str, &'r str)], &'r str, Option<&'r str>, &'r str);
        let rows: &[Row<'_>] = &[
            ("docker.io", &[], "https://registry-1.docker.io/", None, "a/b"),
            ("ghcr.io", &[], "https://ghcr.io/", None, "a/b"),
            ("ghcr.io:8443", &[], "https://ghcr.io:8443/", None, "a/b"),
            (
                "127.0.0.1:5000",
                &[],
                "https://127.0.0.1:5000/",
                Some("http://127.0.0.1:5000/"),
                "a/b",
            ),
            (
                "10.1.2.3:5000",
                &[],
                "https://10.1.2.3:5000/",
                Some("http://10.1.2.3:5000/"),
                "a/b",
            ),
            (
                "[::1]:5000",
                &[],
                "https://[::1]:5000/",
                Some("http://[::1]:5000/"),
                "a/b",
            ),
            ("localhost", &[], "https://localhost/", Some("http://localhost/"), "a/b"),
            ("169.254.169.254", &[], "https://169.254.169.254/", None, "a/b"),
            ("registry.local:5000", &[], "https://registry.local:5000/", None, "a/b"),
            ("8.8.8.8", &[], "https://8.8.8.8/", None, "a/b"),
            (
                "docker.io",
                &[("docker.io", "http://127.0.0.1:5001")],
                "http://127.0.0.1:5001/",
                None,
                "a/b",
            ),
            (
                "ghcr.io",
                &[("ghcr.io", "https://harbor.example/ghcr/")],
                "https://harbor.example/",
                None,
                "ghcr/a/b",
            ),
        ];
        for (host, mirrors, preferred, plain, path) in rows {
            let expected = Ok(((*preferred).into(), plain.map(Into::into), (*path).into()));
            assert_eq!(asked(host, "a/b", mirrors), expected, "{host}");
        }
    }

    #[test]
    fn what_is_no_address() {
        for host in [
            "",
            "a/b",
            "user@host",
            "host?x",
            "a b",
            "ho\nst",
            "[::1",
            "host:99999",
            "h%41",
        ] {
            assert!(asked(host, "a/b", &[]).is_err(), "{host}");
        }
        let long = "a".repeat(256);
        for path in [
            "", "/a", "a/", "a//b", "../a", "a/..", "A/b", "a b", "a?b", "a%2fb", "-a", &long,
        ] {
            assert!(asked("ghcr.io", path, &[]).is_err(), "{path}");
        }
    }

    #[test]
    fn mirrors_that_cannot_be_used() {
        for url in [
            "http://mirror.example",
            "ftp://127.0.0.1",
            "https://u:p@mirror.example",
            "https://m.example/?q",
        ] {
            assert!(asked("docker.io", "a/b", &[("docker.io", url)]).is_err(), "{url}");
        }
    }

    #[test]
    fn tags() {
        for tag in ["latest", "v1.0.0", "_x", "1", &"a".repeat(128)] {
            assert!(is_tag(tag), "{tag}");
        }
        for tag in ["", "-x", ".x", "a/b", "a:b", "ünï", "a b", &"a".repeat(129)] {
            assert!(!is_tag(tag), "{tag}");
        }
    }
}
