//! Sees the annotations of Warehouses change, by one watch for whoever changes them; it changes nothing.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};

use crate::api::Api;
use crate::metadata::Event;

/// For all of a round, on a busy machine.
const PATIENCE: Duration = Duration::from_secs(300);

/// What a watch has seen.
pub struct Effects(Arc<Seen>);

#[derive(Default)]
struct Seen {
    changes: Mutex<Changes>,
    more: Condvar,
}

#[derive(Default)]
struct Changes {
    /// The token that each Warehouse has.
    tokens: HashMap<String, String>,
    /// Those whose token is another one than it was.
    changed: HashSet<String>,
    /// When the last of them was seen.
    last: Option<Instant>,
    /// Why there will be no more.
    ended: Option<String>,
}

impl Effects {
    /// Begins to watch the Warehouses below `path`. It ends with the process.
    pub fn watch(api: &Api, path: &str) -> Result<Self> {
        let list = api.connect()?.ask(&format!("{path}?limit=1"))?;
        let version = list["metadata"]["resourceVersion"].as_str().map(str::to_owned);
        let mut version = version.context("a list without a version")?;
        let seen = Arc::new(Seen::default());
        let (seeing, api, path) = (seen.clone(), api.clone(), path.to_owned());
        thread::spawn(move || {
            let why = loop {
                // An API server that has just got its kinds ends watches now and then; what came meanwhile is not lost.
                if let Err(error) = seeing.follow(&api, &path, &mut version) {
                    break format!("{error:#}");
                }
            };
            seeing.change(|changes| changes.ended = Some(why));
        });
        Ok(Self(seen))
    }

    /// Forgets what has changed so far.
    pub fn forget(&self) {
        self.0.change(|changes| changes.changed.clear());
    }

    /// Waits until so many Warehouses have changed since the last [`forget`](Self::forget). Returns when the last was seen.
    pub fn all(&self, count: usize) -> Result<Instant> {
        let changes = self.0.changes.lock().unwrap_or_else(PoisonError::into_inner);
        let waiting = |changes: &mut Changes| changes.changed.len() < count && changes.ended.is_none();
        let (changes, _) = self
            .0
            .more
            .wait_timeout_while(changes, PATIENCE, waiting)
            .unwrap_or_else(PoisonError::into_inner);
        if let Some(why) = &changes.ended {
            bail!("the watch for effects has ended: {why}");
        }
        match changes.last {
            Some(last) if changes.changed.len() >= count => Ok(last),
            _ => bail!(
                "{} of {count} annotations came within {PATIENCE:?}",
                changes.changed.len()
            ),
        }
    }
}

impl Seen {
    /// Watches until the API server ends that, from a version on that is kept current.
    fn follow(&self, api: &Api, path: &str, from: &mut String) -> Result<()> {
        let path = format!("{path}?watch=1&resourceVersion={from}");
        api.connect()?.watch(&path, |event| {
            from.clone_from(&event.version);
            self.note(&event);
        })
    }

    fn note(&self, event: &Event) {
        let Some(token) = event.annotations.get("kargo.akuity.io/refresh") else {
            return;
        };
        let name = &event.name;
        self.change(|changes| {
            if changes.tokens.get(name).is_some_and(|known| known == token) {
                return;
            }
            changes.tokens.insert(name.clone(), token.clone());
            changes.changed.insert(name.clone());
            changes.last = Some(Instant::now());
        });
    }

    fn change(&self, change: impl FnOnce(&mut Changes)) {
        change(&mut self.changes.lock().unwrap_or_else(PoisonError::into_inner));
        self.more.notify_all();
    }
}
