//! Writes parts of a template as errors name them: in Go's layout, not as they were typed.

use std::fmt::{self, Display, Formatter};

use super::node::{Branch, Command, Control, List, Naming, Node, NodeKind, Operand, OperandKind, Pipe};
use crate::go::quote::quote;

/// What an error can point at.
pub(super) trait Place: Display {
    /// Byte offset in the source.
    fn at(&self) -> usize;
}

impl Place for Node {
    fn at(&self) -> usize {
        self.at
    }
}

impl Place for Pipe {
    fn at(&self) -> usize {
        self.at
    }
}

impl Place for Command {
    fn at(&self) -> usize {
        self.at
    }
}

impl Place for Operand {
    fn at(&self) -> usize {
        self.at
    }
}

impl Display for List {
    fn fmt(&self, out: &mut Formatter<'_>) -> fmt::Result {
        self.nodes.iter().try_for_each(|node| node.fmt(out))
    }
}

impl Display for Node {
    fn fmt(&self, out: &mut Formatter<'_>) -> fmt::Result {
        match &self.kind {
            NodeKind::Text(text) => out.write_str(text),
            NodeKind::Action(pipe) => write!(out, "{{{{{pipe}}}}}"),
            NodeKind::Branch(branch) => branch.fmt(out),
            NodeKind::Template { name, pipe } => {
                write!(out, "{{{{template {}", quote(name))?;
                if let Some(pipe) = pipe {
                    write!(out, " {pipe}")?;
                }
                out.write_str("}}")
            }
            NodeKind::Break => out.write_str("{{break}}"),
            NodeKind::Continue => out.write_str("{{continue}}"),
        }
    }
}

impl Control {
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::If => "if",
            Self::Range => "range",
            Self::With => "with",
        }
    }
}

impl Display for Branch {
    fn fmt(&self, out: &mut Formatter<'_>) -> fmt::Result {
        write!(out, "{{{{{} {}}}}}{}", self.control.name(), self.pipe, self.list)?;
        if let Some(otherwise) = &self.otherwise {
            write!(out, "{{{{else}}}}{otherwise}")?;
        }
        out.write_str("{{end}}")
    }
}

impl Display for Pipe {
    fn fmt(&self, out: &mut Formatter<'_>) -> fmt::Result {
        if !self.variables.is_empty() {
            let sign = match self.naming {
                Naming::New => ":=",
                Naming::Known => "=",
            };
            write!(out, "{} {sign} ", self.variables.join(", "))?;
        }
        for (index, command) in self.commands.iter().enumerate() {
            write!(out, "{}{command}", if index > 0 { " | " } else { "" })?;
        }
        Ok(())
    }
}

impl Display for Command {
    fn fmt(&self, out: &mut Formatter<'_>) -> fmt::Result {
        fmt_enclosed(&self.first, out)?;
        self.arguments.iter().try_for_each(|argument| {
            out.write_str(" ")?;
            fmt_enclosed(argument, out)
        })
    }
}

/// The operand, with parentheses around a pipeline.
fn fmt_enclosed(operand: &Operand, out: &mut Formatter<'_>) -> fmt::Result {
    match operand.kind {
        OperandKind::Pipe(_) => write!(out, "({operand})"),
        _ => operand.fmt(out),
    }
}

impl Display for Operand {
    fn fmt(&self, out: &mut Formatter<'_>) -> fmt::Result {
        let mut fields: &[String] = &[];
        match &self.kind {
            OperandKind::Dot => out.write_str(".")?,
            OperandKind::Nil => out.write_str("nil")?,
            OperandKind::Bool(value) => value.fmt(out)?,
            OperandKind::Number { text, .. } => out.write_str(text)?,
            OperandKind::Text { quoted, .. } => out.write_str(quoted)?,
            OperandKind::Field(names) => fields = names,
            OperandKind::Variable { name, fields: names } => {
                out.write_str(name)?;
                fields = names;
            }
            OperandKind::Chain { of, fields: names } => {
                fmt_enclosed(of, out)?;
                fields = names;
            }
            OperandKind::Function(function) => out.write_str(function.name())?,
            OperandKind::Pipe(pipe) => pipe.fmt(out)?,
        }
        fields.iter().try_for_each(|field| write!(out, ".{field}"))
    }
}
