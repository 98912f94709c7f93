//! Keeps what each Warehouse's object says of refreshes, beside the snapshot: it changes with every push, and nothing that a
//! snapshot is made of does.

use std::collections::{HashMap, HashSet};
use std::sync::{Mutex, MutexGuard, PoisonError};

use landfall_core::refresh::Progress;
use landfall_core::resource::status::WarehouseStatus;
use landfall_core::resource::{Kind, ResourceKey};
use landfall_core::target::Target;
use tokio::sync::Notify;

use super::feed::{Feed, Report};
use super::object::{Outcome, Read};

/// What is known of each Warehouse, for one who follows it.
#[derive(Debug, Default)]
pub struct Progresses {
    held: Mutex<Held>,
    woken: Notify,
}

#[derive(Debug, Default)]
struct Held {
    known: HashMap<Target, Progress>,
    changed: HashSet<Target>,
}

impl Progresses {
    /// What is known of a Warehouse; absent where it does not exist, or cannot be used.
    pub fn of(&self, target: &Target) -> Option<Progress> {
        self.lock().known.get(target).cloned()
    }

    /// All Warehouses.
    pub fn targets(&self) -> Vec<Target> {
        self.lock().known.keys().cloned().collect()
    }

    /// Waits until there is something new, and tells of which Warehouses.
    pub async fn changed(&self) -> Vec<Target> {
        loop {
            let woken = self.woken.notified();
            let changed = std::mem::take(&mut self.lock().changed);
            if !changed.is_empty() {
                return changed.into_iter().collect();
            }
            woken.await;
        }
    }

    /// Takes in what a feed reports.
    pub(super) fn take(&self, feed: &Feed, report: &Report) {
        let Feed::Kind {
            kind: Kind::Warehouse,
            namespace,
        } = feed
        else {
            return;
        };
        match report {
            Report::Listed(objects) => {
                self.remaining(namespace.as_deref(), objects.iter().map(|read| &read.key));
                for read in objects {
                    self.put(read);
                }
            }
            Report::Remaining(keys) => self.remaining(namespace.as_deref(), keys),
            Report::Changed(read) => self.put(read),
            Report::Progressed(key, progress) => {
                if let Some(target) = target(key) {
                    self.learn(&target, progress.clone());
                }
            }
            Report::Gone(key) => {
                if let Some(target) = target(key) {
                    self.drop_target(target);
                }
            }
            Report::SecretsRead(..) | Report::Trouble(_) | Report::Well => {}
        }
    }

    /// Learns what an object says of refreshes, from a watch, or from its own mouth what a watch will tell later. What a watch has not told
    /// of, or has told the end of, it tells of alone; so it does of a new spec, which may be one that cannot be used.
    pub(super) fn learn(&self, target: &Target, mut progress: Progress) {
        let held = self.lock();
        if let Some(known) = held.known.get(target) {
            if known.uid == progress.uid {
                progress.generation = known.generation;
            }
            self.note(held, target, progress);
        }
    }

    fn note(&self, mut held: MutexGuard<'_, Held>, target: &Target, progress: Progress) {
        if held.known.get(target) == Some(&progress) {
            return;
        }
        held.known.insert(target.clone(), progress);
        held.changed.insert(target.clone());
        drop(held);
        self.woken.notify_one();
    }

    /// A refresh was asked for by annotations that said what was there `before`. Of whatever else has changed since, a watch tells.
    pub(super) fn asked(&self, target: &Target, before: &Progress, token: &str, hints: String) {
        let mut held = self.lock();
        if let Some(known) = held.known.get_mut(target)
            && known.uid == before.uid
            && known.seen().token == before.seen().token
        {
            known.is_annotated = true;
            known.token = Some(token.to_owned());
            known.hints = Some(hints);
            held.changed.insert(target.clone());
            drop(held);
            self.woken.notify_one();
        }
    }

    /// What was looked at is written into the status of this object.
    pub fn answered(&self, target: &Target, uid: &str, written: &WarehouseStatus) {
        if let Some(known) = self.lock().known.get_mut(target)
            && known.uid == uid
        {
            known.handled.clone_from(&written.last_handled_refresh);
            known.observed_generation = known.observed_generation.max(written.observed_generation);
            let discovered = written.discovered_artifacts.as_ref();
            known.discovered_at = discovered.and_then(|artifacts| artifacts.discovered_at);
        }
    }

    /// Drops what is there no more, of a namespace or of all.
    fn remaining<'a>(&self, namespace: Option<&str>, keys: impl IntoIterator<Item = &'a ResourceKey>) {
        let remaining: HashSet<Target> = keys.into_iter().filter_map(target).collect();
        let is_gone =
            |target: &&Target| namespace.is_none_or(|own| own == target.project()) && !remaining.contains(*target);
        let gone: Vec<Target> = self.lock().known.keys().filter(is_gone).cloned().collect();
        for target in gone {
            self.drop_target(target);
        }
    }

    fn put(&self, read: &Read) {
        let (Some(target), Some(progress)) = (target(&read.key), &read.progress) else {
            return;
        };
        match &read.outcome {
            Outcome::Usable(_) => self.note(self.lock(), &target, progress.clone()),
            // What cannot be used leaves its last good state in force, and what is asked for of that.
            Outcome::Unusable => self.learn(&target, progress.clone()),
            Outcome::Idle => {}
        }
    }

    fn drop_target(&self, target: Target) {
        let mut held = self.lock();
        held.known.remove(&target);
        held.changed.insert(target);
        drop(held);
        self.woken.notify_one();
    }

    fn lock(&self) -> MutexGuard<'_, Held> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn target(key: &ResourceKey) -> Option<Target> {
    Some(Target::Warehouse {
        namespace: key.namespace.clone()?,
        name: key.name.clone(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn api() -> ResourceKey {
        ResourceKey {
            kind: Kind::Warehouse,
            namespace: Some("shop".to_owned()),
            name: "api".to_owned(),
        }
    }

    fn progress(generation: i64, token: &str) -> Progress {
        Progress {
            uid: "1".to_owned(),
            generation,
            token: Some(token.to_owned()),
            ..Progress::default()
        }
    }

    /// A spec that cannot be used is as if it were not there, and nobody waits for it to be in force.
    #[test]
    fn a_spec_comes_into_force_by_being_usable_alone() {
        let progresses = Progresses::default();
        let all = Feed::Kind {
            kind: Kind::Warehouse,
            namespace: None,
        };
        let said = |progress: Progress| progresses.take(&all, &Report::Progressed(api(), progress));
        let target = target(&api()).unwrap();
        said(progress(1, "a"));
        assert_eq!(progresses.of(&target), None);
        progresses.note(progresses.lock(), &target, progress(1, "a"));
        said(progress(2, "b"));
        assert_eq!(progresses.of(&target), Some(progress(1, "b")));
        progresses.learn(&target, progress(2, "c"));
        assert_eq!(progresses.of(&target), Some(progress(1, "c")));
    }
}
