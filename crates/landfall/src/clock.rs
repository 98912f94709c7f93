//! Reads the clock: the one place where time comes from, so that everything else takes it as an argument.

use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use jiff::Timestamp;

/// By how many milliseconds everybody's clock is ahead of this machine's, where processes on several machines share one.
static AHEAD: AtomicI64 = AtomicI64::new(0);

/// The time, in whole milliseconds as the store keeps it, so that a time compares equal to itself after a round trip.
pub fn now() -> Timestamp {
    let millis = own_millis().saturating_add(AHEAD.load(Ordering::Relaxed));
    // A clock within jiff's range, which is ±9,999 years, gives milliseconds within it.
    Timestamp::from_millisecond(millis).unwrap_or_default()
}

/// How long it is until then; nothing where it is over.
pub fn until(due: Timestamp) -> Duration {
    Duration::try_from(due.duration_since(now())).unwrap_or_default()
}

/// What this machine's own clock says, in milliseconds since 1970.
pub fn own_millis() -> i64 {
    Timestamp::now().as_millisecond()
}

/// Follows the clock that everybody shares: it said `theirs` at some moment between `before` and `after` by this machine's own.
/// As long as that can have been so without a correction, there is none.
pub fn follow(before: i64, theirs: i64, after: i64) {
    let ahead = AHEAD.load(Ordering::Relaxed);
    // Both clocks are read in whole milliseconds, which is one more of doubt.
    let least = theirs.saturating_sub(after).saturating_sub(1);
    let most = theirs.saturating_sub(before).saturating_add(1);
    AHEAD.store(ahead.clamp(least.min(most), most), Ordering::Relaxed);
}
