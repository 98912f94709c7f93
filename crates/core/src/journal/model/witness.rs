//! Holds landfall to its word: keeps its own account of what must be, and compares after every step. It must not know how
//! landfall keeps its word, so it says again, in other words, what the core says.

mod attempts;
mod holds;
mod retention;

use std::collections::{BTreeMap, BTreeSet, HashMap};

use jiff::Timestamp;

use super::ledger::{Ledger, keys};
use super::surroundings::{Clock, Hint, Message, TARGETS, TargetNo};
use crate::journal::{Attempt, DedupeKey, EntryId, Lasting, RetryPolicy};

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
}
