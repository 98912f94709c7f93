//! The data of a template: values as Go has them, each with its type, because errors, comparisons and `%T` tell it.

use std::cmp::Ordering;
use std::collections::BTreeMap;
use std::fmt::{self, Display, Formatter};
use std::ops::Range;
use std::sync::Arc;

/// A type of Go.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Type {
    /// `bool`
    Bool,
    /// `int`
    Int,
    /// `uint8`, which is what one place of a text holds.
    Byte,
    /// `float64`
    Float,
    /// `string`
    Text,
    /// A slice of this type.
    List(Arc<Type>),
    /// A map from `string` to this type.
    Map(Arc<Type>),
    /// A struct.
    Struct(Arc<StructType>),
}

/// A struct of Go: its name, and its fields in their order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StructType {
    /// The name with its package, as errors show it.
    pub name: &'static str,
    /// The fields.
    pub fields: Vec<(&'static str, Type)>,
}

/// A value that a template can be given, or make.
#[derive(Clone, Debug)]
pub enum Value {
    /// What has no type: `nil`, and what a map does not have.
    Nil,
    /// A truth value.
    Bool(bool),
    /// A whole number.
    Int(i64),
    /// A place of a text.
    Byte(u8),
    /// A number.
    Float(f64),
    /// A text. Go's are bytes.
    Text(Arc<[u8]>),
    /// A list, or a part of one.
    List(List),
    /// A map.
    Map(Arc<Map>),
    /// A struct.
    Struct(Arc<Struct>),
}

/// A view of a list.
#[derive(Clone, Debug)]
pub struct List {
    pub(super) element: Type,
    all: Arc<[Value]>,
    range: Range<usize>,
    /// Up to where the view could be made longer.
    end: usize,
}

/// A map from texts.
#[derive(Debug)]
pub struct Map {
    pub(super) element: Type,
    pub(super) entries: BTreeMap<Arc<[u8]>, Value>,
}

/// The values of a struct's fields.
#[derive(Debug)]
pub struct Struct {
    pub(super) of: Arc<StructType>,
    pub(super) values: Vec<Value>,
}

impl Value {
    /// A text.
    pub fn text(text: impl AsRef<[u8]>) -> Self {
        Self::Text(text.as_ref().into())
    }

    /// A list of values that have this type.
    pub fn list(element: Type, values: impl IntoIterator<Item = Value>) -> Self {
        let all: Arc<[Value]> = values.into_iter().collect();
        let end = all.len();
        Self::List(List {
            element,
            all,
            range: 0..end,
            end,
        })
    }

    /// A map to values that have this type.
    pub fn map<K: AsRef<[u8]>>(element: Type, entries: impl IntoIterator<Item = (K, Value)>) -> Self {
        let entries = entries.into_iter().map(|(key, value)| (key.as_ref().into(), value));
        Self::Map(Arc::new(Map {
            element,
            entries: entries.collect(),
        }))
    }

    /// A struct with the values of its fields in their order; those that are missing are empty.
    pub fn structure(of: &Arc<StructType>, values: impl IntoIterator<Item = Value>) -> Self {
        let mut values = values.into_iter();
        let filled = |(_, field): &(&str, Type)| values.next().unwrap_or_else(|| field.zero());
        Self::Struct(Arc::new(Struct {
            of: Arc::clone(of),
            values: of.fields.iter().map(filled).collect(),
        }))
    }

    /// The type; nothing has none.
    pub(super) fn type_of(&self) -> Option<Type> {
        Some(match self {
            Self::Nil => return None,
            Self::Bool(_) => Type::Bool,
            Self::Int(_) => Type::Int,
            Self::Byte(_) => Type::Byte,
            Self::Float(_) => Type::Float,
            Self::Text(_) => Type::Text,
            Self::List(list) => Type::List(Arc::new(list.element.clone())),
            Self::Map(map) => Type::Map(Arc::new(map.element.clone())),
            Self::Struct(value) => Type::Struct(Arc::clone(&value.of)),
        })
    }

