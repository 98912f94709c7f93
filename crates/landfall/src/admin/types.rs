//! What the admin API says: the shapes that commands print with `-o json`, and that a page would show.

use std::collections::BTreeMap;

use landfall_core::journal::EntryId;
use landfall_core::matcher::Explanation;
use landfall_core::target::Target;
use serde::{Deserialize, Serialize};

use crate::store::{Entry, WorkRecord};

/// A delivery in a list.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct DeliverySummary {
    /// What came in.
    #[serde(flatten)]
    pub entry: Entry,
    /// How many targets are waiting, retrying, done and dead.
    pub targets: BTreeMap<String, u32>,
}

/// A delivery with everything that is known of it.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct DeliveryDetail {
    /// What came in.
    #[serde(flatten)]
    pub entry: Entry,
    /// Its headers, without what could be a secret.
    pub headers: Vec<(String, String)>,
    /// Its body, as text.
    pub body: String,
    /// For each event, the verdict on every subscription to its repository.
    pub explanations: Vec<Explanation>,
    /// What it does or did for each target.
    pub work: Vec<WorkRecord>,
}

/// What a replay took up again.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Replayed {
    /// The delivery.
    pub id: EntryId,
    /// The targets whose work begins anew.
    pub targets: Vec<Target>,
    /// Nobody wanted it, so it is matched again.
    #[serde(default)]
    pub matched_again: bool,
}

/// Something in the manifests that is not as it should be.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct ManifestProblem {
    /// File, line and column.
    pub place: String,
    /// `error` or `warning`.
    pub severity: String,
    /// What is wrong, and what stays in force.
    pub message: String,
}
