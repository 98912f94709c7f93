//! Refreshes targets by their annotations: one patch for all work that waits for a target. What the API server has is done. Targets
//! that begin together are read together, and what has ended is settled together with what ends in the same moment.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use futures_util::future::join_all;
use jiff::{SignedDuration, Timestamp};
use landfall_core::journal::{Outcome, RetryPolicy, Setback};
use landfall_core::refresh::{Ask, Extent, Hint, Pointer};
use landfall_core::target::Target;
use tokio::sync::{Notify, OwnedSemaphorePermit, Semaphore};
use tokio::time::timeout;

use super::settle::tell_of_dead;
use super::sharing::{Turn, asked_again};
use super::{Begun, Pipeline, Wishes, after_a_bug};
use crate::clock::now;
use crate::resources::kubernetes::{Annotated, Annotator, Failure};
use crate::store::{Claim, Settled, Settlement, WaitingWork};

/// Patches that are on their way at once.
const AT_ONCE: usize = 64;
/// While that many are not free, none begins: each few that begin together cost the journal one look.
const TOGETHER: usize = 8;
/// What has ended waits so long for others that are on their way, or until there are so many: all of them cost one commit.
const GATHER: Duration = Duration::from_millis(20);
const ENOUGH: usize = AT_ONCE;
/// The log tells so often that refreshes are put off.
const SAID: Duration = Duration::from_secs(60);
/// How long a target waits at least, and at most, while the API server cannot be reached. It is spread, so that a thousand
/// that wait do not come back in the same moment.
const SHORTEST: f64 = 0.5;
const LONGEST: f64 = 3.0;
/// The same while it can be reached and cannot do it: it has to be asked each time, and to find that out costs it something.
const SHORTEST_UNABLE: f64 = 2.0;
const LONGEST_UNABLE: f64 = 20.0;

/// What has ended and is to be settled, and places for what may still begin.
pub(super) struct Annotating {
    places: Arc<Semaphore>,
    ended: Mutex<Vec<Ended>>,
    /// When the log told last that refreshes are put off.
    said: Mutex<Option<Instant>>,
    /// Signalled when there is something to settle.
    first: Notify,
    /// Signalled when there is no reason to wait for more.
    enough: Notify,
}

/// A refresh that has begun. However it ends, that is told: until then, no other of its target may begin.
struct UnderWay {
    pipeline: Arc<Pipeline>,
    place: Option<OwnedSemaphorePermit>,
    /// All work for the target, unless that is to be read.
    fresh: Option<Vec<WaitingWork>>,
    ended: Option<Ended>,
}

/// A refresh that is over.
struct Ended {
    target: Target,
    extent: Extent,
    /// Absent while it is not known whether it is this process's.
    turn: Option<Turn>,
    waiting: Vec<WaitingWork>,
    /// What is wished for next, whatever came of this.
    next: Wishes,
    came: Came,
}

/// What came of a refresh.
enum Came {
    /// It ended in the middle.
    Broken,
    /// It is another process's.
    Elsewhere,
    /// There was nothing to do.
    Nothing,
    /// It was asked for.
    Asked(Annotated),
}

impl Default for Annotating {
    fn default() -> Self {
        Self {
            places: Arc::new(Semaphore::new(AT_ONCE)),
            ended: Mutex::default(),
            said: Mutex::default(),
            first: Notify::new(),
            enough: Notify::new(),
        }
    }
}

impl Annotating {
    /// Places for targets that begin now; none while too few are free.
    pub(super) fn places(&self) -> impl FnMut() -> Option<OwnedSemaphorePermit> {
        let free = self.free();
        let places = (free >= TOGETHER).then(|| self.places.clone());
        move || places.clone()?.try_acquire_owned().ok()
    }

    fn free(&self) -> usize {
        self.places.available_permits()
    }

    /// Whether the log has not told of it for a while.
    fn is_to_be_said(&self) -> bool {
        let mut said = self.said.lock().unwrap_or_else(PoisonError::into_inner);
        let is_to_be_said = said.is_none_or(|said| said.elapsed() >= SAID);
        if is_to_be_said {
            *said = Some(Instant::now());
        }
        is_to_be_said
    }

