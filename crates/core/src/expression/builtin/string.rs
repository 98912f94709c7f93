//! Functions of strings. Positions are bytes, as with Go.

use super::{Budget, ExpressionError, Outcome, Value, items, text, whole, wrong};

pub(super) fn trim(arguments: &[Value], budget: &mut Budget) -> Outcome {
    let whole = text(arguments, 0)?;
    budget.write(whole.len())?;
    if arguments.len() < 2 {
        return Ok(Value::text(whole.trim()));
    }
    let cut = text(arguments, 1)?;
    budget.spend(whole.len().saturating_mul(1 + cut.len() / 16))?;
    Ok(Value::text(whole.trim_matches(|c| cut.contains(c))))
}

/// What to cut; a space where nothing is said.
fn affix(arguments: &[Value]) -> Result<&str, ExpressionError> {
    if arguments.len() < 2 {
        Ok(" ")
    } else {
        text(arguments, 1)
    }
}

pub(super) fn trim_prefix(arguments: &[Value], budget: &mut Budget) -> Outcome {
    let whole = text(arguments, 0)?;
    budget.write(whole.len())?;
    Ok(Value::text(whole.strip_prefix(affix(arguments)?).unwrap_or(whole)))
}

pub(super) fn trim_suffix(arguments: &[Value], budget: &mut Budget) -> Outcome {
    let whole = text(arguments, 0)?;
    budget.write(whole.len())?;
    Ok(Value::text(whole.strip_suffix(affix(arguments)?).unwrap_or(whole)))
}

pub(super) fn upper(arguments: &[Value], budget: &mut Budget) -> Outcome {
    let whole = text(arguments, 0)?;
    budget.write(whole.len().saturating_mul(2))?;
    // Letter by letter, as Go does: what has no one letter as its capital stays.
    let capital = |letter: char| {
        let mut capitals = letter.to_uppercase();
        match (capitals.next(), capitals.next()) {
            (Some(capital), None) => capital,
            _ => letter,
        }
    };
    Ok(Value::text(whole.chars().map(capital).collect::<String>()))
}

pub(super) fn lower(arguments: &[Value], budget: &mut Budget) -> Outcome {
    let whole = text(arguments, 0)?;
    budget.write(whole.len().saturating_mul(3))?;
    Ok(Value::text(crate::go::printable::to_lower_text(whole).into_owned()))
}

/// The parts of a text, at most so many; Go takes a negative number for all.
fn parts<'a>(
    arguments: &'a [Value],
    budget: &mut Budget,
    keeps_separator: bool,
) -> Result<Vec<&'a str>, ExpressionError> {
    let (text, separator) = (text(arguments, 0)?, text(arguments, 1)?);
    let most = if arguments.len() < 3 { -1 } else { whole(arguments, 2)? };
    let most = usize::try_from(most).unwrap_or(usize::MAX);
    budget.write(text.len())?;
    let mut parts = Vec::new();
    let mut rest = text;
    while parts.len() + 1 < most {
        let end = match separator.len() {
            // Without a separator, each character is a part.
            0 => rest.char_indices().nth(1).map(|(at, _)| (at, at)),
            length => rest
                .find(separator)
                .map(|at| (if keeps_separator { at + length } else { at }, at + length)),
        };
        let Some((part, next)) = end else { break };
        budget.gather(1)?;
        parts.push(rest.get(..part).unwrap_or_default());
        rest = rest.get(next..).unwrap_or_default();
    }
    let is_over = separator.is_empty() && rest.is_empty();
    if most > 0 && !is_over {
        budget.gather(1)?;
        parts.push(rest);
    }
    Ok(parts)
}

/// Go has no list for no parts at all, unlike for the parts of an empty text.
fn listed(parts: &[&str], arguments: &[Value]) -> Outcome {
    if parts.is_empty() && arguments.len() > 2 {
        return Ok(Value::Nil);
    }
    Value::list(parts.iter().map(|part| Value::text(*part)).collect())
}

pub(super) fn split(arguments: &[Value], budget: &mut Budget) -> Outcome {
    listed(&parts(arguments, budget, false)?, arguments)
}

pub(super) fn split_after(arguments: &[Value], budget: &mut Budget) -> Outcome {
    listed(&parts(arguments, budget, true)?, arguments)
}

pub(super) fn replace(arguments: &[Value], budget: &mut Budget) -> Outcome {
    let (whole_text, from, to) = (text(arguments, 0)?, text(arguments, 1)?, text(arguments, 2)?);
    let most = if arguments.len() < 4 { -1 } else { whole(arguments, 3)? };
    let most = usize::try_from(most).unwrap_or(usize::MAX);
    budget.read(whole_text.len())?;
    let places = whole_text.matches(from).take(most).count();
    budget.spend(places)?;
    let grown = whole_text.len().saturating_add(places.saturating_mul(to.len()));
    budget.write(grown)?;
    Ok(Value::text(whole_text.replacen(from, to, most)))
}

pub(super) fn repeat(arguments: &[Value], budget: &mut Budget) -> Outcome {
    let part = text(arguments, 0)?;
    let times = usize::try_from(whole(arguments, 1)?);
    let times = times.map_err(|_| ExpressionError::failed("nothing can be repeated a negative number of times"))?;
    budget.write(part.len().saturating_mul(times))?;
    Ok(Value::text(part.repeat(if part.is_empty() { 0 } else { times })))
}

fn position(place: Option<usize>) -> Value {
    Value::Int(place.and_then(|place| i64::try_from(place).ok()).unwrap_or(-1))
}

pub(super) fn index_of(arguments: &[Value], budget: &mut Budget) -> Outcome {
    let (whole, part) = (text(arguments, 0)?, text(arguments, 1)?);
    budget.read(whole.len())?;
    Ok(position(whole.find(part)))
}

pub(super) fn last_index_of(arguments: &[Value], budget: &mut Budget) -> Outcome {
    let (whole, part) = (text(arguments, 0)?, text(arguments, 1)?);
    budget.read(whole.len())?;
    Ok(position(whole.rfind(part)))
}

pub(super) fn has_prefix(arguments: &[Value], budget: &mut Budget) -> Outcome {
    let (whole, part) = (text(arguments, 0)?, text(arguments, 1)?);
    budget.read(part.len())?;
    Ok(Value::Bool(whole.starts_with(part)))
}

pub(super) fn has_suffix(arguments: &[Value], budget: &mut Budget) -> Outcome {
    let (whole, part) = (text(arguments, 0)?, text(arguments, 1)?);
    budget.read(part.len())?;
    Ok(Value::Bool(whole.ends_with(part)))
}

pub(super) fn join(arguments: &[Value], budget: &mut Budget) -> Outcome {
    let separator = if arguments.len() < 2 { "" } else { text(arguments, 1)? };
    let mut parts = Vec::new();
    for item in items(arguments, 0)? {
        let part = item.as_text().ok_or_else(|| wrong(item, "string"))?;
        budget.write(part.len() + separator.len())?;
        parts.push(part);
    }
    Ok(Value::text(parts.join(separator)))
}
