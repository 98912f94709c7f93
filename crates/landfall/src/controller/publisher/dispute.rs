//! Decides how soon a status is written once more that somebody else replaces by another one. Two who do that to each other, each
//! as soon as it sees the other's, would keep the API server and all its watchers busy for ever.

use jiff::{SignedDuration, Timestamp};
use landfall_core::resource::status::{Condition, ConditionStatus, ConfigStatus};

/// The first pause, and the longest. What was replaced once is put right at once: a person may have edited it.
const SHORTEST: SignedDuration = SignedDuration::from_secs(1);
const LONGEST: SignedDuration = SignedDuration::from_mins(1);
/// A status that stayed for so long was not disputed.
const CALM: SignedDuration = SignedDuration::from_mins(1);
/// Who replaces it again within so long does so by rule, and not because a person has edited it: Kargo's management controller looks
/// every five minutes.
const RARE: SignedDuration = SignedDuration::from_mins(15);

/// What was written of one configuration, and how often it was replaced.
#[derive(Debug)]
pub(super) struct Dispute {
    said: Said,
    replaced: u32,
    /// How often, where it may have stayed in between.
    rarely_replaced: u32,
    /// It is left as it is until then.
    until: Timestamp,
}

/// A status without its times.
#[derive(Debug, PartialEq, Eq)]
struct Said {
    receivers: Vec<(String, String)>,
    conditions: Vec<(String, ConditionStatus, String, String, i64)>,
    observed_generation: i64,
    last_handled_refresh: String,
}

impl Said {
    fn by(status: &ConfigStatus) -> Self {
        let receivers = status.webhook_receivers.iter();
        let condition = |condition: &Condition| {
            let Condition {
                condition_type,
                status,
                reason,
                message,
                observed_generation,
                ..
            } = condition;
            let (reason, message) = (reason.clone(), message.clone());
            (condition_type.clone(), *status, reason, message, *observed_generation)
        };
        Self {
            receivers: receivers
                .map(|receiver| (receiver.name.clone(), receiver.url.clone()))
                .collect(),
            conditions: status.conditions.iter().map(condition).collect(),
            observed_generation: status.observed_generation,
            last_handled_refresh: status.last_handled_refresh.clone(),
        }
    }
}

impl Dispute {
    /// A status was written for the first time.
    pub(super) fn begin(status: &ConfigStatus, now: Timestamp) -> Self {
        Self {
            said: Said::by(status),
            replaced: 0,
            rarely_replaced: 0,
            until: now,
        }
    }

    /// A status was written. Says whether it has just become clear that somebody else keeps replacing it: what was replaced once may
    /// have been edited by a person.
    pub(super) fn wrote(&mut self, status: &ConfigStatus, now: Timestamp) -> bool {
        let said = Said::by(status);
        // A clock that has been set back must not make a dispute of what was written long ago.
        let since = now.duration_since(self.until);
        let replaced = |times: u32, within| match said == self.said && since < within && since > -LONGEST {
            true => times.saturating_add(1),
            false => 0,
        };
        self.replaced = replaced(self.replaced, CALM);
        self.rarely_replaced = replaced(self.rarely_replaced, RARE);
        self.said = said;
        let pause = match self.replaced {
            0 => SignedDuration::ZERO,
            replaced => LONGEST.min(SHORTEST * 2_i32.saturating_pow(replaced.min(16) - 1)),
        };
        self.until = now.checked_add(pause).unwrap_or(now);
        self.rarely_replaced == 2
    }

    /// For how long it is left as it is. More than the longest pause is none: then the clock has been set back.
    pub(super) fn pause(&self, now: Timestamp) -> SignedDuration {
        let left = self.until.duration_since(now);
        match left <= LONGEST {
            true => left.max(SignedDuration::ZERO),
            false => SignedDuration::ZERO,
        }
    }
}

#[cfg(test)]
mod tests {
    use landfall_core::resource::status::ReceiverStatus;

    use super::*;

    fn status(url: &str) -> ConfigStatus {
        ConfigStatus {
            webhook_receivers: vec![ReceiverStatus {
                name: "hub".to_owned(),
                path: "/1".to_owned(),
                url: url.to_owned(),
            }],
            ..ConfigStatus::default()
        }
    }

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(1_700_000_000 + second).unwrap()
    }

    #[test]
    fn what_is_replaced_again_and_again_is_written_ever_more_rarely() {
        let (mut now, mut pauses) = (0, Vec::new());
        let mut dispute = Dispute::begin(&status("a"), at(now));
        assert_eq!(dispute.pause(at(now)), SignedDuration::ZERO);
        for round in 0..9 {
            assert_eq!(dispute.wrote(&status("a"), at(now)), round == 1);
            let pause = dispute.pause(at(now)).as_secs();
            pauses.push(pause);
            now += pause;
        }
        assert_eq!(pauses, [1, 2, 4, 8, 16, 32, 60, 60, 60]);
    }

    #[test]
    fn another_status_and_one_that_stayed_are_no_dispute() {
        let mut dispute = Dispute::begin(&status("a"), at(0));
        let mut wrote = |status: &ConfigStatus, second| {
            assert!(!dispute.wrote(status, at(second)));
            dispute.pause(at(second)).as_secs()
        };
        assert_eq!(wrote(&status("b"), 1), 0);
        assert_eq!(wrote(&status("b"), 2), 1);
        assert_eq!(wrote(&status("c"), 3), 0);
        assert_eq!(wrote(&status("c"), 3 + 60), 0);
        // Who asks for a refresh every second gets an answer every second.
        for second in 64..70 {
            let status = ConfigStatus {
                last_handled_refresh: second.to_string(),
                ..status("c")
            };
            assert_eq!(wrote(&status, second), 0);
        }
        assert_eq!(wrote(&status("c"), 70), 0);
        // The clock was set back by a day.
        assert_eq!(dispute.pause(at(63 - 86_400)), SignedDuration::ZERO);
        assert!(!dispute.wrote(&status("c"), at(63 - 86_400)));
    }

    #[test]
    fn who_replaces_it_every_few_minutes_is_told_of_and_not_waited_for() {
        let mut dispute = Dispute::begin(&status("a"), at(0));
        for (minute, is_news) in [(5, false), (10, true), (15, false)] {
            assert_eq!(dispute.wrote(&status("a"), at(minute * 60)), is_news);
            assert_eq!(dispute.pause(at(minute * 60)), SignedDuration::ZERO);
        }
        // An edit now and then is a person's.
        for hour in 1..4 {
            assert!(!dispute.wrote(&status("a"), at(hour * 3600)));
        }
    }
}
