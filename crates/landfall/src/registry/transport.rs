//! Sends one request within its host's budget; must not know what the answer means.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use reqwest::header::{ACCEPT, AUTHORIZATION, HeaderValue};
use reqwest::{Method, StatusCode, Url};
use tokio::time::Instant;

use super::RegistryOptions;
use super::answer::{Answer, BodyLimit};
use super::budget::{Allowance, Budgets, HostUse, MAX_PAUSE, Priority};
use super::connections::{Connections, TlsVerification, innermost, may_speak_plain};
use super::credentials::Access;
use super::endpoint::{Endpoint, authority};
use super::error::RegistryError;

/// How often one request is sent while its host asks for patience.
const MAX_SENDS: u32 = 3;
/// The pause for a `429` that names none.
const DEFAULT_PAUSE: Duration = Duration::from_secs(5);
/// How long a host is known to speak plain HTTP before TLS is tried again. One that spoke TLS is not asked in the clear again.
const PLAIN_KNOWN_FOR: Duration = Duration::from_secs(60 * 60);
/// Hosts whose scheme is remembered.
const MAX_SCHEMES: usize = 4_096;

/// The proof a request carries.
#[derive(Debug, Clone)]
pub(super) enum Proof {
    Nothing,
    /// The user name and password themselves; nothing for anonymous access.
    Basic(Access),
    /// A ready `Bearer …` header.
    Bearer(HeaderValue),
}

/// Whose budget pays for a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Charge {
    /// The host asked.
    Host,
    /// Nobody: a place a registry redirected to, which has no budget of its own.
    Free,
}

/// One request.
#[derive(Debug, Clone)]
pub(super) struct Outgoing<'r> {
    pub(super) method: Method,
    pub(super) url: &'r Url,
    pub(super) accept: &'static str,
    pub(super) proof: &'r Proof,
    pub(super) tls: TlsVerification,
    pub(super) priority: Priority,
    pub(super) limit: BodyLimit,
    pub(super) charge: Charge,
    /// Counts every request that reached a server.
    pub(super) count: &'r AtomicU32,
}

/// Why there is no answer.
#[derive(Debug)]
pub(super) struct Failure {
    pub(super) error: RegistryError,
    pub(super) hint: Hint,
}

/// What a failure says about the server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Hint {
    /// It may speak plain HTTP.
    MaySpeakPlain,
    None,
}

impl From<RegistryError> for Failure {
    fn from(error: RegistryError) -> Self {
        Self {
            error,
            hint: Hint::None,
        }
    }
}

/// A base to ask, and the plain one to try if it turns out not to speak TLS.
#[derive(Debug, Clone)]
pub(super) struct Base {
    pub(super) url: Url,
    pub(super) fallback: Option<Url>,
}

/// Connections, budgets and what is known of hosts: shared by everything that asks.
pub(super) struct Transport {
    connections: Connections,
    budgets: Budgets,
    wait_deadline: Duration,
    request_timeout: Duration,
    /// By `host:port`: the base that answered, and when.
    bases: Mutex<HashMap<String, (Url, Instant)>>,
}

impl Transport {
    pub(super) fn new(options: &RegistryOptions) -> Self {
        let concurrency = options.concurrency_per_host.max(1);
        Self {
            connections: Connections::new(&options.user_agent, options.connect_timeout, concurrency),
            budgets: Budgets::new(Allowance {
                requests_per_second: options.requests_per_second,
                concurrency,
            }),
            wait_deadline: options.wait_deadline,
            request_timeout: options.request_timeout,
            bases: Mutex::new(HashMap::new()),
        }
    }

    /// Where to ask for an endpoint: where it answered before, or both schemes in turn.
    pub(super) fn base(&self, endpoint: &Endpoint) -> Base {
        let Some(plain) = &endpoint.plain else {
            return Base {
                url: endpoint.preferred.clone(),
                fallback: None,
            };
        };
        let mut bases = self.bases.lock().unwrap_or_else(PoisonError::into_inner);
        bases.retain(|_, (base, since)| base.scheme() == "https" || since.elapsed() < PLAIN_KNOWN_FOR);
        match bases.get(&endpoint.authority()) {
            Some((known, _)) => Base {
                url: known.clone(),
                fallback: None,
            },
            None => Base {
                url: endpoint.preferred.clone(),
                fallback: Some(plain.clone()),
            },
        }
    }

