//! Writes and reads what entries still have to do for targets, and the attempts at it.

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::Arc;

use futures_util::future::join_all;
use jiff::Timestamp;
use landfall_core::journal::{Attempt, EntryId, Work};
use landfall_core::refresh::Hint;
use landfall_core::target::Target;
use rusqlite::{Connection, params};

use super::super::{AttemptRecord, Claim, Replay, Settlement, WaitingWork, WorkRecord};
use super::rows::{Repeated, json, parsed, time};
use super::writer::ROWS;
use super::{Store, StoreError};

impl Store {
    /// Targets with work that waits, each with the earliest time that it is due.
    pub async fn waiting_targets(&self) -> Result<Vec<(Target, Timestamp)>, StoreError> {
        self.read(|connection| {
            let mut statement =
                connection.prepare_cached("SELECT target, min(due) FROM work WHERE due IS NOT NULL GROUP BY target")?;
            let rows = statement.query_map([], |row| Ok((target(row.get(0)?)?, time(row.get(1)?))))?;
            rows.collect()
        })
        .await
    }

    /// All work of a target that waits, whenever it is due.
    pub async fn waiting(&self, target: &Target) -> Result<Vec<WaitingWork>, StoreError> {
        let target = target.to_string();
        self.read(move |connection| waiting(connection, &target)).await
    }

    /// The same of several targets, in their order.
    pub async fn waiting_for(&self, targets: &[Target]) -> Result<Vec<Vec<WaitingWork>>, StoreError> {
        let targets: Vec<String> = targets.iter().map(Target::to_string).collect();
        self.read(move |connection| {
            let transaction = connection.unchecked_transaction()?;
            let read = targets.iter().map(|target| waiting(&transaction, target)).collect();
            transaction.commit()?;
            read
        })
        .await
    }

    /// Everything that an entry does or did.
    pub async fn work_of(&self, entry: EntryId) -> Result<Vec<WorkRecord>, StoreError> {
        self.read(move |connection| {
            let mut statement =
                connection.prepare_cached("SELECT target, state, hints FROM work WHERE entry = ?1 ORDER BY target")?;
            let rows = statement.query_map([entry.as_i64()], |row| {
                Ok((row.get::<_, String>(0)?, parsed(row, 1)?, parsed(row, 2)?))
            })?;
            let mut records = Vec::new();
            for row in rows {
                let (name, work, hints) = row?;
                let attempts = attempts(connection, entry, &name)?;
                records.push(WorkRecord {
                    target: target(name)?,
                    work,
                    hints,
                    attempts,
                });
            }
            Ok(records)
        })
        .await
    }

    /// Writes what a refresh did. Work whose state has changed meanwhile, by a replay, stays as it is.
    pub async fn settle(&self, settlement: Settlement) -> Result<(), StoreError> {
        self.write_repeatable(settlement.work.len(), move |writing| {
            settlement.write(writing.connection)
        })
        .await
    }

    /// Writes what several refreshes did, a few at a time, so that deliveries that come meanwhile do not wait for all of it.
    pub async fn settle_all(&self, settlements: Arc<[(Settlement, Claim)]>) -> Result<(), StoreError> {
        let pieces = pieces(&settlements).into_iter();
        let pieces = pieces.map(|piece| self.settle_piece(settlements.clone(), piece));
        join_all(pieces).await.into_iter().collect()
    }

    async fn settle_piece(
        &self,
        settlements: Arc<[(Settlement, Claim)]>,
        (piece, rows): (Range<usize>, usize),
    ) -> Result<(), StoreError> {
        self.write_repeatable(rows, move |writing| {
            let mut piece = settlements[piece.clone()].iter();
            piece.try_for_each(|(settlement, _)| settlement.write(writing.connection))
        })
        .await
    }

    /// Takes an entry's work up again: what was given up or, if nothing was, all of it. One that nobody wanted is to be matched
    /// again: who subscribes may be another by now.
    pub async fn replay(&self, entry: EntryId, now: Timestamp) -> Result<Replay, StoreError> {
        self.write(move |writing| {
            let connection = writing.connection;
            let mut statement =
                connection.prepare_cached("SELECT target, state, summary = 'dead' FROM work WHERE entry = ?1")?;
            let rows = statement.query_map([entry.as_i64()], |row| Ok((row.get(0)?, parsed(row, 1)?, row.get(2)?)))?;
            let all: Vec<(String, Work, bool)> = rows.collect::<rusqlite::Result<_>>()?;
            let any_dead = all.iter().any(|(_, _, dead)| *dead);
            let mut replayed = Vec::new();
            for (name, work, dead) in all {
                if dead || !any_dead {
                    let target = target(name)?;
                    let after = work.clone().replayed(now);
                    let states = (&*json(&work), &*json(&after));
                    update(connection, entry, &target.to_string(), states, &after)?;
                    replayed.push(target);
                }
            }
            if !replayed.is_empty() {
                return Ok(Replay::Work(replayed));
            }
            let to_be_matched = connection
                .prepare_cached(
                    "UPDATE entries SET matched = NULL, explanation = NULL, slot = 0 WHERE id = ?1 AND verdict = 'accepted'",
                )?
                .execute([entry.as_i64()])?;
            Ok(match to_be_matched {
                0 => Replay::Nothing,
                _ => Replay::Matching,
            })
        })
        .await
    }
}

