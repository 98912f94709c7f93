//! Brings resources from a folder of manifests, and keeps them current; it must not know what is done with them.

mod chunk;
mod document;
mod file;
mod folder;
mod locate;
mod scan;
mod watch;

pub use document::to_yaml;
pub use folder::{FolderError, ManifestFolder};
pub use watch::watch;

use super::{Loaded, Origin, Problem, ProblemKind, Snapshot};

/// A line and a column.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Position {
    /// Counted from 1.
    pub line: usize,
    /// In characters, counted from 1.
    pub column: usize,
}

impl Position {
    const START: Self = Self { line: 1, column: 1 };

    /// Moves over `text`.
    fn advance(&mut self, text: &str) {
        match text.rfind('\n') {
            None => self.column += text.chars().count(),
            Some(newline) => {
                self.line += text.bytes().filter(|byte| *byte == b'\n').count();
                self.column = text[newline + 1..].chars().count() + 1;
            }
        }
    }
}

#[cfg(test)]
mod tests;
