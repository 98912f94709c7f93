//! Reads journal entries, and writes what matching found for them.

use std::collections::BTreeMap;

use jiff::Timestamp;
use landfall_core::journal::{EntryId, Verdict};
use landfall_core::target::Target;
use tokio_postgres::Row;

use super::super::{Entry, EntryFilter, EntryState, Matched, StoreError, Unmatched, WholeEntry};
use super::Store;
use super::link::{Failure, Link};
use super::locks;
use super::rows::{json, parsed, time};
use super::work;

impl Store {
    /// The first entries that this process is still to match and whose turn has come by `by`.
    pub async fn unmatched(&self, limit: u32, by: Timestamp, skipped: u32) -> Result<Vec<Unmatched>, StoreError> {
        let mut link = self.link().await?;
        let read = unmatched(&mut link, self.replica(), (limit, skipped), by).await;
        link.end(read)
    }

    /// When the turn of the next entry that this process is still to match comes.
    pub async fn next_turn(&self) -> Result<Option<Timestamp>, StoreError> {
        let mut link = self.link().await?;
        let read = next_turn(&mut link, self.replica()).await;
        link.end(read)
    }

    /// When the turn of the first entry comes that any process is still to match.
    pub async fn first_turn(&self) -> Result<Option<Timestamp>, StoreError> {
        let mut link = self.link().await?;
        let read = first_turn(&mut link).await;
        link.end(read)
    }

    /// Brings all turns that are still to come forward, so that the first one comes at `first`; never puts one off.
    pub async fn bring_turns_forward(&self, first: Timestamp) -> Result<(), StoreError> {
        let mut link = self.link().await?;
        let written = bring_turns_forward(&mut link, first).await;
        link.end(written)
    }

    /// Writes what matching found, together with the work that follows from it, and then tells of its targets.
    pub async fn plan(
        &self,
        planned: Vec<Matched>,
        now: Timestamp,
        written: &(impl Fn(&Target) + Sync),
    ) -> Result<(), StoreError> {
        let mut link = self.link().await?;
        let done = plan(&mut link, &planned, now).await;
        link.end(done)?;
        let work = planned.iter().flat_map(|matched| &matched.work);
        work.for_each(|(target, _)| written(target));
        Ok(())
    }

    /// Entries, the newest first, each with the number of its targets by state.
    pub async fn entries(&self, filter: EntryFilter) -> Result<Vec<(Entry, BTreeMap<String, u32>)>, StoreError> {
        let mut link = self.link().await?;
        let read = entries(&mut link, &filter).await;
        link.end(read)
    }

    /// One entry, whole.
    pub async fn entry(&self, id: EntryId) -> Result<Option<WholeEntry>, StoreError> {
        let mut link = self.link().await?;
        let read = whole(&mut link, id).await;
        link.end(read)
    }
}

pub(super) async fn last_id(link: &mut Link) -> Result<EntryId, Failure> {
    let rows = link.query("SELECT max(id) FROM entries", &[]).await?;
    let last: Option<i64> = rows.first().map(|row| row.try_get(0)).transpose()?.flatten();
    Ok(EntryId::from_i64(last.unwrap_or_default()))
}

async fn unmatched(
    link: &mut Link,
    replica: i64,
    (limit, skipped): (u32, u32),
    by: Timestamp,
) -> Result<Vec<Unmatched>, Failure> {
    let sql = "SELECT id, reach, events FROM entries
               WHERE replica = $1 AND verdict = 'accepted' AND matched IS NULL AND slot <= $2
               ORDER BY slot, id LIMIT $3 OFFSET $4";
    let rows = link
        .query(
            sql,
            &[&replica, &by.as_millisecond(), &i64::from(limit), &i64::from(skipped)],
        )
        .await?;
    rows.iter()
        .map(|row| {
            Ok(Unmatched {
                id: EntryId::from_i64(row.try_get(0)?),
                reach: parsed(row, 1)?,
                events: parsed(row, 2)?,
            })
        })
        .collect()
}

async fn next_turn(link: &mut Link, replica: i64) -> Result<Option<Timestamp>, Failure> {
    let sql = "SELECT min(slot) FROM entries WHERE replica = $1 AND verdict = 'accepted' AND matched IS NULL";
    let rows = link.query(sql, &[&replica]).await?;
    let slot: Option<i64> = rows.first().map(|row| row.try_get(0)).transpose()?.flatten();
    Ok(slot.map(time))
}

async fn first_turn(link: &mut Link) -> Result<Option<Timestamp>, Failure> {
    let sql = "SELECT min(slot) FROM entries WHERE verdict = 'accepted' AND matched IS NULL AND slot > 0";
    let rows = link.query(sql, &[]).await?;
    let slot: Option<i64> = rows.first().map(|row| row.try_get(0)).transpose()?.flatten();
    Ok(slot.map(time))
}

