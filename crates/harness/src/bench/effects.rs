//! Sees the annotations of Warehouses change, by one watch for whoever changes them; it changes nothing.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};
use serde_json::Value;

use crate::api::Api;

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
        let mut version = version(&list).context("a list without a version")?;
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
        let mut failed = None;
        api.connect()?.watch(&path, |event| {
            match version(&event["object"]) {
                Some(version) => *from = version,
                None => failed = Some(event.to_string()),
            }
            self.note(&event);
        })?;
        failed.map_or(Ok(()), |event| bail!("the watch says {event}"))
    }

    fn note(&self, event: &Value) {
        let metadata = &event["object"]["metadata"];
        let name = metadata["name"].as_str().unwrap_or_default();
        let Some(token) = metadata["annotations"]["kargo.akuity.io/refresh"].as_str() else {
            return;
        };
        self.change(|changes| {
            if changes.tokens.get(name).is_some_and(|known| known == token) {
                return;
            }
            changes.tokens.insert(name.to_owned(), token.to_owned());
            changes.changed.insert(name.to_owned());
            changes.last = Some(Instant::now());
        });
    }

    fn change(&self, change: impl FnOnce(&mut Changes)) {
        change(&mut self.changes.lock().unwrap_or_else(PoisonError::into_inner));
        self.more.notify_all();
    }
}

fn version(of: &Value) -> Option<String> {
    of["metadata"]["resourceVersion"].as_str().map(str::to_owned)
}
