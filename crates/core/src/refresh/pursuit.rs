//! Decides what to look at next for one Warehouse of an API server, and what follows from a look. It must not know how anything
//! is looked at, nor who else could do it.

use std::collections::BTreeMap;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

use super::{Extent, Hint, Noticed, Occasion, Progress, Request, Wanted};
use crate::journal::{Attempt, Outcome, RetryPolicy, Setback, Work};

/// What one process knows of a Warehouse beside what its object says. It is forgotten when the process ends; what is lost with
/// it costs a look, because whatever was not answered is still asked for.
#[derive(Clone, Debug, Default)]
pub struct Pursuit {
    /// The object that it is about; empty before the first look.
    uid: String,
    /// Whether others may have looked before, so that this process does not know all that they know until it has looked at
    /// everything itself.
    is_after_others: bool,
    /// Whether everything was looked at, whatever came of it.
    has_tried: bool,
    /// The latest spec of which everything was found; 0 is none.
    looked: i64,
    /// When everything was looked at last, and by how much of an interval the next look comes later.
    listed: Option<(Timestamp, f64)>,
    /// What was asked for when it was last answered. The object may not say so, yet or at all.
    concluded: Option<u64>,
    /// Since when a look at everything has been tried by the spec of this generation, while not all of it has succeeded.
    trying: Option<(i64, Timestamp)>,
    heard: Heard,
    /// The token for which all was done that could be, while the spec of this generation keeps it from being answered.
    done: Option<(i64, String)>,
    unfinished: Option<Unfinished>,
}

/// When each request was first heard of that nobody has answered since. What was looked at from then on need not be looked at again
/// for its sake.
#[derive(Clone, Debug, Default)]
struct Heard {
    /// The last answer, after which one token may say something new.
    handled: String,
    /// By token and by how often that stood there before.
    first: BTreeMap<(String, usize), Timestamp>,
}

impl Heard {
    /// When the last of the requests for everything was first heard of, if there is one. Those that are asked for no more are
    /// forgotten.
    fn everything(&mut self, handled: &str, requests: &[Request], now: Timestamp) -> Option<Timestamp> {
        let before = std::mem::take(&mut self.first);
        let is_known = self.handled == handled;
        self.handled = handled.to_owned();
        let mut last = None;
        for (place, Request { token, ask }) in requests.iter().enumerate() {
            let alike = requests[..place].iter().filter(|earlier| earlier.token == *token);
            let key = (token.clone(), alike.count());
            let heard = before.get(&key).filter(|heard| is_known && **heard <= now);
            let heard = heard.copied().unwrap_or(now);
            self.first.insert(key, heard);
            last = last.max(ask.everything.then_some(heard));
        }
        last
    }
}

/// What was begun, and is to be tried again.
#[derive(Clone, Debug)]
struct Unfinished {
    generation: i64,
    token: Option<String>,
    extent: Extent,
    /// Absent where only the interval, or a change, is a reason to try again.
    work: Option<Work>,
    /// Since when a look at each hint counts.
    since: BTreeMap<Hint, Timestamp>,
}

/// One look.
#[derive(Clone, Debug, PartialEq)]
pub struct Task {
    /// How much to look at.
    pub extent: Extent,
    /// Whether an event or somebody waits for it.
    pub is_awaited: bool,
    /// What is pointed at, each with the time since which a look counts.
    pub hints: BTreeMap<Hint, Timestamp>,
    /// Of everything, what was seen from then on counts: attempts and pushes that follow do not look again at what went well.
    pub since: Timestamp,
    /// Which attempt this is.
    pub attempt: Attempt,
    uid: String,
    generation: i64,
    token: Option<String>,
    mark: u64,
}

/// What a look found.
#[derive(Clone, Debug, PartialEq)]
pub struct Found {
    /// What it came to.
    pub outcome: Outcome,
    /// When the oldest listing began that it rests on, where it was a look at everything and nothing failed that another look
    /// could mend.
    pub complete_since: Option<Timestamp>,
    /// The hints that are not settled.
    pub unseen: Vec<Hint>,
}

/// What follows from a look.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Conclusion {
    /// Whoever asked by this token, if anybody did, has an answer.
    Answered(Option<String>),
    /// The same, but what was pointed at is not there.
    GivenUp(Option<String>, String),
    /// It is tried again.
    Unanswered,
}

impl Task {
    /// The token for which nothing more can be done, by this spec.
    fn done(&self) -> Option<(i64, String)> {
        Some((self.generation, self.token.clone()?))
    }
}

