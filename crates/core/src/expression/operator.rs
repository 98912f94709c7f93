//! Decides what operators between values come to; it must not know how they were written.

use std::cmp::Ordering;

use super::syntax::Infix;
use super::value::Value;
use super::{Budget, ExpressionError};
use crate::go::regexp::Regexp;

/// How much memory in bytes a pattern of `matches` may take, compiled. Searching takes time by its size, so this bounds time.
pub(super) const PATTERN_BYTES: usize = 256 * 1024;

/// The longest text in bytes that `matches` searches.
const MATCHED_BYTES: usize = 64 * 1024;

/// What compiling a pattern costs that is known only when it is used.
const COMPILING: usize = 20_000;

/// The value of an operator that needs both operands, whatever they are. `and`, `or` and `??` are decided by whoever
/// evaluates the operands.
pub(super) fn apply(infix: &Infix, left: &Value, right: &Value, budget: &mut Budget) -> Result<Value, ExpressionError> {
    budget.spend(1)?;
    match infix {
        Infix::Equal => equal(left, right, budget).map(Value::Bool),
        Infix::NotEqual => equal(left, right, budget).map(|equal| Value::Bool(!equal)),
        Infix::Less => ordered(left, right, budget).map(|order| Value::Bool(order == Some(Ordering::Less))),
        Infix::LessOrEqual => ordered(left, right, budget).map(|order| Value::Bool(order.is_some_and(Ordering::is_le))),
        Infix::Greater => ordered(left, right, budget).map(|order| Value::Bool(order == Some(Ordering::Greater))),
        Infix::GreaterOrEqual => {
            ordered(left, right, budget).map(|order| Value::Bool(order.is_some_and(Ordering::is_ge)))
        }
        // What is missing holds nothing and begins with nothing, as in Go.
        Infix::Contains | Infix::StartsWith | Infix::EndsWith | Infix::Matches(_) if is_missing(left, right) => {
            Ok(Value::Bool(false))
        }
        Infix::In => contained(left, right, budget).map(Value::Bool),
        Infix::Contains => texts(left, right, budget, "contains").map(|(text, part)| Value::Bool(text.contains(part))),
        Infix::StartsWith => {
            texts(left, right, budget, "startsWith").map(|(text, part)| Value::Bool(text.starts_with(part)))
        }
        Infix::EndsWith => texts(left, right, budget, "endsWith").map(|(text, part)| Value::Bool(text.ends_with(part))),
        Infix::Matches(pattern) => matches(pattern.as_deref(), left, right, budget),
        Infix::Range => range(left, right, budget),
        Infix::Add => add(left, right, budget),
        Infix::Subtract => arithmetic("-", left, right, i64::wrapping_sub, |a, b| a - b),
        Infix::Multiply => arithmetic("*", left, right, i64::wrapping_mul, |a, b| a * b),
        Infix::Divide => floats("/", left, right).map(|(a, b)| Value::Float(a / b)),
        Infix::Power => floats("**", left, right).map(|(a, b)| Value::Float(a.powf(b))),
        Infix::Remainder => remainder(left, right),
        Infix::Negated(inner) => match apply(inner, left, right, budget)? {
            Value::Bool(answer) => Ok(Value::Bool(!answer)),
            other => Err(unfit("not", &[&other])),
        },
        Infix::And | Infix::Or | Infix::Coalesce => Ok(Value::Nil),
    }
}

fn is_missing(left: &Value, right: &Value) -> bool {
    matches!(left, Value::Nil) || matches!(right, Value::Nil)
}

/// That an operator does not go with such operands.
pub(super) fn unfit(operator: &str, operands: &[&Value]) -> ExpressionError {
    let kinds: Vec<&str> = operands.iter().map(|value| value.kind()).collect();
    ExpressionError::failed(format!("{operator} does not go with {}", kinds.join(" and ")))
}

/// Whether two values are the same. Numbers are compared by value, whatever their type.
pub(super) fn equal(left: &Value, right: &Value, budget: &mut Budget) -> Result<bool, ExpressionError> {
    budget.spend(1)?;
    Ok(match (left, right) {
        (Value::Nil, Value::Nil) => true,
        (Value::Bool(left), Value::Bool(right)) => left == right,
        (Value::Text(left), Value::Text(right)) => {
            budget.read(left.len().min(right.len()))?;
            left == right
        }
        (Value::List(left), Value::List(right)) => {
            let (left, right) = (left.items(), right.items());
            if left.len() != right.len() {
                return Ok(false);
            }
            for (left, right) in left.iter().zip(right) {
                if !equal(left, right, budget)? {
                    return Ok(false);
                }
            }
            true
        }
        (Value::Map(left), Value::Map(right)) => {
            let (left, right) = (left.entries(), right.entries());
            if left.len() != right.len() {
                return Ok(false);
            }
            for ((left_key, left), (right_key, right)) in left.iter().zip(right) {
                if left_key != right_key || !equal(left, right, budget)? {
                    return Ok(false);
                }
            }
            true
        }
        _ => compare_numbers(left, right) == Some(Some(Ordering::Equal)),
    })
}

