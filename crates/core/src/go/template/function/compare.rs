//! Compares values by Go's rules: kinds that differ are never compared, except whole numbers.

use std::cmp::Ordering;

use super::{Budget, Function, Value, print};

const NOT_COMPARABLE: &str = "invalid type for comparison";

/// What `eq`, `ne`, `lt`, `le`, `gt` and `ge` answer.
pub(super) fn compare(
    function: Function,
    first: &Value,
    others: &[Value],
    budget: &mut Budget,
) -> Result<Value, String> {
    for other in others {
        if let (Value::Text(one), Value::Text(other)) = (first, other) {
            budget.spend(one.len().min(other.len()))?;
        }
    }
    let Some(second) = others.first() else {
        return Err("missing argument for comparison".to_owned());
    };
    let answer = match function {
        Function::Ne => !equals_any(first, others)?,
        Function::Lt => is_less(first, second)?,
        Function::Le => is_less(first, second)? || equals_any(first, others)?,
        Function::Gt => !(is_less(first, second)? || equals_any(first, others)?),
        Function::Ge => !is_less(first, second)?,
        _ => equals_any(first, others)?,
    };
    Ok(Value::Bool(answer))
}

/// The kinds that have values of their own; all else is compared by its type.
#[derive(PartialEq, Eq)]
enum Kind {
    Bool,
    Int,
    Byte,
    Float,
    Text,
}

fn kind(value: &Value) -> Option<Kind> {
    match value {
        Value::Bool(_) => Some(Kind::Bool),
        Value::Int(_) => Some(Kind::Int),
        Value::Byte(_) => Some(Kind::Byte),
        Value::Float(_) => Some(Kind::Float),
        Value::Text(_) => Some(Kind::Text),
        Value::Nil | Value::List(_) | Value::Map(_) | Value::Struct(_) => None,
    }
}

fn whole(value: &Value) -> Option<i64> {
    match value {
        Value::Int(number) => Some(*number),
        Value::Byte(number) => Some(i64::from(*number)),
        _ => None,
    }
}

fn incompatible(one: &Value, other: &Value) -> String {
    format!(
        "incompatible types for comparison: {} and {}",
        one.type_name(),
        other.type_name()
    )
}

fn equals_any(first: &Value, others: &[Value]) -> Result<bool, String> {
    for other in others {
        if equal(first, other)? {
            return Ok(true);
        }
    }
    Ok(false)
}

fn equal(one: &Value, other: &Value) -> Result<bool, String> {
    if let (Some(one), Some(other)) = (whole(one), whole(other)) {
        return Ok(one == other);
    }
    let kinds = (kind(one), kind(other));
    if kinds.0 != kinds.1 {
        return match matches!(one, Value::Nil) || matches!(other, Value::Nil) {
            true => Ok(false),
            false => Err(incompatible(one, other)),
        };
    }
    if kinds.0.is_some() {
        return Ok(one.same(other));
    }
    equal_composites(one, other)
}

/// Whether lists, maps, structs or nothing are the same. Lists and maps are comparable to `nil` only.
fn equal_composites(one: &Value, other: &Value) -> Result<bool, String> {
    let same_kind = std::mem::discriminant(one) == std::mem::discriminant(other);
    if !same_kind && !matches!(one, Value::Nil) && !matches!(other, Value::Nil) {
        return Err(format!(
            "non-comparable types {}: {}, {}: {}",
            shown(one),
            one.type_name(),
            other.type_name(),
            shown(other)
        ));
    }
    if one.is_nil() || other.is_nil() {
        return Ok(one.is_nil() == other.is_nil());
    }
    match other.type_of().is_none_or(|of| of.is_comparable()) {
        true => Ok(one.same(other)),
        false => Err(format!("non-comparable type {}: {}", shown(other), other.type_name())),
    }
}

fn shown(value: &Value) -> String {
    /// Enough for an error.
    const ROOM: usize = 64 * 1024;
    let shown = print::shown(value, ROOM).unwrap_or_default();
    String::from_utf8_lossy(&shown).into_owned()
}

fn is_less(one: &Value, other: &Value) -> Result<bool, String> {
    if let (Some(one), Some(other)) = (whole(one), whole(other)) {
        return Ok(one < other);
    }
    match (kind(one), kind(other)) {
        (None, _) | (_, None) => return Err(NOT_COMPARABLE.to_owned()),
        (one_kind, other_kind) if one_kind != other_kind => return Err(incompatible(one, other)),
        _ => {}
    }
    match (one, other) {
        (Value::Float(one), Value::Float(other)) => Ok(one.partial_cmp(other) == Some(Ordering::Less)),
        (Value::Text(one), Value::Text(other)) => Ok(one < other),
        _ => Err(NOT_COMPARABLE.to_owned()),
    }
}
