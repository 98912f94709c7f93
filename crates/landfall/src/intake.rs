//! Takes a delivery in: reads it, counts whom it is for, and writes it to the journal before anyone is answered.

mod early;
mod generic;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use landfall_core::delivery::{Delivery, Entrance, Kept};
use landfall_core::event::Event;
use landfall_core::journal::{DedupeKey, EntryId};
use landfall_core::matcher::{Index, Interest};
use landfall_core::pace::Pace;
use landfall_core::receiver::{self, Contents, Malformed, Reach, Report, Sender};
use landfall_core::refresh::{Extent, Hint};
use landfall_core::secret::SecretAge;
use landfall_core::target::Target;
use tokio::sync::watch;

use crate::clock::now;
use crate::live::Live;
use crate::metrics::Metrics;
pub use generic::{ActionResult, Answers, Evaluators};

use crate::pipeline::{Pipeline, hints_by_target};
use crate::resources::Known;
use crate::store::{Acceptance, Found, NewEntry, NewReport, Recorded, Store, StoreError};

/// Where no more subscribe to a repository than this, an event is matched within its request, and its work is written with it:
/// that costs less than to read it again for the matcher and to write it a second time. Beyond it, the request would wait for
/// the fan-out. In a database that others share, the matcher does it: there, who may do what is decided with the entry.
const AT_ONCE: usize = 8;

/// Stages 2 to 4 of the sentence, for both doors.
#[derive(Clone)]
pub struct Intake {
    pub live: Arc<ArcSwap<Live>>,
    /// How much of the resources is in force.
    pub known: watch::Receiver<Known>,
    pub store: Store,
    /// Follows up what is on the disk.
    pub pipeline: Arc<Pipeline>,
    /// How long deliveries of equal content count as one.
    pub dedupe_window: Duration,
    pub metrics: Metrics,
    /// How fast deliveries of the door by type are followed up; absent where nothing limits that.
    pub pace: Option<Pace>,
    /// Where the expressions of generic receivers are evaluated.
    pub evaluators: Evaluators,
}

/// What the sender is told.
#[derive(Debug)]
pub enum Taken {
    /// It is on the disk and will be followed up; so many targets of that kind want it, as far as that is known.
    Accepted {
        id: EntryId,
        matched: Option<usize>,
        refreshes: &'static str,
    },
    /// It is on the disk as a repetition of another one.
    Duplicate { id: EntryId, of: EntryId },
    /// It is on the disk, and nothing in it is of interest.
    Ignored { id: EntryId, reason: String },
    /// It came to a generic receiver, and so much became of each action.
    Evaluated(Answers),
    /// It cannot be read; a record was kept if that was possible, and then it has an id.
    Malformed { id: Option<EntryId>, problem: Malformed },
    /// It is not on the disk. The sender is to try again.
    Unavailable,
}

impl Intake {
    /// Takes a delivery in. When this says anything but `Malformed` and `Unavailable`, it is on the disk.
    pub async fn take(&self, delivery: Delivery, reach: Reach, peer: SocketAddr) -> Taken {
        self.note_secret(&delivery);
        if delivery.sender() == Sender::Generic {
            return self.take_generic(delivery, reach, peer).await;
        }
        let read = receiver::read(&delivery);
        if let Ok(contents) = &read
            && self.cannot_be_told(contents)
        {
            return Taken::Unavailable;
        }
        self.keep_what_was_read(delivery, reach, peer, &read).await
    }

    /// Whether it is about Promotions while nobody can tell which there are. Everything else goes on without them. Before everything
    /// is known, all waits in the journal.
    fn cannot_be_told(&self, contents: &Contents) -> bool {
        let live = self.live.load();
        let mut events = contents.reports.iter().map(|report| &report.event);
        let is_refused = live.known == Known::Everything && events.any(|event| live.cannot_tell(event));
        if is_refused {
            tracing::warn!(
                "a delivery for Promotions is refused, since they cannot be read; its sender is asked to try again"
            );
        }
        is_refused
    }

