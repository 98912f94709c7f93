//! Decides who may read the metrics: everybody, or whom an API server lets get `/metrics`. Where it does not answer, nobody may.

mod standings;

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use axum::body::Body;
use axum::http::header::{AUTHORIZATION, RETRY_AFTER, WWW_AUTHENTICATE};
use axum::http::{HeaderMap, HeaderValue, Response, StatusCode};
use tokio::sync::Semaphore;
use tokio::time::{Instant, timeout};

use self::standings::{Standings, TokenDigest};
use super::answer::{RETRY_AFTER_SECONDS, text};
use crate::resources::kubernetes::{ApiServer, Failure, Standing};

/// What has to be allowed, as `nonResourceURLs` of a ClusterRole.
const PATH: &str = "/metrics";
/// So many tokens are asked about at once: whoever shows new ones without end must not keep the API server busy.
const QUESTIONS: usize = 4;
/// How long an answer may take. Prometheus waits as long by default.
const PATIENCE: Duration = Duration::from_secs(10);

/// Who may read the metrics; cheap to clone.
#[derive(Clone)]
pub enum Readers {
    /// Everybody who reaches the address.
    Everybody,
    /// Whom an API server lets.
    Authorized(Arc<Asking>),
}

/// How the API server is asked, and what it has answered of late.
pub struct Asking {
    server: ApiServer,
    standings: Mutex<Standings>,
    questions: Semaphore,
    is_failing: AtomicBool,
}

/// Why somebody may not read them.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Refusal {
    /// There is no token, or it is nobody's.
    Unauthorized,
    /// It is the token of a user who may not.
    Forbidden { user: String },
    /// Nobody can tell at the moment.
    Unknown,
}

impl Readers {
    /// Whom an API server lets.
    pub fn authorized_by(server: ApiServer) -> Self {
        Self::Authorized(Arc::new(Asking {
            server,
            standings: Mutex::default(),
            questions: Semaphore::new(QUESTIONS),
            is_failing: AtomicBool::new(false),
        }))
    }

    /// Whether whoever sends these headers may read them.
    pub(super) async fn admit(&self, headers: &HeaderMap) -> Result<(), Refusal> {
        let Self::Authorized(asking) = self else {
            return Ok(());
        };
        let token = bearer(headers).ok_or(Refusal::Unauthorized)?;
        match asking.standing(token).await {
            Some(Standing::Allowed) => Ok(()),
            Some(Standing::Denied { user }) => Err(Refusal::Forbidden { user }),
            Some(Standing::Stranger) => Err(Refusal::Unauthorized),
            None => Err(Refusal::Unknown),
        }
    }
}

impl Asking {
    /// What is known of whoever has a token, or else what the API server says; nothing where it says nothing.
    async fn standing(&self, token: &str) -> Option<Standing> {
        let digest = TokenDigest::of(token);
        if let Some(known) = self.known(&digest) {
            return Some(known);
        }
        let answer = match timeout(PATIENCE, self.ask(&digest, token)).await {
            Ok(answer) => answer,
            Err(_elapsed) => Err(Failure::Unreachable("no answer in time".to_owned())),
        };
        self.tell(answer.as_ref().err());
        answer.ok()
    }

    async fn ask(&self, digest: &TokenDigest, token: &str) -> Result<Standing, Failure> {
        // The semaphore is never closed.
        let _place = self.questions.acquire().await;
        // Whoever was before us may have shown the same token.
        if let Some(known) = self.known(digest) {
            return Ok(known);
        }
        let standing = self.server.may_get(token, PATH).await?;
        let mut standings = self.standings.lock().unwrap_or_else(PoisonError::into_inner);
        standings.remember(digest.clone(), standing.clone(), Instant::now());
        Ok(standing)
    }

    fn known(&self, digest: &TokenDigest) -> Option<Standing> {
        let standings = self.standings.lock().unwrap_or_else(PoisonError::into_inner);
        standings.of(digest, Instant::now())
    }

    /// The first failure of many in a row is worth a line, and so is the end of them.
    fn tell(&self, failure: Option<&Failure>) {
        let was_failing = self.is_failing.swap(failure.is_some(), Ordering::Relaxed);
        match failure {
            Some(error) if !was_failing => tracing::warn!(
                %error,
                "nobody may read the metrics: the API server does not say who may, by a TokenReview and a SubjectAccessReview"
            ),
            None if was_failing => tracing::info!("the API server says again who may read the metrics"),
            _ => {}
        }
    }
}

/// The token that was sent, by the rules of Kubernetes' own servers.
fn bearer(headers: &HeaderMap) -> Option<&str> {
    let mut words = headers.get(AUTHORIZATION)?.to_str().ok()?.trim().split(' ');
    let is_bearer = words.next()?.eq_ignore_ascii_case("bearer");
    words.next().filter(|token| is_bearer && !token.is_empty())
}

impl Refusal {
    /// The answer, in the words of the peer.
    pub(super) fn answer(&self) -> Response<Body> {
        match self {
            Self::Unauthorized => {
                let mut answer = text(StatusCode::UNAUTHORIZED, "Unauthorized".to_owned());
                let scheme = HeaderValue::from_static("Bearer");
                answer.headers_mut().insert(WWW_AUTHENTICATE, scheme);
                answer
            }
            Self::Forbidden { user } => text(StatusCode::FORBIDDEN, format!("Authorization denied for user {user}")),
            Self::Unknown => {
                let mut answer = text(StatusCode::SERVICE_UNAVAILABLE, "Authentication failed".to_owned());
                let seconds = HeaderValue::from_static(RETRY_AFTER_SECONDS);
                answer.headers_mut().insert(RETRY_AFTER, seconds);
                answer
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_what_follows_the_word_bearer() {
        for (sent, expected) in [
            (Some("Bearer abc"), Some("abc")),
            (Some("bearer abc"), Some("abc")),
            (Some("  BEARER abc def "), Some("abc")),
            (Some("Bearer  abc"), None),
            (Some("Bearer "), None),
            (Some("Bearer"), None),
            (Some("Bearerabc"), None),
            (Some("Basic abc"), None),
            (Some("abc"), None),
            (Some(""), None),
            (None, None),
        ] {
            let mut headers = HeaderMap::new();
            if let Some(sent) = sent {
                headers.insert(AUTHORIZATION, HeaderValue::from_static(sent));
            }
            assert_eq!(bearer(&headers), expected, "{sent:?}");
        }
    }
}
