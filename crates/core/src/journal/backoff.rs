//! Decides how long to wait after a failed attempt, and when to stop.

use std::time::Duration;

/// Delays that double from `first` to `most`, for at most `attempts` attempts in all.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Backoff {
    /// The delay after the first failure.
    pub first: Duration,
    /// The longest delay.
    pub most: Duration,
    /// How many failures of this class end in a dead letter; at least 1.
    pub attempts: u32,
}

impl Backoff {
    /// The delay after `failures` failures (1 or more), or `None` when that was the last attempt.
    ///
    /// `jitter` lies in 0..1 and shortens the delay by up to a half, so that targets that failed together do not come
    /// back together.
    pub fn delay(&self, failures: u32, jitter: f64) -> Option<Duration> {
        (failures < self.attempts.max(1)).then(|| self.endless_delay(failures, jitter))
    }

    /// The same, where there is no last attempt.
    pub fn endless_delay(&self, failures: u32, jitter: f64) -> Duration {
        let doublings = failures.saturating_sub(1).min(30);
        let full = self.first.saturating_mul(1 << doublings).min(self.most);
        full.mul_f64(1.0 - jitter.clamp(0.0, 1.0) / 2.0)
    }
}

/// How patient we are with each class of failure.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RetryPolicy {
    /// The registry, the network or the write of a result failed.
    pub failed: Backoff,
    /// The event came before the registry could serve what was pushed: short delays, and few.
    pub not_visible: Backoff,
    /// Whether what failed is tried again for ever.
    pub is_endless: bool,
}

impl Default for RetryPolicy {
    /// About an hour of failures, and about a minute of looking for something that was not there yet.
    fn default() -> Self {
        Self {
            failed: Backoff {
                first: Duration::from_secs(1),
                most: Duration::from_secs(600),
                attempts: 15,
            },
            not_visible: Backoff {
                first: Duration::from_millis(500),
                most: Duration::from_secs(15),
                attempts: 9,
            },
            is_endless: false,
        }
    }
}

impl RetryPolicy {
    /// The same, by which what failed is never given up, and counts for nothing when something else fails after it.
    pub fn endless(self) -> Self {
        Self {
            is_endless: true,
            ..self
        }
    }

    /// The longest that any work ever waits. Whatever lies further in the future is there because the clock was set back.
    pub fn longest_delay(&self) -> Duration {
        self.failed.most.max(self.not_visible.most)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn delays_double_up_to_the_most_and_end() {
        let backoff = Backoff {
            first: Duration::from_secs(1),
            most: Duration::from_secs(5),
            attempts: 5,
        };
        for (failures, jitter, expected) in [
            (1, 0.0, Some(1000)),
            (2, 0.0, Some(2000)),
            (3, 0.0, Some(4000)),
            (4, 0.0, Some(5000)),
            (4, 1.0, Some(2500)),
            (5, 0.0, None),
            (u32::MAX, 0.0, None),
        ] {
            assert_eq!(
                backoff.delay(failures, jitter),
                expected.map(Duration::from_millis),
                "{failures} {jitter}"
            );
        }
    }
}
