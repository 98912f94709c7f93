//! Counts by receiver who still shows a previous secret, for people who wait to remove it. These are no series: receivers have
//! names that people make up.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use jiff::Timestamp;
use landfall_core::receiver::ReceiverName;

use crate::live::PreviousSecret;

/// Uses of previous secrets since the start of this process; cheap to clone.
#[derive(Clone, Default)]
pub struct PreviousSecrets(Arc<Mutex<HashMap<String, PreviousSecret>>>);

impl PreviousSecrets {
    /// A delivery has shown the previous secret of its receiver.
    pub fn shown(&self, receiver: &ReceiverName, at: Timestamp) {
        let mut uses = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let known = uses.entry(receiver.0.clone()).or_default();
        known.deliveries = known.deliveries.saturating_add(1);
        known.last = Some(at);
    }

    /// Forgets those receivers whose previous secret is not good any more: the next one is counted anew.
    pub fn keep(&self, has_one: impl Fn(&str) -> bool) {
        let mut uses = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        uses.retain(|receiver, _| has_one(receiver));
    }

    /// What was counted for a receiver.
    pub fn of(&self, receiver: &str) -> PreviousSecret {
        let uses = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        uses.get(receiver).copied().unwrap_or_default()
    }
}
