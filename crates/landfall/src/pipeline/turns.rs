//! When entries may be matched whose pace is limited, also after the clock was set back. What is credible is decided in the core.

use jiff::{SignedDuration, Timestamp};

use super::Pipeline;
use crate::clock::now;

/// Clocks of processes differ by less, and nobody minds a turn that comes so much later.
const CLOCKS_DIFFER: SignedDuration = SignedDuration::from_mins(1);

impl Pipeline {
    /// Entries whose turn comes by this time are matched now: all of them, once nothing limits their pace any more.
    pub(super) fn turns_until(&self) -> Timestamp {
        self.rules.pace.map_or(Timestamp::MAX, |_| now())
    }

    /// When the turn of the next entry of ours comes. At an even pace the first of all has to wait for one space at most: where
    /// it would for much longer, the clock was set back, and all of them come forward.
    pub(super) async fn next_turn(&self) -> Option<Timestamp> {
        let next = self.persist("entries to be matched", || self.store.next_turn()).await?;
        let (pace, now) = (self.rules.pace?, now());
        if pace.credible(next, 1, now) == next {
            return Some(next);
        }
        // Others may have what comes before it.
        let first = self
            .persist("entries to be matched", || self.store.first_turn())
            .await?;
        let credible = pace.credible(first, 1, now);
        let early = first.duration_since(credible);
        if early < CLOCKS_DIFFER {
            return Some(next);
        }
        tracing::warn!(
            seconds = early.as_secs(),
            "the clock was set back; what waits for its turn comes forward by as much"
        );
        self.persist("the turns of entries", || self.store.bring_turns_forward(credible))
            .await;
        Some(next.checked_sub(early).unwrap_or(Timestamp::MIN))
    }
}
