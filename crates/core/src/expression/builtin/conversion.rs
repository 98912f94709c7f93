//! Functions that make one kind of value from another one, and those of maps.

use std::sync::Arc;

use super::{Budget, ExpressionError, Outcome, Value, argument, entries, items, text, wrong};
use crate::expression::evaluate::place;
use crate::expression::text::{json, plain};
use crate::resource::base64;

/// Characters of a string, elements of a list or map.
pub(super) fn len(arguments: &[Value], budget: &mut Budget) -> Outcome {
    let length = match argument(arguments, 0) {
        Value::Text(text) => {
            budget.read(text.len())?;
            text.chars().count()
        }
        Value::List(list) => list.items().len(),
        Value::Map(map) => map.entries().len(),
        other => return Err(wrong(other, "string, list or map")),
    };
    Ok(Value::Int(i64::try_from(length).unwrap_or(i64::MAX)))
}

pub(super) fn kind(arguments: &[Value], _: &mut Budget) -> Outcome {
    Ok(Value::text(match argument(arguments, 0) {
        Value::Nil => "nil",
        Value::Bool(_) => "bool",
        Value::Int(_) => "int",
        Value::Float(_) => "float",
        Value::Text(_) => "string",
        Value::List(_) => "array",
        Value::Map(_) => "map",
        Value::Function(_) => "func",
    }))
}

pub(super) fn int(arguments: &[Value], budget: &mut Budget) -> Outcome {
    match argument(arguments, 0) {
        Value::Int(number) => Ok(Value::Int(*number)),
        Value::Float(number) => Ok(Value::Int(*number as i64)),
        Value::Text(text) => {
            budget.read(text.len())?;
            let number = text.parse().map(Value::Int);
            number.map_err(|_| ExpressionError::failed("the string is no whole number"))
        }
        other => Err(wrong(other, "number or string")),
    }
}

pub(super) fn float(arguments: &[Value], budget: &mut Budget) -> Outcome {
    match argument(arguments, 0) {
        Value::Int(number) => Ok(Value::Float(*number as f64)),
        Value::Float(number) => Ok(Value::Float(*number)),
        Value::Text(text) => {
            budget.read(text.len())?;
            let number = text.parse().map(Value::Float);
            number.map_err(|_| ExpressionError::failed("the string is no number"))
        }
        other => Err(wrong(other, "number or string")),
    }
}

pub(super) fn string(arguments: &[Value], budget: &mut Budget) -> Outcome {
    match argument(arguments, 0) {
        text @ Value::Text(_) => Ok(text.clone()),
        other => plain(other, budget).map(Value::text),
    }
}

/// With two spaces for each level, as the peer's has it.
pub(super) fn to_json(arguments: &[Value], budget: &mut Budget) -> Outcome {
    json(argument(arguments, 0), Some("  "), budget).map(Value::text)
}

pub(super) fn from_json(arguments: &[Value], budget: &mut Budget) -> Outcome {
    let text = text(arguments, 0)?;
    // Two bytes can be an element of a list.
    budget.gather(text.len() / 2)?;
    Value::from_json(text.as_bytes()).map_err(|_| ExpressionError::failed("the string is no JSON"))
}

pub(super) fn to_base64(arguments: &[Value], budget: &mut Budget) -> Outcome {
    let text = text(arguments, 0)?;
    budget.write(text.len().saturating_mul(2))?;
    Ok(Value::text(encoded(text.as_bytes())))
}

pub(super) fn from_base64(arguments: &[Value], budget: &mut Budget) -> Outcome {
    let text = text(arguments, 0)?;
    budget.write(text.len())?;
    let bytes = base64::decode(text).map_err(|_| ExpressionError::failed("the string is not in base 64"))?;
    let text = String::from_utf8(bytes).map_err(|_| ExpressionError::failed("what was encoded is no text"))?;
    Ok(Value::text(text))
}

pub(super) fn to_pairs(arguments: &[Value], budget: &mut Budget) -> Outcome {
    let map = entries(arguments, 0)?;
    budget.gather(map.entries().len().saturating_mul(3))?;
    let pair = |(key, value): &(Arc<str>, Value)| Value::list(vec![Value::Text(key.clone()), value.clone()]);
    let pairs: Result<Vec<Value>, _> = map.entries().iter().map(pair).collect();
    Value::list(pairs?)
}

pub(super) fn from_pairs(arguments: &[Value], budget: &mut Budget) -> Outcome {
    let pairs = items(arguments, 0)?;
    budget.gather(pairs.len())?;
    let mut map = Vec::with_capacity(pairs.len());
    for pair in pairs {
        match pair {
            Value::List(pair) => match pair.items() {
                [Value::Text(key), value] => map.push((key.clone(), value.clone())),
                _ => return Err(ExpressionError::failed("a pair is a string and a value")),
            },
            other => return Err(wrong(other, "pair")),
        }
    }
    Value::map(map)
}

pub(super) fn keys(arguments: &[Value], budget: &mut Budget) -> Outcome {
    let map = entries(arguments, 0)?;
    budget.gather(map.entries().len())?;
    Value::list(map.entries().iter().map(|(key, _)| Value::Text(key.clone())).collect())
}

pub(super) fn values(arguments: &[Value], budget: &mut Budget) -> Outcome {
    let map = entries(arguments, 0)?;
    budget.gather(map.entries().len())?;
    Value::list(map.entries().iter().map(|(_, value)| value.clone()).collect())
}

/// A member, or nil where there is none.
pub(super) fn get(arguments: &[Value], _: &mut Budget) -> Outcome {
    let found = match (argument(arguments, 0), argument(arguments, 1)) {
        (Value::Map(map), Value::Text(key)) => map.get(key).cloned(),
        (Value::List(list), Value::Int(index)) => {
            place(*index, list.items().len()).and_then(|at| list.items().get(at).cloned())
        }
        _ => None,
    };
    Ok(found.unwrap_or_default())
}

/// Bytes in the standard alphabet, with padding.
fn encoded(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::with_capacity(bytes.len().div_ceil(3) * 4);
    for group in bytes.chunks(3) {
        let at = |place: usize| u32::from(group.get(place).copied().unwrap_or_default());
        let bits = at(0) << 16 | at(1) << 8 | at(2);
        for digit in 0..4 {
            let value = (bits >> (18 - 6 * digit)) & 63;
            text.push(if digit > group.len() {
                '='
            } else {
                char::from(DIGITS[value as usize])
            });
        }
    }
    text
}
