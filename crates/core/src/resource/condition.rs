//! Decides how the conditions of a status change; it must not know which conditions a resource has.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::serial::{is_zero, null_is_default, seconds, whole_seconds};

/// The most bytes that a condition's message may have in the API.
const MAX_MESSAGE: usize = 32_768;

/// One aspect of where a resource stands.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Condition {
    /// The aspect: `Ready`. One condition of each type.
    #[serde(rename = "type")]
    pub condition_type: String,
    /// Whether it holds.
    pub status: ConditionStatus,
    /// One word for why; required by the API.
    pub reason: String,
    /// A sentence for people; may be empty.
    #[serde(default, deserialize_with = "null_is_default")]
    pub message: String,
    /// When `status` last changed; whole seconds.
    #[serde(with = "seconds")]
    pub last_transition_time: Timestamp,
    /// The generation that it is about; 0 is none.
    #[serde(default, skip_serializing_if = "is_zero", deserialize_with = "null_is_default")]
    pub observed_generation: i64,
}

/// Whether a condition holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum ConditionStatus {
    /// It holds.
    True,
    /// It does not hold.
    False,
    /// Nobody can tell yet.
    Unknown,
}

/// A condition to be set, without the time, which [`Conditions::set`] decides.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NewCondition<'a> {
    /// The aspect: `Ready`.
    pub condition_type: &'a str,
    /// Whether it holds.
    pub status: ConditionStatus,
    /// One word for why.
    pub reason: &'a str,
    /// A sentence for people. Beyond 32,768 bytes it is cut.
    pub message: &'a str,
    /// The generation that it is about; 0 is none.
    pub observed_generation: i64,
}

/// Conditions, at most one of each type, in the order in which they were first set.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Conditions(Vec<Condition>);

impl Conditions {
    /// Sets the condition of its type. The transition time becomes `now`, cut to the second, only where the status differs
    /// from what was: it says since when the condition holds, not when it was last confirmed.
    pub fn set(&mut self, new: NewCondition<'_>, now: Timestamp) {
        let previous = self
            .0
            .iter_mut()
            .find(|condition| condition.condition_type == new.condition_type);
        let since = previous.as_ref().filter(|condition| condition.status == new.status);
        let condition = Condition {
            condition_type: new.condition_type.to_owned(),
            status: new.status,
            reason: new.reason.to_owned(),
            message: new.message[..new.message.floor_char_boundary(MAX_MESSAGE)].to_owned(),
            last_transition_time: since.map_or_else(|| whole_seconds(now), |condition| condition.last_transition_time),
            observed_generation: new.observed_generation,
        };
        match previous {
            Some(previous) => *previous = condition,
            None => self.0.push(condition),
        }
    }

    /// Removes the condition of this type, if there is one.
    pub fn remove(&mut self, condition_type: &str) {
        self.0.retain(|condition| condition.condition_type != condition_type);
    }

    /// The condition of this type.
    pub fn find(&self, condition_type: &str) -> Option<&Condition> {
        self.iter().find(|condition| condition.condition_type == condition_type)
    }

    /// All of them, in their order.
    pub fn iter(&self) -> impl Iterator<Item = &Condition> {
        self.0.iter()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}
