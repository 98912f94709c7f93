//! Decides which finished entries the journal lets go.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

use super::entry::EntryId;

/// What the journal keeps. Unfinished work is outside of it: it is never let go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Retention {
    /// Finished entries older than this go.
    pub age: Duration,
    /// At most this many entries stay; the oldest finished ones go first.
    pub count: u64,
}

impl Default for Retention {
    fn default() -> Self {
        Self {
            age: Duration::from_secs(7 * 24 * 3600),
            count: 100_000,
        }
    }
}

impl Retention {
    /// Finished entries with an id below this one are too old at `now`.
    pub fn oldest_kept(&self, now: Timestamp) -> EntryId {
        let oldest = SignedDuration::try_from(self.age)
            .ok()
            .and_then(|age| now.checked_sub(age).ok());
        EntryId::floor(oldest.unwrap_or(Timestamp::UNIX_EPOCH))
    }

    /// How many of `entries` are too many.
    pub fn surplus(&self, entries: u64) -> u64 {
        entries.saturating_sub(self.count)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn age_and_count() {
        let retention = Retention {
            age: Duration::from_secs(60),
            count: 10,
        };
        let now = Timestamp::from_second(100).unwrap();
        assert_eq!(
            retention.oldest_kept(now),
            EntryId::floor(Timestamp::from_second(40).unwrap())
        );
        assert_eq!((retention.surplus(10), retention.surplus(13)), (0, 3));
    }
}
