//! Writes and reads journal entries: what came in, what was made of it, and what is still to be matched.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::time::Duration;

use jiff::Timestamp;
use landfall_core::event::Event;
use landfall_core::journal::{DedupeKey, EntryId, Lasting, Verdict};
use landfall_core::matcher::Explanation;
use landfall_core::pace::Pace;
use landfall_core::receiver::Reach;
use landfall_core::refresh::Hint;
use landfall_core::secret::SecretAge;
use landfall_core::target::Target;
use rusqlite::{Connection, OptionalExtension as _, Row, params};
use serde::{Deserialize, Serialize};

use super::recent::Brought;
use super::rows::{json, parsed, time};
use super::writer::Writing;
use super::{Store, StoreError};

/// A delivery on its way into the journal. Texts are JSON already, so that the writer's thread does not make them.
pub struct NewEntry {
    pub received: Timestamp,
    pub sender: &'static str,
    pub receiver: String,
    pub reach: Reach,
    pub peer: String,
    pub headers: Vec<(String, String)>,
    pub body: Vec<u8>,
    pub contents: Recorded,
    /// Which of its sender's secrets it showed, where it showed one.
    pub secret: Option<SecretAge>,
    /// How fast entries like this one may be followed up; absent where nothing limits that.
    pub pace: Option<Pace>,
}

/// What was read from a delivery.
pub enum Recorded {
    /// Events to follow up, unless they are known already.
    Events(Vec<NewReport>),
    /// An event with what matching found already, because few subscribe to its repository.
    Matched(NewReport, Found),
    /// Events whose repositories nobody subscribes to: there is nothing to match, and nothing follows from them.
    Unsubscribed(Vec<NewReport>),
    /// Nothing of interest, and why.
    Ignored(String),
    /// It was refused, and why.
    Malformed(String),
}

/// What matching an entry's events found.
#[derive(Clone)]
pub struct Found {
    /// One for each event.
    pub explanations: Vec<Explanation>,
    /// Who wants it, and where each has to look.
    pub work: Vec<(Target, Vec<Hint>)>,
}

/// An event with what makes it the same as another one.
pub struct NewReport {
    pub key: DedupeKey,
    pub event: Event,
}

/// What the journal made of a delivery.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Acceptance {
    /// It is on the disk and will be followed up.
    New(EntryId),
    /// It is on the disk as the repetition of an earlier one.
    Duplicate { id: EntryId, of: EntryId },
    /// It is on the disk, and nothing follows from it.
    Recorded(EntryId),
}

/// An entry as it is shown.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Entry {
    pub id: EntryId,
    pub received: Timestamp,
    pub sender: String,
    pub receiver: String,
    pub peer: String,
    pub verdict: Verdict,
    #[serde(skip_serializing_if = "String::is_empty", default)]
    pub reason: String,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub duplicate_of: Option<EntryId>,
    pub events: Vec<Event>,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub matched: Option<Timestamp>,
    /// `current` or `previous`: which of its sender's secrets it showed, where it showed one.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub secret: Option<String>,
    /// When it is to be matched, where its pace makes it wait.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub waits_until: Option<Timestamp>,
}

/// Which entries to list.
#[derive(Clone, Debug, Default)]
pub struct EntryFilter {
    /// Only those with a target that was given up.
    pub dead: bool,
    /// At most this many, the newest first.
    pub limit: u32,
}

/// An entry that is still to be matched.
pub struct Unmatched {
    pub id: EntryId,
    pub reach: Reach,
    pub events: Vec<Event>,
}

/// What matching found for an entry.
#[derive(Clone)]
pub struct Matched {
    pub id: EntryId,
    /// One for each event.
    pub explanations: Vec<Explanation>,
    /// Who wants it, and where each has to look.
    pub work: Vec<(Target, Vec<Hint>)>,
}

const COLUMNS: &str = "id, received, sender, receiver, peer, verdict, reason, duplicate_of, events, matched, slot, secret, headers, body, explanation";

/// Writes an entry.
pub(super) const INSERT: &str =
    "INSERT INTO entries (id, received, sender, receiver, reach, peer, headers, body, verdict, \
     reason, duplicate_of, events, keys, matched, explanation, slot, secret)
     VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17)";

/// An entry with everything that is kept of it.
pub struct WholeEntry {
    pub entry: Entry,
    pub headers: Vec<(String, String)>,
    pub body: Vec<u8>,
    pub explanations: Vec<Explanation>,
}