    /// Writes down what was read of a delivery.
    async fn keep_what_was_read(
        &self,
        delivery: Delivery,
        reach: Reach,
        peer: SocketAddr,
        read: &Result<Contents, Malformed>,
    ) -> Taken {
        let recording = match read {
            Ok(contents) => self.record(&delivery, contents, &reach),
            Err(malformed) => Recording::nothing(Recorded::Malformed(malformed.to_string())),
        };
        let Recording {
            contents,
            set_aside,
            matched,
            work,
        } = recording;
        let early = early::Early::of(matched, &delivery, &reach);
        let entry = NewEntry {
            set_aside,
            ..self.new_entry(delivery, reach, peer, contents)
        };
        let accepted = self.keep(entry, work).await;
        match (accepted, read) {
            (Ok(Acceptance::New(id) | Acceptance::Duplicate { id, .. } | Acceptance::Recorded(id)), Err(problem)) => {
                let problem = problem.clone();
                Taken::Malformed { id: Some(id), problem }
            }
            (Err(error), Err(problem)) => {
                tracing::warn!(%error, "no record was kept of a malformed delivery");
                let problem = problem.clone();
                Taken::Malformed { id: None, problem }
            }
            (Err(error), Ok(_)) => {
                tracing::error!(%error, "a delivery was refused; its sender is asked to try again");
                Taken::Unavailable
            }
            (Ok(Acceptance::New(id)), Ok(contents)) => {
                let matched = match early {
                    Some(early) => self.count_later(early, contents).await,
                    None => matched,
                };
                tell(id, peer, matched, contents);
                let refreshes = contents
                    .reports
                    .first()
                    .map_or("warehouse", |report| report.event.refreshes());
                Taken::Accepted { id, matched, refreshes }
            }
            (Ok(Acceptance::Duplicate { id, of }), Ok(_)) => Taken::Duplicate { id, of },
            (Ok(Acceptance::Recorded(id)), Ok(contents)) => Taken::Ignored {
                id,
                reason: contents.set_aside.join("; "),
            },
        }
    }

    fn note_secret(&self, delivery: &Delivery) {
        if let Some(secret) = delivery.secret() {
            self.metrics.proved(delivery.sender(), secret);
        }
        if delivery.secret() == Some(SecretAge::Previous) {
            let receiver = delivery.receiver();
            self.metrics.previous_secrets.shown(receiver, now());
            tracing::warn!(%receiver, "a delivery shows the previous secret; its sender is still to be told the new one");
        }
    }

    /// What the journal is to hold of a delivery that can be read.
    fn record(&self, delivery: &Delivery, contents: &Contents, reach: &Reach) -> Recording {
        if contents.reports.is_empty() {
            return Recording::nothing(Recorded::Ignored(contents.set_aside.join("; ")));
        }
        let live = self.live.load();
        let interest = (live.known == Known::Everything).then(|| interest(&live.index, contents, reach));
        let unique = (!delivery.sender().tells_pushes_apart()).then(generic::never_the_same);
        let content = unique.as_deref().unwrap_or(delivery.body());
        let keys = DedupeKey::of(delivery.receiver(), delivery.registry(), &contents.reports, content);
        let report = |(key, report): (DedupeKey, &Report)| NewReport {
            key,
            event: report.event.clone(),
        };
        let mut reports: Vec<NewReport> = keys.into_iter().zip(&contents.reports).map(report).collect();
        let mut work = Vec::new();
        let subscriptions = interest.map(|interest| interest.subscriptions);
        let recorded = match (subscriptions, reports.pop_if(|_| contents.reports.len() == 1)) {
            (Some(0), only) => Recorded::Unsubscribed(reports.into_iter().chain(only).collect()),
            (Some(1..=AT_ONCE), Some(only)) if self.pace_of(delivery).is_none() && !self.store.is_shared() => {
                let found = found(&live.index, &only.event, reach);
                work.clone_from(&found.work);
                Recorded::Matched(only, found)
            }
            (_, only) => Recorded::Events(reports.into_iter().chain(only).collect()),
        };
        Recording {
            contents: recorded,
            set_aside: contents.set_aside.join("; "),
            matched: interest.map(|interest| interest.wanted),
            work,
        }
    }