impl Pursuit {
    /// A pursuit that others may have been on before. Where it begins, everything is looked at, whatever is asked for.
    pub fn after_others() -> Self {
        Self {
            is_after_others: true,
            ..Self::default()
        }
    }

    /// Whether others may still have seen what was not looked at here since.
    pub fn is_behind(&self, progress: &Progress) -> bool {
        self.is_after_others && (progress.generation > self.looked || self.is_of_another(progress))
    }

    /// Whether a look at everything has been tried since it is followed here.
    pub fn has_tried(&self) -> bool {
        self.has_tried
    }

    /// How much is to be looked at next, and when.
    pub fn next(
        &self,
        progress: &Progress,
        interval: Duration,
        policy: &RetryPolicy,
        now: Timestamp,
    ) -> (Extent, Timestamp) {
        if self.is_of_another(progress) {
            return self.anew().next(progress, interval, policy, now);
        }
        let over = self.interval_over(progress, interval, now);
        let by_interval = (Extent::Full(Occasion::Interval), over);
        // Hints that come all the time, or that nobody can follow, do not put the interval off for ever.
        let with_interval = |extent: Extent, due: Timestamp| match later(over, interval) <= due {
            true => (extent.max(by_interval.0), due),
            false => (extent, due),
        };
        let wanted = self.wanted(progress);
        let pursued = self.pursued(progress, wanted.token.as_deref());
        let urgent = match self.concluded == Some(progress.mark()) {
            true => wanted.by_spec,
            false => wanted.extent,
        };
        match (urgent, pursued) {
            // While something is tried again, the interval is no reason to hurry.
            (_, Some(unfinished)) => match unfinished.work.as_ref().and_then(|work| work.due(now, policy)) {
                Some(due) => with_interval(unfinished.extent.max(wanted.extent.unwrap_or(Extent::Hinted)), due),
                None => by_interval,
            },
            (Some(extent), None) if self.is_behind(progress) => (extent.max(by_interval.0), now),
            (Some(extent), None) => with_interval(extent, now),
            (None, None) => by_interval,
        }
    }

    /// Whether an event or somebody waits for the next look, whatever else it is made for: one that is long overdue, or new to whoever
    /// leads, is looked at as a whole.
    pub fn is_awaited(&self, progress: &Progress) -> bool {
        let is_asked = !self.wanted(progress).asked.is_empty();
        is_asked && (self.is_of_another(progress) || self.concluded != Some(progress.mark()))
    }

    /// Begins a look, if one is due.
    pub fn begin(
        &mut self,
        progress: &Progress,
        interval: Duration,
        policy: &RetryPolicy,
        noticed: &mut Noticed,
        now: Timestamp,
    ) -> Option<Task> {
        if self.is_of_another(progress) {
            *self = self.anew();
        }
        self.uid.clone_from(&progress.uid);
        let (extent, due) = self.next(progress, interval, policy, now);
        if due > now {
            return None;
        }
        let is_awaited = extent.is_awaited() || self.is_awaited(progress);
        let wanted = self.wanted(progress);
        let since = self.everything_since(progress, &wanted.asked, extent, now);
        if self.pursued(progress, wanted.token.as_deref()).is_none() {
            self.unfinished = None;
        }
        let listed = progress.discovered_at.map(|discovered| (discovered, 0.0));
        self.listed = self.listed.or(listed);
        let unfinished = self.unfinished.get_or_insert_with(|| Unfinished {
            generation: progress.generation,
            token: wanted.token.clone(),
            extent,
            work: None,
            since: BTreeMap::new(),
        });
        unfinished.extent = unfinished.extent.max(extent);
        let mut hints = BTreeMap::new();
        for pointer in wanted.asked.into_iter().flat_map(|request| request.ask.at) {
            let heard = noticed.since(&pointer, now);
            // What was looked for in vain is looked for again.
            let since = heard.max(unfinished.since.get(&pointer.hint).copied().unwrap_or(heard));
            let known = hints.entry(pointer.hint).or_insert(since);
            *known = since.max(*known);
        }
        Some(Task {
            extent,
            is_awaited,
            hints,
            since,
            attempt: unfinished
                .work
                .get_or_insert_with(|| Work::accepted(now))
                .next_attempt()?,
            uid: progress.uid.clone(),
            generation: progress.generation,
            token: wanted.token,
            mark: progress.mark(),
        })
    }