    fn ended(&self) -> std::sync::MutexGuard<'_, Vec<Ended>> {
        self.ended.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl UnderWay {
    fn begin(pipeline: Arc<Pipeline>, begun: Begun<OwnedSemaphorePermit>) -> Self {
        let Begun {
            target,
            extent,
            place,
            fresh,
        } = begun;
        Self {
            pipeline,
            place: Some(place),
            fresh,
            ended: Some(Ended {
                target,
                extent,
                turn: None,
                waiting: Vec::new(),
                next: Vec::new(),
                came: Came::Broken,
            }),
        }
    }

    fn came(mut self, came: Came) {
        if let Some(ended) = &mut self.ended {
            ended.came = came;
        }
    }

    async fn ask(self, annotator: &Annotator) {
        if let Some(Ended { target, waiting, .. }) = &self.ended {
            let annotated = annotator.refresh(target, &ask(waiting)).await;
            self.came(Came::Asked(annotated));
        }
    }
}

impl Drop for UnderWay {
    fn drop(&mut self) {
        // What follows is between us and the journal: another may begin.
        drop(self.place.take());
        if let Some(ended) = self.ended.take() {
            self.pipeline.ended(ended);
        }
    }
}

/// What all of the work asks for: what it points at, and everything where any of it points nowhere.
fn ask(waiting: &[WaitingWork]) -> Ask {
    let of_entry = |waiting: &WaitingWork| {
        // Whoever has it done again wants another look.
        let event = match waiting.work.next_attempt().map(|attempt| attempt.replay) {
            None | Some(0) => waiting.entry.to_string(),
            Some(replay) => format!("{}-{replay}", waiting.entry),
        };
        let pointer = |hint: &Hint| Pointer {
            hint: hint.clone(),
            event: event.clone(),
        };
        waiting.hints.iter().map(pointer).collect::<Vec<_>>()
    };
    Ask {
        everything: waiting.iter().any(|waiting| waiting.hints.is_empty()),
        at: waiting.iter().flat_map(of_entry).collect(),
    }
}

impl Pipeline {
    /// Asks for refreshes of targets that begin together.
    pub(super) async fn annotate(self: Arc<Self>, annotator: Annotator, begun: Vec<Begun<OwnedSemaphorePermit>>) {
        let begun = begun.into_iter();
        let begun = begun.map(|begun| UnderWay::begin(self.clone(), begun)).collect();
        for refresh in self.with_work(self.claimed(begun).await).await {
            let annotator = annotator.clone();
            // A task of its own, so that a bug in asking for one is one failed attempt and nothing more.
            tokio::spawn(async move { refresh.ask(&annotator).await });
        }
    }

    /// Those that are this process's to refresh.
    async fn claimed(&self, mut begun: Vec<UnderWay>) -> Vec<(UnderWay, Target, Turn)> {
        let targets: Vec<Target> = begun
            .iter()
            .filter_map(|refresh| Some(refresh.ended.as_ref()?.target.clone()))
            .collect();
        let turns = join_all(targets.iter().map(|target| self.claim(target))).await;
        let mut claimed = Vec::with_capacity(begun.len());
        for ((refresh, target), turn) in begun.drain(..).zip(targets).zip(turns) {
            match turn {
                Some(turn) => claimed.push((refresh, target, turn)),
                None => refresh.came(Came::Elsewhere),
            }
        }
        claimed
    }

