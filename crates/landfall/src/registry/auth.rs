//! Decides which proof goes with a request, and buys the tokens that takes; must not know what the request asks.

use std::collections::HashMap;
use std::sync::atomic::AtomicU32;
use std::sync::{Mutex, PoisonError};

use jiff::Timestamp;
use reqwest::{Method, StatusCode, Url};

use super::answer::{Answer, BodyLimit};
use super::budget::Priority;
use super::challenge::{Challenge, TokenService};
use super::connections::TlsVerification;
use super::credentials::Access;
use super::endpoint::authority;
use super::error::{Complaint, RegistryError};
use super::http_time::http_date;
use super::site::{AskedRegistry, realm_to_ask};
use super::token::{Age, Held, Token, TokenCache, TokenKey, read_token};
use super::transport::{Charge, Outgoing, Proof, Transport};

/// How much of a token service's answer is read.
const TOKEN_LIMIT: BodyLimit = BodyLimit {
    what: "a token answer",
    bytes: 64 * 1024,
};
/// Challenges remembered; past that they are all learned anew.
const MAX_CHALLENGES: usize = 4_096;

/// Who asks whom.
#[derive(Clone, Copy)]
pub(super) struct Asking<'a> {
    pub(super) transport: &'a Transport,
    pub(super) registry: AskedRegistry<'a>,
    /// The repository's path, as the asked host knows it.
    pub(super) path: &'a str,
    pub(super) access: &'a Access,
    pub(super) tls: TlsVerification,
    pub(super) priority: Priority,
    /// Counts the requests to token services.
    pub(super) count: &'a AtomicU32,
}

/// A proof, and what is needed to answer its rejection.
pub(super) enum Offer {
    /// Nothing was offered, because nothing is known of what the host wants.
    Nothing,
    Basic,
    Bearer {
        held: Held,
        service: TokenService,
    },
    /// Nothing was offered, because the token that the host wanted before was not to be had.
    Unsold {
        service: TokenService,
        error: RegistryError,
    },
}

impl Offer {
    /// The proof to send.
    pub(super) fn proof(&self, access: &Access) -> Proof {
        match self {
            Self::Nothing | Self::Unsold { .. } => Proof::Nothing,
            Self::Basic => Proof::Basic(access.clone()),
            Self::Bearer { held, .. } => Proof::Bearer(held.header.clone()),
        }
    }
}

/// The origin as a text, how its certificate was checked, and a repository path; without a path, what the host wants for
/// any. An unverified connection never teaches a verified one where to take its credentials.
type Place = (String, TlsVerification, Option<String>);

/// What hosts want, and the tokens bought so far.
#[derive(Default)]
pub(super) struct Authenticator {
    challenges: Mutex<HashMap<Place, Challenge>>,
    tokens: TokenCache,
}

impl Authenticator {
    /// What to offer with a first request, from what is known of the host.
    pub(super) async fn offer(&self, asking: Asking<'_>) -> Result<Offer, RegistryError> {
        match self.known(asking) {
            None => Ok(Offer::Nothing),
            Some(Challenge::Basic) if matches!(asking.access, Access::Anonymous) => Ok(Offer::Nothing),
            Some(Challenge::Basic) => Ok(Offer::Basic),
            Some(Challenge::Bearer(service)) => match self.buy(asking, service.clone(), None).await {
                Err(error @ RegistryError::Unavailable { .. }) => {
                    // The registry may have moved its token service: let it say so next time.
                    self.forget(asking);
                    Err(error)
                }
                Err(error) if error.is_transient() => Err(error),
                // This repository may want a token from elsewhere than the others: let the registry say so itself.
                Err(error) => Ok(Offer::Unsold { service, error }),
                sold => sold,
            },
        }
    }

    /// What to offer after a challenge; an error if there is nothing better than what was offered already.
    pub(super) async fn answer(
        &self,
        asking: Asking<'_>,
        challenge: Option<Challenge>,
        offered: &Offer,
        complaint: Complaint,
    ) -> Result<Offer, RegistryError> {
        let host = authority(asking.registry.origin);
        let unauthorized = |hint: &str| RegistryError::unauthorized(&host, complaint.explained(hint));
        let service = match challenge {
            None => return Err(unauthorized("it names no proof that we can give")),
            Some(Challenge::Basic) => match (asking.access, offered) {
                (Access::Anonymous, _) => return Err(unauthorized("it wants credentials, and there are none for it")),
                (_, Offer::Basic) => return Err(unauthorized("it rejects the user name or password")),
                _ => {
                    self.remember(asking, Challenge::Basic);
                    return Ok(Offer::Basic);
                }
            },
            Some(Challenge::Bearer(service)) => service.for_path(asking.path),
        };
        self.remember(asking, Challenge::Bearer(service.clone()));
        let rejected = match offered {
            Offer::Bearer { held, service: same } if *same == service => {
                if held.age == Age::Fresh {
                    return Err(no_token_suffices(asking, complaint));
                }
                Some(&held.header)
            }
            Offer::Unsold { service: same, error } if *same == service => return Err(error.clone()),
            _ => None,
        };
        self.buy(asking, service, rejected).await
    }

