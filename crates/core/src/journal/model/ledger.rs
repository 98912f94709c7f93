//! Keeps what is durable, as the store does, and restates as little of it as the model needs: each method is one commit. It
//! must not know who calls it, nor what is checked.

use std::collections::{BTreeMap, HashMap};
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

use super::surroundings::{Hint, Message, Push, TargetNo};
use crate::journal::{
    Attempt, DedupeKey, EntryId, EntryIds, Lasting, Outcome, Retention, RetryPolicy, Verdict, Work, WorkSummary,
};
use crate::receiver::{Reach, ReceiverName};

/// How long equal contents count as one delivery.
const WINDOW: SignedDuration = SignedDuration::from_mins(10);

#[derive(Clone, Debug)]
pub(super) struct Entry {
    pub verdict: Verdict,
    /// The events that are followed up.
    pub pushes: Vec<Push>,
    pub keys: Vec<DedupeKey>,
    pub reach: Reach,
    pub matched: bool,
}

#[derive(Clone, Debug, PartialEq)]
pub(super) struct Row {
    pub work: Work,
    pub hints: Vec<Hint>,
}

/// What is kept of a target.
#[derive(Clone, Debug, Default)]
pub(super) struct Kept {
    /// The tags that it shows, each with the newest version that was seen.
    pub status: BTreeMap<Hint, u32>,
    /// Whether everything was looked at since it was created.
    pub complete: bool,
}

/// How one attempt at one entry ended.
#[derive(Clone, Debug)]
pub(super) struct Ending {
    pub entry: EntryId,
    pub attempt: Attempt,
    pub began: Timestamp,
    pub outcome: Outcome,
    pub jitter: f64,
}

#[derive(Clone, Debug, Default)]
pub(super) struct Ledger {
    pub entries: BTreeMap<EntryId, Entry>,
    pub seen: HashMap<[u8; 16], (EntryId, Timestamp)>,
    pub work: BTreeMap<(EntryId, TargetNo), Row>,
    pub kept: BTreeMap<TargetNo, Kept>,
    /// Something was written since this was last taken back.
    pub written: bool,
}

/// The keys of a message's events, in their order.
pub(super) fn keys(message: &Message) -> Vec<DedupeKey> {
    let receiver = ReceiverName(format!("{:?}", message.reach));
    let reports: Vec<_> = message.pushes.iter().map(|push| push.report.clone()).collect();
    DedupeKey::of(&receiver, None, &reports, &message.body)
}

impl Ledger {
    /// `store/sqlite/intake.rs`, `insert`.
    pub fn accept(&mut self, message: &Message, ids: &mut EntryIds, now: Timestamp) -> EntryId {
        self.written = true;
        let all = message.pushes.iter().cloned().zip(keys(message));
        let fresh: Vec<(Push, DedupeKey)> = all.filter(|(_, key)| self.known_since(*key, now).is_none()).collect();
        let (pushes, keys): (Vec<Push>, Vec<DedupeKey>) = fresh.into_iter().unzip();
        let id = ids.next(now);
        self.seen.extend(keys.iter().map(|key| (key.digest, (id, now))));
        let verdict = if pushes.is_empty() {
            Verdict::Duplicate
        } else {
            Verdict::Accepted
        };
        let reach = message.reach.clone();
        let entry = Entry {
            verdict,
            pushes,
            keys,
            reach,
            matched: false,
        };
        self.entries.insert(id, entry);
        id
    }

    /// `store/sqlite/intake.rs`, `known_since`.
    fn known_since(&self, key: DedupeKey, now: Timestamp) -> Option<EntryId> {
        let (entry, at) = *self.seen.get(&key.digest)?;
        let counts = match key.lasts {
            Lasting::Always => true,
            Lasting::Window => now.duration_since(at).abs() < WINDOW,
        };
        (counts && !self.is_dead(entry)).then_some(entry)
    }

    /// Whether an entry was given up for any target.
    pub fn is_dead(&self, entry: EntryId) -> bool {
        self.rows_of(entry)
            .any(|(_, row)| row.work.summary() == WorkSummary::Dead)
    }

    pub fn rows_of(&self, entry: EntryId) -> impl Iterator<Item = (TargetNo, &Row)> {
        self.work
            .range((entry, 0)..=(entry, TargetNo::MAX))
            .map(|((_, target), row)| (*target, row))
    }

    pub fn unmatched(&self, limit: usize) -> Vec<EntryId> {
        let waits = |entry: &Entry| entry.verdict == Verdict::Accepted && !entry.matched;
        let ids = self.entries.iter().filter(|(_, entry)| waits(entry)).map(|(id, _)| *id);
        ids.take(limit).collect()
    }

