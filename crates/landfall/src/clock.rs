//! Reads the clock: the one place where time comes from, so that everything else takes it as an argument.

use jiff::Timestamp;

/// The time, in whole milliseconds as the store keeps it, so that a time compares equal to itself after a round trip.
pub fn now() -> Timestamp {
    let millis = Timestamp::now().as_millisecond();
    // A clock within jiff's range, which is ±9,999 years, gives milliseconds within it.
    Timestamp::from_millisecond(millis).unwrap_or_default()
}
