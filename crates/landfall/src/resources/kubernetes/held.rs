//! Holds what an API server said last, feed by feed, and says it as one snapshot. It asks for nothing, and what it does not
//! hear of stays as it was.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use landfall_core::resource::{Kind, ReceiverKind, ReceiverSpec, Resource, ResourceKey};

use super::failure::Failure;
use super::feed::{Feed, Report};
use super::object::{Outcome, Read};
use crate::resources::{Known, Loaded, Origin, Problem, ProblemKind, Snapshot};

/// Everything that is known.
#[derive(Debug, Default)]
pub(super) struct Held {
    feeds: BTreeMap<Feed, Heard>,
    /// Shared with the last snapshot until something changes.
    resources: Arc<BTreeMap<ResourceKey, Arc<Loaded>>>,
    problems: BTreeMap<ResourceKey, Vec<Problem>>,
    /// Of what the feeds have answered once.
    known: Known,
}

/// What was heard of a feed.
#[derive(Debug, Default)]
struct Heard {
    /// Whether it has said at least once what there is.
    answered: bool,
    trouble: Option<Failure>,
    /// How often in a row a right was missing.
    refusals: u32,
}

/// An API server that has just started refuses everybody for a second or two, until it knows the rules. A right that is still missing
/// after so many attempts, which take as long, is missing.
const REFUSALS: u32 = 5;

impl Heard {
    /// Whether it has said what there is, or that it cannot.
    fn has_spoken(&self) -> bool {
        self.answered || self.trouble.is_some()
    }

    /// Whether a right is missing.
    fn is_forbidden(&self) -> bool {
        self.trouble.as_ref().is_some_and(is_forbidden)
    }

    /// Whether it has been so often that it is no API server that has just started.
    fn is_forbidden_for_good(&self) -> bool {
        self.is_forbidden() && self.refusals >= REFUSALS
    }

    /// Whether the API server said itself that it cannot be told at the moment.
    fn is_refused(&self) -> bool {
        self.trouble.as_ref().is_some_and(is_said)
    }
}

impl Held {
    /// Begins to hold what a feed will say.
    pub(super) fn add(&mut self, feed: Feed) {
        self.feeds.entry(feed).or_default();
    }

    /// Drops a feed, and what it said.
    pub(super) fn remove(&mut self, feed: &Feed) {
        self.feeds.remove(feed);
        self.drop_others(feed, &BTreeSet::new());
    }

    /// The Secrets that are followed.
    pub(super) fn secrets(&self) -> BTreeSet<Feed> {
        let is_secret = |feed: &&Feed| matches!(feed, Feed::Secret { .. });
        self.feeds.keys().filter(is_secret).cloned().collect()
    }

    /// Takes a report in; says whether anything is another thing now.
    pub(super) fn take(&mut self, feed: &Feed, report: Report) -> bool {
        // A feed that was dropped meanwhile has nothing to say any more.
        let Some(heard) = self.feeds.get_mut(feed) else {
            return false;
        };
        match report {
            Report::Listed(objects) => self.listed(feed, objects),
            Report::Remaining(keys) => self.remaining(feed, &keys),
            Report::Changed(object) => self.put(*object),
            Report::Gone(key) => self.drop_resource(&key),
            Report::Trouble(failure) => {
                // A kind that does not exist has no objects, and a right that a namespaced installation cannot have is as
                // if there were none. What was known before stays all the same.
                heard.refusals = if is_forbidden(&failure) { heard.refusals + 1 } else { 0 };
                let is_withheld_for_good = is_optional(feed) && heard.refusals >= REFUSALS;
                let before = heard.answered;
                heard.answered |= failure == Failure::NotFound || is_withheld_for_good;
                // From then on it is believed, which may make more known.
                let is_believed = heard.refusals == REFUSALS;
                let is_new = heard.answered != before || is_believed || heard.trouble.as_ref() != Some(&failure);
                heard.trouble = Some(failure);
                is_new
            }
            Report::Progressed(..) | Report::SecretsRead(..) => false,
            Report::Well => heard.trouble.take().is_some(),
        }
    }

    fn listed(&mut self, feed: &Feed, objects: Vec<Read>) -> bool {
        let objects = objects.into_iter().filter(|object| object.outcome != Outcome::Idle);
        let objects: Vec<Read> = objects.collect();
        let keys: BTreeSet<ResourceKey> = objects.iter().map(|object| object.key.clone()).collect();
        let mut changed = self.remaining(feed, &keys);
        let heard = self.feeds.entry(feed.clone()).or_default();
        changed |= !std::mem::replace(&mut heard.answered, true);
        for object in objects {
            changed |= self.put(object);
        }
        changed
    }

