//! Reads JSON payloads as leniently as Go's decoder does and says where a value is wrong; it knows no sender.

mod value;

use std::borrow::Cow;

use super::Malformed;

pub use value::Value;

/// One JSON object of a payload, together with its place in it, for messages.
///
/// Senders' payloads are read as Go programs read them, because their users rely on it: field names in any case, `null`
/// as if absent, unknown fields ignored, and a wrong type an error.
#[derive(Clone, Debug)]
pub struct Object<'a> {
    fields: &'a [(Cow<'a, str>, Value<'a>)],
    place: Cow<'a, str>,
}

/// Parses a whole body. Nesting is bounded by `serde_json`'s limit of 128 levels.
pub fn parse(body: &[u8]) -> Result<Value<'_>, Malformed> {
    let value = parse_any(body)?;
    Object::root(&value)?;
    Ok(value)
}

/// Parses a whole body of a sender that also posts lists.
pub(super) fn parse_any(body: &[u8]) -> Result<Value<'_>, Malformed> {
    Value::parse(body).map_err(|error| Malformed::Payload(error.to_string()))
}

/// The objects of a body that is a list of them, each to be read by itself.
pub(super) fn items<'a>(list: &'a [Value<'a>]) -> impl Iterator<Item = Result<Object<'a>, Malformed>> {
    list.iter().enumerate().map(|(index, item)| match item {
        Value::Object(fields) => Ok(Object {
            fields,
            place: format!("[{index}]").into(),
        }),
        other => Err(Malformed::Payload(format!(
            "[{index}] must be an object, not {}",
            other.kind()
        ))),
    })
}

impl<'a> Object<'a> {
    /// The payload's outermost object.
    pub fn root(value: &'a Value<'a>) -> Result<Self, Malformed> {
        match value {
            Value::Object(fields) => Ok(Self {
                fields,
                place: Cow::Borrowed(""),
            }),
            other => Err(Malformed::Payload(format!(
                "the payload must be a JSON object, not {}",
                other.kind()
            ))),
        }
    }

    /// An object without fields, in place of one that may be missing.
    pub(super) fn empty() -> Self {
        Self {
            fields: &[],
            place: Cow::Borrowed(""),
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
        let text = |(index, item): (usize, &'a Value<'a>)| match item {
            Value::Null => Ok(""),
            Value::String(text) => Ok(&**text),
            other => Err(Malformed::Payload(format!(
                "{}[{index}] must be a string, not {}",
                self.place_of(name),
                other.kind()
            ))),
        };
        items.iter().enumerate().map(text).collect()
    }

    /// A whole number; `None` where it is absent or `null`.
    pub(super) fn integer(&self, name: &str) -> Result<Option<i64>, Malformed> {
        match self.field(name) {
            None => Ok(None),
            Some(Value::Integer(number)) => Ok(Some(*number)),
            Some(other) => Err(self.wrong(name, "a whole number", other)),
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
        match self.field(name) {
            Some(Value::Array(items)) => items.len(),
            _ => 0,
        }
    }

    /// Whether the field is there and not `null`.
    pub(super) fn has(&self, name: &str) -> bool {
        self.field(name).is_some()
    }

    /// An object field; `None` where it is absent or `null`.
    pub fn object(&self, name: &'a str) -> Result<Option<Object<'a>>, Malformed> {
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
            let place = format!("{}[{index}]", self.place_of(name)).into();
            match item {
                Value::Null => {}
                Value::Object(fields) => objects.push(Object { fields, place }),
                other => {
                    return Err(Malformed::Payload(format!(
                        "{place} must be an object, not {}",
                        other.kind()
                    )));
                }
            }
        }
        Ok(objects)
    }

    /// A field, by its exact name or else by its name in another case; `null` counts as absent. Of several with one name the
    /// last counts, and of several cases the one that sorts first.
    fn field(&self, name: &str) -> Option<&'a Value<'a>> {
        let last_first = || self.fields.iter().rev();
        let exact = last_first().find(|(given, _)| given == name);
        let in_another_case = || {
            last_first()
                .filter(|(given, _)| given.eq_ignore_ascii_case(name))
                .min_by(|(one, _), (other, _)| one.cmp(other))
        };
        let (_, value) = exact.or_else(in_another_case)?;
        Some(value).filter(|value| !matches!(value, Value::Null))
    }

    fn place_of<'b>(&self, name: &'b str) -> Cow<'b, str> {
        if self.place.is_empty() {
            name.into()
        } else {
            format!("{}.{name}", self.place).into()
        }
    }

    fn wrong(&self, name: &str, expected: &str, found: &Value<'_>) -> Malformed {
        Malformed::Payload(format!(
            "{} must be {expected}, not {}",
            self.place_of(name),
            found.kind()
        ))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_are_found_as_leniently_as_go_finds_them() {
        for (body, expected) in [
            (r#"{"tag":"a"}"#, "a"),
            (r#"{"TAG":"a"}"#, "a"),
            (r#"{"Tag":"a","tag":"b"}"#, "b"),
            (r#"{"tag":"a","tag":"b"}"#, "b"),
            (r#"{"tag":"a","tag":null}"#, ""),
            (r#"{"Tag":"a","tag":null}"#, ""),
            (r#"{"Tag":"a","TAG":"b","Tag":"c"}"#, "b"),
            (r#"{"taG":"a","Tag":"b","Tag":"c"}"#, "c"),
            (r#"{"tag ":"a"}"#, ""),
            (r#"{"t\u0061g":"a\u0062"}"#, "ab"),
            ("{}", ""),
        ] {
            let payload = parse(body.as_bytes()).unwrap();
            assert_eq!(Object::root(&payload).unwrap().text("tag"), Ok(expected), "{body}");
        }
    }

    #[test]
    fn what_is_wrong_is_told_with_its_place() {
        let body = r#"{"a":{"b":{"c":1,"l":[{},{"n":1.5},null,"x"]}},"s":[null,"x",true]}"#;
        let payload = parse(body.as_bytes()).unwrap();
        let root = Object::root(&payload).unwrap();
        let b = root.object("a").unwrap().unwrap().object("b").unwrap().unwrap();
        let n = payload_list();
        let n = Object::root(&n).unwrap().objects("l").unwrap();
        for (told, expected) in [
            (root.text("a").err(), "a must be a string, not an object"),
            (b.text("c").err(), "a.b.c must be a string, not a number"),
            (b.object("l").err(), "a.b.l must be an object, not a list"),
            (b.objects("l").err(), "a.b.l[3] must be an object, not a string"),
            (root.texts("s").err(), "s[2] must be a string, not a boolean"),
            (n[1].integer("n").err(), "l[1].n must be a whole number, not a number"),
            (parse(b"[1]").err(), "the payload must be a JSON object, not a list"),
        ] {
            assert_eq!(told, Some(Malformed::Payload(expected.to_owned())));
        }
    }

    fn payload_list() -> Value<'static> {
        parse(br#"{"l":[{},{"n":1.5}]}"#).unwrap()
    }
}
