//! Decides which path a receiver answers on (the door "by path"); it must not know how requests arrive.

use sha2::{Digest as _, Sha256};

use crate::receiver::Sender;
use crate::secret::SecretBytes;

/// The path door of one receiver: where its sender posts, derived from names and a secret.
///
/// The path is itself the proof for senders that can show no other, so it is treated as a secret: it is published in the
/// status of the receiver's resource, where its owner reads it, and nowhere else.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct PathDoor {
    path: String,
    url: String,
}

impl PathDoor {
    /// Derives the door of `receiver` in `project` (empty for the cluster's own receivers).
    ///
    /// The hash input is the plain concatenation of project, name and secret, without separators: a frozen format, since
    /// senders have been configured with its results.
    pub fn derive(base: &BaseUrl, sender: Sender, project: &str, receiver: &str, secret: &SecretBytes) -> Self {
        let mut hash = Sha256::new();
        hash.update(project.as_bytes());
        hash.update(receiver.as_bytes());
        hash.update(secret.expose());
        let hex: String = hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect();
        let tail = format!("/{}/{hex}", sender.path_segment());
        Self {
            path: format!("{}{tail}", base.path),
            url: format!("{}{}{tail}", base.origin, base.path),
        }
    }

    /// The path of the request, the base path included, for example `/hooks/dockerhub/804b…`.
    pub fn path(&self) -> &str {
        &self.path
    }

    /// The URL to configure at the sender.
    pub fn url(&self) -> &str {
        &self.url
    }
}

impl std::fmt::Debug for PathDoor {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("PathDoor(…)")
    }
}

/// Where senders reach the webhook door: scheme and host, and the path in front of every receiver's own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BaseUrl {
    origin: String,
    path: String,
}

/// Why a text is no base URL.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum BaseUrlError {
    /// Neither `http://` nor `https://` in front.
    #[error("it must begin with http:// or https://")]
    Scheme,
    /// Nothing between the scheme and the path.
    #[error("it names no host")]
    Host,
    /// A user, a query or a fragment, none of which belongs into a URL that receivers' paths are appended to.
    #[error("it must not have a user, a query or a fragment")]
    Extra,
}

impl BaseUrl {
    /// Parses `https://host[:port][/path]`. A trailing slash is dropped and `.` and `..` are resolved.
    pub fn parse(text: &str) -> Result<Self, BaseUrlError> {
        let (scheme, rest) = ["http://", "https://"]
            .into_iter()
            .find_map(|scheme| text.strip_prefix(scheme).map(|rest| (scheme, rest)))
            .ok_or(BaseUrlError::Scheme)?;
        if rest.contains(['?', '#', '@']) || rest.contains(char::is_whitespace) {
            return Err(BaseUrlError::Extra);
        }
        let (host, path) = rest.split_once('/').unwrap_or((rest, ""));
        if host.is_empty() {
            return Err(BaseUrlError::Host);
        }
        let mut segments: Vec<&str> = Vec::new();
        for segment in path.split('/') {
            match segment {
                "" | "." => {}
                ".." => {
                    segments.pop();
                }
                named => segments.push(named),
            }
        }
        let path = segments.iter().map(|segment| format!("/{segment}")).collect();
        Ok(Self {
            origin: format!("{scheme}{host}"),
            path,
        })
    }

    /// The URL of another address of the same server, which the base path does not stand in front of.
    pub fn join(&self, path: &str) -> String {
        format!("{}{path}", self.origin)
    }

    /// The path in front of every receiver's own: empty, or `/a/b` without a trailing slash.
    pub fn path(&self) -> &str {
        &self.path
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn path(base: &str, project: &str, receiver: &str, secret: &str) -> String {
        let base = BaseUrl::parse(base).unwrap();
        PathDoor::derive(&base, Sender::DockerHub, project, receiver, &secret.into())
            .url()
            .to_owned()
    }

    /// The first two hashes are the published ones of Kargo's documentation, whose secrets end in a newline.
    #[test]
    fn paths_are_kargos() {
        for (base, receiver, secret, expected) in [
            (
                "https://hooks.example.com",
                "my-first-receiver",
                "soylent green is people\n",
                "https://hooks.example.com/dockerhub/804b6f6bb40eb1f0e371f971d71dd95549be4bc9cbf868046941115f44073c67",
            ),
            (
                "https://hooks.example.com/in/",
                "my-second-receiver",
                "rosebud was a sled\n",
                "https://hooks.example.com/in/dockerhub/0eba9ff2a91f04f7787404b8f8f0edaf8cf8c39add34082651a474803cc99015",
            ),
        ] {
            assert_eq!(path(base, "kargo-demo", receiver, secret), expected);
        }
    }

    #[test]
    fn base_urls() {
        for (text, expected) in [
            ("http://127.0.0.1:8080", Ok("")),
            ("https://a.example/", Ok("")),
            ("https://a.example/b//c/../d/", Ok("/b/d")),
            ("a.example", Err(BaseUrlError::Scheme)),
            ("https:///x", Err(BaseUrlError::Host)),
            ("https://u@a.example", Err(BaseUrlError::Extra)),
            ("https://a.example?x=1", Err(BaseUrlError::Extra)),
        ] {
            let parsed = BaseUrl::parse(text);
            assert_eq!(
                parsed.as_ref().map(BaseUrl::path),
                expected.as_ref().map(|p| *p),
                "{text}"
            );
        }
    }

    #[test]
    fn debug_does_not_show_the_path() {
        let base = BaseUrl::parse("https://a.example").unwrap();
        let door = PathDoor::derive(&base, Sender::DockerHub, "p", "r", &"s".into());
        assert_eq!(format!("{door:?}"), "PathDoor(…)");
    }
}