    /// Drops what is there no more.
    fn remaining(&mut self, feed: &Feed, keys: &BTreeSet<ResourceKey>) -> bool {
        let heard = self.feeds.entry(feed.clone()).or_default();
        let mut changed = heard.trouble.take().is_some();
        changed |= self.drop_others(feed, keys);
        changed
    }

    /// Drops what a feed has told of but these.
    fn drop_others(&mut self, feed: &Feed, keys: &BTreeSet<ResourceKey>) -> bool {
        let told = self.resources.keys().chain(self.problems.keys());
        let gone = told.filter(|key| feed.tells_of(key) && !keys.contains(key));
        let gone: BTreeSet<ResourceKey> = gone.cloned().collect();
        let mut changed = false;
        for key in &gone {
            changed |= self.drop_resource(key);
        }
        changed
    }

    /// An object that cannot be used leaves its last good state in force.
    fn put(&mut self, object: Read) -> bool {
        let Read {
            key,
            outcome,
            progress: _,
            mut problems,
        } = object;
        let mut changed = false;
        match outcome {
            Outcome::Usable(loaded) => {
                let known = self.resources.get(&key);
                if known.is_none_or(|known| *known != loaded) {
                    Arc::make_mut(&mut self.resources).insert(key.clone(), loaded);
                    changed = true;
                }
            }
            Outcome::Idle => return self.drop_resource(&key),
            Outcome::Unusable => {
                let kept = match self.resources.contains_key(&key) {
                    true => "; what it said before stays in force",
                    false => "; it is left out",
                };
                for problem in &mut problems {
                    problem.message.push_str(kept);
                }
            }
        }
        let known = self.problems.get(&key).map_or(&[][..], Vec::as_slice);
        if known != problems {
            changed = true;
            if problems.is_empty() {
                self.problems.remove(&key);
            } else {
                self.problems.insert(key, problems);
            }
        }
        changed
    }

    fn drop_resource(&mut self, key: &ResourceKey) -> bool {
        let had_problems = self.problems.remove(key).is_some();
        let is_known = self.resources.contains_key(key);
        if is_known {
            Arc::make_mut(&mut self.resources).remove(key);
        }
        is_known || had_problems
    }

    /// Whether every feed has said what there is, or that it cannot.
    pub(super) fn has_heard_all(&self) -> bool {
        self.feeds.values().all(Heard::has_spoken)
    }

    /// Whether more is known than the last snapshot said.
    pub(super) fn knows_more(&self) -> bool {
        self.heard_of() > self.known
    }

    /// What is known by what was heard.
    fn heard_of(&self) -> Known {
        let is_told = |(feed, heard): (&Feed, &Heard)| match feed {
            // Those alone are concerned who have Git forges tell of pull requests.
            Feed::Kind {
                kind: Kind::Promotion, ..
            } => heard.has_spoken(),
            // For whom a delivery is, is said once and for all.
            Feed::Kind { .. } if feed.is_of_subscribers() && !heard.is_forbidden_for_good() => heard.answered,
            Feed::Kind { kind, .. } => heard.answered || heard.is_forbidden() && self.others_answer(*kind),
            Feed::Secret { .. } => heard.answered || heard.is_refused(),
        };
        let mut untold = self.feeds.iter().filter(|feed| !is_told(*feed)).map(|(feed, _)| feed);
        match untold.next() {
            None => Known::Everything,
            Some(first) if first.is_of_subscribers() && untold.all(Feed::is_of_subscribers) => Known::Receivers,
            Some(_) => Known::Nothing,
        }
    }

    /// Whether some namespace's objects of a kind are known: a right that is missing in one is no matter of all others.
    fn others_answer(&self, kind: Kind) -> bool {
        let mut of_kind = self.feeds.iter().filter(|(feed, _)| feed.kind() == kind);
        of_kind.any(|(_, heard)| heard.answered)
    }

    /// Whether this process may not know who subscribes, and never did.
    fn is_withheld(&self) -> bool {
        let mut subscribers = self.feeds.iter().filter(|(feed, _)| feed.kind() == Kind::Warehouse);
        subscribers.any(|(_, heard)| !heard.answered && heard.is_forbidden())
    }

    /// Whether objects of a kind may be there that were never told.
    fn hides(&self, kind: Kind) -> bool {
        let mut of_kind = self.feeds.iter().filter(|(feed, _)| feed.kind() == kind);
        of_kind.any(|(_, heard)| !heard.answered)
    }

    /// Whether every feed that receivers are made of has said what there is, or that it cannot.
    pub(super) fn has_heard_of_receivers(&self) -> bool {
        let mut feeds = self.feeds.iter().filter(|(feed, _)| !feed.is_of_subscribers());
        feeds.all(|(_, heard)| heard.has_spoken())
    }

