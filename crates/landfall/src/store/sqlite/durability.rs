//! Brings commits to the disk and then has them answered. Where a sync takes long, a thread of its own waits for it, and the writer
//! prepares the next commit meanwhile. What nobody waits for is brought there soon.

use std::fs::File;
use std::io;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
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
/// that was committed since the last one. More often would cost refreshes more than it saves deliveries.
const LOOSE: Duration = Duration::from_millis(25);
/// How many syncs the average is over, roughly.
const AVERAGED: u64 = 8;

/// Brings to the disk what is committed. Whoever waits may do that by himself, or leave it to a thread.
pub(super) struct Syncer(Arc<Shared>);

struct Shared {
    /// Returns when the whole log is on the disk.
    sync: Mutex<Sync>,
    /// A sync has failed. What was committed since the last one that did not may be on the disk or not, and a later sync that
    /// succeeds proves nothing of it: the system reports a page that could not be written once.
    in_doubt: AtomicBool,
    /// How long a sync takes, in nanoseconds.
    average: AtomicU64,
    /// Commits that somebody waits for.
    awaited: AtomicUsize,
    tray: Mutex<Tray>,
    /// For the thread: something lies on the tray.
    filled: Condvar,
    /// For whoever wants to put something there: the thread is free.
    freed: Condvar,
    file: Arc<str>,
    done: UnboundedSender<Outcomes>,
}

/// What is left to the thread.
struct Tray {
    committed: Option<Committed>,
    /// The thread waits for the disk, and others for that.
    is_busy: bool,
    /// Somebody waits until it does not.
    is_wanted: bool,
    /// Something is committed that is not on the disk yet, and for which nobody waits.
    is_loose: bool,
    is_open: bool,
}

/// Writes of one commit, for which somebody waits.
pub(super) struct Committed {
    jobs: Jobs,
    shared: Arc<Shared>,
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
            awaited: AtomicUsize::new(0),
            tray: Mutex::new(Tray {
                committed: None,
                is_busy: false,
                is_wanted: false,
                is_loose: false,
                is_open: true,
            }),
            filled: Condvar::new(),
            freed: Condvar::new(),
            file,
            done,
        });
        let serving = shared.clone();
        thread::Builder::new()
            .name("journal-sync".to_owned())
            .spawn(move || serving.serve())?;
        Ok(Self(shared))
    }

    /// What was committed and is waited for, from now on.
    pub(super) fn committed(&self, jobs: Jobs) -> Committed {
        self.0.awaited.fetch_add(1, Ordering::AcqRel);
        Committed {
            jobs,
            shared: self.0.clone(),
        }
    }

    /// Has writes answered once their commit is on the disk. Where that takes long, this returns when it has begun, and meanwhile
    /// more writes gather for the next commit.
    pub(super) fn hand_over(&self, committed: Committed) {
        if self.0.average.load(Ordering::Relaxed) < nanoseconds(SLOW) {
            committed.finish();
        } else {
            self.0.put_on_tray(committed);
        }
    }

    /// Something was committed for which nobody waits.
    pub(super) fn note_loose(&self) {
        let mut tray = self.0.tray();
        if !std::mem::replace(&mut tray.is_loose, true) && !tray.is_busy {
            self.0.filled.notify_one();
        }
    }

    /// Whether somebody waits for the disk now.
    pub(super) fn is_awaited(&self) -> bool {
        self.0.awaited.load(Ordering::Acquire) > 0
    }

    /// Ends a doubt about what is on the disk before anything more is written: all that is in the log goes into the database,
    /// which is synced, and the log begins anew. While that cannot be done, nothing is written.
    pub(super) fn settle(&self, connection: &Connection) -> Result<(), String> {
        if !self.0.in_doubt.load(Ordering::Acquire) {
            return Ok(());
        }
        let busy: bool = connection
            .query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |row| row.get(0))
            .map_err(|error| error.to_string())?;
        if busy {
            return Err("what could not be synced is still being read".to_owned());
        }
        self.0.in_doubt.store(false, Ordering::Release);
        Ok(())
    }
}

impl Drop for Syncer {
    fn drop(&mut self) {
        self.0.tray().is_open = false;
        self.0.filled.notify_one();
    }
}

impl Committed {
    /// Waits for the disk and has the writes answered.
    fn finish(mut self) {
        let outcome = self.outcome();
        // Where the runtime is gone, so is everybody who waited.
        let _ = self.shared.done.send((std::mem::take(&mut self.jobs), outcome));
    }

    /// Waits for the disk and answers the writes. Whoever calls is one of the runtime's threads.
    pub(super) fn finish_here(mut self) {
        let outcome = self.outcome();
        for job in std::mem::take(&mut self.jobs) {
            job.answer(outcome.clone());
        }
    }

    fn outcome(&self) -> Result<(), StoreError> {
        self.shared.sync().map_err(|problem| StoreError::Unavailable {
            file: self.shared.file.to_string(),
            problem,
        })
    }
}

impl Drop for Committed {
    fn drop(&mut self) {
        self.shared.awaited.fetch_sub(1, Ordering::AcqRel);
    }
}

impl Shared {
    /// Runs until there is no writer any more.
    fn serve(&self) {
        let mut tray = self.tray();
        loop {
            if let Some(committed) = tray.committed.take() {
                tray.is_busy = true;
                drop(tray);
                committed.finish();
                tray = self.tray();
                tray.is_busy = false;
                if std::mem::take(&mut tray.is_wanted) {
                    self.freed.notify_one();
                }
            } else if !tray.is_open {
                return;
            } else if tray.is_loose {
                let (waited, timeout) = self
                    .filled
                    .wait_timeout(tray, LOOSE)
                    .unwrap_or_else(PoisonError::into_inner);
                tray = waited;
                if timeout.timed_out() && tray.is_loose && tray.committed.is_none() {
                    drop(tray);
                    self.bring_what_is_loose();
                    tray = self.tray();
                }
            } else {
                tray = self.filled.wait(tray).unwrap_or_else(PoisonError::into_inner);
            }
        }
    }

    fn bring_what_is_loose(&self) {
        if let Err(problem) = self.sync() {
            let file = &*self.file;
            tracing::error!(
                file,
                problem,
                "refreshes are not on the disk; nothing more is written until they are"
            );
        }
    }

    /// Returns when the thread is about to bring it to the disk: not before it has done so with what came before.
    fn put_on_tray(&self, committed: Committed) {
        let mut tray = self.tray();
        while tray.is_busy || tray.committed.is_some() {
            tray.is_wanted = true;
            tray = self.freed.wait(tray).unwrap_or_else(PoisonError::into_inner);
        }
        tray.committed = Some(committed);
        self.filled.notify_one();
    }

    fn tray(&self) -> MutexGuard<'_, Tray> {
        self.tray.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn sync(&self) -> Result<(), String> {
        let mut sync = self.sync.lock().unwrap_or_else(PoisonError::into_inner);
        // Of what comes from now on, this sync proves nothing.
        self.tray().is_loose = false;
        if self.in_doubt.load(Ordering::Acquire) {
            return Err("a commit before this one could not be synced".to_owned());
        }
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