    /// `store/sqlite/plan.rs`, `plan`. Returns the rows that are new.
    pub fn plan(&mut self, id: EntryId, work: &[(TargetNo, Vec<Hint>)], now: Timestamp) -> Vec<(EntryId, TargetNo)> {
        let Some(entry) = self.entries.get_mut(&id).filter(|entry| !entry.matched) else {
            return Vec::new();
        };
        self.written = true;
        entry.matched = true;
        for (target, hints) in work {
            let row = Row {
                work: Work::accepted(now),
                hints: hints.clone(),
            };
            self.work.insert((id, *target), row);
        }
        work.iter().map(|(target, _)| (id, *target)).collect()
    }

    /// `store/work.rs`, `waiting`.
    pub fn waiting(&self, target: TargetNo) -> Vec<(EntryId, Row)> {
        let waits = |((_, of), row): &(&(EntryId, TargetNo), &Row)| *of == target && !row.work.is_finished();
        self.work
            .iter()
            .filter(waits)
            .map(|((entry, _), row)| (*entry, row.clone()))
            .collect()
    }

    /// `store/work.rs`, `waiting_targets`, with the times that the core says.
    pub fn waiting_targets(&self, now: Timestamp, policy: &RetryPolicy) -> BTreeMap<TargetNo, Timestamp> {
        let mut targets = BTreeMap::new();
        for ((_, target), row) in &self.work {
            if let Some(due) = row.work.due(now, policy) {
                let earliest = targets.entry(*target).or_insert(due);
                *earliest = due.min(*earliest);
            }
        }
        targets
    }

    /// `store/work.rs`, `settle`. The store leaves work alone whose state is not what it was when the attempt began; here the
    /// core is asked about the state as it is, so that it is the attempt's number that protects it.
    pub fn settle(&mut self, target: TargetNo, endings: &[Ending], now: Timestamp, policy: &RetryPolicy) {
        self.written = true;
        for Ending {
            entry,
            attempt,
            outcome,
            jitter,
            ..
        } in endings
        {
            if let Some(row) = self.work.get_mut(&(*entry, target)) {
                row.work = row.work.clone().after(*attempt, outcome.clone(), now, *jitter, policy);
            }
        }
    }

    /// `store/work.rs`, `replay`. Returns the targets.
    pub fn replay(&mut self, entry: EntryId, now: Timestamp) -> Vec<TargetNo> {
        self.written = true;
        let any_dead = self.is_dead(entry);
        let mut replayed = Vec::new();
        for ((_, target), row) in self.work.range_mut((entry, 0)..=(entry, TargetNo::MAX)) {
            if !any_dead || row.work.summary() == WorkSummary::Dead {
                row.work = row.work.clone().replayed(now);
                replayed.push(*target);
            }
        }
        replayed
    }

    /// `store/retention.rs`: what is too old, then what is too much. The newest entry stays, because a new process goes on
    /// after its id. Returns what went.
    pub fn prune(&mut self, retention: &Retention, now: Timestamp) -> Vec<EntryId> {
        self.written = true;
        let floor = retention.oldest_kept(now);
        let newest = self.entries.keys().next_back().copied();
        let may_go = |ledger: &Self, id: EntryId| {
            let entry = &ledger.entries[&id];
            (entry.matched || entry.verdict != Verdict::Accepted)
                && Some(id) != newest
                && ledger.rows_of(id).all(|(_, row)| row.work.is_finished())
        };
        let aged: Vec<EntryId> = self
            .entries
            .range(..floor)
            .map(|(id, _)| *id)
            .filter(|id| may_go(self, *id))
            .collect();
        self.remove(&aged);
        let surplus = usize::try_from(retention.surplus(self.entries.len() as u64)).unwrap_or(usize::MAX);
        let old = self
            .entries
            .keys()
            .copied()
            .filter(|id| may_go(self, *id) && !self.is_dead(*id));
        let surplus: Vec<EntryId> = old.take(surplus).collect();
        self.remove(&surplus);
        [aged, surplus].concat()
    }

    fn remove(&mut self, ids: &[EntryId]) {
        for id in ids {
            let keys = self.entries.remove(id).map(|entry| entry.keys).unwrap_or_default();
            self.work.retain(|(entry, _), _| entry != id);
            for key in keys {
                if self.seen.get(&key.digest).is_some_and(|(entry, _)| entry == id) {
                    self.seen.remove(&key.digest);
                }
            }
        }
    }

    /// What a new process goes on after.
    pub fn last_id(&self) -> EntryId {
        self.entries.keys().next_back().copied().unwrap_or(EntryId::from_i64(0))
    }

    /// Goes through the form that the store keeps work in.
    pub fn reread(&mut self) {
        self.written = true;
        for row in self.work.values_mut() {
            let text = serde_json::to_string(&row.work).expect("work is JSON");
            row.work = serde_json::from_str(&text).expect("work reads as it is written");
        }
    }

    /// How young retention may never remove something: for checks.
    pub fn age_of(id: EntryId, now: Timestamp) -> Duration {
        let given = id.as_i64() >> 20;
        Duration::from_millis(u64::try_from(now.as_millisecond() - given).unwrap_or(0))
    }
}
