//! Counts what is still to be done, by whichever process, and reads when senders were heard of.

use jiff::Timestamp;
use landfall_core::journal::EntryId;
use landfall_core::secret::SecretAge;
use landfall_core::silence::Rhythm;

use super::super::{Queue, StoreError};
use super::Store;
use super::link::{Failure, Link};
use super::rows::time;
use crate::live::PreviousSecret;

impl Store {
    /// What waits now. It costs as much as there is that waits, and nothing for what is done.
    pub async fn queue(&self) -> Result<Queue, StoreError> {
        let mut link = self.link().await?;
        let read = queue(&mut link).await;
        link.end(read)
    }

    /// How often, and when last, each receiver was shown its previous secret, by what the journal still holds.
    pub async fn previous_secrets(&self) -> Result<Vec<(String, PreviousSecret)>, StoreError> {
        let mut link = self.link().await?;
        let read = previous_secrets(&mut link).await;
        link.end(read)
    }

    /// How often each sender was heard of, by the name that entries have of it, from what the journal still holds.
    pub async fn rhythms(&self) -> Result<Vec<(String, Rhythm)>, StoreError> {
        let mut link = self.link().await?;
        let read = rhythms(&mut link).await;
        link.end(read)
    }

    /// When each sender was last heard of since `since`, by whichever process.
    pub async fn heard(&self, since: Timestamp) -> Result<Vec<(String, Timestamp)>, StoreError> {
        let mut link = self.link().await?;
        let read = heard(&mut link, since).await;
        link.end(read)
    }
}

async fn previous_secrets(link: &mut Link) -> Result<Vec<(String, PreviousSecret)>, Failure> {
    let sql = "SELECT receiver, count(*), max(received) FROM entries WHERE secret = $1 GROUP BY receiver";
    let rows = link.query(sql, &[&SecretAge::Previous.as_str()]).await?;
    rows.iter()
        .map(|row| {
            let (deliveries, last): (i64, Option<i64>) = (row.try_get(1)?, row.try_get(2)?);
            let uses = PreviousSecret {
                deliveries: u64::try_from(deliveries).unwrap_or_default(),
                last: last.map(time),
            };
            Ok((row.try_get(0)?, uses))
        })
        .collect()
}

async fn heard(link: &mut Link, since: Timestamp) -> Result<Vec<(String, Timestamp)>, Failure> {
    let sql = "SELECT sender, max(received) FROM entries WHERE id >= $1 GROUP BY sender";
    let rows = link.query(sql, &[&EntryId::floor(since).as_i64()]).await?;
    rows.iter()
        .map(|row| Ok((row.try_get(0)?, time(row.try_get(1)?))))
        .collect()
}

async fn queue(link: &mut Link) -> Result<Queue, Failure> {
    let sql = "SELECT unmatched.number, unmatched.oldest, waiting.number, entries.received, dead.number
               FROM (SELECT count(*) AS number, min(received) AS oldest FROM entries
                     WHERE verdict = 'accepted' AND matched IS NULL) AS unmatched,
                    (SELECT count(*) AS number FROM work WHERE summary = 'dead') AS dead,
                    (SELECT count(*) AS number, min(entry) AS oldest FROM work WHERE due IS NOT NULL) AS waiting
                    LEFT JOIN entries ON entries.id = waiting.oldest";
    let rows = link.query(sql, &[]).await?;
    let row = rows.first().ok_or_else(|| Failure::new("it counts nothing"))?;
    let number = |column: usize| -> Result<u32, Failure> {
        let number: i64 = row.try_get(column)?;
        Ok(u32::try_from(number).unwrap_or(u32::MAX))
    };
    let at = |column: usize| -> Result<Option<Timestamp>, Failure> {
        let millis: Option<i64> = row.try_get(column)?;
        Ok(millis.map(time))
    };
    Ok(Queue {
        unmatched: number(0)?,
        oldest_unmatched: at(1)?,
        waiting: number(2)?,
        oldest_waiting: at(3)?,
        dead: number(4)?,
    })
}

async fn rhythms(link: &mut Link) -> Result<Vec<(String, Rhythm)>, Failure> {
    let rows = link
        .query("SELECT sender, received FROM entries ORDER BY id", &[])
        .await?;
    let mut rhythms: Vec<(String, Rhythm)> = Vec::new();
    for row in &rows {
        let (sender, at): (&str, _) = (row.try_get(0)?, time(row.try_get(1)?));
        match rhythms.iter_mut().find(|(known, _)| known == sender) {
            Some((_, rhythm)) => *rhythm = rhythm.heard(at),
            None => rhythms.push((sender.to_owned(), Rhythm::begun(at))),
        }
    }
    Ok(rhythms)
}
