//! Says why a registry did not give what was asked, in variants a caller branches on; must not know who asked or why.

use std::time::Duration;

use serde::Deserialize;

/// The longest explanation taken over from a registry's error body, in characters.
const MAX_DETAIL_CHARS: usize = 300;

/// What a `404` says is not there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Missing {
    /// The registry does not know the repository (`NAME_UNKNOWN`).
    Repository,
    /// The repository has no such tag or manifest digest (`MANIFEST_UNKNOWN`, or a `404` that says nothing more).
    Manifest,
    /// The repository has no such blob (`BLOB_UNKNOWN`).
    Blob,
}

impl std::fmt::Display for Missing {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Repository => "repository",
            Self::Manifest => "manifest",
            Self::Blob => "blob",
        })
    }
}

/// Why a question to a registry has no answer. No variant holds a secret or the query of a URL.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RegistryError {
    /// The registry answered that the thing does not exist.
    #[error("the {what} {name} does not exist")]
    NotFound {
        /// The kind of thing.
        what: Missing,
        /// `host/path`, with `:tag` or `@digest` where one was asked.
        name: String,
    },
    /// Nobody proved who asks: credentials are missing, or they were rejected.
    #[error("{host} did not accept who asks: {detail}")]
    Unauthorized {
        /// The host that answered: the registry, or its token service.
        host: String,
        /// What it said, or what is missing.
        detail: String,
    },
    /// The registry knows who asks, and does not allow it.
    #[error("{host} does not allow this: {detail}")]
    Denied {
        /// The host that answered.
        host: String,
        /// What it said.
        detail: String,
    },
    /// The host wants fewer requests, or the queue for it is longer than the deadline.
    #[error("{host} is to be asked less often{}", retry_hint(.retry_after))]
    Throttled {
        /// The host whose budget is used up.
        host: String,
        /// How long to wait before it is worth asking again, where known.
        retry_after: Option<Duration>,
    },
    /// The host cannot be reached or fails for now: connecting, a timeout, or a `5xx`.
    #[error("{host} cannot answer for now: {detail}")]
    Unavailable {
        /// The host asked.
        host: String,
        /// What went wrong.
        detail: String,
    },
    /// The host rejected the request with another `4xx`.
    #[error("{host} rejected the request with status {status}: {detail}")]
    Rejected {
        /// The host asked.
        host: String,
        /// The HTTP status.
        status: u16,
        /// What it said.
        detail: String,
    },
    /// The answer breaks the protocol, or is not what its digest says.
    #[error("{host} gave an answer that cannot be used: {detail}")]
    Malformed {
        /// The host that answered.
        host: String,
        /// What is wrong with it.
        detail: String,
    },
    /// The answer is larger than we are willing to read.
    #[error("{what} is larger than {limit} {unit}")]
    TooLarge {
        /// What is too large.
        what: String,
        /// The limit it passes.
        limit: u64,
        /// What the limit counts: `bytes`, `tags` or `pages`.
        unit: &'static str,
    },
    /// We do not ask: the address is invalid, or asking would break a rule about where secrets may go.
    #[error("not asked: {why}")]
    Refused {
        /// The rule, and what would break it.
        why: String,
    },
}

impl RegistryError {
    /// Whether asking again later, with nothing changed by anybody, can succeed.
    pub fn is_transient(&self) -> bool {
        matches!(self, Self::Throttled { .. } | Self::Unavailable { .. })
    }

    pub(super) fn refused(why: impl Into<String>) -> Self {
        Self::Refused { why: why.into() }
    }

    pub(super) fn malformed(host: &str, detail: impl Into<String>) -> Self {
        Self::Malformed {
            host: host.to_owned(),
            detail: detail.into(),
        }
    }

    pub(super) fn unavailable(host: &str, detail: impl Into<String>) -> Self {
        Self::Unavailable {
            host: host.to_owned(),
            detail: detail.into(),
        }
    }

    pub(super) fn unauthorized(host: &str, detail: impl Into<String>) -> Self {
        Self::Unauthorized {
            host: host.to_owned(),
            detail: detail.into(),
        }
    }

    pub(super) fn too_large_bytes(what: impl Into<String>, limit: usize) -> Self {
        Self::TooLarge {
            what: what.into(),
            limit: u64::try_from(limit).unwrap_or(u64::MAX),
            unit: "bytes",
        }
    }

