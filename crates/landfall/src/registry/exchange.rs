//! Gets one answer from a registry, with the proof, scheme and redirects that takes; must not know what the answer is for.

use std::sync::atomic::Ordering;

use reqwest::header::LOCATION;
use reqwest::{Method, StatusCode, Url};

use super::answer::{Answer, BodyLimit};
use super::auth::{Asking, Offer, no_token_suffices};
use super::challenge::{Challenge, strongest};
use super::credentials::Access;
use super::endpoint::authority;
use super::error::{Complaint, Missing, RegistryError};
use super::repository::RepositoryHandle;
use super::site::{AskedRegistry, may_go};
use super::transport::{Base, Charge, Failure, Hint, Outgoing, Proof};

/// How often a request may be challenged: for the first proof, and for one that ran out.
const MAX_CHALLENGES: u32 = 2;
const MAX_REDIRECTS: u32 = 5;
/// How much is read of the answer to a question about no repository.
const PING_LIMIT: BodyLimit = BodyLimit {
    what: "an answer to a ping",
    bytes: 64 * 1024,
};

/// What is asked of the registry.
pub(super) struct Question<'q> {
    pub(super) method: Method,
    pub(super) target: Target<'q>,
    pub(super) accept: &'static str,
    pub(super) limit: BodyLimit,
    /// What a `404` without a telling code means, and how to name it.
    pub(super) missing: Missing,
    pub(super) name: String,
}

/// Where a question goes.
pub(super) enum Target<'q> {
    /// Below the repository, with its query: `tags/list?n=1000`.
    Below(String),
    /// A URL the registry named.
    Page(&'q Url),
}

impl RepositoryHandle {
    /// Asks, and takes nothing but `200` for an answer.
    pub(super) async fn ask(&self, question: &Question<'_>) -> Result<Answer, RegistryError> {
        let result = match self.ask_with_proof(question).await {
            Ok(answer) if answer.status == StatusCode::OK => return Ok(answer),
            Ok(answer) => refusal(&answer, question),
            Err(error) => error,
        };
        Err(result.without(self.access.secret()))
    }

    async fn ask_with_proof(&self, question: &Question<'_>) -> Result<Answer, RegistryError> {
        let mut base = self.inner.transport.base(&self.endpoint);
        let mut offer = self.inner.authenticator.offer(self.asking(&base.url)).await?;
        let mut challenged = 0;
        loop {
            let answer = self.deliver(question, &mut base, &offer.proof(&self.access)).await?;
            // A place we were redirected to may not ask for proof: ours is for the registry.
            let from_registry = answer.url.origin() == base.url.origin();
            let challenge = match answer.status {
                StatusCode::UNAUTHORIZED if from_registry => strongest(answer.header_values("www-authenticate")),
                StatusCode::FORBIDDEN | StatusCode::NOT_FOUND if from_registry && self.holds_back(&offer) => {
                    match self.ping(&base.url).await? {
                        None => return Ok(answer),
                        challenge => challenge,
                    }
                }
                _ => return Ok(answer),
            };
            if answer.status == StatusCode::UNAUTHORIZED {
                self.count_as_token_request();
            }
            let complaint = Complaint::read(&answer.body);
            let asking = self.asking(&base.url);
            if challenged == MAX_CHALLENGES {
                return Err(no_token_suffices(asking, complaint));
            }
            challenged += 1;
            offer = self
                .inner
                .authenticator
                .answer(asking, challenge, &offer, complaint)
                .await?;
        }
    }

    /// Whether we have credentials that the registry was not shown. Some registries answer strangers as if a private
    /// repository did not exist, without a challenge.
    fn holds_back(&self, offer: &Offer) -> bool {
        matches!(offer, Offer::Nothing) && matches!(self.access, Access::Basic { .. })
    }

    /// The challenge to a question about no repository, if the registry challenges that.
    async fn ping(&self, base: &Url) -> Result<Option<Challenge>, RegistryError> {
        let Ok(url) = base.join("/v2/") else { return Ok(None) };
        let mut outgoing = self.outgoing(&url, &Proof::Nothing, PING_LIMIT, Method::GET, "*/*");
        outgoing.count = &self.counters.token;
        let answer = self
            .inner
            .transport
            .send(&outgoing)
            .await
            .map_err(|failure| failure.error)?;
        Ok(match answer.status {
            // The challenge is for the ping: its scope, if any, says nothing of the repository.
            StatusCode::UNAUTHORIZED => strongest(answer.header_values("www-authenticate")).map(|mut challenge| {
                if let Challenge::Bearer(service) = &mut challenge {
                    service.scope = None;
                }
                challenge
            }),
            _ => None,
        })
    }

    /// Sends a question, by plain HTTP if that is allowed and the host turns out to speak nothing else.
    async fn deliver(&self, question: &Question<'_>, base: &mut Base, proof: &Proof) -> Result<Answer, RegistryError> {
        match self.follow(question, &base.url, proof).await {
            Err(failure) if failure.hint == Hint::MaySpeakPlain => {
                let Some(plain) = base.fallback.take() else {
                    return Err(failure.error);
                };
                let answer = self
                    .follow(question, &plain, proof)
                    .await
                    .map_err(|failure| failure.error)?;
                self.inner.transport.base_answered(&self.endpoint, &plain);
                base.url = plain;
                Ok(answer)
            }
            Err(failure) => Err(failure.error),
            Ok(answer) => {
                if base.fallback.take().is_some() {
                    self.inner.transport.base_answered(&self.endpoint, &base.url);
                }
                Ok(answer)
            }
        }
    }

