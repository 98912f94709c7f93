//! The parts of a parsed template, each with its place in the source; it must not know how they are carried out.

use super::function::Function;

#[derive(Clone, Debug, Default)]
pub(super) struct List {
    pub(super) nodes: Vec<Node>,
}

impl List {
    /// Whether nothing but space is in it. A definition of that replaces none.
    pub(super) fn is_empty(&self) -> bool {
        let blank = |node: &Node| matches!(&node.kind, NodeKind::Text(text) if text.trim().is_empty());
        self.nodes.iter().all(blank)
    }
}

#[derive(Clone, Debug)]
pub(super) struct Node {
    /// Byte offset in the source, as with all parts.
    pub(super) at: usize,
    pub(super) kind: NodeKind,
}

#[derive(Clone, Debug)]
pub(super) enum NodeKind {
    Text(String),
    /// A pipeline whose value is printed, unless it is given a name.
    Action(Pipe),
    Branch(Branch),
    Template {
        name: String,
        pipe: Option<Pipe>,
    },
    Break,
    Continue,
}

/// What an action with an `{{end}}` does with its pipeline.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Control {
    If,
    Range,
    With,
}

#[derive(Clone, Debug)]
pub(super) struct Branch {
    pub(super) control: Control,
    pub(super) pipe: Pipe,
    pub(super) list: List,
    pub(super) otherwise: Option<List>,
}

#[derive(Clone, Debug)]
pub(super) struct Pipe {
    pub(super) at: usize,
    pub(super) naming: Naming,
    /// The names that its value gets.
    pub(super) variables: Vec<String>,
    pub(super) commands: Vec<Command>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Naming {
    /// With `:=`, or not at all.
    New,
    /// With `=`.
    Known,
}

#[derive(Clone, Debug)]
pub(super) struct Command {
    pub(super) at: usize,
    pub(super) first: Operand,
    pub(super) arguments: Vec<Operand>,
}

#[derive(Clone, Debug)]
pub(super) struct Operand {
    pub(super) at: usize,
    pub(super) kind: OperandKind,
}

#[derive(Clone, Debug)]
pub(super) enum OperandKind {
    Dot,
    Nil,
    Bool(bool),
    Number {
        text: String,
        number: Number,
    },
    /// A text between quotes, and what it means.
    Text {
        quoted: String,
        text: Vec<u8>,
    },
    Field(Vec<String>),
    Variable {
        name: String,
        fields: Vec<String>,
    },
    /// Fields of what a function or a pipeline in parentheses yields.
    Chain {
        of: Box<Operand>,
        fields: Vec<String>,
    },
    Function(Function),
    Pipe(Box<Pipe>),
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Number {
    Int(i64),
    Float(f64),
    /// It would fit, had it no sign. Go notices when it is used.
    TooLarge,
}
