//! Brings commits to the disk and then has them answered. Where a sync takes long, a thread of its own waits for it, and the writer
//! prepares the next commit meanwhile.

use std::fs::File;
use std::io;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use rusqlite::Connection;
use tokio::sync::mpsc::UnboundedSender;

use super::StoreError;
use super::writer::{Jobs, Outcomes};

/// A sync that takes longer, on average, is worth a thread that waits for it. With a quicker one, the writer does better to wait
/// by itself: more writes share the commit after, and nobody has to be woken.
const SLOW: Duration = Duration::from_micros(400);
/// What nobody waits for is brought to the disk after so long, so that the next delivery has little to wait for: its sync writes all
/// that was committed since the last one.
const LOOSE: Duration = Duration::from_millis(10);
/// How many syncs the average is over, roughly.
const AVERAGED: u64 = 8;

/// Syncs what is committed, in the order in which it was.
pub(super) struct Syncer {
    shared: Arc<Shared>,
    /// To the thread that waits for slow syncs.
    commits: SyncSender<Jobs>,
}

struct Shared {
    /// Returns when the whole log is on the disk.
    sync: Mutex<Sync>,
    /// A sync has failed. What was committed since the last one that did not may be on the disk or not, and a later sync that
    /// succeeds proves nothing of it: the system reports a page that could not be written once.
    in_doubt: AtomicBool,
    /// How long a sync takes, in nanoseconds.
    average: AtomicU64,
    /// Something is committed that is not on the disk yet, and for which nobody waits.
    loose: AtomicBool,
    /// Syncs that are on their way, or about to be, for which somebody waits.
    awaited: AtomicUsize,
    file: Arc<str>,
    done: UnboundedSender<Outcomes>,
}

type Sync = Box<dyn FnMut() -> io::Result<()> + Send>;

/// The write-ahead log of a database that has one already. SQLite keeps it, under this name, for as long as a connection is
/// open.
pub(super) fn log_of(connection: &Connection) -> io::Result<File> {
    File::open(format!("{}-wal", connection.path().unwrap_or_default()))
}

/// Has the log on the disk, and makes sure that whoever opens the database by its name finds it: one that was deleted or replaced
/// under a running process takes everything, and it is gone with the process.
pub(super) fn synced_in_place(log: File, database: PathBuf) -> impl FnMut() -> io::Result<()> + Send + 'static {
    let identity = |path: &Path| path.metadata().map(|file| (file.dev(), file.ino()));
    let opened = identity(&database).ok();
    move || {
        log.sync_data()?;
        match identity(&database).ok() {
            Some(found) if Some(found) == opened => Ok(()),
            _ => Err(io::Error::other(
                "the file is not the one that was opened: it was deleted or replaced; put it back, or restart landfall",
            )),
        }
    }
}

impl Syncer {
    /// Starts the thread. `sync` returns when the whole log is on the disk.
    pub(super) fn start(
        sync: impl FnMut() -> io::Result<()> + Send + 'static,
        file: Arc<str>,
        done: UnboundedSender<Outcomes>,
    ) -> io::Result<Self> {
        let shared = Arc::new(Shared {
            sync: Mutex::new(Box::new(sync)),
            in_doubt: AtomicBool::new(false),
            // Until more is known of the disk, it is a slow one.
            average: AtomicU64::new(nanoseconds(10 * SLOW)),
            loose: AtomicBool::new(false),
            awaited: AtomicUsize::new(0),
            file,
            done,
        });
        // A commit is handed over when the sync of the one before has ended. Meanwhile more writes gather for the next.
        let (commits, committed) = sync_channel(0);
        let work = {
            let shared = shared.clone();
            move || shared.serve(&committed)
        };
        thread::Builder::new().name("journal-sync".to_owned()).spawn(work)?;
        Ok(Self { shared, commits })
    }

    /// Has writes answered once their commit is on the disk.
    pub(super) fn take(&self, jobs: Jobs) {
        if jobs.is_empty() {
            return;
        }
        if self.shared.average.load(Ordering::Relaxed) < nanoseconds(SLOW) {
            self.shared.finish(jobs);
        } else {
            // The thread lives as long as this; if it did not, whoever waits would learn that nobody answers.
            let _ = self.commits.send(jobs);
        }
    }

    /// Answers writes once their commit is on the disk. Whoever calls waits for it, and is one of the runtime's threads.
    pub(super) fn wait_for(&self, jobs: Jobs) {
        if jobs.is_empty() {
            return;
        }
        let outcome = self.shared.outcome();
        for job in jobs {
            job.answer(outcome.clone());
        }
    }

    /// Something was committed for which nobody waits.
    pub(super) fn note_loose(&self) {
        if !self.shared.loose.swap(true, Ordering::AcqRel) {
            // To nobody in particular; where the thread does something else, it looks afterwards.
            let _ = self.commits.try_send(Jobs::new());
        }
    }

    /// Whether somebody waits for the disk now.
    pub(super) fn is_awaited(&self) -> bool {
        self.shared.awaited.load(Ordering::Acquire) > 0
    }

    /// Ends a doubt about what is on the disk before anything more is written: all that is in the log goes into the database,
    /// which is synced, and the log begins anew. While that cannot be done, nothing is written.
    pub(super) fn settle(&self, connection: &Connection) -> Result<(), String> {
        if !self.shared.in_doubt.load(Ordering::Acquire) {
            return Ok(());
        }
        let busy: bool = connection
            .query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |row| row.get(0))
            .map_err(|error| error.to_string())?;
        if busy {
            return Err("what could not be synced is still being read".to_owned());
        }
        self.shared.in_doubt.store(false, Ordering::Release);
        Ok(())
    }
}

impl Shared {
    /// Runs until there is no writer any more.
    fn serve(&self, committed: &Receiver<Jobs>) {
        loop {
            let next = match self.loose.load(Ordering::Acquire) {
                true => committed.recv_timeout(LOOSE),
                false => committed.recv().map_err(RecvTimeoutError::from),
            };
            match next {
                Ok(jobs) if jobs.is_empty() => {}
                Ok(jobs) => self.finish(jobs),
                // If it fails, that is made good before anything else is written, and whoever writes then is told.
                Err(RecvTimeoutError::Timeout) if self.loose.load(Ordering::Acquire) => drop(self.sync()),
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => return,
            }
        }
    }

    fn finish(&self, jobs: Jobs) {
        let outcome = self.outcome();
        // Where the runtime is gone, so is everybody who waited.
        let _ = self.done.send((jobs, outcome));
    }

    fn outcome(&self) -> Result<(), StoreError> {
        self.awaited.fetch_add(1, Ordering::AcqRel);
        let synced = self.sync();
        self.awaited.fetch_sub(1, Ordering::AcqRel);
        synced.map_err(|problem| StoreError::Unavailable {
            file: self.file.to_string(),
            problem,
        })
    }

    fn sync(&self) -> Result<(), String> {
        let mut sync = self.sync.lock().unwrap_or_else(PoisonError::into_inner);
        if self.in_doubt.load(Ordering::Acquire) {
            return Err("a commit before this one could not be synced".to_owned());
        }
        self.loose.store(false, Ordering::Release);
        let began = Instant::now();
        sync().map_err(|error| {
            self.in_doubt.store(true, Ordering::Release);
            format!("its log cannot be synced: {error}")
        })?;
        let (average, took) = (self.average.load(Ordering::Relaxed), nanoseconds(began.elapsed()));
        let average = average - average / AVERAGED + took / AVERAGED;
        self.average.store(average, Ordering::Relaxed);
        Ok(())
    }
}

fn nanoseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}
