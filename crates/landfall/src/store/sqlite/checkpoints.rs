//! Moves what the write-ahead log holds into the database, so that the log can begin anew. Most of it is moved beside the writer,
//! who would keep everybody waiting meanwhile.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread;

use rusqlite::{Connection, OpenFlags};

/// So many pages gather in the log, 16 MiB. A checkpoint writes each page that has changed once, however often it has, so rare
/// ones write less.
const PAGES: u32 = 4096;

/// When the log is emptied, and by whom.
pub(super) struct Checkpoints {
    /// Pages in the log after the last commit.
    pages: Arc<AtomicU32>,
    /// Pages that were in the log when it was last emptied as far as readers let us; it begins anew with the next write, unless
    /// somebody still reads from it.
    emptied_at: u32,
    helper: SyncSender<()>,
    stage: Stage,
    /// The helper has done its part.
    is_done: Arc<AtomicBool>,
}

enum Stage {
    /// The log grows.
    Gathering,
    /// The helper moves what was in the log when it began.
    Moving,
}

impl Checkpoints {
    /// Watches the log of the writer's connection, and starts the helper's thread.
    pub(super) fn start(connection: &mut Connection, file: &Arc<str>) -> Result<Self, Box<dyn std::error::Error>> {
        let pages = Arc::new(AtomicU32::new(0));
        let noted = pages.clone();
        // With a hook of our own, SQLite makes no checkpoints by itself.
        connection.wal_hook(Some(move |_: &mut rusqlite::hooks::Wal, count: std::ffi::c_int| {
            noted.store(u32::try_from(count).unwrap_or(0), Ordering::Relaxed);
            Ok(())
        }))?;
        let (helper, requests) = sync_channel(1);
        let is_done = Arc::new(AtomicBool::new(false));
        let (done, file) = (is_done.clone(), file.clone());
        let work = move || help(&requests, &file, &done);
        thread::Builder::new().name("checkpoints".to_owned()).spawn(work)?;
        Ok(Self {
            pages,
            emptied_at: 0,
            helper,
            stage: Stage::Gathering,
            is_done,
        })
    }

    /// The writer has committed, or failed to.
    pub(super) fn look(&mut self, connection: &Connection) {
        let pages = self.pages.load(Ordering::Relaxed);
        if pages < self.emptied_at {
            self.emptied_at = 0;
        }
        match self.stage {
            Stage::Gathering if pages - self.emptied_at >= PAGES => {
                // It waits for requests as long as we are there to make some.
                let _ = self.helper.try_send(());
                self.stage = Stage::Moving;
            }
            // What was written since the helper began is little, and while the writer moves it, nothing is added: so the log
            // is empty at last, and the next write begins it anew.
            Stage::Moving if self.is_done.swap(false, Ordering::Acquire) => {
                checkpoint(connection);
                self.emptied_at = pages;
                self.stage = Stage::Gathering;
            }
            Stage::Gathering | Stage::Moving => {}
        }
    }
}

/// Runs until there is no writer any more.
fn help(requests: &Receiver<()>, file: &str, done: &AtomicBool) {
    let mut connection = None;
    while let Ok(()) = requests.recv() {
        match opened(&mut connection, file) {
            Ok(connection) => checkpoint(connection),
            Err(error) => tracing::warn!(%error, "the journal's log cannot be emptied beside the writer"),
        }
        // Also where it failed: then the writer does it all.
        done.store(true, Ordering::Release);
    }
}

/// A connection of its own, from the first request on.
fn opened<'a>(connection: &'a mut Option<Connection>, file: &str) -> rusqlite::Result<&'a Connection> {
    let opened = match connection.take() {
        Some(opened) => opened,
        None => {
            let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
            Connection::open_with_flags(file, flags)?
        }
    };
    Ok(connection.insert(opened))
}

/// Moves as much as can be moved without anybody waiting. What cannot be is moved the next time.
fn checkpoint(connection: &Connection) {
    if let Err(error) = connection.query_row("PRAGMA wal_checkpoint(PASSIVE)", [], |_| Ok(())) {
        tracing::warn!(%error, "the journal's log could not be moved into its database; it grows until that succeeds");
    }
}
