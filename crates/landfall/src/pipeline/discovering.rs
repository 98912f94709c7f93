//! Refreshes targets by looking for what they subscribe to: one look for all work that waits for a target.

use std::sync::Arc;

use jiff::Timestamp;
use landfall_core::journal::RetryPolicy;
use landfall_core::refresh::{Extent, Occasion};
use landfall_core::target::Target;

use super::sharing::{Turn, asked_again};
use super::{Begun, Pipeline, Wishes, after_a_bug};
use crate::controller::slots::Places;
use crate::controller::warehouse::{self, Discovery, Hints, Look};
use crate::live::LiveWarehouse;
use crate::registry::Priority;
use crate::store::WaitingWork;

impl Pipeline {
    /// One refresh of one target, and what is wished for after it. Whatever happens in it, the target is free again.
    pub(super) async fn supervise(self: Arc<Self>, discovery: Discovery, begun: Begun<Places>) {
        let Begun {
            target,
            extent,
            place: places,
            // Others may share the journal, and looking takes far longer than reading.
            fresh: _,
        } = begun;
        let refresh = tokio::spawn(self.clone().refresh(discovery, target.clone(), extent, places));
        let next = refresh.await.unwrap_or_else(|panicked| {
            tracing::error!(%target, %panicked, "a refresh ended in the middle; this is a bug");
            after_a_bug(extent)
        });
        let mut plan = self.plan();
        plan.finished(&target);
        for (extent, due) in next {
            plan.wish(&target, extent, due);
        }
        drop(plan);
        self.replanned.notify_one();
    }

    /// From the work that waits for a target to its settlement; returns what is wished for next.
    async fn refresh(self: Arc<Self>, discovery: Discovery, target: Target, extent: Extent, places: Places) -> Wishes {
        let Some(turn) = self.claim(&target).await else {
            return vec![(extent, asked_again())];
        };
        let began = turn.began;
        let waiting = self
            .persist("the work of a target", || self.store.waiting(&target))
            .await;
        let Some(known) = self.live.load().warehouses.get(&target).cloned() else {
            // It may have come to others before it comes here; and what is gone, somebody removes.
            if turn.exists_elsewhere {
                self.release(&target, turn).await;
                return vec![(extent, asked_again())];
            }
            self.settle_for_nobody(&target, &waiting, turn).await;
            return Vec::new();
        };
        let (extent, put_off) = self.still_wanted(&target, &known, extent, began);
        let (waiting, mut next) = self.due(waiting, began);
        next.extend(put_off);
        if waiting.is_empty() && extent == Extent::Hinted {
            self.release(&target, turn).await;
        } else {
            let work = (extent, waiting);
            next.extend(self.discover(&discovery, (&target, &known), work, turn, places).await);
        }
        next
    }

    /// What of a target's work is due, and what is wished for because of the rest. What is not due yet keeps its attempts: other
    /// work of the same target must not use them up.
    pub(super) fn due(&self, waiting: Vec<WaitingWork>, began: Timestamp) -> (Vec<WaitingWork>, Wishes) {
        let due = |waiting: &WaitingWork| waiting.work.due(began, &self.rules.retries);
        let (waiting, later): (Vec<_>, Vec<_>) = waiting.into_iter().partition(|waiting| due(waiting) <= Some(began));
        let next = later.iter().filter_map(|waiting| Some((Extent::Hinted, due(waiting)?)));
        (waiting, next.collect())
    }

    /// Asks registries about a target, and settles what waits for that.
    async fn discover(
        &self,
        discovery: &Discovery,
        (target, known): (&Target, &LiveWarehouse),
        (extent, waiting): (Extent, Vec<WaitingWork>),
        turn: Turn,
        places: Places,
    ) -> Wishes {
        let extent = extent_of(&waiting, extent);
        let look = Look {
            extent,
            priority: Priority::of(extent.is_awaited() || !waiting.is_empty()),
            hints: hints(&waiting, turn.began, &self.rules.retries),
            since: turn.began,
            is_urgent: waiting.iter().any(|waiting| !waiting.hints.is_empty())
                && extent != Extent::Full(Occasion::Requested),
            interval: known.warehouse.interval.duration,
        };
        let (discovery, credentials) = (discovery.clone(), self.live.load().credentials.clone());
        let looked_at = known.clone();
        // A task of its own, so that a bug in looking is one failed attempt and nothing more.
        let looked =
            tokio::spawn(async move { warehouse::refresh(&discovery, &credentials, &looked_at, &look, places).await });
        // The last of its slots is held until it is settled.
        let (looked, _slot) = match looked.await {
            Ok((refreshed, slot)) => (Ok(refreshed), slot),
            Err(panicked) => (Err(panicked), None),
        };
        self.settle(target, known, extent, waiting, turn, looked).await
    }
}

/// How much to look at: work that points nowhere asks for everything.
fn extent_of(waiting: &[WaitingWork], extent: Extent) -> Extent {
    if waiting.iter().any(|waiting| waiting.hints.is_empty()) {
        extent.max(Extent::Full(Occasion::Requested))
    } else {
        extent
    }
}

/// Where the waiting work wants to look, each with the time since which a look counts: the latest at which any of it became
/// due, since a look before that came too early for it.
fn hints(waiting: &[WaitingWork], began: Timestamp, retries: &RetryPolicy) -> Hints {
    let mut hints = Hints::new();
    for waiting in waiting {
        let since = waiting.work.due(began, retries).unwrap_or(began).min(began);
        for hint in &waiting.hints {
            let known = hints.entry(hint.clone()).or_insert(since);
            *known = since.max(*known);
        }
    }
    hints
}
