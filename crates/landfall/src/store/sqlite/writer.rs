//! The one thread that writes: it takes whatever waits and commits it together, so that many deliveries share one sync. Whoever
//! waits is answered when the sync is over, or at once where nobody was promised anything.

use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::thread;

use landfall_core::journal::{EntryId, EntryIds};
use rusqlite::{CachedStatement, Connection};
use tokio::sync::{mpsc, oneshot};

use super::checkpoints::Checkpoints;
use super::durability::Syncer;
use super::recent::Recent;
use super::{Store, StoreError};

/// What one write may use.
pub(super) struct Writing<'a> {
    pub connection: &'a Connection,
    /// [`INSERT`](super::intake::INSERT), which most of the writes in a commit want.
    pub insertion: CachedStatement<'a>,
    pub ids: &'a mut EntryIds,
    pub recent: &'a mut Recent,
}

/// At most this many writes share a commit; more would make the first of them wait.
const BATCH: usize = 256;
/// So many rows of what nobody was promised anything of share a commit with what a delivery waits for: a millisecond's work.
pub(super) const ROWS: usize = 64;
/// At most this many writes wait. Beyond it, saying no at once is kinder than an answer that comes too late.
const WAITING: usize = 4096;

#[derive(Clone)]
pub(super) struct Writer(mpsc::Sender<Box<dyn Job>>);

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
        let (sender, receiver) = mpsc::channel(WAITING);
        let (done, outcomes) = mpsc::unbounded_channel();
        tokio::spawn(answer(outcomes));
        let checkpoints = Checkpoints::start(&mut connection, &file)?;
        let syncer = Syncer::start(sync, file.clone(), done.clone())?;
        let work = move || {
            Loop {
                connection,
                ids: EntryIds::after(last),
                recent: Recent::default(),
                file,
                syncer,
                checkpoints,
                done,
            }
            .run(receiver)
        };
        thread::Builder::new().name("journal".to_owned()).spawn(work)?;
        Ok(Self(sender))
    }
}

impl Store {
    /// Writes durably: when this returns `Ok`, it is on the disk. A caller that goes away does not stop the write.
    pub(super) async fn write<T: Send + 'static>(
        &self,
        write: impl FnMut(&mut Writing<'_>) -> rusqlite::Result<T> + Send + 'static,
    ) -> Result<T, StoreError> {
        self.write_then(write, |_| ()).await
    }

    /// Writes what is done once more if it is lost with the power, and waits for no disk: so many rows, or as good as that.
    pub(super) async fn write_repeatable<T: Send + 'static>(
        &self,
        rows: usize,
        write: impl FnMut(&mut Writing<'_>) -> rusqlite::Result<T> + Send + 'static,
    ) -> Result<T, StoreError> {
        self.write_as(Promise::Repeatable { rows }, write, |_| ()).await
    }

    /// Writes durably as [`write`](Self::write) does, and then does something quick, also where the caller went away.
    pub(super) async fn write_then<T: Send + 'static>(
        &self,
        write: impl FnMut(&mut Writing<'_>) -> rusqlite::Result<T> + Send + 'static,
        then: impl FnOnce(&T) + Send + 'static,
    ) -> Result<T, StoreError> {
        self.write_as(Promise::Durable, write, then).await
    }

    async fn write_as<T: Send + 'static>(
        &self,
        promise: Promise,
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
        self.writer.0.try_send(job).map_err(|refused| match refused {
            mpsc::error::TrySendError::Full(_) => StoreError::Overloaded,
            mpsc::error::TrySendError::Closed(_) => self.unavailable(&"the writer has stopped"),
        })?;
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
            job.answer(outcome.clone());
        }
    }
}

/// Writes that nobody was promised anything of, in their order. What a delivery waits for goes before them, and with it as many of
/// them as it does not notice. Each with its rows.
#[derive(Default)]
struct Waiting(VecDeque<(usize, Box<dyn Job>)>);

impl Waiting {
    /// What is to be committed now, of what has come and what waits.
    fn let_first(&mut self, come: Jobs) -> Jobs {
        let mut together = Vec::with_capacity(come.len());
        for job in come {
            match job.promise() {
                Promise::Durable => together.push(job),
                Promise::Repeatable { rows } => self.0.push_back((rows.max(1), job)),
            }
        }
        let mut all = 0;
        while let Some((rows, job)) = self.0.pop_front_if(|(rows, _)| all == 0 || all + *rows <= ROWS) {
            all += rows;
            together.push(job);
        }
        together
    }
}

struct Loop {
    connection: Connection,
    ids: EntryIds,
    recent: Recent,
    file: Arc<str>,
    syncer: Syncer,
    checkpoints: Checkpoints,
    done: mpsc::UnboundedSender<Outcomes>,
}

