//! The one task that writes deliveries: it takes whatever waits and commits it together, so that many share one round trip
//! and one sync.

use std::sync::Arc;
use std::time::Duration;

use landfall_core::journal::{EntryId, EntryIds};
use tokio::sync::{mpsc, oneshot, watch};
use tokio::time::timeout;
use tokio_postgres::error::SqlState;

use super::super::{Acceptance, NewEntry, Recorded, StoreError};
use super::intake;
use super::link::{Connector, Failure, Link};
use super::replica::Identity;
use super::rows::json;

/// At most this many deliveries share a commit; more would make the first of them wait.
const BATCH: usize = 256;
/// At most so much of bodies goes to the database at once.
const BYTES: usize = 8 << 20;
/// At most this many deliveries wait. Beyond it, saying no at once is kinder than an answer that comes too late.
const WAITING: usize = 4096;
/// How long a commit may take before its senders are told to come again.
const PATIENCE: Duration = Duration::from_secs(3);
/// How often a batch is tried that met another process's.
const ATTEMPTS: u32 = 8;

/// A delivery on its way, and whoever waits for what becomes of it.
pub(super) struct Job {
    pub entry: NewEntry,
    /// JSON, made by whoever brings it.
    pub headers: String,
    pub reach: String,
    /// How long equal contents count as the same, in milliseconds.
    pub window: i64,
    /// What follows from an entry that is to be matched, whether or not somebody still waits for it.
    pub arrived: Box<dyn FnOnce(&Acceptance) + Send + Sync>,
    pub reply: oneshot::Sender<Result<Acceptance, StoreError>>,
}

pub(super) struct Writer(mpsc::Sender<Job>);

impl Writer {
    /// Starts the task in the runtime that this is called in. Ids go on after `last`.
    pub(super) fn start(connector: Arc<Connector>, identity: watch::Receiver<Identity>, last: EntryId) -> Self {
        let (sender, receiver) = mpsc::channel(WAITING);
        let way = identity.borrow().way;
        let writing = Writing {
            connector,
            link: None,
            ids: EntryIds::beside_others(last, way),
            way,
            identity,
        };
        tokio::spawn(writing.run(receiver));
        Self(sender)
    }

    /// Writes a delivery. A caller that goes away does not stop the write.
    pub(super) async fn accept(
        &self,
        connector: &Connector,
        entry: NewEntry,
        window: Duration,
        arrived: impl FnOnce(&Acceptance) + Send + Sync + 'static,
    ) -> Result<Acceptance, StoreError> {
        let (reply, answer) = oneshot::channel();
        let job = Job {
            headers: json(&entry.headers),
            reach: json(&entry.reach),
            entry,
            window: i64::try_from(window.as_millis()).unwrap_or(i64::MAX),
            arrived: Box::new(arrived),
            reply,
        };
        let stopped = || connector.unavailable(Failure::new("its writer has stopped"));
        self.0.try_send(job).map_err(|refused| match refused {
            mpsc::error::TrySendError::Full(_) => StoreError::Overloaded,
            mpsc::error::TrySendError::Closed(_) => stopped(),
        })?;
        answer.await.unwrap_or_else(|_| Err(stopped()))
    }
}

struct Writing {
    connector: Arc<Connector>,
    link: Option<Link>,
    ids: EntryIds,
    way: u16,
    identity: watch::Receiver<Identity>,
}

impl Writing {
    async fn run(mut self, mut receiver: mpsc::Receiver<Job>) {
        let mut jobs = Vec::with_capacity(BATCH);
        while receiver.recv_many(&mut jobs, BATCH).await > 0 {
            let mut waiting = std::mem::take(&mut jobs);
            while !waiting.is_empty() {
                let rest = waiting.split_off(together(&waiting));
                let batch = std::mem::replace(&mut waiting, rest);
                match self.commit(&batch).await {
                    // One bad delivery must not take its neighbours with it.
                    Err(failure) if failure.code.is_some() && batch.len() > 1 => self.one_by_one(batch).await,
                    outcome => self.answer(batch, outcome),
                }
            }
        }
    }

    async fn one_by_one(&mut self, jobs: Vec<Job>) {
        for job in jobs {
            let alone = vec![job];
            let outcome = self.commit(&alone).await;
            self.answer(alone, outcome);
        }
    }

    fn answer(&self, jobs: Vec<Job>, outcome: Result<Vec<Acceptance>, Failure>) {
        match outcome {
            Ok(acceptances) => {
                for (job, acceptance) in jobs.into_iter().zip(acceptances) {
                    let to_be_matched = matches!(job.entry.contents, Recorded::Events(_));
                    if to_be_matched && matches!(acceptance, Acceptance::New(_)) {
                        (job.arrived)(&acceptance);
                    }
                    // Whoever asked may have gone; what was written stays written.
                    let _ = job.reply.send(Ok(acceptance));
                }
            }
            Err(failure) => {
                let error = self.connector.unavailable(failure);
                for job in jobs {
                    let _ = job.reply.send(Err(error.clone()));
                }
            }
        }
    }

    /// Writes deliveries in one transaction, again where another process's has come between.
    async fn commit(&mut self, jobs: &[Job]) -> Result<Vec<Acceptance>, Failure> {
        for _ in 0..ATTEMPTS {
            let replica = self.identify();
            let mut link = match self.link.take().filter(|link| !link.is_closed()) {
                Some(link) => link,
                None => self.connector.connect().await?,
            };
            let written = timeout(PATIENCE, intake::write(&mut link, jobs, &mut self.ids, replica)).await;
            match written.unwrap_or_else(|_| Err(Failure::new("it does not answer"))) {
                Ok(Some(acceptances)) => {
                    self.link = Some(link);
                    return Ok(acceptances);
                }
                Ok(None) => self.link = Some(link),
                // The connection is dropped, and with it what was begun.
                Err(failure) if collided(&failure) => {}
                Err(failure) => return Err(failure),
            }
        }
        Err(Failure::new("others write the same at the same time, again and again"))
    }

    /// Who this process is just now; its ids go on as they have to.
    fn identify(&mut self) -> i64 {
        let Identity { replica, way } = *self.identity.borrow_and_update();
        if way != self.way {
            self.way = way;
            self.ids = EntryIds::beside_others(self.ids.last(), way);
        }
        replica
    }
}

/// How many of these go into one transaction: one at least.
fn together(jobs: &[Job]) -> usize {
    let mut bytes = 0;
    let fits = jobs.iter().take_while(|job| {
        bytes += job.entry.body.len();
        bytes <= BYTES
    });
    fits.count().max(1)
}

/// Another process was in the way; it is not when this is tried again.
fn collided(failure: &Failure) -> bool {
    let codes = [
        SqlState::UNIQUE_VIOLATION,
        SqlState::T_R_DEADLOCK_DETECTED,
        SqlState::T_R_SERIALIZATION_FAILURE,
    ];
    failure.code.as_ref().is_some_and(|code| codes.contains(code))
}