/// Settlements that are written together, with their rows.
fn pieces(settlements: &[(Settlement, Claim)]) -> Vec<(Range<usize>, usize)> {
    let mut pieces: Vec<(Range<usize>, usize)> = Vec::new();
    for (place, (settlement, _)) in settlements.iter().enumerate() {
        let more = settlement.work.len();
        match pieces.last_mut() {
            Some((piece, rows)) if *rows + more <= ROWS => (piece.end, *rows) = (place + 1, *rows + more),
            _ => pieces.push((place..place + 1, more)),
        }
    }
    pieces
}

impl Settlement {
    fn write(&self, connection: &Connection) -> rusqlite::Result<()> {
        if let Some(resource) = &self.resource {
            resource.write(connection)?;
        }
        // What a refresh did is the same for most of the entries that it served.
        let (mut states, mut records) = (Repeated::new(), Repeated::new());
        let target = self.target.to_string();
        for (entry, before, after, record) in &self.work {
            let states = (json(before), states.json(after));
            update(connection, *entry, &target, (&states.0, states.1), after)?;
            insert_attempt(connection, *entry, &target, record.attempt, records.json(record))?;
        }
        Ok(())
    }
}

fn waiting(connection: &Connection, target: &str) -> rusqlite::Result<Vec<WaitingWork>> {
    let mut statement = connection.prepare_cached(
        "SELECT entry, state, hints FROM work INDEXED BY work_unfinished
         WHERE target = ?1 AND due IS NOT NULL ORDER BY entry",
    )?;
    let rows = statement.query_map([target], |row| {
        Ok(WaitingWork {
            entry: EntryId::from_i64(row.get(0)?),
            work: parsed(row, 1)?,
            hints: parsed(row, 2)?,
        })
    })?;
    rows.collect()
}

/// How many targets of an entry are in which state.
pub(super) fn counts(connection: &Connection, entry: EntryId) -> rusqlite::Result<BTreeMap<String, u32>> {
    let mut statement =
        connection.prepare_cached("SELECT summary, count(*) FROM work WHERE entry = ?1 GROUP BY summary")?;
    let rows = statement.query_map([entry.as_i64()], |row| Ok((row.get(0)?, row.get::<_, u32>(1)?)))?;
    rows.collect()
}

/// Writes the work of one target that begins.
pub(super) fn insert(
    connection: &Connection,
    entry: EntryId,
    target: &Target,
    hints: &[Hint],
    now: Timestamp,
) -> rusqlite::Result<()> {
    insert_all(connection, entry, [(target, hints)], now)
}

/// Writes work that begins. Its state is the same for all targets, and where to look for most of them.
pub(super) fn insert_all<'a>(
    connection: &Connection,
    entry: EntryId,
    fresh: impl IntoIterator<Item = (&'a Target, &'a [Hint])>,
    now: Timestamp,
) -> rusqlite::Result<()> {
    let work = Work::accepted(now);
    let (state, mut hints) = (json(&work), Repeated::new());
    let mut statement = connection.prepare_cached(
        "INSERT OR IGNORE INTO work (entry, target, state, summary, due, hints) VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
    )?;
    for (target, pointed_at) in fresh {
        statement.execute(params![
            entry.as_i64(),
            target.to_string(),
            state,
            work.summary().as_str(),
            due(&work),
            hints.json(pointed_at)
        ])?;
    }
    Ok(())
}

/// Writes the state `work`, whose text is `after`, where the state's text was `before`.
fn update(
    connection: &Connection,
    entry: EntryId,
    target: &str,
    (before, after): (&str, &str),
    work: &Work,
) -> rusqlite::Result<()> {
    connection
        .prepare_cached(
            "UPDATE work SET state = ?4, summary = ?5, due = ?6 WHERE entry = ?1 AND target = ?2 AND state = ?3",
        )?
        .execute(params![
            entry.as_i64(),
            target,
            before,
            after,
            work.summary().as_str(),
            due(work)
        ])?;
    Ok(())
}

fn due(work: &Work) -> Option<i64> {
    match work {
        Work::Waiting { due, .. } => Some(due.as_millisecond()),
        Work::Done { .. } | Work::Dead { .. } => None,
    }
}

fn insert_attempt(
    connection: &Connection,
    entry: EntryId,
    target: &str,
    attempt: Attempt,
    record: &str,
) -> rusqlite::Result<()> {
    connection
        .prepare_cached(
            "INSERT OR REPLACE INTO attempts (entry, target, replay, number, record) VALUES (?1, ?2, ?3, ?4, ?5)",
        )?
        .execute(params![entry.as_i64(), target, attempt.replay, attempt.number, record])?;
    Ok(())
}

fn attempts(connection: &Connection, entry: EntryId, target: &str) -> rusqlite::Result<Vec<AttemptRecord>> {
    let mut statement = connection
        .prepare_cached("SELECT record FROM attempts WHERE entry = ?1 AND target = ?2 ORDER BY replay, number")?;
    let rows = statement.query_map(params![entry.as_i64(), target], |row| parsed(row, 0))?;
    rows.collect()
}

fn target(name: String) -> rusqlite::Result<Target> {
    name.parse()
        .map_err(|error| rusqlite::Error::FromSqlConversionFailure(0, rusqlite::types::Type::Text, Box::new(error)))
}
