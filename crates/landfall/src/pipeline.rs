//! Drives stages 5 to 9: matches what came in, begins refreshes when the plan says so, and settles them. It decides none of
//! it: states, plans and choices come from `landfall-core`.

mod annotate;
mod effect;
mod settle;
mod sharing;
mod slots;
mod turns;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use arc_swap::ArcSwap;
use jiff::{SignedDuration, Timestamp};
use landfall_core::event::Event;
use landfall_core::journal::{Retention, RetryPolicy};
use landfall_core::matcher::{Explanation, Line};
use landfall_core::pace::Pace;
use landfall_core::refresh::{Extent, Hint, Occasion, Plan};
use landfall_core::repository::Repository;
use landfall_core::target::Target;
use tokio::sync::{Notify, OwnedSemaphorePermit};

use crate::clock::{now, until};
use crate::controller::warehouse::{self, Discovery, Hints};
use crate::live::{Live, LiveWarehouse};
use crate::metrics::Metrics;
use crate::statuses::Statuses;
use annotate::Annotating;
pub use effect::Effect;
use sharing::{Refused, Turn};
pub use slots::Slots;

use crate::store::{Matched, Store, StoreError, Unmatched, WaitingWork};

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
    slots: Slots,
    annotating: Annotating,
    refused: Refused,
    /// Signalled when the plan has changed.
    replanned: Notify,
}

/// Refreshes that are wished for.
type Wishes = Vec<(Extent, Timestamp)>;

