//! Decides what a text with expressions in it becomes, by the rules of Kargo's templates; it must not know what the text is for.
//!
//! Expressions stand between `${{` and `}}`, or `${%` and `%}`. A text without any is taken as it is. What a text with some
//! becomes is looked at once more, as Kargo does, because there a template can stand for any JSON value: quotes around all of it
//! go, and what reads as a number, a boolean or other JSON is no text any more, which is an error here. `quote` prevents that.

use super::text::{json, yaml};
use super::value::Value;
use super::{Budget, Environment, Expression, ExpressionError};
use crate::go::boolean::parse_bool;
use crate::go::quote::quote;

/// How templates may open and close an expression.
const DELIMITERS: [(&str, &str); 2] = [("${{", "}}"), ("${%", "%}")];

/// The functions that expressions in templates have in addition.
pub const FUNCTIONS: [&str; 4] = ["quote", "unsafeQuote", "asYAML", "asJSON"];

/// A text with expressions.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Template(Form);

#[derive(Clone, Debug, PartialEq, Eq)]
enum Form {
    /// There are no expressions in it.
    Verbatim(String),
    Parts(Vec<Part>),
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Part {
    Text(String),
    Expression(Expression),
}

impl Template {
    /// Compiles a text.
    ///
    /// # Errors
    /// An expression of it is none, or is not closed.
    pub fn compile(text: &str) -> Result<Self, ExpressionError> {
        if opening(text).is_none() {
            return Ok(Self(Form::Verbatim(text.to_owned())));
        }
        let mut parts = Vec::new();
        let mut rest = text;
        while let Some((at, open, close)) = opening(rest) {
            let (before, inner) = (rest.get(..at), rest.get(at + open.len()..));
            let inner = inner.unwrap_or_default();
            let Some(end) = inner.find(close) else {
                return Err(ExpressionError::failed(format!(
                    "unclosed expression: expected {close:?} but reached end of template"
                )));
            };
            parts.push(Part::Text(before.unwrap_or_default().to_owned()));
            rest = inner.get(end + close.len()..).unwrap_or_default();
            match inner.get(..end).unwrap_or_default() {
                // For Kargo, an empty expression ends all expressions.
                "" => break,
                source => parts.push(Part::Expression(Expression::compile(source)?)),
            }
        }
        parts.push(Part::Text(rest.to_owned()));
        Ok(Self(Form::Parts(parts)))
    }

    /// The text that it becomes.
    ///
    /// # Errors
    /// An expression has no value, or what it all becomes is no text.
    pub fn evaluate(&self, environment: &Environment<'_>, budget: &mut Budget) -> Result<String, ExpressionError> {
        let parts = match &self.0 {
            Form::Verbatim(text) => return Ok(text.clone()),
            Form::Parts(parts) => parts,
        };
        let mut result = String::new();
        for part in parts {
            match part {
                Part::Text(text) => result.push_str(text),
                Part::Expression(expression) => match expression.evaluate(environment, budget)? {
                    Value::Text(text) => {
                        budget.write(text.len())?;
                        result.push_str(&text);
                    }
                    other => result.push_str(&json(&other, None, budget)?),
                },
            }
        }
        budget.write(result.len())?;
        as_text(&result)
    }
}

/// The first place where an expression opens, how it does, and how it has to close.
fn opening(text: &str) -> Option<(usize, &'static str, &'static str)> {
    let openings = DELIMITERS
        .iter()
        .filter_map(|(open, close)| text.find(open).map(|at| (at, *open, *close)));
    openings.min_by_key(|(at, ..)| *at)
}

/// The text that Kargo would take a result for, or that it would take it for something else.
fn as_text(result: &str) -> Result<String, ExpressionError> {
    let (line, end) = match result.strip_suffix('\n') {
        Some(line) => (line, "\n"),
        None => (result, ""),
    };
    if let Some(inner) = line.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')) {
        return Ok(format!("{inner}{end}"));
    }
    let kind = if is_go_float(line) {
        "a number"
    } else if parse_bool(line).is_ok() {
        "a boolean"
    } else if serde_json::from_str::<serde::de::IgnoredAny>(line).is_ok() {
        "JSON"
    } else {
        return Ok(result.to_owned());
    };
    Err(ExpressionError::failed(format!(
        "the result is {kind} and not a string; quote(…) makes it one"
    )))
}

/// Whether Go reads a text as a float: in decimal or hexadecimal, or as one of the words for what is no number.
fn is_go_float(text: &str) -> bool {
    let unsigned = text.strip_prefix(['+', '-']).unwrap_or(text);
    let word = unsigned.to_ascii_lowercase();
    if ["inf", "infinity", "nan"].contains(&word.as_str()) {
        return word != "nan" || unsigned.len() == text.len();
    }
    if let Some(digits) = word.strip_prefix("0x") {
        let (mantissa, exponent) = digits.split_once('p').unwrap_or((digits, ""));
        let exponent = exponent.strip_prefix(['+', '-']).unwrap_or(exponent);
        let is_hex = |c: char| c.is_ascii_hexdigit() || c == '.';
        return mantissa.chars().all(is_hex)
            && mantissa.matches('.').count() < 2
            && mantissa.chars().any(|c| c.is_ascii_hexdigit())
            && !exponent.is_empty()
            && exponent.chars().all(|c| c.is_ascii_digit());
    }
    // Go refuses what is too large for a float.
    let has_digit = unsigned.starts_with(|first: char| first.is_ascii_digit() || first == '.');
    // Digits may be set apart by single underscores.
    let digits: Vec<&str> = text.split('_').collect();
    let is_apart = |pair: &[&str]| match pair {
        [left, right] => {
            left.ends_with(|c: char| c.is_ascii_digit()) && right.starts_with(|c: char| c.is_ascii_digit())
        }
        _ => false,
    };
    has_digit && digits.windows(2).all(is_apart) && digits.concat().parse::<f64>().is_ok_and(f64::is_finite)
}

/// Calls one of [`FUNCTIONS`]; `None` for other names.
pub fn call(name: &str, arguments: &[Value], budget: &mut Budget) -> Option<Result<Value, ExpressionError>> {
    let [value] = arguments else {
        return FUNCTIONS
            .contains(&name)
            .then(|| Err(ExpressionError::failed(format!("{name} takes one argument"))));
    };
    let made = match (name, value) {
        ("quote", Value::Text(text)) => budget.write(text.len().saturating_mul(4)).map(|()| quote(text)),
        ("quote" | "unsafeQuote", other) => json(other, None, budget).map(|json| format!("\"{json}\"")),
        ("asYAML", value) => yaml(value, budget).map(|yaml| format!("\"{yaml}\"")),
        ("asJSON", value) => json(value, Some("  "), budget).map(|json| format!("\"{json}\n\"")),
        _ => return None,
    };
    Some(made.map(Value::text))
}