/// While it lasts, nobody gives turns out, and nobody else brings them forward as well.
async fn bring_turns_forward(link: &mut Link, first: Timestamp) -> Result<(), Failure> {
    link.begin().await?;
    link.query(
        "SELECT pg_advisory_xact_lock($1, $2)",
        &[&locks::LANDFALL, &locks::PACE],
    )
    .await?;
    let sql = "UPDATE entries SET slot = greatest(1, slot - early.by)
               FROM (SELECT greatest(0, min(slot) - $1::bigint) AS by FROM entries
                     WHERE verdict = 'accepted' AND matched IS NULL AND slot > 0) AS early
               WHERE verdict = 'accepted' AND matched IS NULL AND slot > 0";
    link.query(sql, &[&first.as_millisecond()]).await?;
    link.commit().await
}

/// Of those that somebody else has matched meanwhile, nothing is written.
async fn plan(link: &mut Link, planned: &[Matched], now: Timestamp) -> Result<(), Failure> {
    let ids: Vec<i64> = planned.iter().map(|matched| matched.id.as_i64()).collect();
    let explanations: Vec<String> = planned.iter().map(|matched| json(&matched.explanations)).collect();
    link.begin().await?;
    let sql = "UPDATE entries SET matched = $3, explanation = found.explanation
               FROM unnest($1::bigint[], $2::text[]) AS found (id, explanation)
               WHERE entries.id = found.id AND matched IS NULL RETURNING entries.id";
    let rows = link.query(sql, &[&ids, &explanations, &now.as_millisecond()]).await?;
    let ours: Vec<i64> = rows.iter().map(|row| row.try_get(0)).collect::<Result<_, _>>()?;
    let mut fresh = work::Fresh::default();
    for matched in planned.iter().filter(|matched| ours.contains(&matched.id.as_i64())) {
        for (target, hints) in &matched.work {
            fresh.add(matched.id, target, hints);
        }
    }
    work::insert(link, fresh, now).await?;
    link.commit().await
}

/// The columns of an entry as it is shown, and what is kept of it beside that.
macro_rules! columns {
    ($rest:literal) => {
        concat!(
            "SELECT id, received, sender, receiver, peer, verdict, reason, duplicate_of, events, matched, slot, secret, ",
            "headers, body, explanation FROM entries ",
            $rest
        )
    };
}

async fn entries(link: &mut Link, filter: &EntryFilter) -> Result<Vec<(Entry, BTreeMap<String, u32>)>, Failure> {
    let sql = match filter.state {
        EntryState::Any => columns!("ORDER BY id DESC LIMIT $1"),
        EntryState::Waiting => columns!(
            "WHERE id IN (SELECT entry FROM work WHERE due IS NOT NULL
                          UNION SELECT id FROM entries WHERE verdict = 'accepted' AND matched IS NULL)
             ORDER BY id DESC LIMIT $1"
        ),
        EntryState::Dead => {
            columns!("WHERE id IN (SELECT entry FROM work WHERE summary = 'dead') ORDER BY id DESC LIMIT $1")
        }
    };
    let rows = link.query(sql, &[&i64::from(filter.limit)]).await?;
    let entries: Vec<Entry> = rows.iter().map(entry).collect::<Result<_, _>>()?;
    let ids: Vec<i64> = entries.iter().map(|entry| entry.id.as_i64()).collect();
    let mut counts = work::counts(link, &ids).await?;
    let counted = entries.into_iter().map(|entry| {
        let counts = counts.remove(&entry.id).unwrap_or_default();
        (entry, counts)
    });
    Ok(counted.collect())
}

async fn whole(link: &mut Link, id: EntryId) -> Result<Option<WholeEntry>, Failure> {
    let rows = link.query(columns!("WHERE id = $1"), &[&id.as_i64()]).await?;
    let Some(row) = rows.first() else { return Ok(None) };
    let explanations: Option<&str> = row.try_get(14)?;
    Ok(Some(WholeEntry {
        entry: entry(row)?,
        headers: parsed(row, 12)?,
        body: row.try_get(13)?,
        explanations: explanations
            .and_then(|text| serde_json::from_str(text).ok())
            .unwrap_or_default(),
    }))
}

fn entry(row: &Row) -> Result<Entry, Failure> {
    let verdict: &str = row.try_get(5)?;
    let (received, matched, slot): (i64, Option<i64>, i64) = (row.try_get(1)?, row.try_get(9)?, row.try_get(10)?);
    Ok(Entry {
        id: EntryId::from_i64(row.try_get(0)?),
        received: time(received),
        sender: row.try_get(2)?,
        receiver: row.try_get(3)?,
        peer: row.try_get(4)?,
        verdict: Verdict::from_word(verdict)
            .ok_or_else(|| Failure::new("an entry has a verdict of a newer version"))?,
        reason: row.try_get(6)?,
        duplicate_of: row.try_get::<_, Option<i64>>(7)?.map(EntryId::from_i64),
        events: parsed(row, 8)?,
        secret: row.try_get(11)?,
        waits_until: (matched.is_none() && slot > received).then(|| time(slot)),
        matched: matched.map(time),
    })
}
