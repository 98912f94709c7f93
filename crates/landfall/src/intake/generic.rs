//! Takes a delivery to a generic receiver in: its expressions are evaluated beside the runtime, so many at once, and no longer
//! than they may; what they say is recorded like anything else.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use landfall_core::delivery::Delivery;
use landfall_core::event::Event;
use landfall_core::journal::EntryId;
use landfall_core::receiver::generic::{self, Evaluated, Outcome};
use landfall_core::receiver::{Contents, Malformed, Reach};
use landfall_core::target::Target;
use serde::Serialize;
use tokio::sync::Semaphore;

use super::{Intake, Taken};
use crate::clock::now;
use crate::live::Live;
use crate::resources::Known;

/// How many deliveries' expressions are evaluated at once. Each may keep a processor busy for some tenths of a second.
const AT_ONCE: usize = 4;

/// How long a delivery waits for its turn, which is shorter than senders wait for an answer.
const TURN: Duration = Duration::from_secs(2);

/// How long evaluating may take. Its budget ends it earlier, unless the machine is very busy.
const DEADLINE: Duration = Duration::from_secs(3);

/// At most so many targets are named for an action; its summary counts all of them.
const NAMED: usize = 1000;

/// The places where expressions are evaluated.
#[derive(Clone)]
pub struct Evaluators(Arc<Semaphore>);

impl Default for Evaluators {
    fn default() -> Self {
        Self(Arc::new(Semaphore::new(AT_ONCE)))
    }
}

/// What became of an action, as Kargo's answers have it, in the order of its fields. What Kargo repeats of the configuration is
/// left out: whoever has the URL need not know it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ActionResult {
    action: &'static str,
    matched_when_expression: bool,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    selected_targets: Vec<SelectedTarget>,
    result: ActionVerdict,
    summary: String,
}

/// A target that is to be refreshed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
struct SelectedTarget {
    namespace: String,
    name: String,
    success: bool,
}

/// How an action ended. Kargo also knows failures of refreshes, which come later here.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
enum ActionVerdict {
    NotApplicable,
    Error,
    Success,
}

impl ActionResult {
    /// Whether the action's expressions have no answer.
    pub fn is_error(&self) -> bool {
        self.result == ActionVerdict::Error
    }

    fn new(matched_when_expression: bool, result: ActionVerdict, summary: impl Into<String>) -> Self {
        Self {
            action: "Refresh",
            matched_when_expression,
            selected_targets: Vec::new(),
            result,
            summary: summary.into(),
        }
    }

    /// Before it is known which resources there are.
    fn selected_later() -> Self {
        let summary = "Resources are selected and refreshed once all of them are known";
        Self::new(true, ActionVerdict::Success, summary)
    }

    fn selected(targets: &[&Target]) -> Self {
        let count = targets.len();
        let summary = format!("Refreshed {count} of {count} selected resources");
        let shown = |target: &&Target| match target {
            Target::Warehouse { namespace, name } | Target::Promotion { namespace, name } => SelectedTarget {
                namespace: namespace.clone(),
                name: name.clone(),
                success: true,
            },
        };
        Self {
            selected_targets: targets.iter().take(NAMED).map(shown).collect(),
            ..Self::new(true, ActionVerdict::Success, summary)
        }
    }
}

