//! Writes deliveries together: which of their events are known, to whichever process they came, and what is new.

use std::collections::HashMap;

use jiff::Timestamp;
use landfall_core::event::Event;
use landfall_core::journal::{Acceptance, DedupeKey, EntryId, EntryIds, Lasting, Reception, Verdict};
use landfall_core::matcher::Explanation;
use landfall_core::secret::SecretAge;
use tokio_postgres::Row;

use super::super::{NewReport, Recorded};
use super::link::{Failure, Link, Value, patiently};
use super::locks;
use super::rows::{clean, json, time};
use super::writer::Job;

type Key = [u8; 16];

/// Who brought an event, when, and whether that still counts: an entry that was given up does not, since whoever sends it
/// again wants it to be tried again; nor does one that nobody wanted, where somebody may now.
const KNOWN: &str =
    "SELECT key, entry, at, EXISTS (SELECT 1 FROM work WHERE work.entry = seen.entry AND summary = 'dead'),
            EXISTS (SELECT 1 FROM entries WHERE id = seen.entry AND matched IS NOT NULL)
              AND NOT EXISTS (SELECT 1 FROM work WHERE work.entry = seen.entry)
     FROM seen WHERE key = ANY($1)";
/// Sorted, so that two processes that write the same keys wait for each other and not in a circle.
const REMEMBER: &str = "INSERT INTO seen (key, entry, at)
                        SELECT * FROM unnest($1::bytea[], $2::bigint[], $3::bigint[]) AS fresh (key, entry, at) ORDER BY key
                        ON CONFLICT (key) DO NOTHING";
/// A key that counted no more, as long as nobody else has remembered it anew meanwhile.
const REPLACE: &str = "UPDATE seen SET entry = fresh.entry, at = fresh.at
                       FROM unnest($1::bytea[], $2::bigint[], $3::bigint[], $4::bigint[]) AS fresh (key, entry, at, was)
                       WHERE seen.key = fresh.key AND seen.entry = fresh.was";
const INSERT: &str = "INSERT INTO entries (id, received, sender, receiver, reach, peer, headers, body, verdict, reason,
                                           duplicate_of, events, keys, matched, explanation, slot, secret, replica)
                      SELECT *, $18::bigint FROM unnest($1::bigint[], $2::bigint[], $3::text[], $4::text[], $5::text[],
                        $6::text[], $7::text[], $8::bytea[], $9::text[], $10::text[], $11::bigint[], $12::text[],
                        $13::bytea[], $14::bigint[], $15::text[], $16::bigint[], $17::text[])";

