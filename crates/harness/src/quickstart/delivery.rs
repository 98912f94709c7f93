//! Reads what `landfall deliveries … -o json` prints, as far as the quick start tells of it; it asks nobody.

use jiff::Timestamp;
use serde::Deserialize;

/// One of `landfall deliveries list`.
#[derive(Debug, Deserialize)]
pub struct Summary {
    /// Ids sort by time.
    pub id: String,
    /// `accepted`, `ignored`, …
    pub verdict: String,
    /// What was pushed.
    pub events: Vec<Pushed>,
}

/// An event.
#[derive(Debug, Deserialize)]
pub struct Pushed {
    /// The repository in canonical form.
    pub repository: String,
    /// The tag, if the sender told it.
    #[serde(default)]
    pub tag: Option<String>,
}

/// What `landfall deliveries explain` tells.
#[derive(Debug, Deserialize)]
pub struct Story {
    /// The id.
    pub id: String,
    /// The receiver that it came through.
    pub receiver: String,
    /// When.
    pub received: Timestamp,
    /// When it was matched; absent before.
    #[serde(default)]
    pub matched: Option<Timestamp>,
    /// One for each event.
    pub explanations: Vec<Explanation>,
    /// One for each target.
    pub work: Vec<TargetWork>,
}

/// The verdicts on one event.
#[derive(Debug, Deserialize)]
pub struct Explanation {
    /// One for each wish.
    pub lines: Vec<Line>,
}

/// The verdict on one wish.
#[derive(Debug, Deserialize)]
pub struct Line {
    /// Whether the event is for it.
    pub wanted: bool,
    /// Why, or why not.
    pub reason: String,
    /// Who has the wish.
    pub targets: Vec<String>,
}

/// What a delivery does for a target.
#[derive(Debug, Deserialize)]
pub struct TargetWork {
    /// The target.
    pub target: String,
    /// Where it stands.
    pub work: State,
    /// What was tried.
    pub attempts: Vec<Attempt>,
}

/// Where work stands.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", tag = "state")]
pub enum State {
    /// Not done yet.
    Waiting {},
    /// Done.
    Done {
        /// When.
        at: Timestamp,
    },
    /// Given up.
    Dead {
        /// When.
        at: Timestamp,
    },
}

/// One refresh.
#[derive(Debug, Deserialize)]
pub struct Attempt {
    /// When the registry had been asked.
    pub asked: Timestamp,
    /// When the choice was made.
    pub chose: Timestamp,
    /// What came of it.
    pub outcome: String,
    /// Requests to the registry.
    pub requests: u32,
    /// What each subscription chose.
    pub choices: Vec<String>,
}

impl Story {
    /// Whether it is matched and nothing of it waits.
    pub fn is_over(&self) -> bool {
        let waits = |work: &TargetWork| matches!(work.work, State::Waiting {});
        self.matched.is_some() && !self.work.iter().any(waits)
    }

    /// Whether it is over, and all of it is done.
    pub fn ended_well(&self) -> bool {
        let done = |work: &TargetWork| matches!(work.work, State::Done { .. });
        self.matched.is_some() && self.work.iter().all(done)
    }
}
