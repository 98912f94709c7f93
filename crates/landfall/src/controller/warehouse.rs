//! Refreshes a Warehouse: looks where events point, or at everything, and makes its status from what is there.

mod image;
mod outcome;

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::Timestamp;
use landfall_core::discovery::{Discovered, ImageOutcome, Keeps, Undiscovered};
use landfall_core::journal::Setback;
use landfall_core::matcher;
use landfall_core::refresh::{Extent, Hint};
use landfall_core::repository::ImageRepository;
use landfall_core::resource::{Source, SubscriptionSpec, Warehouse};

use super::credentials::Credentials;
use crate::clock::now;
use crate::discovery::Catalogs;
use crate::live::LiveWarehouse;
use crate::registry::{Priority, RegistryClient};
use crate::store::Store;
use image::ImageRefresh;
pub use outcome::{broken, failed, outcome, setbacks};

/// What refreshes work with.
#[derive(Clone)]
pub struct Discovery {
    /// Listings before this may lack what other processes were told since.
    pub listed_since: Timestamp,
    pub registry: RegistryClient,
    pub catalogs: Arc<Catalogs>,
    pub store: Store,
}

/// What a refresh found.
pub struct Refreshed {
    /// The result of each subscription that was looked at, in the order of the spec.
    pub results: Vec<Discovered>,
    /// The other subscriptions.
    pub undiscovered: Vec<Undiscovered>,
    /// What each pointed-at tag turned out to be. What is missing here was seen, or is nobody's business.
    pub hints: BTreeMap<Hint, HintOutcome>,
    /// What each subscription chose, in words.
    pub choices: Vec<String>,
    /// When the registry had been asked.
    pub asked: Timestamp,
    /// Requests to registries.
    pub requests: u32,
    /// Requests for tokens.
    pub token_requests: u32,
    /// When the oldest listing that this rests on began: the next one is due an interval later.
    pub complete_since: Option<Timestamp>,
}

/// What became of a hint.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum HintOutcome {
    /// The tag was seen.
    Seen,
    /// The tag was seen, and points to something else than the sender says: it has not moved yet, or has moved on.
    Elsewhere(String),
    /// The registry does not have it, or not yet.
    NotVisible(String),
    /// It could not be asked.
    Failed(String),
}

/// A hint with the time since which a look counts: what was seen before the event came says nothing about it.
pub type Hints = BTreeMap<Hint, Timestamp>;

/// Looks at a Warehouse's subscriptions, as much of them and as urgently. A subscription that fails does not keep the others from their results.
pub async fn refresh(
    discovery: &Discovery,
    credentials: &Credentials,
    known: &LiveWarehouse,
    (extent, priority): (Extent, Priority),
    hints: &Hints,
) -> Refreshed {
    let warehouse = &known.warehouse;
    let project = warehouse.metadata.namespace.clone().unwrap_or_default();
    let mut refreshed = Refreshed {
        results: Vec::new(),
        undiscovered: Vec::new(),
        hints: BTreeMap::new(),
        choices: Vec::new(),
        asked: now(),
        requests: 0,
        token_requests: 0,
        complete_since: Some(now()),
    };
    for (index, subscription) in warehouse.subscriptions.iter().enumerate() {
        let label = label(index, subscription);
        let outcome = match (&subscription.source, known.policies.get(index)) {
            (Source::Image(_), Some(Some(Err(problem)))) => Err(Setback::Hopeless(problem.to_string())),
            (Source::Image(image), Some(Some(Ok(policy)))) => {
                let interval = warehouse.interval.duration;
                let noted = known.noted;
                let refresh = ImageRefresh {
                    noted,
                    discovery,
                    image,
                    policy,
                    extent,
                    priority,
                    hints,
                    interval,
                };
                refresh.run(credentials, &project, subscription, &mut refreshed).await
            }
            (other, _) => {
                let reason = not_discovered(other);
                refreshed.choices.push(format!("{label}: {reason}"));
                let keeps = keeps(other);
                refreshed.undiscovered.push(Undiscovered { label, reason, keeps });
                continue;
            }
        };
        match &outcome {
            Ok(image) => refreshed.choices.push(format!("{label}: {}", chosen(image))),
            Err(setback) => refreshed.choices.push(format!("{label}: {}", setback.reason())),
        }
        refreshed.results.push(Discovered { label, outcome });
    }
    refreshed
}

/// The registry host that a refresh mostly asks: the first image subscription's. Empty where there is none.
pub fn host(warehouse: &Warehouse) -> String {
    let images = warehouse
        .subscriptions
        .iter()
        .filter_map(|subscription| match &subscription.source {
            Source::Image(image) => ImageRepository::parse(&image.repo_url).ok(),
            Source::Git(_) | Source::Chart(_) | Source::Generic { .. } | Source::Unreadable { .. } => None,
        });
    images
        .map(|repository| repository.registry_host().to_owned())
        .next()
        .unwrap_or_default()
}

fn label(index: usize, subscription: &SubscriptionSpec) -> String {
    let what = match &subscription.source {
        Source::Image(image) => format!("image {}", image.repo_url),
        Source::Git(git) => format!("git {}", git.repo_url),
        Source::Chart(chart) => format!("chart {}", chart.repo_url),
        Source::Generic { subscription_type, .. } => subscription_type.clone(),
        Source::Unreadable { .. } => "unreadable".to_owned(),
    };
    match &subscription.name {
        Some(name) => format!("subscription {name} ({what})"),
        None => format!("subscription {} ({what})", index + 1),
    }
}

fn not_discovered(source: &Source) -> String {
    match source {
        Source::Unreadable { problem } => problem.clone(),
        Source::Image(_) | Source::Git(_) | Source::Chart(_) | Source::Generic { .. } => {
            // What is wrong with it matters all the same: pushes are told to whoever subscribes.
            let problem = matcher::problem(source).map(|problem| format!("{problem}; and "));
            let problem = problem.unwrap_or_default();
            format!("{problem}this version of landfall discovers images only")
        }
    }
}

/// What of an earlier status belongs to a subscription that is not discovered. Of an image there is nothing: those are.
fn keeps(source: &Source) -> Keeps {
    match source {
        Source::Git(git) => Keeps::Git {
            repo_url: git.repo_url.clone(),
        },
        Source::Chart(chart) => Keeps::Chart {
            repo_url: chart.repo_url.clone(),
            name: chart.name.clone(),
        },
        Source::Generic { .. } => Keeps::Generic,
        Source::Image(_) | Source::Unreadable { .. } => Keeps::Any,
    }
}

fn chosen(image: &ImageOutcome) -> String {
    let choice = &image.choice;
    let mut words = match choice.references.first() {
        Some(best) => format!("{} ({})", best.tag, short(best.digest.as_str())),
        None => "nothing".to_owned(),
    };
    words.push_str(&format!(", of {} wanted", choice.candidates));
    if let Some(left_out) = choice.left_out.first() {
        words.push_str(&format!(
            "; {} left out, first {}: {}",
            choice.left_out.len(),
            left_out.tag,
            left_out.reason
        ));
    }
    words
}

/// The first characters of a digest, enough for people.
fn short(digest: &str) -> &str {
    digest.get(..19).unwrap_or(digest)
}