impl Store {
    /// Writes a delivery, unless every event of it is known; then it writes that. `window` bounds how long equal contents
    /// count as the same. `arrived` is called when it is on the disk and is to be followed up, also where the caller went
    /// away.
    pub async fn accept(
        &self,
        entry: NewEntry,
        window: Duration,
        arrived: impl FnOnce() + Send + 'static,
    ) -> Result<Acceptance, StoreError> {
        let window = i64::try_from(window.as_millis()).unwrap_or(i64::MAX);
        let to_be_followed_up = matches!(entry.contents, Recorded::Events(_) | Recorded::Matched(..));
        let row = NewRow::from(entry);
        let write = move |writing: &mut Writing<'_>| insert(writing, &row, window);
        self.write_then(write, move |acceptance| {
            if to_be_followed_up && matches!(acceptance, Acceptance::New(_)) {
                arrived();
            }
        })
        .await
    }

    /// The first entries that are still to be matched and whose turn has come by `by`.
    pub async fn unmatched(&self, limit: u32, by: Timestamp) -> Result<Vec<Unmatched>, StoreError> {
        self.read(move |connection| {
            let mut statement = connection.prepare_cached(
                "SELECT id, reach, events FROM entries INDEXED BY entries_unmatched
                 WHERE verdict = 'accepted' AND matched IS NULL AND slot <= ?2 ORDER BY slot, id LIMIT ?1",
            )?;
            let rows = statement.query_map((limit, by.as_millisecond()), |row| {
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
            let dead = if filter.dead {
                "WHERE id IN (SELECT entry FROM work WHERE summary = 'dead')"
            } else {
                ""
            };
            let sql = format!("SELECT {COLUMNS} FROM entries {dead} ORDER BY id DESC LIMIT ?1");
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

/// An entry as it is written, as far as that is known before. Whoever brings it makes its texts, and gives the memory back that
/// those were made from: what one thread takes and another one gives back costs both more.
struct NewRow {
    received: Timestamp,
    sender: &'static str,
    receiver: String,
    reach: String,
    peer: String,
    headers: String,
    body: Vec<u8>,
    secret: Option<SecretAge>,
    pace: Option<Pace>,
    /// Each event with its JSON.
    reports: Vec<(DedupeKey, String)>,
    follows: Follows,
}

/// What follows from an entry, unless it is a repetition.
enum Follows {
    /// Nothing: that is its verdict, and why.
    Verdict(Verdict, String),
    /// It is to be matched.
    Matching,
    /// It is matched: nobody wants it.
    Nobody,
    /// It is matched, with its explanations and the work that follows.
    Work(String, Vec<(Target, Vec<Hint>)>),
}

impl From<NewEntry> for NewRow {
    fn from(entry: NewEntry) -> Self {
        let NewEntry {
            received,
            sender,
            receiver,
            reach,
            peer,
            headers,
            body,
            contents,
            secret,
            pace,
        } = entry;
        let (reports, follows) = match contents {
            Recorded::Events(reports) => (reports, Follows::Matching),
            Recorded::Unsubscribed(reports) => (reports, Follows::Nobody),
            Recorded::Matched(report, Found { explanations, work }) => {
                (vec![report], Follows::Work(json(&explanations), work))
            }
            Recorded::Ignored(reason) => (Vec::new(), Follows::Verdict(Verdict::Ignored, reason)),
            Recorded::Malformed(reason) => (Vec::new(), Follows::Verdict(Verdict::Malformed, reason)),
        };
        Self {
            received,
            sender,
            receiver,
            reach: json(&reach),
            peer,
            headers: json(&headers),
            body,
            secret,
            pace,
            reports: reports
                .into_iter()
                .map(|NewReport { key, event }| (key, json(&event)))
                .collect(),
            follows,
        }
    }
}

impl Follows {
    /// The explanations of `fresh` events, where they are matched already.
    fn explanations(&self, fresh: usize) -> Option<Cow<'_, str>> {
        match self {
            Self::Nobody => Some(Cow::Owned(json(&vec![Explanation::default(); fresh]))),
            Self::Work(explanations, _) => Some(Cow::Borrowed(explanations)),
            Self::Verdict(..) | Self::Matching => None,
        }
    }
}

fn insert(writing: &mut Writing<'_>, row: &NewRow, window: i64) -> rusqlite::Result<Acceptance> {
    let connection = writing.connection;
    let received = row.received.as_millisecond();
    writing.recent.prepare(connection, received.saturating_sub(window))?;
    let (mut fresh, mut known) = (Vec::with_capacity(row.reports.len()), None);
    for (key, event) in &row.reports {
        match known_since(writing, *key, received, window)? {
            Some(id) => known = Some(id),
            None => fresh.push((key, event.as_str())),
        }
    }
    let (verdict, reason) = match (&row.follows, known) {
        (Follows::Verdict(verdict, reason), _) => (*verdict, Cow::Borrowed(reason.as_str())),
        (_, Some(of)) if fresh.is_empty() => (Verdict::Duplicate, Cow::Owned(format!("a repetition of {of}"))),
        (_, Some(of)) => (
            Verdict::Accepted,
            Cow::Owned(format!("some of its events are a repetition of {of}")),
        ),
        (_, None) => (Verdict::Accepted, Cow::Borrowed("")),
    };
    let id = writing.ids.next(row.received);
    let keys: Vec<u8> = fresh.iter().flat_map(|(key, _)| key.digest).collect();
    let explanations = match verdict {
        Verdict::Accepted => row.follows.explanations(fresh.len()),
        Verdict::Ignored | Verdict::Duplicate | Verdict::Malformed => None,
    };
    let duplicate_of = known.filter(|_| verdict == Verdict::Duplicate);
    let slot = match row.pace {
        Some(pace) if verdict == Verdict::Accepted && explanations.is_none() => {
            next_slot(connection, pace, row.received)?.as_millisecond()
        }
        _ => 0,
    };
    writing.insertion.execute(params![
        id.as_i64(),
        received,
        row.sender,
        row.receiver,
        row.reach,
        row.peer,
        row.headers,
        row.body,
        verdict.as_str(),
        reason,
        duplicate_of.map(EntryId::as_i64),
        list(fresh.iter().map(|(_, event)| *event)),
        keys,
        explanations.as_ref().map(|_| received),
        explanations,
        slot,
        row.secret.map(SecretAge::as_str),
    ])?;
    if let (Verdict::Accepted, Follows::Work(_, work)) = (verdict, &row.follows) {
        for (target, hints) in work {
            super::work::insert(connection, id, target, hints, row.received)?;
        }
    }
    for (key, _) in &fresh {
        let brought = Brought {
            entry: id.as_i64(),
            at: received,
        };
        match key.lasts {
            Lasting::Window => writing.recent.note(key.digest, brought),
            Lasting::Always => remember(connection, key.digest, brought)?,
        }
    }
    Ok(match (verdict, duplicate_of) {
        (_, Some(of)) => Acceptance::Duplicate { id, of },
        (Verdict::Accepted, None) => Acceptance::New(id),
        _ => Acceptance::Recorded(id),
    })
}

/// A list of what is JSON already.
fn list<'a>(items: impl Iterator<Item = &'a str>) -> String {
    let mut list = String::with_capacity(512);
    list.push('[');
    for item in items {
        if list.len() > 1 {
            list.push(',');
        }
        list.push_str(item);
    }
    list.push(']');
    list
}

/// The entry that brought the same event before, if that still counts. An entry that was given up does not count: whoever
/// sends it again wants it to be tried again.
fn known_since(writing: &Writing<'_>, key: DedupeKey, now: i64, window: i64) -> rusqlite::Result<Option<EntryId>> {
    let connection = writing.connection;
    let entry: Option<i64> = match key.lasts {
        Lasting::Always => connection
            .prepare_cached("SELECT entry FROM seen WHERE key = ?1")?
            .query_row([key.digest], |row| row.get(0))
            .optional()?,
        Lasting::Window => {
            let brought = writing.recent.find(&key.digest);
            let counts = |brought: &Brought| now.abs_diff(brought.at) < window.unsigned_abs();
            brought.filter(counts).map(|brought| brought.entry)
        }
    };
    let Some(entry) = entry else { return Ok(None) };
    // The retention may have let it go since.
    let kept = connection
        .prepare_cached("SELECT 1 FROM entries WHERE id = ?1")?
        .exists([entry])?;
    let dead = connection
        .prepare_cached("SELECT 1 FROM work WHERE entry = ?1 AND summary = 'dead' LIMIT 1")?
        .exists([entry])?;
    Ok((kept && !dead).then(|| EntryId::from_i64(entry)))
}

/// The place in time after the last one that waits. Where none waits, it is the one after the last that has come: what lies
/// ahead then was given out by a clock that has been set back since.
fn next_slot(connection: &Connection, pace: Pace, now: Timestamp) -> rusqlite::Result<Timestamp> {
    let waiting: Option<i64> = connection
        .prepare_cached(
            "SELECT max(slot) FROM entries INDEXED BY entries_unmatched
             WHERE verdict = 'accepted' AND matched IS NULL AND slot > 0",
        )?
        .query_row([], |row| row.get(0))?;
    let last = match waiting {
        Some(_) => waiting,
        None => connection
            .prepare_cached("SELECT max(slot) FROM entries WHERE slot > 0 AND slot <= ?1")?
            .query_row([now.as_millisecond()], |row| row.get(0))?,
    };
    Ok(pace.slot(last.map(time), now))
}

fn remember(connection: &Connection, key: [u8; 16], brought: Brought) -> rusqlite::Result<()> {
    connection
        .prepare_cached("INSERT OR REPLACE INTO seen (key, entry, at) VALUES (?1, ?2, ?3)")?
        .execute(params![key, brought.entry, brought.at])?;
    Ok(())
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
