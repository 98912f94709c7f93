//! Writes values as texts in the forms of Go's libraries: JSON, YAML, and what `%v` prints. It must not know who reads them.

use super::value::Value;
use super::{Budget, ExpressionError};

/// JSON as Go's encoder writes it, `<`, `>` and `&` escaped; over several lines where an indentation is given.
pub(super) fn json(value: &Value, indent: Option<&str>, budget: &mut Budget) -> Result<String, ExpressionError> {
    let mut out = String::new();
    write_json(value, indent, 0, &mut out, budget)?;
    Ok(out)
}

fn write_json(
    value: &Value,
    indent: Option<&str>,
    level: usize,
    out: &mut String,
    budget: &mut Budget,
) -> Result<(), ExpressionError> {
    budget.write(8 + level * indent.map_or(0, str::len))?;
    match value {
        Value::Nil => out.push_str("null"),
        Value::Bool(answer) => out.push_str(if *answer { "true" } else { "false" }),
        Value::Int(number) => out.push_str(&number.to_string()),
        Value::Float(number) => out.push_str(&json_number(*number)?),
        Value::Text(text) => write_json_text(text, out, budget)?,
        Value::Function(_) => return Err(ExpressionError::failed("a function cannot be written")),
        Value::List(list) => {
            out.push('[');
            for (place, item) in list.items().iter().enumerate() {
                separate(place > 0, indent, level + 1, out);
                write_json(item, indent, level + 1, out, budget)?;
            }
            if !list.items().is_empty() {
                separate(false, indent, level, out);
            }
            out.push(']');
        }
        Value::Map(map) => {
            out.push('{');
            for (place, (key, value)) in map.entries().iter().enumerate() {
                separate(place > 0, indent, level + 1, out);
                write_json_text(key, out, budget)?;
                out.push_str(if indent.is_some() { ": " } else { ":" });
                write_json(value, indent, level + 1, out, budget)?;
            }
            if !map.entries().is_empty() {
                separate(false, indent, level, out);
            }
            out.push('}');
        }
    }
    Ok(())
}

fn separate(comma: bool, indent: Option<&str>, level: usize, out: &mut String) {
    if comma {
        out.push(',');
    }
    if let Some(indent) = indent {
        out.push('\n');
        out.extend(std::iter::repeat_n(indent, level));
    }
}

