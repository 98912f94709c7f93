//! Decides who subscribed to what an event tells of, and says for each subscription to that repository why or why not. It
//! must not know how events come in, nor what a refresh does.

mod filter;

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::event::Event;
use crate::go::regexp::Patterns;
use crate::receiver::Reach;
use crate::repository::Repository;
use crate::resource::{Source, SubscriptionSpec};
use crate::target::Target;
use filter::Filter;

/// Every subscription, by the repository that it names.
///
/// Targets with the same wishes for a repository form a group that is asked once, so that matching an event takes time by
/// the number of different wishes for its repository, however many subscriptions there are.
#[derive(Debug, Default)]
pub struct Index {
    everywhere: Groups,
    by_project: HashMap<String, Groups>,
    subscriptions: usize,
}

type Groups = HashMap<Repository, Vec<Group>>;

#[derive(Debug)]
struct Group {
    filters: Vec<Arc<Filter>>,
    targets: Vec<Target>,
}

/// Groups by repository and by the texts of the wishes for it.
type Grouping = HashMap<Repository, BTreeMap<Vec<String>, Group>>;

/// Builds an [`Index`].
#[derive(Debug, Default)]
pub struct IndexBuilder {
    patterns: Patterns,
    compiled: HashMap<String, Arc<Filter>>,
    /// By project; `None` is everywhere.
    groups: HashMap<Option<String>, Grouping>,
    subscriptions: usize,
}

impl IndexBuilder {
    /// A builder that shares expressions with whoever else uses these.
    pub fn sharing(patterns: Patterns) -> Self {
        Self {
            patterns,
            ..Self::default()
        }
    }

    /// The expressions in use.
    pub fn patterns(&mut self) -> &mut Patterns {
        &mut self.patterns
    }

    /// Adds the subscriptions of a target. Those that name no repository are not indexed: no event can reach them.
    pub fn add(&mut self, target: &Target, subscriptions: &[SubscriptionSpec]) {
        let mut wishes: HashMap<Repository, Vec<(String, Arc<Filter>)>> = HashMap::new();
        for subscription in subscriptions {
            self.subscriptions += 1;
            let Some(repository) = repository_of(&subscription.source) else {
                continue;
            };
            let text = format!("{:?}", subscription.source);
            let filter = self
                .compiled
                .entry(text.clone())
                .or_insert_with(|| Arc::new(Filter::compile(&subscription.source, &mut self.patterns)))
                .clone();
            wishes.entry(repository).or_default().push((text, filter));
        }
        for (repository, wishes) in wishes {
            let (texts, filters): (Vec<_>, Vec<_>) = wishes.into_iter().unzip();
            for scope in [None, Some(target.project().to_owned())] {
                self.groups
                    .entry(scope)
                    .or_default()
                    .entry(repository.clone())
                    .or_default()
                    .entry(texts.clone())
                    .or_insert_with(|| Group {
                        filters: filters.clone(),
                        targets: Vec::new(),
                    })
                    .targets
                    .push(target.clone());
            }
        }
    }

    /// The index of all that was added.
    pub fn build(mut self) -> Index {
        let flatten = |groups: Grouping| -> Groups {
            groups
                .into_iter()
                .map(|(repository, groups)| (repository, groups.into_values().collect()))
                .collect()
        };
        let everywhere = flatten(self.groups.remove(&None).unwrap_or_default());
        let by_project = self
            .groups
            .into_iter()
            .filter_map(|(scope, groups)| Some((scope?, flatten(groups))))
            .collect();
        Index {
            everywhere,
            by_project,
            subscriptions: self.subscriptions,
        }
    }
}

