//! Holds attempts to the policy: how many there are, when they come, and that no target waits for another one.

use jiff::Timestamp;

use super::{Broken, State, Witness, hold};
use crate::journal::model::ledger::{Ending, Ledger, Row};
use crate::journal::model::refresh::Place;
use crate::journal::model::surroundings::{Clock, TargetNo};
use crate::journal::{Attempt, EntryId, Outcome, Setback, Work};

impl Witness {
    /// An attempt ended, perhaps too late to count.
    pub fn settled(
        &mut self,
        ledger: &Ledger,
        target: TargetNo,
        ending: &Ending,
        clock: &Clock,
        place: Place,
    ) -> Result<(), Broken> {
        let (longest, policy) = (self.longest(), self.policy);
        let Some(account) = self.accounts.get_mut(&(ending.entry, target)) else {
            return Ok(());
        };
        if account.state != State::Waiting || account.next != ending.attempt {
            return Ok(());
        }
        let Outcome::Setback(setback) = &ending.outcome else {
            account.state = State::Done;
            return Ok(());
        };
        let early = account.due.duration_since(ending.began).as_millis();
        hold!(
            !(1..longest.into()).contains(&early),
            "8: an attempt at {} counts {early} ms before its time",
            ending.entry
        );
        let over = match setback {
            Setback::Failed(_) => {
                account.failed += 1;
                account.failed == policy.failed.attempts
            }
            Setback::NotVisible(_) => {
                account.not_visible += 1;
                account.not_visible == policy.not_visible.attempts
            }
            Setback::Hopeless(_) => true,
        };
        if over {
            account.state = State::Dead;
            return Ok(());
        }
        account.next.number += 1;
        let most = policy.failed.attempts + policy.not_visible.attempts - 1;
        hold!(
            account.next.number <= most,
            "8: attempt {} of {}",
            account.next.number,
            ending.entry
        );
        let row = ledger.work.get(&(ending.entry, target));
        if let Some(Row {
            work: Work::Waiting { due, .. },
            ..
        }) = row
        {
            let delay = due.duration_since(clock.now()).as_millis();
            let delay = i64::try_from(delay).unwrap_or(i64::MAX);
            hold!(
                (0..=longest).contains(&delay),
                "8: {} waits for {delay} ms",
                ending.entry
            );
            account.due = *due;
            let by = clock.elapsed + delay + 1;
            // What a replaced process writes, the one in charge finds when it looks next.
            account.by = if place == Place::Replaced {
                by.max(account.by)
            } else {
                by
            };
        }
        Ok(())
    }

    /// A refresh took work along before its time and met a setback: the work is due at `by` (true time) as before.
    pub fn taken_along(&mut self, entry: EntryId, target: TargetNo, by: i64) {
        if let Some(account) = self.accounts.get_mut(&(entry, target)) {
            account.by = account.by.max(by + 1);
        }
    }

    /// Somebody took an entry up again for these targets.
    pub fn replayed(&mut self, entry: EntryId, targets: &[TargetNo], clock: &Clock) {
        for target in targets {
            if let Some(account) = self.accounts.get_mut(&(entry, *target)) {
                account.next = Attempt {
                    replay: account.next.replay + 1,
                    number: 1,
                };
                (account.failed, account.not_visible) = (0, 0);
                (account.state, account.due, account.by) = (State::Waiting, clock.now(), clock.elapsed);
            }
        }
    }

    /// The clock on the wall was set back.
    pub fn clock_set_back(&mut self) {
        self.set_back = true;
    }

    /// A new process took over; what it waits for is due when the core says so.
    pub fn restarted(&mut self, ledger: &Ledger, true_now: i64, now: Timestamp) -> Result<(), Broken> {
        for (key, row) in &ledger.work {
            if let (Some(account), Some(due)) = (self.accounts.get_mut(key), row.work.due(now, &self.policy)) {
                let more = i64::try_from(due.duration_since(now).as_millis()).unwrap_or(i64::MAX);
                account.by = account.by.max(true_now.saturating_add(more).saturating_add(1));
            }
        }
        (self.set_back, self.last_tick) = (false, true_now);
        self.within_policy(ledger, now)
    }

    /// The plan was looked at; `busy` are the targets with a refresh running.
    pub fn ticked(&mut self, ledger: &Ledger, busy: &[TargetNo], true_now: i64) -> Result<(), Broken> {
        let late = true_now + self.longest() + (true_now - self.last_tick);
        for (key, account) in &mut self.accounts {
            if self.set_back {
                account.by = account.by.max(late);
            }
            let waits = account.state == State::Waiting && ledger.work.contains_key(key);
            let overdue = waits && account.by < true_now && !busy.contains(&key.1);
            hold!(
                !overdue,
                "7: target {} was to begin {} ms ago with {}",
                key.1,
                true_now - account.by,
                key.0
            );
        }
        (self.set_back, self.last_tick) = (false, true_now);
        let mut unique = busy.to_vec();
        unique.sort_unstable();
        unique.dedup();
        hold!(
            unique.len() == busy.len(),
            "7: two refreshes of one target run side by side: {busy:?}"
        );
        Ok(())
    }

    pub(super) fn within_policy(&self, ledger: &Ledger, now: Timestamp) -> Result<(), Broken> {
        for ((entry, target), row) in &ledger.work {
            if let Some(due) = row.work.due(now, &self.policy) {
                let more = due.duration_since(now).as_millis();
                hold!(
                    more <= i128::from(self.longest()),
                    "8: {entry} waits {more} ms more for target {target}"
                );
            }
        }
        Ok(())
    }
}
