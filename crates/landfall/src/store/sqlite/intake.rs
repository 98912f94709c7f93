//! Writes deliveries: which of their events are known, and what is new.

use std::borrow::Cow;
use std::time::Duration;

use jiff::Timestamp;
use landfall_core::journal::{Acceptance, Content, DedupeKey, EntryId, Lasting, Reception, Verdict};
use landfall_core::matcher::Explanation;
use landfall_core::pace::Pace;
use landfall_core::refresh::Hint;
use landfall_core::secret::SecretAge;
use landfall_core::target::Target;
use rusqlite::{Connection, OptionalExtension as _, params};

use super::super::{Found, NewEntry, NewReport, Recorded};
use super::recent::Brought;
use super::rows::{json, time};
use super::writer::Writing;
use super::{Store, StoreError};

/// Writes an entry.
pub(super) const INSERT: &str =
    "INSERT INTO entries (id, received, sender, receiver, reach, peer, headers, body, verdict, \
     reason, duplicate_of, events, keys, matched, explanation, slot, secret)
     VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17)";

impl Store {
    /// Writes a delivery, unless every event of it is known; then it writes that. `window` bounds how long equal contents
    /// count as the same. `arrived` is called when it is on the disk and is to be followed up, also where the caller went
    /// away; and where it repeats another, of which nobody may have been told that it is on the disk: it was refused when a sync
    /// failed, and the next one succeeded.
    pub async fn accept(
        &self,
        entry: NewEntry,
        window: Duration,
        arrived: impl FnOnce(&Acceptance) + Send + 'static,
    ) -> Result<Acceptance, StoreError> {
        let window = i64::try_from(window.as_millis()).unwrap_or(i64::MAX);
        let to_be_followed_up = matches!(entry.contents, Recorded::Events(_) | Recorded::Matched(..));
        let row = NewRow::from(entry);
        let write = move |writing: &mut Writing<'_>| insert(writing, &row, window);
        self.write_at_once_then(write, move |acceptance| match acceptance {
            Acceptance::New(_) | Acceptance::Duplicate { .. } if to_be_followed_up => arrived(acceptance),
            Acceptance::New(_) | Acceptance::Duplicate { .. } | Acceptance::Recorded(_) => {}
        })
        .await
    }
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
    /// Why parts of it are of no interest beside its events.
    set_aside: String,
}

impl NewRow {
    /// Whether anybody wants it, or may: who does is not known of everything when it comes.
    fn is_wanted(&self) -> bool {
        matches!(self.follows, Follows::Matching | Follows::Work(..))
    }

    fn content(&self) -> Content<'_> {
        match &self.follows {
            Follows::Matching | Follows::Nobody | Follows::Work(..) => Content::Events(&self.set_aside),
            Follows::Ignored(reason) => Content::Ignored(reason),
            Follows::Malformed(reason) => Content::Malformed(reason),
        }
    }
}

/// What follows from an entry, unless it is a repetition.
enum Follows {
    /// It is to be matched.
    Matching,
    /// It is matched: nobody wants it.
    Nobody,
    /// It is matched, with its explanations and the work that follows.
    Work(String, Vec<(Target, Vec<Hint>)>),
    /// Nothing, and why: nothing in it is of interest.
    Ignored(String),
    /// Nothing, and why: it was refused.
    Malformed(String),
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
            set_aside,
        } = entry;
        let (reports, follows) = match contents {
            Recorded::Events(reports) => (reports, Follows::Matching),
            Recorded::Unsubscribed(reports) => (reports, Follows::Nobody),
            Recorded::Matched(report, Found { explanations, work }) => {
                (vec![report], Follows::Work(json(&explanations), work))
            }
            Recorded::Ignored(reason) => (Vec::new(), Follows::Ignored(reason)),
            Recorded::Malformed(reason) => (Vec::new(), Follows::Malformed(reason)),
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
            set_aside,
        }
    }
}

impl Follows {
    /// The explanations of `fresh` events, where they are matched already.
    fn explanations(&self, fresh: usize) -> Option<Cow<'_, str>> {
        match self {
            Self::Nobody => Some(Cow::Owned(json(&vec![Explanation::default(); fresh]))),
            Self::Work(explanations, _) => Some(Cow::Borrowed(explanations)),
            Self::Matching | Self::Ignored(_) | Self::Malformed(_) => None,
        }
    }
}

