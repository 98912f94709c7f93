//! Knows the secrets of the door by type, wherever they come from, and notices when one changes. It must not know what a
//! delivery is.

mod file;
mod names;

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use landfall_core::receiver::{Receiver, Sender};
use landfall_core::resource::{Resource, Secret};
use landfall_core::secret::{SecretAge, SecretBytes, Secrets};
use tokio::sync::watch;

use crate::resources::Snapshot;

pub use names::{SECRET, SecretName};

/// How often files are read again. Mounted Secrets change by links that are swapped; reading a few short files costs less than
/// watching whatever they lead through, and is the same on every volume.
const LOOK_AGAIN: Duration = Duration::from_millis(500);

/// Where the secrets come from. What is not named here comes from the Secret, where there is one.
#[derive(Clone)]
pub struct SecretSources {
    pub named: BTreeMap<SecretName, Source>,
    pub without: Without,
    /// Where the Secret is looked for first.
    pub namespace: Option<String>,
}

/// Where one secret comes from.
#[derive(Clone)]
pub enum Source {
    /// A flag or the environment: it stays the same until the next start.
    Said(SecretBytes),
    /// A file, which may change.
    File(PathBuf),
}

/// What becomes of senders without a secret.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Without {
    /// They are not served.
    Closed,
    /// Whoever asks is believed.
    Open,
}

/// A file that a secret was to come from.
#[derive(Debug, thiserror::Error)]
#[error("--{flag} {}: {problem}", path.display())]
pub struct FileError {
    flag: String,
    path: PathBuf,
    problem: String,
}

/// The secrets, as they are now.
pub struct WebhookSecrets {
    sources: SecretSources,
    /// What the files say, or the last that they said.
    files: ArcSwap<BTreeMap<SecretName, SecretBytes>>,
}

impl WebhookSecrets {
    /// Reads the files. Each has to be there, except those of previous secrets, which are gone once a rotation is over.
    pub fn open(sources: SecretSources) -> Result<Self, FileError> {
        let mut files = BTreeMap::new();
        for (name, path) in sources.files() {
            let wrong = |problem: String| FileError {
                flag: name.file_flag(),
                path: path.to_owned(),
                problem,
            };
            match file::read(path).map_err(|error| wrong(error.to_string()))? {
                Some(secret) => drop(files.insert(name, secret)),
                None if name.age == SecretAge::Previous => {}
                None => return Err(wrong("there is no such file, or nothing in it".to_owned())),
            }
        }
        let files = ArcSwap::from_pointee(files);
        Ok(Self { sources, files })
    }

    /// Follows the files from now on. What is received tells that something in them has changed.
    pub fn follow(self: &Arc<Self>) -> watch::Receiver<()> {
        let (sender, receiver) = watch::channel(());
        if self.sources.files().next().is_some() {
            let secrets = self.clone();
            tokio::spawn(async move {
                let mut told = BTreeSet::new();
                while !sender.is_closed() {
                    tokio::time::sleep(LOOK_AGAIN).await;
                    if secrets.look(&mut told) {
                        sender.send_replace(());
                    }
                }
            });
        }
        receiver
    }

    /// Reads the files again; says whether a secret is another one now. A file that cannot be read, or says nothing, leaves the
    /// last secret in force: a sender must not be turned away because a volume is being written. It is told of once.
    fn look(&self, told: &mut BTreeSet<SecretName>) -> bool {
        let before = self.files.load_full();
        let mut files = BTreeMap::clone(&before);
        for (name, path) in self.sources.files() {
            let problem = match file::read(path) {
                Ok(Some(secret)) => {
                    files.insert(name, secret);
                    told.remove(&name);
                    continue;
                }
                Ok(None) if name.age == SecretAge::Previous => {
                    files.remove(&name);
                    told.remove(&name);
                    continue;
                }
                Ok(None) => "there is no such file, or nothing in it".to_owned(),
                Err(error) => error.to_string(),
            };
            if told.insert(name) {
                let (flag, file) = (name.file_flag(), path.display());
                tracing::error!(%file, problem, "--{flag}: the last secret stays in force");
            }
        }
        let changed = files != *before;
        self.files.store(Arc::new(files));
        changed
    }

    /// The receivers of the door by type. `snapshot` may have the Secret.
    pub fn receivers(&self, snapshot: &Snapshot) -> HashMap<Sender, Receiver> {
        let secret = self.secret(snapshot);
        Sender::by_type()
            .filter_map(|(sender, _)| {
                let of = |age| self.value(SecretName { sender, age }, secret);
                let receiver = match (of(SecretAge::Current), of(SecretAge::Previous)) {
                    (Some(current), Some(previous)) => Receiver::by_type(sender, Secrets::rotating(current, previous)),
                    // A previous secret alone is as good as a current one: nothing is gained by turning its senders away.
                    (Some(only), None) | (None, Some(only)) => Receiver::by_type(sender, Secrets::only(only)),
                    (None, None) if self.sources.without == Without::Open => Receiver::open_by_type(sender),
                    (None, None) => return None,
                };
                Some((sender, receiver))
            })
            .collect()
    }

    fn value(&self, name: SecretName, secret: Option<&Secret>) -> Option<SecretBytes> {
        match self.sources.named.get(&name) {
            Some(Source::Said(secret)) => Some(secret.clone()),
            Some(Source::File(_)) => self.files.load().get(&name).cloned(),
            None => file::secret(secret?.data.get(&name.key())?.expose()),
        }
    }

    /// The Secret of our own namespace, or else the first.
    fn secret<'s>(&self, snapshot: &'s Snapshot) -> Option<&'s Secret> {
        let secrets = || {
            let resources = snapshot.resources.values().map(|loaded| &loaded.resource);
            resources.filter_map(|resource| match resource {
                Resource::Secret(secret) if secret.metadata.name == SECRET => Some(&**secret),
                _ => None,
            })
        };
        let ours = secrets().find(|secret| secret.metadata.namespace == self.sources.namespace);
        ours.or_else(|| secrets().next())
    }
}

impl SecretSources {
    fn files(&self) -> impl Iterator<Item = (SecretName, &Path)> {
        self.named.iter().filter_map(|(name, source)| match source {
            Source::File(path) => Some((*name, path.as_path())),
            Source::Said(_) => None,
        })
    }
}

#[cfg(test)]
mod tests;
