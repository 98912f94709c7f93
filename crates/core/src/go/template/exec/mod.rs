//! Carries out a template: what it prints, where it branches, which templates it calls.

mod evaluate;
mod range;

use super::budget::{Budget, SPENT};
use super::node::{Branch, Control, List, Node, NodeKind, Pipe};
use super::print;
use super::show::Place;
use super::{MAX_DEPTH, MAX_OUTPUT_BYTES, RenderError, Template, Value};
use crate::go::quote::quote;

/// How deep lists, pipelines and calls of templates may be carried out within each other.
const MAX_EXECUTION_DEPTH: usize = 2 * MAX_DEPTH;

/// How much of a part or a problem an error shows, in characters. Either can be as long as the template.
const MAX_SHOWN: usize = 1000;

/// What `template` says of `data`.
pub(super) fn execute(template: &Template, data: &Value) -> Result<Vec<u8>, RenderError> {
    let Some(tree) = template.trees.get(&template.name) else {
        return Ok(Vec::new());
    };
    let mut execution = Execution {
        template,
        executing: &template.name,
        at: None,
        variables: vec![("$", data.clone())],
        depth: 0,
        budget: Budget::new(),
        output: Vec::new(),
    };
    match execution.list(data, tree) {
        Ok(()) | Err(Stop::Break | Stop::Continue) => Ok(execution.output),
        Err(Stop::Failed(error)) => Err(*error),
    }
}

struct Execution<'t> {
    template: &'t Template,
    /// The name of the template that is at work.
    executing: &'t str,
    /// The part that errors point at.
    at: Option<&'t dyn Place>,
    /// The names that can be seen, and what they stand for.
    variables: Vec<(&'t str, Value)>,
    depth: usize,
    budget: Budget,
    output: Vec<u8>,
}

/// Why the rest of a list is left out.
enum Stop {
    Break,
    Continue,
    Failed(Box<RenderError>),
}

impl<'t> Execution<'t> {
    fn fail(&self, problem: impl Into<String>) -> Stop {
        let (offset, at) = self
            .at
            .map_or((0, String::new()), |place| (place.at(), place.to_string()));
        let before = self.template.source.get(..offset).unwrap_or_default();
        let line_start = before.rfind('\n').map_or(0, |newline| newline + 1);
        Stop::Failed(Box::new(RenderError {
            name: self.template.name.clone(),
            line: 1 + before.matches('\n').count(),
            column: offset - line_start,
            executing: self.executing.to_owned(),
            at: clipped(at),
            problem: clipped(problem.into()),
        }))
    }

    fn spend(&mut self, units: usize) -> Result<(), Stop> {
        self.budget.spend(units).map_err(|problem| self.fail(problem))
    }

    fn deeper<T>(&mut self, carry_out: impl FnOnce(&mut Self) -> Result<T, Stop>) -> Result<T, Stop> {
        if self.depth == MAX_EXECUTION_DEPTH {
            return Err(self.fail(format!("exceeded maximum template depth ({MAX_EXECUTION_DEPTH})")));
        }
        self.depth += 1;
        let done = carry_out(self);
        self.depth -= 1;
        done
    }

    fn list(&mut self, dot: &Value, list: &'t List) -> Result<(), Stop> {
        self.deeper(|execution| list.nodes.iter().try_for_each(|node| execution.node(dot, node)))
    }

    fn node(&mut self, dot: &Value, node: &'t Node) -> Result<(), Stop> {
        self.at = Some(node);
        self.spend(1)?;
        match &node.kind {
            NodeKind::Text(text) => self.write(text.as_bytes()),
            NodeKind::Action(pipe) => self.action(dot, node, pipe),
            NodeKind::Branch(branch) => {
                let seen = self.variables.len();
                let done = match branch.control {
                    Control::Range => self.range(dot, branch),
                    Control::If | Control::With => self.condition(dot, branch),
                };
                self.variables.truncate(seen);
                done
            }
            NodeKind::Template { name, pipe } => self.call(dot, name, pipe.as_ref()),
            NodeKind::Break => Err(Stop::Break),
            NodeKind::Continue => Err(Stop::Continue),
        }
    }

    fn action(&mut self, dot: &Value, node: &'t Node, pipe: &'t Pipe) -> Result<(), Stop> {
        let value = self.pipeline(dot, pipe)?;
        if !pipe.variables.is_empty() {
            return Ok(());
        }
        self.at = Some(node);
        let text = match &value {
            Value::Nil => "<no value>".into(),
            Value::Text(text) => text.to_vec(),
            value => print::shown(value, self.budget.room()).map_err(|problem| self.fail(problem))?,
        };
        self.write(&text)
    }

    fn write(&mut self, text: &[u8]) -> Result<(), Stop> {
        self.spend(text.len())?;
        if self.output.len() + text.len() > MAX_OUTPUT_BYTES {
            return Err(self.fail(SPENT));
        }
        self.output.extend_from_slice(text);
        Ok(())
    }

    fn condition(&mut self, dot: &Value, branch: &'t Branch) -> Result<(), Stop> {
        let value = self.pipeline(dot, &branch.pipe)?;
        match (value.is_true(), &branch.otherwise) {
            (true, _) if branch.control == Control::With => self.list(&value, &branch.list),
            (true, _) => self.list(dot, &branch.list),
            (false, Some(otherwise)) => self.list(dot, otherwise),
            (false, None) => Ok(()),
        }
    }

    /// Another template sees its dot, and none of the names of its caller.
    fn call(&mut self, dot: &Value, name: &'t str, pipe: Option<&'t Pipe>) -> Result<(), Stop> {
        let Some((name, tree)) = self.template.trees.get_key_value(name) else {
            return Err(self.fail(format!("template {} not defined", quote(name))));
        };
        let dot = match pipe {
            Some(pipe) => self.pipeline(dot, pipe)?,
            None => Value::Nil,
        };
        let variables = std::mem::replace(&mut self.variables, vec![("$", dot.clone())]);
        let executing = std::mem::replace(&mut self.executing, name);
        self.list(&dot, tree)?;
        self.variables = variables;
        self.executing = executing;
        Ok(())
    }
}

/// The beginning of a text that is too long for an error.
fn clipped(text: String) -> String {
    match text.char_indices().nth(MAX_SHOWN) {
        Some((end, _)) => format!("{}...", &text[..end]),
        None => text,
    }
}
