//! The values that are kept, and what is asked of them: the same wherever the store is.

use std::sync::Arc;

use jiff::Timestamp;
use landfall_core::artifact::{Digest, Tag};
use landfall_core::discovery::Seen;
use landfall_core::event::Event;
use landfall_core::journal::{Attempt, Content, DedupeKey, EntryId, Verdict, Work};
use landfall_core::matcher::Explanation;
use landfall_core::pace::Pace;
use landfall_core::receiver::Reach;
use landfall_core::refresh::Hint;
use landfall_core::resource::ResourceKey;
use landfall_core::secret::SecretAge;
use landfall_core::target::Target;
use serde::{Deserialize, Serialize};

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
    /// Why parts of it are of no interest beside its events; empty where there are none.
    pub set_aside: String,
}

impl NewEntry {
    /// What it is to the journal.
    pub fn content(&self) -> Content<'_> {
        match &self.contents {
            Recorded::Events(_) | Recorded::Matched(..) | Recorded::Unsubscribed(_) => Content::Events(&self.set_aside),
            Recorded::Ignored(reason) => Content::Ignored(reason),
            Recorded::Malformed(reason) => Content::Malformed(reason),
        }
    }
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

/// The entries of which state to list.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum EntryState {
    /// Whatever state they are in.
    #[default]
    Any,
    /// Those that are still to be matched, or have a target that is still to be refreshed.
    Waiting,
    /// Those with a target that was given up.
    Dead,
}

/// Which entries to list.
#[derive(Clone, Debug, Default)]
pub struct EntryFilter {
    /// In which state.
    pub state: EntryState,
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

/// An entry with everything that is kept of it.
pub struct WholeEntry {
    pub entry: Entry,
    pub headers: Vec<(String, String)>,
    pub body: Vec<u8>,
    pub explanations: Vec<Explanation>,
}

/// Work of one entry that waits.
#[derive(Clone, Debug)]
pub struct WaitingWork {
    pub entry: EntryId,
    pub work: Work,
    pub hints: Vec<Hint>,
}

/// Work of one entry, with its history.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct WorkRecord {
    pub target: Target,
    pub work: Work,
    pub hints: Vec<Hint>,
    pub attempts: Vec<AttemptRecord>,
}

/// One attempt, with what it did and when.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct AttemptRecord {
    pub attempt: Attempt,
    pub began: Timestamp,
    /// When the registry had been asked.
    pub asked: Timestamp,
    /// When the choice was made.
    pub chose: Timestamp,
    /// What came of it, in words.
    pub outcome: String,
    /// Requests to the registry that this refresh made, shared by all entries that it served.
    pub requests: u32,
    /// Requests to a token service, or to find out how to authenticate.
    pub token_requests: u32,
    /// What each subscription chose, in words.
    pub choices: Vec<String>,
    /// How many entries the refresh served.
    pub served: usize,
}

/// How a refresh changes the store: everything at once, or nothing.
#[derive(Clone)]
pub struct Settlement {
    pub target: Target,
    pub resource: Option<ResourceWrite>,
    /// The state that each entry's work had, the state that it has now, and the attempt.
    pub work: Vec<(EntryId, Work, Work, AttemptRecord)>,
}

/// What is taken up again of an entry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Replay {
    /// Its work for these targets.
    Work(Vec<Target>),
    /// Nobody wanted it, so it is matched again.
    Matching,
    /// Nothing: nothing follows from it.
    Nothing,
}

/// What a look at a tag found.
#[derive(Clone, Debug)]
pub struct Sighting {
    /// When the look began.
    pub seen: Timestamp,
    /// Where the tag points, and what that holds; absent where there is no such tag.
    pub found: Option<(Digest, Arc<Seen>)>,
    /// What no tag points at any more because of that, as far as whoever looked knows.
    pub unnamed: Vec<Digest>,
}

/// What a complete listing of a repository has left.
#[derive(Clone, Debug)]
pub struct Listing {
    /// The tags that there are, and no others.
    pub tags: Vec<Tag>,
    /// What no tag points at any more, as far as whoever listed it knows.
    pub unnamed: Vec<Digest>,
    /// When it began.
    pub began: Timestamp,
}

/// What waits in the journal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Queue {
    /// Entries that are to be matched.
    pub unmatched: u32,
    /// When the oldest of them came in.
    pub oldest_unmatched: Option<Timestamp>,
    /// Work of targets that waits.
    pub waiting: u32,
    /// When the oldest delivery with such work came in.
    pub oldest_waiting: Option<Timestamp>,
    /// Work that was given up.
    pub dead: u32,
}

/// What is kept of a resource.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ResourceRecord {
    /// Counts changes of the spec, from 1.
    pub generation: i64,
    /// A hash of the spec that the generation stands for.
    pub spec_hash: String,
    /// The status, as JSON.
    pub status: String,
    /// When the last complete refresh began.
    pub refreshed: Option<Timestamp>,
}

/// A record to be written.
#[derive(Clone, Debug)]
pub struct ResourceWrite {
    pub key: ResourceKey,
    pub record: ResourceRecord,
}
