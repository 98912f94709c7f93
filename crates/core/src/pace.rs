//! Decides when something that may happen so often may happen next: an even pace, with a few in a row after a quiet time.

use jiff::{SignedDuration, Timestamp};

/// So many in so long, evenly spaced, and so many of them at once after a quiet time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pace {
    spacing: SignedDuration,
    slack: SignedDuration,
}

impl Pace {
    /// `allowed` in each `period`, `burst` of them at once. `None` where nothing is allowed: that means no limit, and there
    /// is no pace.
    pub fn new(allowed: u32, period: SignedDuration, burst: u32) -> Option<Self> {
        if allowed == 0 {
            return None;
        }
        let nanos = period.as_nanos() / i128::from(allowed);
        let spacing = SignedDuration::from_nanos(i64::try_from(nanos).ok()?.max(1));
        let slack = spacing.saturating_mul(i32::try_from(burst.saturating_sub(1)).unwrap_or(i32::MAX));
        Some(Self { spacing, slack })
    }

    /// The place in time that comes after `last`, for something that comes at `now`. It may lie before `now`, by as much as
    /// may come at once: then it need not wait.
    pub fn slot(&self, last: Option<Timestamp>, now: Timestamp) -> Timestamp {
        let earliest = now.checked_sub(self.slack).unwrap_or(Timestamp::MIN);
        let next = last.map(|last| last.checked_add(self.spacing).unwrap_or(Timestamp::MAX));
        next.map_or(earliest, |next| next.max(earliest))
    }

    /// A slot that was given out before, or where it can lie at most: no further ahead of `now` than `waiting` things at an
    /// even pace have put it. One that is further ahead is of a clock that has been set back since.
    pub fn credible(&self, slot: Timestamp, waiting: u32, now: Timestamp) -> Timestamp {
        let backlog = self.spacing.saturating_mul(i32::try_from(waiting).unwrap_or(i32::MAX));
        slot.min(now.checked_add(backlog).unwrap_or(Timestamp::MAX))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(1_800_000_000 + second).unwrap()
    }

    /// When things that come at `arrivals` go, in seconds.
    fn departures(pace: Pace, arrivals: &[i64]) -> Vec<i64> {
        let mut last = None;
        let times = arrivals.iter().map(|second| {
            let slot = pace.slot(last, at(*second));
            last = Some(slot);
            slot.max(at(*second)).as_second() - at(0).as_second()
        });
        times.collect()
    }

    #[test]
    fn what_comes_too_fast_goes_evenly_after_a_burst() {
        let hour = SignedDuration::from_hours(1);
        for (allowed, burst, arrivals, expected) in [
            (60, 1, vec![0, 0, 0], vec![0, 60, 120]),
            (60, 1, vec![0, 30, 200], vec![0, 60, 200]),
            (60, 3, vec![0, 0, 0, 0, 0], vec![0, 0, 0, 60, 120]),
            (60, 3, vec![0, 0, 0, 0, 150, 150, 150], vec![0, 0, 0, 60, 150, 180, 240]),
            (
                3600,
                10,
                (0..12).map(|_| 5).collect(),
                [vec![5; 10], vec![6, 7]].concat(),
            ),
            // A quiet time saves up no more than the burst.
            (
                60,
                2,
                vec![0, 100_000, 100_000, 100_000],
                vec![0, 100_000, 100_000, 100_060],
            ),
        ] {
            let pace = Pace::new(allowed, hour, burst).unwrap();
            assert_eq!(
                departures(pace, &arrivals),
                expected,
                "{allowed} an hour, {burst} at once: {arrivals:?}"
            );
        }
        assert_eq!(Pace::new(0, hour, 10), None);
    }

    #[test]
    fn a_slot_beyond_all_that_waits_is_of_another_clock() {
        let pace = Pace::new(60, SignedDuration::from_hours(1), 10).unwrap();
        for (slot, waiting, expected) in [
            (-500, 0, -500),
            (0, 0, 0),
            (1, 0, 0),
            (60, 1, 60),
            (61, 1, 60),
            (180, 3, 180),
            (3600 + 180, 3, 180),
            (3600, 60, 3600),
        ] {
            assert_eq!(
                pace.credible(at(slot), waiting, at(0)),
                at(expected),
                "{slot} s ahead, {waiting} wait"
            );
        }
        let slow = Pace::new(1, SignedDuration::from_hours(1), 1).unwrap();
        assert_eq!(slow.credible(Timestamp::MAX, u32::MAX, at(0)), Timestamp::MAX);
    }
}
