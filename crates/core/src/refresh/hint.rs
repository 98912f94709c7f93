//! Says where an event points. It is no more than that: what is there, only the registry knows.

use serde::{Deserialize, Serialize};

use crate::artifact::{Digest, Tag};
use crate::repository::Repository;

/// Where an event says to look.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Hint {
    /// The repository.
    pub repository: Repository,
    /// The tag; absent where any may have changed.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub tag: Option<Tag>,
    /// The digest that the sender says the tag points to. It only tells whether a look may have come too early.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub claimed: Option<Digest>,
}

/// A hint, and the event that gave it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Pointer {
    /// Where to look.
    #[serde(flatten)]
    pub hint: Hint,
    /// What tells the event from others: one look after it is enough for all whom it concerns.
    pub event: String,
}
