//! How everything comes to its end once nothing bad happens any more. It must not know what happened before.

use super::surroundings::{Nature, Sent, TARGETS, TargetNo};
use super::witness::{Broken, hold};
use super::{HIDDEN, World};
use crate::journal::EntryId;

impl World {
    /// Nothing bad happens any more: everything comes to an end, in bounded time.
    pub(super) fn come_to_rest(&mut self) -> Result<(), Broken> {
        // Every attempt there is, and once more because of a clock that was set back; half as long again for the stride.
        let attempts = self.policy.failed.attempts + self.policy.not_visible.attempts + 1;
        let most = self.policy.longest_delay() * attempts * 3 / 2;
        let most = self.around.clock.elapsed + i64::try_from(most.as_millis()).expect("some hours") + HIDDEN;
        let stride = i64::try_from(self.policy.longest_delay().as_millis() / 4).expect("some minutes");
        loop {
            self.do_what_is_due()?;
            self.check()?;
            let complete = |target: &TargetNo| self.ledger.kept.get(target).is_some_and(|kept| kept.complete);
            let mut healthy = self
                .around
                .living
                .keys()
                .filter(|target| TARGETS[**target].nature == Nature::Healthy);
            // A target that the registry refuses is looked at as a whole again and again: no reason to wait.
            if healthy.all(complete) && self.ledger.work.values().all(|row| row.work.is_finished()) {
                return Ok(());
            }
            let next = self.process.as_ref().and_then(|process| process.plan.next_due());
            let Some(due) = next else { return Ok(()) };
            let wait = due.duration_since(self.now()).as_millis();
            // Not at every single due, of which there are many: what is due together is done together.
            self.around.clock.elapsed += i64::try_from(wait).unwrap_or(i64::MAX / 4).max(stride) + 1;
            hold!(
                self.around.clock.elapsed <= most,
                "2: something waits forever; {}",
                self.line()
            );
        }
    }

    fn do_what_is_due(&mut self) -> Result<(), Broken> {
        for _ in 0..1_000 {
            if self.process.is_none() {
                self.start()?;
            }
            for message in 0..self.around.messages.len() {
                if self.around.messages[message].sent == Sent::Pending {
                    self.post(message);
                }
            }
            self.commit_arrivals()?;
            self.answer()?;
            self.match_arrivals();
            self.commit_matched()?;
            while !self.zombies.is_empty() {
                self.advance_zombie(0)?;
            }
            self.tick()?;
            let busy = |world: &Self| world.process.as_ref().map_or(0, |process| process.refreshes.len());
            if busy(self) == 0 && self.ledger.unmatched(1).is_empty() {
                return Ok(());
            }
            while busy(self) > 0 {
                self.advance(0)?;
            }
        }
        Err("2: the same is done again and again without an end".to_owned())
    }

    /// People take up again what was given up: now only what cannot work may fail.
    pub(super) fn replay_the_dead(&mut self) {
        let ids: Vec<EntryId> = self.ledger.entries.keys().copied().collect();
        for id in ids
            .into_iter()
            .filter(|id| self.ledger.is_dead(*id))
            .collect::<Vec<_>>()
        {
            self.replay(id);
        }
    }
}
