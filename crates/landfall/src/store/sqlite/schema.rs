//! The tables, and how an older file becomes a current one.

use rusqlite::Connection;
use rusqlite::config::DbConfig;

use super::BUSY;

/// Each step takes the schema one version further; `user_version` counts them. A step that has shipped is never changed.
const STEPS: [&str; 2] = [include_str!("schema/1.sql"), include_str!("schema/2.sql")];

/// Makes the file current and sets the connection up for the writer.
pub(super) fn prepare(connection: &Connection) -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
    connection.busy_timeout(BUSY)?;
    // A delivery has about a kilobyte, of which few fit into SQLite's usual page, and each page is written by itself. It only counts
    // where the file is new.
    connection.pragma_update(None, "page_size", 8192)?;
    keep_statements(connection)?;
    connection.pragma_update(None, "journal_mode", "WAL")?;
    // A commit is in the log, and the writer sees to it that the log is on the disk before anybody is answered. SQLite itself
    // syncs the log before it moves what is in it into the database, and the database before the log begins anew.
    connection.pragma_update(None, "synchronous", "NORMAL")?;
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
    connection.set_prepared_statement_cache_capacity(64);
    Ok(())
}

/// Has statements stay as they were prepared. Where a table has an index of a part of its rows, SQLite otherwise prepares a statement
/// anew whenever its parameters change, should that part be all that it asks for.
pub(super) fn keep_statements(connection: &Connection) -> rusqlite::Result<()> {
    connection
        .set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true)
        .map(drop)
}
