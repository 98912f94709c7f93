//! Makes reports of what a watch says. It remembers what each object was read from last, and reads no object again that has come
//! as it was: every annotation that we write ourselves comes back so.

use std::collections::HashMap;
use std::hash::{BuildHasher as _, RandomState};

use kube::runtime::watcher::Event;
use landfall_core::resource::Kind;

use super::feed::Report;
use super::object::{Object, Outcome, Read, Status, key, read, read_from};
use super::refreshes::progress;

/// What was read of one watch so far.
pub(super) struct Reading {
    kind: Kind,
    /// What there is, while that is being told.
    listed: Vec<Read>,
    /// What each object was read from last, by the hash of its name. These are hashes of 64 bits under a key that nobody knows: that
    /// one changes and its hash stays, no watch lives to see.
    read_from: HashMap<u64, u64>,
    hashes: RandomState,
}

impl Reading {
    /// Nothing is known of objects of `kind`.
    pub(super) fn new(kind: Kind) -> Self {
        Self {
            kind,
            listed: Vec::new(),
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
            Event::Delete(object) => {
                self.read_from.remove(&self.name_of(&object));
                Some(Report::Gone(key(self.kind, &object)))
            }
        }
    }

    fn read<S: Status>(&mut self, object: Object<S>) -> Read {
        let (name, made_from) = (self.name_of(&object), self.made_from(&object));
        let read = read(self.kind, object);
        // What cannot be used leaves in force what was said before. Whatever comes next is read, even if it is the same as either.
        match made_from.filter(|_| read.outcome != Outcome::Unusable) {
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
        self.hashes.hash_one((&metadata.namespace, &metadata.name))
    }

    /// Nothing of objects whose status counts.
    fn made_from<S: Status>(&self, object: &Object<S>) -> Option<u64> {
        (!S::IS_READ).then(|| self.hashes.hash_one(read_from(self.kind, object)))
    }
}

#[cfg(test)]
mod tests;
