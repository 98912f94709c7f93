//! Names what a compiled expression is made of. A chain of operators or of accesses is one node, however long, so that no
//! tree is deeper than its source nests.

use std::sync::Arc;

use super::builtin::Builtin;
use super::value::Value;
use crate::go::regexp::Regexp;

/// A part of an expression.
#[derive(Clone)]
pub(super) enum Node {
    /// A literal.
    Value(Value),
    /// What the environment or a `let` calls so.
    Name(Arc<str>),
    /// Something of the element that a predicate looks at.
    Pointer(Pointer),
    List(Vec<Node>),
    Map(Vec<(Node, Node)>),
    Unary(Unary, Box<Node>),
    /// A first operand, and what follows from left to right.
    Chain(Box<Node>, Vec<(Infix, Node)>),
    /// A value, and ways into it.
    Path(Box<Node>, Vec<Step>),
    /// Condition, what holds if it is true, and what holds otherwise.
    Conditional(Box<[Node; 3]>),
    /// A function of the language, and its arguments, the predicate among them.
    Call(Builtin, Vec<Node>),
    /// Names for values, each to be used in what follows.
    Let(Vec<(Arc<str>, Node)>, Box<Node>),
}

/// What `#` and its like stand for.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Pointer {
    /// `#`
    Element,
    /// `#index`
    Index,
    /// `#acc`
    Accumulated,
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Unary {
    Not,
    Minus,
    Plus,
}

/// An operator between two operands.
#[derive(Clone)]
pub(super) enum Infix {
    Or,
    And,
    Equal,
    NotEqual,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
    In,
    Contains,
    StartsWith,
    EndsWith,
    /// A pattern that was compiled with the expression; otherwise it is compiled when it is known.
    Matches(Option<Arc<Regexp>>),
    Range,
    Add,
    Subtract,
    Multiply,
    Divide,
    Remainder,
    Power,
    Coalesce,
    /// `not in` and the like.
    Negated(Box<Infix>),
}

/// A way into a value.
#[derive(Clone)]
pub(super) enum Step {
    /// `.name` or `[index]`.
    At(Node),
    /// `?.name` or `?.[index]`: nil ends the path.
    AtIfAny(Node),
    /// `[from:to]`
    Slice(Option<Node>, Option<Node>),
    /// `(arguments)`
    Call(Vec<Node>),
}
