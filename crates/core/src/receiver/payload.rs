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
    let value = parse_any(body)?;
    Object::root(&value)?;
    Ok(value)
}

/// Parses a whole body of a sender that also posts lists.
pub(super) fn parse_any(body: &[u8]) -> Result<Value, Malformed> {
    serde_json::from_slice(body).map_err(|error| Malformed::Payload(error.to_string()))
}

/// The objects of a body that is a list of them, each to be read by itself.
pub(super) fn items(list: &[Value]) -> impl Iterator<Item = Result<Object<'_>, Malformed>> {
    list.iter().enumerate().map(|(index, item)| match item {
        Value::Object(fields) => Ok(Object {
            fields,
            place: format!("[{index}]"),
        }),
        other => Err(Malformed::Payload(format!(
            "[{index}] must be an object, not {}",
            kind(other)
        ))),
    })
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

    /// A text field where whatever else it may be counts as absent: the fields of data that nobody has specified.
    pub(super) fn text_if_any(&self, name: &str) -> &'a str {
        self.field(name).and_then(Value::as_str).unwrap_or_default()
    }

    /// A list of texts, `null` being an empty one as with Go; empty where it is absent or `null`.
    pub(super) fn texts(&self, name: &str) -> Result<Vec<&'a str>, Malformed> {
        let items = match self.field(name) {
            None => return Ok(Vec::new()),
            Some(Value::Array(items)) => items,
            Some(other) => return Err(self.wrong(name, "a list", other)),
        };
        let text = |(index, item): (usize, &'a Value)| match item {
            Value::Null => Ok(""),
            Value::String(text) => Ok(text.as_str()),
            other => Err(Malformed::Payload(format!(
                "{}[{index}] must be a string, not {}",
                self.place_of(name),
                kind(other)
            ))),
        };
        items.iter().enumerate().map(text).collect()
    }

    /// A whole number; `None` where it is absent or `null`.
    pub(super) fn integer(&self, name: &str) -> Result<Option<i64>, Malformed> {
        match self.field(name) {
            None => Ok(None),
            Some(value) => value
                .as_i64()
                .map(Some)
                .ok_or_else(|| self.wrong(name, "a whole number", value)),
        }
    }

    /// Whether the field says `true`; one that is absent or `null` does not.
    pub(super) fn flag(&self, name: &str) -> Result<bool, Malformed> {
        match self.field(name) {
            None => Ok(false),
            Some(Value::Bool(flag)) => Ok(*flag),
            Some(other) => Err(self.wrong(name, "true or false", other)),
        }
    }

    /// How many items a list field has, `null`s among them counted.
    pub(super) fn count(&self, name: &str) -> usize {
        self.field(name).and_then(Value::as_array).map_or(0, Vec::len)
    }

    /// Whether the field is there and not `null`.
    pub(super) fn has(&self, name: &str) -> bool {
        self.field(name).is_some()
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
