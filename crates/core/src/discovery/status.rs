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
    /// What it subscribes to; absent where the look failed as a whole, and nobody can tell which subscription it was for.
    pub subject: Option<Subject>,
    /// What it chose.
    pub outcome: Result<Choice, Setback>,
}

/// What tells an image subscription, and its result in a status, from others.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Subject {
    /// The repository, as the subscription writes it.
    pub repo_url: String,
    /// The platform, as the subscription writes it; empty for any.
    pub platform: String,
    /// The subscription's name; empty where it has none.
    pub subscription_name: String,
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
    status.observed_generation = generation;
    // A look that failed as a whole says nothing of what there is to be kept.
    if results.iter().all(|result| result.subject.is_some()) {
        let had = previous.discovered_artifacts.clone().unwrap_or_default();
        let mut artifacts = DiscoveredArtifacts {
            images: images(&had.images, results, undiscovered),
            ..had
        };
        drop_others(&mut artifacts, undiscovered);
        room::make(&mut artifacts.images);
        // Until everything was discovered once there is no time: whoever makes Freight of it must not take half for all.
        if is_complete {
            artifacts.discovered_at = Some(now);
        }
        let is_any = is_complete || previous.discovered_artifacts.is_some() || !artifacts.images.is_empty();
        status.discovered_artifacts = is_any.then_some(artifacts);
    }
    if is_complete {
        status.last_handled_refresh = token.map_or(status.last_handled_refresh, str::to_owned);
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

/// The results of the subscriptions that there are, in the order of the spec: of each what it chose or, where it failed, what it
/// had. What belongs to none of them is dropped, unless it may belong to one that cannot be read.
fn images(
    had: &[ImageDiscoveryResult],
    results: &[Discovered],
    undiscovered: &[Undiscovered],
) -> Vec<ImageDiscoveryResult> {
    let mut had: Vec<Option<&ImageDiscoveryResult>> = had.iter().map(Some).collect();
    let mut take = |subject: &Subject| {
        let mut had = had.iter_mut();
        had.find(|old| old.is_some_and(|old| subject_of(old) == *subject))?
            .take()
    };
    let subjects: Vec<&Subject> = results.iter().filter_map(|result| result.subject.as_ref()).collect();
    let own: Vec<Option<&ImageDiscoveryResult>> = subjects.iter().map(|subject| take(subject)).collect();
    let results = results.iter().zip(subjects).zip(own);
    let mut images: Vec<ImageDiscoveryResult> = results
        .filter_map(|((result, subject), own)| match &result.outcome {
            Ok(choice) => Some(image_result(subject, choice)),
            // One of another name may have wished for something else.
            Err(_) => own.cloned(),
        })
        .collect();
    if undiscovered.iter().any(|left| left.keeps == Keeps::Any) {
        images.extend(had.into_iter().flatten().cloned());
    }
    images
}

fn subject_of(result: &ImageDiscoveryResult) -> Subject {
    Subject {
        repo_url: result.repo_url.clone(),
        platform: result.platform.clone(),
        subscription_name: result.subscription_name.clone(),
    }
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
        .filter(|result| {
            let choice = result.outcome.as_ref();
            choice.is_ok_and(|choice| choice.references.is_empty())
        })
        .filter_map(|result| Some(result.subject.as_ref()?.repo_url.as_str()))
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

fn image_result(subject: &Subject, choice: &Choice) -> ImageDiscoveryResult {
    ImageDiscoveryResult {
        repo_url: subject.repo_url.clone(),
        platform: subject.platform.clone(),
        references: choice.references.iter().map(reference).collect(),
        subscription_name: subject.subscription_name.clone(),
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
