//! Takes a delivery in: reads it, counts whom it is for, and writes it to the journal before anyone is answered.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use landfall_core::delivery::{Delivery, Entrance, Kept};
use landfall_core::journal::{DedupeKey, EntryId};
use landfall_core::pace::Pace;
use landfall_core::receiver::{self, Contents, Malformed, Reach};
use landfall_core::secret::SecretAge;
use tokio::sync::Notify;

use crate::clock::now;
use crate::live::Live;
use crate::metrics::Metrics;
use crate::store::{Acceptance, NewEntry, NewReport, Recorded, Store, StoreError};

/// Stages 2 to 4 of the sentence, for both doors.
#[derive(Clone)]
pub struct Intake {
    pub live: Arc<ArcSwap<Live>>,
    pub store: Store,
    /// Wakes the matcher.
    pub arrivals: Arc<Notify>,
    /// How long deliveries of equal content count as one.
    pub dedupe_window: Duration,
    pub metrics: Metrics,
    /// How fast deliveries of the door by type are followed up; absent where nothing limits that.
    pub pace: Option<Pace>,
}

/// What the sender is told.
#[derive(Debug)]
pub enum Taken {
    /// It is on the disk and will be followed up; so many targets of that kind want it.
    Accepted {
        id: EntryId,
        matched: usize,
        refreshes: &'static str,
    },
    /// It is on the disk as a repetition of another one.
    Duplicate { id: EntryId, of: EntryId },
    /// It is on the disk, and nothing in it is of interest.
    Ignored { id: EntryId, reason: String },
    /// It cannot be read; a record was kept if that was possible.
    Malformed(Malformed),
    /// It is not on the disk. The sender is to try again.
    Unavailable,
}

impl Intake {
    /// Takes a delivery in. When this says anything but `Malformed` and `Unavailable`, it is on the disk.
    pub async fn take(&self, delivery: Delivery, reach: Reach, peer: SocketAddr) -> Taken {
        if let Some(secret) = delivery.secret() {
            self.metrics.proved(delivery.sender(), secret);
        }
        if delivery.secret() == Some(SecretAge::Previous) {
            let receiver = delivery.receiver();
            self.metrics.previous_secrets.shown(receiver, now());
            tracing::warn!(%receiver, "a delivery shows the previous secret; its sender is still to be told the new one");
        }
        let read = receiver::read(&delivery);
        let (mut interest, mut aside) = (None, String::new());
        let contents = match &read {
            Err(malformed) => Recorded::Malformed(malformed.to_string()),
            Ok(contents) if contents.reports.is_empty() => {
                aside = contents.set_aside.join("; ");
                Recorded::Ignored(aside.clone())
            }
            Ok(contents) => {
                let live = self.live.load();
                let interests = contents.reports.iter();
                interest = interests
                    .filter_map(|report| live.index.interest(&report.event, &reach))
                    .reduce(|one, other| one + other);
                let reports = contents.reports.iter().enumerate().map(|(position, report)| NewReport {
                    key: DedupeKey::of(delivery.receiver(), report, delivery.body(), position),
                    event: report.event.clone(),
                });
                let reports = reports.collect();
                match interest {
                    Some(_) => Recorded::Events(reports),
                    None => Recorded::Unsubscribed(reports),
                }
            }
        };
        let matched = interest.unwrap_or_default();
        let accepted = self.keep(self.new_entry(delivery, reach, peer, contents)).await;
        match (accepted, read) {
            (Ok(_), Err(malformed)) => Taken::Malformed(malformed),
            (Err(error), Err(malformed)) => {
                tracing::warn!(%error, "no record was kept of a malformed delivery");
                Taken::Malformed(malformed)
            }
            (Err(error), Ok(_)) => {
                tracing::error!(%error, "a delivery was refused; its sender is asked to try again");
                Taken::Unavailable
            }
            (Ok(Acceptance::New(id)), Ok(contents)) => {
                tell(id, peer, matched, &contents);
                let refreshes = contents
                    .reports
                    .first()
                    .map_or("warehouse", |report| report.event.refreshes());
                Taken::Accepted { id, matched, refreshes }
            }
            (Ok(Acceptance::Duplicate { id, of }), Ok(_)) => Taken::Duplicate { id, of },
            (Ok(Acceptance::Recorded(id)), Ok(_)) => Taken::Ignored { id, reason: aside },
        }
    }

    /// Writes an entry and wakes the matcher. The store does both: a sender that hangs up ends its request, and must not end
    /// this between the two.
    async fn keep(&self, entry: NewEntry) -> Result<Acceptance, StoreError> {
        let arrivals = self.arrivals.clone();
        let arrived = move || arrivals.notify_one();
        self.store.accept(entry, self.dedupe_window, arrived).await
    }

    fn new_entry(&self, delivery: Delivery, reach: Reach, peer: SocketAddr, contents: Recorded) -> NewEntry {
        let paced = delivery.entrance() == Entrance::Type;
        let (sender, secret) = (delivery.sender().path_segment(), delivery.secret());
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
            pace: self.pace.filter(|_| paced),
        }
    }
}

/// A line for each event, with the fields of Image Updater's log. What nobody wants is a detail.
fn tell(id: EntryId, peer: SocketAddr, matched: usize, contents: &Contents) {
    if matched == 0 && !tracing::enabled!(tracing::Level::DEBUG) {
        return;
    }
    for report in &contents.reports {
        let tag = report.event.subject();
        let (registry, repository) = report.event.host_and_path();
        if matched > 0 {
            tracing::info!(delivery = %id, webhook_remote = %peer, webhook_registry = registry,
                webhook_repository = %repository, webhook_tag = tag, matched, "accepted");
        } else {
            tracing::debug!(delivery = %id, webhook_remote = %peer, webhook_registry = registry,
                webhook_repository = %repository, webhook_tag = tag, matched, "accepted");
        }
    }
}
