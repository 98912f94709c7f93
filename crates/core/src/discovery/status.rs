//! Decides what a Warehouse's status says after its subscriptions were looked at.
//! Reasons and types of conditions are Kargo's, so that whatever reads them goes on working.

use jiff::Timestamp;

use super::room;
use crate::journal::Setback;
use crate::resource::status::{
    ConditionStatus, Conditions, DiscoveredArtifacts, DiscoveredImageReference, ImageDiscoveryResult, NewCondition,
    WarehouseStatus,
};
use crate::selection::{Choice, Reference};

/// What became of one subscription.
#[derive(Clone, Debug)]
pub struct Discovered {
    /// The subscription in words, with its place: `subscription 2 (image ghcr.io/shop/api)`.
    pub label: String,
    /// Its result.
    pub outcome: Result<ImageOutcome, Setback>,
}

/// A subscription of a kind that nobody here looks at, so that its earlier results stay what they are.
#[derive(Clone, Debug)]
pub struct Undiscovered {
    /// The subscription in words, with its place.
    pub label: String,
    /// Why nobody looks at it.
    pub reason: String,
    /// Its results.
    pub keeps: Keeps,
}

/// Which of a status's earlier results are those of a subscription.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Keeps {
    /// Those of a Git repository.
    Git {
        /// As the subscription writes it.
        repo_url: String,
    },
    /// Those of a chart.
    Chart {
        /// As the subscription writes it.
        repo_url: String,
        /// The chart within a chart repository.
        name: String,
    },
    /// Those of a generic subscription.
    Generic,
    /// Nobody can tell: the subscription cannot be read.
    Any,
}

/// What an image subscription chose.
#[derive(Clone, Debug)]
pub struct ImageOutcome {
    /// The repository, as the subscription writes it.
    pub repo_url: String,
    /// The platform, as the subscription writes it; empty for any.
    pub platform: String,
    /// The subscription's name; empty where it has none.
    pub subscription_name: String,
    /// What was chosen.
    pub choice: Choice,
}

/// The status after a look at every subscription at `now`. `token` is the value of the refresh annotation that the look
/// answered; it is acknowledged only if everything that was looked at succeeded, because whoever waits for it takes it for a
/// success.
///
/// A subscription that failed keeps what it had, and spoils none of its neighbours' results. The conditions name it, and those
/// that nobody looks at.
pub fn warehouse_status(
    previous: &WarehouseStatus,
    results: &[Discovered],
    undiscovered: &[Undiscovered],
    generation: i64,
    token: Option<&str>,
    now: Timestamp,
) -> WarehouseStatus {
    let mut status = previous.clone();
    let mut failures: Vec<String> = results
        .iter()
        .filter_map(|result| Some(format!("{}: {}", result.label, result.outcome.as_ref().err()?.reason())))
        .collect();
    let is_complete = is_success(results);
    failures.extend(
        undiscovered
            .iter()
            .map(|left| format!("{}: {}", left.label, left.reason)),
    );
    let mut kept = previous.discovered_artifacts.clone().unwrap_or_default();
    drop_others(&mut kept, undiscovered);
    let images: Vec<ImageDiscoveryResult> = results
        .iter()
        .filter_map(|result| result.outcome.as_ref().ok().map(image_result))
        .collect();
    status.observed_generation = generation;
    if is_complete {
        status.last_handled_refresh = token.map_or(status.last_handled_refresh, str::to_owned);
        status.discovered_artifacts = Some(DiscoveredArtifacts {
            discovered_at: Some(now),
            images,
            ..kept
        });
    } else if !images.is_empty() {
        let images = merged(kept.images.clone(), images);
        // Until everything was discovered once there is no time: whoever makes Freight of it must not take half for all.
        status.discovered_artifacts = Some(DiscoveredArtifacts { images, ..kept });
    }
    if let Some(artifacts) = &mut status.discovered_artifacts {
        room::make(&mut artifacts.images);
    }
    set_conditions(&mut status, results, &failures, generation, now);
    status
}

/// Drops what belongs to no subscription any more: whoever makes Freight takes what stands there for what is subscribed to.
fn drop_others(kept: &mut DiscoveredArtifacts, undiscovered: &[Undiscovered]) {
    let any = |belongs: &dyn Fn(&Keeps) -> bool| {
        let mut keeps = undiscovered.iter().map(|left| &left.keeps);
        keeps.any(|keeps| *keeps == Keeps::Any || belongs(keeps))
    };
    kept.git
        .retain(|result| any(&|keeps| matches!(keeps, Keeps::Git { repo_url } if *repo_url == result.repo_url)));
    kept.charts.retain(|result| {
        any(&|keeps| matches!(keeps, Keeps::Chart { repo_url, name } if (repo_url, name) == (&result.repo_url, &result.name)))
    });
    if !any(&|keeps| *keeps == Keeps::Generic) {
        kept.results.clear();
    }
}

