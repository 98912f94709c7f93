//! Reads JSON payloads as leniently as Go's decoder does and says where a value is wrong; it knows no sender.

use serde_json::Value;

use super::Malformed;

/// One JSON object of a payload, together with its place in it, for messages.
///
/// Senders' payloads are read as Go programs read them, because their users rely on it: field names in any case, `null`
/// as if absent, unknown fields ignored, and a wrong type an error.
#[derive(Clone, Debug)]
pub struct Object<'a> {
    fields: &'a serde_json::Map<String, Value>,
    place: String,
}

/// Parses a whole body. Nesting is bounded by `serde_json`'s limit of 128 levels.
pub fn parse(body: &[u8]) -> Result<Value, Malformed> {
    let value: Value = serde_json::from_slice(body).map_err(|error| Malformed::Payload(error.to_string()))?;
    match value {
        Value::Object(_) => Ok(value),
        other => Err(Malformed::Payload(format!(
            "the payload must be a JSON object, not {}",
            kind(&other)
        ))),
    }
}

impl<'a> Object<'a> {
    /// The payload's outermost object.
    pub fn root(value: &'a Value) -> Result<Self, Malformed> {
        match value {
            Value::Object(fields) => Ok(Self {
                fields,
                place: String::new(),
            }),
            other => Err(Malformed::Payload(format!(
                "the payload must be a JSON object, not {}",
                kind(other)
            ))),
        }
    }

    /// A text field; empty where it is absent or `null`.
    pub fn text(&self, name: &str) -> Result<&'a str, Malformed> {
        match self.field(name) {
            None => Ok(""),
            Some(Value::String(text)) => Ok(text),
            Some(other) => Err(self.wrong(name, "a string", other)),
        }
    }

    /// An object field; `None` where it is absent or `null`.
    pub fn object(&self, name: &str) -> Result<Option<Object<'a>>, Malformed> {
        match self.field(name) {
            None => Ok(None),
            Some(Value::Object(fields)) => Ok(Some(Object {
                fields,
                place: self.place_of(name),
            })),
            Some(other) => Err(self.wrong(name, "an object", other)),
        }
    }

    /// The objects of a list field, `null`s among them left out; empty where it is absent or `null`.
    pub fn objects(&self, name: &str) -> Result<Vec<Object<'a>>, Malformed> {
        let items = match self.field(name) {
            None => return Ok(Vec::new()),
            Some(Value::Array(items)) => items,
            Some(other) => return Err(self.wrong(name, "a list", other)),
        };
        let mut objects = Vec::with_capacity(items.len());
        for (index, item) in items.iter().enumerate() {
            let place = format!("{}[{index}]", self.place_of(name));
            match item {
                Value::Null => {}
                Value::Object(fields) => objects.push(Object { fields, place }),
                other => {
                    return Err(Malformed::Payload(format!(
                        "{place} must be an object, not {}",
                        kind(other)
                    )));
                }
            }
        }
        Ok(objects)
    }

    /// A field, by its exact name or else by its name in another case; `null` counts as absent.
    fn field(&self, name: &str) -> Option<&'a Value> {
        let exact = self.fields.get(name);
        exact
            .or_else(|| {
                self.fields
                    .iter()
                    .find(|(given, _)| given.eq_ignore_ascii_case(name))
                    .map(|(_, value)| value)
            })
            .filter(|value| !value.is_null())
    }

    fn place_of(&self, name: &str) -> String {
        if self.place.is_empty() {
            name.to_owned()
        } else {
            format!("{}.{name}", self.place)
        }
    }

    fn wrong(&self, name: &str, expected: &str, found: &Value) -> Malformed {
        Malformed::Payload(format!(
            "{} must be {expected}, not {}",
            self.place_of(name),
            kind(found)
        ))
    }
}

fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "a boolean",
        Value::Number(_) => "a number",
        Value::String(_) => "a string",
        Value::Array(_) => "a list",
        Value::Object(_) => "an object",
    }
}
