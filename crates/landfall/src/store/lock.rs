//! Keeps a data folder for one process.

use std::fs::{File, OpenOptions, TryLockError};
use std::path::Path;

use super::OpenError;

/// Held as long as the process works in the folder; the system lets go of it when the process dies, however it dies.
pub(super) struct FolderLock(#[expect(dead_code, reason = "held, not read: closing the file releases the lock")] File);

impl FolderLock {
    /// Makes the folder if there is none, for its owner alone, and locks it.
    pub(super) fn take(folder: &Path) -> Result<Self, OpenError> {
        let name = folder.display().to_string();
        let failed = |error| OpenError::Folder(name.clone(), error);
        if !folder.exists() {
            use std::os::unix::fs::DirBuilderExt as _;
            std::fs::DirBuilder::new()
                .recursive(true)
                .mode(0o700)
                .create(folder)
                .map_err(failed)?;
        }
        let file = OpenOptions::new()
            .create(true)
            .truncate(false)
            .write(true)
            .open(folder.join("lock"))
            .map_err(failed)?;
        match file.try_lock() {
            Ok(()) => Ok(Self(file)),
            Err(TryLockError::WouldBlock) => Err(OpenError::InUse(name)),
            Err(TryLockError::Error(error)) => Err(failed(error)),
        }
    }
}
