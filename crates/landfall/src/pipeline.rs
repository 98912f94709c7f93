//! Drives stages 5 to 9: matches what came in, begins refreshes when the plan says so, and settles them. It decides none of
//! it: states, plans and choices come from `landfall-core`.

mod annotate;
mod discovering;
mod effect;
mod fresh;
mod matching;
mod settle;
mod sharing;
mod turns;

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use arc_swap::ArcSwap;
use jiff::{SignedDuration, Timestamp};
use landfall_core::journal::{EntryId, Retention, RetryPolicy, Work};
use landfall_core::pace::Pace;
use landfall_core::refresh::{Extent, Hint, Occasion, Plan};
use landfall_core::target::Target;
use tokio::sync::{Notify, OwnedSemaphorePermit};

use crate::clock::{now, until};
use crate::controller::slots::{Kept, Places, Slots};
use crate::live::Live;
use crate::metrics::Metrics;
use crate::statuses::Statuses;
use annotate::Annotating;
pub use effect::Effect;
use fresh::Fresh;
pub use matching::hints_by_target;
use sharing::Refused;

use crate::store::{Store, StoreError, WaitingWork};

/// What was configured of it.
pub struct Rules {
    pub retries: RetryPolicy,
    pub retention: Retention,
    /// How fast entries follow each other where they wait for their turn.
    pub pace: Option<Pace>,
}

/// What the pipeline's tasks share.
pub struct Pipeline {
    pub live: Arc<ArcSwap<Live>>,
    pub store: Store,
    /// What a refresh does.
    pub effect: Effect,
    pub statuses: Arc<Statuses>,
    pub rules: Rules,
    pub metrics: Metrics,
    /// Signalled when an entry was accepted that is to be matched.
    arrivals: Notify,
    plan: Mutex<Plan>,
    /// Changed only while the plan is held.
    fresh: Mutex<Fresh>,
    slots: Slots,
    annotating: Annotating,
    refused: Refused,
    /// Signalled when the plan has changed.
    replanned: Arc<Notify>,
}

/// A refresh that may begin, and what lets it.
struct Begun<P> {
    target: Target,
    extent: Extent,
    place: P,
    /// All work for the target, unless that is to be read.
    fresh: Option<Vec<WaitingWork>>,
}

/// Refreshes that are wished for.
type Wishes = Vec<(Extent, Timestamp)>;

/// The plan is looked at this often even if nothing seems due: clocks jump, and a wake-up must not be all there is.
const PATROL: Duration = Duration::from_secs(15);
/// How long to wait when the store cannot be read or written.
const STORE_PAUSE: Duration = Duration::from_millis(500);
/// How often finished entries are let go.
const PRUNE: Duration = Duration::from_secs(60);

impl Pipeline {
    /// A pipeline with an empty plan.
    pub fn new(
        live: Arc<ArcSwap<Live>>,
        store: Store,
        effect: Effect,
        statuses: Arc<Statuses>,
        rules: Rules,
        metrics: Metrics,
    ) -> Arc<Self> {
        let (plan, replanned) = (Mutex::default(), Arc::new(Notify::new()));
        let slots = Slots::new(replanned.clone());
        let (annotating, refused) = (Annotating::default(), Refused::default());
        Arc::new(Self {
            live,
            store,
            effect,
            statuses,
            rules,
            metrics,
            arrivals: Notify::new(),
            plan,
            fresh: Mutex::default(),
            slots,
            annotating,
            refused,
            replanned,
        })
    }

    /// Takes up what an earlier process left, and runs until the process ends.
    pub async fn run(self: Arc<Self>) {
        self.resume().await;
        tokio::join!(
            self.clone().match_arrivals(),
            self.clone().begin_refreshes(),
            self.settle_annotated(),
            self.share(),
            self.prune()
        );
    }

    /// An entry is there that is to be matched.
    pub fn arrived(&self) {
        self.arrivals.notify_one();
    }

    /// An entry has come at `received` with its work: what each target is to do, and where it has to look.
    pub fn arrived_with(&self, entry: EntryId, received: Timestamp, work: &[(Target, Vec<Hint>)]) {
        let now = now();
        let mut plan = self.plan();
        for (target, hints) in work {
            let fresh = WaitingWork {
                entry,
                work: Work::accepted(received),
                hints: hints.clone(),
            };
            self.fresh().written(target, fresh, plan.is_about(target));
            plan.wish(target, Extent::Hinted, now);
        }
        drop(plan);
        self.replanned.notify_one();
    }

    /// Wishes for a refresh.
    pub fn wish(&self, target: &Target, extent: Extent, due: Timestamp) {
        let mut plan = self.plan();
        self.fresh().not_all(target);
        plan.wish(target, extent, due);
        drop(plan);
        self.replanned.notify_one();
    }

