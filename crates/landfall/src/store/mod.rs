//! Keeps the journal, the catalog and the resources' statuses in an SQLite file: the one folder that names the database.
//! It decides nothing: states come from and go back to `landfall-core`.

mod catalog;
mod entries;
mod lock;
mod resources;
mod retention;
mod rows;
mod schema;
mod work;
mod writer;

use std::path::Path;
use std::sync::{Arc, Mutex};

use rusqlite::{Connection, OpenFlags};

pub use entries::{Acceptance, Entry, EntryFilter, Matched, NewEntry, NewReport, Recorded, Unmatched};
pub use resources::{ResourceRecord, ResourceWrite};
pub use work::{AttemptRecord, Hint, Settlement, WaitingWork, WorkRecord};

use lock::FolderLock;
use writer::Writer;

/// The store could not do what was asked. It may be able to in a moment: nothing was written.
#[derive(Debug, Clone, thiserror::Error)]
pub enum StoreError {
    /// The database refused: no space, locked by somebody, or the disk failed.
    #[error("the journal in {file} is not available: {problem}")]
    Unavailable {
        /// The database file.
        file: String,
        /// What SQLite says.
        problem: String,
    },
    /// More waits to be written than may wait.
    #[error("the journal is overloaded")]
    Overloaded,
}

/// The database cannot be used at all.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// Another process works in the folder.
    #[error("another landfall is using the data folder {0}; stop it, or choose another folder with --data-dir")]
    InUse(String),
    /// The folder cannot be made or entered.
    #[error("the data folder {0} cannot be used: {1}")]
    Folder(String, std::io::Error),
    /// The file is no database of ours, or a newer version's.
    #[error("{0} cannot be opened: {1}")]
    Database(String, String),
}

/// A handle to the database; cheap to clone.
#[derive(Clone)]
pub struct Store {
    writer: Writer,
    readers: Arc<Readers>,
    file: Arc<str>,
    _lock: Arc<FolderLock>,
}

/// Read-only connections, as many as ever read at once.
struct Readers {
    file: Arc<str>,
    idle: Mutex<Vec<Connection>>,
}

/// How long a statement waits for a lock that somebody else holds. Shorter than the shortest time-out of a sender
/// (Distribution's documented sample is 500 ms), so that the answer is our 503 and not silence.
const BUSY: std::time::Duration = std::time::Duration::from_millis(300);

impl Store {
    /// Opens or makes the database in `folder`, and keeps the folder for this process.
    pub fn open(folder: &Path) -> Result<Self, OpenError> {
        let lock = FolderLock::take(folder)?;
        let path = folder.join("landfall.db");
        let file: Arc<str> = path.display().to_string().into();
        let describe = |error: &dyn std::fmt::Display| OpenError::Database(file.to_string(), error.to_string());
        let connection = Connection::open(&path).map_err(|error| describe(&error))?;
        schema::prepare(&connection).map_err(|error| describe(&error))?;
        let last = entries::last_id(&connection).map_err(|error| describe(&error))?;
        let writer = Writer::start(connection, last, file.clone()).map_err(|error| describe(&error))?;
        let readers = Arc::new(Readers {
            file: file.clone(),
            idle: Mutex::new(Vec::new()),
        });
        Ok(Self {
            writer,
            readers,
            file,
            _lock: Arc::new(lock),
        })
    }

    /// Runs `read` on a connection that sees the last commit.
    async fn read<T: Send + 'static>(
        &self,
        read: impl FnOnce(&Connection) -> rusqlite::Result<T> + Send + 'static,
    ) -> Result<T, StoreError> {
        let readers = self.readers.clone();
        let done = tokio::task::spawn_blocking(move || readers.with(read)).await;
        match done {
            Ok(result) => result.map_err(|error| self.unavailable(&error)),
            Err(panicked) => Err(self.unavailable(&panicked)),
        }
    }

    fn unavailable(&self, problem: &dyn std::fmt::Display) -> StoreError {
        StoreError::Unavailable {
            file: self.file.to_string(),
            problem: problem.to_string(),
        }
    }
}

impl Readers {
    fn with<T>(&self, read: impl FnOnce(&Connection) -> rusqlite::Result<T>) -> rusqlite::Result<T> {
        let idle = self
            .idle
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner)
            .pop();
        let connection = match idle {
            Some(connection) => connection,
            None => {
                let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
                let connection = Connection::open_with_flags(&*self.file, flags)?;
                connection.busy_timeout(BUSY)?;
                connection
            }
        };
        let result = read(&connection);
        let mut idle = self.idle.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        if result.is_ok() && idle.len() < 4 {
            idle.push(connection);
        }
        result
    }
}

#[cfg(test)]
mod tests;
