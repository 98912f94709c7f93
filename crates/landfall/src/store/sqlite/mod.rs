//! Keeps the journal, the catalog and the resources' statuses in an SQLite file: the one folder that names that library.

mod catalog;
mod checkpoints;
mod durability;
mod entries;
mod intake;
mod plan;
mod queue;
mod reader;
mod recent;
mod resources;
mod retention;
mod rows;
mod schema;
mod work;
mod writer;

use std::fs::File;
use std::io;
use std::path::Path;
use std::sync::Arc;

use rusqlite::Connection;

use super::{OpenError, StoreError};

use super::lock::FolderLock;
use reader::Readers;
use writer::Writer;

/// A handle to the database; cheap to clone.
#[derive(Clone)]
pub struct Store {
    writer: Writer,
    readers: Readers,
    file: Arc<str>,
    _lock: Arc<FolderLock>,
}

/// How long a statement waits for a lock that somebody else holds. Shorter than the shortest time-out of a sender
/// (Distribution's documented sample is 500 ms), so that the answer is our 503 and not silence.
const BUSY: std::time::Duration = std::time::Duration::from_millis(300);

impl Store {
    /// Opens or makes the database in `folder`, and keeps the folder for this process. It is for a runtime's threads.
    pub fn open(folder: &Path) -> Result<Self, OpenError> {
        let path = folder.join("landfall.db");
        Self::open_with(folder, |log| durability::synced_in_place(log, path))
    }

    /// The same, with another way to have the log on the disk.
    fn open_with<S>(folder: &Path, sync: impl FnOnce(File) -> S) -> Result<Self, OpenError>
    where
        S: FnMut() -> io::Result<()> + Send + 'static,
    {
        let lock = FolderLock::take(folder)?;
        let path = folder.join("landfall.db");
        let file: Arc<str> = path.display().to_string().into();
        let describe = |error: &dyn std::fmt::Display| OpenError::Database(file.to_string(), error.to_string());
        let connection = Connection::open(&path).map_err(|error| describe(&error))?;
        schema::prepare(&connection).map_err(|error| describe(&error))?;
        // The first read makes the log, where there is none.
        let last = entries::last_id(&connection).map_err(|error| describe(&error))?;
        let log = durability::log_of(&connection).map_err(|error| describe(&error))?;
        let writer = Writer::start(connection, last, file.clone(), sync(log)).map_err(|error| describe(&*error))?;
        let readers = Readers::start(&file).map_err(|error| describe(&error))?;
        Ok(Self {
            writer,
            readers,
            file,
            _lock: Arc::new(lock),
        })
    }

    /// Writes what is there already, durably: whether the disk takes it is what a probe wants to know.
    pub async fn check(&self) -> Result<(), StoreError> {
        self.write(|writing| {
            let version: i64 = writing
                .connection
                .pragma_query_value(None, "user_version", |row| row.get(0))?;
            writing.connection.pragma_update(None, "user_version", version)
        })
        .await
    }

    fn unavailable(&self, problem: &dyn std::fmt::Display) -> StoreError {
        StoreError::Unavailable {
            file: self.file.to_string(),
            problem: problem.to_string(),
        }
    }
}

#[cfg(test)]
mod tests;
