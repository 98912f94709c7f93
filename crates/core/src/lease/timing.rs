//! Decides how long a Lease lasts and how often it is renewed; it must not know who holds it.

use std::time::Duration;

/// Three times that fit together. Where they do not, two could lead at once, or none for long.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Timing {
    lease: Duration,
    deadline: Duration,
    retry: Duration,
}

/// Why three times do not fit together.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadTiming {
    /// The API has whole seconds.
    #[error("a lease must last whole seconds, at least one")]
    Lease,
    /// A holder must have stopped before others begin.
    #[error("a leader must give up before its lease is over: the deadline must be at most three quarters of the lease")]
    Deadline,
    /// One lost answer must not cost the leadership.
    #[error("there must be time for a second attempt: twice the time between attempts must be less than the deadline")]
    Retry,
}

impl Default for Timing {
    /// After a crash another process leads within twelve seconds, and two renewals may fail in a row before the leader stands
    /// down. Clocks may differ in speed by 40 %.
    fn default() -> Self {
        Self {
            lease: Duration::from_secs(10),
            deadline: Duration::from_secs(7),
            retry: Duration::from_secs(2),
        }
    }
}

impl Timing {
    /// A lease that lasts `lease`, whose holder stands down after `deadline` without a renewal, and tries each `retry`.
    ///
    /// # Errors
    /// Where they do not fit together.
    pub fn new(lease: Duration, deadline: Duration, retry: Duration) -> Result<Self, BadTiming> {
        if lease.is_zero() || lease.subsec_nanos() != 0 || i32::try_from(lease.as_secs()).is_err() {
            return Err(BadTiming::Lease);
        }
        if deadline > lease * 3 / 4 {
            return Err(BadTiming::Deadline);
        }
        if retry.is_zero() || retry * 2 >= deadline {
            return Err(BadTiming::Retry);
        }
        Ok(Self { lease, deadline, retry })
    }

    /// So long a Lease stays its holder's after the last renewal, by the clock of whoever would have it.
    pub fn lease(&self) -> Duration {
        self.lease
    }

    /// So long a holder believes that it leads, by its own clock, after it sent the last renewal that was confirmed.
    pub fn deadline(&self) -> Duration {
        self.deadline
    }

    /// The time between two renewals, or two looks at somebody else's Lease.
    pub fn retry(&self) -> Duration {
        self.retry
    }

    /// So long a request may take: one that hangs leaves time for another.
    pub fn request(&self) -> Duration {
        (self.deadline - self.retry) / 2
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Whoever looks sees each renewal at most one look late, then waits for the Lease to be over, looks again, and takes it.
    #[test]
    fn a_killed_leader_is_replaced_within_fifteen_seconds() {
        let timing = Timing::default();
        assert!(timing.lease() + timing.retry() + timing.request() <= Duration::from_secs(15));
    }
}
