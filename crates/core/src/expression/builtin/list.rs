//! Functions of lists.

use std::cmp::Ordering;

use super::{Budget, ExpressionError, Outcome, Value, items, whole, wrong};
use crate::expression::operator::{equal, ordered};

pub(super) fn first(arguments: &[Value], _: &mut Budget) -> Outcome {
    Ok(items(arguments, 0)?.first().cloned().unwrap_or_default())
}

pub(super) fn last(arguments: &[Value], _: &mut Budget) -> Outcome {
    Ok(items(arguments, 0)?.last().cloned().unwrap_or_default())
}

pub(super) fn take(arguments: &[Value], budget: &mut Budget) -> Outcome {
    let items = items(arguments, 0)?;
    let count = usize::try_from(whole(arguments, 1)?);
    let count = count.map_err(|_| ExpressionError::failed("a negative number of elements cannot be taken"))?;
    let taken = items.get(..count).unwrap_or(items);
    budget.gather(taken.len())?;
    Value::list(taken.to_vec())
}

pub(super) fn reverse(arguments: &[Value], budget: &mut Budget) -> Outcome {
    let items = items(arguments, 0)?;
    budget.gather(items.len())?;
    Value::list(items.iter().rev().cloned().collect())
}

pub(super) fn uniq(arguments: &[Value], budget: &mut Budget) -> Outcome {
    let mut kept: Vec<Value> = Vec::new();
    'items: for item in items(arguments, 0)? {
        for known in &kept {
            if equal(known, item, budget)? {
                continue 'items;
            }
        }
        budget.gather(1)?;
        kept.push(item.clone());
    }
    Value::list(kept)
}

pub(super) fn concat(arguments: &[Value], budget: &mut Budget) -> Outcome {
    let mut all = Vec::new();
    for at in 0..arguments.len() {
        let items = items(arguments, at)?;
        budget.gather(items.len())?;
        all.extend_from_slice(items);
    }
    Value::list(all)
}

/// The elements of lists within lists, however deep; recursion is bounded, since values are.
pub(super) fn flatten(arguments: &[Value], budget: &mut Budget) -> Outcome {
    fn gather(items: &[Value], all: &mut Vec<Value>, budget: &mut Budget) -> Result<(), ExpressionError> {
        for item in items {
            budget.gather(1)?;
            match item {
                Value::List(inner) => gather(inner.items(), all, budget)?,
                other => all.push(other.clone()),
            }
        }
        Ok(())
    }
    let mut all = Vec::new();
    gather(items(arguments, 0)?, &mut all, budget)?;
    Value::list(all)
}

pub(super) fn sort(arguments: &[Value], budget: &mut Budget) -> Outcome {
    let descending = is_descending(arguments.get(1))?;
    let mut sorted = items(arguments, 0)?.to_vec();
    budget.gather(sorted.len())?;
    let mut failure = None;
    sorted.sort_by(|left, right| {
        // After a failure all is equal, so that sorting ends.
        if failure.is_some() {
            return Ordering::Equal;
        }
        let order = ordered(left, right, budget).and_then(|order| budget.spend(1).map(|()| order));
        let order = order.unwrap_or_else(|error| {
            failure = Some(error);
            None
        });
        let order = order.unwrap_or(Ordering::Equal);
        if descending { order.reverse() } else { order }
    });
    failure.map_or_else(|| Value::list(sorted), Err)
}

/// Which way to sort.
pub(super) fn is_descending(order: Option<&Value>) -> Result<bool, ExpressionError> {
    match order {
        None => Ok(false),
        Some(value) => match value.as_text() {
            Some("asc") => Ok(false),
            Some("desc") => Ok(true),
            _ => Err(wrong(value, "order; it is \"asc\" or \"desc\"")),
        },
    }
}
