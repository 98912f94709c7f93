//! The values that expressions work on: shared, immutable, and never nested so deeply that dropping one could fail. It must
//! not know the language.

use crate::go::surrogates::repaired;
use std::fmt;
use std::sync::Arc;

use serde::de::{Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};

use super::ExpressionError;

/// How deep lists and maps may nest. JSON that comes in nests less.
pub const MAX_DEPTH: u16 = 200;

/// A value. Cloning one is cheap.
#[derive(Clone, Default)]
pub enum Value {
    /// Nothing; also what a name means that nobody defined.
    #[default]
    Nil,
    /// True or false.
    Bool(bool),
    /// A whole number, which only expressions make: JSON has floats, as with Go.
    Int(i64),
    /// Any other number.
    Float(f64),
    /// A text.
    Text(Arc<str>),
    /// A list.
    List(Arc<List>),
    /// A map from texts.
    Map(Arc<Map>),
    /// A function of the environment, by its name.
    Function(&'static str),
}

/// The elements of a list.
pub struct List {
    items: Vec<Value>,
    depth: u16,
}

/// The entries of a map, by their keys.
pub struct Map {
    entries: Vec<(Arc<str>, Value)>,
    depth: u16,
}

impl Value {
    /// A text.
    pub fn text(text: impl Into<Arc<str>>) -> Self {
        Self::Text(text.into())
    }

    /// A list, unless it nests too deeply.
    pub fn list(items: Vec<Value>) -> Result<Self, ExpressionError> {
        let depth = nested(items.iter().map(Value::depth))?;
        Ok(Self::List(Arc::new(List { items, depth })))
    }

    /// A map, unless it nests too deeply. Of entries with the same key the last one counts.
    pub fn map(mut entries: Vec<(Arc<str>, Value)>) -> Result<Self, ExpressionError> {
        entries.sort_by(|(left, _), (right, _)| left.cmp(right));
        // Equal keys have kept their order, so each later one takes the place of the one before.
        entries.dedup_by(|later, kept| {
            let same = later.0 == kept.0;
            if same {
                std::mem::swap(&mut later.1, &mut kept.1);
            }
            same
        });
        let depth = nested(entries.iter().map(|(_, value)| value.depth()))?;
        Ok(Self::Map(Arc::new(Map { entries, depth })))
    }

    /// The value of a JSON text, numbers being floats. Half a character is the one that stands for none, as in Go.
    ///
    /// # Errors
    /// What is wrong with the text.
    pub fn from_json(json: &[u8]) -> Result<Self, serde_json::Error> {
        serde_json::from_slice(json).or_else(|error| {
            let repaired = std::str::from_utf8(json).ok().and_then(repaired);
            repaired.map_or(Err(error), |repaired| serde_json::from_str(&repaired))
        })
    }

    /// The text, where it is one.
    pub fn as_text(&self) -> Option<&str> {
        match self {
            Self::Text(text) => Some(text),
            _ => None,
        }
    }

    /// What it is, for messages, which never show a value.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Nil => "nil",
            Self::Bool(_) => "a boolean",
            Self::Int(_) => "a whole number",
            Self::Float(_) => "a number",
            Self::Text(_) => "a string",
            Self::List(_) => "a list",
            Self::Map(_) => "a map",
            Self::Function(_) => "a function",
        }
    }

    fn depth(&self) -> u16 {
        match self {
            Self::List(list) => list.depth,
            Self::Map(map) => map.depth,
            _ => 0,
        }
    }
}

fn nested(depths: impl Iterator<Item = u16>) -> Result<u16, ExpressionError> {
    let depth = depths.max().unwrap_or_default() + 1;
    if depth > MAX_DEPTH {
        return Err(ExpressionError::failed(format!(
            "lists and maps nest more than {MAX_DEPTH} deep"
        )));
    }
    Ok(depth)
}

impl List {
    /// The elements, in order.
    pub fn items(&self) -> &[Value] {
        &self.items
    }
}

impl Map {
    /// The value of a key.
    pub fn get(&self, key: &str) -> Option<&Value> {
        let found = self.entries.binary_search_by(|(known, _)| known.as_ref().cmp(key));
        found.ok().and_then(|at| self.entries.get(at)).map(|(_, value)| value)
    }

    /// The entries, in the order of their keys.
    pub fn entries(&self) -> &[(Arc<str>, Value)] {
        &self.entries
    }
}

/// Shows what it is, and not what is in it.
impl fmt::Debug for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.kind())
    }
}

impl<'de> Deserialize<'de> for Value {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Json)
    }
}

/// Reads JSON straight into values: a body may be large, so there is to be no second form of it.
struct Json;

impl<'de> Visitor<'de> for Json {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Nil)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(Value::Bool(value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(Value::Float(value as f64))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(Value::Float(value as f64))
    }

    fn visit_f64<E>(self, value: f64) -> Result<Value, E> {
        Ok(Value::Float(value))
    }

    fn visit_str<E>(self, value: &str) -> Result<Value, E> {
        Ok(Value::text(value))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut elements: A) -> Result<Value, A::Error> {
        let mut items = Vec::new();
        while let Some(item) = elements.next_element()? {
            items.push(item);
        }
        items.shrink_to_fit();
        Value::list(items).map_err(serde::de::Error::custom)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut fields: A) -> Result<Value, A::Error> {
        let mut entries = Vec::new();
        while let Some((key, value)) = fields.next_entry::<String, Value>()? {
            entries.push((Arc::from(key), value));
        }
        entries.shrink_to_fit();
        Value::map(entries).map_err(serde::de::Error::custom)
    }
}
