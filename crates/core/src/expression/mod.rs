//! Decides what an expression in the language of Kargo's configuration evaluates to: Go's expr-lang, within bounds that hold
//! whatever the expression and whatever it is given. It must not know who asks, nor what a request is.
//!
//! The language is Expr's (<https://expr-lang.org/docs/language-definition>), which Kargo compiles without types: names that
//! nobody defined are nil, and so are missing keys of a map. Whoever writes an expression need not be trusted, and what it
//! works on comes from strangers, so nothing here can run long, take much memory or end the process:
//!
//! - a source has at most [`MAX_SOURCE_BYTES`], and nests at most [`MAX_NESTING`] deep;
//! - each step, each byte of text that is made and each element that is looked at is paid for out of a [`Budget`];
//! - values are shared and never copied, and nest at most [`value::MAX_DEPTH`] deep.
//!
//! Refused, and named where they are used: `now`, `date`, `duration` and `timezone`, because decisions have no clock;
//! `$env`; and bytes (`b"…"`).

mod budget;
mod builtin;
mod evaluate;
mod lexer;
mod operator;
mod parser;
mod syntax;
pub mod template;
mod text;
pub mod value;

use std::fmt;

pub use budget::Budget;
pub use evaluate::Environment;
pub use value::Value;

/// The longest source in bytes. Expressions that people write are well below.
pub const MAX_SOURCE_BYTES: usize = 4096;

/// How deep parentheses, calls, operators and conditions may nest within each other.
pub const MAX_NESTING: usize = 64;

/// Why an expression has no value. It never shows a value: what is worked on may be a secret.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ExpressionError {
    /// It is not in the language, or uses what is refused.
    #[error("column {column}: {problem}")]
    Syntax {
        /// Where, in characters from 1.
        column: usize,
        /// What is wrong there.
        problem: String,
    },
    /// It cannot be evaluated with what it was given.
    #[error("{0}")]
    Failed(String),
    /// It would take more than it may.
    #[error("the expression takes more {0} than it may")]
    Exhausted(&'static str),
}

impl ExpressionError {
    fn failed(problem: impl Into<String>) -> Self {
        Self::Failed(problem.into())
    }
}

/// A compiled expression.
#[derive(Clone)]
pub struct Expression {
    source: String,
    root: syntax::Node,
}

impl Expression {
    /// Compiles a source.
    ///
    /// # Errors
    /// Says where it breaks the language's rules, or that it is too long or nests too deeply.
    pub fn compile(source: &str) -> Result<Self, ExpressionError> {
        if source.len() > MAX_SOURCE_BYTES {
            return Err(ExpressionError::Syntax {
                column: 1,
                problem: format!(
                    "the expression has {} bytes, more than {MAX_SOURCE_BYTES}",
                    source.len()
                ),
            });
        }
        let root = parser::parse(source)?;
        Ok(Self {
            source: source.to_owned(),
            root,
        })
    }

    /// Its value.
    ///
    /// # Errors
    /// Says what cannot be done with what it was given, or that the budget is used up.
    pub fn evaluate(&self, environment: &Environment<'_>, budget: &mut Budget) -> Result<Value, ExpressionError> {
        evaluate::evaluate(&self.root, environment, budget)
    }

    /// The source as it was written.
    pub fn as_str(&self) -> &str {
        &self.source
    }
}

impl fmt::Debug for Expression {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Expression").field(&self.source).finish()
    }
}

impl PartialEq for Expression {
    fn eq(&self, other: &Self) -> bool {
        self.source == other.source
    }
}

impl Eq for Expression {}

#[cfg(test)]
mod tests;
