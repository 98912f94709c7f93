//! Decides what a template in the language of Go's `text/template` says of some data; it knows nothing of commits.
//!
//! Image Updater's messages and branch names are such templates, written for Go, so they have to say here what they say
//! there: the grammar, the functions that are built in, `printf`'s verbs and the texts of errors are Go's.
//!
//! Known differences: a template is UTF-8; complex numbers, floating-point numbers in hexadecimal, `%p` of a list or map,
//! and `%b`, `%x` and `#` of a floating-point number are refused; what is empty in the data equals `nil`. And all is
//! bounded, as templates come from strangers: [`MAX_SOURCE_BYTES`], [`MAX_DEPTH`], [`MAX_WORK`], [`MAX_OUTPUT_BYTES`].

mod budget;
mod exec;
mod function;
mod item;
mod lex;
mod node;
mod parse;
mod print;
mod show;
#[cfg(test)]
mod tests;
mod value;

use std::collections::BTreeMap;

pub use value::{StructType, Type, Value};

/// The longest template in bytes. A message for people is a few lines.
pub const MAX_SOURCE_BYTES: usize = 64 * 1024;

/// How deep actions and parentheses may nest, and how deep templates may call each other. Each level is a level of the
/// stack too, and a thread of 2 MiB must suffice in a build without optimization.
pub const MAX_DEPTH: usize = 100;

/// How much one rendering may do: a unit is an evaluated part, or a byte that is made or compared.
pub const MAX_WORK: usize = 4 * 1024 * 1024;

/// How long what is rendered may be in bytes.
pub const MAX_OUTPUT_BYTES: usize = 1024 * 1024;

/// A template that could be parsed, with those that it defines.
#[derive(Clone, Debug)]
pub struct Template {
    name: String,
    source: String,
    trees: BTreeMap<String, node::List>,
}

/// Why a text is no template, in Go's words.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("template: {name}:{line}: {problem}")]
pub struct ParseError {
    /// The template's name.
    pub name: String,
    /// The line, counted from 1.
    pub line: usize,
    /// What is wrong there.
    pub problem: String,
}

/// Why a template has nothing to say of the data it was given, in Go's words.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("template: {name}:{line}:{column}: executing {} at <{at}>: {problem}", super::quote::quote(.executing))]
pub struct RenderError {
    /// The name of the whole.
    pub name: String,
    /// The line, counted from 1.
    pub line: usize,
    /// Bytes of that line before the place.
    pub column: usize,
    /// The template that was at work: the whole, or one that it defines.
    pub executing: String,
    /// What stands there.
    pub at: String,
    /// What is wrong with it.
    pub problem: String,
}

impl Template {
    /// Parses a template.
    ///
    /// # Errors
    /// Where Go refuses the text, in Go's words; and where it is longer or nested deeper than the limits of this module.
    pub fn parse(name: &str, source: &str) -> Result<Self, ParseError> {
        Ok(Self {
            name: name.to_owned(),
            source: source.to_owned(),
            trees: parse::parse(name, source)?,
        })
    }

    /// What the template says of the data. Go's texts are bytes: a template can cut a character in two.
    ///
    /// # Errors
    /// What the template asks of the data cannot be done, or is too much.
    pub fn render(&self, data: &Value) -> Result<Vec<u8>, RenderError> {
        exec::execute(self, data)
    }
}