    /// Ends a look that was begun.
    pub fn end(&mut self, task: &Task, found: Found, now: Timestamp, jitter: f64, policy: &RetryPolicy) -> Conclusion {
        // It exists no more, and what has its name now is another.
        if task.uid != self.uid {
            return Conclusion::Unanswered;
        }
        self.has_tried |= matches!(task.extent, Extent::Full(_));
        if let (Extent::Full(_), Some(since)) = (task.extent, found.complete_since) {
            self.looked = self.looked.max(task.generation);
            self.listed = Some((since, jitter));
            self.trying = None;
        }
        // The object says when everything was found. When all was listed, which may be long before, a first look tells.
        if let (Extent::Hinted, Some(since), false) = (task.extent, found.complete_since, self.has_tried) {
            self.listed = self.listed.map(|(listed, spread)| (listed.min(since), spread));
        }
        let Some(mut unfinished) = self.unfinished.take() else {
            return Conclusion::Unanswered;
        };
        let token = task.token.clone();
        let work = unfinished.work.unwrap_or_else(|| Work::accepted(now));
        let again = match work.after(task.attempt, found.outcome, now, jitter, policy) {
            Work::Done { .. } => {
                self.concluded = Some(task.mark);
                self.done = None;
                return Conclusion::Answered(token);
            }
            Work::Dead {
                setback: Setback::NotVisible(reason),
                ..
            } => {
                self.concluded = Some(task.mark);
                self.done = task.done();
                return Conclusion::GivenUp(token, reason);
            }
            // Whoever asked is still without an answer.
            Work::Dead {
                setback: Setback::Failed(_),
                ..
            } => Some(Work::accepted(later(now, policy.failed.most))),
            Work::Dead {
                setback: Setback::Hopeless(_),
                ..
            } => {
                self.done = task.done();
                None
            }
            again @ Work::Waiting { .. } => Some(again),
        };
        // Any look from now on will do: where many wait for the same, one looks.
        for hint in found.unseen {
            unfinished.since.insert(hint, now);
        }
        unfinished.work = again;
        self.unfinished = Some(unfinished);
        Conclusion::Unanswered
    }

    /// What is wanted of one that knows what this one knows.
    fn wanted(&self, progress: &Progress) -> Wanted {
        let done = self.done.as_ref();
        let done = done.filter(|(generation, _)| *generation == progress.generation);
        progress.wanted(self.looked, done.map(|(_, token)| token.as_str()))
    }

    /// The time since which what was seen of everything counts.
    fn everything_since(
        &mut self,
        progress: &Progress,
        requests: &[Request],
        extent: Extent,
        now: Timestamp,
    ) -> Timestamp {
        let requested = self.heard.everything(&progress.handled, requests, now);
        if extent == Extent::Hinted {
            return now;
        }
        let trying = self.trying;
        let trying = trying.filter(|(generation, began)| *generation == progress.generation && *began <= now);
        let (_, began) = *self.trying.insert(trying.unwrap_or((progress.generation, now)));
        requested.map_or(began, |requested| requested.max(began))
    }

    /// A pursuit of another object.
    fn anew(&self) -> Self {
        Self {
            is_after_others: self.is_after_others,
            ..Self::default()
        }
    }

    /// Whether there is another object of the same name now.
    fn is_of_another(&self, progress: &Progress) -> bool {
        !self.uid.is_empty() && self.uid != progress.uid
    }

    /// What was begun, where it is for the same spec and the same request.
    fn pursued(&self, progress: &Progress, token: Option<&str>) -> Option<&Unfinished> {
        self.unfinished
            .as_ref()
            .filter(|unfinished| unfinished.generation == progress.generation && unfinished.token.as_deref() == token)
    }

    fn interval_over(&self, progress: &Progress, interval: Duration, now: Timestamp) -> Timestamp {
        match self.listed {
            Some((listed, spread)) if listed <= now => later(listed, interval.mul_f64(1.0 + SPREAD * spread)),
            Some(_) => now,
            None => progress.next_by_interval(interval, now),
        }
    }
}

/// The share of an interval by which the next full refresh may come late, so that targets with one interval spread out.
const SPREAD: f64 = 0.05;

fn later(now: Timestamp, delay: Duration) -> Timestamp {
    SignedDuration::try_from(delay)
        .ok()
        .and_then(|delay| now.checked_add(delay).ok())
        .unwrap_or(Timestamp::MAX)
}

#[cfg(test)]
mod model;
#[cfg(test)]
mod tests;
