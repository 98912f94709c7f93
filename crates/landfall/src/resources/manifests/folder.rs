//! Holds what a folder of manifests says, file by file, and what of it is in force; it must not know when to look.

use std::collections::BTreeMap;
use std::fs::File;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::io::{self, Read as _};
use std::ops::Bound;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use landfall_core::resource::ResourceKey;

use super::file::{Contents, Entry, Freshness};
use super::scan::{Fingerprint, Found, Scan, scan};
use super::{Loaded, Origin, Problem, ProblemKind, Snapshot};
use crate::resources::Known;

/// The largest file that is read, in bytes.
const MAX_FILE: u64 = 16 * 1024 * 1024;

/// How long after its last change a file's times can be trusted to tell the next one: file systems count in coarse steps, and
/// two changes within one look the same.
const SETTLING: Duration = Duration::from_secs(1);

/// Why a folder cannot be opened.
#[derive(Debug, thiserror::Error)]
pub enum FolderError {
    /// There is nothing of this name.
    #[error("the manifest folder {} does not exist", .path.display())]
    Missing {
        /// The folder.
        path: PathBuf,
    },
    /// It is there, but cannot be listed.
    #[error("the manifest folder {} cannot be read", .path.display())]
    Unreadable {
        /// The folder.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
}

/// A folder of manifests and its last good state. All of its methods block on the file system.
#[derive(Debug)]
pub struct ManifestFolder {
    root: PathBuf,
    files: BTreeMap<Arc<Path>, FileState>,
    snapshot: Arc<Snapshot>,
}

#[derive(Debug)]
struct FileState {
    /// `None` where the file has to be read again whatever its metadata say.
    fingerprint: Option<Fingerprint>,
    hash: u64,
    contents: Contents,
}

impl ManifestFolder {
    /// Opens a folder and loads what is in it. Broken manifests are problems of the snapshot, not errors.
    pub fn open(root: impl Into<PathBuf>) -> Result<Self, FolderError> {
        let root = root.into();
        let scan = scan(&root).map_err(|source| match source.kind() {
            io::ErrorKind::NotFound => FolderError::Missing { path: root.clone() },
            _ => FolderError::Unreadable {
                path: root.clone(),
                source,
            },
        })?;
        let mut folder = Self {
            root,
            files: BTreeMap::new(),
            snapshot: Arc::default(),
        };
        let problems = folder.take(scan);
        folder.snapshot = Arc::new(folder.merge(problems));
        Ok(folder)
    }

    /// The folder as it was named.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// What the folder says, as of the last look.
    pub fn snapshot(&self) -> Arc<Snapshot> {
        Arc::clone(&self.snapshot)
    }

    /// Looks again. Files that did not change are not read, and where nothing changed the snapshot is the same `Arc`. Where the
    /// folder itself cannot be read, everything stays in force and the snapshot says so.
    pub fn reload(&mut self) -> Arc<Snapshot> {
        let problems = match scan(&self.root) {
            Ok(scan) => self.take(scan),
            Err(error) => {
                let message = format!("the folder cannot be read: {error}; what it said before stays in force");
                vec![whole_file(&self.root, message)]
            }
        };
        let snapshot = self.merge(problems);
        if snapshot != *self.snapshot {
            self.snapshot = Arc::new(snapshot);
        }
        self.snapshot()
    }

    /// Brings the files up to date, and gives the problems of what is no file.
    fn take(&mut self, scan: Scan) -> Vec<Problem> {
        let mut before = std::mem::take(&mut self.files);
        for found in &scan.files {
            let state = before.remove(&found.path);
            if let Some(state) = current(found, state) {
                self.files.insert(Arc::clone(&found.path), state);
            }
        }
        for (path, _) in &scan.unreadable {
            let from = before.range::<Path, _>((Bound::Included(path.as_path()), Bound::Unbounded));
            let hidden: Vec<_> = from
                .map(|(file, _)| file)
                .take_while(|file| file.starts_with(path))
                .cloned()
                .collect();
            let states = hidden.into_iter().filter_map(|file| before.remove_entry(&file));
            self.files.extend(states);
        }
        scan.unreadable
            .into_iter()
            .map(|(path, message)| whole_file(&path, message))
            .collect()
    }

