//! Functions of lists.

use std::cmp::Ordering;

use super::{Budget, ExpressionError, Outcome, Value, items, whole, wrong};
use crate::expression::operator::{equal, ordered};

pub(super) fn first(arguments: &[Value], _: &mut Budget) -> Outcome {
    if let [Value::Nil] = arguments {
        return Ok(Value::Nil);
    }
    Ok(items(arguments, 0)?.first().cloned().unwrap_or_default())
}

pub(super) fn last(arguments: &[Value], _: &mut Budget) -> Outcome {
    if let [Value::Nil] = arguments {
        return Ok(Value::Nil);
    }
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
    let items = items(arguments, 0)?;
    budget.gather(items.len())?;
    let keyed = items.iter().map(|item| (item.clone(), item.clone())).collect();
    Value::list(by_key(keyed, descending, budget)?)
}

/// Values in the order of their keys. What can go wrong does before anything is sorted, which takes one order of everything.
pub(super) fn by_key(
    mut keyed: Vec<(Value, Value)>,
    descending: bool,
    budget: &mut Budget,
) -> Result<Vec<Value>, ExpressionError> {
    if let Some(((first, _), others)) = keyed.split_first() {
        let rounds = usize::try_from(others.len().checked_ilog2().unwrap_or_default()).unwrap_or_default() + 1;
        for (key, _) in others {
            ordered(first, key, budget)?;
            budget.spend(rounds)?;
            let length = key.as_text().map_or(0, str::len);
            for _ in 0..rounds {
                budget.read(length)?;
            }
        }
    }
    keyed.sort_by(|(left, _), (right, _)| {
        let order = total(left, right);
        if descending { order.reverse() } else { order }
    });
    Ok(keyed.into_iter().map(|(_, value)| value).collect())
}

/// An order of all texts, or of all numbers; what is none comes last.
fn total(left: &Value, right: &Value) -> Ordering {
    match (left, right) {
        (Value::Text(left), Value::Text(right)) => left.cmp(right),
        (Value::Int(left), Value::Int(right)) => left.cmp(right),
        (Value::Int(left), Value::Float(right)) => whole_with_float(*left, *right),
        (Value::Float(left), Value::Int(right)) => whole_with_float(*right, *left).reverse(),
        (Value::Float(left), Value::Float(right)) => left
            .partial_cmp(right)
            .unwrap_or_else(|| left.is_nan().cmp(&right.is_nan())),
        _ => Ordering::Equal,
    }
}

/// Exactly, where a float cannot hold the whole number.
fn whole_with_float(whole: i64, float: f64) -> Ordering {
    if float.is_nan() {
        return Ordering::Less;
    }
    // Beyond what a whole number can be, either end is.
    let part = i128::from(whole).cmp(&(float.trunc() as i128));
    part.then_with(|| 0.0_f64.partial_cmp(&float.fract()).unwrap_or(Ordering::Equal))
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
