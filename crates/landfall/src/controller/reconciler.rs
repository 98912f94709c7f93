//! Serves the Warehouses of an API server while this process leads: looks when their specs, annotations and intervals say so, and
//! writes what it found. When to look is decided in the core; how, in `controller/warehouse`.

mod lent;
mod look;
mod memory;

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use arc_swap::ArcSwap;
use jiff::{SignedDuration, Timestamp};
use landfall_core::journal::RetryPolicy;
use landfall_core::lease::Term;
use landfall_core::refresh::{Extent, Noticed, Plan, Progress, Pursuit};
use landfall_core::target::Target;
use tokio::sync::{Notify, OwnedSemaphorePermit, watch};
use tokio::time::{Instant, interval_at, sleep};

use self::lent::Lent;
use self::memory::Memory;
use super::warehouse::{self, Discovery};
use crate::clock::{now, until};
use crate::lease::Leadership;
use crate::live::{Live, LiveWarehouse};
use crate::metrics::Metrics;
use crate::pipeline::Slots;
use crate::resources::Known;
use crate::resources::kubernetes::{ApiServer, Progresses};

/// The plan is looked at this often even if nothing seems due: clocks jump, and a wake-up must not be all there is.
const PATROL: Duration = Duration::from_secs(15);
/// A look that ended in the middle is begun again after so long.
const AFTER_A_BUG: SignedDuration = SignedDuration::from_secs(10);

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
    /// Shorter intervals count as this long.
    pub least_interval: Duration,
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
    least_interval: Duration,
    credentials: Lent,
    memory: Memory,
    /// Where this term began after others, the time before which they may have seen what this process did not.
    behind: Mutex<Option<Timestamp>>,
    plan: Mutex<Plan>,
    /// Counts the plans: what was begun by an earlier one is no part of this one.
    service: AtomicU64,
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
            least_interval,
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
            least_interval,
            plan: Mutex::default(),
            service: AtomicU64::default(),
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
    fn serves(&self, progress: &Progress) -> bool {
        progress.shard == self.shard
    }

    async fn serve_for(self: &Arc<Self>, term: Term) {
        let mut is_behind = !self.discovery.store.is_shared() && !self.memory.is_followed_by(term).await;
        *self.behind() = is_behind.then(now);
        if !is_behind {
            self.memory.note(term).await;
        }
        // What an earlier term planned, another leader may have done since.
        let service = self.plan_anew();
        self.pursuits().clear();
        let targets = self.progresses.targets();
        let is_ours = |target: &&Target| {
            self.progresses
                .of(target)
                .is_some_and(|progress| self.serves(&progress))
        };
        let warehouses = targets.iter().filter(is_ours).count();
        tracing::info!(warehouses, "this process serves the Warehouses");
        for target in targets {
            self.schedule(&target);
        }
        let mut leadership = self.leadership.clone();
        let mut patrol = interval_at(Instant::now() + PATROL, PATROL);
        while self.leads(term) {
            let replanned = self.replanned.notified();
            let pause = self.begin(term, service);
            tokio::select! {
                changed = self.progresses.changed() => for target in changed {
                    self.schedule(&target);
                },
                () = replanned => {}
                () = sleep(pause) => {}
                _ = patrol.tick(), if is_behind => if self.has_caught_up() {
                    is_behind = false;
                    self.memory.note(term).await;
                },
                _ = leadership.changed() => {}
            }
        }
        tracing::info!("this process serves the Warehouses no more");
    }

    /// Forgets every plan, and what still runs for it; returns the number of the new one.
    fn plan_anew(&self) -> u64 {
        let mut plan = self.plan();
        *plan = Plan::default();
        self.service.fetch_add(1, Ordering::Relaxed) + 1
    }

    /// Whether everything was looked at since others may have led.
    fn has_caught_up(&self) -> bool {
        let pursuits = self.pursuits();
        let caught_up = |target: &Target| {
            let progress = self.progresses.of(target).filter(|progress| self.serves(progress));
            let knows = |progress| {
                pursuits
                    .get(target)
                    .is_some_and(|pursuit| !pursuit.is_behind(&progress))
            };
            progress.is_none_or(knows)
        };
        self.live.load().known == Known::Everything && self.progresses.targets().iter().all(caught_up)
    }

    /// How long after one look at a Warehouse the next is due by itself.
    fn interval(&self, known: &LiveWarehouse) -> Duration {
        known.warehouse.interval.duration.max(self.least_interval)
    }

    /// Plans the next look at a Warehouse of which there is news.
    fn schedule(&self, target: &Target) {
        let served = self.progresses.of(target).filter(|progress| self.serves(progress));
        let Some(progress) = served else {
            self.plan().forget(target);
            self.pursuits().remove(target);
            return;
        };
        let live = self.live.load();
        let now = now();
        let known = live.warehouses.get(target);
        let next = match known.filter(|known| known.is_current(&progress)) {
            Some(known) => {
                let interval = self.interval(known);
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

    /// Whether an event or somebody waits for the next look at a Warehouse.
    fn is_awaited(&self, target: &Target) -> bool {
        let Some(progress) = self.progresses.of(target) else {
            return false;
        };
        let pursuits = self.pursuits();
        match pursuits.get(target) {
            Some(pursuit) => pursuit.is_awaited(&progress),
            None => self.new_pursuit().is_awaited(&progress),
        }
    }

    /// Begins what is due and has a slot, and tells for how long there is nothing more to begin.
    fn begin(self: &Arc<Self>, term: Term, service: u64) -> Duration {
        let live = self.live.load();
        let now = now();
        let mut slots = Vec::new();
        let mut plan = self.plan();
        let begun = plan.begin_admitted(now, |target, extent| {
            let known = live.warehouses.get(target);
            let host = known.map(|known| warehouse::host(&known.warehouse));
            let host = host.unwrap_or_default();
            let slot = self.slots.take(host.clone(), extent.is_awaited());
            // What is overdue as well does not wait behind what is nothing else.
            let slot = slot.or_else(|| {
                let is_awaited = !extent.is_awaited() && self.is_awaited(target);
                is_awaited.then(|| self.slots.take(host, true)).flatten()
            });
            let admitted = slot.is_some();
            slots.extend(slot);
            admitted
        });
        let next = plan.next_due().filter(|due| *due > now);
        drop(plan);
        for ((target, extent), slot) in begun.into_iter().zip(slots) {
            tokio::spawn(self.clone().supervise(target, extent, slot, term, service));
        }
        next.map_or(PATROL, |due| until(due).min(PATROL))
    }

    /// One look at one Warehouse, and the next that follows. Whatever happens in it, the Warehouse is free again.
    async fn supervise(
        self: Arc<Self>,
        target: Target,
        extent: Extent,
        slot: OwnedSemaphorePermit,
        term: Term,
        service: u64,
    ) {
        let (this, looked_at) = (self.clone(), target.clone());
        let looked = tokio::spawn(async move { this.reconcile(&looked_at, term, slot).await }).await;
        let next = looked.unwrap_or_else(|panicked| {
            tracing::error!(%target, %panicked, "a look ended in the middle; this is a bug");
            Some((extent, now().checked_add(AFTER_A_BUG).unwrap_or(Timestamp::MAX)))
        });
        let mut plan = self.plan();
        if self.service.load(Ordering::Relaxed) != service {
            return;
        }
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