/// The repository that a subscription names, in canonical form. Charts in a registry share their normal form with images,
/// and one event may be about either, so they are filed together.
fn repository_of(source: &Source) -> Option<Repository> {
    use crate::repository::{ChartRepository, GitRepository, ImageRepository};
    match source {
        Source::Image(image) => ImageRepository::parse(&image.repo_url).ok().map(Repository::Image),
        Source::Git(git) => GitRepository::parse(&git.repo_url).ok().map(Repository::Git),
        Source::Chart(chart) => {
            let repository = ChartRepository::parse(&chart.repo_url).ok()?;
            let in_registry = ImageRepository::parse(repository.as_str()).ok().map(Repository::Image);
            Some(in_registry.unwrap_or(Repository::Chart(repository)))
        }
        Source::Generic { .. } | Source::Unreadable { .. } => None,
    }
}

/// Whom an event is for, in numbers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Interest {
    /// Targets that want it.
    pub wanted: usize,
    /// Subscriptions to its repository, whatever they wish there.
    pub subscriptions: usize,
}

/// What matching an event gave, for every subscription that names its repository.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Explanation {
    /// One line for each different wish.
    pub lines: Vec<Line>,
}

/// The verdict on one wish, shared by all targets that have it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Line {
    /// The wish in words: `image ghcr.io/shop/api, SemVer ^1.0.0`.
    pub subscription: String,
    /// Whether the event is for it.
    pub wanted: bool,
    /// Why, or why not.
    pub reason: String,
    /// Who has the wish.
    pub targets: Vec<Target>,
}

impl Explanation {
    /// The targets that want the event, each once.
    pub fn wanted_by(&self) -> Vec<&Target> {
        let mut targets: Vec<&Target> = self
            .lines
            .iter()
            .filter(|line| line.wanted)
            .flat_map(|line| &line.targets)
            .collect();
        targets.sort();
        targets.dedup();
        targets
    }
}

impl Index {
    /// An index of the given targets and their subscriptions.
    pub fn of<'a>(targets: impl IntoIterator<Item = (&'a Target, &'a [SubscriptionSpec])>) -> Self {
        let mut builder = IndexBuilder::default();
        for (target, subscriptions) in targets {
            builder.add(target, subscriptions);
        }
        builder.build()
    }

    /// How many targets within `reach` want the event.
    pub fn count(&self, event: &Event, reach: &Reach) -> usize {
        self.interest(event, reach).wanted
    }

    /// How many targets within `reach` want the event, and how many may. It takes time by the number of different wishes.
    pub fn interest(&self, event: &Event, reach: &Reach) -> Interest {
        let wants = |group: &Group| group.filters.iter().any(|filter| filter.verdict(event).is_ok());
        let mut interest = Interest::default();
        for group in self.groups(event, reach) {
            interest.subscriptions += group.filters.len() * group.targets.len();
            if wants(group) {
                interest.wanted += group.targets.len();
            }
        }
        interest
    }

    /// The verdict on every subscription within `reach` to the event's repository.
    pub fn explain(&self, event: &Event, reach: &Reach) -> Explanation {
        let mut lines = Vec::new();
        for group in self.groups(event, reach) {
            for filter in &group.filters {
                let verdict = filter.verdict(event);
                lines.push(Line {
                    subscription: filter.to_string(),
                    wanted: verdict.is_ok(),
                    reason: verdict.unwrap_or_else(|refusal| refusal),
                    targets: group.targets.clone(),
                });
            }
        }
        Explanation { lines }
    }

    /// How many subscriptions there are.
    pub fn subscriptions(&self) -> usize {
        self.subscriptions
    }

    fn groups(&self, event: &Event, reach: &Reach) -> &[Group] {
        let groups = match reach {
            Reach::Everywhere => Some(&self.everywhere),
            Reach::Project(project) => self.by_project.get(project),
        };
        let repository = match event {
            Event::ArtifactPushed(pushed) => Repository::Image(pushed.repository.clone()),
            Event::GitRefPushed(pushed) => Repository::Git(pushed.repository.clone()),
        };
        groups
            .and_then(|groups| groups.get(&repository))
            .map(Vec::as_slice)
            .unwrap_or_default()
    }
}

#[cfg(test)]
mod tests;
