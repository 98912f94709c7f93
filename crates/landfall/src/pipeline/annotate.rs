//! Refreshes a target by its annotation: one patch for all work that waits for it. What the API server has is done.

use jiff::{SignedDuration, Timestamp};
use landfall_core::journal::{Outcome, Setback};
use landfall_core::refresh::{Extent, Hint, Pointer};
use landfall_core::target::Target;
use tokio::sync::OwnedSemaphorePermit;

use super::sharing::Turn;
use super::{Pipeline, Wishes};
use crate::clock::now;
use crate::resources::kubernetes::{Annotated, Annotator, Failure};
use crate::store::WaitingWork;

/// How long a target waits at least, and at most, while the API server cannot be reached. It is spread, so that a thousand
/// that wait do not come back in the same moment.
const SHORTEST: f64 = 0.5;
const LONGEST: f64 = 3.0;

/// What all of the work points at; nothing where any of it asks for everything.
fn pointed_at(waiting: &[WaitingWork]) -> Vec<Pointer> {
    if waiting.iter().any(|waiting| waiting.hints.is_empty()) {
        return Vec::new();
    }
    let of_entry = |waiting: &WaitingWork| {
        // Whoever has it done again wants another look.
        let event = match waiting.work.next_attempt().map(|attempt| attempt.replay) {
            None | Some(0) => waiting.entry.to_string(),
            Some(replay) => format!("{}-{replay}", waiting.entry),
        };
        let pointer = |hint: &Hint| Pointer {
            hint: hint.clone(),
            event: event.clone(),
        };
        waiting.hints.iter().map(pointer).collect::<Vec<_>>()
    };
    waiting.iter().flat_map(of_entry).collect()
}

impl Pipeline {
    /// Asks for a refresh, and settles what waits for it. Returns what is wished for next.
    pub(super) async fn annotate(
        &self,
        annotator: &Annotator,
        target: &Target,
        waiting: Vec<WaitingWork>,
        turn: Turn,
        slot: OwnedSemaphorePermit,
    ) -> Wishes {
        let annotated = annotator.refresh(target, &pointed_at(&waiting)).await;
        // What follows is between us and the journal, and many share one commit.
        drop(slot);
        self.replanned.notify_one();
        let entries = waiting.len();
        let outcome = match annotated {
            Annotated::Taken(token) => {
                tracing::info!(%target, entries, token, "asked for a refresh");
                (Outcome::Effected, format!("done: the API server has the token {token}"))
            }
            Annotated::Gone => (Outcome::Effected, format!("{target} exists no more")),
            Annotated::Failed(Failure::Unreachable(problem)) => {
                self.release(target, turn).await;
                return vec![self.put_off(target, &problem)];
            }
            Annotated::Failed(failure) => {
                tracing::warn!(%target, entries, problem = %failure, "a refresh could not be asked for");
                let setback = Setback::Failed(failure.to_string());
                let words = format!("{}: {}", setback.class(), setback.reason());
                (Outcome::Setback(setback), words)
            }
        };
        self.settle_alike(target, &waiting, turn, outcome).await
    }

    /// While nobody can be asked, nothing has been attempted: no outage is too long for what waits in the journal. That the
    /// API server cannot be reached is told by those that watch it.
    fn put_off(&self, target: &Target, problem: &str) -> (Extent, Timestamp) {
        tracing::debug!(%target, problem, "a refresh is put off until the API server can be reached");
        let pause = SignedDuration::try_from_secs_f64(SHORTEST + (LONGEST - SHORTEST) * fastrand::f64());
        let due = now().checked_add(pause.unwrap_or_default()).unwrap_or(Timestamp::MAX);
        (Extent::Hinted, due)
    }
}
