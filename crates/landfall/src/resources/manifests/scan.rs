//! Finds the manifests below a folder; it must not read them.

use std::collections::HashSet;
use std::fs::{self, Metadata};
use std::io;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::document::Syntax;

/// How deep folders may lie in each other.
const MAX_DEPTH: usize = 32;

/// What is in a folder.
#[derive(Debug, Default)]
pub(super) struct Scan {
    /// The manifests in the order of their paths.
    pub(super) files: Vec<Found>,
    /// What could not be looked at, and why. Below it may be anything.
    pub(super) unreadable: Vec<(PathBuf, String)>,
}

/// A manifest.
#[derive(Debug)]
pub(super) struct Found {
    pub(super) path: Arc<Path>,
    pub(super) syntax: Syntax,
    pub(super) fingerprint: Fingerprint,
}

/// What changes whenever a file does, as far as its metadata can tell.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Fingerprint {
    device: u64,
    inode: u64,
    length: u64,
    modified: (i64, i64),
    changed: (i64, i64),
}

impl Fingerprint {
    pub(super) fn of(metadata: &Metadata) -> Self {
        Self {
            device: metadata.dev(),
            inode: metadata.ino(),
            length: metadata.len(),
            modified: (metadata.mtime(), metadata.mtime_nsec()),
            changed: (metadata.ctime(), metadata.ctime_nsec()),
        }
    }
}

/// Walks through a folder. Hidden names are skipped, as everything of a mounted volume that is not meant to be seen is hidden.
/// Symbolic links are followed, since mounted volumes consist of them, but none leads anywhere twice.
pub(super) fn scan(root: &Path) -> io::Result<Scan> {
    let mut walk = Walk::default();
    walk.folders.push(Folder {
        path: root.to_owned(),
        depth: 0,
    });
    walk.seen_folders.insert(identity(&fs::metadata(root)?));
    fs::read_dir(root)?;
    // What lies in the folder itself comes before what links lead to, so that a loop is cut at its link.
    while let Some(folder) = walk.folders.pop() {
        walk.enter(&folder);
        while walk.folders.is_empty()
            && let Some((link, metadata)) = walk.links.pop()
        {
            walk.follow(link, &metadata);
        }
    }
    walk.scan.files.sort_by(|a, b| a.path.cmp(&b.path));
    Ok(walk.scan)
}

#[derive(Debug)]
struct Folder {
    path: PathBuf,
    depth: usize,
}

#[derive(Debug, Default)]
struct Walk {
    scan: Scan,
    folders: Vec<Folder>,
    links: Vec<(Folder, Metadata)>,
    seen_folders: HashSet<(u64, u64)>,
    seen_files: HashSet<(u64, u64)>,
}

impl Walk {
    fn enter(&mut self, folder: &Folder) {
        if folder.depth > MAX_DEPTH {
            let problem = format!("lies more than {MAX_DEPTH} folders deep and is not read");
            return self.scan.unreadable.push((folder.path.clone(), problem));
        }
        let entries = match fs::read_dir(&folder.path) {
            Ok(entries) => entries,
            Err(error) => return self.failed(folder.path.clone(), &error),
        };
        for entry in entries {
            match entry {
                Ok(entry) if entry.file_name().as_encoded_bytes().starts_with(b".") => {}
                Ok(entry) => self.entry(&entry, folder.depth + 1),
                Err(error) => return self.failed(folder.path.clone(), &error),
            }
        }
    }

    fn entry(&mut self, entry: &fs::DirEntry, depth: usize) {
        let here = Folder {
            path: entry.path(),
            depth,
        };
        let is_link = entry.file_type().is_ok_and(|file_type| file_type.is_symlink());
        if !is_link && syntax_of(&here.path).is_none() && entry.file_type().is_ok_and(|file_type| file_type.is_file()) {
            return;
        }
        match fs::metadata(&here.path) {
            Err(error) => self.failed(here.path, &error),
            Ok(metadata) if is_link => self.links.push((here, metadata)),
            Ok(metadata) if metadata.is_dir() => {
                self.seen_folders.insert(identity(&metadata));
                self.folders.push(here);
            }
            Ok(metadata) => self.file(here.path, &metadata),
        }
    }

    fn follow(&mut self, link: Folder, metadata: &Metadata) {
        if metadata.is_dir() {
            if self.seen_folders.insert(identity(metadata)) {
                self.folders.push(link);
            }
        } else if !self.seen_files.contains(&identity(metadata)) {
            self.file(link.path, metadata);
        }
    }

    fn file(&mut self, path: PathBuf, metadata: &Metadata) {
        // Whatever else bears such a name, a pipe or a device, could block the reader.
        if let (Some(syntax), true) = (syntax_of(&path), metadata.is_file()) {
            self.seen_files.insert(identity(metadata));
            let fingerprint = Fingerprint::of(metadata);
            self.scan.files.push(Found {
                path: path.into(),
                syntax,
                fingerprint,
            });
        }
    }

    fn failed(&mut self, path: PathBuf, error: &io::Error) {
        // What vanished meanwhile, or a link to nothing, is simply not there.
        if error.kind() != io::ErrorKind::NotFound {
            self.scan.unreadable.push((path, format!("cannot be read: {error}")));
        }
    }
}

fn identity(metadata: &Metadata) -> (u64, u64) {
    (metadata.dev(), metadata.ino())
}

fn syntax_of(path: &Path) -> Option<Syntax> {
    match path.extension()?.to_str()? {
        "yaml" | "yml" => Some(Syntax::Yaml),
        "json" => Some(Syntax::Json),
        _ => None,
    }
}
