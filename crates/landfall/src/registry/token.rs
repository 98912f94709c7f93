//! Keeps bearer tokens apart by what they are for and who bought them, until they run out; must not know how they are bought.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use jiff::Timestamp;
use reqwest::header::HeaderValue;
use serde::Deserialize;
use tokio::time::Instant;

use super::TlsVerification;
use super::challenge::TokenService;
use super::credentials::Fingerprint;
use super::error::RegistryError;
use super::http_time::between;

/// Tokens kept at once; the ones nearest to their end go first.
const MAX_TOKENS: usize = 4_096;
/// What a token lives where its service does not say, by the token specification.
const DEFAULT_LIFETIME: Duration = Duration::from_secs(60);
/// A token that claims to live longer is asked for again after this long.
const MAX_LIFETIME: Duration = Duration::from_secs(24 * 60 * 60);
/// A token is not used in its last seconds, so that it does not run out on the way.
const MARGIN: Duration = Duration::from_secs(30);

/// What a token is for and who bought it. Two tenants, or a verified and an unverified connection, never share one.
#[derive(Clone, PartialEq, Eq, Hash)]
pub(super) struct TokenKey {
    pub(super) service: TokenService,
    pub(super) buyer: Option<Fingerprint>,
    pub(super) tls: TlsVerification,
}

/// A token, as the `Authorization` header that carries it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Token {
    /// `Bearer …`, marked as sensitive.
    pub(super) header: HeaderValue,
    /// How long it may be used from when it was received; zero for once only.
    pub(super) usable_for: Duration,
}

/// A token, and how old it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Held {
    pub(super) header: HeaderValue,
    pub(super) age: Age,
}

/// Whether a rejected token may simply have run out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Age {
    /// Bought since it was asked for, by us or another; buying again would give the same.
    Fresh,
    /// From the cache.
    Cached,
}

struct Kept {
    header: HeaderValue,
    bought_at: Instant,
    until: Instant,
}

#[derive(Default)]
struct Slot {
    token: Option<Kept>,
    /// The last failure and when it happened, for those who were already waiting then.
    failure: Option<(RegistryError, Instant)>,
}

impl Slot {
    /// The token, unless it has run out or is the rejected one.
    fn usable(&self, asked_at: Instant, rejected: Option<&HeaderValue>) -> Option<Held> {
        let kept = self
            .token
            .as_ref()
            .filter(|kept| kept.until > Instant::now() && rejected != Some(&kept.header))?;
        let age = if kept.bought_at > asked_at {
            Age::Fresh
        } else {
            Age::Cached
        };
        let header = kept.header.clone();
        Some(Held { header, age })
    }
}

/// All tokens in use.
#[derive(Default)]
pub(super) struct TokenCache {
    slots: Mutex<HashMap<TokenKey, Arc<tokio::sync::Mutex<Slot>>>>,
}

impl TokenCache {
    /// The cached token, or the one that `buy` gets. Of those who ask at once one buys, and the others share what it got,
    /// be it an error; if it is cancelled, the next one buys. A `rejected` token is not given out again.
    pub(super) async fn token(
        &self,
        key: &TokenKey,
        rejected: Option<&HeaderValue>,
        buy: impl Future<Output = Result<Token, RegistryError>>,
    ) -> Result<Held, RegistryError> {
        let asked_at = Instant::now();
        let slot = self.slot(key);
        let mut slot = slot.lock().await;
        if let Some(held) = slot.usable(asked_at, rejected) {
            return Ok(held);
        }
        if let Some((error, failed_at)) = &slot.failure
            && *failed_at > asked_at
        {
            return Err(error.clone());
        }
        match buy.await {
            Ok(token) => {
                slot.failure = None;
                let now = Instant::now();
                let until = now + token.usable_for;
                slot.token = Some(Kept {
                    header: token.header.clone(),
                    bought_at: now,
                    until,
                });
                Ok(Held {
                    header: token.header,
                    age: Age::Fresh,
                })
            }
            Err(error) => {
                slot.token = None;
                slot.failure = Some((error.clone(), Instant::now()));
                Err(error)
            }
        }
    }

    fn slot(&self, key: &TokenKey) -> Arc<tokio::sync::Mutex<Slot>> {
        let mut slots = self.slots.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(slot) = slots.get(key) {
            return Arc::clone(slot);
        }
        if slots.len() >= MAX_TOKENS {
            make_room(&mut slots);
        }
        let slot = Arc::new(tokio::sync::Mutex::new(Slot::default()));
        slots.insert(key.clone(), Arc::clone(&slot));
        slot
    }

    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.slots.lock().unwrap_or_else(PoisonError::into_inner).len()
    }
}

/// Drops what has run out and, of what nobody waits for, the quarter that runs out first.
fn make_room(slots: &mut HashMap<TokenKey, Arc<tokio::sync::Mutex<Slot>>>) {
    let end_of = |slot: &Arc<tokio::sync::Mutex<Slot>>| match slot.try_lock() {
        Ok(held) if Arc::strong_count(slot) == 1 => Some(held.token.as_ref().map(|kept| kept.until)),
        _ => None,
    };
    let mut idle: Vec<(Option<Instant>, TokenKey)> = slots
        .iter()
        .filter_map(|(key, slot)| end_of(slot).map(|end| (end, key.clone())))
        .collect();
    idle.sort_by_key(|(end, _)| *end);
    let now = Instant::now();
    for (index, (end, key)) in idle.into_iter().enumerate() {
        if index < MAX_TOKENS / 4 || end.is_none_or(|end| end <= now) {
            slots.remove(&key);
        }
    }
}

#[derive(Deserialize)]
struct TokenBody {
    #[serde(default)]
    token: Option<String>,
    #[serde(default)]
    access_token: Option<String>,
    #[serde(default)]
    expires_in: serde_json::Value,
    #[serde(default)]
    issued_at: serde_json::Value,
}

/// Reads a token service's answer; `now` is the service's own clock where it gave one. The error says what is wrong.
pub(super) fn read_token(body: &[u8], now: Timestamp) -> Result<Token, &'static str> {
    let body: TokenBody = serde_json::from_slice(body).map_err(|_| "its token answer is not the JSON it should be")?;
    let filled = |text: Option<String>| text.filter(|text| !text.is_empty());
    let text = filled(body.token)
        .or_else(|| filled(body.access_token))
        .ok_or("its token answer holds no token")?;
    let mut header = HeaderValue::from_str(&format!("Bearer {text}"))
        .map_err(|_| "its token holds characters no header can carry")?;
    header.set_sensitive(true);
    let lifetime = match body.expires_in.as_f64() {
        Some(seconds) => Duration::try_from_secs_f64(seconds.clamp(0.0, 1e9)).unwrap_or(DEFAULT_LIFETIME),
        None => DEFAULT_LIFETIME,
    };
    let issued = body.issued_at.as_str().and_then(|text| text.parse::<Timestamp>().ok());
    let age = issued.map_or(Duration::ZERO, |issued| between(issued, now));
    Ok(Token {
        header,
        usable_for: usable_for(lifetime.min(MAX_LIFETIME), age),
    })
}

fn usable_for(lifetime: Duration, age: Duration) -> Duration {
    lifetime.saturating_sub(age).saturating_sub(MARGIN.min(lifetime / 4))
}

#[cfg(test)]
#[path = "tests/token.rs"]
mod tests;