    async fn buy(
        &self,
        asking: Asking<'_>,
        service: TokenService,
        rejected: Option<&reqwest::header::HeaderValue>,
    ) -> Result<Offer, RegistryError> {
        // Before the cache: what may not be sent there today may not be used from there either.
        let realm = realm_to_ask(&service.realm, asking.registry, asking.access)?;
        let key = TokenKey {
            service: service.clone(),
            buyer: asking.access.fingerprint(),
            tls: asking.tls,
        };
        let held = self
            .tokens
            .token(&key, rejected, buy_token(asking, realm, &service))
            .await?;
        Ok(Offer::Bearer { held, service })
    }

    /// What this repository wants, or else what others of its host want.
    fn known(&self, asking: Asking<'_>) -> Option<Challenge> {
        let challenges = self.challenges.lock().unwrap_or_else(PoisonError::into_inner);
        let known = challenges
            .get(&place(asking, Some(asking.path)))
            .or_else(|| challenges.get(&place(asking, None)));
        known.map(|challenge| match challenge {
            Challenge::Basic => Challenge::Basic,
            Challenge::Bearer(service) => Challenge::Bearer(service.clone().for_path(asking.path)),
        })
    }

    fn forget(&self, asking: Asking<'_>) {
        let mut challenges = self.challenges.lock().unwrap_or_else(PoisonError::into_inner);
        challenges.remove(&place(asking, Some(asking.path)));
        challenges.remove(&place(asking, None));
    }

    /// Keeps a challenge: for the host if it is its first and an ordinary one, else for the path alone.
    fn remember(&self, asking: Asking<'_>, challenge: Challenge) {
        let mut challenges = self.challenges.lock().unwrap_or_else(PoisonError::into_inner);
        if challenges.len() >= MAX_CHALLENGES {
            challenges.clear();
        }
        let general = match &challenge {
            Challenge::Basic => Some(Challenge::Basic),
            Challenge::Bearer(service) => service.for_any_path(asking.path).map(Challenge::Bearer),
        };
        if let Some(general) = general {
            let kept = challenges.entry(place(asking, None)).or_insert_with(|| general.clone());
            if *kept == general {
                challenges.remove(&place(asking, Some(asking.path)));
                return;
            }
        }
        challenges.insert(place(asking, Some(asking.path)), challenge);
    }
}

fn place(asking: Asking<'_>, path: Option<&str>) -> Place {
    (
        asking.registry.origin.origin().ascii_serialization(),
        asking.tls,
        path.map(str::to_owned),
    )
}

impl TokenService {
    /// The same with the ordinary scope to read one repository, where it names none.
    fn for_path(mut self, path: &str) -> Self {
        self.scope.get_or_insert_with(|| ordinary_scope(path));
        self
    }

    /// The same without a scope if the scope is the ordinary one for this path, so that it fits every path.
    fn for_any_path(&self, path: &str) -> Option<Self> {
        let ordinary = self.scope.as_deref().is_none_or(|scope| scope == ordinary_scope(path));
        ordinary.then(|| Self {
            scope: None,
            ..self.clone()
        })
    }
}

fn ordinary_scope(path: &str) -> String {
    format!("repository:{path}:pull")
}

/// A token service gave a token, and the registry does not take it: it does not cover this repository.
pub(super) fn no_token_suffices(asking: Asking<'_>, complaint: Complaint) -> RegistryError {
    let host = authority(asking.registry.origin);
    match asking.access {
        Access::Anonymous => RegistryError::unauthorized(
            &host,
            complaint.explained("this repository is not public or does not exist, and there are no credentials for it"),
        ),
        Access::Basic { .. } => RegistryError::Denied {
            host,
            detail: complaint.explained("these credentials may not read this repository, or it does not exist"),
        },
    }
}

async fn buy_token(asking: Asking<'_>, mut realm: Url, service: &TokenService) -> Result<Token, RegistryError> {
    let host = authority(&realm);
    {
        let mut query = realm.query_pairs_mut();
        if let Some(name) = &service.service {
            query.append_pair("service", name);
        }
        for scope in service.scope.iter().flat_map(|scopes| scopes.split_ascii_whitespace()) {
            query.append_pair("scope", scope);
        }
    }
    let answer = asking
        .transport
        .send(&Outgoing {
            method: Method::GET,
            url: &realm,
            accept: "application/json",
            proof: &Proof::Basic(asking.access.clone()),
            tls: asking.tls,
            priority: asking.priority,
            limit: TOKEN_LIMIT,
            charge: Charge::Host,
            count: asking.count,
        })
        .await
        .map_err(|failure| failure.error)?;
    if answer.status != StatusCode::OK {
        return Err(token_refusal(asking.access, host, &answer));
    }
    let now = answer.header("date").and_then(http_date).unwrap_or_else(Timestamp::now);
    read_token(&answer.body, now).map_err(|detail| RegistryError::malformed(&host, detail))
}

fn token_refusal(access: &Access, host: String, answer: &Answer) -> RegistryError {
    let complaint = Complaint::read(&answer.body);
    let status = answer.status;
    match status.as_u16() {
        401 | 403 => RegistryError::unauthorized(
            &host,
            complaint.explained(match access {
                Access::Anonymous => "the token service gives nothing without credentials",
                Access::Basic { .. } => "the token service rejects the user name or password",
            }),
        ),
        408 | 500.. => {
            RegistryError::unavailable(&host, complaint.explained(&format!("token service status {status}")))
        }
        _ => RegistryError::Rejected {
            host,
            status: status.as_u16(),
            detail: complaint.explained("no token"),
        },
    }
}
