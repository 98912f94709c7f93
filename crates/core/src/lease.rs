//! Decides who leads where one of several processes must work alone: what to do next about a Lease, given what was seen of it
//! and when. It must not know how a Lease is read or written.
//!
//! The rules are those of Kubernetes' own clients, with the same fields, so that `kubectl get lease` shows what it always
//! shows. Clocks of machines are never compared: whoever waits for a holder to be gone measures, on its own clock, for how
//! long the Lease has not changed; and a holder stops believing in itself before anybody may stop waiting, counted from
//! before it asked for the renewal. Two may both believe only where one clock runs faster than another by more than
//! [`Timing::lease`] is longer than [`Timing::deadline`].

mod timing;

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

pub use timing::{BadTiming, Timing};

/// A time on a clock of this process alone that never goes back, counted from a start that does not matter.
pub type Moment = Duration;

/// What a Lease says: its `spec`, as far as it is ours to read and write.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    /// `holderIdentity`; empty where nobody holds it.
    pub holder: String,
    /// `leaseDurationSeconds`: so long it stays the holder's after it was last renewed. `None` where it does not say.
    pub duration: Option<Duration>,
    /// `acquireTime`, by the holder's clock; for people to read.
    pub acquired: Option<Timestamp>,
    /// `renewTime`, by the holder's clock; for people to read.
    pub renewed: Option<Timestamp>,
    /// `leaseTransitions`: how often it came to another holder.
    pub transitions: i32,
}

/// A Lease as it is stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stored {
    /// What it says.
    pub record: Record,
    /// `metadata.resourceVersion`, which changes with every change and must be given to replace it.
    pub version: String,
    /// `metadata.creationTimestamp`: whole seconds by the API server's clock.
    pub created: Timestamp,
}

/// One stretch of leadership. Whatever is written in a later one may refuse what still comes from an earlier one: terms of
/// different holders are different, and grow, also where the Lease was deleted and is made again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Term {
    created: i64,
    transitions: i32,
}

impl Term {
    /// The term of whoever holds the Lease that is stored so.
    pub fn of(stored: &Stored) -> Self {
        Self {
            created: stored.created.as_second(),
            transitions: stored.record.transitions,
        }
    }

    /// Whether nobody led between that earlier term and this one.
    pub fn follows(self, earlier: Self) -> bool {
        let next = Self {
            transitions: earlier.transitions.saturating_add(1),
            ..earlier
        };
        self == earlier || self == next
    }

    /// The same as one number, in the same order: the Lease's second of birth above 31 bits of transitions.
    pub fn number(self) -> i64 {
        const HIGHEST: i64 = u32::MAX as i64;
        self.created.clamp(0, HIGHEST) << 31 | i64::from(self.transitions.max(0))
    }
}

/// The text is no term.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a term reads as `SECOND.TRANSITIONS`")]
pub struct NotATerm;

impl FromStr for Term {
    type Err = NotATerm;

    fn from_str(text: &str) -> Result<Self, NotATerm> {
        let (created, transitions) = text.trim().split_once('.').ok_or(NotATerm)?;
        Ok(Self {
            created: created.parse().map_err(|_| NotATerm)?,
            transitions: transitions.parse().map_err(|_| NotATerm)?,
        })
    }
}

impl fmt::Display for Term {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.created, self.transitions)
    }
}

/// What to do next.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// Nothing before this moment.
    Wait {
        /// When to ask again.
        until: Moment,
    },
    /// Read the Lease, and tell [`Candidate::looked`] or [`Candidate::failed`].
    Look,
    /// Make the Lease, which must not exist, and tell [`Candidate::wrote`] or [`Candidate::failed`].
    Create(Record),
    /// Replace what the Lease says, if it still is of this version, and tell as for [`Step::Create`].
    Replace {
        /// The version that is replaced.
        version: String,
        /// What it is to say.
        record: Record,
    },
    /// Nothing any more: the Lease was given back, or is somebody else's.
    Done,
}

/// What became of a request that brought nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Failure {
    /// The Lease is not as it was last seen.
    Outdated,
    /// It was refused for another reason, or nobody knows whether it was done.
    Unanswered,
}

/// One process that would lead.
#[derive(Clone, Debug)]
pub struct Candidate {
    identity: String,
    timing: Timing,
    known: Known,
    /// What is known may have changed: look before writing.
    stale: bool,
    held: Option<Held>,
    next: Moment,
    resigns: bool,
}

/// What was last seen.
#[derive(Clone, Debug)]
enum Known {
    /// Nothing yet.
    Nothing,
    /// There is no Lease. Of one that was seen before, `free_at` is when its holder will have stopped believing, and
    /// `transitions` what the next one begins with, so that its term is greater even if it is made in the same second.
    Absent { free_at: Moment, transitions: i32 },
    /// The Lease, which has not changed since that moment.
    There { stored: Stored, since: Moment },
}

/// What was confirmed.
#[derive(Clone, Copy, Debug)]
struct Held {
    term: Term,
    until: Moment,
}

impl Candidate {
    /// A candidate by a name that no other process has, nor this one before.
    pub fn new(identity: String, timing: Timing) -> Self {
        Self {
            identity,
            timing,
            known: Known::Nothing,
            stale: true,
            held: None,
            next: Moment::ZERO,
            resigns: false,
        }
    }