    /// The same error with a secret cut out of what a host said, for a host that repeats what it was sent.
    pub(super) fn without(mut self, secret: &str) -> Self {
        match &mut self {
            Self::Unauthorized { detail, .. }
            | Self::Denied { detail, .. }
            | Self::Unavailable { detail, .. }
            | Self::Rejected { detail, .. }
            | Self::Malformed { detail, .. }
                if !secret.is_empty() && detail.contains(secret) =>
            {
                *detail = detail.replace(secret, "[redacted]");
            }
            _ => {}
        }
        self
    }
}

fn retry_hint(retry_after: &Option<Duration>) -> String {
    match retry_after {
        Some(wait) => format!("; try again in {} s", wait.as_secs().max(1)),
        None => String::new(),
    }
}

/// What a registry's error body says: the OCI envelope, or nothing where the body is something else.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Complaint {
    /// The first error's code, for example `NAME_UNKNOWN`; empty if none.
    pub(super) code: String,
    /// A line fit for a message: code and text without control characters, shortened.
    pub(super) text: String,
}

#[derive(Deserialize)]
struct Envelope {
    #[serde(default)]
    errors: Vec<EnvelopeError>,
    /// Token services and some registries say it here instead.
    #[serde(default, alias = "message", alias = "error_description")]
    details: Option<serde_json::Value>,
}

#[derive(Deserialize)]
struct EnvelopeError {
    #[serde(default)]
    code: serde_json::Value,
    #[serde(default)]
    message: serde_json::Value,
}

impl Complaint {
    /// Reads an error body that may be cut short, HTML or empty; never fails.
    pub(super) fn read(body: &[u8]) -> Self {
        let Ok(envelope) = serde_json::from_slice::<Envelope>(body) else {
            return Self::default();
        };
        let text_of = |value: &serde_json::Value| value.as_str().unwrap_or_default().to_owned();
        match envelope.errors.first() {
            Some(first) => {
                let code = printable(&text_of(&first.code));
                let message = printable(&text_of(&first.message));
                let text = match (code.is_empty(), message.is_empty()) {
                    (false, false) => format!("{code}: {message}"),
                    (false, true) => code.clone(),
                    _ => message,
                };
                Self { code, text }
            }
            None => Self {
                code: String::new(),
                text: envelope
                    .details
                    .as_ref()
                    .map(|value| printable(&text_of(value)))
                    .unwrap_or_default(),
            },
        }
    }

    /// What we know, followed by what the host itself said, if anything.
    pub(super) fn explained(&self, hint: &str) -> String {
        if self.text.is_empty() {
            hint.to_owned()
        } else {
            format!("{hint} ({})", self.text)
        }
    }
}

fn printable(text: &str) -> String {
    text.chars()
        .filter(|c| !c.is_control())
        .take(MAX_DETAIL_CHARS)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_complaint_is_read_from_what_registries_send() {
        let rows: &[(&str, &str, &str)] = &[
            (
                r#"{"errors":[{"code":"NAME_UNKNOWN","message":"repository name not known to registry","detail":{"name":"x"}}]}"#,
                "NAME_UNKNOWN",
                "NAME_UNKNOWN: repository name not known to registry",
            ),
            (r#"{"errors":[{"code":"DENIED"}]}"#, "DENIED", "DENIED"),
            (r#"{"errors":[{"code":7,"message":null}]}"#, "", ""),
            (
                r#"{"details":"incorrect username or password"}"#,
                "",
                "incorrect username or password",
            ),
            (r#"{"message":"a\u0007b"}"#, "", "ab"),
            ("<html>no</html>", "", ""),
            ("", "", ""),
            ("[1,2", "", ""),
        ];
        for (body, code, text) in rows {
            let expected = Complaint {
                code: (*code).into(),
                text: (*text).into(),
            };
            assert_eq!(Complaint::read(body.as_bytes()), expected, "{body}");
        }
    }

    #[test]
    fn a_repeated_secret_is_cut_out() {
        let error = RegistryError::unauthorized("r.example", "bad password hunter22 for bob");
        assert_eq!(
            error.without("hunter22").to_string(),
            "r.example did not accept who asks: bad password [redacted] for bob"
        );
    }

    #[test]
    fn only_what_time_heals_is_transient() {
        assert!(
            RegistryError::Throttled {
                host: "r".into(),
                retry_after: None
            }
            .is_transient()
        );
        assert!(RegistryError::unavailable("r", "timeout").is_transient());
        assert!(!RegistryError::refused("no").is_transient());
        assert!(
            !RegistryError::NotFound {
                what: Missing::Blob,
                name: "r/a".into()
            }
            .is_transient()
        );
    }
}
