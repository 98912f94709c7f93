//! Decides who subscribed to what an event tells of, and says for each subscription to that repository why or why not. It
//! must not know how events come in, nor what a refresh does.

mod filter;
mod problem;
mod requested;
mod waiting;

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use crate::event::{Event, RefreshRequested};
use crate::go::regexp::Patterns;
use crate::receiver::Reach;
use crate::repository::{GitRepository, Repository, normalize_chart, normalize_git, normalize_image};
use crate::resource::{Promotion, Source, SubscriptionSpec};
use crate::target::{IndexKey, Target};
use filter::{Filter, Wishes};
use requested::Selectable;
use waiting::Waiting;

pub use problem::problem;

/// Every subscription, by the repository that it names.
///
/// Targets with the same wishes for a repository form a group that is asked once, so that matching an event takes time by
/// the number of different wishes for its repository, however many subscriptions there are.
#[derive(Debug, Default)]
pub struct Index {
    everywhere: Groups,
    by_project: HashMap<String, Groups>,
    waiting: Waiting,
    selectable: Selectable,
    subscriptions: usize,
}

/// There may be very many repositories and targets, so each is kept once, and so are the groups of a repository that one project
/// alone subscribes to: they are the same everywhere and within it.
type Groups = HashMap<Arc<Repository>, Arc<[Group]>>;

#[derive(Debug)]
struct Group {
    filters: Vec<Arc<Filter>>,
    targets: Vec<Arc<Target>>,
}

/// Tells a subscription from others that say something else: a digest, since the texts of thousands would take more than what comes of
/// them.
type Mark = [u8; 16];

/// What one target wishes of one repository: each wish with what tells it from others.
#[derive(Debug)]
struct Wished {
    repository: Arc<Repository>,
    wishes: Vec<(Mark, Arc<Filter>)>,
    target: Arc<Target>,
}

/// Builds an [`Index`].
#[derive(Debug, Default)]
pub struct IndexBuilder {
    patterns: Patterns,
    compiled: HashMap<Mark, Arc<Filter>>,
    wishes: Wishes,
    wished: Vec<Wished>,
    waiting: Waiting,
    selectable: Selectable,
    subscriptions: usize,
}

