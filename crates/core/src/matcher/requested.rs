//! Decides which targets a request chooses by name, labels and what they are found under. A name and an index that has to
//! hold are looked up, so that targets of no interest are not even looked at.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::sync::Arc;

use super::{Explanation, Line};
use crate::event::RefreshRequested;
use crate::receiver::Reach;
use crate::repository::{Normalized, normalize_chart, normalize_git, normalize_image};
use crate::target::{Criteria, IndexKey, IndexOperator, IndexRequirement, LabelOperator, Target, TargetKind};

/// At most so many targets are named in an explanation that were not chosen for the same reason.
const NAMED: usize = 50;

/// What targets can be chosen by. There may be very many, so each is kept once, and so is what several are found under.
#[derive(Debug, Default)]
pub(super) struct Selectable {
    targets: BTreeMap<Arc<Target>, Features>,
    /// In the order of their names, once they are arranged.
    by_name: Vec<Arc<Target>>,
    /// In the order of what they are found under, once they are arranged.
    by_index: Vec<(IndexKey, Arc<str>, Arc<Target>)>,
    /// What any are found under, until they are arranged.
    values: HashSet<Arc<str>>,
}

#[derive(Debug, Default)]
struct Features {
    labels: BTreeMap<String, String>,
    indices: Vec<(IndexKey, Arc<str>)>,
}

impl Selectable {
    /// Notes a target with its labels. Returns it as it is kept.
    pub(super) fn add(&mut self, target: &Target, labels: &BTreeMap<String, String>) -> Arc<Target> {
        let target = self.known(target);
        self.targets.entry(target.clone()).or_default().labels = labels.clone();
        target
    }

    /// Notes that a target is found under something.
    pub(super) fn add_index(&mut self, target: &Target, key: IndexKey, value: &str) {
        let value = match self.values.get(value) {
            Some(value) => value.clone(),
            None => {
                let value: Arc<str> = value.into();
                self.values.insert(value.clone());
                value
            }
        };
        let target = self.known(target);
        let indices = &mut self.targets.entry(target).or_default().indices;
        if !indices.contains(&(key, value.clone())) {
            // Most have one and no more.
            indices.reserve_exact(1);
            indices.push((key, value));
        }
    }

    /// The target as it is kept, if it is.
    pub(super) fn known(&self, target: &Target) -> Arc<Target> {
        let known = self.targets.get_key_value(target).map(|(target, _)| target.clone());
        known.unwrap_or_else(|| Arc::new(target.clone()))
    }

    /// Puts all that was noted in the order in which it is looked up.
    pub(super) fn arrange(&mut self) {
        self.values = HashSet::new();
        self.by_name = self.targets.keys().cloned().collect();
        self.by_name.sort_by(|one, other| name_of(one).cmp(name_of(other)));
        let indices = self.targets.iter().flat_map(|(target, features)| {
            let found_under = features.indices.iter();
            found_under.map(|(key, value)| (*key, value.clone(), target.clone()))
        });
        self.by_index = indices.collect();
        self.by_index.sort();
    }

    /// Those of a name.
    fn named(&self, name: &str) -> &[Arc<Target>] {
        let first = self.by_name.partition_point(|target| name_of(target) < name);
        let others = &self.by_name[first..];
        &others[..others.partition_point(|target| name_of(target) == name)]
    }

    /// Those found under something.
    fn found_under(&self, key: IndexKey, value: &str) -> &[(IndexKey, Arc<str>, Arc<Target>)] {
        let place =
            |(its_key, its_value, _): &(IndexKey, Arc<str>, Arc<Target>)| (*its_key, &**its_value).cmp(&(key, value));
        let first = self.by_index.partition_point(|found| place(found).is_lt());
        let others = &self.by_index[first..];
        &others[..others.partition_point(|found| place(found).is_eq())]
    }

    /// How many targets within `reach` are chosen.
    pub(super) fn count(&self, request: &RefreshRequested, reach: &Reach) -> usize {
        self.chosen(request, reach).len()
    }

    /// The targets within `reach` that are chosen, each once.
    pub(super) fn chosen(&self, request: &RefreshRequested, reach: &Reach) -> BTreeSet<&Target> {
        let mut chosen = BTreeSet::new();
        for criteria in &request.criteria {
            let candidates = self.candidates(criteria, reach).into_iter();
            let met = candidates.filter(|(target, features)| verdict(criteria, target, features).is_ok());
            chosen.extend(met.map(|(target, _)| target));
        }
        chosen
    }

    /// The verdict on every target that was looked at.
    pub(super) fn explain(&self, request: &RefreshRequested, reach: &Reach) -> Explanation {
        let mut lines = Vec::new();
        for criteria in &request.criteria {
            let subscription = format!("action {}: {criteria}", request.action);
            let candidates = self.candidates(criteria, reach);
            if candidates.is_empty() {
                lines.push(line(&subscription, false, nobody(criteria), Vec::new()));
            }
            let mut verdicts: BTreeMap<Result<(), String>, Vec<Target>> = BTreeMap::new();
            for (target, features) in candidates {
                let verdict = verdict(criteria, target, features);
                verdicts.entry(verdict).or_default().push(target.clone());
            }
            for (verdict, mut targets) in verdicts {
                match verdict {
                    Ok(()) => lines.push(line(
                        &subscription,
                        true,
                        "it is what was asked for".to_owned(),
                        targets,
                    )),
                    Err(mut reason) => {
                        if targets.len() > NAMED {
                            reason.push_str(&format!(", and {} more", targets.len() - NAMED));
                            targets.truncate(NAMED);
                        }
                        lines.push(line(&subscription, false, reason, targets));
                    }
                }
            }
        }
        Explanation { lines }
    }