impl Intake {
    /// Takes a delivery to a generic receiver in.
    pub(super) async fn take_generic(&self, delivery: Delivery, reach: Reach, peer: SocketAddr) -> Taken {
        let receiver = delivery.receiver().clone();
        let Some((delivery, evaluated)) = self.evaluators.evaluate(delivery).await else {
            tracing::warn!(%receiver, "the expressions of a delivery had no turn; its sender is asked to try again");
            return Taken::Unavailable;
        };
        let evaluated = match evaluated {
            Ok(evaluated) => evaluated,
            Err(malformed) => return self.keep_what_was_read(delivery, reach, peer, &Err(malformed)).await,
        };
        if self.cannot_be_told(&evaluated.contents) {
            return Taken::Unavailable;
        }
        for problem in evaluated.contents.set_aside.iter().filter(|_| has_error(&evaluated)) {
            tracing::warn!(%receiver, problem, "an action of a generic receiver was not carried out");
        }
        let nothing_but_errors = evaluated.contents.reports.is_empty() && has_error(&evaluated);
        let Evaluated { contents, outcomes } = evaluated;
        let read = if nothing_but_errors {
            Err(Malformed::Unusable(contents.set_aside.join("; ")))
        } else {
            Ok(contents)
        };
        let (id, outcome) = match self.keep_what_was_read(delivery, reach.clone(), peer, &read).await {
            Taken::Accepted { id, .. } => (Some(id), "accepted"),
            Taken::Duplicate { id, .. } => (Some(id), "duplicate"),
            Taken::Ignored { id, .. } => (Some(id), "ignored"),
            Taken::Malformed { id, .. } => (id, "malformed"),
            other => return other,
        };
        let results = self.results(&outcomes, read.ok().as_ref(), &reach);
        Taken::Evaluated(Answers { id, outcome, results })
    }

    /// What became of each action, by what is known now.
    fn results(&self, outcomes: &[Outcome], contents: Option<&Contents>, reach: &Reach) -> Vec<ActionResult> {
        let live = self.live.load();
        let result = |outcome: &Outcome| result(outcome, contents, reach, &live);
        outcomes.iter().map(result).collect()
    }
}

fn result(outcome: &Outcome, contents: Option<&Contents>, reach: &Reach, live: &Live) -> ActionResult {
    use ActionVerdict::{Error, NotApplicable};
    match outcome {
        Outcome::NotApplicable => ActionResult::new(false, NotApplicable, "Request did not match whenExpression"),
        Outcome::WhenFailed(_) => ActionResult::new(false, Error, "Error evaluating whenExpression"),
        Outcome::CriteriaFailed(_) => ActionResult::new(true, Error, "Error evaluating targetSelectionCriteria"),
        Outcome::Asked(_) if live.known < Known::Everything => ActionResult::selected_later(),
        Outcome::Asked(place) => {
            let report = contents.and_then(|contents| contents.reports.get(*place));
            let chosen: Vec<&Target> = match report.map(|report| &report.event) {
                Some(Event::RefreshRequested(request)) => live.index.chosen(request, reach).into_iter().collect(),
                _ => Vec::new(),
            };
            ActionResult::selected(&chosen)
        }
    }
}

fn has_error(evaluated: &Evaluated) -> bool {
    evaluated.outcomes.iter().any(Outcome::is_error)
}

/// What became of all actions of a delivery that was written down.
#[derive(Debug)]
pub struct Answers {
    /// The delivery; absent where there was nothing but errors in it.
    pub id: Option<EntryId>,
    /// What it came to, as a word for counts and logs.
    pub outcome: &'static str,
    /// One for each action.
    pub results: Vec<ActionResult>,
}

type Evaluation = (Delivery, Result<Evaluated, Malformed>);

impl Evaluators {
    /// Evaluates a delivery's actions, or nothing where it has no turn in time.
    async fn evaluate(&self, delivery: Delivery) -> Option<Evaluation> {
        let turn = tokio::time::timeout(TURN, self.0.clone().acquire_owned()).await;
        let turn = turn.ok()?.ok()?;
        let mut budget = generic::budget();
        let stop = budget.stop_switch();
        let mut evaluating = tokio::task::spawn_blocking(move || {
            let evaluated = generic::evaluate(&delivery, &mut budget);
            drop(turn);
            (delivery, evaluated)
        });
        let done = tokio::select! {
            done = &mut evaluating => done,
            () = tokio::time::sleep(DEADLINE) => {
                stop.store(true, Ordering::Relaxed);
                evaluating.await
            }
        };
        done.inspect_err(|panicked| tracing::error!(%panicked, "expressions ended in the middle; this is a bug"))
            .ok()
    }
}

/// Content that no other delivery has, for senders whose deliveries do not tell pushes apart.
pub(super) fn never_the_same() -> Vec<u8> {
    static NEXT: AtomicU64 = AtomicU64::new(0);
    let number = NEXT.fetch_add(1, Ordering::Relaxed);
    format!("{}/{number}", now()).into_bytes()
}
