//! Writes what matching found, and the work that follows from it. Much work of one entry is written piece by piece, so that deliveries
//! that come meanwhile do not wait for all of it.

use std::sync::Arc;

use jiff::Timestamp;
use landfall_core::journal::EntryId;
use landfall_core::refresh::Hint;
use landfall_core::target::Target;
use rusqlite::{Connection, params};

use super::super::Matched;
use super::rows::json;
use super::writer::ROWS;
use super::{Store, StoreError, work};

/// Work of one entry that is written with one commit, at most.
const PIECE: usize = ROWS;

/// What is written of an entry with one commit. Texts are JSON already, so that the writer's thread does not make them.
struct Planned {
    id: EntryId,
    explanations: String,
    work: Piece,
}

type Piece = Vec<(Target, Vec<Hint>)>;

impl Store {
    /// Writes what matching found, together with the work that follows from it, and tells of each target whose work is written. An
    /// entry is matched with the last piece of its work: where it comes to an end before, the entry is matched anew, and the work that
    /// is there already, or done, stays as it is.
    pub async fn plan(
        &self,
        planned: Vec<Matched>,
        now: Timestamp,
        written: &(impl Fn(&Target) + Sync),
    ) -> Result<(), StoreError> {
        let mut last = Vec::with_capacity(planned.len());
        for Matched { id, explanations, work } in planned {
            let explanations = json(&explanations);
            let work = self.write_all_but_the_last_piece(id, work, now, written).await?;
            last.push(Planned { id, explanations, work });
        }
        let last: Arc<[Planned]> = last.into();
        let all = last.clone();
        let rows = last.iter().map(|planned| 1 + planned.work.len()).sum();
        self.write_repeatable(rows, move |writing| {
            all.iter()
                .try_for_each(|planned| finish(writing.connection, planned, now))
        })
        .await?;
        last.iter().for_each(|planned| tell(&planned.work, written));
        Ok(())
    }

    /// Returns the last piece, which is all there is of most entries.
    async fn write_all_but_the_last_piece(
        &self,
        id: EntryId,
        mut rest: Piece,
        now: Timestamp,
        written: &(impl Fn(&Target) + Sync),
    ) -> Result<Piece, StoreError> {
        while rest.len() > PIECE {
            let after = rest.split_off(PIECE);
            let piece = Arc::new(std::mem::replace(&mut rest, after));
            let writes = piece.clone();
            self.write_repeatable(piece.len(), move |writing| {
                if is_unmatched(writing.connection, id)? {
                    write(writing.connection, id, &writes, now)?;
                }
                Ok(())
            })
            .await?;
            tell(&piece, written);
        }
        Ok(rest)
    }
}

fn tell(piece: &Piece, written: &impl Fn(&Target)) {
    piece.iter().for_each(|(target, _)| written(target));
}

fn is_unmatched(connection: &Connection, id: EntryId) -> rusqlite::Result<bool> {
    connection
        .prepare_cached("SELECT 1 FROM entries WHERE id = ?1 AND matched IS NULL")?
        .exists([id.as_i64()])
}

fn write(connection: &Connection, id: EntryId, piece: &Piece, now: Timestamp) -> rusqlite::Result<()> {
    let work = piece.iter().map(|(target, hints)| (target, hints.as_slice()));
    work::insert_all(connection, id, work, now)
}

/// What is matched already stays as it is.
fn finish(connection: &Connection, planned: &Planned, now: Timestamp) -> rusqlite::Result<()> {
    let changed = connection
        .prepare_cached("UPDATE entries SET matched = ?2, explanation = ?3 WHERE id = ?1 AND matched IS NULL")?
        .execute(params![planned.id.as_i64(), now.as_millisecond(), planned.explanations])?;
    if changed == 1 {
        write(connection, planned.id, &planned.work, now)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests;