    /// The targets that have to be looked at: those of one name, those found under what has to hold, or all there are.
    fn candidates<'a>(&'a self, criteria: &Criteria, reach: &Reach) -> Vec<(&'a Target, &'a Features)> {
        let within = |target: &Target| {
            let reached = match reach {
                Reach::Everywhere => true,
                Reach::Project(project) => target.project() == project,
            };
            reached && kind_of(target) == criteria.kind
        };
        let equals = |index: &&IndexRequirement| index.operator == IndexOperator::Equals;
        let index = criteria.indices.iter().find(equals);
        let found: Vec<&Arc<Target>> = match (&criteria.name, index, reach) {
            (Some(name), _, Reach::Project(project)) => {
                let target = target(criteria.kind, project, name);
                let known = self.targets.get_key_value(&target);
                return known
                    .map(|(target, features)| (target.as_ref(), features))
                    .into_iter()
                    .collect();
            }
            (Some(name), _, Reach::Everywhere) => self.named(name).iter().collect(),
            (None, Some(index), _) => {
                let found = self.found_under(index.key, &index.value).iter();
                found.map(|(_, _, target)| target).collect()
            }
            (None, None, Reach::Project(project)) => {
                let first = target(criteria.kind, project, "");
                let of_project = self
                    .targets
                    .range::<Target, _>(&first..)
                    .map(|(target, features)| (target.as_ref(), features));
                return of_project.take_while(|(target, _)| within(target)).collect();
            }
            (None, None, Reach::Everywhere) => {
                let all = self
                    .targets
                    .iter()
                    .map(|(target, features)| (target.as_ref(), features));
                return all.filter(|(target, _)| within(target)).collect();
            }
        };
        let found = found.into_iter().filter(|target| within(target));
        let described = found.filter_map(|target| self.targets.get_key_value(target));
        described
            .map(|(target, features)| (target.as_ref(), features))
            .collect()
    }
}

fn target(kind: TargetKind, project: &str, name: &str) -> Target {
    let (namespace, name) = (project.to_owned(), name.to_owned());
    match kind {
        TargetKind::Warehouse => Target::Warehouse { namespace, name },
        TargetKind::Promotion => Target::Promotion { namespace, name },
    }
}

fn kind_of(target: &Target) -> TargetKind {
    match target {
        Target::Warehouse { .. } => TargetKind::Warehouse,
        Target::Promotion { .. } => TargetKind::Promotion,
    }
}

fn name_of(target: &Target) -> &str {
    match target {
        Target::Warehouse { name, .. } | Target::Promotion { name, .. } => name,
    }
}

fn line(subscription: &str, wanted: bool, reason: String, targets: Vec<Target>) -> Line {
    Line {
        subscription: subscription.to_owned(),
        wanted,
        reason,
        targets,
        named: None,
    }
}

/// Whether a target meets the criteria, or the first that it does not meet.
fn verdict(criteria: &Criteria, target: &Target, features: &Features) -> Result<(), String> {
    if criteria.name.as_ref().is_some_and(|name| name != name_of(target)) {
        return Err("it has another name".to_owned());
    }
    for label in &criteria.labels {
        let value = features.labels.get(&label.key);
        let is_listed = value.is_some_and(|value| label.values.contains(value));
        let met = match label.operator {
            LabelOperator::In => is_listed,
            LabelOperator::NotIn => !is_listed,
            LabelOperator::Exists => value.is_some(),
            LabelOperator::DoesNotExist => value.is_none(),
        };
        if !met {
            return Err(match value {
                Some(value) => format!("its label {} is {value}", label.key),
                None => format!("it has no label {}", label.key),
            });
        }
    }
    for index in &criteria.indices {
        if !has_index(criteria.kind, index.key) {
            return Err(no_index(criteria.kind, index.key));
        }
        let is_it = |(key, value): &(IndexKey, Arc<str>)| *key == index.key && **value == *index.value;
        let found = features.indices.iter().any(is_it);
        if found != (index.operator == IndexOperator::Equals) {
            let word = if found { "is" } else { "is not" };
            return Err(format!("it {word} found under {} {}", index.key.as_str(), index.value));
        }
    }
    Ok(())
}

/// Whether targets of a kind can be found in an index at all.
fn has_index(kind: TargetKind, key: IndexKey) -> bool {
    matches!(
        (kind, key),
        (TargetKind::Warehouse, IndexKey::SubscribedUrls) | (TargetKind::Promotion, IndexKey::PullRequestUrl)
    )
}

fn no_index(kind: TargetKind, key: IndexKey) -> String {
    format!("no {kind} is found in the index {}", key.as_str())
}

/// Why nobody was even looked at.
fn nobody(criteria: &Criteria) -> String {
    let kind = criteria.kind;
    if let Some(name) = &criteria.name {
        return format!("the receiver reaches no {kind} of the name {name}");
    }
    let equals = |index: &&IndexRequirement| index.operator == IndexOperator::Equals;
    match criteria.indices.iter().find(equals) {
        Some(index) if !has_index(kind, index.key) => no_index(kind, index.key),
        Some(index) if index.key == IndexKey::SubscribedUrls && !is_normal(&index.value) => format!(
            "no {kind} subscribes to {}, which is not in normal form: use normalizeImage, normalizeChart or normalizeGit",
            index.value
        ),
        Some(index) => format!(
            "the receiver reaches no {kind} with {} = {}",
            index.key.as_str(),
            index.value
        ),
        None => format!("the receiver reaches no {kind} at all"),
    }
}

/// Whether a repository is written as subscriptions are found by.
fn is_normal(url: &str) -> bool {
    [normalize_image(url), normalize_chart(url), normalize_git(url)]
        .iter()
        .any(|normal| matches!(normal, Normalized::Canonical(text) if text == url))
}

#[cfg(test)]
mod tests;
