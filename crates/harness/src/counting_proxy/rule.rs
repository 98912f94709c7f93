//! Decides which requests a proxy spoils, and how; it sends nothing.

use std::time::Duration;

use crate::http::Response;

/// Which requests a proxy treats differently, how, and how often. Without more, [`Rule::on`] changes nothing.
#[derive(Debug, Clone)]
pub struct Rule {
    path: String,
    method: Option<String>,
    remaining: Option<usize>,
    delay: Duration,
    outcome: Outcome,
}

/// What happens to a request.
#[derive(Debug, Clone, Default)]
pub(crate) enum Outcome {
    #[default]
    Forward,
    Answer(Response),
    HangUp,
}

impl Rule {
    /// A rule for requests whose path and query contain `path`, such as `/manifests/v1`.
    pub fn on(path: &str) -> Self {
        let outcome = Outcome::Forward;
        Self {
            path: path.to_owned(),
            method: None,
            remaining: None,
            delay: Duration::ZERO,
            outcome,
        }
    }

    /// Only for requests of that method.
    #[must_use]
    pub fn method(self, method: &str) -> Self {
        Self {
            method: Some(method.to_owned()),
            ..self
        }
    }

    /// Only for the first `count` requests that fit.
    #[must_use]
    pub fn first(self, count: usize) -> Self {
        Self {
            remaining: Some(count),
            ..self
        }
    }

    /// Waits before it answers or passes on.
    #[must_use]
    pub fn delay(self, delay: Duration) -> Self {
        Self { delay, ..self }
    }

    /// Answers with that status and a registry's error document, without asking upstream.
    #[must_use]
    pub fn answer(self, status: u16) -> Self {
        let code = match status {
            401 => "UNAUTHORIZED",
            404 => "MANIFEST_UNKNOWN",
            429 => "TOOMANYREQUESTS",
            _ => "UNKNOWN",
        };
        let body = format!("{{\"errors\":[{{\"code\":\"{code}\",\"message\":\"injected\"}}]}}\n").into_bytes();
        let headers = vec![("Content-Type".to_owned(), "application/json".to_owned())];
        self.respond(Response { status, headers, body })
    }

    /// Answers 429 with `Retry-After` in whole seconds, without asking upstream.
    #[must_use]
    pub fn too_many_requests(self, retry_after: Duration) -> Self {
        self.answer(429)
            .with_header("Retry-After", &retry_after.as_secs().to_string())
    }

    /// Answers with exactly that, without asking upstream.
    #[must_use]
    pub fn respond(self, response: Response) -> Self {
        Self {
            outcome: Outcome::Answer(response),
            ..self
        }
    }

    /// One header more in the answer that the rule gives; nothing for a rule that gives none.
    #[must_use]
    pub fn with_header(mut self, name: &str, value: &str) -> Self {
        if let Outcome::Answer(response) = &mut self.outcome {
            response.headers.push((name.to_owned(), value.to_owned()));
        }
        self
    }

    /// Hangs up without an answer.
    #[must_use]
    pub fn hang_up(self) -> Self {
        Self {
            outcome: Outcome::HangUp,
            ..self
        }
    }

    /// What happens to a request, if the rule fits it and is not used up; then it counts as used.
    pub(crate) fn apply(&mut self, method: &str, path: &str) -> Option<(Duration, Outcome)> {
        let fits = path.contains(&self.path) && self.method.as_ref().is_none_or(|wanted| wanted == method);
        if !fits || self.remaining == Some(0) {
            return None;
        }
        self.remaining = self.remaining.map(|count| count - 1);
        Some((self.delay, self.outcome.clone()))
    }
}
