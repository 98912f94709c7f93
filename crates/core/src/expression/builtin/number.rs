//! Functions of numbers.

use std::cmp::Ordering;

use super::{Budget, ExpressionError, Outcome, Value, argument, whole, wrong};
use crate::expression::operator::{add, as_float, ordered};

pub(super) fn abs(arguments: &[Value], _: &mut Budget) -> Outcome {
    match argument(arguments, 0) {
        Value::Int(number) => Ok(Value::Int(number.wrapping_abs())),
        other => float(other, f64::abs),
    }
}

fn float(value: &Value, apply: fn(f64) -> f64) -> Outcome {
    let number = as_float(value).ok_or_else(|| wrong(value, "number"))?;
    Ok(Value::Float(apply(number)))
}

pub(super) fn ceil(arguments: &[Value], _: &mut Budget) -> Outcome {
    float(argument(arguments, 0), f64::ceil)
}

pub(super) fn floor(arguments: &[Value], _: &mut Budget) -> Outcome {
    float(argument(arguments, 0), f64::floor)
}

pub(super) fn round(arguments: &[Value], _: &mut Budget) -> Outcome {
    float(argument(arguments, 0), f64::round)
}

/// The numbers among the arguments and in lists of them.
fn numbers(arguments: &[Value], budget: &mut Budget) -> Result<Vec<Value>, ExpressionError> {
    fn gather(values: &[Value], all: &mut Vec<Value>, budget: &mut Budget) -> Result<(), ExpressionError> {
        for value in values {
            budget.gather(1)?;
            match value {
                Value::List(inner) => gather(inner.items(), all, budget)?,
                Value::Int(_) | Value::Float(_) => all.push(value.clone()),
                other => return Err(wrong(other, "number")),
            }
        }
        Ok(())
    }
    let mut all = Vec::new();
    gather(arguments, &mut all, budget)?;
    Ok(all)
}

fn extreme(arguments: &[Value], budget: &mut Budget, wanted: Ordering) -> Outcome {
    if let [Value::Nil] = arguments {
        return Ok(Value::Nil);
    }
    let mut found = Value::Nil;
    for number in numbers(arguments, budget)? {
        if matches!(found, Value::Nil) || ordered(&number, &found, budget)? == Some(wanted) {
            found = number;
        }
    }
    match found {
        Value::Nil => Err(ExpressionError::failed("there are no numbers")),
        found => Ok(found),
    }
}

pub(super) fn max(arguments: &[Value], budget: &mut Budget) -> Outcome {
    extreme(arguments, budget, Ordering::Greater)
}

pub(super) fn min(arguments: &[Value], budget: &mut Budget) -> Outcome {
    extreme(arguments, budget, Ordering::Less)
}

pub(super) fn mean(arguments: &[Value], budget: &mut Budget) -> Outcome {
    let numbers = numbers(arguments, budget)?;
    let mut total = Value::Int(0);
    for number in &numbers {
        total = add(&total, number, budget)?;
    }
    let total = as_float(&total).unwrap_or_default();
    Ok(Value::Float(if numbers.is_empty() {
        0.0
    } else {
        total / numbers.len() as f64
    }))
}

pub(super) fn median(arguments: &[Value], budget: &mut Budget) -> Outcome {
    let mut numbers: Vec<f64> = numbers(arguments, budget)?.iter().filter_map(as_float).collect();
    budget.spend(numbers.len().saturating_mul(8))?;
    numbers.sort_by(f64::total_cmp);
    let middle = numbers.len() / 2;
    let at = |place: usize| numbers.get(place).copied().unwrap_or_default();
    Ok(Value::Float(match numbers.len() {
        0 => 0.0,
        length if length % 2 == 1 => at(middle),
        _ => (at(middle - 1) + at(middle)) / 2.0,
    }))
}

fn bits(arguments: &[Value], apply: fn(i64, i64) -> i64) -> Outcome {
    Ok(Value::Int(apply(whole(arguments, 0)?, whole(arguments, 1)?)))
}

pub(super) fn bitand(arguments: &[Value], _: &mut Budget) -> Outcome {
    bits(arguments, |left, right| left & right)
}

pub(super) fn bitor(arguments: &[Value], _: &mut Budget) -> Outcome {
    bits(arguments, |left, right| left | right)
}

pub(super) fn bitxor(arguments: &[Value], _: &mut Budget) -> Outcome {
    bits(arguments, |left, right| left ^ right)
}

/// As Go's `&^`: the bits of the first without those of the second.
pub(super) fn bitnand(arguments: &[Value], _: &mut Budget) -> Outcome {
    bits(arguments, |left, right| left & !right)
}

pub(super) fn bitnot(arguments: &[Value], _: &mut Budget) -> Outcome {
    Ok(Value::Int(!whole(arguments, 0)?))
}

/// By how much to shift. What is shifted by more than a number has bits is gone.
fn shifted(arguments: &[Value], apply: fn(i64, u32) -> Option<i64>, gone: fn(i64) -> i64) -> Outcome {
    let (number, by) = (whole(arguments, 0)?, whole(arguments, 1)?);
    let by = u64::try_from(by).map_err(|_| ExpressionError::failed("a number cannot be shifted by a negative one"))?;
    let shifted = u32::try_from(by).ok().and_then(|by| apply(number, by));
    Ok(Value::Int(shifted.unwrap_or_else(|| gone(number))))
}

pub(super) fn bitshl(arguments: &[Value], _: &mut Budget) -> Outcome {
    shifted(arguments, i64::checked_shl, |_| 0)
}

pub(super) fn bitshr(arguments: &[Value], _: &mut Budget) -> Outcome {
    shifted(arguments, i64::checked_shr, |number| if number < 0 { -1 } else { 0 })
}

pub(super) fn bitushr(arguments: &[Value], _: &mut Budget) -> Outcome {
    let unsigned = |number: i64, by: u32| number.cast_unsigned().checked_shr(by).map(u64::cast_signed);
    shifted(arguments, unsigned, |_| 0)
}
