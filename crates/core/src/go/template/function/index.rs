//! Finds parts of lists, maps and texts: `index`, `slice`, `len`.

use super::Value;

/// What stands at these places of a value, each within what stands at the place before.
pub(super) fn index(of: &Value, places: &[Value]) -> Result<Value, String> {
    if matches!(of, Value::Nil) {
        return Err("index of untyped nil".to_owned());
    }
    let mut value = of.clone();
    for place in places {
        value = match &value {
            Value::List(list) => match list.values().get(position(place, list.values().len())?) {
                Some(element) => element.clone(),
                None => return Err("reflect: slice index out of range".to_owned()),
            },
            Value::Text(text) => match text.get(position(place, text.len())?) {
                Some(byte) => Value::Byte(*byte),
                None => return Err("reflect: string index out of range".to_owned()),
            },
            Value::Map(map) => match place {
                Value::Text(key) => map.entries.get(key).cloned().unwrap_or_else(|| map.element.zero()),
                Value::Nil => return Err("value is nil; should be of type string".to_owned()),
                place => return Err(format!("value has type {}; should be string", place.type_name())),
            },
            value => return Err(format!("can't index item of type {}", value.type_name())),
        };
    }
    Ok(value)
}

/// A place of a list, which can be its end.
fn position(place: &Value, end: usize) -> Result<usize, String> {
    let position = match place {
        Value::Int(position) => *position,
        Value::Byte(position) => i64::from(*position),
        Value::Nil => return Err("cannot index slice/array with nil".to_owned()),
        place => return Err(format!("cannot index slice/array with type {}", place.type_name())),
    };
    let fits = usize::try_from(position).ok().filter(|position| *position <= end);
    fits.ok_or_else(|| format!("index out of range: {position}"))
}

/// A part of a list or text: from the first place to the second, and for a list at most up to the third.
pub(super) fn slice(of: &Value, places: &[Value]) -> Result<Value, String> {
    if matches!(of, Value::Nil) {
        return Err("slice of untyped nil".to_owned());
    }
    if places.len() > 3 {
        return Err(format!("too many slice indexes: {}", places.len()));
    }
    let (length, capacity) = match of {
        Value::Text(_) if places.len() == 3 => return Err("cannot 3-index slice a string".to_owned()),
        Value::Text(text) => (text.len(), text.len()),
        Value::List(list) => (list.values().len(), list.capacity()),
        value => return Err(format!("can't slice item of type {}", value.type_name())),
    };
    let mut bounds = [0, length, capacity];
    for (bound, place) in bounds.iter_mut().zip(places) {
        *bound = position(place, capacity)?;
    }
    let [from, to, end] = bounds;
    for (lower, upper) in [(from, to), (to, end)] {
        if lower > upper {
            return Err(format!("invalid slice index: {lower} > {upper}"));
        }
    }
    Ok(match of {
        Value::List(list) => Value::List(list.view(from, to, end)),
        Value::Text(text) => Value::text(text.get(from..to).unwrap_or_default()),
        value => value.clone(),
    })
}

pub(super) fn length(of: &Value) -> Result<Value, String> {
    let length = match of {
        Value::Text(text) => text.len(),
        Value::List(list) => list.values().len(),
        Value::Map(map) => map.entries.len(),
        // What Go's library says of itself there.
        Value::Nil => return Err("reflect: call of reflect.Value.Type on zero Value".to_owned()),
        value => return Err(format!("len of type {}", value.type_name())),
    };
    Ok(Value::Int(i64::try_from(length).unwrap_or(i64::MAX)))
}