/// A text in quotes, as Go's encoder of JSON writes it.
fn write_json_text(text: &str, out: &mut String, budget: &mut Budget) -> Result<(), ExpressionError> {
    // A character can become six.
    budget.write(text.len().saturating_mul(2))?;
    out.push('"');
    for letter in text.chars() {
        match letter {
            '"' | '\\' => out.extend(['\\', letter]),
            '\u{8}' => out.push_str("\\b"),
            '\u{c}' => out.push_str("\\f"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            ..' ' | '<' | '>' | '&' | '\u{2028}' | '\u{2029}' => {
                out.push_str(&format!("\\u{:04x}", u32::from(letter)));
            }
            _ => out.push(letter),
        }
    }
    out.push('"');
    Ok(())
}

/// A number as Go's encoder of JSON writes it.
fn json_number(number: f64) -> Result<String, ExpressionError> {
    if !number.is_finite() {
        return Err(ExpressionError::failed("JSON has no infinite numbers"));
    }
    let size = number.abs();
    if size != 0.0 && !(1e-6..1e21).contains(&size) {
        let (digits, exponent) = scientific(number);
        let sign = if exponent < 0 { "" } else { "+" };
        return Ok(format!("{digits}e{sign}{exponent}"));
    }
    Ok(number.to_string())
}

/// The digits and the exponent of a finite number.
fn scientific(number: f64) -> (String, i32) {
    let written = format!("{number:e}");
    let (digits, exponent) = written.split_once('e').unwrap_or((&written, "0"));
    (digits.to_owned(), exponent.parse().unwrap_or_default())
}

/// What Go's `%v` prints.
pub(super) fn plain(value: &Value, budget: &mut Budget) -> Result<String, ExpressionError> {
    let mut out = String::new();
    write_plain(value, &mut out, budget)?;
    Ok(out)
}

fn write_plain(value: &Value, out: &mut String, budget: &mut Budget) -> Result<(), ExpressionError> {
    budget.write(8)?;
    match value {
        Value::Nil => out.push_str("<nil>"),
        Value::Bool(answer) => out.push_str(if *answer { "true" } else { "false" }),
        Value::Int(number) => out.push_str(&number.to_string()),
        Value::Float(number) => out.push_str(&plain_number(*number)),
        Value::Text(text) => {
            budget.write(text.len())?;
            out.push_str(text);
        }
        Value::Function(_) => return Err(ExpressionError::failed("a function cannot be written")),
        Value::List(list) => {
            out.push('[');
            for (place, item) in list.items().iter().enumerate() {
                out.push_str(if place > 0 { " " } else { "" });
                write_plain(item, out, budget)?;
            }
            out.push(']');
        }
        Value::Map(map) => {
            out.push_str("map[");
            for (place, (key, value)) in map.entries().iter().enumerate() {
                budget.write(key.len())?;
                out.push_str(if place > 0 { " " } else { "" });
                out.push_str(key);
                out.push(':');
                write_plain(value, out, budget)?;
            }
            out.push(']');
        }
    }
    Ok(())
}

fn plain_number(number: f64) -> String {
    if number.is_nan() {
        return "NaN".to_owned();
    }
    if number.is_infinite() {
        return if number > 0.0 { "+Inf" } else { "-Inf" }.to_owned();
    }
    let (digits, exponent) = scientific(number);
    if number != 0.0 && !(-4..6).contains(&exponent) {
        let sign = if exponent < 0 { '-' } else { '+' };
        return format!("{digits}e{sign}{:02}", exponent.abs());
    }
    number.to_string()
}

/// YAML as Go's encoder writes it, four spaces to a level; a scalar that needs quotes has double ones.
pub(super) fn yaml(value: &Value, budget: &mut Budget) -> Result<String, ExpressionError> {
    let mut out = String::new();
    write_yaml(value, 0, &mut out, budget)?;
    Ok(out)
}

fn write_yaml(value: &Value, level: usize, out: &mut String, budget: &mut Budget) -> Result<(), ExpressionError> {
    budget.write(8 + level * 4)?;
    match value {
        Value::List(list) if !list.items().is_empty() => {
            for (place, item) in list.items().iter().enumerate() {
                if place > 0 {
                    out.extend(std::iter::repeat_n("    ", level));
                }
                out.push_str("- ");
                write_yaml_below(item, level, true, out, budget)?;
            }
        }
        Value::Map(map) if !map.entries().is_empty() => {
            for (place, (key, value)) in map.entries().iter().enumerate() {
                if place > 0 {
                    out.extend(std::iter::repeat_n("    ", level));
                }
                write_yaml_text(key, out, budget)?;
                out.push(':');
                write_yaml_below(value, level, false, out, budget)?;
            }
        }
        Value::Text(text) => {
            write_yaml_text(text, out, budget)?;
            out.push('\n');
        }
        scalar => {
            write_json(scalar, None, 0, out, budget)?;
            out.push('\n');
        }
    }
    Ok(())
}

/// What stands behind a dash or a key: on the same line what is no collection, or what begins right behind a dash.
fn write_yaml_below(
    value: &Value,
    level: usize,
    behind_dash: bool,
    out: &mut String,
    budget: &mut Budget,
) -> Result<(), ExpressionError> {
    let nests = match value {
        Value::List(list) => !list.items().is_empty(),
        Value::Map(map) => !map.entries().is_empty(),
        _ => false,
    };
    match (nests, behind_dash) {
        (false, true) => write_yaml(value, level, out, budget),
        (false, false) => {
            out.push(' ');
            write_yaml(value, level, out, budget)
        }
        (true, _) => {
            if behind_dash {
                out.push_str("  ");
            } else {
                out.push('\n');
                out.extend(std::iter::repeat_n("    ", level + 1));
            }
            write_yaml(value, level + 1, out, budget)
        }
    }
}

/// A scalar that reads as the same text without quotes stays without them.
fn write_yaml_text(text: &str, out: &mut String, budget: &mut Budget) -> Result<(), ExpressionError> {
    budget.write(text.len())?;
    let is_word = text.starts_with(|first: char| first.is_alphabetic())
        && text
            .chars()
            .all(|c| c.is_alphanumeric() || matches!(c, '-' | '_' | '.' | '/'));
    let words = ["true", "false", "null", "yes", "no", "on", "off", "y", "n"];
    if is_word && !words.contains(&text.to_ascii_lowercase().as_str()) {
        out.push_str(text);
        return Ok(());
    }
    write_json_text(text, out, budget)
}
