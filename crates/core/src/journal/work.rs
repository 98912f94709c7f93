//! Decides the state of one entry's work for one target: waiting, done or dead.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use super::backoff::RetryPolicy;

/// What an entry still has to do for one target. Work that runs is not a state of its own: if the process dies in the
/// middle, it is waiting, as before.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", rename_all_fields = "camelCase", tag = "state")]
pub enum Work {
    /// To be done, first or again.
    Waiting {
        /// Which attempt comes next.
        next: Attempt,
        /// Not before this time.
        due: Timestamp,
        /// Attempts that failed so far, by class.
        failed: u32,
        /// Attempts that found nothing there yet.
        not_visible: u32,
        /// What the last attempt met; none before the first.
        #[serde(skip_serializing_if = "Option::is_none", default)]
        setback: Option<Setback>,
    },
    /// Over, with its effect.
    Done {
        /// The attempt that did it.
        attempt: Attempt,
        /// When.
        at: Timestamp,
    },
    /// Given up; a person can take it up again.
    Dead {
        /// The last attempt.
        attempt: Attempt,
        /// When.
        at: Timestamp,
        /// Why.
        setback: Setback,
    },
}

/// Tells attempts apart, so that an answer that comes late changes nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Attempt {
    /// How often a person took the work up again.
    pub replay: u32,
    /// Counts from 1 within a replay.
    pub number: u32,
}

/// Why an attempt had no effect.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", tag = "class", content = "reason")]
pub enum Setback {
    /// Something failed that may work later.
    Failed(String),
    /// What was pushed is not there, or not there yet.
    NotVisible(String),
    /// It cannot work until somebody changes something.
    Hopeless(String),
}

impl Setback {
    /// What happened, for people.
    pub fn reason(&self) -> &str {
        match self {
            Self::Failed(reason) | Self::NotVisible(reason) | Self::Hopeless(reason) => reason,
        }
    }

    /// The class in words, for tables.
    pub fn class(&self) -> &'static str {
        match self {
            Self::Failed(_) => "failed",
            Self::NotVisible(_) => "not visible yet",
            Self::Hopeless(_) => "cannot work",
        }
    }
}

/// How an attempt ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The target shows what the registry holds, or is gone and shows nothing.
    Effected,
    /// It did not work.
    Setback(Setback),
}

impl Work {
    /// New work, due at once.
    pub fn accepted(now: Timestamp) -> Self {
        Self::waiting(Attempt { replay: 0, number: 1 }, now)
    }

    fn waiting(next: Attempt, due: Timestamp) -> Self {
        Self::Waiting {
            next,
            due,
            failed: 0,
            not_visible: 0,
            setback: None,
        }
    }

    /// When the next attempt may begin; `None` where there is none to come.
    ///
    /// A time further away than any delay of `policy` was set by a clock that was wrong then or is wrong now: it counts as
    /// due, because looking once too often costs little.
    pub fn due(&self, now: Timestamp, policy: &RetryPolicy) -> Option<Timestamp> {
        match self {
            Self::Waiting { due, .. } => {
                let furthest = later(now, policy.longest_delay());
                Some(if *due > furthest { now } else { *due })
            }
            Self::Done { .. } | Self::Dead { .. } => None,
        }
    }

    /// The attempt that would begin now; `None` where nothing is to be done.
    pub fn next_attempt(&self) -> Option<Attempt> {
        match self {
            Self::Waiting { next, .. } => Some(*next),
            Self::Done { .. } | Self::Dead { .. } => None,
        }
    }

    /// The state after `attempt` ended with `outcome`. An answer to another attempt than the one awaited changes nothing.
    pub fn after(self, attempt: Attempt, outcome: Outcome, now: Timestamp, jitter: f64, policy: &RetryPolicy) -> Self {
        let Self::Waiting {
            next,
            mut failed,
            mut not_visible,
            ..
        } = self
        else {
            return self;
        };
        if next != attempt {
            return self;
        }
        let setback = match outcome {
            Outcome::Effected => return Self::Done { attempt, at: now },
            Outcome::Setback(setback) => setback,
        };
        let delay = match &setback {
            Setback::Failed(_) if policy.is_endless => Some(policy.failed.endless_delay(attempt.number, jitter)),
            Setback::Failed(_) => {
                failed += 1;
                policy.failed.delay(failed, jitter)
            }
            Setback::NotVisible(_) => {
                not_visible += 1;
                policy.not_visible.delay(not_visible, jitter)
            }
            Setback::Hopeless(_) => None,
        };
        match delay {
            None => Self::Dead {
                attempt,
                at: now,
                setback,
            },
            Some(delay) => Self::Waiting {
                next: Attempt {
                    number: attempt.number.saturating_add(1),
                    ..attempt
                },
                due: later(now, delay),
                failed,
                not_visible,
                setback: Some(setback),
            },
        }
    }

