//! Holds landfall to its word: keeps its own account of what must be, and compares after every step. It must not know how
//! landfall keeps its word, so it says again, in other words, what the core says.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use jiff::Timestamp;

use super::ledger::{Ending, Kept, Ledger, Row, keys};
use super::refresh::Place;
use super::surroundings::{Clock, Hint, Message, Nature, Surroundings, TARGETS, TargetNo};
use crate::journal::{
    Attempt, DedupeKey, EntryId, Lasting, Outcome, Retention, RetryPolicy, Setback, Verdict, Work, WorkSummary,
};

/// An invariant that was broken, in words.
pub(super) type Broken = String;

macro_rules! hold {
    ($holds:expr, $($words:tt)+) => {
        if !$holds {
            return Err(format!($($words)+));
        }
    };
}
pub(super) use hold;

/// What one target's work for one entry must be.
#[derive(Clone, Debug)]
struct Account {
    next: Attempt,
    failed: u32,
    not_visible: u32,
    state: State,
    /// When the next attempt is due, as the wall's clock said then.
    due: Timestamp,
    /// By when (true time) the next attempt must begin, unless the target is busy.
    by: i64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Waiting,
    Done,
    Dead,
}

/// A tag that a target must show in the end.
#[derive(Clone, Debug)]
struct Owed {
    entry: EntryId,
    target: TargetNo,
    /// Which creation of the target it was promised to.
    creation: u32,
    hint: Hint,
    version: u32,
}

impl Owed {
    fn shown(&self, ledger: &Ledger) -> bool {
        let kept = ledger.kept.get(&self.target);
        kept.and_then(|kept| kept.status.get(&self.hint)) >= Some(&self.version)
    }
}

#[derive(Debug)]
pub(super) struct Witness {
    policy: RetryPolicy,
    accounts: BTreeMap<(EntryId, TargetNo), Account>,
    owed: Vec<Owed>,
    last: EntryId,
    /// Entries that a 2xx stands for.
    promised: BTreeSet<EntryId>,
    /// The entry that followed up each event last, pruned or not.
    holders: HashMap<[u8; 16], EntryId>,
    /// Entries that retention let go, and whether they had been given up.
    pruned: BTreeMap<EntryId, bool>,
    delivered: BTreeSet<Hint>,
    /// Since the last look at the plan the clock was set back.
    set_back: bool,
    last_tick: i64,
}

impl Witness {
    pub fn new(policy: RetryPolicy) -> Self {
        Self {
            policy,
            accounts: BTreeMap::new(),
            owed: Vec::new(),
            last: EntryId::from_i64(0),
            promised: BTreeSet::new(),
            holders: HashMap::new(),
            pruned: BTreeMap::new(),
            delivered: BTreeSet::new(),
            set_back: false,
            last_tick: 0,
        }
    }

    fn longest(&self) -> i64 {
        let longest = self.policy.failed.most.max(self.policy.not_visible.most);
        i64::try_from(longest.as_millis()).expect("a short time") + 1
    }

    /// Which events of a message have a sender's id, each with the entry that follows it up already: the last that did, as
    /// long as it is there and not given up.
    pub fn expects(&self, ledger: &Ledger, message: &Message) -> Vec<(DedupeKey, Option<EntryId>)> {
        let known = |key: DedupeKey| {
            let last = self.holders.get(&key.digest).copied();
            let alive = last.filter(|id| ledger.entries.contains_key(id) && !ledger.is_dead(*id));
            (key, alive)
        };
        let always = keys(message).into_iter().filter(|key| key.lasts == Lasting::Always);
        always.map(known).collect()
    }

