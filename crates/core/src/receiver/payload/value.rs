//! JSON whose texts stay in the body that they were read from, because most of a payload is never looked at. What is no JSON is
//! told in `serde_json`'s words, and its limit of 128 levels holds; it must not know what fields mean.

use std::borrow::Cow;
use std::fmt;

use serde::de::{Deserialize, Deserializer, Error, MapAccess, SeqAccess, Visitor};

use crate::go::surrogates::repaired;

/// Any JSON value of a body.
#[derive(Clone, Debug, PartialEq)]
pub enum Value<'a> {
    /// `null`.
    Null,
    /// `true` or `false`.
    Bool(bool),
    /// A number that is a whole one within 64 bits.
    Integer(i64),
    /// Any other number; nobody asks which.
    Number,
    /// A text, which is a piece of the body unless it has escapes.
    String(Cow<'a, str>),
    /// A list.
    Array(Vec<Value<'a>>),
    /// An object's fields as they stand there, repetitions included.
    Object(Vec<(Cow<'a, str>, Value<'a>)>),
}

impl<'a> Value<'a> {
    /// Parses a whole body.
    pub(super) fn parse(body: &'a [u8]) -> serde_json::Result<Self> {
        // To check the encoding once is cheaper than text by text. Where it is broken, the parser says where.
        let Ok(text) = std::str::from_utf8(body) else {
            return serde_json::from_slice(body);
        };
        serde_json::from_str(text).or_else(|error| match repaired(text) {
            Some(text) => serde_json::from_str(&text).map(Value::into_owned),
            None => Err(error),
        })
    }

    /// The same value with texts of its own.
    fn into_owned<'b>(self) -> Value<'b> {
        let owned = |text: Cow<'_, str>| Cow::Owned(text.into_owned());
        match self {
            Value::Null => Value::Null,
            Value::Bool(flag) => Value::Bool(flag),
            Value::Integer(number) => Value::Integer(number),
            Value::Number => Value::Number,
            Value::String(text) => Value::String(owned(text)),
            Value::Array(items) => Value::Array(items.into_iter().map(Value::into_owned).collect()),
            Value::Object(fields) => {
                let fields = fields.into_iter();
                Value::Object(fields.map(|(name, value)| (owned(name), value.into_owned())).collect())
            }
        }
    }

    /// The text, if it is one.
    pub(super) fn as_str(&self) -> Option<&str> {
        match self {
            Self::String(text) => Some(text),
            _ => None,
        }
    }

    /// What it is, for messages.
    pub(super) fn kind(&self) -> &'static str {
        match self {
            Self::Null => "null",
            Self::Bool(_) => "a boolean",
            Self::Integer(_) | Self::Number => "a number",
            Self::String(_) => "a string",
            Self::Array(_) => "a list",
            Self::Object(_) => "an object",
        }
    }
}

impl<'de> Deserialize<'de> for Value<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Anything)
    }
}

struct Anything;

impl<'de> Visitor<'de> for Anything {
    type Value = Value<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("any valid JSON value")
    }

    fn visit_unit<E: Error>(self) -> Result<Self::Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E: Error>(self, flag: bool) -> Result<Self::Value, E> {
        Ok(Value::Bool(flag))
    }

    fn visit_i64<E: Error>(self, number: i64) -> Result<Self::Value, E> {
        Ok(Value::Integer(number))
    }

    fn visit_u64<E: Error>(self, number: u64) -> Result<Self::Value, E> {
        Ok(i64::try_from(number).map_or(Value::Number, Value::Integer))
    }

    fn visit_f64<E: Error>(self, _: f64) -> Result<Self::Value, E> {
        Ok(Value::Number)
    }

    fn visit_borrowed_str<E: Error>(self, text: &'de str) -> Result<Self::Value, E> {
        Ok(Value::String(Cow::Borrowed(text)))
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Self::Value, E> {
        Ok(Value::String(Cow::Owned(text.to_owned())))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Self::Value, A::Error> {
        let mut items = Vec::new();
        while let Some(item) = list.next_element()? {
            items.push(item);
        }
        Ok(Value::Array(items))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut object: A) -> Result<Self::Value, A::Error> {
        let mut fields = Vec::new();
        while let Some((Name(name), value)) = object.next_entry()? {
            fields.push((name, value));
        }
        Ok(Value::Object(fields))
    }
}

/// A field's name. What serde has for it copies every text.
struct Name<'a>(Cow<'a, str>);

impl<'de> Deserialize<'de> for Name<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_str(AnyName).map(Name)
    }
}

