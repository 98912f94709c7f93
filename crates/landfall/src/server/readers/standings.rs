//! Remembers for a while what an API server said of whoever showed a token, within bounds. It keeps no token.

use std::collections::HashMap;
use std::time::Duration;

use sha2::{Digest as _, Sha256};
use tokio::time::Instant;

use crate::resources::kubernetes::Standing;

/// As long may somebody read the metrics whose right was taken away. Kubernetes' own servers believe a token as long.
const ALLOWED: Duration = Duration::from_secs(60);
/// As long has somebody to wait who was given the right.
const REFUSED: Duration = Duration::from_secs(10);
/// So many are remembered, at most: there is one Prometheus or a handful, and whoever guesses tokens.
const MOST: usize = 256;

/// Stands for a token, which it does not tell.
#[derive(Clone, PartialEq, Eq, Hash)]
pub(super) struct TokenDigest([u8; 32]);

impl TokenDigest {
    pub(super) fn of(token: &str) -> Self {
        Self(Sha256::digest(token.as_bytes()).into())
    }
}

/// What was said of late, each until when it counts.
#[derive(Default)]
pub(super) struct Standings(HashMap<TokenDigest, (Standing, Instant)>);

impl Standings {
    /// What was said, if it still counts.
    pub(super) fn of(&self, token: &TokenDigest, now: Instant) -> Option<Standing> {
        let (standing, until) = self.0.get(token)?;
        (now < *until).then(|| standing.clone())
    }

    pub(super) fn remember(&mut self, token: TokenDigest, standing: Standing, now: Instant) {
        if self.0.len() >= MOST {
            self.make_room(now);
        }
        let long = match standing {
            Standing::Allowed => ALLOWED,
            Standing::Denied { .. } | Standing::Stranger => REFUSED,
        };
        self.0.insert(token, (standing, now + long));
    }

    /// Forgets what no longer counts, or else what counts the shortest: guesses do not drive out who may read.
    fn make_room(&mut self, now: Instant) {
        self.0.retain(|_, (_, until)| now < *until);
        if self.0.len() < MOST {
            return;
        }
        let soonest = self.0.iter().min_by_key(|(_, (_, until))| *until);
        if let Some(token) = soonest.map(|(token, _)| token.clone()) {
            self.0.remove(&token);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_said_counts_for_a_while() {
        let mut standings = Standings::default();
        let (prometheus, guess) = (TokenDigest::of("prometheus"), TokenDigest::of("guess"));
        let start = Instant::now();
        standings.remember(prometheus.clone(), Standing::Allowed, start);
        standings.remember(guess.clone(), Standing::Stranger, start);
        for (after, of_prometheus, of_guess) in [
            (0, Some(Standing::Allowed), Some(Standing::Stranger)),
            (9, Some(Standing::Allowed), Some(Standing::Stranger)),
            (10, Some(Standing::Allowed), None),
            (59, Some(Standing::Allowed), None),
            (60, None, None),
        ] {
            let now = start + Duration::from_secs(after);
            let known = (standings.of(&prometheus, now), standings.of(&guess, now));
            assert_eq!(known, (of_prometheus, of_guess), "after {after} s");
        }
    }

    #[test]
    fn guesses_take_no_more_room_than_there_is() {
        let mut standings = Standings::default();
        let prometheus = TokenDigest::of("prometheus");
        let start = Instant::now();
        standings.remember(prometheus.clone(), Standing::Allowed, start);
        for guess in 0..10 * MOST {
            standings.remember(TokenDigest::of(&guess.to_string()), Standing::Stranger, start);
            assert!(standings.0.len() <= MOST);
        }
        assert_eq!(standings.of(&prometheus, start), Some(Standing::Allowed));
        let last = TokenDigest::of(&(10 * MOST - 1).to_string());
        assert_eq!(standings.of(&last, start), Some(Standing::Stranger));
        // What no longer counts makes room for all.
        standings.remember(prometheus, Standing::Allowed, start + REFUSED);
        assert_eq!(standings.0.len(), 1);
    }
}
