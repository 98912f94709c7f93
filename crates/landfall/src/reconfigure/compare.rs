//! Tells what a snapshot changes from what only came along with it. It changes nothing.

use std::collections::HashSet;
use std::sync::{Arc, PoisonError};

use jiff::Timestamp;
use landfall_core::resource::Resource;
use landfall_core::resource::status::ConfigStatus;

use super::{Reconfigurer, Records, Subscribed};
use crate::controller::receivers::Derived;
use crate::live::{Live, ReceiverSummary};
use crate::resources::{Known, Loaded, Snapshot};

impl Reconfigurer {
    /// What is in force, where the Warehouses and Promotions are the ones that it was made of, or are not all known yet. Where they come
    /// from a folder, time goes on for them with each snapshot.
    pub(super) fn unchanged(&self, snapshot: &Snapshot, in_force: &Live) -> Option<Subscribed> {
        if let Records::Store = self.records {
            return None;
        }
        let subscribed = || (in_force.index.clone(), in_force.warehouses.clone());
        if snapshot.known < Known::Everything {
            return Some(subscribed());
        }
        let subscribing =
            |loaded: &&Arc<Loaded>| matches!(loaded.resource, Resource::Warehouse(_) | Resource::Promotion(_));
        let current: Vec<_> = snapshot.resources.values().filter(subscribing).cloned().collect();
        let mut indexed = self.indexed.lock().unwrap_or_else(PoisonError::into_inner);
        let same = in_force.known == Known::Everything
            && indexed.len() == current.len()
            && indexed
                .iter()
                .zip(&current)
                .all(|(before, now)| Arc::ptr_eq(before, now));
        *indexed = current;
        same.then(subscribed)
    }
}

/// Whether the API server shows another status than it should.
pub(super) fn differs(derived: &Derived, snapshot: &Snapshot, now: Timestamp) -> bool {
    let shown = snapshot
        .resources
        .get(&derived.key)
        .and_then(|loaded| loaded.manifest.get("status"));
    let shown: ConfigStatus = shown
        .and_then(|status| serde_json::from_value(status.clone()).ok())
        .unwrap_or_default();
    derived.status(&shown, derived.generation(), now) != shown
}

/// Logs what is wrong with receivers, once.
pub(super) fn tell(receivers: &[ReceiverSummary], before: &[ReceiverSummary]) {
    let known: HashSet<(&String, &Option<String>)> = before.iter().map(|was| (&was.receiver, &was.problem)).collect();
    for summary in receivers {
        if let Some(problem) = &summary.problem
            && !known.contains(&(&summary.receiver, &summary.problem))
        {
            match summary.url {
                None => tracing::warn!(receiver = summary.receiver, problem, "a receiver cannot be reached"),
                Some(_) => tracing::warn!(
                    receiver = summary.receiver,
                    problem,
                    "a receiver can be reached, but not as it should"
                ),
            }
        }
    }
}
