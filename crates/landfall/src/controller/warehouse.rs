//! Refreshes a Warehouse: looks where events point, or at everything, and makes its status from what is there.

mod hosts;
mod image;
mod outcome;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use landfall_core::discovery::{Discovered, Keeps, Subject, Undiscovered};
use landfall_core::journal::Setback;
use landfall_core::matcher;
use landfall_core::refresh::{Extent, Hint};
use landfall_core::resource::{ImageSubscription, Source, SubscriptionSpec};
use landfall_core::selection::{Choice, TagCachePolicy};

use super::credentials::Credentials;
use super::slots::{Places, Slot};
use crate::clock::now;
use crate::discovery::{Catalogs, Failures};
use crate::live::LiveWarehouse;
use crate::registry::{Priority, RegistryClient};
use crate::store::Store;
pub use hosts::image_host;
use image::{ImageRefresh, Requests};
pub use outcome::{broken, failed, outcome, setbacks};

/// What refreshes work with.
#[derive(Clone)]
pub struct Discovery {
    /// Listings before this may lack what other processes were told since.
    pub listed_since: Timestamp,
    pub registry: RegistryClient,
    pub catalogs: Arc<Catalogs>,
    pub store: Store,
    pub tag_cache: TagCachePolicy,
    pub failures: Arc<Failures>,
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

/// How to look.
pub struct Look {
    /// How much to look at.
    pub extent: Extent,
    /// How urgently.
    pub priority: Priority,
    /// Where events point.
    pub hints: Hints,
    /// Of everything, what was seen from then on counts.
    pub since: Timestamp,
    /// Whether it is for hints, and nobody asks for everything. Then a repository that no hint is for, and that could not be looked at a
    /// moment ago, is left to a later one.
    pub is_urgent: bool,
    /// How long after one look at everything the next is due by itself.
    pub interval: Duration,
}

/// Looks at a Warehouse's subscriptions. A subscription that fails does not keep the others from their results. The slot that it
/// gives back is of the host that it was done with last.
pub async fn refresh(
    discovery: &Discovery,
    credentials: &Credentials,
    known: &LiveWarehouse,
    look: &Look,
    places: Places,
) -> (Refreshed, Option<Slot>) {
    let warehouse = &known.warehouse;
    let project = warehouse.metadata.namespace.as_deref().unwrap_or_default();
    let began = now();
    let images = warehouse.subscriptions.iter().zip(known.policies.iter()).enumerate();
    let images = images.filter_map(|(index, (subscription, policy))| {
        let (Source::Image(image), Some(Ok(policy))) = (&subscription.source, policy) else {
            return None;
        };
        let refresh = ImageRefresh {
            discovery,
            credentials,
            project,
            image,
            policy,
            look,
            noted: known.noted,
        };
        Some((index, refresh))
    });
    let (mut looked, slot) = hosts::look(images.collect(), places).await;
    let mut refreshed = Refreshed {
        results: Vec::new(),
        undiscovered: Vec::new(),
        hints: BTreeMap::new(),
        choices: Vec::new(),
        asked: began,
        requests: 0,
        token_requests: 0,
        complete_since: Some(began),
    };
    for (index, subscription) in warehouse.subscriptions.iter().enumerate() {
        let label = label(index, subscription);
        let outcome = match (&subscription.source, known.policies.get(index), looked.remove(&index)) {
            (Source::Image(image), _, Some((outcome, requests))) => {
                refreshed.add(requests);
                Ok((image, outcome))
            }
            (Source::Image(image), Some(Some(Err(problem))), None) => {
                Ok((image, Err(Setback::Hopeless(problem.to_string()))))
            }
            (other, ..) => Err(other),
        };
        match outcome {
            Ok((image, outcome)) => refreshed.note(label, image, subscription, outcome),
            Err(other) => refreshed.leave_out(label, other),
        }
    }
    (refreshed, slot)
}

impl Refreshed {
    /// Adds what looking for one subscription took, and met.
    fn add(&mut self, requests: Requests) {
        self.hints.extend(requests.hints);
        self.asked = self.asked.max(requests.asked.unwrap_or(self.asked));
        self.requests += requests.requests;
        self.token_requests += requests.token_requests;
        self.complete_since = self.complete_since.min(requests.complete_since);
    }

    fn note(
        &mut self,
        label: String,
        image: &ImageSubscription,
        subscription: &SubscriptionSpec,
        outcome: Result<Choice, Setback>,
    ) {
        self.choices.push(match &outcome {
            Ok(choice) => format!("{label}: {}", chosen(choice)),
            Err(setback) => format!("{label}: {}", setback.reason()),
        });
        let subject = Subject {
            repo_url: image.repo_url.clone(),
            platform: image.platform.clone(),
            subscription_name: subscription.name.clone().unwrap_or_default(),
        };
        self.results.push(Discovered {
            label,
            subject: Some(subject),
            outcome,
        });
    }

    fn leave_out(&mut self, label: String, source: &Source) {
        let reason = not_discovered(source);
        self.choices.push(format!("{label}: {reason}"));
        self.undiscovered.push(Undiscovered {
            label,
            reason,
            keeps: keeps(source),
        });
    }
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

fn chosen(choice: &Choice) -> String {
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
