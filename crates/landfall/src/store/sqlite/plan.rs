//! Writes what matching found, and the work that follows from it. Much work of one entry is written piece by piece, so that deliveries
//! that come meanwhile do not wait for all of it.

use jiff::Timestamp;
use landfall_core::journal::EntryId;
use landfall_core::refresh::Hint;
use landfall_core::target::Target;
use rusqlite::{Connection, params};

use super::rows::json;
use super::{Matched, Store, StoreError, work};

/// Work of one entry that is written with one commit, at most.
pub(super) const PIECE: usize = 128;

/// What is written of an entry with one commit. Texts are JSON already, so that the writer's thread does not make them.
struct Planned {
    id: EntryId,
    explanations: String,
    work: Piece,
}

type Piece = Vec<(Target, Vec<Hint>)>;

impl Store {
    /// Writes what matching found, together with the work that follows from it. An entry is matched with the last piece of its work:
    /// where it comes to an end before, the entry is matched anew, and the work that is there already stays as it is.
    pub async fn plan(&self, planned: Vec<Matched>, now: Timestamp) -> Result<(), StoreError> {
        let mut last = Vec::with_capacity(planned.len());
        for Matched { id, explanations, work } in planned {
            let explanations = json(&explanations);
            let work = self.write_all_but_the_last_piece(id, work, now).await?;
            last.push(Planned { id, explanations, work });
        }
        self.write(move |writing| {
            last.iter()
                .try_for_each(|planned| finish(writing.connection, planned, now))
        })
        .await
    }

    /// Returns the last piece, which is all there is of most entries.
    async fn write_all_but_the_last_piece(
        &self,
        id: EntryId,
        mut rest: Piece,
        now: Timestamp,
    ) -> Result<Piece, StoreError> {
        while rest.len() > PIECE {
            let after = rest.split_off(PIECE);
            let piece = std::mem::replace(&mut rest, after);
            self.write(move |writing| {
                if is_unmatched(writing.connection, id)? {
                    write(writing.connection, id, &piece, now)?;
                }
                Ok(())
            })
            .await?;
        }
        Ok(rest)
    }
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
