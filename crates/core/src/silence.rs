//! Decides when a sender has been silent for so much longer than it usually is that somebody should look.

use jiff::{SignedDuration, Timestamp};

/// How long it takes for a long gap to count half: nights and weekends are usual, last year's holidays are not.
const HALF_LIFE: SignedDuration = SignedDuration::from_hours(7 * 24);
/// So many gaps make a habit.
const HABIT: u32 = 5;
/// Nobody needs to look sooner, however busy the sender usually is.
const SHORTEST: SignedDuration = SignedDuration::from_mins(10);

/// When a sender was last heard of, and the longest that it has lately been silent.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Rhythm {
    last: Timestamp,
    /// In seconds.
    longest_gap: f64,
    gaps: u32,
}

impl Rhythm {
    /// A sender that is heard of for the first time.
    pub fn begun(at: Timestamp) -> Self {
        Self {
            last: at,
            longest_gap: 0.0,
            gaps: 0,
        }
    }

    /// It was heard of again. Where the clock was set back meanwhile, there is no gap to learn from.
    #[must_use]
    pub fn heard(self, at: Timestamp) -> Self {
        if at <= self.last {
            return Self { last: at, ..self };
        }
        let gap = at.duration_since(self.last).as_secs_f64();
        Self {
            last: at,
            longest_gap: gap.max(self.faded(gap)),
            gaps: self.gaps.saturating_add(1),
        }
    }

    /// When it was last heard of.
    pub fn last(&self) -> Timestamp {
        self.last
    }

    /// Whether it has been silent for `factor` times its usual gap, and how long that gap is. A factor of 0 asks for nothing.
    pub fn silent(&self, now: Timestamp, factor: u32) -> Option<SignedDuration> {
        let silence = now.duration_since(self.last);
        let usual = self.faded(silence.as_secs_f64().max(0.0));
        let long = silence >= SHORTEST && silence.as_secs_f64() > usual * f64::from(factor);
        (factor > 0 && self.gaps >= HABIT && long).then(|| SignedDuration::from_secs_f64(usual))
    }

    fn faded(&self, seconds: f64) -> f64 {
        self.longest_gap * 0.5_f64.powf(seconds / HALF_LIFE.as_secs_f64())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR: i64 = 3600;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(1_800_000_000 + second).unwrap()
    }

    fn heard(times: &[i64]) -> Rhythm {
        let first = Rhythm::begun(at(times[0]));
        times[1..]
            .iter()
            .fold(first, |rhythm, second| rhythm.heard(at(*second)))
    }

    #[test]
    fn silence_is_measured_against_the_longest_gap_of_late() {
        let busy: Vec<i64> = (0..100).map(|minute| minute * 60).collect();
        // A working day's pushes, a night, and another day's.
        let days: Vec<i64> = (0..8).chain(24..32).map(|hour| hour * HOUR).collect();
        for (times, factor, silence, expected) in [
            (vec![0], 3, 100 * HOUR, false),
            (vec![0, 60, 120, 180], 3, 100 * HOUR, false),
            (busy.clone(), 3, 179, false),
            // Three minutes are too short for anybody to look.
            (busy.clone(), 3, 181, false),
            (busy.clone(), 3, 601, true),
            (busy, 0, 100 * HOUR, false),
            (days.clone(), 3, 17 * HOUR, false),
            (days.clone(), 3, 40 * HOUR, false),
            (days, 3, 60 * HOUR, true),
        ] {
            let rhythm = heard(&times);
            let now = at(times[times.len() - 1] + silence);
            let found = rhythm.silent(now, factor).is_some();
            assert_eq!(found, expected, "{factor} times, after {silence} s: {rhythm:?}");
        }
    }

    #[test]
    fn a_long_gap_is_forgotten_in_time() {
        let mut times = vec![0, 400 * HOUR];
        times.extend((0..2000).map(|hour| (401 + hour) * HOUR));
        let rhythm = heard(&times);
        let last = times[times.len() - 1];
        assert_eq!(rhythm.silent(at(last + 2 * HOUR), 3), None);
        assert!(rhythm.silent(at(last + 4 * HOUR), 3).is_some());
    }

    #[test]
    fn a_clock_that_is_set_back_teaches_nothing() {
        let rhythm = heard(&[0, 60, 120, 180, 240, 300]);
        let back = rhythm.heard(at(-100 * HOUR));
        assert_eq!((back.longest_gap, back.last()), (rhythm.longest_gap, at(-100 * HOUR)));
        assert_eq!(rhythm.silent(at(-100 * HOUR), 3), None);
    }
}