    /// Drops the wishes for a target that exists no more. Entries that wait for it are settled by one last look.
    pub fn forget(&self, target: &Target) {
        self.plan().forget(target);
        self.wish(target, Extent::Hinted, now());
    }

    fn plan(&self) -> std::sync::MutexGuard<'_, Plan> {
        self.plan.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn fresh(&self) -> std::sync::MutexGuard<'_, Fresh> {
        self.fresh.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn resume(&self) {
        let waiting = self
            .persist("the unfinished work", || self.store.waiting_targets())
            .await;
        // A clock that has been set back since must not put the work off.
        let longest = SignedDuration::try_from(self.rules.retries.longest_delay()).unwrap_or_default();
        let furthest = now().checked_add(longest).unwrap_or(Timestamp::MAX);
        for (target, due) in waiting {
            let due = if due > furthest { now() } else { due };
            self.wish(&target, Extent::Hinted, due);
        }
    }

    async fn begin_refreshes(self: Arc<Self>) {
        loop {
            let replanned = self.replanned.notified();
            let next = match &self.effect {
                Effect::Annotate(annotator) => {
                    let (begun, next) = self.begin_annotating();
                    if !begun.is_empty() {
                        tokio::spawn(self.clone().annotate(annotator.clone(), begun));
                    }
                    next
                }
                Effect::Discover(discovery) => {
                    let (begun, next) = self.begin_looking();
                    for begun in begun {
                        tokio::spawn(self.clone().supervise(discovery.clone(), begun));
                    }
                    next
                }
            };
            let pause = next.map_or(PATROL, |due| until(due).min(PATROL));
            tokio::select! {
                () = replanned => {}
                () = tokio::time::sleep(pause) => {}
            }
        }
    }

    /// Takes what is due and has its places, and tells when to look again. What has none is offered again when a slot is free.
    fn begin_looking(&self) -> (Vec<Begun<Places>>, Option<Timestamp>) {
        let (live, mut kept) = (self.live.load(), Kept::default());
        self.begin(|plan, now, take| {
            plan.begin_admitted(now, |target, extent| {
                let known = live.warehouses.get(target);
                let hosts = known.map(|known| &*known.hosts).unwrap_or_default();
                take(self.slots.take(hosts, extent.is_awaited(), &mut kept))
            })
        })
    }

    /// The same for those that all ask the one API server.
    fn begin_annotating(&self) -> (Vec<Begun<OwnedSemaphorePermit>>, Option<Timestamp>) {
        let mut free = self.annotating.places();
        self.begin(|plan, now, take| plan.begin_while(now, || take(free())))
    }

    fn begin<P>(
        &self,
        begin: impl FnOnce(&mut Plan, Timestamp, &mut dyn FnMut(Option<P>) -> bool) -> Vec<(Target, Extent)>,
    ) -> (Vec<Begun<P>>, Option<Timestamp>) {
        let now = now();
        let mut places = Vec::new();
        let mut plan = self.plan();
        let begun = begin(&mut plan, now, &mut |place| {
            let admitted = place.is_some();
            places.extend(place);
            admitted
        });
        let next = plan.next_after(now);
        let mut fresh = self.fresh();
        let begun = begun.into_iter().zip(places).map(|((target, extent), place)| Begun {
            fresh: fresh.taken(&target),
            target,
            extent,
            place,
        });
        (begun.collect(), next)
    }

    async fn prune(&self) {
        loop {
            match self.store.prune(self.rules.retention, now()).await {
                Ok(true) => tokio::task::yield_now().await,
                Ok(false) => tokio::time::sleep(PRUNE).await,
                Err(error) => {
                    tracing::warn!(%error, "old entries could not be removed; it is tried again");
                    tokio::time::sleep(PRUNE).await;
                }
            }
        }
    }

    /// Does something with the store until it works: nothing goes on without it, and nothing is lost by waiting.
    async fn persist<T, F: Future<Output = Result<T, StoreError>>>(&self, what: &str, work: impl Fn() -> F) -> T {
        let mut said = false;
        loop {
            match work().await {
                Ok(done) => return done,
                Err(error) => {
                    if !said {
                        tracing::error!(%error, "{what} cannot be read or written; it is tried again until it works");
                        said = true;
                    }
                    tokio::time::sleep(STORE_PAUSE).await;
                }
            }
        }
    }
}

/// What is wished for where a refresh of this extent ended in the middle.
fn after_a_bug(extent: Extent) -> Wishes {
    let again = now()
        .checked_add(SignedDuration::from_secs(10))
        .unwrap_or(Timestamp::MAX);
    vec![(extent, again), (Extent::Hinted, again)]
}

/// A full refresh some time from now.
fn full(occasion: Occasion, from: Timestamp, delay: Duration) -> (Extent, Timestamp) {
    let delay = SignedDuration::try_from(delay).unwrap_or(SignedDuration::MAX);
    (
        Extent::Full(occasion),
        from.checked_add(delay).unwrap_or(Timestamp::MAX),
    )
}
