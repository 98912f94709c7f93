//! Writes, one commit at a time. Where many wait, a thread takes whatever waits and commits it together, so that many deliveries
//! share one sync; a delivery that comes alone is written by whoever brings it, who would only wait for that thread. Whoever waits
//! is answered when the sync is over, or at once where nobody was promised anything.

mod desk;
mod line;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::thread;

use landfall_core::journal::{EntryId, EntryIds};
use rusqlite::{CachedStatement, Connection};
use tokio::runtime::{Handle, RuntimeFlavor};
use tokio::sync::{mpsc, oneshot};

use super::checkpoints::Checkpoints;
use super::durability::Syncer;
use super::recent::Recent;
use super::{Store, StoreError};
use desk::Desk;
use line::{Joined, Line};

/// What one write may use.
pub(super) struct Writing<'a> {
    pub connection: &'a Connection,
    /// [`INSERT`](super::intake::INSERT), which most of the writes in a commit want.
    pub insertion: CachedStatement<'a>,
    pub ids: &'a mut EntryIds,
    pub recent: &'a mut Recent,
}

pub(super) use line::ROWS;

/// Whoever has one can write. When the last of them goes, what waits is written still, and the thread ends.
#[derive(Clone)]
pub(super) struct Writer(Arc<Entrance>);

/// The end of the line that is joined.
struct Entrance(Arc<Line>);

impl Drop for Entrance {
    fn drop(&mut self) {
        self.0.close();
    }
}

/// A write and whoever waits for its result. It may run twice: a commit that fails as a whole is tried one by one.
pub(super) trait Job: Send {
    fn promise(&self) -> Promise;
    fn run(&mut self, writing: &mut Writing<'_>) -> rusqlite::Result<()>;
    fn answer(self: Box<Self>, outcome: Result<(), StoreError>);
}

/// When a write is answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Promise {
    /// When it is on the disk.
    Durable,
    /// When it is committed. A crash of the process loses nothing of it; should the machine lose its power before the next sync,
    /// what led to it is still there, and it is done once more. The log is a sequence: nothing after it survives without it.
    Repeatable {
        /// How much it writes, or as good as that.
        rows: usize,
    },
}

/// Who may write it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum By {
    /// The writer's thread.
    Thread,
    /// Whoever brings it as well, where nobody else is about to. It costs another thread of the runtime for that time, and saves
    /// two waits for a processor.
    Bringer,
}

struct Pending<T, F, G> {
    promise: Promise,
    write: F,
    /// What follows from a write that is on the disk, whether or not somebody still waits for it.
    then: G,
    result: Option<T>,
    reply: oneshot::Sender<Result<T, StoreError>>,
}

impl<T, F, G> Job for Pending<T, F, G>
where
    T: Send,
    G: FnOnce(&T) + Send,
    F: FnMut(&mut Writing<'_>) -> rusqlite::Result<T> + Send,
{
    fn promise(&self) -> Promise {
        self.promise
    }

    fn run(&mut self, writing: &mut Writing<'_>) -> rusqlite::Result<()> {
        self.result = Some((self.write)(writing)?);
        Ok(())
    }

    fn answer(self: Box<Self>, outcome: Result<(), StoreError>) {
        let Self {
            then, result, reply, ..
        } = *self;
        let answer = outcome.and_then(|()| result.ok_or(StoreError::Overloaded));
        if let Ok(value) = &answer {
            then(value);
        }
        // Whoever asked may have gone; what was written stays written.
        let _ = reply.send(answer);
    }
}

impl Writer {
    /// Starts the thread, and in the runtime that this is called in the task that answers.
    /// `sync` returns when the log is on the disk.
    pub(super) fn start(
        mut connection: Connection,
        last: EntryId,
        file: Arc<str>,
        sync: impl FnMut() -> std::io::Result<()> + Send + 'static,
    ) -> Result<Self, Box<dyn std::error::Error>> {
        let (done, outcomes) = mpsc::unbounded_channel();
        tokio::spawn(answer(outcomes));
        let checkpoints = Checkpoints::start(&mut connection, &file)?;
        let syncer = Syncer::start(sync, file.clone(), done.clone())?;
        let line = Arc::new(Line::with(Desk {
            connection,
            ids: EntryIds::after(last),
            recent: Recent::default(),
            file,
            syncer,
            checkpoints,
            done,
        }));
        let serving = line.clone();
        thread::Builder::new()
            .name("journal".to_owned())
            .spawn(move || serving.serve())?;
        Ok(Self(Arc::new(Entrance(line))))
    }

    fn join(&self, job: Box<dyn Job>, by: By) -> Joined<'_> {
        self.0.0.join(job, by)
    }
}

