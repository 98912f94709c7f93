//! Serves the Warehouses of an API server while this process leads: looks when their specs, annotations and intervals say so, and
//! writes what it found. When to look is decided in the core; how, in `controller/warehouse`.

mod lent;
mod look;
mod memory;

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use arc_swap::ArcSwap;
use jiff::{SignedDuration, Timestamp};
use landfall_core::journal::RetryPolicy;
use landfall_core::lease::Term;
use landfall_core::refresh::{Extent, Noticed, Plan, Pursuit};
use landfall_core::resource::Warehouse;
use landfall_core::target::Target;
use tokio::sync::{Notify, OwnedSemaphorePermit, watch};
use tokio::time::sleep;

use self::lent::Lent;
use self::memory::Memory;
use super::warehouse::{self, Discovery};
use crate::clock::{now, until};
use crate::lease::Leadership;
use crate::live::Live;
use crate::metrics::Metrics;
use crate::pipeline::Slots;
use crate::resources::kubernetes::{ApiServer, Progresses};

/// The plan is looked at this often even if nothing seems due: clocks jump, and a wake-up must not be all there is.
const PATROL: Duration = Duration::from_secs(15);
/// A look that ended in the middle is begun again after so long.
const AFTER_A_BUG: SignedDuration = SignedDuration::from_secs(10);
/// The label that says which controller serves a Warehouse, where its spec does not.
const SHARD_LABEL: &str = "kargo.akuity.io/shard";

/// What it works with.
pub struct Parts {
    pub live: Arc<ArcSwap<Live>>,
    pub discovery: Discovery,
    pub metrics: Metrics,
    pub server: ApiServer,
    pub progresses: Arc<Progresses>,
    pub leadership: watch::Receiver<Leadership>,
    pub retries: RetryPolicy,
    /// Which Warehouses are served: those of this shard, or those of none.
    pub shard: Option<String>,
    pub shared_namespace: Option<String>,
    pub data_dir: PathBuf,
}

/// Serves Warehouses.
pub struct Reconciler {
    live: Arc<ArcSwap<Live>>,
    discovery: Discovery,
    metrics: Metrics,
    server: ApiServer,
    progresses: Arc<Progresses>,
    leadership: watch::Receiver<Leadership>,
    retries: RetryPolicy,
    shard: Option<String>,
    credentials: Lent,
    memory: Memory,
    /// Where this term began after others, the time before which they may have seen what this process did not.
    behind: Mutex<Option<Timestamp>>,
    plan: Mutex<Plan>,
    slots: Slots,
    pursuits: Mutex<HashMap<Target, Pursuit>>,
    noticed: Mutex<Noticed>,
    replanned: Notify,
}

impl Reconciler {
    /// One that does nothing yet.
    pub fn new(parts: Parts) -> Arc<Self> {
        let Parts {
            live,
            discovery,
            metrics,
            server,
            progresses,
            leadership,
            retries,
            shard,
            shared_namespace,
            data_dir,
        } = parts;
        Arc::new(Self {
            memory: Memory::in_folder(&data_dir),
            behind: Mutex::default(),
            credentials: Lent::new(server.clone(), shared_namespace),
            live,
            discovery,
            metrics,
            server,
            progresses,
            leadership,
            retries,
            shard,
            plan: Mutex::default(),
            slots: Slots::default(),
            pursuits: Mutex::default(),
            noticed: Mutex::default(),
            replanned: Notify::new(),
        })
    }

    /// Serves in every term of this process, until nobody can lead any more.
    pub async fn run(self: Arc<Self>) {
        let mut leadership = self.leadership.clone();
        loop {
            let term = leadership.borrow_and_update().term();
            match term {
                Some(term) => self.serve_for(term).await,
                None if leadership.changed().await.is_err() => return,
                None => {}
            }
        }
    }

    /// Whether this process leads, in this term.
    fn leads(&self, term: Term) -> bool {
        self.leadership.borrow().term() == Some(term)
    }

    /// Whether a Warehouse is one of ours.
    fn serves(&self, warehouse: &Warehouse) -> bool {
        let label = warehouse.metadata.labels.get(SHARD_LABEL);
        let label = label.filter(|shard| !shard.is_empty());
        warehouse.shard.as_ref().or(label) == self.shard.as_ref()
    }

