//! Ends a refresh: each waiting entry's next state, the target's status and the next wishes, written together.

use std::time::Duration;

use jiff::Timestamp;
use landfall_core::discovery::warehouse_status;
use landfall_core::journal::{EntryId, Outcome, RetryPolicy, Setback, Work};
use landfall_core::refresh::{Extent, Occasion};
use landfall_core::resource::status::WarehouseStatus;
use landfall_core::target::Target;
use tokio::task::JoinError;

use super::sharing::Turn;
use super::{Pipeline, Wishes, full};
use crate::clock::now;
use crate::controller::warehouse::{Refreshed, broken, outcome, setbacks};
use crate::live::LiveWarehouse;
use crate::statuses::key_of;
use crate::store::{AttemptRecord, Settled, Settlement, WaitingWork};

/// The state that each entry's work had, the state that it has now, and the attempt.
type States = Vec<(EntryId, Work, Work, AttemptRecord)>;

/// The share of an interval by which the next full refresh may come late, so that targets with one interval spread out. Not
/// early: then a listing would still be younger than the interval, and would be taken for fresh.
const SPREAD: f64 = 0.05;

impl Pipeline {
    /// Settles a refresh of a Warehouse. Returns what is wished for next.
    pub(super) async fn settle(
        &self,
        target: &Target,
        known: &LiveWarehouse,
        extent: Extent,
        waiting: Vec<WaitingWork>,
        Turn { claim, began, .. }: Turn,
        looked: Result<Refreshed, JoinError>,
    ) -> Wishes {
        let refreshed = looked.unwrap_or_else(|panicked| {
            tracing::error!(%target, %panicked, "a refresh ended in the middle; this is a bug");
            broken(known, began, &panicked)
        });
        let ended = now();
        let record = self.statuses.record(&key_of(target));
        let previous: WarehouseStatus = serde_json::from_str(&record.status).unwrap_or_default();
        let token = known
            .warehouse
            .metadata
            .refresh_token()
            .filter(|_| matches!(extent, Extent::Full(_)));
        let status = warehouse_status(
            &previous,
            &refreshed.results,
            &refreshed.undiscovered,
            known.generation,
            token,
            ended,
        );
        // What cannot work until somebody changes it is no reason to look again soon.
        let failed = setbacks(&refreshed).any(|setback| !matches!(setback, Setback::Hopeless(_)));
        let complete = !failed && matches!(extent, Extent::Full(_));
        let refreshed_at = if complete {
            refreshed.complete_since
        } else {
            record.refreshed
        };
        let resource = self
            .statuses
            .write(&key_of(target), &status, known.generation, refreshed_at);
        let work = self.next_states(waiting, &refreshed, began, ended);
        let mut next = self.wished_for(&work, ended);
        if let Extent::Full(occasion) = extent {
            let failed = failed.then_some(occasion);
            next.push(self.next_full(target, known, &refreshed, failed, ended));
        }
        self.tell(target, extent, &refreshed, &work);
        let settlement = || {
            let settlement = Settlement {
                target: target.clone(),
                resource: Some(resource.clone()),
                work: work.clone(),
            };
            self.store.settle(settlement, claim)
        };
        if self.persist("a refresh", settlement).await == Settled::Lost {
            tracing::info!(%target, "another process has taken this refresh over");
            return vec![(extent, ended)];
        }
        self.count(&work, ended);
        self.statuses.written(resource);
        next
    }

    /// Settles the work of a target that exists no more, or that nothing here can refresh: there is nothing left to do.
    pub(super) async fn settle_for_nobody(&self, target: &Target, waiting: &[WaitingWork], turn: Turn) {
        let outcome = (Outcome::Effected, nothing_to_do(target));
        self.settle_alike(target, waiting, turn, outcome).await;
    }

    /// Settles all work that waits for a target in the same way, whose words are given. Returns what is wished for next.
    pub(super) async fn settle_alike(
        &self,
        target: &Target,
        waiting: &[WaitingWork],
        turn: Turn,
        (outcome, words): (Outcome, String),
    ) -> Wishes {
        if waiting.is_empty() {
            self.release(target, turn).await;
            return Vec::new();
        }
        let Turn { claim, began, .. } = turn;
        let ended = now();
        let work = self.states_alike(waiting, (began, ended), (&outcome, &words), &self.rules.retries);
        let settlement = || Settlement {
            target: target.clone(),
            resource: None,
            work: work.clone(),
        };
        let settled = self
            .persist("a refresh", || self.store.settle(settlement(), claim))
            .await;
        if settled == Settled::Lost {
            tracing::info!(%target, "another process has taken this refresh over");
            return vec![(Extent::Hinted, ended)];
        }
        self.count(&work, ended);
        tell_of_dead(target, &work);
        self.wished_for(&work, ended)
    }