/// Entries that are matched and written together.
const BATCH: u32 = 256;
/// Work that is written together, unless one entry alone has more: deliveries that come meanwhile wait for it to be on the disk.
const PIECE: usize = 256;
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
        let (plan, slots, replanned) = (Mutex::default(), Slots::default(), Notify::new());
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

    /// An entry has come that is to be followed up: by the matcher, or by refreshes of these targets, whose work is there.
    pub fn arrived(&self, targets: &[Target]) {
        if targets.is_empty() {
            self.arrivals.notify_one();
        }
        let now = now();
        for target in targets {
            self.wish(target, Extent::Hinted, now);
        }
    }

    /// Wishes for a refresh.
    pub fn wish(&self, target: &Target, extent: Extent, due: Timestamp) {
        self.plan().wish(target, extent, due);
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

    async fn match_arrivals(self: Arc<Self>) {
        loop {
            // Asked for before the look, so that what arrives during the look is not slept through.
            let arrival = self.arrivals.notified();
            let by = self.turns_until();
            let unmatched = self
                .persist("entries to be matched", || self.store.unmatched(BATCH, by))
                .await;
            if unmatched.is_empty() {
                // A wake-up is not all there is to rely on.
                let pause = self.next_turn().await.map_or(PATROL, |next| until(next).min(PATROL));
                let _ = tokio::time::timeout(pause, arrival).await;
                continue;
            }
            self.match_batch(unmatched).await;
        }
    }

    async fn match_batch(&self, unmatched: Vec<Unmatched>) {
        let live = self.live.load_full();
        let now = now();
        let match_one = |entry: &Unmatched| {
            let explain = |event: &Event| live.index.explain(event, &entry.reach);
            let explanations: Vec<Explanation> = entry.events.iter().map(explain).collect();
            let work = hints_by_target(&entry.events, &explanations);
            Matched {
                id: entry.id,
                explanations,
                work,
            }
        };
        let planned: Vec<Matched> = unmatched.iter().map(match_one).collect();
        for together in in_pieces(planned) {
            // A target of an entry with many is refreshed while the work of others is still written.
            let written = |target: &Target| self.wish(target, Extent::Hinted, now);
            self.persist("what matching found", || {
                self.store.plan(together.clone(), now, written)
            })
            .await;
        }
    }

    async fn begin_refreshes(self: Arc<Self>) {
        loop {
            let replanned = self.replanned.notified();
            let (begun, next) = self.begin();
            match &self.effect {
                Effect::Annotate(_) if begun.is_empty() => {}
                Effect::Annotate(annotator) => drop(tokio::spawn(self.clone().annotate(annotator.clone(), begun))),
                Effect::Discover(discovery) => {
                    for (target, extent, slot) in begun {
                        tokio::spawn(self.clone().supervise(discovery.clone(), target, extent, slot));
                    }
                }
            }
            let pause = next.map_or(PATROL, |due| until(due).min(PATROL));
            tokio::select! {
                () = replanned => {}
                () = tokio::time::sleep(pause) => {}
            }
        }
    }

    /// Takes what is due and has a slot, and tells when to look again. What has none is offered again when a refresh ends.
    fn begin(&self) -> (Vec<(Target, Extent, OwnedSemaphorePermit)>, Option<Timestamp>) {
        let live = self.live.load();
        let now = now();
        let mut slots = Vec::new();
        let mut plan = self.plan();
        let mut take = |slot: Option<OwnedSemaphorePermit>| {
            let admitted = slot.is_some();
            slots.extend(slot);
            admitted
        };
        let begun = match self.effect {
            Effect::Discover(_) => plan.begin_admitted(now, |target, extent| {
                let known = live.warehouses.get(target);
                let host = known.map(|known| warehouse::host(&known.warehouse));
                take(self.slots.take(host.unwrap_or_default(), extent))
            }),
            // They all ask the one API server.
            Effect::Annotate(_) => {
                let mut places = self.annotating.places();
                plan.begin_while(now, || take(places()))
            }
        };
        let next = plan.next_due().filter(|due| *due > now);
        let begun = begun
            .into_iter()
            .zip(slots)
            .map(|((target, extent), slot)| (target, extent, slot));
        (begun.collect(), next)
    }

    /// One refresh of one target, and what is wished for after it. Whatever happens in it, the target is free again.
    async fn supervise(
        self: Arc<Self>,
        discovery: Discovery,
        target: Target,
        extent: Extent,
        slot: OwnedSemaphorePermit,
    ) {
        let refresh = tokio::spawn(self.clone().refresh(discovery, target.clone(), extent, slot));
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
    async fn refresh(
        self: Arc<Self>,
        discovery: Discovery,
        target: Target,
        extent: Extent,
        _slot: OwnedSemaphorePermit,
    ) -> Wishes {
        let Some(turn) = self.claim(&target).await else {
            return vec![(extent, sharing::asked_again())];
        };
        let began = turn.began;
        let waiting = self
            .persist("the work of a target", || self.store.waiting(&target))
            .await;
        let Some(known) = self.live.load().warehouses.get(&target).cloned() else {
            // It may have come to others before it comes here; and what is gone, somebody removes.
            if turn.exists_elsewhere {
                self.release(&target, turn).await;
                return vec![(extent, sharing::asked_again())];
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
            next.extend(self.discover(&discovery, &target, &known, extent, waiting, turn).await);
        }
        next
    }

    /// What of a target's work is due, and what is wished for because of the rest. What is not due yet keeps its attempts: other
    /// work of the same target must not use them up.
    fn due(&self, waiting: Vec<WaitingWork>, began: Timestamp) -> (Vec<WaitingWork>, Wishes) {
        let due = |waiting: &WaitingWork| waiting.work.due(began, &self.rules.retries);
        let (waiting, later): (Vec<_>, Vec<_>) = waiting.into_iter().partition(|waiting| due(waiting) <= Some(began));
        let next = later.iter().filter_map(|waiting| Some((Extent::Hinted, due(waiting)?)));
        (waiting, next.collect())
    }

    /// Asks registries about a target, and settles what waits for that.
    async fn discover(
        &self,
        discovery: &Discovery,
        target: &Target,
        known: &LiveWarehouse,
        extent: Extent,
        waiting: Vec<WaitingWork>,
        turn: Turn,
    ) -> Wishes {
        let extent = extent_of(&waiting, extent);
        let hints = hints(&waiting, turn.began, &self.rules.retries);
        let (discovery, credentials) = (discovery.clone(), self.live.load().credentials.clone());
        let looked_at = known.clone();
        // A task of its own, so that a bug in looking is one failed attempt and nothing more.
        let looked =
            tokio::spawn(async move { warehouse::refresh(&discovery, &credentials, &looked_at, extent, &hints).await });
        self.settle(target, known, extent, waiting, turn, looked.await).await
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

/// What is written together: one entry, and as many more as there is room for beside it.
fn in_pieces(planned: Vec<Matched>) -> impl Iterator<Item = Vec<Matched>> {
    let mut planned = planned.into_iter().peekable();
    std::iter::from_fn(move || {
        let mut together = vec![planned.next()?];
        let mut size = together[0].work.len();
        while let Some(next) = planned.next_if(|next| size + next.work.len() <= PIECE) {
            size += next.work.len();
            together.push(next);
        }
        Some(together)
    })
}

/// Where each target that wants any of the events has to look.
pub fn hints_by_target(events: &[Event], explanations: &[Explanation]) -> Vec<(Target, Vec<Hint>)> {
    let mut targets: BTreeMap<&Target, Vec<Hint>> = BTreeMap::new();
    for (event, explanation) in events.iter().zip(explanations) {
        for line in explanation.lines.iter().filter(|line| line.wanted) {
            let hint = hint(event, line);
            for target in &line.targets {
                let hints = targets.entry(target).or_default();
                hints.extend(hint.clone().filter(|hint| !hints.contains(hint)));
            }
        }
    }
    targets
        .into_iter()
        .map(|(target, hints)| (target.clone(), hints))
        .collect()
}

/// Where to look because of an event, by the name that the wish has for the repository; nowhere in particular because of
/// a pull request, or of a request for all of a target.
fn hint(event: &Event, line: &Line) -> Option<Hint> {
    match event {
        Event::ArtifactPushed(pushed) => Some(Hint {
            repository: Repository::Image(pushed.repository.clone()),
            tag: pushed.tag.clone(),
            claimed: pushed.digest.clone(),
        }),
        Event::GitRefPushed(pushed) => Some(Hint {
            repository: Repository::Git(line.named.as_ref().unwrap_or(&pushed.repository).clone()),
            tag: None,
            claimed: None,
        }),
        Event::PullRequestClosed { .. } | Event::RefreshRequested(_) => None,
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

/// A full refresh some time from now.
fn full(occasion: Occasion, from: Timestamp, delay: Duration) -> (Extent, Timestamp) {
    let delay = SignedDuration::try_from(delay).unwrap_or(SignedDuration::MAX);
    (
        Extent::Full(occasion),
        from.checked_add(delay).unwrap_or(Timestamp::MAX),
    )
}
