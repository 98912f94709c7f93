//! Writes and reads what entries still have to do for targets, and the attempts at it.

use std::collections::{BTreeMap, HashMap};

use jiff::Timestamp;
use landfall_core::journal::{EntryId, Work};
use landfall_core::refresh::Hint;
use landfall_core::target::Target;

use super::super::{AttemptRecord, Replay, StoreError, WaitingWork, WorkRecord};
use super::Store;
use super::link::{Failure, Link};
use super::rows::{clean, json, parsed, time};

impl Store {
    /// Targets with work that waits, each with the earliest time that it is due.
    pub async fn waiting_targets(&self) -> Result<Vec<(Target, Timestamp)>, StoreError> {
        let mut link = self.link().await?;
        let read = waiting_targets(&mut link).await;
        link.end(read)
    }

    /// All work of a target that waits, whenever it is due.
    pub async fn waiting(&self, target: &Target) -> Result<Vec<WaitingWork>, StoreError> {
        let mut link = self.link().await?;
        let read = waiting(&mut link, target).await;
        link.end(read)
    }

    /// Everything that an entry does or did.
    pub async fn work_of(&self, entry: EntryId) -> Result<Vec<WorkRecord>, StoreError> {
        let mut link = self.link().await?;
        let read = work_of(&mut link, entry).await;
        link.end(read)
    }

    /// Takes an entry's work up again: what was given up or, if nothing was, all of it. One that nobody wanted is to be matched
    /// again: who subscribes may be another by now.
    pub async fn replay(&self, entry: EntryId, now: Timestamp) -> Result<Replay, StoreError> {
        let mut link = self.link().await?;
        let written = replay(&mut link, entry, now).await;
        link.end(written)
    }
}

async fn waiting_targets(link: &mut Link) -> Result<Vec<(Target, Timestamp)>, Failure> {
    let sql = "SELECT target, min(due) FROM work WHERE due IS NOT NULL GROUP BY target";
    let rows = link.query(sql, &[]).await?;
    rows.iter()
        .map(|row| Ok((target(row.try_get(0)?)?, time(row.try_get(1)?))))
        .collect()
}

async fn waiting(link: &mut Link, target: &Target) -> Result<Vec<WaitingWork>, Failure> {
    let sql = "SELECT entry, state, hints FROM work WHERE target = $1 AND due IS NOT NULL ORDER BY entry";
    let rows = link.query(sql, &[&key(target)]).await?;
    rows.iter()
        .map(|row| {
            Ok(WaitingWork {
                entry: EntryId::from_i64(row.try_get(0)?),
                work: parsed(row, 1)?,
                hints: parsed(row, 2)?,
            })
        })
        .collect()
}

async fn work_of(link: &mut Link, entry: EntryId) -> Result<Vec<WorkRecord>, Failure> {
    let sql = "SELECT target, record FROM attempts WHERE entry = $1 ORDER BY target, replay, number";
    let mut attempts: HashMap<String, Vec<AttemptRecord>> = HashMap::new();
    for row in link.query(sql, &[&entry.as_i64()]).await? {
        let of = attempts.entry(row.try_get(0)?).or_default();
        of.push(parsed(&row, 1)?);
    }
    let sql = "SELECT target, state, hints FROM work WHERE entry = $1 ORDER BY target";
    let rows = link.query(sql, &[&entry.as_i64()]).await?;
    rows.iter()
        .map(|row| {
            let name: &str = row.try_get(0)?;
            Ok(WorkRecord {
                target: target(name)?,
                work: parsed(row, 1)?,
                hints: parsed(row, 2)?,
                attempts: attempts.remove(name).unwrap_or_default(),
            })
        })
        .collect()
}