    /// The Secrets that receivers name.
    pub(super) fn named_secrets(&self, system_namespace: &str) -> BTreeSet<Feed> {
        let resources = self.resources.values();
        let named = resources.flat_map(|loaded| secrets_of(&loaded.resource, system_namespace));
        named.collect()
    }

    /// The Secrets that a resource's receivers name and that are followed.
    pub(super) fn followed_secrets(&self, resource: &Resource, system_namespace: &str) -> Vec<Feed> {
        let named: BTreeSet<Feed> = secrets_of(resource, system_namespace).into_iter().collect();
        named.into_iter().filter(|feed| self.feeds.contains_key(feed)).collect()
    }

    /// What is in force of a resource.
    pub(super) fn resource(&self, key: &ResourceKey) -> Option<&Resource> {
        self.resources.get(key).map(|loaded| &loaded.resource)
    }

    /// What is so now.
    pub(super) fn snapshot(&mut self) -> Snapshot {
        self.known = self.known.max(self.heard_of());
        let mut problems: Vec<Problem> = self.feeds.iter().filter_map(trouble).collect();
        problems.extend(self.problems.values().flatten().cloned());
        Snapshot {
            resources: self.resources.clone(),
            problems,
            unreadable: self.feeds.iter().filter_map(unreadable).collect(),
            known: self.known,
            is_withheld: self.is_withheld(),
            hides_receivers: self.hides(Kind::ProjectConfig),
            hides_promotions: self.hides(Kind::Promotion),
        }
    }
}

/// The Secrets that a resource's receivers name.
fn secrets_of(resource: &Resource, system_namespace: &str) -> Vec<Feed> {
    let (namespace, receivers): (&str, &[ReceiverSpec]) = match resource {
        Resource::ProjectConfig(config) => (&config.metadata.name, &config.webhook_receivers),
        Resource::ClusterConfig(config) => (system_namespace, &config.webhook_receivers),
        Resource::Warehouse(_) | Resource::Promotion(_) | Resource::Secret(_) | Resource::ConfigMap(_) => ("", &[]),
    };
    let named = receivers.iter().filter(|receiver| {
        !receiver.secret_ref.is_empty() && !matches!(receiver.kind, ReceiverKind::Unreadable { .. })
    });
    named
        .map(|receiver| Feed::Secret {
            namespace: namespace.to_owned(),
            name: receiver.secret_ref.clone(),
        })
        .collect()
}

/// A `ClusterConfig` belongs to whoever rules the cluster, who may keep it to himself; and Promotions matter to those alone who
/// have Git forges tell of pull requests.
fn is_optional(feed: &Feed) -> bool {
    matches!(feed.kind(), Kind::ClusterConfig | Kind::Promotion)
}

fn is_forbidden(failure: &Failure) -> bool {
    matches!(failure, Failure::Forbidden(_))
}

/// Whether the API server said so itself.
fn is_said(failure: &Failure) -> bool {
    !matches!(failure, Failure::Unreachable(_))
}

fn trouble((feed, heard): (&Feed, &Heard)) -> Option<Problem> {
    let failure = heard.trouble.as_ref()?;
    let (message, kind) = match failure {
        Failure::NotFound => (
            "do not exist there: their definition is missing, which Kargo's installation brings, or where there is no Kargo `landfall \
             crds`; it is tried again until there is one"
                .to_owned(),
            ProblemKind::Warning,
        ),
        _ if is_optional(feed) && is_forbidden(failure) => (
            format!("are left out, and asked for again: {failure}"),
            ProblemKind::Warning,
        ),
        _ if heard.answered => (
            format!("cannot be followed at the moment, and what was known stays in force: {failure}"),
            ProblemKind::Error,
        ),
        _ => (
            format!("cannot be read, which is tried again until it works: {failure}"),
            ProblemKind::Error,
        ),
    };
    let origin = Origin::ApiServer {
        what: feed.to_string().into(),
    };
    Some(Problem { origin, message, kind })
}

/// A Secret of which nobody can tell what it says. While the API server cannot be reached at all nobody can see that either.
fn unreadable((feed, heard): (&Feed, &Heard)) -> Option<(ResourceKey, String)> {
    let Feed::Secret { namespace, name } = feed else {
        return None;
    };
    let key = ResourceKey {
        kind: Kind::Secret,
        namespace: Some(namespace.clone()),
        name: name.clone(),
    };
    match &heard.trouble {
        Some(failure) if is_said(failure) => Some((key, failure.to_string())),
        None | Some(_) if !heard.answered => Some((key, "it has not been read yet".to_owned())),
        None | Some(_) => None,
    }
}

#[cfg(test)]
mod tests;
