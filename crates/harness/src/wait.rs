//! Waits for a condition by looking again and again; it does not know what it waits for, only its name.

use std::time::{Duration, Instant};

use anyhow::{Result, bail};

/// How long to rest between two looks: short enough not to slow a test, long enough not to disturb what it measures.
pub const POLL_INTERVAL: Duration = Duration::from_millis(20);

/// Calls `look` until it returns `Some`, and returns that value. `look` runs at least once, and once more at the end.
///
/// # Errors
/// After `timeout`, an error that names `what` was waited for.
pub fn until<T>(timeout: Duration, what: &str, mut look: impl FnMut() -> Option<T>) -> Result<T> {
    let started = Instant::now();
    loop {
        let last = started.elapsed() >= timeout;
        if let Some(value) = look() {
            return Ok(value);
        }
        if last {
            bail!("waited {timeout:?} in vain for {what}");
        }
        std::thread::sleep(POLL_INTERVAL);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn returns_the_first_value() {
        let mut looks = 0;
        let found = until(Duration::from_secs(5), "three looks", || {
            looks += 1;
            (looks == 3).then_some("found")
        });
        assert_eq!((found.unwrap(), looks), ("found", 3));
    }

    #[test]
    fn names_what_did_not_come() {
        let error = until(Duration::ZERO, "a comet", || None::<()>).unwrap_err();
        assert_eq!(error.to_string(), "waited 0ns in vain for a comet");
    }
}