    /// The state after a person asked to do it again: all attempts anew, at once.
    pub fn replayed(self, now: Timestamp) -> Self {
        let last = match self {
            Self::Waiting { next, .. } => next,
            Self::Done { attempt, .. } | Self::Dead { attempt, .. } => attempt,
        };
        Self::waiting(
            Attempt {
                replay: last.replay.saturating_add(1),
                number: 1,
            },
            now,
        )
    }

    /// Whether there is nothing more to come by itself. Dead work is finished and unsettled: retention keeps it longer.
    pub fn is_finished(&self) -> bool {
        !matches!(self, Self::Waiting { .. })
    }

    /// The state in a word.
    pub fn summary(&self) -> WorkSummary {
        match self {
            Self::Waiting { setback: None, .. } => WorkSummary::Waiting,
            Self::Waiting { setback: Some(_), .. } => WorkSummary::Retrying,
            Self::Done { .. } => WorkSummary::Done,
            Self::Dead { .. } => WorkSummary::Dead,
        }
    }
}

/// A state in a word.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum WorkSummary {
    /// Not tried yet.
    Waiting,
    /// Tried, and to be tried again.
    Retrying,
    /// Over, with its effect.
    Done,
    /// Given up.
    Dead,
}

impl WorkSummary {
    /// The word for tables and the store.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Waiting => "waiting",
            Self::Retrying => "retrying",
            Self::Done => "done",
            Self::Dead => "dead",
        }
    }
}

fn later(now: Timestamp, delay: Duration) -> Timestamp {
    SignedDuration::try_from(delay)
        .ok()
        .and_then(|delay| now.checked_add(delay).ok())
        .unwrap_or(Timestamp::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    fn failed() -> Outcome {
        Outcome::Setback(Setback::Failed("registry down".into()))
    }

    const FIRST: Attempt = Attempt { replay: 0, number: 1 };

    /// However long somebody took to mend it, what fails after that has all of its attempts.
    #[test]
    fn what_is_tried_for_ever_is_no_last_attempt_of_anything_else() {
        let mut policy = RetryPolicy::default();
        policy.failed.attempts = 2;
        let mut work = Work::accepted(at(0));
        let mut waits = Vec::new();
        for _ in 0..40 {
            let attempt = work.next_attempt().unwrap();
            let now = work.due(Timestamp::MAX, &policy).unwrap();
            work = work.after(attempt, failed(), now, 0.0, &policy.endless());
            waits.push(work.due(Timestamp::MAX, &policy).unwrap().duration_since(now).as_secs());
        }
        assert_eq!((waits[0], waits[1], waits[39]), (1, 2, 600));
        let attempt = work.next_attempt().unwrap();
        let work = work.after(attempt, failed(), at(100_000), 0.0, &policy);
        assert!(matches!(work, Work::Waiting { .. }), "{work:?}");
    }

    #[test]
    fn an_effect_ends_it() {
        let work = Work::accepted(at(0)).after(FIRST, Outcome::Effected, at(1), 0.0, &RetryPolicy::default());
        assert_eq!(
            work,
            Work::Done {
                attempt: FIRST,
                at: at(1)
            }
        );
    }

    #[test]
    fn failures_are_retried_until_the_last_attempt() {
        let policy = RetryPolicy::default();
        let (mut work, mut rounds) = (Work::accepted(at(0)), 0);
        while let Some(attempt) = work.next_attempt() {
            work = work.after(attempt, failed(), at(rounds), 0.5, &policy);
            rounds += 1;
        }
        assert_eq!(rounds, i64::from(policy.failed.attempts));
        assert_eq!(work.summary(), WorkSummary::Dead);
    }

    #[test]
    fn hopeless_work_is_dead_at_once_and_a_replay_takes_it_up_again() {
        let hopeless = Outcome::Setback(Setback::Hopeless("bad regex".into()));
        let dead = Work::accepted(at(0)).after(FIRST, hopeless, at(1), 0.0, &RetryPolicy::default());
        assert_eq!(dead.summary(), WorkSummary::Dead);
        assert_eq!(
            dead.replayed(at(9)).next_attempt(),
            Some(Attempt { replay: 1, number: 1 })
        );
    }

    #[test]
    fn a_late_answer_changes_nothing() {
        let policy = RetryPolicy::default();
        let second = Work::accepted(at(0)).after(FIRST, failed(), at(1), 0.0, &policy);
        assert_eq!(
            second.clone().after(FIRST, Outcome::Effected, at(2), 0.0, &policy),
            second
        );
    }

    #[test]
    fn a_clock_that_was_set_back_delays_nothing() {
        let policy = RetryPolicy::default();
        let work = Work::accepted(at(1_000_000)).after(FIRST, failed(), at(1_000_000), 0.0, &policy);
        assert_eq!(work.due(at(0), &policy), Some(at(0)));
    }
}
