//! Evaluates what the parser made of a source: names, paths, conditions, and operators with what stands on both sides.

use std::sync::Arc;

use super::operator::{self, unfit};
use super::syntax::{Infix, Node, Pointer, Step, Unary};
use super::value::Value;
use super::{Budget, ExpressionError};

/// A function of the environment: its name, its arguments, and why it has no answer.
pub type Function<'a> = &'a dyn Fn(&'static str, &[Value], &mut Budget) -> Result<Value, ExpressionError>;

/// What an expression can name.
pub struct Environment<'a> {
    /// Values by name. A [`Value::Function`] among them is called by `call`.
    pub names: Vec<(&'static str, Value)>,
    /// Calls a function.
    pub call: Function<'a>,
}

/// The value of a node.
pub(super) fn evaluate(
    root: &Node,
    environment: &Environment<'_>,
    budget: &mut Budget,
) -> Result<Value, ExpressionError> {
    let mut evaluation = Evaluation {
        environment,
        budget,
        names: Vec::new(),
        elements: Vec::new(),
    };
    evaluation.value(root)
}

/// What is known while an expression is evaluated.
pub(super) struct Evaluation<'a> {
    environment: &'a Environment<'a>,
    pub(super) budget: &'a mut Budget,
    /// What `let` has named, the innermost last.
    names: Vec<(Arc<str>, Value)>,
    /// What predicates look at, the innermost last.
    elements: Vec<Element>,
}

/// What a predicate looks at.
pub(super) struct Element {
    pub(super) value: Value,
    pub(super) index: usize,
    pub(super) accumulated: Value,
}