struct AnyName;

impl<'de> Visitor<'de> for AnyName {
    type Value = Cow<'de, str>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a string key")
    }

    fn visit_borrowed_str<E: Error>(self, text: &'de str) -> Result<Self::Value, E> {
        Ok(Cow::Borrowed(text))
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Self::Value, E> {
        Ok(Cow::Owned(text.to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(text: &str) -> Value<'_> {
        Value::String(text.into())
    }

    #[test]
    fn every_kind_of_value_is_read() {
        for (body, expected) in [
            ("null", Value::Null),
            (" true ", Value::Bool(true)),
            ("-9223372036854775808", Value::Integer(i64::MIN)),
            ("9223372036854775807", Value::Integer(i64::MAX)),
            ("9223372036854775808", Value::Number),
            ("123456789012345678901234567890", Value::Number),
            ("1.0", Value::Number),
            ("-0", Value::Number),
            (r#""é\u00e9\n""#, text("éé\n")),
            ("[]", Value::Array(Vec::new())),
            (
                r#"["a",[1]]"#,
                Value::Array(vec![text("a"), Value::Array(vec![Value::Integer(1)])]),
            ),
            ("{}", Value::Object(Vec::new())),
            (
                r#"{"a":1,"\u0061":null}"#,
                Value::Object(vec![("a".into(), Value::Integer(1)), ("a".into(), Value::Null)]),
            ),
        ] {
            assert_eq!(Value::parse(body.as_bytes()).unwrap(), expected, "{body}");
        }
    }

    #[test]
    fn texts_without_escapes_are_pieces_of_the_body() {
        let value = Value::parse(br#"{"plain":"text","esc\u0061ped":"t\u0065xt"}"#).unwrap();
        let Value::Object(fields) = value else {
            panic!("{value:?}")
        };
        let borrowed = fields.iter().map(|(name, value)| {
            let is_borrowed = |text: &Cow<'_, str>| matches!(text, Cow::Borrowed(_));
            (
                is_borrowed(name),
                matches!(value, Value::String(text) if is_borrowed(text)),
            )
        });
        assert_eq!(borrowed.collect::<Vec<_>>(), [(true, true), (false, false)]);
    }

    /// Senders' logs show these words, and they are those of `serde_json`'s own values.
    #[test]
    fn half_a_character_spoils_no_payload() {
        let body = br#"{"a": ["\ud83d cut"], "n\udc80": 7, "b": true, "c": null, "d": 1.5}"#;
        let expected =
            serde_json::json!({ "a": ["\u{fffd} cut"], "n\u{fffd}": 7, "b": true, "c": null, "d": 1.5 }).to_string();
        let expected = Value::parse(expected.as_bytes()).unwrap();
        let (Value::Object(mut fields), Value::Object(mut others)) = (Value::parse(body).unwrap(), expected) else {
            panic!("no object")
        };
        let by_name = |one: &(Cow<'_, str>, Value<'_>), other: &(Cow<'_, str>, Value<'_>)| one.0.cmp(&other.0);
        fields.sort_by(by_name);
        others.sort_by(by_name);
        assert_eq!(fields, others);
        // What is wrong elsewhere is told all the same.
        assert!(Value::parse(br#"{"a": "\ud83d", }"#).is_err());
    }

    #[test]
    fn what_is_no_json_is_told_as_before() {
        let nested = |levels| [vec![b'['; levels], vec![b']'; levels]].concat();
        for (body, is_readable) in [
            (b"".to_vec(), false),
            (b"{".to_vec(), false),
            (b"[1,]".to_vec(), false),
            (b"{\"a\":1,}".to_vec(), false),
            (b"{a:1}".to_vec(), false),
            (b"{1:1}".to_vec(), false),
            (b"{}{}".to_vec(), false),
            (b"nul".to_vec(), false),
            (b"01".to_vec(), false),
            (b"1e999".to_vec(), false),
            (b"\"\\x\"".to_vec(), false),
            (b"\"a\nb\"".to_vec(), false),
            (b"\"\xff\"".to_vec(), false),
            (b"{\"\xff\":1}".to_vec(), false),
            (b"{}\xff".to_vec(), false),
            (nested(127), true),
            (nested(128), false),
        ] {
            let told = Value::parse(&body).err().map(|error| error.to_string());
            let before = serde_json::from_slice::<serde_json::Value>(&body).err();
            let before = before.map(|error| error.to_string());
            let body = String::from_utf8_lossy(&body);
            assert_eq!((told.is_none(), &told), (is_readable, &before), "{body}");
        }
    }
}
