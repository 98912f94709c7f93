//! Decides when to look at a folder again, and publishes what it says; it must not know what manifests are.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::thread;
use std::time::{Duration, Instant};

use notify::event::{AccessKind, AccessMode};
use notify::{Event, EventKind, RecommendedWatcher, RecursiveMode, Watcher as _};
use tokio::sync::watch;

use super::{FolderError, ManifestFolder, Snapshot};
use crate::resources::report;

/// One save makes several events, and a swapped volume a dozen: the folder is read when this long nothing more happens.
const QUIET: Duration = Duration::from_millis(100);

/// A folder that never becomes quiet is read this long after the first event nevertheless.
const PATIENCE: Duration = Duration::from_millis(500);

/// Not every volume tells of its changes, so the folder is looked at this often anyway.
const POLL: Duration = Duration::from_secs(5);

/// Opens a folder, and keeps the snapshot current from then on. Problems are logged as they appear. The first load blocks on the
/// file system; all others run on a thread of their own, which ends once every receiver is dropped.
pub fn watch(root: impl Into<PathBuf>) -> Result<watch::Receiver<Arc<Snapshot>>, FolderError> {
    let root = root.into();
    let (wake, woken) = sync_channel(1);
    let folder = ManifestFolder::open(&root)?;
    let eye = Eye::open(&root, wake.clone());
    // What happened between the load and the watch was seen by neither, so there is a second look at once.
    let _ = wake.try_send(());
    let snapshot = folder.snapshot();
    report(&[], &snapshot.problems);
    let (sender, receiver) = watch::channel(snapshot);
    let follower = Follower {
        folder,
        eye,
        wake,
        sender,
    };
    let spawned = thread::Builder::new()
        .name("manifests".to_owned())
        .spawn(move || follower.run(&woken));
    spawned.map_err(|source| FolderError::Unreadable { path: root, source })?;
    Ok(receiver)
}

struct Follower {
    folder: ManifestFolder,
    eye: Eye,
    wake: SyncSender<()>,
    sender: watch::Sender<Arc<Snapshot>>,
}

impl Follower {
    fn run(mut self, woken: &Receiver<()>) {
        let mut next_poll = Instant::now() + POLL;
        while !self.sender.is_closed() {
            match woken.recv_timeout(next_poll.saturating_duration_since(Instant::now())) {
                Ok(()) => settle(woken),
                Err(RecvTimeoutError::Timeout) => next_poll = Instant::now() + POLL,
                Err(RecvTimeoutError::Disconnected) => return,
            }
            self.eye.renew(self.folder.root(), &self.wake);
            self.look();
        }
    }

    fn look(&mut self) {
        let before = self.folder.snapshot();
        let snapshot = self.folder.reload();
        if !Arc::ptr_eq(&before, &snapshot) {
            report(&before.problems, &snapshot.problems);
            self.sender.send_replace(snapshot);
        }
    }
}

/// Waits until nothing happens any more, but not forever.
fn settle(woken: &Receiver<()>) {
    let deadline = Instant::now() + PATIENCE;
    while Instant::now() < deadline {
        if woken.recv_timeout(QUIET).is_err() {
            return;
        }
    }
}

/// The system's notifications for one folder.
struct Eye {
    /// Held for what it does while it lives; `None` where the system tells nothing.
    _watcher: Option<RecommendedWatcher>,
    /// The folder that is watched. A folder that is replaced by another of the same name has to be watched anew.
    folder: Option<FolderIdentity>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct FolderIdentity {
    device: u64,
    inode: u64,
}

impl Eye {
    fn open(root: &Path, wake: SyncSender<()>) -> Self {
        let folder = FolderIdentity::of(root);
        let watcher = notify::recommended_watcher(move |event: notify::Result<Event>| {
            if event.as_ref().map_or(true, is_change) {
                // A full channel means that somebody is about to look already.
                let _ = wake.try_send(());
            }
        })
        .and_then(|mut watcher| watcher.watch(root, RecursiveMode::Recursive).map(|()| watcher));
        let watcher = watcher
            .inspect_err(|error| {
                tracing::warn!(
                    folder = %root.display(),
                    "the system does not tell of changes in the folder, which is now looked at every {} seconds: {error}",
                    POLL.as_secs()
                );
            })
            .ok();
        Self {
            _watcher: watcher,
            folder,
        }
    }

    /// Watches anew where the folder is another one by now.
    fn renew(&mut self, root: &Path, wake: &SyncSender<()>) {
        let folder = FolderIdentity::of(root);
        if folder != self.folder {
            *self = match folder {
                Some(_) => Self::open(root, wake.clone()),
                None => Self {
                    _watcher: None,
                    folder: None,
                },
            };
        }
    }
}

impl FolderIdentity {
    fn of(root: &Path) -> Option<Self> {
        use std::os::unix::fs::MetadataExt as _;
        let metadata = std::fs::metadata(root).ok()?;
        Some(Self {
            device: metadata.dev(),
            inode: metadata.ino(),
        })
    }
}

/// Reading is no change, and we read ourselves.
fn is_change(event: &Event) -> bool {
    match event.kind {
        EventKind::Access(kind) => kind == AccessKind::Close(AccessMode::Write),
        _ => true,
    }
}
