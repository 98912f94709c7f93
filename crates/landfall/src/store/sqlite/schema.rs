//! The tables, and how an older file becomes a current one.

use rusqlite::Connection;

use super::BUSY;

/// Each step takes the schema one version further; `user_version` counts them. A step that has shipped is never changed.
const STEPS: [&str; 2] = [include_str!("schema/1.sql"), include_str!("schema/2.sql")];

/// Makes the file current and sets the connection up for the writer.
pub(super) fn prepare(connection: &Connection) -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
    connection.busy_timeout(BUSY)?;
    connection.pragma_update(None, "journal_mode", "WAL")?;
    // The steps need no sync of their own: they are in the log before whatever is written later, and are synced with it.
    connection.pragma_update(None, "synchronous", "NORMAL")?;
    // A checkpoint writes each page that has changed once, however often it has, so rare ones write less. At the default of
    // 1000 pages, every few commits of a busy second make one. 4096 pages are 16 MiB of write-ahead log.
    connection.pragma_update(None, "wal_autocheckpoint", 4096)?;
    // What deduplication remembers is looked up all over its table, which is to stay in memory: 8 MiB, once it is needed.
    connection.pragma_update(None, "cache_size", -8192)?;
    let version: u32 = connection.pragma_query_value(None, "user_version", |row| row.get(0))?;
    let version = usize::try_from(version)?;
    if version > STEPS.len() {
        return Err(format!("it was written by a newer version of landfall (schema {version})").into());
    }
    for (step, sql) in STEPS.iter().enumerate().skip(version) {
        connection.execute_batch(&format!(
            "BEGIN IMMEDIATE; {sql} PRAGMA user_version = {}; COMMIT;",
            step + 1
        ))?;
    }
    // FULL: a commit is on the disk before it returns, which is what a 2xx promises.
    connection.pragma_update(None, "synchronous", "FULL")?;
    connection.set_prepared_statement_cache_capacity(64);
    Ok(())
}