    /// Remembers which base of an endpoint answered.
    pub(super) fn base_answered(&self, endpoint: &Endpoint, base: &Url) {
        let mut bases = self.bases.lock().unwrap_or_else(PoisonError::into_inner);
        if bases.len() < MAX_SCHEMES {
            bases.insert(endpoint.authority(), (base.clone(), Instant::now()));
        }
    }

    /// What each host was asked so far.
    pub(super) fn uses(&self) -> Vec<HostUse> {
        self.budgets.uses()
    }

    /// Sends a request in its turn, and again while its host asks for patience and the deadline allows.
    pub(super) async fn send(&self, outgoing: &Outgoing<'_>) -> Result<Answer, Failure> {
        let host = authority(outgoing.url);
        if outgoing.charge == Charge::Free {
            return self.send_once(outgoing, &host).await;
        }
        let budget = self.budgets.of(&host);
        let deadline = Instant::now() + self.wait_deadline;
        for attempt in 1.. {
            let permit = budget
                .acquire(outgoing.priority, deadline)
                .await
                .map_err(|out| RegistryError::Throttled {
                    host: host.clone(),
                    retry_after: out.retry_after,
                })?;
            let answer = self.send_once(outgoing, &host).await;
            budget.count(answer.as_ref().is_ok_and(|answer| {
                !answer.status.is_server_error() && answer.status != StatusCode::TOO_MANY_REQUESTS
            }));
            let answer = answer?;
            if answer.is_last_within_quota() {
                tracing::warn!(host, "the registry says that its quota is used up");
            }
            let pause = match (answer.status, answer.retry_after()) {
                (StatusCode::TOO_MANY_REQUESTS, wait) => wait.unwrap_or(DEFAULT_PAUSE),
                (StatusCode::SERVICE_UNAVAILABLE, Some(wait)) => wait,
                _ => return Ok(answer),
            };
            let pause = pause.min(MAX_PAUSE);
            budget.pause_for(pause);
            drop(permit);
            tracing::debug!(host, seconds = pause.as_secs(), "the registry asks for a pause");
            if attempt >= MAX_SENDS || Instant::now() + pause > deadline {
                return Err(RegistryError::Throttled {
                    host,
                    retry_after: Some(pause),
                }
                .into());
            }
        }
        Err(RegistryError::Throttled {
            host,
            retry_after: None,
        }
        .into())
    }

    async fn send_once(&self, outgoing: &Outgoing<'_>, host: &str) -> Result<Answer, Failure> {
        let mut request = self
            .connections
            .to(outgoing.url, outgoing.tls)?
            .request(outgoing.method.clone(), outgoing.url.clone())
            .header(ACCEPT, outgoing.accept);
        match outgoing.proof {
            Proof::Nothing | Proof::Basic(Access::Anonymous) => {}
            Proof::Basic(Access::Basic { username, password }) => {
                request = request.basic_auth(username, Some(password.expose()));
            }
            Proof::Bearer(header) => request = request.header(AUTHORIZATION, header.clone()),
        }
        let exchange = async {
            let response = request.send().await;
            if !response.as_ref().is_err_and(reqwest::Error::is_connect) {
                outgoing.count.fetch_add(1, Ordering::Relaxed);
            }
            match response {
                Ok(response) => Answer::read(response, &outgoing.method, outgoing.url, outgoing.limit)
                    .await
                    .map_err(Failure::from),
                Err(error) => Err(no_answer(error, host)),
            }
        };
        match tokio::time::timeout(self.request_timeout, exchange).await {
            Ok(result) => result,
            Err(_) => {
                let seconds = self.request_timeout.as_secs_f32();
                Err(RegistryError::unavailable(host, format!("no complete answer within {seconds} s")).into())
            }
        }
    }
}

fn no_answer(error: reqwest::Error, host: &str) -> Failure {
    let hint = if may_speak_plain(&error) {
        Hint::MaySpeakPlain
    } else {
        Hint::None
    };
    let detail = if error.is_timeout() {
        "connecting took too long".to_owned()
    } else {
        let kind = if error.is_connect() { "cannot connect: " } else { "" };
        format!("{kind}{}", innermost(&error.without_url()))
    };
    Failure {
        error: RegistryError::unavailable(host, detail),
        hint,
    }
}
