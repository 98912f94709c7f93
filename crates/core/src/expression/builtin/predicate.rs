//! Functions that ask something of each element of a list.

use std::sync::Arc;

use super::{Elements, ExpressionError, Outcome, Value, wrong};
use crate::expression::evaluate::{Element, Evaluation};
use crate::expression::operator::add;
use crate::expression::syntax::Node;

impl<'a> Elements<'a> {
    fn items(&self) -> &[Value] {
        self.list.items()
    }

    fn predicate(&self) -> Result<&'a Node, ExpressionError> {
        self.predicate
            .ok_or_else(|| ExpressionError::failed("a predicate is missing"))
    }

    /// What the predicate says of the element at a place.
    fn asked(&self, index: usize, value: &Value, evaluation: &mut Evaluation<'_>) -> Outcome {
        let element = Element {
            value: value.clone(),
            index,
            accumulated: Value::Nil,
        };
        evaluation.asked(self.predicate()?, element)
    }

    fn holds(&self, index: usize, value: &Value, evaluation: &mut Evaluation<'_>) -> Result<bool, ExpressionError> {
        match self.asked(index, value, evaluation)? {
            Value::Bool(answer) => Ok(answer),
            other => Err(wrong(&other, "boolean, which a predicate has to answer with")),
        }
    }

    /// The first place, in the given order, whose element the predicate holds for.
    fn found(
        &self,
        places: impl Iterator<Item = usize>,
        evaluation: &mut Evaluation<'_>,
    ) -> Result<Option<usize>, ExpressionError> {
        for place in places {
            if let Some(value) = self.items().get(place)
                && self.holds(place, value, evaluation)?
            {
                return Ok(Some(place));
            }
        }
        Ok(None)
    }

    fn forwards(&self) -> std::ops::Range<usize> {
        0..self.items().len()
    }

    fn at(&self, place: Option<usize>) -> Value {
        place
            .and_then(|place| self.items().get(place))
            .cloned()
            .unwrap_or_default()
    }
}

/// A place for expressions, which have nil for none.
fn position(place: Option<usize>) -> Value {
    let place = place.and_then(|place| i64::try_from(place).ok());
    place.map_or(Value::Nil, Value::Int)
}

pub(super) fn all(elements: &Elements<'_>, _: Option<Value>, evaluation: &mut Evaluation<'_>) -> Outcome {
    for (index, value) in elements.items().iter().enumerate() {
        if !elements.holds(index, value, evaluation)? {
            return Ok(Value::Bool(false));
        }
    }
    Ok(Value::Bool(true))
}

pub(super) fn any(elements: &Elements<'_>, _: Option<Value>, evaluation: &mut Evaluation<'_>) -> Outcome {
    let found = elements.found(elements.forwards(), evaluation)?;
    Ok(Value::Bool(found.is_some()))
}

pub(super) fn none(elements: &Elements<'_>, _: Option<Value>, evaluation: &mut Evaluation<'_>) -> Outcome {
    let found = elements.found(elements.forwards(), evaluation)?;
    Ok(Value::Bool(found.is_none()))
}

pub(super) fn one(elements: &Elements<'_>, _: Option<Value>, evaluation: &mut Evaluation<'_>) -> Outcome {
    let mut holding = 0;
    for (index, value) in elements.items().iter().enumerate() {
        holding += usize::from(elements.holds(index, value, evaluation)?);
    }
    Ok(Value::Bool(holding == 1))
}

pub(super) fn filter(elements: &Elements<'_>, _: Option<Value>, evaluation: &mut Evaluation<'_>) -> Outcome {
    let mut kept = Vec::new();
    for (index, value) in elements.items().iter().enumerate() {
        if elements.holds(index, value, evaluation)? {
            evaluation.budget.gather(1)?;
            kept.push(value.clone());
        }
    }
    Value::list(kept)
}

pub(super) fn map(elements: &Elements<'_>, _: Option<Value>, evaluation: &mut Evaluation<'_>) -> Outcome {
    let mut made = Vec::new();
    for (index, value) in elements.items().iter().enumerate() {
        evaluation.budget.gather(1)?;
        made.push(elements.asked(index, value, evaluation)?);
    }
    Value::list(made)
}

