//! Brings commits to the disk and then has them answered, on a thread of its own: while one sync is on its way, the writer
//! prepares the next commit.

use std::fs::File;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread;

use rusqlite::Connection;
use tokio::sync::mpsc::UnboundedSender;

use super::StoreError;
use super::writer::{Jobs, Outcomes};

/// Syncs what is committed, in the order in which it was.
pub(super) struct Syncer {
    commits: SyncSender<Jobs>,
    /// A sync has failed. What was committed since the last one that did not may be on the disk or not, and a later sync that
    /// succeeds proves nothing of it: the system reports a page that could not be written once.
    in_doubt: Arc<AtomicBool>,
}

/// The write-ahead log of a database that has one already. SQLite keeps it, under this name, for as long as a connection is
/// open.
pub(super) fn log_of(connection: &Connection) -> io::Result<File> {
    File::open(format!("{}-wal", connection.path().unwrap_or_default()))
}

impl Syncer {
    /// Starts the thread. `sync` returns when the whole log is on the disk.
    pub(super) fn start(
        mut sync: impl FnMut() -> io::Result<()> + Send + 'static,
        file: Arc<str>,
        done: UnboundedSender<Outcomes>,
    ) -> io::Result<Self> {
        // The writer hands a commit over when the sync of the one before has ended. Meanwhile more writes gather for the next.
        let (commits, committed) = sync_channel(0);
        let in_doubt = Arc::new(AtomicBool::new(false));
        let doubt = in_doubt.clone();
        let work = move || serve(&committed, &mut sync, &file, &doubt, &done);
        thread::Builder::new().name("journal-sync".to_owned()).spawn(work)?;
        Ok(Self { commits, in_doubt })
    }

    /// Has writes answered once their commit is on the disk. Where nobody syncs any more, they are never answered, and whoever
    /// waits learns that.
    pub(super) fn take(&self, jobs: Jobs) {
        let _ = self.commits.send(jobs);
    }

    /// Ends a doubt about what is on the disk before anything more is written: all that is in the log goes into the database,
    /// which is synced, and the log begins anew. While that cannot be done, nothing is written.
    pub(super) fn settle(&self, connection: &Connection) -> Result<(), String> {
        if !self.in_doubt.load(Ordering::Acquire) {
            return Ok(());
        }
        let busy: bool = connection
            .query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |row| row.get(0))
            .map_err(|error| error.to_string())?;
        if busy {
            return Err("what could not be synced is still being read".to_owned());
        }
        self.in_doubt.store(false, Ordering::Release);
        Ok(())
    }
}

fn serve(
    committed: &Receiver<Jobs>,
    sync: &mut impl FnMut() -> io::Result<()>,
    file: &Arc<str>,
    in_doubt: &AtomicBool,
    done: &UnboundedSender<Outcomes>,
) {
    while let Ok(jobs) = committed.recv() {
        let outcome = match in_doubt.load(Ordering::Acquire) {
            true => Err("a commit before this one could not be synced".to_owned()),
            false => sync().map_err(|error| {
                in_doubt.store(true, Ordering::Release);
                format!("its log cannot be synced: {error}")
            }),
        };
        let outcome = outcome.map_err(|problem| StoreError::Unavailable {
            file: file.to_string(),
            problem,
        });
        // Where the runtime is gone, so is everybody who waited.
        let _ = done.send((jobs, outcome));
    }
}
