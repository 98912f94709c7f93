//! One look at one Warehouse: what it is for, what came of it, and the status that says so.

use std::collections::BTreeSet;
use std::sync::PoisonError;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use landfall_core::discovery::{is_success, warehouse_status};
use landfall_core::journal::{Outcome, Setback};
use landfall_core::lease::Term;
use landfall_core::refresh::{Conclusion, Extent, Found, Hint, Occasion, Task};
use landfall_core::repository::{ImageRepository, Repository};
use landfall_core::resource::status::{ConditionStatus, WarehouseStatus};
use landfall_core::resource::{Source, Warehouse};
use landfall_core::target::Target;
use tokio::time::sleep;

use super::{NOT_IN_FORCE, Reconciler};
use crate::clock::now;
use crate::controller::slots::{Places, Slot};
use crate::controller::warehouse::{self, HintOutcome, Look, Refreshed, broken, failed, outcome, setbacks};
use crate::live::LiveWarehouse;
use crate::registry::Priority;
use crate::resources::Known;
use crate::resources::kubernetes::{Failure, Happening, Observed};
use crate::statuses::key_of;

/// A Warehouse that the watch tells of before it is in force is asked for again after so long.
const A_MOMENT: SignedDuration = SignedDuration::from_millis(50);
const A_WHILE: SignedDuration = SignedDuration::from_secs(1);
/// How often others may come between a status that is read and the one that is written, before there is a pause.
const CONFLICTS: usize = 5;
/// When it is tried again after the API server could not be reached, spread by half, and after it refused.
const SOON: Duration = Duration::from_secs(2);
const LATER: Duration = Duration::from_secs(20);

/// What became of a status.
enum Written {
    Yes,
    /// The Warehouse is no more.
    Gone,
    /// Another one leads.
    Deposed,
    /// The API server refuses it, and another look is due.
    Refused,
}

impl Reconciler {
    /// Looks at a Warehouse if that is due, and returns when to do so again.
    pub(super) async fn reconcile(&self, target: &Target, term: Term, places: Places) -> Option<(Extent, Timestamp)> {
        let served = self.progresses.of(target).filter(|progress| self.serves(progress));
        let Some(progress) = served else {
            self.pursuits().remove(target);
            return None;
        };
        let began = now();
        let known = self.live.load().warehouses.get(target).cloned();
        let known = known.filter(|known| known.is_current(&progress));
        // One that has come into force since this began takes the slots of its hosts.
        if known.as_ref().is_some_and(|known| !places.are_at(&known.hosts)) {
            return Some((NOT_IN_FORCE, began));
        }
        let Some(known) = known else {
            // Nothing is while not everything is known, which may last.
            let pause = match self.live.load().known {
                Known::Everything => A_MOMENT,
                Known::Nothing | Known::Receivers => A_WHILE,
            };
            return Some((NOT_IN_FORCE, began.checked_add(pause).unwrap_or(Timestamp::MAX)));
        };
        let interval = self.interval(&known);
        let task = {
            let mut pursuits = self.pursuits();
            let mut noticed = self.noticed.lock().unwrap_or_else(PoisonError::into_inner);
            let pursuit = pursuits
                .entry(target.clone())
                .or_insert_with(|| self.new_pursuit(target));
            match pursuit.begin(&progress, interval, &self.retries, &mut noticed, began) {
                Some(task) => task,
                None => return Some(pursuit.next(&progress, interval, &self.retries, began)),
            }
        };
        let Some((refreshed, slot)) = self.look(target, &known, &task, places).await else {
            return Some((task.extent, soon()));
        };
        let written = self.conclude(target, &known, &task, &refreshed, term, slot).await;
        // Should this process lead again at once, it has written nothing of what it knows.
        if matches!(written, Written::Deposed) {
            self.pursuits().remove(target);
            return Some((task.extent, soon()));
        }
        let progress = self.progresses.of(target)?;
        let mut pursuits = self.pursuits();
        let pursuit = pursuits
            .entry(target.clone())
            .or_insert_with(|| self.new_pursuit(target));
        Some(pursuit.next(&progress, interval, &self.retries, now()))
    }

    /// Looks at what a task is about; nothing while nobody can be asked for credentials, and so nothing has been attempted.
    async fn look(
        &self,
        target: &Target,
        known: &LiveWarehouse,
        task: &Task,
        places: Places,
    ) -> Option<(Refreshed, Option<Slot>)> {
        let began = now();
        let credentials = match self.credentials.to(target.project()).await {
            Ok(credentials) => credentials,
            Err(Failure::Unreachable(problem)) => {
                tracing::debug!(%target, problem, "a look is put off until the API server can be reached");
                return None;
            }
            Err(failure) => {
                let reason = format!(
                    "the Secrets with credentials for namespace {} cannot be read: {failure}",
                    target.project()
                );
                return Some((failed(known, began, reason), None));
            }
        };
        let mut discovery = self.discovery.clone();
        {
            let (behind, since) = &*self.behind();
            if behind.is_of(target) {
                discovery.listed_since = *since;
            }
        }
        let look = Look {
            extent: task.extent,
            priority: Priority::of(task.is_awaited),
            hints: task.hints.clone(),
            since: task.since,
            is_urgent: !task.hints.is_empty() && task.extent != Extent::Full(Occasion::Requested),
            interval: self.interval(known),
        };
        let looked_at = known.clone();
        // A task of its own, so that a bug in looking is one failed attempt and nothing more.
        let looking = async move { warehouse::refresh(&discovery, &credentials, &looked_at, &look, places).await };
        let looked = tokio::spawn(looking).await;
        Some(looked.unwrap_or_else(|panicked| {
            tracing::error!(%target, %panicked, "a refresh ended in the middle; this is a bug");
            (broken(known, began, &panicked), None)
        }))
    }