/// Without a predicate, the elements themselves are the answers.
pub(super) fn count(elements: &Elements<'_>, _: Option<Value>, evaluation: &mut Evaluation<'_>) -> Outcome {
    let mut holding = 0;
    for (index, value) in elements.items().iter().enumerate() {
        evaluation.budget.spend(1)?;
        let holds = match (elements.predicate, value) {
            (Some(_), _) => elements.holds(index, value, evaluation)?,
            (None, Value::Bool(answer)) => *answer,
            (None, other) => return Err(wrong(other, "boolean")),
        };
        holding += i64::from(holds);
    }
    Ok(Value::Int(holding))
}

pub(super) fn sum(elements: &Elements<'_>, _: Option<Value>, evaluation: &mut Evaluation<'_>) -> Outcome {
    let mut total = Value::Int(0);
    for (index, value) in elements.items().iter().enumerate() {
        evaluation.budget.spend(1)?;
        let value = match elements.predicate {
            Some(_) => elements.asked(index, value, evaluation)?,
            None => value.clone(),
        };
        total = add(&total, &value, evaluation.budget)?;
    }
    Ok(total)
}

pub(super) fn find(elements: &Elements<'_>, _: Option<Value>, evaluation: &mut Evaluation<'_>) -> Outcome {
    let found = elements.found(elements.forwards(), evaluation)?;
    Ok(elements.at(found))
}

pub(super) fn find_index(elements: &Elements<'_>, _: Option<Value>, evaluation: &mut Evaluation<'_>) -> Outcome {
    elements.found(elements.forwards(), evaluation).map(position)
}

pub(super) fn find_last(elements: &Elements<'_>, _: Option<Value>, evaluation: &mut Evaluation<'_>) -> Outcome {
    let found = elements.found(elements.forwards().rev(), evaluation)?;
    Ok(elements.at(found))
}

pub(super) fn find_last_index(elements: &Elements<'_>, _: Option<Value>, evaluation: &mut Evaluation<'_>) -> Outcome {
    elements.found(elements.forwards().rev(), evaluation).map(position)
}

/// Groups by what the predicate says, which has to be a string: maps have no other keys here.
pub(super) fn group_by(elements: &Elements<'_>, _: Option<Value>, evaluation: &mut Evaluation<'_>) -> Outcome {
    let mut keyed = Vec::new();
    for (index, value) in elements.items().iter().enumerate() {
        let key = match elements.asked(index, value, evaluation)? {
            Value::Text(key) => key,
            other => return Err(wrong(&other, "string, which groupBy needs")),
        };
        evaluation.budget.gather(1)?;
        evaluation.budget.read(key.len())?;
        keyed.push((key, value.clone()));
    }
    // Elements of one group keep their order.
    keyed.sort_by(|(left, _), (right, _)| left.cmp(right));
    let mut groups: Vec<(Arc<str>, Vec<Value>)> = Vec::new();
    for (key, value) in keyed {
        match groups.last_mut().filter(|(known, _)| *known == key) {
            Some((_, group)) => group.push(value),
            None => groups.push((key, vec![value])),
        }
    }
    let groups: Result<Vec<_>, _> = groups
        .into_iter()
        .map(|(key, group)| Ok((key, Value::list(group)?)))
        .collect();
    Value::map(groups?)
}

pub(super) fn sort_by(elements: &Elements<'_>, order: Option<Value>, evaluation: &mut Evaluation<'_>) -> Outcome {
    let descending = super::list::is_descending(order.as_ref())?;
    let mut keyed = Vec::new();
    for (index, value) in elements.items().iter().enumerate() {
        evaluation.budget.gather(1)?;
        keyed.push((elements.asked(index, value, evaluation)?, value.clone()));
    }
    Value::list(super::list::by_key(keyed, descending, evaluation.budget)?)
}

pub(super) fn reduce(elements: &Elements<'_>, initial: Option<Value>, evaluation: &mut Evaluation<'_>) -> Outcome {
    let predicate = elements.predicate()?;
    let mut rest = elements.items().iter().enumerate();
    let first = || ExpressionError::failed("reduce needs an element or an initial value");
    let mut accumulated = match initial {
        Some(initial) => initial,
        None => rest.next().map(|(_, value)| value.clone()).ok_or_else(first)?,
    };
    for (index, value) in rest {
        let element = Element {
            value: value.clone(),
            index,
            accumulated,
        };
        accumulated = evaluation.asked(predicate, element)?;
    }
    Ok(accumulated)
}