impl Evaluation<'_> {
    /// The value of a node.
    pub(super) fn value(&mut self, node: &Node) -> Result<Value, ExpressionError> {
        self.budget.spend(1)?;
        match node {
            Node::Value(value) => Ok(value.clone()),
            Node::Name(name) => Ok(self.named(name)),
            Node::Pointer(pointer) => self.pointed(*pointer),
            Node::List(items) => {
                self.budget.gather(items.len())?;
                let items: Result<Vec<Value>, _> = items.iter().map(|item| self.value(item)).collect();
                Value::list(items?)
            }
            Node::Map(entries) => self.map(entries),
            Node::Unary(unary, operand) => self.unary(*unary, operand),
            Node::Chain(first, rest) => self.chain(first, rest),
            Node::Path(base, steps) => self.path(base, steps),
            Node::Conditional(parts) => {
                let [condition, consequent, alternative] = parts.as_ref();
                match self.value(condition)? {
                    Value::Bool(true) => self.value(consequent),
                    Value::Bool(false) => self.value(alternative),
                    other => Err(unfit("a condition", &[&other])),
                }
            }
            Node::Call(builtin, arguments) => builtin.call(arguments, self),
            Node::Let(names, body) => {
                let known = self.names.len();
                for (name, value) in names {
                    let value = self.value(value)?;
                    self.names.push((name.clone(), value));
                }
                let result = self.value(body);
                self.names.truncate(known);
                result
            }
        }
    }

    /// What a predicate says of an element.
    pub(super) fn asked(&mut self, predicate: &Node, element: Element) -> Result<Value, ExpressionError> {
        self.elements.push(element);
        let answer = self.value(predicate);
        self.elements.pop();
        answer
    }

    fn named(&self, name: &str) -> Value {
        let inner = self.names.iter().rev().find(|(known, _)| **known == *name);
        let outer = || self.environment.names.iter().find(|(known, _)| *known == name);
        inner
            .map(|(_, value)| value)
            .or_else(|| outer().map(|(_, value)| value))
            .cloned()
            .unwrap_or_default()
    }

    fn pointed(&self, pointer: Pointer) -> Result<Value, ExpressionError> {
        let element = self.elements.last();
        let element = element.ok_or_else(|| ExpressionError::failed("# is used where there is no element"))?;
        Ok(match pointer {
            Pointer::Element => element.value.clone(),
            Pointer::Index => Value::Int(i64::try_from(element.index).unwrap_or(i64::MAX)),
            Pointer::Accumulated => element.accumulated.clone(),
        })
    }

    fn map(&mut self, entries: &[(Node, Node)]) -> Result<Value, ExpressionError> {
        self.budget.gather(entries.len())?;
        let mut map = Vec::with_capacity(entries.len());
        for (key, value) in entries {
            let Value::Text(key) = self.value(key)? else {
                return Err(ExpressionError::failed("the keys of a map are strings"));
            };
            map.push((key, self.value(value)?));
        }
        Value::map(map)
    }

    fn unary(&mut self, unary: Unary, operand: &Node) -> Result<Value, ExpressionError> {
        match (unary, self.value(operand)?) {
            (Unary::Not, Value::Bool(answer)) => Ok(Value::Bool(!answer)),
            (Unary::Minus, Value::Int(number)) => Ok(Value::Int(number.wrapping_neg())),
            (Unary::Minus, Value::Float(number)) => Ok(Value::Float(-number)),
            (Unary::Plus, number @ (Value::Int(_) | Value::Float(_))) => Ok(number),
            (Unary::Not, other) => Err(unfit("not", &[&other])),
            (Unary::Minus | Unary::Plus, other) => Err(unfit("a sign", &[&other])),
        }
    }

    fn chain(&mut self, first: &Node, rest: &[(Infix, Node)]) -> Result<Value, ExpressionError> {
        let mut left = self.value(first)?;
        for (infix, right) in rest {
            left = match (infix, &left) {
                (Infix::And, Value::Bool(false)) | (Infix::Or, Value::Bool(true)) => left,
                (Infix::And | Infix::Or, Value::Bool(_)) => match self.value(right)? {
                    answer @ Value::Bool(_) => answer,
                    other => return Err(unfit("and, or", &[&other])),
                },
                (Infix::And | Infix::Or, other) => return Err(unfit("and, or", &[other])),
                (Infix::Coalesce, Value::Nil) => self.value(right)?,
                (Infix::Coalesce, _) => left,
                _ => {
                    let right = self.value(right)?;
                    operator::apply(infix, &left, &right, self.budget)?
                }
            };
        }
        Ok(left)
    }

    fn path(&mut self, base: &Node, steps: &[Step]) -> Result<Value, ExpressionError> {
        let mut value = self.value(base)?;
        for step in steps {
            value = match step {
                Step::AtIfAny(_) if matches!(value, Value::Nil) => return Ok(Value::Nil),
                Step::At(key) | Step::AtIfAny(key) => {
                    let at = self.value(key)?;
                    self.fetched(&value, &at, key)?
                }
                Step::Slice(from, to) => {
                    let from = self.bound(from.as_ref())?;
                    let to = self.bound(to.as_ref())?;
                    self.sliced(&value, from, to)?
                }
                Step::Call(arguments) => {
                    let Value::Function(name) = value else {
                        return Err(ExpressionError::failed(format!(
                            "{} is called that is no function",
                            value.kind()
                        )));
                    };
                    let arguments: Result<Vec<Value>, _> =
                        arguments.iter().map(|argument| self.value(argument)).collect();
                    (self.environment.call)(name, &arguments?, self.budget)?
                }
            };
        }
        Ok(value)
    }

    /// A member of a map, or an element of a list or text, counted from the end where it is negative.
    fn fetched(&self, value: &Value, at: &Value, written: &Node) -> Result<Value, ExpressionError> {
        if let (Value::Map(map), Value::Text(key)) = (value, at) {
            return Ok(map.get(key).cloned().unwrap_or_default());
        }
        let index = match at {
            Value::Int(index) => Some(*index),
            // JSON has no whole numbers, so what comes from a body is a float.
            Value::Float(index) => Some(*index as i64),
            _ => None,
        };
        let found = match (value, index) {
            (Value::List(list), Some(index)) => {
                place(index, list.items().len()).and_then(|at| list.items().get(at).cloned())
            }
            (Value::Text(text), Some(index)) => {
                let byte = place(index, text.len()).and_then(|at| text.as_bytes().get(at).copied());
                byte.map(|byte| Value::Int(byte.into()))
            }
            _ => {
                // Only what the expression itself says may be shown.
                let what = match written {
                    Node::Value(Value::Text(name)) => format!("{name:?}"),
                    _ => at.kind().to_owned(),
                };
                return Err(ExpressionError::failed(format!(
                    "cannot fetch {what} from {}",
                    value.kind()
                )));
            }
        };
        found.ok_or_else(|| ExpressionError::failed("an index is out of range"))
    }

    fn bound(&mut self, bound: Option<&Node>) -> Result<Option<i64>, ExpressionError> {
        bound
            .map(|node| match self.value(node)? {
                Value::Int(number) => Ok(number),
                Value::Float(number) => Ok(number as i64),
                other => Err(unfit("a slice", &[&other])),
            })
            .transpose()
    }

    /// The part from one place up to another one; what is beyond an end is cut.
    fn sliced(&mut self, value: &Value, from: Option<i64>, to: Option<i64>) -> Result<Value, ExpressionError> {
        let length = match value {
            Value::List(list) => list.items().len(),
            Value::Text(text) => text.len(),
            other => return Err(unfit("a slice", &[other])),
        };
        let end = to.map_or(length, |to| within(to, length));
        let start = from.map_or(0, |from| within(from, length)).min(end);
        match value {
            Value::List(list) => {
                self.budget.gather(end - start)?;
                Value::list(list.items().get(start..end).unwrap_or_default().to_vec())
            }
            other => {
                self.budget.write(end - start)?;
                let bytes = other.as_text().unwrap_or_default().as_bytes();
                let part = bytes.get(start..end).unwrap_or_default();
                Ok(Value::text(String::from_utf8_lossy(part).as_ref()))
            }
        }
    }
}

/// The place of an index that may count from the end.
pub(super) fn place(index: i64, length: usize) -> Option<usize> {
    match usize::try_from(index) {
        Ok(index) => Some(index),
        Err(_) => length.checked_sub(usize::try_from(index.unsigned_abs()).ok()?),
    }
}

fn within(bound: i64, length: usize) -> usize {
    match place(bound, length) {
        Some(place) => place.min(length),
        None => 0,
    }
}
