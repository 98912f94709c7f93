//! Serves the Warehouses of an API server while this process leads: looks when their specs, annotations and intervals say so, and
//! writes what it found. When to look is decided in the core; how, in `controller/warehouse`.

mod lent;
mod look;
mod memory;

use std::collections::{BTreeSet, HashMap};
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use arc_swap::ArcSwap;
use jiff::{SignedDuration, Timestamp};
use landfall_core::journal::RetryPolicy;
use landfall_core::lease::Term;
use landfall_core::refresh::{Extent, Noticed, Occasion, Plan, Progress, Pursuit};
use landfall_core::target::Target;
use tokio::sync::{Notify, watch};
use tokio::time::{Instant, interval_at, sleep};

use self::lent::Lent;
use self::memory::{Behind, Memory};
use super::slots::{Kept, Places, Slots};
use super::warehouse::Discovery;
use crate::clock::{now, until};
use crate::lease::Leadership;
use crate::live::{Live, LiveWarehouse};
use crate::metrics::Metrics;
use crate::resources::Known;
use crate::resources::kubernetes::{ApiServer, Progresses};

/// The plan is looked at this often even if nothing seems due: clocks jump, and a wake-up must not be all there is.
const PATROL: Duration = Duration::from_secs(15);
/// How much is to be looked at where the watch tells of a Warehouse before it is in force: nobody knows yet. It is begun in turn
/// with those that nobody waits for, unless somebody does.
const NOT_IN_FORCE: Extent = Extent::Full(Occasion::Interval);
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
    /// Of what, and before which time, others may have seen what this process did not.
    behind: Mutex<(Behind, Timestamp)>,
    plan: Mutex<Plan>,
    /// Counts the plans: what was begun by an earlier one is no part of this one.
    service: AtomicU64,
    slots: Slots,
    pursuits: Mutex<HashMap<Target, Pursuit>>,
    noticed: Mutex<Noticed>,
    replanned: Arc<Notify>,
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
        let replanned = Arc::new(Notify::new());
        Arc::new(Self {
            memory: Memory::in_folder(&data_dir),
            behind: Mutex::new((Behind::of_none(), Timestamp::MIN)),
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
            slots: Slots::new(replanned.clone()),
            pursuits: Mutex::default(),
            noticed: Mutex::default(),
            replanned,
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
        let behind = match self.discovery.store.is_shared() {
            true => Behind::of_none(),
            false => self.memory.behind_in(term).await,
        };
        // What was noted of this term, once everything was looked at that can be.
        let mut noted = None;
        if let Behind::Of(lagging) = &behind {
            self.memory.note(term, lagging).await;
            noted = Some(lagging.clone());
        }
        *self.behind() = (behind, now());
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
                _ = patrol.tick(), if noted.as_ref().is_none_or(|lagging| !lagging.is_empty()) => {
                    let lagging = self.lagging();
                    if let Some(lagging) = lagging.filter(|lagging| noted.as_ref() != Some(lagging)) {
                        self.memory.note(term, &lagging).await;
                        noted = Some(lagging);
                    }
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

    /// What of all that others may have seen could not be looked at since; none while something was not tried yet.
    fn lagging(&self) -> Option<BTreeSet<Target>> {
        if self.live.load().known != Known::Everything {
            return None;
        }
        let pursuits = self.pursuits();
        let mut lagging = BTreeSet::new();
        for target in self.progresses.targets() {
            let Some(progress) = self.progresses.of(&target).filter(|progress| self.serves(progress)) else {
                continue;
            };
            match pursuits.get(&target) {
                Some(pursuit) if !pursuit.is_behind(&progress) => {}
                Some(pursuit) if pursuit.has_tried() => drop(lagging.insert(target)),
                None if !self.behind().0.is_of(&target) => {}
                Some(_) | None => return None,
            }
        }
        Some(lagging)
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
                let pursuit = pursuit.unwrap_or_else(|| self.new_pursuit(target));
                pursuit.next(&progress, interval, &self.retries, now)
            }
            None => (NOT_IN_FORCE, now),
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
            None => self.new_pursuit(target).is_awaited(&progress),
        }
    }

    /// Begins what is due and has a slot, and tells for how long there is nothing more to begin.
    fn begin(self: &Arc<Self>, term: Term, service: u64) -> Duration {
        let live = self.live.load();
        let now = now();
        let (mut admitted, mut kept) = (Vec::new(), Kept::default());
        let mut plan = self.plan();
        let begun = plan.begin_admitted(now, |target, extent| {
            let known = live.warehouses.get(target);
            let hosts = known.map(|known| &*known.hosts).unwrap_or_default();
            let places = self.slots.take(hosts, extent.is_awaited(), &mut kept);
            // What is overdue as well does not wait behind what is nothing else.
            let places = places.or_else(|| {
                let is_awaited = !extent.is_awaited() && self.is_awaited(target);
                is_awaited.then(|| self.slots.take(hosts, true, &mut kept)).flatten()
            });
            let is_admitted = places.is_some();
            admitted.extend(places);
            is_admitted
        });
        let next = plan.next_after(now);
        drop(plan);
        for ((target, extent), places) in begun.into_iter().zip(admitted) {
            tokio::spawn(self.clone().supervise(target, extent, places, term, service));
        }
        next.map_or(PATROL, |due| until(due).min(PATROL))
    }

    /// One look at one Warehouse, and the next that follows. Whatever happens in it, the Warehouse is free again.
    async fn supervise(self: Arc<Self>, target: Target, extent: Extent, places: Places, term: Term, service: u64) {
        let (this, looked_at) = (self.clone(), target.clone());
        let looked = tokio::spawn(async move { this.reconcile(&looked_at, term, places).await }).await;
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

    fn new_pursuit(&self, target: &Target) -> Pursuit {
        match self.behind().0.is_of(target) {
            true => Pursuit::after_others(),
            false => Pursuit::default(),
        }
    }

    fn behind(&self) -> MutexGuard<'_, (Behind, Timestamp)> {
        self.behind.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn plan(&self) -> MutexGuard<'_, Plan> {
        self.plan.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn pursuits(&self) -> MutexGuard<'_, HashMap<Target, Pursuit>> {
        self.pursuits.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
