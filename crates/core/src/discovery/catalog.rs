//! Decides what is known of one repository: which tags, what they pointed at, and when that was seen.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;

use jiff::Timestamp;

use super::manifest::{Facts, Unusable};
use crate::artifact::{Digest, Tag};

/// What discovery saw of one repository, with one way of access.
#[derive(Clone, Debug, Default)]
pub struct Catalog {
    /// When the last complete listing began; `None` before the first.
    pub listed: Option<Timestamp>,
    /// Every tag that is known to exist, with what was seen of it, if it was looked at.
    pub tags: BTreeMap<Tag, Option<Observation>>,
    /// Tags that were looked for in vain, and when the look began.
    pub absent: BTreeMap<Tag, Timestamp>,
    /// What is known by digest. Content under a digest never changes, so it is fetched once.
    pub contents: HashMap<Digest, Arc<Seen>>,
}

/// One look at a tag.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Observation {
    /// What the tag pointed at.
    pub digest: Digest,
    /// When the look began: whatever was pushed before then is included.
    pub seen: Timestamp,
}

/// What a digest holds.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Seen {
    /// A container image or an index of some.
    Image(Facts),
    /// Something that cannot be deployed as an image.
    Unusable(Unusable),
}

impl Catalog {
    /// What the tag was last seen to hold; `None` if it is unknown or was never looked at.
    pub fn seen(&self, tag: &Tag) -> Option<(&Digest, &Seen)> {
        let observation = self.tags.get(tag)?.as_ref()?;
        Some((&observation.digest, self.contents.get(&observation.digest)?.as_ref()))
    }

    /// Whether a look at the tag that began at `since` or later is on record, in vain or not. A look from the future was
    /// noted by a clock that has been set back since: it says nothing about when it was.
    pub fn looked_since(&self, tag: &Tag, since: Timestamp, now: Timestamp) -> bool {
        let seen = self
            .tags
            .get(tag)
            .and_then(Option::as_ref)
            .map(|observation| observation.seen);
        seen.max(self.absent.get(tag).copied())
            .is_some_and(|looked| (since..=now).contains(&looked))
    }

    /// Whether a complete listing that began after `since` is on record; again, not one from the future.
    pub fn listed_after(&self, since: Timestamp, now: Timestamp) -> bool {
        self.listed.is_some_and(|listed| since < listed && listed <= now)
    }

    /// Notes what a look found. Where nothing is ever listed, because one tag alone is followed, a tag that has moved is when what it
    /// held before is forgotten; returns that.
    pub fn note(&mut self, tag: Tag, digest: Digest, content: Arc<Seen>, seen: Timestamp) -> Vec<Digest> {
        self.contents.entry(digest.clone()).or_insert(content);
        self.absent.remove(&tag);
        let observation = Observation { digest, seen };
        let before = self.tags.insert(tag.clone(), Some(observation)).flatten();
        let has_moved = before.is_some_and(|before| self.seen(&tag).is_some_and(|(now, _)| *now != before.digest));
        match has_moved && self.listed.is_none() {
            true => self.forget_unnamed(),
            false => Vec::new(),
        }
    }

    /// Notes that a look found no such tag.
    pub fn note_absent(&mut self, tag: &Tag, seen: Timestamp) {
        self.tags.remove(tag);
        self.absent.insert(tag.clone(), seen);
    }

    /// Takes a complete listing over, which began at `began`: tags that it lacks are gone, unless a look saw them after
    /// the listing had begun. Tags that it has are absent no longer, or a choice would wait for them without end. Returns what it
    /// knew by digest and forgets now, since no tag points at it any more: with every push that moves a tag there is more of it.
    pub fn take_listing(&mut self, listed: impl IntoIterator<Item = Tag>, began: Timestamp) -> Vec<Digest> {
        let mut tags: BTreeMap<Tag, Option<Observation>> = listed.into_iter().map(|tag| (tag, None)).collect();
        self.absent.retain(|tag, _| !tags.contains_key(tag));
        for (tag, observation) in std::mem::take(&mut self.tags) {
            let fresh = observation
                .as_ref()
                .is_some_and(|observation| observation.seen >= began);
            match tags.get_mut(&tag) {
                Some(known) => *known = observation,
                None if fresh => {
                    tags.insert(tag, observation);
                }
                None => {}
            }
        }
        self.tags = tags;
        self.listed = Some(began);
        self.forget_unnamed()
    }

    fn forget_unnamed(&mut self) -> Vec<Digest> {
        let named: HashSet<&Digest> = self.tags.values().flatten().map(|seen| &seen.digest).collect();
        let is_unnamed = |digest: &Digest, _: &mut Arc<Seen>| !named.contains(digest);
        self.contents.extract_if(is_unnamed).map(|(digest, _)| digest).collect()
    }

    /// Takes over what somebody else saw meanwhile: of each tag, the later look counts, and of two listings the later one.
    pub fn learn(&mut self, other: Self) {
        if let Some(listed) = other.listed.filter(|listed| self.listed < Some(*listed)) {
            let seen_since = |observation: &Option<Observation>| observation.as_ref().is_some_and(|o| o.seen >= listed);
            self.tags
                .retain(|tag, observation| other.tags.contains_key(tag) || seen_since(observation));
            self.listed = Some(listed);
        }
        for (tag, theirs) in other.tags {
            let told = theirs.as_ref().map(|observation| observation.seen).max(other.listed);
            if self.absent.get(&tag).is_some_and(|absent| Some(*absent) >= told) {
                continue;
            }
            self.absent.remove(&tag);
            let ours = self.tags.entry(tag).or_default();
            if ours.as_ref().map(|observation| observation.seen) < theirs.as_ref().map(|observation| observation.seen) {
                *ours = theirs;
            }
        }
        for (digest, content) in other.contents {
            self.contents.entry(digest).or_insert(content);
        }
    }
}