    /// The term in which this process leads, and until when it may believe so unless it hears more.
    pub fn leads(&self, now: Moment) -> Option<(Term, Moment)> {
        let held = self.held.filter(|held| now < held.until)?;
        Some((held.term, held.until))
    }

    /// Who else holds the Lease, as it was last seen.
    pub fn holder(&self) -> Option<&str> {
        match &self.known {
            Known::There { stored, .. } => {
                let holder = stored.record.holder.as_str();
                (!holder.is_empty() && holder != self.identity).then_some(holder)
            }
            Known::Nothing | Known::Absent { .. } => None,
        }
    }

    /// What to do at `now`; `wall` is the time of day, for the record alone.
    pub fn step(&mut self, now: Moment, wall: Timestamp) -> Step {
        self.held = self.held.filter(|held| now < held.until);
        if now < self.next {
            let until = self.held.map_or(self.next, |held| held.until.min(self.next));
            return Step::Wait { until };
        }
        if self.stale || (!self.resigns && now < self.free_at()) {
            return Step::Look;
        }
        match (&self.known, self.resigns) {
            (Known::Nothing, _) => Step::Look,
            (Known::Absent { transitions, .. }, false) => Step::Create(Record {
                transitions: *transitions,
                ..self.claim(None, wall)
            }),
            (Known::There { stored, .. }, false) => Step::Replace {
                version: stored.version.clone(),
                record: self.claim(Some(&stored.record), wall),
            },
            (Known::There { stored, .. }, true) if stored.record.holder == self.identity => Step::Replace {
                version: stored.version.clone(),
                record: given_back(&stored.record, wall),
            },
            (Known::Absent { .. } | Known::There { .. }, true) => Step::Done,
        }
    }

    /// The Lease was read, and the answer came at `now`: not earlier, since the time that a holder has is counted from it.
    pub fn looked(&mut self, found: Option<Stored>, now: Moment) {
        self.known = match (found, &self.known) {
            (None, known) => Known::Absent {
                free_at: self.free_at(),
                transitions: match known {
                    Known::Nothing => 0,
                    Known::Absent { transitions, .. } => *transitions,
                    Known::There { stored, .. } => stored.record.transitions.saturating_add(1),
                },
            },
            (Some(stored), Known::There { stored: before, since }) if before.version == stored.version => {
                Known::There { since: *since, stored }
            }
            (Some(stored), _) => Known::There { stored, since: now },
        };
        self.stale = false;
        if self.holder().is_some() {
            self.held = None;
        }
        self.next = match self.free_at() {
            free_at if free_at <= now || self.resigns => now,
            free_at => free_at.min(now + self.timing.retry()),
        };
    }

    /// The Lease was written, by a request that was sent at `sent`: this process leads, counted from then.
    pub fn wrote(&mut self, stored: Stored, sent: Moment, now: Moment) {
        self.held = (stored.record.holder == self.identity && !self.resigns).then(|| Held {
            term: Term::of(&stored),
            until: sent + self.timing.deadline(),
        });
        self.known = Known::There { stored, since: now };
        self.stale = false;
        self.next = if self.resigns { now } else { sent + self.timing.retry() };
    }

    /// A request that was sent at `sent` brought nothing. What is held stays held until its time is over.
    pub fn failed(&mut self, failure: Failure, sent: Moment, now: Moment) {
        self.stale = true;
        self.next = match failure {
            Failure::Outdated => now,
            Failure::Unanswered => now.max(sent + self.timing.retry()),
        };
    }

    /// Stands down at once. The steps that follow give the Lease back, so that others need not wait.
    pub fn resign(&mut self, now: Moment) {
        self.resigns = true;
        self.held = None;
        self.next = now;
        // Who never wrote has nothing to give back.
        if matches!(self.known, Known::Nothing) {
            self.looked(None, now);
        }
    }

    /// From when on this process may write the Lease.
    fn free_at(&self) -> Moment {
        match &self.known {
            Known::Nothing => Moment::ZERO,
            Known::Absent { free_at, .. } => *free_at,
            Known::There { stored, since } => match self.holder() {
                None => Moment::ZERO,
                Some(_) => since.saturating_add(stored.record.duration.unwrap_or(self.timing.lease())),
            },
        }
    }

    /// The record by which this process takes or keeps the Lease.
    fn claim(&self, before: Option<&Record>, wall: Timestamp) -> Record {
        let own = before.filter(|record| record.holder == self.identity);
        // An API server takes what changes nothing for nothing, and others would see no renewal: also where the clock stands
        // still or was set back, each record must differ from the one before.
        let after_own = own.and_then(|record| record.renewed?.checked_add(SignedDuration::from_micros(1)).ok());
        Record {
            holder: self.identity.clone(),
            duration: Some(self.timing.lease()),
            acquired: own.and_then(|record| record.acquired).or(Some(wall)),
            renewed: Some(after_own.map_or(wall, |after| after.max(wall))),
            transitions: match (own, before) {
                (Some(own), _) => own.transitions,
                (None, Some(before)) => before.transitions.saturating_add(1),
                (None, None) => 0,
            },
        }
    }
}

/// The record of a Lease that its holder gives back.
fn given_back(own: &Record, wall: Timestamp) -> Record {
    Record {
        holder: String::new(),
        renewed: Some(wall),
        ..own.clone()
    }
}

#[cfg(test)]
mod model;
#[cfg(test)]
mod tests;