async fn replay(link: &mut Link, entry: EntryId, now: Timestamp) -> Result<Replay, Failure> {
    link.begin().await?;
    let sql = "SELECT target, state, summary = 'dead' FROM work WHERE entry = $1 ORDER BY target FOR UPDATE";
    let rows = link.query(sql, &[&entry.as_i64()]).await?;
    let mut all: Vec<(Target, Work, bool)> = Vec::new();
    for row in &rows {
        all.push((target(row.try_get(0)?)?, parsed(row, 1)?, row.try_get(2)?));
    }
    let any_dead = all.iter().any(|(_, _, dead)| *dead);
    let mut replayed = Vec::new();
    for (target, work, dead) in all {
        if dead || !any_dead {
            update(link, entry, &target, &work, &work.clone().replayed(now)).await?;
            replayed.push(target);
        }
    }
    let replay = match replayed.is_empty() {
        false => Replay::Work(replayed),
        true => {
            let sql = "UPDATE entries SET matched = NULL, explanation = NULL, slot = 0 WHERE id = $1 AND verdict = 'accepted'";
            match link.execute(sql, &[&entry.as_i64()]).await? {
                0 => Replay::Nothing,
                _ => Replay::Matching,
            }
        }
    };
    link.commit().await?;
    Ok(replay)
}

/// How many targets of entries are in which state.
pub(super) async fn counts(
    link: &mut Link,
    entries: &[i64],
) -> Result<HashMap<EntryId, BTreeMap<String, u32>>, Failure> {
    let sql = "SELECT entry, summary, count(*) FROM work WHERE entry = ANY($1) GROUP BY entry, summary";
    let mut counts: HashMap<EntryId, BTreeMap<String, u32>> = HashMap::new();
    for row in link.query(sql, &[&entries]).await? {
        let number: i64 = row.try_get(2)?;
        let of = counts.entry(EntryId::from_i64(row.try_get(0)?)).or_default();
        of.insert(row.try_get(1)?, u32::try_from(number).unwrap_or(u32::MAX));
    }
    Ok(counts)
}

/// Work that begins, column by column.
#[derive(Default)]
pub(super) struct Fresh {
    entries: Vec<i64>,
    targets: Vec<String>,
    hints: Vec<String>,
}

impl Fresh {
    pub(super) fn add(&mut self, entry: EntryId, target: &Target, hints: &[Hint]) {
        self.entries.push(entry.as_i64());
        self.targets.push(key(target));
        self.hints.push(json(hints));
    }
}

pub(super) async fn insert(link: &mut Link, fresh: Fresh, now: Timestamp) -> Result<(), Failure> {
    let Fresh {
        entries,
        targets,
        hints,
    } = fresh;
    let state = Work::accepted(now);
    let sql = "INSERT INTO work (entry, target, state, summary, due, hints)
               SELECT entry, target, $4, $5, $6, hints
               FROM unnest($1::bigint[], $2::text[], $3::text[]) AS fresh (entry, target, hints) ON CONFLICT DO NOTHING";
    let (summary, due) = (state.summary().as_str(), due(&state));
    link.execute(sql, &[&entries, &targets, &hints, &json(&state), &summary, &due])
        .await?;
    Ok(())
}

/// Moves work on, unless its state has changed meanwhile.
pub(super) async fn update(
    link: &mut Link,
    entry: EntryId,
    target: &Target,
    before: &Work,
    after: &Work,
) -> Result<(), Failure> {
    let sql = "UPDATE work SET state = $4, summary = $5, due = $6 WHERE entry = $1 AND target = $2 AND state = $3";
    let (was, is) = (json(before), json(after));
    let (summary, due) = (after.summary().as_str(), due(after));
    link.execute(sql, &[&entry.as_i64(), &key(target), &was, &is, &summary, &due])
        .await?;
    Ok(())
}

pub(super) async fn insert_attempt(
    link: &mut Link,
    entry: EntryId,
    target: &Target,
    record: &AttemptRecord,
) -> Result<(), Failure> {
    let sql = "INSERT INTO attempts (entry, target, replay, number, record) VALUES ($1, $2, $3, $4, $5)
               ON CONFLICT (entry, target, replay, number) DO UPDATE SET record = excluded.record";
    let (replay, number) = (i64::from(record.attempt.replay), i64::from(record.attempt.number));
    link.execute(sql, &[&entry.as_i64(), &key(target), &replay, &number, &json(record)])
        .await?;
    Ok(())
}

fn due(work: &Work) -> Option<i64> {
    match work {
        Work::Waiting { due, .. } => Some(due.as_millisecond()),
        Work::Done { .. } | Work::Dead { .. } => None,
    }
}

/// A target as a column has it.
pub(super) fn key(target: &Target) -> String {
    clean(&target.to_string()).into_owned()
}

pub(super) fn target(name: &str) -> Result<Target, Failure> {
    name.parse()
        .map_err(|_| Failure::new(format!("{name:?} is no target of this version")))
}