    /// The name of the type.
    pub(super) fn type_name(&self) -> String {
        self.type_of().map_or_else(|| "<nil>".to_owned(), |of| of.to_string())
    }

    /// Whether it counts as true: it is not empty, and not zero.
    pub(super) fn is_true(&self) -> bool {
        match self {
            Self::Nil => false,
            Self::Bool(value) => *value,
            Self::Int(value) => *value != 0,
            Self::Byte(value) => *value != 0,
            Self::Float(value) => *value != 0.0,
            Self::Text(text) => !text.is_empty(),
            Self::List(list) => !list.range.is_empty(),
            Self::Map(map) => !map.entries.is_empty(),
            Self::Struct(_) => true,
        }
    }

    /// Whether it equals `nil`.
    pub(super) fn is_nil(&self) -> bool {
        match self {
            Self::Nil => true,
            Self::List(list) => list.all.is_empty(),
            Self::Map(map) => map.entries.is_empty(),
            _ => false,
        }
    }

    /// Whether two values whose types can be compared are the same.
    pub(super) fn same(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Bool(one), Self::Bool(other)) => one == other,
            (Self::Int(one), Self::Int(other)) => one == other,
            (Self::Byte(one), Self::Byte(other)) => one == other,
            (Self::Float(one), Self::Float(other)) => one.partial_cmp(other) == Some(Ordering::Equal),
            (Self::Text(one), Self::Text(other)) => one == other,
            (Self::Struct(one), Self::Struct(other)) => {
                one.of == other.of && one.values.iter().zip(&other.values).all(|(one, other)| one.same(other))
            }
            _ => false,
        }
    }
}

impl Type {
    /// What stands where there is no value of this type.
    pub(super) fn zero(&self) -> Value {
        match self {
            Self::Bool => Value::Bool(false),
            Self::Int => Value::Int(0),
            Self::Byte => Value::Byte(0),
            Self::Float => Value::Float(0.0),
            Self::Text => Value::text(""),
            Self::List(element) => Value::list(Self::clone(element), []),
            Self::Map(element) => Value::map::<&str>(Self::clone(element), []),
            Self::Struct(of) => Value::structure(of, []),
        }
    }

    /// Whether two values of this type can be compared.
    pub(super) fn is_comparable(&self) -> bool {
        match self {
            Self::List(_) | Self::Map(_) => false,
            Self::Struct(of) => of.fields.iter().all(|(_, field)| field.is_comparable()),
            Self::Bool | Self::Int | Self::Byte | Self::Float | Self::Text => true,
        }
    }
}

impl Display for Type {
    fn fmt(&self, out: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Self::Bool => out.write_str("bool"),
            Self::Int => out.write_str("int"),
            Self::Byte => out.write_str("uint8"),
            Self::Float => out.write_str("float64"),
            Self::Text => out.write_str("string"),
            Self::List(element) => write!(out, "[]{element}"),
            Self::Map(element) => write!(out, "map[string]{element}"),
            Self::Struct(of) => out.write_str(of.name),
        }
    }
}

impl List {
    pub(super) fn values(&self) -> &[Value] {
        &self.all[self.range.clone()]
    }

    /// How long the view could be made.
    pub(super) fn capacity(&self) -> usize {
        self.end - self.range.start
    }

    /// A view of this view's values, from and to places that are in order and within its capacity.
    pub(super) fn view(&self, from: usize, to: usize, capacity: usize) -> Self {
        let start = self.range.start;
        Self {
            element: self.element.clone(),
            all: Arc::clone(&self.all),
            range: start + from..start + to,
            end: start + capacity,
        }
    }
}

impl Struct {
    /// The value of the field of this name.
    pub(super) fn field(&self, name: &str) -> Option<&Value> {
        let index = self.of.fields.iter().position(|(field, _)| *field == name)?;
        self.values.get(index)
    }
}
