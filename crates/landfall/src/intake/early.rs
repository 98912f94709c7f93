//! Answers deliveries that come before it is known who subscribes to what. They are on the disk by then, to be matched later, and only
//! their answer waits.

use std::time::Duration;

use landfall_core::delivery::{Delivery, Entrance};
use landfall_core::receiver::{Contents, Reach};

use super::{Intake, interest};
use crate::resources::Known;

/// How long an answer waits for that, which is shorter than senders wait for it.
const PATIENCE: Duration = Duration::from_secs(3);

/// A delivery of which nobody can tell yet who wants it, and whose answer says so.
pub(super) struct Early(Reach);

impl Early {
    /// Absent where that is known, or not asked for: the answer of the door by type has no number in it.
    pub(super) fn of(matched: Option<usize>, delivery: &Delivery, reach: &Reach) -> Option<Self> {
        let is_early = matched.is_none() && delivery.entrance() == Entrance::Path;
        is_early.then(|| Self(reach.clone()))
    }
}

impl Intake {
    /// How many targets want a delivery that came early, once that is known; `None` where it takes too long.
    pub(super) async fn count_later(&self, Early(reach): Early, contents: &Contents) -> Option<usize> {
        let mut known = self.known.clone();
        let everything = known.wait_for(|known| *known == Known::Everything);
        let _in_force = tokio::time::timeout(PATIENCE, everything).await.ok()?.ok()?;
        Some(interest(&self.live.load().index, contents, &reach).wanted)
    }
}
