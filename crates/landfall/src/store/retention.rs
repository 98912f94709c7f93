//! Lets go of what nobody needs: finished entries, as the core's retention says, and contents without a tag.

use std::collections::BTreeMap;

use jiff::Timestamp;
use landfall_core::journal::{EntryId, Retention};
use rusqlite::{Connection, params};

use super::rows::json;
use super::{Store, StoreError};

impl Store {
    /// Lets finished entries and unused contents go, a slice at a time so that nobody waits for it. Says whether there is
    /// more to do.
    pub async fn prune(&self, retention: Retention, now: Timestamp) -> Result<bool, StoreError> {
        let more = self.prune_entries(retention, now).await?;
        Ok(self.prune_contents(now).await? || more)
    }

    async fn prune_entries(&self, retention: Retention, now: Timestamp) -> Result<bool, StoreError> {
        const SLICE: u64 = 500;
        // Counting walks the whole table, which the writer has no time for.
        let total: i64 = self
            .read(|connection| connection.query_row("SELECT count(*) FROM entries", [], |row| row.get(0)))
            .await?;
        self.write(move |writing| {
            let connection = writing.connection;
            let aged = doomed(connection, Some(retention.oldest_kept(now)), SLICE)?;
            let surplus = doomed(connection, None, retention.surplus(total.unsigned_abs()).min(SLICE))?;
            let more = aged.len() as u64 == SLICE || surplus.len() as u64 == SLICE;
            for (id, keys) in aged.into_iter().chain(surplus) {
                remove(connection, id, &keys)?;
            }
            Ok(more)
        })
        .await
    }

    /// Lets contents go that no tag of their repository points at any more: those of a sixtieth of the repositories, each
    /// minute of an hour another one, since finding them reads all that is known of a repository. The contents of an
    /// index's images go too; that the index has been read is kept under its own digest.
    async fn prune_contents(&self, now: Timestamp) -> Result<bool, StoreError> {
        let minute = now.as_second().div_euclid(60).rem_euclid(60);
        let unused = self.read(move |connection| unused_contents(connection, minute)).await?;
        if unused.is_empty() {
            return Ok(false);
        }
        self.write(move |writing| {
            for (repository, digests) in &unused {
                // A tag may have come back to a content since it was found unused.
                writing
                    .connection
                    .prepare_cached(
                        "DELETE FROM contents WHERE repository = ?1 AND digest IN (SELECT value FROM json_each(?2))
                         AND digest NOT IN (SELECT digest FROM tags WHERE repository = ?1 AND digest IS NOT NULL)",
                    )?
                    .execute(params![repository, json(digests)])?;
            }
            Ok(unused.values().map(Vec::len).sum::<usize>() == CONTENTS)
        })
        .await
    }
}

/// At most so many contents go at once.
const CONTENTS: usize = 1_000;

/// Some of the digests that no tag points at, by the repositories whose turn it is.
///
/// `CROSS` keeps the database from reading the contents of all repositories for those of a few.
fn unused_contents(connection: &Connection, minute: i64) -> rusqlite::Result<BTreeMap<i64, Vec<String>>> {
    let mut statement = connection.prepare_cached(
        "SELECT contents.repository, contents.digest FROM repositories CROSS JOIN contents ON contents.repository = repositories.id
         WHERE repositories.id % 60 = ?1
         EXCEPT SELECT tags.repository, tags.digest FROM repositories CROSS JOIN tags ON tags.repository = repositories.id
         WHERE repositories.id % 60 = ?1 LIMIT ?2",
    )?;
    let mut unused: BTreeMap<i64, Vec<String>> = BTreeMap::new();
    let rows = statement.query_map(params![minute, CONTENTS as i64], |row| Ok((row.get(0)?, row.get(1)?)))?;
    for row in rows {
        let (repository, digest) = row?;
        unused.entry(repository).or_default().push(digest);
    }
    Ok(unused)
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