    /// An entry was committed.
    pub fn accepted(
        &mut self,
        ledger: &Ledger,
        id: EntryId,
        expected: &[(DedupeKey, Option<EntryId>)],
    ) -> Result<(), Broken> {
        hold!(id > self.last, "4: the id {id} was committed after {}", self.last);
        self.last = id;
        let entry = &ledger.entries[&id];
        for (key, alive) in expected {
            let again = entry.keys.contains(key);
            hold!(!again || alive.is_none(), "6: {id} follows up again what {alive:?} has");
            hold!(
                again || alive.is_some(),
                "6: {id} leaves out an event that nobody follows up"
            );
        }
        self.holders.extend(entry.keys.iter().map(|key| (key.digest, id)));
        self.delivered.extend(entry.pushes.iter().map(|push| push.hint));
        Ok(())
    }

    /// A sender saw a 2xx.
    pub fn answered(&mut self, message: &Message) -> Result<(), Broken> {
        for key in keys(message) {
            let holder = self.holders.get(&key.digest);
            hold!(holder.is_some(), "1: a 2xx was sent for what is not in the journal");
            self.promised.extend(holder);
        }
        Ok(())
    }

    /// An entry was matched while `around` was so; the work for it is in the journal.
    pub fn matched(
        &mut self,
        ledger: &Ledger,
        id: EntryId,
        living: &BTreeMap<TargetNo, u32>,
        clock: &Clock,
    ) -> Result<(), Broken> {
        let entry = &ledger.entries[&id];
        let wanted = |target: TargetNo, hint: Hint| TARGETS[target].wants(hint, &entry.reach);
        for (target, creation) in living {
            for push in entry.pushes.iter().filter(|push| wanted(*target, push.hint)) {
                let row = ledger.work.get(&(id, *target));
                let known = row.is_some_and(|row| row.hints.contains(&push.hint));
                hold!(
                    known,
                    "2: {id} has no work for target {target}, which wants {:?}",
                    push.hint
                );
                let (hint, version) = (push.hint, push.version);
                let owed = Owed {
                    entry: id,
                    target: *target,
                    creation: *creation,
                    hint,
                    version,
                };
                self.owed.push(owed);
            }
        }
        for (target, row) in ledger.rows_of(id) {
            let justified = living.contains_key(&target) && row.hints.iter().all(|hint| wanted(target, *hint));
            hold!(
                justified,
                "3: {id} has work for target {target}, which does not want it"
            );
            let account = Account {
                next: Attempt { replay: 0, number: 1 },
                failed: 0,
                not_visible: 0,
                state: State::Waiting,
                due: clock.now(),
                by: clock.elapsed,
            };
            self.accounts.insert((id, target), account);
        }
        Ok(())
    }

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

    /// Retention let these go. `before` is the journal with them.
    pub fn pruned(
        &mut self,
        before: &Ledger,
        after: &Ledger,
        retention: &Retention,
        now: Timestamp,
    ) -> Result<(), Broken> {
        let gone = before.entries.iter().filter(|(id, _)| !after.entries.contains_key(id));
        let mut too_many = before.entries.len().saturating_sub(retention.count as usize);
        let old = |id: EntryId| Ledger::age_of(id, now) > retention.age;
        too_many = too_many.saturating_sub(gone.clone().filter(|(id, _)| old(**id)).count());
        for (id, entry) in gone {
            let matched = entry.matched || entry.verdict != Verdict::Accepted;
            let waits = |row: &Row| matches!(row.work, Work::Waiting { .. });
            let unfinished = before.rows_of(*id).any(|(_, row)| waits(row));
            hold!(
                matched && !unfinished,
                "9: retention removed {id} before it was finished"
            );
            if !old(*id) {
                hold!(
                    !before.is_dead(*id),
                    "9: retention removed {id}, which was given up, before its time"
                );
                hold!(
                    too_many > 0,
                    "9: retention removed {id}, which is neither too old nor too much"
                );
                too_many -= 1;
            }
            self.pruned.insert(*id, before.is_dead(*id));
        }
        Ok(())
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

    fn within_policy(&self, ledger: &Ledger, now: Timestamp) -> Result<(), Broken> {
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