    /// What is in force: of two resources of one key, the one that was in force before, else the first in the order of files.
    fn merge(&self, mut problems: Vec<Problem>) -> Snapshot {
        let mut candidates: BTreeMap<&ResourceKey, Vec<&Entry>> = BTreeMap::new();
        for state in self.files.values() {
            problems.extend_from_slice(&state.contents.problems);
            for entry in &state.contents.resources {
                candidates.entry(&entry.key).or_default().push(entry);
            }
        }
        let mut resources = BTreeMap::new();
        for (key, mut entries) in candidates {
            // A last good state gives way to a file that says so now: the resource has moved.
            if entries.iter().any(|entry| entry.freshness == Freshness::Fresh) {
                entries.retain(|entry| entry.freshness == Freshness::Fresh);
            }
            let Some(winner) = choose(&entries, self.snapshot.resources.get(key)) else {
                continue;
            };
            let losers = entries
                .iter()
                .filter(|entry| !Arc::ptr_eq(&entry.loaded, &winner.loaded));
            problems.extend(losers.filter(|entry| entry.freshness == Freshness::Fresh).map(|entry| Problem {
                origin: entry.loaded.origin.clone(),
                message: format!(
                    "{key} is defined already at {}; that one is in force (the one that was there before, else the first in \
                     the order of the files) and this one is ignored",
                    winner.loaded.origin
                ),
                kind: ProblemKind::Error,
            }));
            resources.insert(key.clone(), Arc::clone(&winner.loaded));
        }
        problems.sort_by(|a, b| a.origin.cmp(&b.origin));
        Snapshot {
            resources: Arc::new(resources),
            problems,
            unreadable: BTreeMap::new(),
            known: Known::Everything,
            is_withheld: false,
            hides_receivers: false,
            hides_promotions: false,
        }
    }
}

fn choose<'a>(entries: &[&'a Entry], in_force: Option<&Arc<Loaded>>) -> Option<&'a Entry> {
    let likeness = |entry: &Entry| {
        in_force.map_or(0, |before| {
            let same_file = before.origin.file() == entry.loaded.origin.file();
            let same_resource = before.resource == entry.loaded.resource;
            u8::from(same_file) + u8::from(same_file && same_resource)
        })
    };
    // The first of the most alike ones.
    entries.iter().copied().rev().max_by_key(|entry| likeness(entry))
}

/// The state of a file as it is now; `None` where it has vanished since it was found.
fn current(found: &Found, state: Option<FileState>) -> Option<FileState> {
    let before = match state {
        Some(state) if state.fingerprint == Some(found.fingerprint) => return Some(state),
        Some(state) => state,
        None => FileState {
            fingerprint: None,
            hash: 0,
            contents: Contents::default(),
        },
    };
    match read(&found.path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => None,
        Err(error) => {
            let message = format!("cannot be read: {error}");
            let contents = Contents::unreadable(&found.path, message, &before.contents);
            Some(FileState {
                fingerprint: None,
                hash: 0,
                contents,
            })
        }
        Ok((bytes, fingerprint)) => {
            let hash = hash(&bytes);
            let contents = if before.hash == hash {
                before.contents
            } else {
                Contents::read(&found.path, &bytes, found.syntax, &before.contents)
            };
            Some(FileState {
                fingerprint,
                hash,
                contents,
            })
        }
    }
}

/// The bytes of a file, and the fingerprint that stands for them once the file has settled.
fn read(path: &Path) -> io::Result<(Vec<u8>, Option<Fingerprint>)> {
    let file = File::open(path)?;
    let metadata = file.metadata()?;
    let too_large = || io::Error::other(format!("it is larger than {} MiB", MAX_FILE / 1024 / 1024));
    if metadata.len() > MAX_FILE {
        return Err(too_large());
    }
    let mut bytes = Vec::with_capacity(usize::try_from(metadata.len()).unwrap_or_default());
    // It may grow while it is read.
    file.take(MAX_FILE + 1).read_to_end(&mut bytes)?;
    if u64::try_from(bytes.len()).is_ok_and(|length| length > MAX_FILE) {
        return Err(too_large());
    }
    let age = metadata
        .modified()
        .ok()
        .and_then(|modified| SystemTime::now().duration_since(modified).ok());
    let fingerprint = age.filter(|age| *age > SETTLING).map(|_| Fingerprint::of(&metadata));
    Ok((bytes, fingerprint))
}

/// Never 0, which stands for nothing read.
fn hash(bytes: &[u8]) -> u64 {
    let mut hasher = DefaultHasher::new();
    bytes.hash(&mut hasher);
    hasher.finish().max(1)
}

fn whole_file(path: &Path, message: String) -> Problem {
    Problem {
        origin: Origin::File {
            file: path.into(),
            position: None,
        },
        message,
        kind: ProblemKind::Error,
    }
}