/// Whether all that was looked at succeeded, and anything was: only then is anybody answered.
pub fn is_success(results: &[Discovered]) -> bool {
    !results.is_empty() && results.iter().all(|result| result.outcome.is_ok())
}

/// Fresh results in place of those of the same subscriptions; the others stay.
fn merged(mut kept: Vec<ImageDiscoveryResult>, fresh: Vec<ImageDiscoveryResult>) -> Vec<ImageDiscoveryResult> {
    for result in fresh {
        let same = |old: &&mut ImageDiscoveryResult| {
            old.repo_url == result.repo_url
                && old.platform == result.platform
                && old.subscription_name == result.subscription_name
        };
        match kept.iter_mut().find(same) {
            Some(old) => *old = result,
            None => kept.push(result),
        }
    }
    kept
}

fn set_conditions(
    status: &mut WarehouseStatus,
    results: &[Discovered],
    failures: &[String],
    generation: i64,
    now: Timestamp,
) {
    let empty: Vec<&str> = results
        .iter()
        .filter_map(|result| result.outcome.as_ref().ok())
        .filter(|image| image.choice.references.is_empty())
        .map(|image| image.repo_url.as_str())
        .collect();
    let mut conditions = std::mem::take(&mut status.conditions);
    let mut set = |condition_type, status, reason, message: &str| {
        let new = NewCondition {
            condition_type,
            status,
            reason,
            message,
            observed_generation: generation,
        };
        conditions.set(new, now);
    };
    if !failures.is_empty() {
        let message = failures.join("; ");
        set("Ready", ConditionStatus::False, "DiscoveryFailure", &message);
        set("Healthy", ConditionStatus::False, "DiscoveryFailed", &message);
        // What cannot work until somebody changes it is not tried again by itself.
        let tried_again = |setback: &Setback| !matches!(setback, Setback::Hopeless(_));
        if results
            .iter()
            .filter_map(|result| result.outcome.as_ref().err())
            .any(tried_again)
        {
            let message = "Discovery is tried again";
            set("Reconciling", ConditionStatus::True, "ScheduledDiscovery", message);
        } else {
            conditions.remove("Reconciling");
        }
    } else if !empty.is_empty() {
        let message = format!("No image references discovered for {}", empty.join(", "));
        set("Ready", ConditionStatus::False, "MissingImageReferences", &message);
        set(
            "Healthy",
            ConditionStatus::False,
            "NoImageReferencesDiscovered",
            &message,
        );
        conditions.remove("Reconciling");
    } else {
        let message = format!("Successfully discovered artifacts from {} subscriptions", results.len());
        set("Ready", ConditionStatus::True, "ArtifactsDiscovered", &message);
        set("Healthy", ConditionStatus::True, "ReconciliationSucceeded", &message);
        conditions.remove("Reconciling");
    }
    status.conditions = conditions;
}

/// The status of a Warehouse that was never looked at, while its first look is on its way.
pub fn first_look_status(generation: i64, now: Timestamp) -> WarehouseStatus {
    let mut conditions = Conditions::default();
    for (condition_type, status, reason, message) in [
        (
            "Ready",
            ConditionStatus::False,
            "DiscoveryInProgress",
            "Waiting for the first discovery",
        ),
        (
            "Healthy",
            ConditionStatus::Unknown,
            "Pending",
            "Waiting for the first discovery",
        ),
        (
            "Reconciling",
            ConditionStatus::True,
            "ScheduledDiscovery",
            "The first discovery is on its way",
        ),
    ] {
        conditions.set(
            NewCondition {
                condition_type,
                status,
                reason,
                message,
                observed_generation: generation,
            },
            now,
        );
    }
    WarehouseStatus {
        conditions,
        ..WarehouseStatus::default()
    }
}

fn image_result(image: &ImageOutcome) -> ImageDiscoveryResult {
    ImageDiscoveryResult {
        repo_url: image.repo_url.clone(),
        platform: image.platform.clone(),
        references: image.choice.references.iter().map(reference).collect(),
        subscription_name: image.subscription_name.clone(),
    }
}

fn reference(reference: &Reference) -> DiscoveredImageReference {
    DiscoveredImageReference {
        tag: reference.tag.to_string(),
        digest: reference.digest.to_string(),
        annotations: reference.annotations.clone(),
        created_at: reference.created,
    }
}