/// Writes deliveries in one transaction. `None` where another process has brought one of the events at the same time: then
/// nothing is written, and it is to be tried again.
pub(super) async fn write(
    link: &mut Link,
    jobs: &[Job],
    ids: &mut EntryIds,
    replica: i64,
) -> Result<Option<Vec<Acceptance>>, Failure> {
    let statements = [
        link.prepared(KNOWN).await?,
        link.prepared(REPLACE).await?,
        link.prepared(REMEMBER).await?,
        link.prepared(INSERT).await?,
    ];
    let [known, replace, remember, insert] = &statements;
    let keys = keys(jobs);
    let client = link.client();
    let wanted: [Value<'_>; 1] = [&keys];
    // Sent together, and answered in their order.
    let both = async { tokio::try_join!(client.batch_execute("BEGIN"), client.query(known, &wanted)) };
    let ((), known) = patiently(both).await?;
    let mut memory = Memory::of(&known)?;
    let paced = jobs.iter().filter(|job| job.entry.pace.is_some());
    if let Some(now) = paced.map(|job| job.entry.received).max() {
        memory.last_slot = last_slot(link, now).await?;
    }
    let mut columns = Columns::default();
    let acceptances = jobs.iter().map(|job| columns.add(job, ids, &mut memory)).collect();
    let (fresh, stale) = memory.changes();
    let client = link.client();
    let stale_values: [Value<'_>; 4] = [&stale.keys, &stale.entries, &stale.at, &stale.was];
    let fresh_values: [Value<'_>; 3] = [&fresh.keys, &fresh.entries, &fresh.at];
    let entries = columns.values(&replica);
    let all = async {
        tokio::try_join!(
            client.execute(replace, &stale_values),
            client.execute(remember, &fresh_values),
            client.execute(insert, &entries),
        )
    };
    let (replaced, remembered, _) = patiently(all).await?;
    if (replaced, remembered) != (stale.keys.len() as u64, fresh.keys.len() as u64) {
        link.rollback().await?;
        return Ok(None);
    }
    link.commit().await?;
    Ok(Some(acceptances))
}

/// All keys of deliveries, once each.
fn keys(jobs: &[Job]) -> Vec<Vec<u8>> {
    let mut keys: Vec<Vec<u8>> = jobs
        .iter()
        .flat_map(|job| reports(&job.entry.contents))
        .map(|report| report.key.digest.to_vec())
        .collect();
    keys.sort_unstable();
    keys.dedup();
    keys
}

fn reports(contents: &Recorded) -> &[NewReport] {
    match contents {
        Recorded::Events(reports) | Recorded::Unsubscribed(reports) => reports,
        // The intake leaves that to the matcher here; who writes it all the same has it matched again.
        Recorded::Matched(report, _) => std::slice::from_ref(report),
        Recorded::Ignored(_) | Recorded::Malformed(_) => &[],
    }
}

/// The last place in time that somebody waits for. Where nobody waits, it is the last one that has come: what lies ahead then
/// was given out by a clock that has been set back since. Until this transaction ends, nobody else gives one out.
async fn last_slot(link: &mut Link, now: Timestamp) -> Result<Option<Timestamp>, Failure> {
    link.query(
        "SELECT pg_advisory_xact_lock($1, $2)",
        &[&locks::LANDFALL, &locks::PACE],
    )
    .await?;
    let sql = "SELECT coalesce(
                 (SELECT max(slot) FROM entries WHERE verdict = 'accepted' AND matched IS NULL AND slot > 0),
                 (SELECT max(slot) FROM entries WHERE slot > 0 AND slot <= $1))";
    let rows = link.query(sql, &[&now.as_millisecond()]).await?;
    let last: Option<i64> = rows.first().map(|row| row.try_get(0)).transpose()?.flatten();
    Ok(last.map(time))
}

/// What is remembered of a key.
#[derive(Clone, Copy)]
struct Brought {
    entry: i64,
    at: i64,
    /// Whether it was given up.
    dead: bool,
    /// Whether it is matched, and nobody wanted it.
    unwanted: bool,
}

/// What the database remembers of the keys at hand, and what is to be remembered from now on.
#[derive(Default)]
struct Memory {
    before: HashMap<Key, Brought>,
    now: HashMap<Key, Brought>,
    last_slot: Option<Timestamp>,
}

/// Keys to be written, column by column.
#[derive(Default)]
struct Keys {
    keys: Vec<Vec<u8>>,
    entries: Vec<i64>,
    at: Vec<i64>,
    was: Vec<i64>,
}

impl Memory {
    fn of(rows: &[Row]) -> Result<Self, Failure> {
        let mut memory = Self::default();
        for row in rows {
            let brought = Brought {
                entry: row.try_get(1)?,
                at: row.try_get(2)?,
                dead: row.try_get(3)?,
                unwanted: row.try_get(4)?,
            };
            if let Ok(key) = Key::try_from(row.try_get::<_, &[u8]>(0)?) {
                memory.before.insert(key, brought);
            }
        }
        Ok(memory)
    }

    /// The entry that brought the same event before, if that still counts for one that somebody wants, or nobody.
    fn known(&self, key: &DedupeKey, (now, window): (i64, i64), is_wanted: bool) -> Option<EntryId> {
        let brought = self.now.get(&key.digest).or_else(|| self.before.get(&key.digest))?;
        let counts = match key.lasts {
            Lasting::Always => true,
            Lasting::Window => now.abs_diff(brought.at) < window.unsigned_abs(),
        };
        (counts && !brought.dead && !(brought.unwanted && is_wanted)).then(|| EntryId::from_i64(brought.entry))
    }

    /// What is to be written of it: keys that are new, and keys that counted no more.
    fn changes(&self) -> (Keys, Keys) {
        let (mut fresh, mut stale) = (Keys::default(), Keys::default());
        for (key, brought) in &self.now {
            let was = self.before.get(key);
            let keys = if was.is_some() { &mut stale } else { &mut fresh };
            keys.keys.push(key.to_vec());
            keys.entries.push(brought.entry);
            keys.at.push(brought.at);
            keys.was.extend(was.map(|was| was.entry));
        }
        (fresh, stale)
    }
}

/// Entries to be written, column by column.
#[derive(Default)]
struct Columns<'a> {
    id: Vec<i64>,
    received: Vec<i64>,
    sender: Vec<&'a str>,
    receiver: Vec<String>,
    reach: Vec<&'a str>,
    peer: Vec<&'a str>,
    headers: Vec<&'a str>,
    body: Vec<&'a [u8]>,
    verdict: Vec<&'static str>,
    reason: Vec<String>,
    duplicate_of: Vec<Option<i64>>,
    events: Vec<String>,
    keys: Vec<Vec<u8>>,
    matched: Vec<Option<i64>>,
    explanation: Vec<Option<String>>,
    slot: Vec<i64>,
    secret: Vec<Option<&'static str>>,
}

impl<'a> Columns<'a> {
    /// Adds a delivery, and says what becomes of it.
    fn add(&mut self, job: &'a Job, ids: &mut EntryIds, memory: &mut Memory) -> Acceptance {
        let entry = &job.entry;
        let received = entry.received.as_millisecond();
        let (mut fresh, mut known) = (Vec::new(), None);
        let is_unwanted = matches!(entry.contents, Recorded::Unsubscribed(_));
        for report in reports(&entry.contents) {
            match memory.known(&report.key, (received, job.window), !is_unwanted) {
                Some(id) => known = Some(id),
                None => fresh.push(report),
            }
        }
        let reception = Reception::of(entry.content(), known, fresh.is_empty());
        let id = ids.next(entry.received);
        for report in &fresh {
            let brought = Brought {
                entry: id.as_i64(),
                at: received,
                dead: false,
                unwanted: is_unwanted,
            };
            memory.now.insert(report.key.digest, brought);
        }
        let events: Vec<&Event> = fresh.iter().map(|report| &report.event).collect();
        let is_accepted = reception.verdict == Verdict::Accepted;
        let nothing_to_match = is_accepted && is_unwanted;
        let slot = entry
            .pace
            .filter(|_| is_accepted && !nothing_to_match)
            .map(|pace| pace.slot(memory.last_slot, entry.received));
        memory.last_slot = slot.or(memory.last_slot);
        self.id.push(id.as_i64());
        self.received.push(received);
        self.sender.push(entry.sender);
        self.receiver.push(clean(&entry.receiver).into_owned());
        self.reach.push(&job.reach);
        self.peer.push(&entry.peer);
        self.headers.push(&job.headers);
        self.body.push(&entry.body);
        self.verdict.push(reception.verdict.as_str());
        self.reason.push(clean(&reception.reason).into_owned());
        self.duplicate_of.push(reception.duplicate_of.map(EntryId::as_i64));
        self.events.push(json(&events));
        self.keys
            .push(fresh.iter().flat_map(|report| report.key.digest).collect());
        self.matched.push(nothing_to_match.then_some(received));
        self.explanation
            .push(nothing_to_match.then(|| json(&vec![Explanation::default(); fresh.len()])));
        self.slot.push(slot.map_or(0, Timestamp::as_millisecond));
        self.secret.push(entry.secret.map(SecretAge::as_str));
        reception.acceptance(id)
    }

    fn values<'b>(&'b self, replica: &'b i64) -> [Value<'b>; 18] {
        [
            &self.id,
            &self.received,
            &self.sender,
            &self.receiver,
            &self.reach,
            &self.peer,
            &self.headers,
            &self.body,
            &self.verdict,
            &self.reason,
            &self.duplicate_of,
            &self.events,
            &self.keys,
            &self.matched,
            &self.explanation,
            &self.slot,
            &self.secret,
            replica,
        ]
    }
}
