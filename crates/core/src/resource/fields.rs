//! Reads the fields of a JSON object by name, and remembers which were asked for, so that the rest can be warned of; it must
//! not know any resource.
//!
//! No message here shows a value: what is read may be a `Secret`.

use std::collections::BTreeMap;
use std::fmt;

use serde_json::{Map, Value};

use super::path::FieldPath;
pub(super) use super::path::Place;

/// Something about a resource that does not stop it from being used: an unknown field, a part that cannot be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Warning {
    /// The field that it is about.
    pub path: FieldPath,
    /// What is wrong with it, as a clause that follows the path.
    pub problem: String,
}

impl fmt::Display for Warning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.path, self.problem)
    }
}

/// A field that is missing, of a wrong type or out of its range.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{path} {problem}")]
pub struct FieldError {
    /// The field that it is about.
    pub path: FieldPath,
    /// What is wrong with it, as a clause that follows the path. Never the value.
    pub problem: String,
}

impl FieldError {
    /// The same statement as a warning.
    pub(super) fn into_warning(self) -> Warning {
        Warning {
            path: self.path,
            problem: self.problem,
        }
    }
}

impl Place<'_> {
    pub(super) fn error(&self, problem: impl Into<String>) -> FieldError {
        FieldError {
            path: self.path(),
            problem: problem.into(),
        }
    }

    /// This value as text.
    pub(super) fn text(&self, value: &Value) -> Result<String, FieldError> {
        value
            .as_str()
            .map(str::to_owned)
            .ok_or_else(|| self.wrong_type("text", value))
    }

    /// This list as texts; an empty or missing item is an error, since it hides a mistake.
    fn texts(&self, items: &[Value]) -> Result<Vec<String>, FieldError> {
        items
            .iter()
            .enumerate()
            .map(|(index, item)| self.index(index).text(item))
            .collect()
    }

    fn wrong_type(&self, expected: &str, found: &Value) -> FieldError {
        let hint = match (expected, found) {
            ("text", Value::Bool(_) | Value::Number(_)) => " (put it in quotes)",
            _ => "",
        };
        self.error(format!("must be {expected}, not {}{hint}", type_name(found)))
    }
}

fn type_name(value: &Value) -> &'static str {
    match value {
        Value::Null => "empty",
        Value::Bool(_) => "true or false",
        Value::Number(_) => "a number",
        Value::String(_) => "text",
        Value::Array(_) => "a list",
        Value::Object(_) => "an object",
    }
}

/// The fields of one object. `null` counts as absent, as it does for the API server.
#[derive(Debug)]
pub(super) struct Fields<'a> {
    object: &'a Map<String, Value>,
    place: &'a Place<'a>,
    known: Vec<&'static str>,
}

impl<'a> Fields<'a> {
    pub(super) fn of(value: &'a Value, place: &'a Place<'a>) -> Result<Self, FieldError> {
        let object = value.as_object().ok_or_else(|| place.wrong_type("an object", value))?;
        Ok(Self {
            object,
            place,
            known: Vec::with_capacity(16),
        })
    }

    /// Where this object is.
    pub(super) fn place(&self) -> &'a Place<'a> {
        self.place
    }

    /// The value of a field, where there is one.
    pub(super) fn value(&mut self, key: &'static str) -> Option<&'a Value> {
        self.known.push(key);
        self.object.get(key).filter(|value| !value.is_null())
    }

    /// Fields that are in order and of no interest here.
    pub(super) fn ignore(&mut self, keys: &[&'static str]) {
        self.known.extend_from_slice(keys);
    }

    pub(super) fn error(&self, key: &str, problem: impl Into<String>) -> FieldError {
        self.place.key(key).error(problem)
    }

    pub(super) fn optional_text(&mut self, key: &'static str) -> Result<Option<String>, FieldError> {
        self.value(key).map(|value| self.place.key(key).text(value)).transpose()
    }

    /// Text that is empty where the field is absent.
    pub(super) fn text(&mut self, key: &'static str) -> Result<String, FieldError> {
        Ok(self.optional_text(key)?.unwrap_or_default())
    }

    /// Text for which `default` stands where the field is absent or empty.
    pub(super) fn text_or(&mut self, key: &'static str, default: &str) -> Result<String, FieldError> {
        let text = self.text(key)?;
        Ok(if text.is_empty() { default.to_owned() } else { text })
    }

    /// Text that must be there, and not be empty.
    pub(super) fn required_text(&mut self, key: &'static str) -> Result<String, FieldError> {
        let text = self.text(key)?;
        if text.is_empty() {
            Err(self.error(key, "is missing"))
        } else {
            Ok(text)
        }
    }

    pub(super) fn flag(&mut self, key: &'static str) -> Result<Option<bool>, FieldError> {
        let Some(value) = self.value(key) else { return Ok(None) };
        value
            .as_bool()
            .map(Some)
            .ok_or_else(|| self.place.key(key).wrong_type("true or false", value))
    }

    pub(super) fn integer(&mut self, key: &'static str) -> Result<Option<i64>, FieldError> {
        let Some(value) = self.value(key) else { return Ok(None) };
        value.as_i64().map(Some).ok_or_else(|| match value {
            Value::Number(_) => self.error(key, "must be a whole number within 64 bits"),
            other => self.place.key(key).wrong_type("a whole number", other),
        })
    }

    /// A list; empty where the field is absent.
    pub(super) fn list(&mut self, key: &'static str) -> Result<&'a [Value], FieldError> {
        match self.value(key) {
            None => Ok(&[]),
            Some(Value::Array(items)) => Ok(items),
            Some(other) => Err(self.place.key(key).wrong_type("a list", other)),
        }
    }

    /// A list of texts; empty where the field is absent.
    pub(super) fn texts(&mut self, key: &'static str) -> Result<Vec<String>, FieldError> {
        let items = self.list(key)?;
        self.place.key(key).texts(items)
    }

    /// The entries of an object, in the order of their keys; empty where the field is absent.
    pub(super) fn entries(&mut self, key: &'static str) -> Result<BTreeMap<&'a str, &'a Value>, FieldError> {
        match self.value(key) {
            None => Ok(BTreeMap::new()),
            Some(Value::Object(object)) => Ok(object.iter().map(|(key, value)| (key.as_str(), value)).collect()),
            Some(other) => Err(self.place.key(key).wrong_type("an object", other)),
        }
    }

    /// An object whose values are text; empty where the field is absent, and a `null` value is empty text.
    pub(super) fn text_map(&mut self, key: &'static str) -> Result<BTreeMap<String, String>, FieldError> {
        let place = self.place.key(key);
        let mut texts = BTreeMap::new();
        for (name, value) in self.entries(key)? {
            let text = if value.is_null() {
                String::new()
            } else {
                place.key(name).text(value)?
            };
            texts.insert(name.to_owned(), text);
        }
        Ok(texts)
    }

    /// The keys that nobody asked for and that are not `null`, in their order.
    pub(super) fn unasked(&self) -> impl Iterator<Item = (&'a str, &'a Value)> + '_ {
        let entries = self.object.iter().map(|(key, value)| (key.as_str(), value));
        entries.filter(|(key, value)| !value.is_null() && !self.known.contains(key))
    }

    /// Ends the reading: what nobody asked for is unknown, and worth a warning since it may be a misspelling.
    pub(super) fn finish(self, warnings: &mut Vec<Warning>) {
        for (key, _) in self.unasked() {
            warnings.push(self.error(key, "is not a known field").into_warning());
        }
    }
}