/// The order of two numbers: none where they are no numbers, and within, none where one is NaN.
fn compare_numbers(left: &Value, right: &Value) -> Option<Option<Ordering>> {
    match (left, right) {
        (Value::Int(left), Value::Int(right)) => Some(Some(left.cmp(right))),
        _ => Some(as_float(left)?.partial_cmp(&as_float(right)?)),
    }
}

/// The order of two numbers or two texts; none where one is NaN.
pub(super) fn ordered(left: &Value, right: &Value, budget: &mut Budget) -> Result<Option<Ordering>, ExpressionError> {
    if let (Value::Text(left), Value::Text(right)) = (left, right) {
        budget.read(left.len().min(right.len()))?;
        return Ok(Some(left.cmp(right)));
    }
    compare_numbers(left, right).ok_or_else(|| unfit("comparing", &[left, right]))
}

/// A number as a float.
pub(super) fn as_float(value: &Value) -> Option<f64> {
    match value {
        Value::Int(number) => Some(*number as f64),
        Value::Float(number) => Some(*number),
        _ => None,
    }
}

fn contained(part: &Value, whole: &Value, budget: &mut Budget) -> Result<bool, ExpressionError> {
    match whole {
        Value::Nil => Ok(false),
        Value::List(list) => {
            for item in list.items() {
                if equal(part, item, budget)? {
                    return Ok(true);
                }
            }
            Ok(false)
        }
        Value::Map(map) => match part {
            Value::Text(key) => Ok(map.get(key).is_some()),
            _ => Err(unfit("in", &[part, whole])),
        },
        _ => Err(unfit("in", &[part, whole])),
    }
}

fn texts<'a>(
    left: &'a Value,
    right: &'a Value,
    budget: &mut Budget,
    operator: &str,
) -> Result<(&'a str, &'a str), ExpressionError> {
    let (Some(text), Some(part)) = (left.as_text(), right.as_text()) else {
        return Err(unfit(operator, &[left, right]));
    };
    budget.read(text.len())?;
    Ok((text, part))
}

fn matches(
    compiled: Option<&Regexp>,
    left: &Value,
    right: &Value,
    budget: &mut Budget,
) -> Result<Value, ExpressionError> {
    let (Some(text), Some(pattern)) = (left.as_text(), right.as_text()) else {
        return Err(unfit("matches", &[left, right]));
    };
    if text.len() > MATCHED_BYTES {
        return Err(ExpressionError::failed(format!(
            "matches searches no more than {MATCHED_BYTES} bytes"
        )));
    }
    budget.spend(1 + text.len() * 8)?;
    if let Some(compiled) = compiled {
        return Ok(Value::Bool(compiled.is_match(text)));
    }
    budget.spend(COMPILING)?;
    // What is wrong with it would show it, and it may come from the request.
    let compiled = Regexp::compile_within(pattern, PATTERN_BYTES)
        .map_err(|_| ExpressionError::failed("matches has no regular expression on its right, or too large a one"))?;
    Ok(Value::Bool(compiled.is_match(text)))
}

fn range(left: &Value, right: &Value, budget: &mut Budget) -> Result<Value, ExpressionError> {
    let (Value::Int(from), Value::Int(to)) = (left, right) else {
        return Err(unfit("..", &[left, right]));
    };
    let count = to.saturating_sub(*from).saturating_add(1).max(0);
    budget.gather(usize::try_from(count).unwrap_or(usize::MAX))?;
    Value::list((*from..=*to).map(Value::Int).collect())
}

/// The sum of numbers, or one text behind the other.
pub(super) fn add(left: &Value, right: &Value, budget: &mut Budget) -> Result<Value, ExpressionError> {
    if let (Value::Text(left), Value::Text(right)) = (left, right) {
        budget.write(left.len() + right.len())?;
        return Ok(Value::text(format!("{left}{right}")));
    }
    arithmetic("+", left, right, i64::wrapping_add, |a, b| a + b)
}

fn arithmetic(
    operator: &str,
    left: &Value,
    right: &Value,
    ints: fn(i64, i64) -> i64,
    floating: fn(f64, f64) -> f64,
) -> Result<Value, ExpressionError> {
    if let (Value::Int(left), Value::Int(right)) = (left, right) {
        return Ok(Value::Int(ints(*left, *right)));
    }
    floats(operator, left, right).map(|(left, right)| Value::Float(floating(left, right)))
}

fn floats(operator: &str, left: &Value, right: &Value) -> Result<(f64, f64), ExpressionError> {
    as_float(left)
        .zip(as_float(right))
        .ok_or_else(|| unfit(operator, &[left, right]))
}

fn remainder(left: &Value, right: &Value) -> Result<Value, ExpressionError> {
    match (left, right) {
        (Value::Int(_), Value::Int(0)) => Err(ExpressionError::failed("a number is divided by zero")),
        (Value::Int(left), Value::Int(right)) => Ok(Value::Int(left.wrapping_rem(*right))),
        _ => Err(unfit("%", &[left, right])),
    }
}