    /// Those that have work that is due, with it.
    async fn with_work(&self, claimed: Vec<(UnderWay, Target, Turn)>) -> Vec<UnderWay> {
        let to_be_read = claimed.iter().filter(|(refresh, ..)| refresh.fresh.is_none());
        let targets: Vec<Target> = to_be_read.map(|(_, target, _)| target.clone()).collect();
        let mut read = match targets.is_empty() {
            true => Vec::new(),
            false => {
                self.persist("the work of targets", || self.store.waiting_for(&targets))
                    .await
            }
        }
        .into_iter();
        let mut with_work = Vec::with_capacity(claimed.len());
        for (mut refresh, _, turn) in claimed {
            let waiting = refresh.fresh.take().or_else(|| read.next()).unwrap_or_default();
            let (waiting, next) = self.due(waiting, turn.began);
            let is_wanted = !waiting.is_empty();
            if let Some(ended) = &mut refresh.ended {
                (ended.turn, ended.waiting, ended.next) = (Some(turn), waiting, next);
            }
            match is_wanted {
                true => with_work.push(refresh),
                false => refresh.came(Came::Nothing),
            }
        }
        with_work
    }

    fn ended(&self, ended: Ended) {
        let annotating = &self.annotating;
        let count = {
            let mut all = annotating.ended();
            all.push(ended);
            all.len()
        };
        let free = annotating.free();
        if count == 1 {
            annotating.first.notify_one();
        }
        if count >= ENOUGH || free == AT_ONCE {
            annotating.enough.notify_one();
        }
        if free >= TOGETHER {
            self.replanned.notify_one();
        }
    }

    /// Settles what has ended, until the process ends.
    pub(super) async fn settle_annotated(&self) {
        loop {
            self.annotating.first.notified().await;
            if self.annotating.free() < AT_ONCE {
                let _ = timeout(GATHER, self.annotating.enough.notified()).await;
            }
            let ended = std::mem::take(&mut *self.annotating.ended());
            self.settle_together(ended).await;
        }
    }

    async fn settle_together(&self, all: Vec<Ended>) {
        let ended_at = now();
        let mut next: Vec<(Target, Wishes)> = Vec::with_capacity(all.len());
        let (mut settlements, mut settled): (Vec<(Settlement, Claim)>, Vec<usize>) = (Vec::new(), Vec::new());
        let mut released = Vec::new();
        for mut ended in all {
            let mut wishes = std::mem::take(&mut ended.next);
            match (self.outcome(&ended), ended.turn) {
                (Ok((outcome, words)), Some(turn)) => {
                    let retries = self.retries(&ended.came);
                    let work = self.states_alike(&ended.waiting, (turn.began, ended_at), (&outcome, &words), &retries);
                    let settlement = Settlement {
                        target: ended.target.clone(),
                        resource: None,
                        work,
                    };
                    settlements.push((settlement, turn.claim));
                    settled.push(next.len());
                }
                (Ok(_), None) => {}
                (Err(more), turn) => {
                    wishes.extend(more);
                    released.extend(turn.map(|turn| (ended.target.clone(), turn)));
                }
            }
            next.push((ended.target, wishes));
        }
        join_all(released.iter().map(|(target, turn)| self.release(target, *turn))).await;
        let wishes = self.settle_all(settlements.into(), ended_at).await;
        for (place, wishes) in settled.into_iter().zip(wishes) {
            next[place].1.extend(wishes);
        }
        let mut plan = self.plan();
        for (target, wishes) in next {
            plan.finished(&target);
            for (extent, due) in wishes {
                plan.wish(&target, extent, due);
            }
        }
        drop(plan);
        self.replanned.notify_one();
    }

    /// Writes settlements; returns what is wished for next because of each.
    async fn settle_all(&self, settlements: Arc<[(Settlement, Claim)]>, ended_at: Timestamp) -> Vec<Wishes> {
        if settlements.is_empty() {
            return Vec::new();
        }
        let settled = self
            .persist("refreshes", || self.store.settle_all(settlements.clone()))
            .await;
        let wishes = |(settled, (Settlement { target, work, .. }, _)): (Settled, &(Settlement, Claim))| {
            if settled == Settled::Lost {
                tracing::info!(%target, "another process has taken this refresh over");
                return vec![(Extent::Hinted, ended_at)];
            }
            self.count(work, ended_at);
            tell_of_dead(target, work);
            self.wished_for(work, ended_at)
        };
        settled.into_iter().zip(settlements.iter()).map(wishes).collect()
    }

