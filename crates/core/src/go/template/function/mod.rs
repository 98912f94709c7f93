//! The functions that are built into Go's templates: their names, what they take, and which file has their answers.

mod compare;
mod escape;
mod index;

use super::budget::Budget;
use super::print;
use super::value::Value;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Function {
    And,
    Call,
    Eq,
    Ge,
    Gt,
    Html,
    Index,
    Js,
    Le,
    Len,
    Lt,
    Ne,
    Not,
    Or,
    Print,
    Printf,
    Println,
    Slice,
    UrlQuery,
}

/// What a parameter accepts.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Parameter {
    Any,
    Text,
}

/// How many arguments a function takes.
enum Takes {
    Exactly(usize),
    AtLeast(usize),
}

impl Function {
    const ALL: [Self; 19] = [
        Self::And,
        Self::Call,
        Self::Eq,
        Self::Ge,
        Self::Gt,
        Self::Html,
        Self::Index,
        Self::Js,
        Self::Le,
        Self::Len,
        Self::Lt,
        Self::Ne,
        Self::Not,
        Self::Or,
        Self::Print,
        Self::Printf,
        Self::Println,
        Self::Slice,
        Self::UrlQuery,
    ];

    pub(super) fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|function| function.name() == name)
    }

    pub(super) fn name(self) -> &'static str {
        match self {
            Self::And => "and",
            Self::Call => "call",
            Self::Eq => "eq",
            Self::Ge => "ge",
            Self::Gt => "gt",
            Self::Html => "html",
            Self::Index => "index",
            Self::Js => "js",
            Self::Le => "le",
            Self::Len => "len",
            Self::Lt => "lt",
            Self::Ne => "ne",
            Self::Not => "not",
            Self::Or => "or",
            Self::Print => "print",
            Self::Printf => "printf",
            Self::Println => "println",
            Self::Slice => "slice",
            Self::UrlQuery => "urlquery",
        }
    }

    fn arity(self) -> Takes {
        match self {
            Self::Len | Self::Not => Takes::Exactly(1),
            Self::Ge | Self::Gt | Self::Le | Self::Lt | Self::Ne => Takes::Exactly(2),
            Self::Html | Self::Js | Self::UrlQuery | Self::Print | Self::Println => Takes::AtLeast(0),
            Self::And | Self::Call | Self::Eq | Self::Index | Self::Or | Self::Printf | Self::Slice => {
                Takes::AtLeast(1)
            }
        }
    }

    /// Whether it takes so many arguments; `written` of them do not come out of the pipeline.
    pub(super) fn takes(self, written: usize, count: usize) -> Result<(), String> {
        let name = self.name();
        match self.arity() {
            Takes::Exactly(wanted) if count != wanted => {
                Err(format!("wrong number of args for {name}: want {wanted} got {count}"))
            }
            Takes::AtLeast(wanted) if count < wanted => Err(format!(
                "wrong number of args for {name}: want at least {wanted} got {written}"
            )),
            Takes::Exactly(_) | Takes::AtLeast(_) => Ok(()),
        }
    }

    pub(super) fn parameter(self, index: usize) -> Parameter {
        match (self, index) {
            (Self::Printf, 0) => Parameter::Text,
            _ => Parameter::Any,
        }
    }

    /// The truth of the argument that answers for all, where one does.
    pub(super) fn ends_with(self) -> Option<bool> {
        match self {
            Self::And => Some(false),
            Self::Or => Some(true),
            _ => None,
        }
    }

    /// The answer, or why there is none. `callee` is the first argument as it is written.
    pub(super) fn call(
        self,
        callee: Option<String>,
        arguments: &[Value],
        budget: &mut Budget,
    ) -> Result<Value, String> {
        let room = budget.room();
        // What has been counted when the function was found.
        let first = arguments.first().unwrap_or(&Value::Nil);
        let text = match self {
            Self::Not => return Ok(Value::Bool(!first.is_true())),
            Self::Call => return Err(not_callable(callee, first)),
            Self::Eq | Self::Ge | Self::Gt | Self::Le | Self::Lt | Self::Ne => {
                return compare::compare(self, first, arguments.get(1..).unwrap_or_default(), budget);
            }
            Self::And | Self::Or => return Ok(arguments.last().cloned().unwrap_or(Value::Nil)),
            Self::Index => return index::index(first, &arguments[1..]),
            Self::Len => return index::length(first),
            Self::Slice => index::slice(first, &arguments[1..])?,
            Self::Print => Value::text(print::print(arguments, room)?),
            Self::Println => Value::text(print::println(arguments, room)?),
            Self::Printf => Value::text(print::printf(arguments, room)?),
            Self::Html => Value::text(escape::html(&escape::plain(arguments, room)?)),
            Self::Js => Value::text(escape::js(&escape::plain(arguments, room)?)),
            Self::UrlQuery => Value::text(escape::url_query(&escape::plain(arguments, room)?)),
        };
        if let Value::Text(text) = &text {
            budget.spend(text.len())?;
        }
        Ok(text)
    }
}

/// No value here is a function.
fn not_callable(callee: Option<String>, value: &Value) -> String {
    let callee = callee.unwrap_or_else(|| match value {
        Value::Text(text) => String::from_utf8_lossy(text).into_owned(),
        value => format!("<{} Value>", value.type_name()),
    });
    match value {
        Value::Nil => "call of nil".to_owned(),
        value => format!("non-function {callee} of type {}", value.type_name()),
    }
}
