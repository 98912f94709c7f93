//! What holds of statuses and of the journal: with each status that is written, at any time, and in the calm.

use super::{Broken, State, Witness, hold};
use crate::journal::model::ledger::{Kept, Ledger};
use crate::journal::model::surroundings::{Nature, Surroundings, TARGETS};
use crate::journal::{Verdict, Work, WorkSummary};

impl Witness {
    /// A target's status was written after a look; `listed` says that everything was looked at.
    pub fn shown(&self, before: &Kept, after: &Kept, around: &Surroundings, listed: bool) -> Result<(), Broken> {
        for (hint, version) in &after.status {
            if before.status.get(hint) == Some(version) {
                continue;
            }
            let exists = around
                .registry
                .tags
                .get(hint)
                .is_some_and(|(newest, since)| newest >= version && *version > 0 && *since <= around.clock.elapsed);
            hold!(
                exists,
                "3: a status shows version {version} of {hint:?}, which the registry does not have"
            );
            hold!(
                listed || self.delivered.contains(hint),
                "3: a status shows {hint:?}, which nobody delivered"
            );
        }
        for (hint, version) in &before.status {
            hold!(
                after.status.get(hint) >= Some(version),
                "5: a status forgot {hint:?} or shows less of it"
            );
        }
        Ok(())
    }

    /// What holds at any time.
    pub fn check(&self, ledger: &Ledger, around: &Surroundings) -> Result<(), Broken> {
        let now = around.clock.now();
        for id in &self.promised {
            let there = ledger.entries.contains_key(id) || self.pruned.contains_key(id);
            hold!(there, "1: {id} was answered with a 2xx and is lost");
        }
        for ((entry, target), row) in &ledger.work {
            let Some(account) = self.accounts.get(&(*entry, *target)) else {
                return Err(format!("3: work of {entry} for target {target} came from nowhere"));
            };
            let is = match &row.work {
                Work::Waiting {
                    next,
                    failed,
                    not_visible,
                    ..
                } => {
                    let counts = (*failed, *not_visible) == (account.failed, account.not_visible);
                    account.state == State::Waiting && *next == account.next && counts
                }
                Work::Done { attempt, .. } => account.state == State::Done && *attempt == account.next,
                Work::Dead { attempt, setback, .. } => {
                    account.state == State::Dead && *attempt == account.next && !setback.reason().is_empty()
                }
            };
            hold!(
                is,
                "5: work of {entry} for target {target} is {:?} and was to be {account:?}",
                row.work
            );
        }
        for owed in &self.owed {
            let done = ledger
                .work
                .get(&(owed.entry, owed.target))
                .is_some_and(|row| row.work.summary() == WorkSummary::Done);
            let lives = around.living.get(&owed.target) == Some(&owed.creation);
            hold!(
                !done || !lives || owed.shown(ledger),
                "2: the work is done and the status lacks it: {owed:?}"
            );
        }
        self.within_policy(ledger, now)
    }

    /// What holds when all is calm and everybody has had another chance.
    pub fn check_calm(&self, ledger: &Ledger, around: &Surroundings) -> Result<(), Broken> {
        for (id, entry) in &ledger.entries {
            hold!(
                entry.matched || entry.verdict != Verdict::Accepted,
                "2: {id} was never matched"
            );
        }
        for ((entry, target), row) in &ledger.work {
            hold!(row.work.is_finished(), "2: {entry} waits for target {target} forever");
        }
        for owed in &self.owed {
            if around.living.get(&owed.target) != Some(&owed.creation) {
                continue;
            }
            let impossible =
                TARGETS[owed.target].nature != Nature::Healthy || !around.registry.tags.contains_key(&owed.hint);
            let given_up = match ledger.work.get(&(owed.entry, owed.target)) {
                Some(row) => row.work.summary() == WorkSummary::Dead,
                None => impossible || self.pruned.get(&owed.entry) == Some(&true),
            };
            let excused = given_up && (impossible || self.pruned.get(&owed.entry) == Some(&true));
            hold!(
                owed.shown(ledger) || excused,
                "2: the status lacks what was promised: {owed:?}"
            );
        }
        for target in around
            .living
            .keys()
            .filter(|target| TARGETS[**target].nature == Nature::Healthy)
        {
            let complete = ledger.kept.get(target).is_some_and(|kept| kept.complete);
            hold!(complete, "2: target {target} was never looked at as a whole");
        }
        Ok(())
    }
}
