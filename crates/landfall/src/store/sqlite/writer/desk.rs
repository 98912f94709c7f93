//! What is needed to write, and how it is done: one commit for all that is brought, or one for each where that fails.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use landfall_core::journal::EntryIds;
use rusqlite::Connection;
use tokio::sync::mpsc;

use super::super::StoreError;
use super::super::checkpoints::Checkpoints;
use super::super::durability::{Committed, Syncer};
use super::super::intake::INSERT;
use super::super::recent::Recent;
use super::{Job, Jobs, Outcomes, Promise, Writing};

/// Why nothing was committed.
enum Refused {
    /// Nothing can be: each write alone would only wait for the same once more.
    All(String),
    /// One of the writes may be the reason.
    Perhaps(String),
}

/// There is one, and whoever has it writes.
pub(super) struct Desk {
    pub(super) connection: Connection,
    pub(super) ids: EntryIds,
    pub(super) recent: Recent,
    pub(super) file: Arc<str>,
    pub(super) syncer: Syncer,
    pub(super) checkpoints: Checkpoints,
    pub(super) done: mpsc::UnboundedSender<Outcomes>,
}

impl Desk {
    /// Commits writes, and has those answered that failed or wait for no disk. Returns those that do.
    pub(super) fn commit(&mut self, mut jobs: Jobs) -> Option<Committed> {
        let committed = match self.try_commit(&mut jobs) {
            // One bad write must not take its neighbours with it.
            Err(Refused::Perhaps(_)) if jobs.len() > 1 => {
                let alone = jobs.into_iter().map(|job| vec![job]);
                let committed = alone.flat_map(|mut job| {
                    let outcome = self.try_commit(&mut job);
                    self.end(job, outcome)
                });
                committed.collect()
            }
            outcome => self.end(jobs, outcome),
        };
        (!committed.is_empty()).then(|| self.syncer.committed(committed))
    }

    /// Where the runtime is gone, so is everybody who waited for an answer.
    fn end(&self, mut jobs: Jobs, outcome: Result<(), Refused>) -> Jobs {
        match outcome {
            Ok(()) => {
                let repeatable = jobs.extract_if(.., |job| job.promise() != Promise::Durable);
                let repeatable: Jobs = repeatable.collect();
                if !repeatable.is_empty() {
                    self.syncer.note_loose();
                    let _ = self.done.send((repeatable, Ok(())));
                }
                jobs
            }
            Err(Refused::All(problem) | Refused::Perhaps(problem)) => {
                let file = self.file.to_string();
                let _ = self.done.send((jobs, Err(StoreError::Unavailable { file, problem })));
                Jobs::new()
            }
        }
    }

    fn try_commit(&mut self, jobs: &mut [Box<dyn Job>]) -> Result<(), Refused> {
        self.syncer.settle(&self.connection).map_err(Refused::All)?;
        self.transaction("BEGIN IMMEDIATE")
            .map_err(|error| Refused::All(error.to_string()))?;
        self.write(jobs).map_err(|error| Refused::Perhaps(error.to_string()))
    }

    /// Writes into the transaction that has begun, and ends it.
    fn write(&mut self, jobs: &mut [Box<dyn Job>]) -> rusqlite::Result<()> {
        let (connection, ids, recent) = (&self.connection, &mut self.ids, &mut self.recent);
        let run = AssertUnwindSafe(|| {
            let insertion = connection.prepare_cached(INSERT)?;
            let mut writing = Writing {
                connection,
                insertion,
                ids,
                recent,
            };
            jobs.iter_mut().try_for_each(|job| job.run(&mut writing))
        });
        // A bug in one write must not stop all others for good: it is rolled back and refused like any failure.
        let done = catch_unwind(run).unwrap_or(Err(rusqlite::Error::UnwindingPanic));
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
