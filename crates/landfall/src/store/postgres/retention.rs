//! Lets finished entries go, as the core's retention says.

use jiff::Timestamp;
use landfall_core::journal::{EntryId, Retention};

use super::super::StoreError;
use super::Store;
use super::link::{Failure, Link};
use super::locks;

/// So many entries go at once, so that nobody waits for it.
const SLICE: i64 = 500;

/// The oldest finished entries below an id, never the newest of all, after which ids go on. Work that waits keeps its entry.
const AGED: &str = "SELECT id, keys FROM entries WHERE id < $1 AND id < (SELECT max(id) FROM entries)
                    AND (verdict <> 'accepted' OR matched IS NOT NULL)
                    AND NOT EXISTS (SELECT 1 FROM work WHERE work.entry = entries.id AND due IS NOT NULL)
                    ORDER BY id LIMIT $2";
/// The same, and work that was given up keeps its entry too, until it is too old.
const SURPLUS: &str = "SELECT id, keys FROM entries WHERE id < $1 AND id < (SELECT max(id) FROM entries)
                       AND (verdict <> 'accepted' OR matched IS NOT NULL)
                       AND NOT EXISTS (SELECT 1 FROM work
                                       WHERE work.entry = entries.id AND (due IS NOT NULL OR summary = 'dead'))
                       ORDER BY id LIMIT $2";

impl Store {
    /// Lets finished entries go, a slice at a time. Says whether there is more to do. One process does it at a time; the
    /// others have nothing to do meanwhile.
    pub async fn prune(&self, retention: Retention, now: Timestamp) -> Result<bool, StoreError> {
        let mut link = self.link().await?;
        let pruned = prune(&mut link, retention, now).await;
        link.end(pruned)
    }
}

async fn prune(link: &mut Link, retention: Retention, now: Timestamp) -> Result<bool, Failure> {
    link.begin().await?;
    let sql = "SELECT pg_try_advisory_xact_lock($1, $2)";
    let alone = link.query(sql, &[&locks::LANDFALL, &locks::RETENTION]).await?;
    if !alone.first().map(|row| row.try_get(0)).transpose()?.unwrap_or(false) {
        link.rollback().await?;
        return Ok(false);
    }
    let aged = remove(link, AGED, retention.oldest_kept(now), SLICE).await?;
    let total = link.query("SELECT count(*) FROM entries", &[]).await?;
    let total: i64 = total.first().map(|row| row.try_get(0)).transpose()?.unwrap_or_default();
    let surplus = i64::try_from(retention.surplus(total.unsigned_abs())).unwrap_or(SLICE);
    let surplus = remove(link, SURPLUS, EntryId::from_i64(i64::MAX), surplus.min(SLICE)).await?;
    link.commit().await?;
    Ok([aged, surplus].contains(&usize::try_from(SLICE).unwrap_or(usize::MAX)))
}

/// Removes what `doomed` finds, and says how much that was.
async fn remove(link: &mut Link, doomed: &'static str, below: EntryId, limit: i64) -> Result<usize, Failure> {
    let rows = link.query(doomed, &[&below.as_i64(), &limit]).await?;
    let (mut ids, mut keys, mut owners): (Vec<i64>, Vec<&[u8]>, Vec<i64>) = Default::default();
    for row in &rows {
        let id = row.try_get(0)?;
        ids.push(id);
        for key in row.try_get::<_, &[u8]>(1)?.chunks(16) {
            keys.push(key);
            owners.push(id);
        }
    }
    if ids.is_empty() {
        return Ok(0);
    }
    let sql = "DELETE FROM seen USING unnest($1::bytea[], $2::bigint[]) AS gone (key, entry)
               WHERE seen.key = gone.key AND seen.entry = gone.entry";
    link.execute(sql, &[&keys, &owners]).await?;
    for sql in [
        "DELETE FROM attempts WHERE entry = ANY($1)",
        "DELETE FROM work WHERE entry = ANY($1)",
        "DELETE FROM entries WHERE id = ANY($1)",
    ] {
        link.execute(sql, &[&ids]).await?;
    }
    Ok(ids.len())
}