    /// The states of work after an attempt that had the same outcome for all of it.
    pub(super) fn states_alike(
        &self,
        waiting: &[WaitingWork],
        (began, ended): (Timestamp, Timestamp),
        (outcome, words): (&Outcome, &str),
        retries: &RetryPolicy,
    ) -> States {
        let served = waiting.len();
        let state = |waiting: &WaitingWork| {
            let attempt = waiting.work.next_attempt()?;
            let work = waiting.work.clone();
            let after = work.after(attempt, outcome.clone(), ended, fastrand::f64(), retries);
            let record = AttemptRecord {
                attempt,
                began,
                asked: began,
                chose: ended,
                outcome: words.to_owned(),
                requests: 0,
                token_requests: 0,
                choices: Vec::new(),
                served,
            };
            Some((waiting.entry, waiting.work.clone(), after, record))
        };
        waiting.iter().filter_map(state).collect()
    }

    /// What is wished for because of work that is still to be done.
    pub(super) fn wished_for(&self, work: &States, ended: Timestamp) -> Wishes {
        let due = |(_, _, after, _): &(_, _, Work, _)| Some((Extent::Hinted, after.due(ended, &self.rules.retries)?));
        work.iter().filter_map(due).collect()
    }

    pub(super) fn count(&self, work: &[(EntryId, Work, Work, AttemptRecord)], ended: Timestamp) {
        for (entry, _, after, _) in work {
            self.metrics.attempted(after.summary().as_str());
            if matches!(after, Work::Done { .. }) {
                self.metrics.done(entry.given(), ended);
            }
        }
    }

    fn next_states(
        &self,
        waiting: Vec<WaitingWork>,
        refreshed: &Refreshed,
        began: Timestamp,
        ended: Timestamp,
    ) -> States {
        let served = waiting.len();
        let mut states = Vec::with_capacity(served);
        for WaitingWork { entry, work, hints } in waiting {
            let Some(attempt) = work.next_attempt() else { continue };
            let outcome = outcome(&hints, refreshed, attempt);
            let words = match &outcome {
                Outcome::Effected => "done".to_owned(),
                Outcome::Setback(setback) => format!("{}: {}", setback.class(), setback.reason()),
            };
            let after = work
                .clone()
                .after(attempt, outcome, ended, fastrand::f64(), &self.rules.retries);
            let record = AttemptRecord {
                attempt,
                began,
                asked: refreshed.asked,
                chose: ended,
                outcome: words,
                requests: refreshed.requests,
                token_requests: refreshed.token_requests,
                choices: refreshed.choices.clone(),
                served,
            };
            states.push((entry, work, after, record));
        }
        states
    }

    /// When everything is to be looked at again: an interval after the listing that this rests on, or soon after a failure,
    /// and then for the same reason.
    fn next_full(
        &self,
        target: &Target,
        known: &LiveWarehouse,
        refreshed: &Refreshed,
        failed: Option<Occasion>,
        ended: Timestamp,
    ) -> (Extent, Timestamp) {
        let interval = known.warehouse.interval.duration;
        let failures = self.statuses.count_failures(target, failed.is_some());
        if let Some(occasion) = failed {
            let delay = self
                .rules
                .retries
                .failed
                .delay(failures, fastrand::f64())
                .unwrap_or(self.rules.retries.failed.most);
            return full(occasion, ended, delay.min(interval.max(Duration::from_secs(1))));
        }
        let spread = interval.mul_f64(SPREAD * fastrand::f64());
        full(
            Occasion::Interval,
            refreshed.complete_since.unwrap_or(ended),
            interval.saturating_add(spread),
        )
    }

    fn tell(
        &self,
        target: &Target,
        extent: Extent,
        refreshed: &Refreshed,
        work: &[(EntryId, Work, Work, AttemptRecord)],
    ) {
        let failures: Vec<String> = setbacks(refreshed).map(|setback| setback.reason().to_owned()).collect();
        let (entries, requests) = (work.len(), refreshed.requests);
        if failures.is_empty() {
            tracing::info!(%target, ?extent, entries, requests, choices = ?refreshed.choices, "refreshed");
        } else {
            tracing::warn!(%target, ?extent, entries, requests, problem = failures.join("; "), "a refresh failed in part");
        }
        tell_of_dead(target, work);
    }
}

pub(super) fn tell_of_dead(target: &Target, work: &[(EntryId, Work, Work, AttemptRecord)]) {
    for (entry, _, after, _) in work {
        if let Work::Dead { setback, .. } = after {
            let reason = setback.reason();
            tracing::error!(%target, %entry, reason, "a delivery was given up; see `landfall deliveries list --dead`");
        }
    }
}

/// Why there is nothing to do for a target that no refresh is known for.
fn nothing_to_do(target: &Target) -> String {
    match target {
        Target::Warehouse { .. } => format!("{target} exists no more"),
        Target::Promotion { .. } => format!("there is nothing to do for {target} without an API server"),
    }
}
