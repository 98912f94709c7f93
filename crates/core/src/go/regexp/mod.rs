//! Decides what a regular expression in Go's syntax accepts; it knows nothing of who wrote it or what is searched.
//!
//! The resources were written for programs in Go, so their expressions have to mean here what they mean there. Go's
//! syntax is close to that of the crate `regex`, close enough to mislead: each accepts what the other refuses, and
//! `\d`, `\w`, `\s`, `\b` differ. So the expression is parsed as Go parses it (`translate`) and written anew, with
//! every character class and assertion spelled out, for the crate that does the searching in linear time.
//!
//! Known differences: expressions over [`MAX_PATTERN_BYTES`] or [`MAX_COMPILED_BYTES`] are refused, and before they are
//! compiled those whose repetitions make more than a thousand copies of a large Unicode class, or that name more than 256
//! such classes (64 where case does not count), or take as much otherwise. So are more than a hundred nested repetitions,
//! sequences and alternations (plain groups may nest as in Go). Go's tables are those of Unicode 15.0: `(?i)` here also
//! pairs the few letters that got a counterpart in another case later, and U+1171E, which changed its category, is in `Mc`
//! and no more in `Mn`.

mod atoms;
mod class;
mod patterns;
mod repetition;
mod shape;
mod translate;

#[cfg(test)]
mod tests;

use std::fmt;

pub use patterns::Patterns;

/// The longest accepted expression in bytes. Go has no such limit; it keeps the work and the depth of the parser
/// bounded, and no expression for tags or paths comes near it.
pub const MAX_PATTERN_BYTES: usize = 4096;

/// How much memory in bytes one compiled expression may take. Go's own limit is 128 MiB; this one still admits a
/// thousand copies of a large Unicode class.
pub const MAX_COMPILED_BYTES: usize = 64 * 1024 * 1024;

/// How deep the translation may nest as text.
const NEST_LIMIT: u32 = 65_536;

/// A compiled regular expression in the syntax of Go's package `regexp`.
#[derive(Clone)]
pub struct Regexp {
    pattern: String,
    engine: regex::Regex,
}

/// Why an expression was refused; the texts are those of Go, where Go refuses too.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RegexpError {
    /// The expression breaks Go's syntax; `fragment` is the offending part.
    #[error("error parsing regexp: {problem}: `{fragment}`")]
    Syntax {
        /// Which rule is broken.
        problem: SyntaxProblem,
        /// The part of the expression that breaks it.
        fragment: String,
    },
    /// The expression is longer than [`MAX_PATTERN_BYTES`].
    #[error("regular expression has {bytes} bytes, more than the {MAX_PATTERN_BYTES} allowed")]
    TooLong {
        /// Length of the expression in bytes.
        bytes: usize,
    },
    /// The compiled expression would take more than [`MAX_COMPILED_BYTES`], or than it may where it is used.
    #[error("error parsing regexp: expression too large: its repetitions or character classes take too much memory")]
    TooLarge,
}

/// The rules of Go's syntax that an expression can break.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SyntaxProblem {
    /// A range such as `z-a`, or an unknown class name.
    #[error("invalid character class range")]
    InvalidCharRange,
    /// An escape that Go does not know.
    #[error("invalid escape sequence")]
    InvalidEscape,
    /// A group name that is not made of letters, digits and `_`, or is not closed.
    #[error("invalid named capture")]
    InvalidNamedCapture,
    /// A group that begins with `(?` and something that Go does not support.
    #[error("invalid or unsupported Perl syntax")]
    InvalidPerlOp,
    /// A repetition of a repetition, such as `a**`.
    #[error("invalid nested repetition operator")]
    InvalidRepeatOp,
    /// A count over 1000, also after multiplying nested ones, or an upper count below the lower.
    #[error("invalid repeat count")]
    InvalidRepeatSize,
    /// A `[` without `]`.
    #[error("missing closing ]")]
    MissingBracket,
    /// A `(` without `)`.
    #[error("missing closing )")]
    MissingParen,
    /// A repetition of nothing.
    #[error("missing argument to repetition operator")]
    MissingRepeatArgument,
    /// A backslash at the very end.
    #[error("trailing backslash at end of expression")]
    TrailingBackslash,
    /// A `)` without `(`.
    #[error("unexpected )")]
    UnexpectedParen,
    /// More than a thousand nested groups, or more than a hundred nested repetitions, sequences and alternations.
    #[error("expression nests too deeply")]
    NestingDepth,
}

impl Regexp {
    /// Compiles `pattern` if Go's `regexp.Compile` would.
    ///
    /// # Errors
    /// Says what is wrong in Go's words, or that one of the two limits of this module is passed.
    pub fn compile(pattern: &str) -> Result<Self, RegexpError> {
        Self::compile_within(pattern, MAX_COMPILED_BYTES)
    }

    /// Compiles `pattern` unless it takes more than so many bytes of memory, for whoever cannot trust its author. Searching
    /// takes time by that size.
    ///
    /// # Errors
    /// As [`Regexp::compile`].
    pub fn compile_within(pattern: &str, compiled_bytes: usize) -> Result<Self, RegexpError> {
        if pattern.len() > MAX_PATTERN_BYTES {
            return Err(RegexpError::TooLong { bytes: pattern.len() });
        }
        let translated = translate::translate(pattern)?;
        let engine = regex::RegexBuilder::new(&translated)
            .size_limit(compiled_bytes)
            // Every character may open a group; what counts is the depth without groups, which is checked above.
            .nest_limit(NEST_LIMIT)
            .build()
            .map_err(|_| RegexpError::TooLarge)?;
        Ok(Self {
            pattern: pattern.to_owned(),
            engine,
        })
    }

    /// Whether the expression matches anywhere in `text`; linear in the length of `text`.
    pub fn is_match(&self, text: &str) -> bool {
        self.engine.is_match(text)
    }

    /// The expression as it was written.
    pub fn as_str(&self) -> &str {
        &self.pattern
    }
}

impl fmt::Debug for Regexp {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_tuple("Regexp").field(&self.pattern).finish()
    }
}

impl fmt::Display for Regexp {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.pattern)
    }
}

impl PartialEq for Regexp {
    fn eq(&self, other: &Self) -> bool {
        self.pattern == other.pattern
    }
}

impl Eq for Regexp {}
