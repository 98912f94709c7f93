//! Counts what is still to be done, and reads when senders were heard of.

use landfall_core::secret::SecretAge;
use landfall_core::silence::Rhythm;

use super::super::Queue;
use super::rows::time;
use super::{Store, StoreError};
use crate::live::PreviousSecret;

impl Store {
    /// What waits now. It costs as much as there is that waits, and nothing for what is done.
    pub async fn queue(&self) -> Result<Queue, StoreError> {
        self.read(|connection| {
            let (unmatched, oldest_unmatched) = connection
                .prepare_cached(
                    "SELECT count(*), min(received) FROM entries INDEXED BY entries_unmatched
                     WHERE verdict = 'accepted' AND matched IS NULL",
                )?
                .query_row([], |row| Ok((row.get(0)?, row.get::<_, Option<i64>>(1)?)))?;
            let (waiting, oldest_waiting) = connection
                .prepare_cached(
                    "WITH waiting AS (SELECT count(*) AS number, min(entry) AS oldest
                                     FROM work INDEXED BY work_unfinished WHERE due IS NOT NULL)
                     SELECT number, (SELECT received FROM entries WHERE id = oldest) FROM waiting",
                )?
                .query_row([], |row| Ok((row.get(0)?, row.get::<_, Option<i64>>(1)?)))?;
            let dead = connection
                .prepare_cached("SELECT count(*) FROM work INDEXED BY work_dead WHERE summary = 'dead'")?
                .query_row([], |row| row.get(0))?;
            Ok(Queue {
                unmatched,
                oldest_unmatched: oldest_unmatched.map(time),
                waiting,
                oldest_waiting: oldest_waiting.map(time),
                dead,
            })
        })
        .await
    }

    /// How often, and when last, each receiver was shown its previous secret, by what the journal still holds.
    pub async fn previous_secrets(&self) -> Result<Vec<(String, PreviousSecret)>, StoreError> {
        self.read(|connection| {
            let mut statement = connection.prepare_cached(
                "SELECT receiver, count(*), max(received) FROM entries WHERE secret = ?1 GROUP BY receiver",
            )?;
            let rows = statement.query_map([SecretAge::Previous.as_str()], |row| {
                let uses = PreviousSecret {
                    deliveries: row.get::<_, u32>(1)?.into(),
                    last: row.get::<_, Option<i64>>(2)?.map(time),
                };
                Ok((row.get(0)?, uses))
            })?;
            rows.collect()
        })
        .await
    }

    /// How often each sender was heard of, by the name that entries have of it, from what the journal still holds.
    pub async fn rhythms(&self) -> Result<Vec<(String, Rhythm)>, StoreError> {
        self.read(|connection| {
            let mut statement = connection.prepare("SELECT sender, received FROM entries ORDER BY id")?;
            let mut rows = statement.query([])?;
            let mut rhythms: Vec<(String, Rhythm)> = Vec::new();
            while let Some(row) = rows.next()? {
                let (sender, at) = (row.get_ref(0)?.as_str()?, time(row.get(1)?));
                match rhythms.iter_mut().find(|(known, _)| known == sender) {
                    Some((_, rhythm)) => *rhythm = rhythm.heard(at),
                    None => rhythms.push((sender.to_owned(), Rhythm::begun(at))),
                }
            }
            Ok(rhythms)
        })
        .await
    }
}
