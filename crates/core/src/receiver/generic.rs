//! Decides what a request to a generic receiver asks for: its actions, with the expressions in them evaluated.
//! <https://docs.kargo.io/user-guide/reference-docs/webhook-receivers/generic>
//!
//! It must not know which resources there are: what it says is in words, and the matcher finds whom they mean.

mod action;
mod request;

use crate::event::{Event, RefreshRequested};
use crate::expression::{Budget, ExpressionError, Value};
use crate::target::{Criteria, IndexKey};

use super::{Contents, Malformed, Report};
use crate::delivery::Delivery;
use action::Action;
pub use action::Actions;
pub(crate) use request::Asked;
use request::Names;

/// Steps that all expressions of one delivery may take together: some tenths of a second.
const STEPS: u64 = 1_000_000;

/// Bytes that they may make together on the way.
const BYTES: u64 = 32 << 20;

/// What evaluating a delivery's actions may take.
pub fn budget() -> Budget {
    Budget::new(STEPS, BYTES)
}

/// What a delivery asks for, and what became of each action.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Evaluated {
    /// An event for each action that applies, and why others do not.
    pub contents: Contents,
    /// One for each action, in their order.
    pub outcomes: Vec<Outcome>,
}

/// What became of an action.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// Its `whenExpression` is false for this request.
    NotApplicable,
    /// Its `whenExpression` has no answer.
    WhenFailed(ExpressionError),
    /// One of its criteria has no answer.
    CriteriaFailed(ExpressionError),
    /// It asks for what the event at this place of the contents says.
    Asked(usize),
}

impl Outcome {
    /// Whether the action could not be evaluated.
    pub fn is_error(&self) -> bool {
        matches!(self, Self::WhenFailed(_) | Self::CriteriaFailed(_))
    }
}

/// Reads a delivery within the usual budget.
pub(super) fn read(delivery: &Delivery) -> Result<Contents, Malformed> {
    evaluate(delivery, &mut budget()).map(|evaluated| evaluated.contents)
}

/// Evaluates the actions of the receiver that a delivery came to.
///
/// # Errors
/// The body is not empty and no JSON.
pub fn evaluate(delivery: &Delivery, budget: &mut Budget) -> Result<Evaluated, Malformed> {
    let body = match delivery.body() {
        [] => Value::Nil,
        body => Value::from_json(body).map_err(|error| Malformed::Payload(error.to_string()))?,
    };
    let mut evaluated = Evaluated {
        contents: Contents::default(),
        outcomes: Vec::new(),
    };
    let Some(asked) = delivery.asked() else {
        evaluated.contents.set_aside("the receiver has no actions");
        return Ok(evaluated);
    };
    let names = Names::new(asked, body);
    for (place, action) in asked.actions().enumerate() {
        let outcome = match evaluate_action(action, &names, budget) {
            Ok(Some(criteria)) => {
                let event = Event::RefreshRequested(RefreshRequested {
                    action: place + 1,
                    criteria,
                });
                evaluated.contents.reports.push(Report { sender_id: None, event });
                Outcome::Asked(evaluated.contents.reports.len() - 1)
            }
            Ok(None) => Outcome::NotApplicable,
            Err(failed) => failed,
        };
        let reason = match &outcome {
            Outcome::Asked(_) => None,
            Outcome::NotApplicable => Some("the request does not match its whenExpression".to_owned()),
            Outcome::WhenFailed(error) => Some(format!("its whenExpression has no answer: {error}")),
            Outcome::CriteriaFailed(error) => Some(format!("its targetSelectionCriteria have no answer: {error}")),
        };
        if let Some(reason) = reason {
            evaluated.contents.set_aside(format!("action {}: {reason}", place + 1));
        }
        evaluated.outcomes.push(outcome);
    }
    if evaluated.outcomes.is_empty() {
        evaluated.contents.set_aside("the receiver has no actions");
    }
    Ok(evaluated)
}

/// What an action asks for; nothing where it does not apply.
fn evaluate_action(action: &Action, names: &Names<'_>, budget: &mut Budget) -> Result<Option<Vec<Criteria>>, Outcome> {
    if let Some(when) = &action.when {
        let when = when.as_ref().map_err(|error| Outcome::WhenFailed(error.clone()))?;
        let environment = names.of_conditions(&action.parameters).map_err(Outcome::WhenFailed)?;
        match when.evaluate(&environment, budget) {
            Ok(Value::Bool(true)) => {}
            Ok(Value::Bool(false)) => return Ok(None),
            Ok(other) => {
                let problem = format!("it is {}, not a boolean", other.kind());
                return Err(Outcome::WhenFailed(ExpressionError::Failed(problem)));
            }
            Err(error) => return Err(Outcome::WhenFailed(error)),
        }
    }
    let environment = names
        .of_templates(&action.parameters)
        .map_err(Outcome::CriteriaFailed)?;
    let mut all = Vec::with_capacity(action.criteria.len());
    for criteria in &action.criteria {
        let evaluated = criteria.try_map(|template| match template {
            Ok(template) => template.evaluate(&environment, budget),
            Err(error) => Err(error.clone()),
        });
        let mut evaluated = evaluated.map_err(Outcome::CriteriaFailed)?;
        for index in &mut evaluated.indices {
            // A path is a secret, and nothing that can be chosen has one, so it need not be kept.
            if index.key == IndexKey::ReceiverPaths {
                index.value.clear();
            }
        }
        all.push(evaluated);
    }
    Ok(Some(all))
}

#[cfg(test)]
pub(super) mod tests;
