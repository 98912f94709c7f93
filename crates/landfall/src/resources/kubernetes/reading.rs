//! Makes reports of what a watch says. It remembers what each object was read from last, and reads no object again that has come
//! as it was: every annotation that we write ourselves comes back so.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::hash::{BuildHasher as _, RandomState};

use kube::runtime::watcher::Event;
use landfall_core::resource::{Kind, ResourceKey};

use super::feed::Report;
use super::object::{Object, Outcome, Read, Status, generation, key, read, read_from};
use super::refreshes::progress;

/// What tells that an object is the one that was read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Identity {
    /// Everything in it that counts.
    Content,
    /// Its metadata: the API server counts the changes of its spec. So it can be told without the spec, too.
    Generation,
    /// Nothing: what counts is its status, which changes all the time.
    Nothing,
}

/// What was read of one watch so far.
pub(super) struct Reading {
    kind: Kind,
    identity: Identity,
    /// What there is, while that is being told.
    listed: Vec<Read>,
    /// The same, where metadata alone tell it: all that there is, and what of it is another thing now.
    remaining: BTreeSet<ResourceKey>,
    unread: Vec<ResourceKey>,
    /// What each object was read from last, by the hash of its name. These are hashes of 64 bits under a key that nobody knows: that
    /// one changes and its hash stays, no watch lives to see.
    read_from: HashMap<u64, u64>,
    hashes: RandomState,
}

/// What an event tells.
#[derive(Debug)]
pub(super) struct Told {
    pub report: Report,
    /// What has to be read as a whole.
    pub unread: Vec<ResourceKey>,
}

impl Reading {
    /// Nothing is known of objects of `kind`.
    pub(super) fn new(kind: Kind, identity: Identity) -> Self {
        Self {
            kind,
            identity,
            listed: Vec::new(),
            remaining: BTreeSet::new(),
            unread: Vec::new(),
            read_from: HashMap::new(),
            hashes: RandomState::new(),
        }
    }

    /// What an event reports; nothing while it is told what there is. Where nothing is another thing now, all goes well.
    pub(super) fn report<S: Status>(&mut self, event: Event<Object<S>>) -> Option<Report> {
        match event {
            Event::Init => {
                self.listed.clear();
                self.read_from.clear();
                None
            }
            Event::InitApply(object) => {
                let read = self.read(object);
                self.listed.push(read);
                None
            }
            Event::InitDone => Some(Report::Listed(std::mem::take(&mut self.listed))),
            Event::Apply(object) if self.is_as_it_was(&object) => Some(match progress(&object) {
                Some(progress) => Report::Progressed(key(self.kind, &object), progress),
                None => Report::Well,
            }),
            Event::Apply(object) => Some(Report::Changed(Box::new(self.read(object)))),
            Event::Delete(object) => Some(self.gone(&object)),
        }
    }

    /// What an event tells; nothing while it is told what there is. Of what is another thing now, metadata tell that it is to be read.
    pub(super) fn take<S: Status>(&mut self, event: Event<Object<S>>, is_metadata: bool) -> Option<Told> {
        let unread = Vec::new();
        match is_metadata {
            true => self.glance(event),
            false => self.report(event).map(|report| Told { report, unread }),
        }
    }

    fn glance<S: Status>(&mut self, event: Event<Object<S>>) -> Option<Told> {
        let mut unread = Vec::new();
        let report = match event {
            Event::Init => {
                self.remaining.clear();
                self.unread.clear();
                return None;
            }
            Event::InitApply(object) => {
                let key = key(self.kind, &object);
                if !self.is_as_it_was(&object) {
                    self.unread.push(key.clone());
                }
                self.remaining.insert(key);
                return None;
            }
            Event::InitDone => {
                let remaining = std::mem::take(&mut self.remaining);
                let names: HashSet<u64> = remaining
                    .iter()
                    .map(|key| self.name(&key.namespace, &key.name))
                    .collect();
                self.read_from.retain(|name, _| names.contains(name));
                unread = std::mem::take(&mut self.unread);
                Report::Remaining(remaining)
            }
            Event::Apply(object) => {
                if !self.is_as_it_was(&object) {
                    unread.push(key(self.kind, &object));
                }
                Report::Well
            }
            Event::Delete(object) => self.gone(&object),
        };
        Some(Told { report, unread })
    }

    fn gone<S>(&mut self, object: &Object<S>) -> Report {
        self.read_from.remove(&self.name_of(object));
        Report::Gone(key(self.kind, object))
    }

    fn read<S: Status>(&mut self, object: Object<S>) -> Read {
        let (name, made_from) = (self.name_of(&object), self.made_from(&object));
        let read = read(self.kind, object);
        // What cannot be used leaves in force what was said before. Where objects come whole, whatever comes next is read, even if it is
        // the same as either. Where one has to be asked for, it is asked for again when it has changed.
        let is_known = self.identity == Identity::Generation || read.outcome != Outcome::Unusable;
        match made_from.filter(|_| is_known) {
            Some(made_from) => self.read_from.insert(name, made_from),
            None => self.read_from.remove(&name),
        };
        read
    }

    fn is_as_it_was<S: Status>(&self, object: &Object<S>) -> bool {
        let known = self.read_from.get(&self.name_of(object));
        known.is_some() && known == self.made_from(object).as_ref()
    }

    fn name_of<S>(&self, object: &Object<S>) -> u64 {
        let metadata = &object.metadata;
        self.name(&metadata.namespace, metadata.name.as_deref().unwrap_or_default())
    }

    fn name(&self, namespace: &Option<String>, name: &str) -> u64 {
        self.hashes.hash_one((namespace, name))
    }

    /// Nothing where nothing tells it.
    fn made_from<S: Status>(&self, object: &Object<S>) -> Option<u64> {
        match self.identity {
            Identity::Content => Some(self.hashes.hash_one(read_from(self.kind, object))),
            Identity::Generation => Some(self.hashes.hash_one(generation(object)?)),
            Identity::Nothing => None,
        }
    }
}

#[cfg(test)]
mod tests;
