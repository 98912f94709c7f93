//! Reads journal entries: what came in, what was made of it, and what is still to be matched and when.

use std::collections::BTreeMap;

use jiff::Timestamp;
use landfall_core::journal::{EntryId, Verdict};
use rusqlite::{Connection, OptionalExtension as _, Row};

use super::super::{Entry, EntryFilter, EntryState, Unmatched, WholeEntry};
use super::rows::{parsed, time};
use super::{Store, StoreError};

const COLUMNS: &str = "id, received, sender, receiver, peer, verdict, reason, duplicate_of, events, matched, slot, secret, headers, body, explanation";

impl Store {
    /// The first entries that are still to be matched and whose turn has come by `by`.
    pub async fn unmatched(&self, limit: u32, by: Timestamp, skipped: u32) -> Result<Vec<Unmatched>, StoreError> {
        self.read(move |connection| {
            let mut statement = connection.prepare_cached(
                "SELECT id, reach, events FROM entries INDEXED BY entries_unmatched
                 WHERE verdict = 'accepted' AND matched IS NULL AND slot <= ?2 ORDER BY slot, id LIMIT ?1 OFFSET ?3",
            )?;
            let rows = statement.query_map((limit, by.as_millisecond(), skipped), |row| {
                Ok(Unmatched {
                    id: EntryId::from_i64(row.get(0)?),
                    reach: parsed(row, 1)?,
                    events: parsed(row, 2)?,
                })
            })?;
            rows.collect()
        })
        .await
    }

    /// When the turn of the next entry that is still to be matched comes.
    pub async fn next_turn(&self) -> Result<Option<Timestamp>, StoreError> {
        self.read(|connection| {
            let slot: Option<i64> = connection
                .prepare_cached(
                    "SELECT min(slot) FROM entries INDEXED BY entries_unmatched
                     WHERE verdict = 'accepted' AND matched IS NULL",
                )?
                .query_row([], |row| row.get(0))?;
            Ok(slot.map(time))
        })
        .await
    }

    /// When the turn of the first entry comes that waits for its turn.
    pub async fn first_turn(&self) -> Result<Option<Timestamp>, StoreError> {
        self.next_turn().await
    }

    /// Brings all turns that are still to come forward, so that the first one comes at `first`; never puts one off.
    pub async fn bring_turns_forward(&self, first: Timestamp) -> Result<(), StoreError> {
        self.write(move |writing| {
            writing
                .connection
                .prepare_cached(
                    "WITH early AS (SELECT max(0, min(slot) - ?1) AS by FROM entries INDEXED BY entries_unmatched
                                    WHERE verdict = 'accepted' AND matched IS NULL AND slot > 0)
                     UPDATE entries SET slot = max(1, slot - (SELECT by FROM early))
                     WHERE verdict = 'accepted' AND matched IS NULL AND slot > 0",
                )?
                .execute([first.as_millisecond()])
                .map(drop)
        })
        .await
    }

    /// Entries, the newest first, each with the number of its targets by state.
    pub async fn entries(&self, filter: EntryFilter) -> Result<Vec<(Entry, BTreeMap<String, u32>)>, StoreError> {
        self.read(move |connection| {
            let of_state = match filter.state {
                EntryState::Any => "",
                EntryState::Waiting => {
                    "WHERE id IN (SELECT entry FROM work WHERE due IS NOT NULL
                                  UNION SELECT id FROM entries WHERE verdict = 'accepted' AND matched IS NULL)"
                }
                EntryState::Dead => "WHERE id IN (SELECT entry FROM work WHERE summary = 'dead')",
            };
            let sql = format!("SELECT {COLUMNS} FROM entries {of_state} ORDER BY id DESC LIMIT ?1");
            let mut statement = connection.prepare_cached(&sql)?;
            let rows = statement.query_map([filter.limit], entry)?;
            let entries: Vec<Entry> = rows.collect::<rusqlite::Result<_>>()?;
            let count = |entry: Entry| Ok((entry.clone(), super::work::counts(connection, entry.id)?));
            entries.into_iter().map(count).collect()
        })
        .await
    }

    /// One entry, whole.
    pub async fn entry(&self, id: EntryId) -> Result<Option<WholeEntry>, StoreError> {
        self.read(move |connection| {
            let sql = format!("SELECT {COLUMNS} FROM entries WHERE id = ?1");
            connection
                .query_row(&sql, [id.as_i64()], |row| {
                    let explanations: Option<String> = row.get(14)?;
                    Ok(WholeEntry {
                        entry: entry(row)?,
                        headers: parsed(row, 12)?,
                        body: row.get(13)?,
                        explanations: explanations
                            .and_then(|text| serde_json::from_str(&text).ok())
                            .unwrap_or_default(),
                    })
                })
                .optional()
        })
        .await
    }
}

pub(super) fn last_id(connection: &Connection) -> rusqlite::Result<EntryId> {
    let last: Option<i64> = connection.query_row("SELECT max(id) FROM entries", [], |row| row.get(0))?;
    Ok(EntryId::from_i64(last.unwrap_or_default()))
}

fn entry(row: &Row<'_>) -> rusqlite::Result<Entry> {
    let verdict: String = row.get(5)?;
    let (received, matched, slot): (i64, Option<i64>, i64) = (row.get(1)?, row.get(9)?, row.get(10)?);
    Ok(Entry {
        id: EntryId::from_i64(row.get(0)?),
        received: time(received),
        sender: row.get(2)?,
        receiver: row.get(3)?,
        peer: row.get(4)?,
        verdict: Verdict::from_word(&verdict).ok_or(rusqlite::Error::InvalidQuery)?,
        reason: row.get(6)?,
        duplicate_of: row.get::<_, Option<i64>>(7)?.map(EntryId::from_i64),
        events: parsed(row, 8)?,
        secret: row.get(11)?,
        waits_until: (matched.is_none() && slot > received).then(|| time(slot)),
        matched: matched.map(time),
    })
}
