//! Shares work out: who refreshes which target just now, and whose work nobody does any more.

use jiff::Timestamp;
use landfall_core::resource::ResourceKey;
use landfall_core::target::Target;

use super::super::{Claim, Claimed, Settled, Settlement, StoreError};
use super::link::{Failure, Link};
use super::replica::{CHANNEL, FREED, is_gone};
use super::work::{key, target};
use super::{Store, resources, work};

/// Whoever asks for what another one has makes a note of it, and is told when it is free. What this process itself has is left
/// over from a refresh that ended in the middle: there is one of a target at a time.
const CLAIM: &str = "INSERT INTO claims AS held (target, replica) VALUES ($1, $2)
                     ON CONFLICT (target) DO UPDATE SET
                       wanted = held.replica <> excluded.replica,
                       token = CASE WHEN held.replica = excluded.replica THEN excluded.token ELSE held.token END
                     RETURNING token, replica";
/// So many targets are taken up at once.
const SLICE: i64 = 1000;
/// In milliseconds: what has waited longer for its process to match it is matched by another, which may know more.
const UNMATCHED_FOR: i64 = 30_000;

impl Store {
    /// Claims a target for one refresh, with what is kept of its resource.
    pub async fn claim(&self, target: &Target, resource: &ResourceKey) -> Result<Claimed, StoreError> {
        let mut link = self.link().await?;
        let claimed = claim(&mut link, self.replica(), target, resource).await;
        link.end(claimed.map_err(|failure| match is_gone(&failure) {
            true => Failure::new("others took this process for gone; it joins them again"),
            false => failure,
        }))
    }

    /// Gives a claim back with nothing to settle.
    pub async fn release(&self, target: &Target, token: i64) -> Result<(), StoreError> {
        let mut link = self.link().await?;
        let released = release(&mut link, target, token).await;
        link.end(released)
    }

    /// Writes what a refresh did, and ends its claim. Where the claim has gone to somebody else, nothing is written.
    pub async fn settle(&self, settlement: Settlement, token: i64) -> Result<Settled, StoreError> {
        let mut link = self.link().await?;
        let written = settle(&mut link, &settlement, token).await;
        link.end(written)
    }

    /// Takes over what belongs to nobody: entries to be matched become this process's, and targets with work that has been
    /// due since `by` and that nobody refreshes are returned.
    pub async fn left_behind(&self, by: Timestamp) -> Result<Vec<Target>, StoreError> {
        let mut link = self.link().await?;
        let found = left_behind(&mut link, self.replica(), by).await;
        link.end(found)
    }
}

async fn claim(link: &mut Link, replica: i64, target: &Target, resource: &ResourceKey) -> Result<Claimed, Failure> {
    let rows = link.query(CLAIM, &[&key(target), &replica]).await?;
    let row = rows.first().ok_or_else(|| Failure::new("it gives no claim"))?;
    let (token, holder): (i64, i64) = (row.try_get(0)?, row.try_get(1)?);
    if holder != replica {
        return Ok(Claimed::Elsewhere);
    }
    Ok(Claimed::Taken {
        claim: Claim::Token(token),
        record: resources::one(link, resource).await?,
    })
}

async fn release(link: &mut Link, target: &Target, token: i64) -> Result<(), Failure> {
    link.begin().await?;
    end_claim(link, target, token).await?;
    link.commit().await
}

async fn settle(link: &mut Link, settlement: &Settlement, token: i64) -> Result<Settled, Failure> {
    link.begin().await?;
    if !end_claim(link, &settlement.target, token).await? {
        link.rollback().await?;
        return Ok(Settled::Lost);
    }
    if let Some(resource) = &settlement.resource {
        resources::write(link, resource).await?;
    }
    for (entry, before, after, record) in &settlement.work {
        work::update(link, *entry, &settlement.target, before, after).await?;
        work::insert_attempt(link, *entry, &settlement.target, record).await?;
    }
    link.commit().await?;
    Ok(Settled::Written)
}

/// Ends a claim within a transaction, and says whether it still stood. Whoever waits for the target is told.
async fn end_claim(link: &mut Link, target: &Target, token: i64) -> Result<bool, Failure> {
    let sql = "DELETE FROM claims WHERE target = $1 AND token = $2 RETURNING wanted";
    let rows = link.query(sql, &[&key(target), &token]).await?;
    let wanted: Option<bool> = rows.first().map(|row| row.try_get(0)).transpose()?;
    if wanted == Some(true) {
        let notice = format!("{FREED}{target}");
        link.query("SELECT pg_notify($1, $2)", &[&CHANNEL, &notice]).await?;
    }
    Ok(wanted.is_some())
}

async fn left_behind(link: &mut Link, replica: i64, by: Timestamp) -> Result<Vec<Target>, Failure> {
    let sql = "UPDATE entries SET replica = $1 WHERE id IN (
                 SELECT id FROM entries WHERE verdict = 'accepted' AND matched IS NULL AND replica <> $1
                 AND (greatest(slot, received) <= $3
                      OR NOT EXISTS (SELECT 1 FROM replicas WHERE replicas.id = entries.replica))
                 ORDER BY id LIMIT $2 FOR UPDATE SKIP LOCKED)
               AND EXISTS (SELECT 1 FROM replicas WHERE replicas.id = $1)";
    let long_ago = by.as_millisecond().saturating_sub(UNMATCHED_FOR);
    link.execute(sql, &[&replica, &SLICE, &long_ago]).await?;
    let sql = "SELECT DISTINCT target FROM work WHERE due <= $1
               AND NOT EXISTS (SELECT 1 FROM claims WHERE claims.target = work.target) LIMIT $2";
    let rows = link.query(sql, &[&by.as_millisecond(), &SLICE]).await?;
    rows.iter().map(|row| target(row.try_get(0)?)).collect()
}