/// The repository of a subscription as Kargo's expressions write it.
fn kargos(source: &Source) -> Option<String> {
    match source {
        Source::Git(git) => Some(normalize_git(&git.repo_url).into_string()),
        Source::Image(image) => Some(normalize_image(&image.repo_url).into_string()),
        Source::Chart(chart) => Some(normalize_chart(&chart.repo_url).into_string()),
        Source::Generic { .. } | Source::Unreadable { .. } => None,
    }
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

    /// Notes that a target exists and which labels it has, for whoever asks for it by these or by its name. Returns its name, to
    /// be shared: there may be very many.
    pub fn describe(&mut self, target: &Target, labels: &BTreeMap<String, String>) -> Arc<Target> {
        self.selectable.add(target, labels)
    }

    /// Adds the subscriptions of a target. Those that name no repository are not indexed: no event can reach them.
    pub fn add(&mut self, target: &Target, subscriptions: &[SubscriptionSpec]) {
        let target = self.selectable.known(target);
        let mut wishes: HashMap<Repository, Vec<(Mark, Arc<Filter>)>> = HashMap::new();
        for subscription in subscriptions {
            self.subscriptions += 1;
            let Some(repository) = repository_of(&subscription.source) else {
                continue;
            };
            self.selectable
                .add_index(&target, IndexKey::SubscribedUrls, repository.as_str());
            // Expressions have Kargo's normal form, which is not always the same.
            if let Some(other) = kargos(&subscription.source).filter(|form| form != repository.as_str()) {
                self.selectable.add_index(&target, IndexKey::SubscribedUrls, &other);
            }
            let wish = self.compiled(&subscription.source);
            wishes.entry(repository).or_default().push(wish);
        }
        self.wished
            .extend(wishes.into_iter().map(|(repository, wishes)| Wished {
                repository: Arc::new(repository),
                wishes,
                target: target.clone(),
            }));
    }

    /// The filter of a subscription, with what tells it from others.
    fn compiled(&mut self, source: &Source) -> (Mark, Arc<Filter>) {
        let mark = mark(source);
        let compile = || Arc::new(Filter::compile(source, &mut self.wishes, &mut self.patterns));
        let filter = self.compiled.entry(mark).or_insert_with(compile);
        (mark, filter.clone())
    }

    /// Adds the pull requests that a Promotion waits for, if there are any.
    pub fn add_promotion(&mut self, promotion: &Promotion) {
        let target = Target::Promotion {
            namespace: promotion.metadata.namespace.clone().unwrap_or_default(),
            name: promotion.metadata.name.clone(),
        };
        self.selectable.add(&target, &promotion.metadata.labels);
        for url in promotion.awaited_pull_requests() {
            self.selectable.add_index(&target, IndexKey::PullRequestUrl, url);
        }
        self.waiting.add(promotion);
    }

    /// The index of all that was added.
    pub fn build(mut self) -> Index {
        // Sorted and cut into pieces: a map of maps for each repository would take much more than what comes of it. Those with
        // the same wishes stay in the order in which they were added.
        self.wished.sort_by(|one, other| {
            let repositories = one.repository.cmp(&other.repository);
            repositories.then_with(|| one.marks().cmp(other.marks()))
        });
        let (mut everywhere, mut by_project) = (Groups::new(), HashMap::<String, Groups>::new());
        for of_repository in self.wished.chunk_by(|one, other| one.repository == other.repository) {
            let repository = &of_repository[0].repository;
            let mut in_projects: BTreeMap<&str, Vec<&Wished>> = BTreeMap::new();
            for wished in of_repository {
                in_projects.entry(wished.target.project()).or_default().push(wished);
            }
            let all = groups(&of_repository.iter().collect::<Vec<_>>());
            let is_only_one = in_projects.len() == 1;
            for (project, wished) in in_projects {
                let groups = if is_only_one { all.clone() } else { groups(&wished) };
                let of_project = by_project.entry(project.to_owned()).or_default();
                of_project.insert(repository.clone(), groups);
            }
            everywhere.insert(repository.clone(), all);
        }
        self.selectable.arrange();
        Index {
            everywhere,
            by_project,
            waiting: self.waiting,
            selectable: self.selectable,
            subscriptions: self.subscriptions,
        }
    }
}

impl Wished {
    /// What tells its wishes from others, in the order of what people read.
    fn marks(&self) -> impl Iterator<Item = (&str, &Mark)> {
        self.wishes.iter().map(|(mark, filter)| (filter.label(), mark))
    }
}

fn mark(source: &Source) -> Mark {
    let digest = Sha256::digest(format!("{source:?}"));
    let mut mark = Mark::default();
    mark.copy_from_slice(&digest[..size_of::<Mark>()]);
    mark
}

/// Groups of those whose wishes are the same, who stand side by side.
fn groups(wished: &[&Wished]) -> Arc<[Group]> {
    let alike = wished.chunk_by(|one, other| one.marks().eq(other.marks()));
    let group = |alike: &[&Wished]| Group {
        filters: alike[0].wishes.iter().map(|(_, filter)| filter.clone()).collect(),
        targets: alike.iter().map(|wished| wished.target.clone()).collect(),
    };
    alike.map(group).collect()
}

/// The repository that a subscription names, in canonical form. Charts in a registry share their normal form with images,
/// and one event may be about either, so they are filed together.
fn repository_of(source: &Source) -> Option<Repository> {
    use crate::repository::{ChartRepository, ImageRepository};
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
    /// The name by which the wish knows the repository, where that is not the event's first one.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub named: Option<GitRepository>,
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

/// The groups of the repositories that events were about, and which of them want any of the events.
#[derive(Default)]
struct Asked<'a>(Vec<(&'a [Group], Vec<bool>)>);

impl<'a> Asked<'a> {
    fn ask(&mut self, groups: &'a [Group], event: &Event) {
        let known = self.0.iter().position(|(known, _)| std::ptr::eq(*known, groups));
        let place = known.unwrap_or_else(|| {
            self.0.push((groups, vec![false; groups.len()]));
            self.0.len() - 1
        });
        for (group, wants) in groups.iter().zip(&mut self.0[place].1) {
            *wants = *wants || group.filters.iter().any(|filter| filter.verdict(event).is_ok());
        }
    }

