//! Decides what one file says, given what it said before: its resources, and what stays of those that are broken now; it must
//! not know other files.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::Arc;

use landfall_core::resource::{
    FieldPath, InvalidResource, KARGO_API_VERSION, Kind, Parsed, Resource, ResourceKey, Warning,
};

use serde_json::Value;

use super::document::{self, Document, Syntax};
use super::{Loaded, Origin, Position, Problem, ProblemKind};

/// The most problems of one file that are kept. Each of them reads its document once more for the exact place, and nobody reads
/// a longer list before mending what it starts with.
const MAX_PROBLEMS: usize = 50;

/// How many bytes of one file are read once more to find the exact places of its problems; beyond that, where the document
/// starts must do. It keeps a large document with many problems a matter of milliseconds.
const MAX_LOCATED: usize = 512 * 1024;

/// What one file says.
#[derive(Clone, Debug, Default)]
pub(super) struct Contents {
    /// In the order of the file; the stale ones last.
    pub(super) resources: Vec<Entry>,
    pub(super) problems: Vec<Problem>,
}

/// A resource of a file.
#[derive(Clone, Debug)]
pub(super) struct Entry {
    pub(super) key: ResourceKey,
    pub(super) loaded: Arc<Loaded>,
    pub(super) freshness: Freshness,
}

/// Whether the file still says so.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Freshness {
    /// It does.
    Fresh,
    /// It did before it broke, so this is the last good state.
    Stale,
}

impl Contents {
    /// Reads a file that said `previous` before.
    pub(super) fn read(file: &Arc<Path>, bytes: &[u8], syntax: Syntax, previous: &Self) -> Self {
        let mut reading = Reading::of(file, previous);
        for document in document::read(bytes, syntax) {
            match document {
                Ok(document) => reading.document(&document),
                Err(error) => reading.broken(error.position, error.message),
            }
        }
        reading.finish()
    }

    /// What remains in force of a file that cannot be read at all now.
    pub(super) fn unreadable(file: &Arc<Path>, message: String, previous: &Self) -> Self {
        let mut reading = Reading::of(file, previous);
        let kept = reading.keep_all();
        reading.problem(None, format!("{message}{kept}"), ProblemKind::Error);
        reading.finish()
    }
}

/// What of the previous contents is to be kept.
#[derive(Debug, Default)]
struct Lost {
    /// Something is broken that does not even say what it is: it may be any of the previous resources.
    anything: bool,
    keys: BTreeSet<ResourceKey>,
}

struct Reading<'a> {
    file: &'a Arc<Path>,
    previous: &'a Contents,
    previous_by_key: BTreeMap<&'a ResourceKey, &'a Arc<Loaded>>,
    contents: Contents,
    lost: Lost,
    /// The bytes that were read once more so far.
    located: usize,
}

impl<'a> Reading<'a> {
    fn of(file: &'a Arc<Path>, previous: &'a Contents) -> Self {
        let previous_by_key = previous
            .resources
            .iter()
            .map(|entry| (&entry.key, &entry.loaded))
            .collect();
        Self {
            file,
            previous,
            previous_by_key,
            contents: Contents::default(),
            lost: Lost::default(),
            located: 0,
        }
    }

    fn document(&mut self, document: &Document<'_>) {
        match Resource::from_value(&document.value) {
            Parsed::Known(resource, warnings) => self.known(document, *resource, warnings),
            Parsed::UnknownKind { api_version, kind } => self.unknown(document, &api_version, &kind),
            Parsed::Invalid(invalid) => self.invalid(document, &invalid),
        }
    }

    fn known(&mut self, document: &Document<'_>, resource: Resource, warnings: Vec<Warning>) {
        for warning in warnings {
            let position = self.locate(document, &warning.path);
            self.problem(Some(position), warning.to_string(), ProblemKind::Warning);
        }
        let origin = Origin {
            file: Arc::clone(self.file),
            position: Some(document.position),
        };
        let key = resource.key();
        let manifest = shown(&document.value, resource.kind());
        let loaded = Loaded {
            resource,
            origin,
            manifest,
        };
        // What did not change stays the same `Arc`, so that whoever watches can tell by the pointer.
        let before = self.previous_by_key.get(&key).filter(|before| ****before == loaded);
        let loaded = before.map_or_else(|| Arc::new(loaded), |before| Arc::clone(before));
        self.contents.resources.push(Entry {
            key,
            loaded,
            freshness: Freshness::Fresh,
        });
    }

