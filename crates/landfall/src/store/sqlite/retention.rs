//! Lets finished entries go, as the core's retention says.

use jiff::Timestamp;
use landfall_core::journal::{EntryId, Retention};
use rusqlite::{Connection, params};

use super::{Store, StoreError};

impl Store {
    /// Lets finished entries go, a slice at a time so that nobody waits for it. Says whether there is more to do.
    pub async fn prune(&self, retention: Retention, now: Timestamp) -> Result<bool, StoreError> {
        const SLICE: u32 = 500;
        // Counting walks the whole table, which the writer has no time for.
        let total: i64 = self
            .read(|connection| connection.query_row("SELECT count(*) FROM entries", [], |row| row.get(0)))
            .await?;
        self.write_repeatable(SLICE as usize, move |writing| {
            let connection = writing.connection;
            let aged = doomed(connection, Some(retention.oldest_kept(now)), SLICE.into())?;
            let left = u64::from(SLICE).saturating_sub(aged.len() as u64);
            let surplus = retention.surplus(total.unsigned_abs()).min(left);
            let surplus = doomed(connection, None, surplus)?;
            let more = aged.len() + surplus.len() == SLICE as usize;
            for (id, keys) in aged.into_iter().chain(surplus) {
                remove(connection, id, &keys)?;
            }
            Ok(more)
        })
        .await
    }
}

/// The oldest finished entries with their keys, never the newest of all, after which ids go on: those below `floor`, or any. Work that waits keeps its entry; work that was
/// given up keeps it until it is too old.
fn doomed(connection: &Connection, floor: Option<EntryId>, limit: u64) -> rusqlite::Result<Vec<(i64, Vec<u8>)>> {
    let unfinished = if floor.is_some() {
        "due IS NOT NULL"
    } else {
        "(due IS NOT NULL OR summary = 'dead')"
    };
    let sql = format!(
        "SELECT id, keys FROM entries WHERE id < ?1 AND id < (SELECT max(id) FROM entries) AND (verdict <> 'accepted' OR matched IS NOT NULL)
         AND NOT EXISTS (SELECT 1 FROM work WHERE work.entry = entries.id AND {unfinished}) ORDER BY id LIMIT ?2"
    );
    let mut statement = connection.prepare_cached(&sql)?;
    let floor = floor.map_or(i64::MAX, EntryId::as_i64);
    let rows = statement.query_map(params![floor, i64::try_from(limit).unwrap_or(i64::MAX)], |row| {
        Ok((row.get(0)?, row.get(1)?))
    })?;
    rows.collect()
}

fn remove(connection: &Connection, id: i64, keys: &[u8]) -> rusqlite::Result<()> {
    for table in ["attempts WHERE entry", "work WHERE entry", "entries WHERE id"] {
        connection
            .prepare_cached(&format!("DELETE FROM {table} = ?1"))?
            .execute([id])?;
    }
    for key in keys.chunks(16) {
        connection
            .prepare_cached("DELETE FROM seen WHERE key = ?1 AND entry = ?2")?
            .execute(params![key, id])?;
    }
    Ok(())
}
