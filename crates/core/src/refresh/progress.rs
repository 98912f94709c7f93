//! Decides what a Warehouse in an API server still has to be looked at for, given what its object says.

use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

use super::handover::{Request, Seen, asked};
use super::{Extent, Occasion};

/// What an object says of refreshes: those that were asked for, and those that were made.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Progress {
    /// What tells it from others of its name, before and after; empty where nobody says.
    pub uid: String,
    /// Which controller is to serve it; none for the one without a name.
    pub shard: Option<String>,
    /// Counts changes of its spec.
    pub generation: i64,
    /// Whether it has any annotation.
    pub is_annotated: bool,
    /// The value of [`REFRESH_ANNOTATION`](crate::resource::REFRESH_ANNOTATION).
    pub token: Option<String>,
    /// The value of [`HINTS_ANNOTATION`](super::HINTS_ANNOTATION).
    pub hints: Option<String>,
    /// The token that was answered last; empty where none was.
    pub handled: String,
    /// The spec that was looked at last; 0 is none.
    pub observed_generation: i64,
    /// When everything was found last.
    pub discovered_at: Option<Timestamp>,
    /// Whether somebody who looked meant to look again.
    pub is_unfinished: bool,
}

/// What is to be looked at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wanted {
    /// How much; `None` for nothing before the interval has passed.
    pub extent: Option<Extent>,
    /// The same, without what is asked for by annotation.
    pub by_spec: Option<Extent>,
    /// What is asked for by annotation, the first first.
    pub asked: Vec<Request>,
    /// The token that a look answers, where one is asked for.
    pub token: Option<String>,
}

impl Progress {
    /// What the annotations said.
    pub fn seen(&self) -> Seen<'_> {
        Seen {
            token: self.token.as_deref(),
            hints: self.hints.as_deref(),
            handled: &self.handled,
        }
    }

    /// What is to be looked at apart from the interval, by one who has looked at everything that the spec of this generation
    /// says, 0 is none, and has done all that can be done for this token, and those before it.
    pub fn wanted(&self, looked: i64, done: Option<&str>) -> Wanted {
        let asked = asked(self.seen(), done);
        let by_annotation = asked.iter().map(|request| match request.ask.everything {
            true => Extent::Full(Occasion::Requested),
            false => Extent::Hinted,
        });
        let by_annotation = by_annotation.max();
        // One that is ahead of the spec was observed of something else, which was restored from elsewhere.
        let is_new = self.generation != self.observed_generation || self.discovered_at.is_none();
        // What failed counts as observed. Whoever comes next does not know what it was that failed.
        let is_new = is_new || self.is_unfinished;
        let is_new = is_new && self.generation > looked;
        let by_spec = is_new.then_some(Extent::Full(Occasion::SpecChanged));
        Wanted {
            extent: by_annotation.max(by_spec),
            by_spec,
            token: self.token.clone().filter(|token| *token != self.handled),
            asked,
        }
    }

    /// Tells what is asked for from what was asked for before.
    pub fn mark(&self) -> u64 {
        let mut hasher = DefaultHasher::new();
        (self.generation, &self.token, &self.hints).hash(&mut hasher);
        hasher.finish()
    }

    /// When everything is to be looked at again by itself. A time in the future was written by a clock that is wrong: then now.
    pub fn next_by_interval(&self, interval: Duration, now: Timestamp) -> Timestamp {
        let interval = SignedDuration::try_from(interval).unwrap_or(SignedDuration::MAX);
        match self.discovered_at {
            Some(discovered) if discovered <= now => discovered.checked_add(interval).unwrap_or(Timestamp::MAX),
            Some(_) | None => now,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    fn settled() -> Progress {
        Progress {
            generation: 2,
            observed_generation: 2,
            discovered_at: Some(at(100)),
            token: Some("t1".to_owned()),
            handled: "t1".to_owned(),
            ..Progress::default()
        }
    }

    #[test]
    fn what_is_wanted() {
        let asked_for = |token: &str, progress: Progress| Progress {
            token: Some(token.to_owned()),
            ..progress
        };
        let requested = Extent::Full(Occasion::Requested);
        let changed = Extent::Full(Occasion::SpecChanged);
        for (case, progress, extent, token) in [
            ("settled", settled(), None, None),
            (
                "new",
                Progress {
                    generation: 1,
                    ..Progress::default()
                },
                Some(changed),
                None,
            ),
            (
                "another spec",
                Progress {
                    generation: 3,
                    ..settled()
                },
                Some(changed),
                None,
            ),
            (
                "observed by a spec that is no more",
                Progress {
                    observed_generation: 7,
                    ..settled()
                },
                Some(changed),
                None,
            ),
            ("asked", asked_for("t2", settled()), Some(requested), Some("t2")),
            (
                "asked, and another spec",
                Progress {
                    generation: 3,
                    ..asked_for("t2", settled())
                },
                Some(requested),
                Some("t2"),
            ),
        ] {
            let wanted = progress.wanted(0, None);
            assert_eq!((wanted.extent, wanted.token.as_deref()), (extent, token), "{case}");
        }
    }

    #[test]
    fn the_interval_counts_from_the_last_look_and_not_from_the_future() {
        let minute = Duration::from_secs(60);
        assert_eq!(settled().next_by_interval(minute, at(110)), at(160));
        assert_eq!(settled().next_by_interval(minute, at(90)), at(90));
        assert_eq!(Progress::default().next_by_interval(minute, at(90)), at(90));
    }
}
