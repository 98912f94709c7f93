//! Brings resources from a folder of manifests, and keeps them current; it must not know what is done with them.

mod chunk;
mod document;
mod file;
mod folder;
mod locate;
mod scan;
mod watch;

use std::collections::BTreeMap;
use std::fmt;
use std::path::Path;
use std::sync::Arc;

use landfall_core::resource::{Resource, ResourceKey};
use serde_json::Value;

pub use document::to_yaml;
pub use folder::{FolderError, ManifestFolder};
pub use watch::watch;

/// What a folder says at one moment.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Snapshot {
    /// The resources in force, among them the last good state of what is broken now. A resource that did not change is the same
    /// `Arc` from one snapshot to the next.
    pub resources: BTreeMap<ResourceKey, Arc<Loaded>>,
    /// What is wrong in the folder, in the order of the files.
    pub problems: Vec<Problem>,
}

/// A resource and where it was read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Loaded {
    /// The resource.
    pub resource: Resource,
    /// Where its document starts.
    pub origin: Origin,
    /// The document as it was written, to be shown again; `null` for a `Secret` and a `ConfigMap`, which are not shown.
    pub manifest: Value,
}

/// A place in a file. It prints as `shop/api.yaml:12:3`, or as `shop/api.yaml` for the file as a whole.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Origin {
    /// The file, below the folder as that was named.
    pub file: Arc<Path>,
    /// The place in it; `None` is the whole file.
    pub position: Option<Position>,
}

/// A line and a column.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Position {
    /// Counted from 1.
    pub line: usize,
    /// In characters, counted from 1.
    pub column: usize,
}

/// Something in the folder that is not as it should be. It prints as `shop/api.yaml:12:3: …`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// Where it is.
    pub origin: Origin,
    /// What is wrong and what stays in force. Never a value.
    pub message: String,
    /// How bad it is.
    pub kind: ProblemKind,
}

/// How bad a problem is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ProblemKind {
    /// Something that the folder says is not in force.
    Error,
    /// Everything that could be read is in force, but some of it looks like a mistake.
    Warning,
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

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.position {
            Some(position) => write!(f, "{}:{}:{}", self.file.display(), position.line, position.column),
            None => write!(f, "{}", self.file.display()),
        }
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.origin, self.message)
    }
}

#[cfg(test)]
mod tests;