    async fn serve_for(self: &Arc<Self>, term: Term) {
        let is_behind = !self.memory.takes_up(term).await && !self.discovery.store.is_shared();
        *self.behind() = is_behind.then(now);
        // What an earlier term planned, another leader may have done since.
        *self.plan() = Plan::default();
        self.pursuits().clear();
        let targets = self.progresses.targets();
        tracing::info!(warehouses = targets.len(), "this process serves the Warehouses");
        for target in targets {
            self.schedule(&target);
        }
        let mut leadership = self.leadership.clone();
        while self.leads(term) {
            let replanned = self.replanned.notified();
            let pause = self.begin(term);
            tokio::select! {
                changed = self.progresses.changed() => for target in changed {
                    self.schedule(&target);
                },
                () = replanned => {}
                () = sleep(pause) => {}
                _ = leadership.changed() => {}
            }
        }
        tracing::info!("this process serves the Warehouses no more");
    }

    /// Plans the next look at a Warehouse of which there is news.
    fn schedule(&self, target: &Target) {
        let Some(progress) = self.progresses.of(target) else {
            self.plan().forget(target);
            self.pursuits().remove(target);
            return;
        };
        let live = self.live.load();
        let now = now();
        let next = match live.warehouses.get(target) {
            Some(known) if !self.serves(&known.warehouse) => return,
            Some(known) => {
                let interval = known.warehouse.interval.duration;
                let pursuits = self.pursuits();
                let pursuit = pursuits.get(target).cloned();
                let pursuit = pursuit.unwrap_or_else(|| self.new_pursuit());
                pursuit.next(&progress, interval, &self.retries, now)
            }
            // It is about to be in force.
            None => (Extent::Hinted, now),
        };
        self.plan().wish(target, next.0, next.1);
    }

    /// Begins what is due and has a slot, and tells for how long there is nothing more to begin.
    fn begin(self: &Arc<Self>, term: Term) -> Duration {
        let live = self.live.load();
        let now = now();
        let mut slots = Vec::new();
        let mut plan = self.plan();
        let begun = plan.begin_admitted(now, |target, extent| {
            let known = live.warehouses.get(target);
            let host = known.map(|known| warehouse::host(&known.warehouse));
            let slot = self.slots.take(host.unwrap_or_default(), extent);
            let admitted = slot.is_some();
            slots.extend(slot);
            admitted
        });
        let next = plan.next_due().filter(|due| *due > now);
        drop(plan);
        for ((target, extent), slot) in begun.into_iter().zip(slots) {
            tokio::spawn(self.clone().supervise(target, extent, slot, term));
        }
        next.map_or(PATROL, |due| until(due).min(PATROL))
    }

    /// One look at one Warehouse, and the next that follows. Whatever happens in it, the Warehouse is free again.
    async fn supervise(self: Arc<Self>, target: Target, extent: Extent, slot: OwnedSemaphorePermit, term: Term) {
        let (this, looked_at) = (self.clone(), target.clone());
        let looked = tokio::spawn(async move { this.reconcile(&looked_at, term).await }).await;
        let next = looked.unwrap_or_else(|panicked| {
            tracing::error!(%target, %panicked, "a look ended in the middle; this is a bug");
            Some((extent, now().checked_add(AFTER_A_BUG).unwrap_or(Timestamp::MAX)))
        });
        drop(slot);
        let mut plan = self.plan();
        plan.finished(&target);
        if let Some((extent, due)) = next {
            plan.wish(&target, extent, due);
        }
        drop(plan);
        self.replanned.notify_one();
    }

    fn new_pursuit(&self) -> Pursuit {
        match *self.behind() {
            Some(_) => Pursuit::after_others(),
            None => Pursuit::default(),
        }
    }

    fn behind(&self) -> MutexGuard<'_, Option<Timestamp>> {
        self.behind.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn plan(&self) -> MutexGuard<'_, Plan> {
        self.plan.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn pursuits(&self) -> MutexGuard<'_, HashMap<Target, Pursuit>> {
        self.pursuits.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