impl Store {
    /// Writes durably: when this returns `Ok`, it is on the disk. A caller that goes away does not stop the write.
    pub(super) async fn write<T: Send + 'static>(
        &self,
        write: impl FnMut(&mut Writing<'_>) -> rusqlite::Result<T> + Send + 'static,
    ) -> Result<T, StoreError> {
        self.write_as(Promise::Durable, By::Thread, write, |_| ()).await
    }

    /// Writes what is done once more if it is lost with the power, and waits for no disk: so many rows, or as good as that.
    pub(super) async fn write_repeatable<T: Send + 'static>(
        &self,
        rows: usize,
        write: impl FnMut(&mut Writing<'_>) -> rusqlite::Result<T> + Send + 'static,
    ) -> Result<T, StoreError> {
        self.write_as(Promise::Repeatable { rows }, By::Thread, write, |_| ())
            .await
    }

    /// Writes a delivery durably as [`write`](Self::write) does, as soon as that can be done at all, and then does something quick,
    /// also where the caller went away.
    pub(super) async fn write_at_once_then<T: Send + 'static>(
        &self,
        write: impl FnMut(&mut Writing<'_>) -> rusqlite::Result<T> + Send + 'static,
        then: impl FnOnce(&T) + Send + 'static,
    ) -> Result<T, StoreError> {
        // The runtime must be able to give its other tasks to another thread meanwhile.
        let by = match Handle::current().runtime_flavor() {
            RuntimeFlavor::MultiThread => By::Bringer,
            _ => By::Thread,
        };
        self.write_as(Promise::Durable, by, write, then).await
    }

    async fn write_as<T: Send + 'static>(
        &self,
        promise: Promise,
        by: By,
        write: impl FnMut(&mut Writing<'_>) -> rusqlite::Result<T> + Send + 'static,
        then: impl FnOnce(&T) + Send + 'static,
    ) -> Result<T, StoreError> {
        let (reply, answer) = oneshot::channel();
        let job = Box::new(Pending {
            promise,
            write,
            then,
            result: None,
            reply,
        });
        match self.writer.join(job, by) {
            Joined::Waiting => {}
            Joined::Alone(turn) => tokio::task::block_in_place(|| turn.write_and_wait()),
            Joined::Full => return Err(StoreError::Overloaded),
            Joined::Closed => return Err(self.unavailable(&"the writer has stopped")),
        }
        answer
            .await
            .unwrap_or_else(|_| Err(self.unavailable(&"the writer has stopped")))
    }
}

/// Writes that share a commit.
pub(super) type Jobs = Vec<Box<dyn Job>>;

/// Writes that ended together, and how.
pub(super) type Outcomes = (Jobs, Result<(), StoreError>);

/// Answers whoever waits. A task of the runtime does it because waking others from within it takes no system call, and the
/// writer's thread goes on with the next commit meanwhile.
async fn answer(mut outcomes: mpsc::UnboundedReceiver<Outcomes>) {
    while let Some((jobs, outcome)) = outcomes.recv().await {
        for job in jobs {
            let outcome = outcome.clone();
            // A bug in what follows from one write must not leave all others without an answer.
            if catch_unwind(AssertUnwindSafe(|| job.answer(outcome))).is_err() {
                tracing::error!("what follows from a write ended in the middle; this is a bug");
            }
        }
    }
}
