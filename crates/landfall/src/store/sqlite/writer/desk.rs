//! What is needed to write, and how it is done: one commit for all that is brought, or one for each where that fails.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use landfall_core::journal::EntryIds;
use rusqlite::Connection;
use tokio::sync::mpsc;

use super::super::StoreError;
use super::super::checkpoints::Checkpoints;
use super::super::durability::Syncer;
use super::super::intake::INSERT;
use super::super::recent::Recent;
use super::{Job, Jobs, Outcomes, Promise, Writing};

/// There is one, and whoever has it writes.
pub(super) struct Desk {
    pub(super) connection: Connection,
    pub(super) ids: EntryIds,
    pub(super) recent: Recent,
    pub(super) file: Arc<str>,
    pub(super) syncer: Arc<Syncer>,
    pub(super) checkpoints: Checkpoints,
    pub(super) done: mpsc::UnboundedSender<Outcomes>,
}

impl Desk {
    /// Commits writes, and has those answered that failed or wait for no disk. Returns those that do.
    pub(super) fn commit(&mut self, mut jobs: Jobs) -> Jobs {
        match self.try_commit(&mut jobs) {
            // One bad write must not take its neighbours with it.
            Err(_) if jobs.len() > 1 => {
                let alone = jobs.into_iter().map(|job| vec![job]);
                let committed = alone.flat_map(|mut job| {
                    let outcome = self.try_commit(&mut job);
                    self.end(job, outcome)
                });
                committed.collect()
            }
            outcome => self.end(jobs, outcome),
        }
    }

    /// Where the runtime is gone, so is everybody who waited for an answer.
    fn end(&self, mut jobs: Jobs, outcome: Result<(), String>) -> Jobs {
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
            Err(problem) => {
                let file = self.file.to_string();
                let _ = self.done.send((jobs, Err(StoreError::Unavailable { file, problem })));
                Jobs::new()
            }
        }
    }

    fn try_commit(&mut self, jobs: &mut [Box<dyn Job>]) -> Result<(), String> {
        self.syncer.settle(&self.connection)?;
        self.write(jobs).map_err(|error| error.to_string())
    }

    fn write(&mut self, jobs: &mut [Box<dyn Job>]) -> rusqlite::Result<()> {
        let insertion = self.connection.prepare_cached(INSERT)?;
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