    async fn conclude(
        &self,
        target: &Target,
        known: &LiveWarehouse,
        task: &Task,
        refreshed: &Refreshed,
        term: Term,
        slot: Option<Slot>,
    ) -> Written {
        let ended = now();
        let conclusion = {
            let mut pursuits = self.pursuits();
            let pursuit = pursuits
                .entry(target.clone())
                .or_insert_with(|| self.new_pursuit(target));
            let found = found(task, refreshed, &known.warehouse);
            pursuit.end(task, found, ended, fastrand::f64(), &self.retries)
        };
        let problems: Vec<String> = setbacks(refreshed).map(|setback| setback.reason().to_owned()).collect();
        let (extent, requests) = (task.extent, refreshed.requests);
        if problems.is_empty() {
            tracing::info!(%target, ?extent, requests, choices = ?refreshed.choices, "refreshed");
        } else {
            tracing::warn!(%target, ?extent, requests, problem = problems.join("; "), "a refresh failed in part");
        }
        self.metrics.looked(match &conclusion {
            Conclusion::Answered(_) => "answered",
            Conclusion::GivenUp(..) => "given_up",
            Conclusion::Unanswered => "unanswered",
        });
        let (token, lost) = match conclusion {
            Conclusion::Answered(token) => (token, None),
            Conclusion::GivenUp(token, reason) => {
                tracing::error!(%target, reason, "what was pushed was not found, and is not looked for any longer");
                (token, Some(reason))
            }
            Conclusion::Unanswered => (None, None),
        };
        let status = |previous: &WarehouseStatus| {
            let token = token.as_deref();
            let (results, undiscovered) = (&refreshed.results, &refreshed.undiscovered);
            warehouse_status(previous, results, undiscovered, known.generation, token, ended)
        };
        let written = self.write(target, known, status, lost, term, slot).await;
        match written {
            Written::Yes => {}
            Written::Gone => tracing::debug!(%target, "it exists no more"),
            Written::Deposed => tracing::info!(%target, "another process leads and writes what it finds"),
            Written::Refused => tracing::warn!(%target, "its status was refused, and makes way for another look"),
        }
        written
    }

    /// Writes a status, until it is there, nobody wants it any more, or it is refused and another look is due: what is refused may be
    /// what it says. Who has to wait for that holds up nobody else who would ask the same registry.
    async fn write(
        &self,
        target: &Target,
        known: &LiveWarehouse,
        status: impl Fn(&WarehouseStatus) -> WarehouseStatus,
        lost: Option<String>,
        term: Term,
        mut slot: Option<Slot>,
    ) -> Written {
        let mut said = false;
        while self.leads(term) {
            let pause = match self.try_write(target, known, &status, lost.as_deref(), term).await {
                Ok(written) => return written,
                Err(Failure::Unreachable(_) | Failure::Conflict) => SOON.mul_f64(0.5 + fastrand::f64()),
                Err(failure) => {
                    if said && self.is_due(target, known) {
                        return Written::Refused;
                    }
                    if !said {
                        tracing::warn!(%target, problem = %failure, "a status cannot be written; it is tried again until it works");
                        said = true;
                    }
                    LATER
                }
            };
            drop(slot.take());
            sleep(pause).await;
        }
        Written::Deposed
    }

    /// Whether there is a reason to look again.
    fn is_due(&self, target: &Target, known: &LiveWarehouse) -> bool {
        let (interval, now) = (self.interval(known), now());
        let progress = self.progresses.of(target);
        let pursuits = self.pursuits();
        let pursuit = progress.as_ref().zip(pursuits.get(target));
        pursuit.is_none_or(|(progress, pursuit)| pursuit.next(progress, interval, &self.retries, now).1 <= now)
    }