/// The events of an entry: what nobody brought before, and who brought others of them.
struct Sorted<'a> {
    fresh: Vec<(DedupeKey, &'a str)>,
    known: Option<EntryId>,
}

impl<'a> Sorted<'a> {
    fn of(row: &'a NewRow, writing: &mut Writing<'_>, window: i64) -> rusqlite::Result<Self> {
        let received = row.received.as_millisecond();
        writing
            .recent
            .prepare(writing.connection, received.saturating_sub(window))?;
        let (mut fresh, mut known) = (Vec::with_capacity(row.reports.len()), None);
        for (key, event) in &row.reports {
            let known_before = known_since(writing, *key, received, window)?;
            match known_before
                .filter(|before| before.counts(row.is_wanted()))
                .map(|before| before.entry)
            {
                Some(id) => known = Some(id),
                None => fresh.push((*key, event.as_str())),
            }
        }
        Ok(Self { fresh, known })
    }
}

fn insert(writing: &mut Writing<'_>, row: &NewRow, window: i64) -> rusqlite::Result<Acceptance> {
    let Sorted { fresh, known } = Sorted::of(row, writing, window)?;
    let reception = Reception::of(row.content(), known, fresh.is_empty());
    let is_accepted = reception.verdict == Verdict::Accepted;
    let id = writing.ids.next(row.received);
    let explanations = row.follows.explanations(fresh.len()).filter(|_| is_accepted);
    let pace = row.pace.filter(|_| is_accepted && explanations.is_none());
    let slot = pace.map(|pace| next_slot(writing.connection, pace, row.received));
    let slot = slot.transpose()?.map_or(0, Timestamp::as_millisecond);
    let received = row.received.as_millisecond();
    writing.insertion.execute(params![
        id.as_i64(),
        received,
        row.sender,
        row.receiver,
        row.reach,
        row.peer,
        row.headers,
        row.body,
        reception.verdict.as_str(),
        reception.reason,
        reception.duplicate_of.map(EntryId::as_i64),
        list(fresh.iter().map(|(_, event)| *event)),
        fresh.iter().flat_map(|(key, _)| key.digest).collect::<Vec<u8>>(),
        explanations.as_ref().map(|_| received),
        explanations,
        slot,
        row.secret.map(SecretAge::as_str),
    ])?;
    if let (true, Follows::Work(_, work)) = (is_accepted, &row.follows) {
        for (target, hints) in work {
            super::work::insert(writing.connection, id, target, hints, row.received)?;
        }
    }
    let brought = Brought {
        entry: id.as_i64(),
        at: received,
    };
    for (key, _) in fresh {
        match key.lasts {
            Lasting::Window => writing.recent.note(key.digest, brought),
            Lasting::Always => remember(writing.connection, key.digest, brought)?,
        }
    }
    Ok(reception.acceptance(id))
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

/// An entry that brought the same event before.
struct Before {
    entry: EntryId,
    /// It was given up.
    is_dead: bool,
    /// It is matched, and nobody wanted it.
    is_unwanted: bool,
}

impl Before {
    /// Whether whoever sends it again has nothing to come of it: what was given up is to be tried again, and what nobody wanted then
    /// somebody may want now.
    fn counts(&self, is_wanted: bool) -> bool {
        !(self.is_dead || self.is_unwanted && is_wanted)
    }
}

/// The entry that brought the same event before, if it is still there.
fn known_since(writing: &Writing<'_>, key: DedupeKey, now: i64, window: i64) -> rusqlite::Result<Option<Before>> {
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
    let before = "SELECT EXISTS (SELECT 1 FROM work WHERE entry = ?1 AND summary = 'dead'),
                         matched IS NOT NULL AND NOT EXISTS (SELECT 1 FROM work WHERE entry = ?1)
                  FROM entries WHERE id = ?1";
    let mut before = connection.prepare_cached(before)?;
    let before = before.query_row([entry], |row| {
        Ok(Before {
            entry: EntryId::from_i64(entry),
            is_dead: row.get(0)?,
            is_unwanted: row.get(1)?,
        })
    });
    before.optional()
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