impl Loop {
    fn run(mut self, mut receiver: mpsc::Receiver<Box<dyn Job>>) {
        let (mut jobs, mut waiting) = (Vec::with_capacity(BATCH), Waiting::default());
        loop {
            if waiting.0.is_empty() {
                if receiver.blocking_recv_many(&mut jobs, BATCH) == 0 {
                    return;
                }
                // Whoever is about to write as well goes first, where somebody is: a commit costs about as much for many as for one.
                thread::yield_now();
            }
            while jobs.len() < BATCH
                && waiting.0.len() < WAITING
                && let Ok(job) = receiver.try_recv()
            {
                jobs.push(job);
            }
            let together = std::mem::replace(&mut jobs, Vec::with_capacity(BATCH));
            let mut together = waiting.let_first(together);
            match self.commit(&mut together) {
                Err(_) if together.len() > 1 => self.commit_one_by_one(together),
                outcome => self.end(together, outcome),
            }
            self.checkpoints.look(&self.connection);
        }
    }

    /// One bad write must not take its neighbours with it.
    fn commit_one_by_one(&mut self, jobs: Vec<Box<dyn Job>>) {
        for job in jobs {
            let mut alone = vec![job];
            let outcome = self.commit(&mut alone);
            self.end(alone, outcome);
        }
    }

    /// Has writes answered: what is committed as it was promised, and what failed at once. Where the runtime is gone, so is
    /// everybody who waited.
    fn end(&self, mut jobs: Jobs, outcome: Result<(), String>) {
        match outcome {
            Ok(()) => {
                let repeatable = jobs.extract_if(.., |job| job.promise() != Promise::Durable);
                let repeatable: Jobs = repeatable.collect();
                if !repeatable.is_empty() {
                    let _ = self.done.send((repeatable, Ok(())));
                }
                if !jobs.is_empty() {
                    self.syncer.take(jobs);
                }
            }
            Err(problem) => {
                let file = self.file.to_string();
                let _ = self.done.send((jobs, Err(StoreError::Unavailable { file, problem })));
            }
        }
    }

    fn commit(&mut self, jobs: &mut [Box<dyn Job>]) -> Result<(), String> {
        self.syncer.settle(&self.connection)?;
        self.write(jobs).map_err(|error| error.to_string())
    }

    fn write(&mut self, jobs: &mut [Box<dyn Job>]) -> rusqlite::Result<()> {
        let insertion = self.connection.prepare_cached(super::intake::INSERT)?;
        self.transaction("BEGIN IMMEDIATE")?;
        let mut writing = Writing {
            connection: &self.connection,
            insertion,
            ids: &mut self.ids,
            recent: &mut self.recent,
        };
        let run = AssertUnwindSafe(|| jobs.iter_mut().try_for_each(|job| job.run(&mut writing)));
        // A bug in one write must not stop all others for good: it is rolled back and refused like any failure.
        let done = catch_unwind(run).unwrap_or(Err(rusqlite::Error::UnwindingPanic));
        drop(writing);
        let done = done.and_then(|()| self.transaction("COMMIT"));
        if done.is_err() && !self.connection.is_autocommit() {
            // The transaction may be over already; if rolling back fails, the next BEGIN says so.
            let _ = self.transaction("ROLLBACK");
        }
        match done {
            Ok(()) => self.recent.committed(),
            Err(_) => self.recent.rolled_back(),
        }
        done
    }

    /// Begins or ends a transaction. There are thousands of them in a second, so that to parse it each time would show.
    fn transaction(&self, statement: &str) -> rusqlite::Result<()> {
        self.connection.prepare_cached(statement)?.execute([]).map(drop)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Of(Promise);

    impl Job for Of {
        fn promise(&self) -> Promise {
            self.0
        }

        fn run(&mut self, _: &mut Writing<'_>) -> rusqlite::Result<()> {
            Ok(())
        }

        fn answer(self: Box<Self>, _: Result<(), StoreError>) {}
    }

    #[test]
    fn a_delivery_goes_before_what_is_done_once_more_and_takes_little_of_it_along() {
        let (durable, repeatable) = (Promise::Durable, |rows| Promise::Repeatable { rows });
        let mut waiting = Waiting::default();
        for (come, expected) in [
            (
                vec![repeatable(40), durable, repeatable(30), repeatable(10), durable],
                vec![durable, durable, repeatable(40)],
            ),
            (vec![durable], vec![durable, repeatable(30), repeatable(10)]),
            // What is more than fits is alone, and nothing overtakes it.
            (vec![repeatable(500), repeatable(1)], vec![repeatable(500)]),
            (vec![durable], vec![durable, repeatable(1)]),
            (vec![], vec![]),
        ] {
            let come = come.into_iter().map(|promise| Box::new(Of(promise)) as Box<dyn Job>);
            let together = waiting.let_first(come.collect());
            let together: Vec<_> = together.iter().map(|job| job.promise()).collect();
            assert_eq!(together, expected);
        }
    }
}