    fn unknown(&mut self, document: &Document<'_>, api_version: &str, kind: &str) {
        let group = KARGO_API_VERSION.split('/').next().unwrap_or_default();
        let is_other_version = api_version.split('/').next() == Some(group)
            && Kind::ALL
                .into_iter()
                .any(|ours| ours.as_str() == kind && ours.api_version() == KARGO_API_VERSION);
        let message = if api_version.is_empty() || kind.is_empty() {
            "has no apiVersion and kind, so it is no resource and is ignored".to_owned()
        } else if is_other_version {
            format!("{kind} of {api_version} is ignored: the version must be {KARGO_API_VERSION}")
        } else {
            return tracing::debug!(file = %self.file.display(), api_version, kind, "ignored a manifest of another kind");
        };
        self.problem(Some(document.position), message, ProblemKind::Warning);
    }

    fn invalid(&mut self, document: &Document<'_>, invalid: &InvalidResource) {
        let kept = match invalid.key() {
            None => self.keep_all(),
            Some(key) => {
                let is_known = self.previous_by_key.contains_key(&key);
                self.lost.keys.insert(key);
                if is_known {
                    "; its last good state stays in force"
                } else {
                    ""
                }
            }
        };
        let position = self.locate(document, &invalid.path);
        self.problem(Some(position), format!("{invalid}{kept}"), ProblemKind::Error);
    }

    fn broken(&mut self, position: Position, message: String) {
        let kept = self.keep_all();
        self.problem(Some(position), format!("{message}{kept}"), ProblemKind::Error);
    }

    fn keep_all(&mut self) -> &'static str {
        self.lost.anything = true;
        if self.previous.resources.is_empty() {
            ""
        } else {
            "; what the file said before stays in force"
        }
    }

    fn locate(&mut self, document: &Document<'_>, path: &FieldPath) -> Position {
        if self.contents.problems.len() < MAX_PROBLEMS && self.located + document.length() <= MAX_LOCATED {
            self.located += document.length();
            document.locate(path.steps())
        } else {
            document.position
        }
    }

    fn problem(&mut self, position: Option<Position>, message: String, kind: ProblemKind) {
        match self.contents.problems.len() {
            0..MAX_PROBLEMS => {
                let origin = Origin {
                    file: Arc::clone(self.file),
                    position,
                };
                self.contents.problems.push(Problem { origin, message, kind });
            }
            MAX_PROBLEMS => {
                let origin = Origin {
                    file: Arc::clone(self.file),
                    position: None,
                };
                let message = format!("the file has more than {MAX_PROBLEMS} problems, the rest is not shown");
                self.contents.problems.push(Problem {
                    origin,
                    message,
                    kind: ProblemKind::Warning,
                });
            }
            _ => {}
        }
    }

    fn finish(mut self) -> Contents {
        let said: BTreeSet<&ResourceKey> = self.contents.resources.iter().map(|entry| &entry.key).collect();
        let is_lost =
            |entry: &&Entry| (self.lost.anything || self.lost.keys.contains(&entry.key)) && !said.contains(&entry.key);
        let kept: Vec<Entry> = self.previous.resources.iter().filter(is_lost).cloned().collect();
        self.contents.resources.extend(kept.into_iter().map(|entry| Entry {
            freshness: Freshness::Stale,
            ..entry
        }));
        self.contents
    }
}

/// What may be shown of a manifest: all of it but a status that ours takes the place of, and nothing of what may be secret.
fn shown(value: &Value, kind: Kind) -> Value {
    match kind {
        Kind::Secret | Kind::ConfigMap => Value::Null,
        Kind::Promotion => value.clone(),
        Kind::ProjectConfig | Kind::ClusterConfig | Kind::Warehouse => {
            let mut value = value.clone();
            if let Some(fields) = value.as_object_mut() {
                fields.remove("status");
            }
            value
        }
    }
}