    /// How often it is tried again: for ever, where somebody has to grant a right that is missing.
    fn retries(&self, came: &Came) -> RetryPolicy {
        match came {
            Came::Asked(Annotated::Failed(Failure::Forbidden(_))) => self.rules.retries.endless(),
            _ => self.rules.retries,
        }
    }

    /// How a refresh ended, in words as well; or else what is wished for in its stead, as if it had not begun.
    fn outcome(&self, ended: &Ended) -> Result<(Outcome, String), Wishes> {
        let Ended {
            target,
            extent,
            waiting,
            came,
            ..
        } = ended;
        let entries = waiting.len();
        match came {
            Came::Asked(Annotated::Taken(token)) => {
                tracing::info!(%target, entries, token, "asked for a refresh");
                Ok((Outcome::Effected, format!("done: the API server has the token {token}")))
            }
            Came::Asked(Annotated::Gone) => Ok((Outcome::Effected, format!("{target} exists no more"))),
            Came::Asked(Annotated::Failed(Failure::Unreachable(problem))) => {
                tracing::debug!(%target, problem, "a refresh is put off until the API server can be reached");
                Err(vec![put_off(SHORTEST, LONGEST)])
            }
            Came::Asked(Annotated::Failed(failure @ Failure::Unable(_))) => {
                if self.annotating.is_to_be_said() {
                    tracing::warn!(%target, problem = %failure, "refreshes are put off until the API server can take them");
                }
                Err(vec![put_off(SHORTEST_UNABLE, LONGEST_UNABLE)])
            }
            Came::Asked(Annotated::Failed(failure)) => {
                tracing::warn!(%target, entries, problem = %failure, "a refresh could not be asked for");
                let setback = Setback::Failed(failure.to_string());
                let words = format!("{}: {}", setback.class(), setback.reason());
                Ok((Outcome::Setback(setback), words))
            }
            Came::Nothing => Err(Vec::new()),
            Came::Elsewhere => Err(vec![(*extent, asked_again())]),
            Came::Broken => {
                tracing::error!(%target, "a refresh ended in the middle; this is a bug");
                Err(after_a_bug(*extent))
            }
        }
    }
}

/// While nobody can be asked, nothing has been attempted: no outage is too long for what waits in the journal. That the API server
/// cannot be reached is told by those that watch it.
fn put_off(shortest: f64, longest: f64) -> (Extent, Timestamp) {
    let pause = SignedDuration::try_from_secs_f64(shortest + (longest - shortest) * fastrand::f64());
    let due = now().checked_add(pause.unwrap_or_default()).unwrap_or(Timestamp::MAX);
    (Extent::Hinted, due)
}

#[cfg(test)]
mod tests {
    use landfall_core::artifact::Tag;
    use landfall_core::journal::{EntryId, Work};
    use landfall_core::repository::{ImageRepository, Repository};

    use super::*;

    /// Who asks for everything takes nothing from a push that waits for the same Warehouse: its claim tells a look that came too
    /// early.
    #[test]
    fn everything_is_asked_for_beside_what_is_pointed_at() {
        let hint = Hint {
            repository: Repository::Image(ImageRepository::parse("ghcr.io/shop/api").unwrap()),
            tag: Some(Tag::parse("1.0.0").unwrap()),
            claimed: None,
        };
        let waiting = |hints: &[Hint]| WaitingWork {
            entry: EntryId::from_i64(7),
            work: Work::accepted(now()),
            hints: hints.to_vec(),
        };
        let (push, person) = (waiting(std::slice::from_ref(&hint)), waiting(&[]));
        let at = vec![Pointer {
            hint,
            event: push.entry.to_string(),
        }];
        for (waiting, everything, at) in [
            (vec![push.clone()], false, at.clone()),
            (vec![push, person.clone()], true, at),
            (vec![person], true, vec![]),
        ] {
            assert_eq!(ask(&waiting), Ask { everything, at });
        }
    }
}