    /// Writes an entry and has it followed up. The store does both: a sender that hangs up ends its request, and must not end
    /// this between the two.
    async fn keep(&self, entry: NewEntry, work: Vec<(Target, Vec<Hint>)>) -> Result<Acceptance, StoreError> {
        let work: Arc<[(Target, Vec<Hint>)]> = work.into();
        let arrived = {
            let (pipeline, work, received) = (self.pipeline.clone(), work.clone(), entry.received);
            move |acceptance: &Acceptance| match acceptance {
                Acceptance::New(id) if !work.is_empty() => pipeline.arrived_with(*id, received, &work),
                _ => follow_up(&pipeline, &work),
            }
        };
        let kept = self.store.accept(entry, self.dedupe_window, arrived).await;
        if kept.is_err() {
            // Where a sync failed, it may be in the journal all the same, and not every sender tries again. Where it is not, there
            // is nothing to do.
            follow_up(&self.pipeline, &work);
        }
        kept
    }

    fn pace_of(&self, delivery: &Delivery) -> Option<Pace> {
        self.pace.filter(|_| delivery.entrance() == Entrance::Type)
    }

    fn new_entry(&self, delivery: Delivery, reach: Reach, peer: SocketAddr, contents: Recorded) -> NewEntry {
        let (sender, secret, pace) = (
            delivery.sender().path_segment(),
            delivery.secret(),
            self.pace_of(&delivery),
        );
        let Kept {
            receiver,
            headers,
            body,
        } = delivery.into_kept();
        NewEntry {
            received: now(),
            sender,
            receiver: receiver.0,
            reach,
            peer: peer.to_string(),
            headers,
            body,
            contents,
            secret,
            pace,
            set_aside: String::new(),
        }
    }
}

/// What the journal is to hold of a delivery, and what is to follow.
struct Recording {
    contents: Recorded,
    /// Why parts of it are of no interest beside its events.
    set_aside: String,
    /// How many targets want it; absent where that is not known yet.
    matched: Option<usize>,
    /// The work that is written with it.
    work: Vec<(Target, Vec<Hint>)>,
}

impl Recording {
    /// Nothing follows.
    fn nothing(contents: Recorded) -> Self {
        Self {
            contents,
            set_aside: String::new(),
            matched: Some(0),
            work: Vec::new(),
        }
    }
}

/// Has an entry matched, or the targets of its work refreshed, of which nobody knows here what the journal has for them.
fn follow_up(pipeline: &Pipeline, work: &[(Target, Vec<Hint>)]) {
    if work.is_empty() {
        pipeline.arrived();
    }
    for (target, _) in work {
        pipeline.wish(target, Extent::Hinted, now());
    }
}

/// How many want any of the events, and may.
fn interest(index: &Index, contents: &Contents, reach: &Reach) -> Interest {
    index.interest(contents.reports.iter().map(|report| &report.event), reach)
}

/// What matching one event finds.
fn found(index: &Index, event: &Event, reach: &Reach) -> Found {
    let explanations = vec![index.explain(event, reach)];
    let work = hints_by_target(std::slice::from_ref(event), &explanations);
    Found { explanations, work }
}

/// A line for each event, with the fields of Image Updater's log. What nobody wants is a detail.
fn tell(id: EntryId, peer: SocketAddr, matched: Option<usize>, contents: &Contents) {
    if matched == Some(0) && !tracing::enabled!(tracing::Level::DEBUG) {
        return;
    }
    for reason in &contents.set_aside {
        tracing::debug!(delivery = %id, reason, "a part of it is of no interest");
    }
    for report in &contents.reports {
        let tag = report.event.subject();
        let (registry, repository) = report.event.host_and_path();
        if matched != Some(0) {
            tracing::info!(delivery = %id, webhook_remote = %peer, webhook_registry = registry,
                webhook_repository = %repository, webhook_tag = tag, matched, "accepted");
        } else {
            tracing::debug!(delivery = %id, webhook_remote = %peer, webhook_registry = registry,
                webhook_repository = %repository, webhook_tag = tag, matched, "accepted");
        }
    }
}