    /// Follows redirects as far as they may lead. Off the registry's own origin, no proof goes along.
    async fn follow(&self, question: &Question<'_>, base: &Url, proof: &Proof) -> Result<Answer, Failure> {
        let mut url = self.first_url(question, base)?;
        for _ in 0..=MAX_REDIRECTS {
            let own = url.origin() == base.origin();
            let proof = if own { proof } else { &Proof::Nothing };
            let mut outgoing = self.outgoing(&url, proof, question.limit, question.method.clone(), question.accept);
            outgoing.charge = if own { Charge::Host } else { Charge::Free };
            let sent = self.inner.transport.send(&outgoing).await;
            let answer = match sent {
                Ok(answer) => answer,
                // Only the registry itself may turn out to speak plain HTTP, not where it sends us.
                Err(failure) if own => return Err(failure),
                Err(failure) => return Err(failure.error.into()),
            };
            let redirects = matches!(answer.status.as_u16(), 301 | 302 | 303 | 307 | 308);
            match answer.header(LOCATION.as_str()) {
                Some(location) if redirects => url = redirect_target(&url, location)?,
                _ => return Ok(answer),
            }
        }
        let host = authority(base);
        Err(RegistryError::malformed(
            &host,
            format!("more than {MAX_REDIRECTS} redirects for {}", question.name),
        )
        .into())
    }

    fn first_url(&self, question: &Question<'_>, base: &Url) -> Result<Url, RegistryError> {
        match &question.target {
            Target::Page(url) => Ok((*url).clone()),
            Target::Below(rest) => base
                .join(&format!("/v2/{}/{rest}", self.endpoint.path))
                .map_err(|_| RegistryError::refused(format!("{} makes no valid URL", question.name))),
        }
    }

    fn outgoing<'o>(
        &'o self,
        url: &'o Url,
        proof: &'o Proof,
        limit: BodyLimit,
        method: Method,
        accept: &'static str,
    ) -> Outgoing<'o> {
        let (tls, priority, count) = (self.tls, self.priority, &self.counters.registry);
        Outgoing {
            method,
            url,
            accept,
            proof,
            tls,
            priority,
            limit,
            charge: Charge::Host,
            count,
        }
    }

    fn asking<'a>(&'a self, origin: &'a Url) -> Asking<'a> {
        let trusted = self
            .inner
            .options
            .trusted_realms
            .get(&self.address.host)
            .map_or(&[][..], Vec::as_slice);
        Asking {
            transport: &self.inner.transport,
            registry: AskedRegistry {
                origin,
                canonical: &self.address.host,
                trusted,
            },
            path: &self.endpoint.path,
            access: &self.access,
            tls: self.tls,
            priority: self.priority,
            count: &self.counters.token,
        }
    }

    fn count_as_token_request(&self) {
        self.counters.registry.fetch_sub(1, Ordering::Relaxed);
        self.counters.token.fetch_add(1, Ordering::Relaxed);
    }
}

fn redirect_target(from: &Url, location: &str) -> Result<Url, RegistryError> {
    let host = authority(from);
    let target = from
        .join(location)
        .map_err(|_| RegistryError::malformed(&host, "its redirect leads to no URL"))?;
    if !target.username().is_empty() || target.password().is_some() {
        return Err(RegistryError::refused(format!(
            "the place that {host} redirects to has credentials in its URL"
        )));
    }
    match may_go(from, &target) {
        Ok(()) => Ok(target),
        Err(why) => {
            let place = authority(&target);
            Err(RegistryError::refused(format!(
                "the place that {host} redirects to ({place}) {why}"
            )))
        }
    }
}

/// The error that an answer other than a success stands for.
fn refusal(answer: &Answer, question: &Question<'_>) -> RegistryError {
    let host = authority(&answer.url);
    let complaint = Complaint::read(&answer.body);
    let status = answer.status.as_u16();
    match status {
        404 => {
            let what = match complaint.code.as_str() {
                "NAME_UNKNOWN" => Missing::Repository,
                "MANIFEST_UNKNOWN" => Missing::Manifest,
                "BLOB_UNKNOWN" => Missing::Blob,
                _ => question.missing,
            };
            RegistryError::NotFound {
                what,
                name: question.name.clone(),
            }
        }
        401 => RegistryError::unauthorized(&host, complaint.explained(&format!("no access to {}", question.name))),
        403 => RegistryError::Denied {
            host,
            detail: complaint.explained(&format!("no access to {}", question.name)),
        },
        429 => RegistryError::Throttled {
            host,
            retry_after: answer.retry_after(),
        },
        408 | 500.. => RegistryError::unavailable(&host, complaint.explained(&format!("status {status}"))),
        _ => RegistryError::Rejected {
            host,
            status,
            detail: complaint.explained(&question.name),
        },
    }
}
