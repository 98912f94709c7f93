//! Shares work with other processes on the same store: a target is refreshed by one of them at a time, and what nobody does any
//! more is done here. Where there are no others, nothing of this happens.

use std::collections::HashSet;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use landfall_core::refresh::{Extent, Occasion};
use landfall_core::resource::status::WarehouseStatus;
use landfall_core::target::Target;

use super::{Pipeline, full};
use crate::clock::now;
use crate::live::LiveWarehouse;
use crate::statuses::key_of;
use crate::store::{Claim, Claimed, News};

/// Work that has been due for so long and that nobody does is taken up by whoever sees it: its own process is busy, or gone.
const OVERDUE: SignedDuration = SignedDuration::from_secs(3);
/// A target that another process refreshes is asked for again after so long, should nobody tell that it is free.
const AGAIN: SignedDuration = SignedDuration::from_secs(5);

/// Targets that this process asked for while another one had them.
#[derive(Default)]
pub(super) struct Refused(Mutex<HashSet<Target>>);

impl Refused {
    fn lock(&self) -> std::sync::MutexGuard<'_, HashSet<Target>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// One refresh of a target: by what right, and since when.
#[derive(Clone, Copy)]
pub(super) struct Turn {
    pub claim: Claim,
    pub began: Timestamp,
}

/// When to ask again for what another process has.
pub(super) fn asked_again() -> Timestamp {
    now().checked_add(AGAIN).unwrap_or(Timestamp::MAX)
}

impl Pipeline {
    /// Claims a target, and learns what others left of it. `None` while another process refreshes it.
    pub(super) async fn claim(&self, target: &Target) -> Option<Turn> {
        let key = key_of(target);
        // Noted first: it may be free, and that be told, before this process knows that it was not.
        if self.store.is_shared() {
            self.refused.lock().insert(target.clone());
        }
        let claimed = self
            .persist("who refreshes a target", || self.store.claim(target, &key))
            .await;
        match claimed {
            Claimed::Taken { claim, record } => {
                self.refused.lock().remove(target);
                if let Some(record) = record {
                    self.statuses.learn(key, record);
                }
                Some(Turn { claim, began: now() })
            }
            Claimed::Elsewhere => None,
        }
    }

    /// Gives a target back with nothing to settle.
    pub(super) async fn release(&self, target: &Target, turn: Turn) {
        self.persist("who refreshes a target", || self.store.release(target, turn.claim))
            .await;
    }

    /// What is still to be looked at, where others may have done it: a full refresh that somebody has made since it was wished
    /// for is put off until the next is due. The hints are followed in any case.
    pub(super) fn still_wanted(
        &self,
        target: &Target,
        known: &LiveWarehouse,
        extent: Extent,
        began: Timestamp,
    ) -> (Extent, Option<(Extent, Timestamp)>) {
        let (true, Extent::Full(occasion)) = (self.store.is_shared(), extent) else {
            return (extent, None);
        };
        let record = self.statuses.record(&key_of(target));
        let refreshed = record
            .refreshed
            .filter(|refreshed| record.generation == known.generation && *refreshed <= began);
        let (Some(refreshed), interval) = (refreshed, known.warehouse.interval.duration) else {
            return (extent, None);
        };
        let age = Duration::try_from(began.duration_since(refreshed)).unwrap_or(Duration::MAX);
        let is_made = match occasion {
            Occasion::Interval => age < interval,
            Occasion::SpecChanged => refreshed >= known.noted,
            Occasion::Requested => {
                let status: WarehouseStatus = serde_json::from_str(&record.status).unwrap_or_default();
                known.warehouse.metadata.refresh_token() == Some(&*status.last_handled_refresh)
            }
        };
        match is_made {
            true => (Extent::Hinted, Some(full(Occasion::Interval, refreshed, interval))),
            false => (extent, None),
        }
    }

    /// Follows what others do, until the process ends.
    pub(super) async fn share(&self) {
        loop {
            match self.store.news().await {
                News::Freed(target) => {
                    if self.refused.lock().remove(&target) {
                        self.wish(&target, Extent::Hinted, now());
                    }
                }
                News::Look => self.take_over().await,
            }
        }
    }

    async fn take_over(&self) {
        let by = now().checked_sub(OVERDUE).unwrap_or(Timestamp::MIN);
        match self.store.left_behind(by).await {
            Ok(targets) => {
                for target in targets {
                    self.wish(&target, Extent::Hinted, now());
                }
                self.arrivals.notify_one();
            }
            // It is looked for again in a moment.
            Err(error) => tracing::debug!(%error, "what others left behind cannot be looked for"),
        }
    }
}