    async fn try_write(
        &self,
        target: &Target,
        known: &LiveWarehouse,
        status: impl Fn(&WarehouseStatus) -> WarehouseStatus,
        lost: Option<&str>,
        term: Term,
    ) -> Result<Written, Failure> {
        let key = key_of(target);
        for _ in 0..CONFLICTS {
            let Some(object) = self.server.warehouse(&key).await? else {
                return Ok(Written::Gone);
            };
            let uid = object.uid();
            // What has its name now is another, of which nothing was found out here.
            if known.warehouse.metadata.uid.as_deref().unwrap_or_default() != uid {
                return Ok(Written::Gone);
            }
            // Of a newer spec somebody has written already.
            let observed = object.status.observed_generation;
            if observed > known.generation && observed <= object.generation {
                return Ok(Written::Yes);
            }
            let new = status(&object.status);
            if new == object.status {
                self.progresses.answered(target, uid, &new);
                return Ok(Written::Yes);
            }
            // Asked at the last moment: whoever leads now must not be undone.
            if !self.leads(term) {
                return Ok(Written::Deposed);
            }
            match self.server.write_warehouse_status(&key, &object, &new).await {
                Err(Failure::Conflict) => {}
                Err(Failure::NotFound) => return Ok(Written::Gone),
                Err(failure) => return Err(failure),
                Ok(()) => {
                    self.progresses.answered(target, uid, &new);
                    self.tell(&object, &new, lost).await;
                    return Ok(Written::Yes);
                }
            }
        }
        Err(Failure::Conflict)
    }

    /// Tells people of what is new.
    async fn tell(&self, before: &Observed<WarehouseStatus>, after: &WarehouseStatus, lost: Option<&str>) {
        let lost = lost.map(|reason| Happening {
            is_warning: true,
            reason: "ArtifactNotFound",
            action: "Discover",
            note: format!("what was pushed was looked for and not found: {reason}"),
        });
        for happening in lost.into_iter().chain(turn(&before.status, after)) {
            if let Err(problem) = self.server.tell(before, &happening).await {
                tracing::debug!(%problem, "an Event was not kept");
            }
        }
    }
}

/// That discovery fails, or works again.
fn turn(before: &WarehouseStatus, after: &WarehouseStatus) -> Option<Happening> {
    let ready = |status: &WarehouseStatus| {
        let ready = status.conditions.find("Ready")?;
        Some((ready.status, ready.reason.clone(), ready.message.clone()))
    };
    let (status, reason, message) = ready(after)?;
    let was = ready(before);
    if was.as_ref().is_some_and(|(_, was, _)| *was == reason) {
        return None;
    }
    match status {
        ConditionStatus::False => Some(Happening {
            is_warning: true,
            reason: "DiscoveryFailed",
            action: "Discover",
            note: message,
        }),
        ConditionStatus::True if was.is_some() => Some(Happening {
            is_warning: false,
            reason: "ArtifactsDiscovered",
            action: "Discover",
            note: message,
        }),
        ConditionStatus::True | ConditionStatus::Unknown => None,
    }
}

/// What a look came to.
fn found(task: &Task, refreshed: &Refreshed, warehouse: &Warehouse) -> Found {
    // What points at nothing that anybody here looks at, such as a chart, is nobody's business here: it keeps nobody waiting.
    let looked_for: BTreeSet<ImageRepository> = image_repositories(warehouse).collect();
    let is_looked_for = |hint: &&Hint| matches!(&hint.repository, Repository::Image(name) if looked_for.contains(name));
    let hints: Vec<_> = task.hints.keys().filter(is_looked_for).cloned().collect();
    let mendable = setbacks(refreshed).find(|setback| !matches!(setback, Setback::Hopeless(_)));
    let pointed = match hints.as_slice() {
        [] => Outcome::Effected,
        hints => outcome(hints, refreshed, task.attempt),
    };
    // Success is what the status calls so: with anything less it answers nobody.
    let outcome = match (&mendable, pointed) {
        (Some(setback), _) => Outcome::Setback(setback.clone()),
        (None, Outcome::Effected) if !is_success(&refreshed.results) => Outcome::Setback(hopeless(refreshed)),
        (None, pointed) => pointed,
    };
    let is_unseen = |hint: &_| !matches!(refreshed.hints.get(hint), Some(HintOutcome::Seen));
    Found {
        outcome,
        complete_since: refreshed.complete_since.filter(|_| mendable.is_none()),
        unseen: hints.into_iter().filter(is_unseen).collect(),
    }
}

fn image_repositories(warehouse: &Warehouse) -> impl Iterator<Item = ImageRepository> {
    let images = warehouse
        .subscriptions
        .iter()
        .filter_map(|subscription| match &subscription.source {
            Source::Image(image) => Some(image),
            Source::Git(_) | Source::Chart(_) | Source::Generic { .. } | Source::Unreadable { .. } => None,
        });
    images.filter_map(|image| ImageRepository::parse(&image.repo_url).ok())
}

/// Why nothing will come of another look, where nothing failed that it could mend.
fn hopeless(refreshed: &Refreshed) -> Setback {
    let nothing = || Setback::Hopeless("it subscribes to nothing that is looked at here".to_owned());
    setbacks(refreshed).next().unwrap_or_else(nothing)
}

fn soon() -> Timestamp {
    let pause = SignedDuration::try_from(SOON.mul_f64(0.5 + fastrand::f64())).unwrap_or_default();
    now().checked_add(pause).unwrap_or(Timestamp::MAX)
}