    /// How many targets want any of the events, each counted once: it may know a repository by several names, or several repositories.
    fn wanted(&self) -> usize {
        let wanting = self.0.iter().flat_map(|(groups, wants)| groups.iter().zip(wants));
        let wanting = wanting.filter(|(_, wants)| **wants).map(|(group, _)| group);
        match self.0.len() {
            // Each target is in one group of a repository.
            1 => wanting.map(|group| group.targets.len()).sum(),
            _ => wanting.flat_map(|group| &group.targets).collect::<HashSet<_>>().len(),
        }
    }

    fn subscriptions(&self) -> usize {
        let groups = self.0.iter().flat_map(|(groups, _)| *groups);
        groups.map(|group| group.filters.len() * group.targets.len()).sum()
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
        self.interest([event], reach).wanted
    }

    /// How many targets within `reach` want any of a delivery's events, each counted once, and how many subscriptions may. Of one
    /// repository it takes time by the number of different wishes, and this is all that a request waits for.
    pub fn interest<'a>(&self, events: impl IntoIterator<Item = &'a Event>, reach: &Reach) -> Interest {
        let mut interest = Interest::default();
        let mut asked = Asked::default();
        for event in events {
            match event {
                Event::PullRequestClosed { url } => {
                    let wanted = self.waiting.targets(url, reach).count();
                    interest.wanted += wanted;
                    interest.subscriptions += wanted;
                }
                Event::RefreshRequested(request) => {
                    let wanted = self.selectable.count(request, reach);
                    interest.wanted += wanted;
                    // That nobody is asked for is worth an explanation.
                    interest.subscriptions += wanted.max(1);
                }
                Event::ArtifactPushed(_) | Event::GitRefPushed(_) => {
                    for (_, groups) in self.groups(event, reach) {
                        asked.ask(groups, event);
                    }
                }
            }
        }
        interest.wanted += asked.wanted();
        interest.subscriptions += asked.subscriptions();
        interest
    }

    /// The targets within `reach` that a request of a generic receiver chooses, each once.
    pub fn chosen(&self, request: &RefreshRequested, reach: &Reach) -> BTreeSet<&Target> {
        self.selectable.chosen(request, reach)
    }

    /// The verdict on every subscription within `reach` to the event's repository.
    pub fn explain(&self, event: &Event, reach: &Reach) -> Explanation {
        match event {
            Event::PullRequestClosed { url } => return self.waiting.explain(url, reach),
            Event::RefreshRequested(request) => return self.selectable.explain(request, reach),
            Event::ArtifactPushed(_) | Event::GitRefPushed(_) => {}
        }
        let mut lines = Vec::new();
        for (named, groups) in self.groups(event, reach) {
            for group in groups {
                lines.extend(group.filters.iter().map(|filter| {
                    let verdict = filter.verdict(event);
                    Line {
                        subscription: filter.to_string(),
                        wanted: verdict.is_ok(),
                        reason: verdict.unwrap_or_else(|refusal| refusal),
                        targets: group.targets.iter().map(|target| target.as_ref().clone()).collect(),
                        named: named.cloned(),
                    }
                }));
            }
        }
        Explanation { lines }
    }

    /// How many subscriptions there are.
    pub fn subscriptions(&self) -> usize {
        self.subscriptions
    }

    /// The groups for each name of the event's repository that anybody subscribes to; the first name is not repeated.
    fn groups<'a>(&'a self, event: &'a Event, reach: &Reach) -> Vec<(Option<&'a GitRepository>, &'a [Group])> {
        let groups = match reach {
            Reach::Everywhere => Some(&self.everywhere),
            Reach::Project(project) => self.by_project.get(project),
        };
        let named: Vec<(Option<&GitRepository>, Repository)> = match event {
            Event::ArtifactPushed(pushed) => vec![(None, Repository::Image(pushed.repository.clone()))],
            Event::GitRefPushed(pushed) => pushed
                .names()
                .enumerate()
                .map(|(place, name)| (Some(name).filter(|_| place > 0), Repository::Git(name.clone())))
                .collect(),
            Event::PullRequestClosed { .. } | Event::RefreshRequested(_) => Vec::new(),
        };
        let groups = named
            .into_iter()
            .filter_map(|(name, repository)| Some((name, groups?.get(&repository)?.as_ref())));
        groups.collect()
    }
}

#[cfg(test)]
mod tests;
