//! Remembers when each event was first heard of, so that all whom it concerns share one look. Clocks of others do not count: the
//! times are of whoever looks.

use std::collections::HashMap;

use jiff::{SignedDuration, Timestamp};

use super::Pointer;

/// Events are forgotten after so long, once there are many. Who hears of one again then looks again.
const LONGEST: SignedDuration = SignedDuration::from_mins(10);
const MANY: usize = 10_000;

/// When what was pointed at was first heard of.
#[derive(Clone, Debug, Default)]
pub struct Noticed(HashMap<Pointer, Timestamp>);

impl Noticed {
    /// When this was first heard of, which may be now.
    pub fn since(&mut self, pointer: &Pointer, now: Timestamp) -> Timestamp {
        if let Some(since) = self.0.get_mut(pointer) {
            // A clock that was set back.
            *since = (*since).min(now);
            return *since;
        }
        if self.0.len() >= MANY {
            self.0.retain(|_, since| now.duration_since(*since) < LONGEST);
        }
        // More than that in so short a time: what is forgotten costs a look.
        if self.0.len() >= 2 * MANY {
            self.0.clear();
        }
        self.0.insert(pointer.clone(), now);
        now
    }
}

#[cfg(test)]
mod tests {
    use super::super::Hint;
    use super::*;
    use crate::repository::{ImageRepository, Repository};

    fn pointer(event: usize) -> Pointer {
        Pointer {
            hint: Hint {
                repository: Repository::Image(ImageRepository::parse("ghcr.io/shop/api").unwrap()),
                tag: None,
                claimed: None,
            },
            event: event.to_string(),
        }
    }

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    #[test]
    fn an_event_is_as_old_as_its_first_notice_and_memory_is_bounded() {
        let mut noticed = Noticed::default();
        assert_eq!(noticed.since(&pointer(1), at(100)), at(100));
        assert_eq!(noticed.since(&pointer(1), at(101)), at(100));
        assert_eq!(noticed.since(&pointer(2), at(101)), at(101));
        assert_eq!(noticed.since(&pointer(1), at(90)), at(90));
        for event in 0..MANY {
            noticed.since(&pointer(event), at(102));
        }
        noticed.since(&pointer(MANY), at(2_000));
        assert_eq!(noticed.0.len(), 1);
        for event in 0..3 * MANY {
            noticed.since(&pointer(event), at(2_000));
            assert!(noticed.0.len() <= 2 * MANY);
        }
    }
}
