//! Refreshes a Warehouse: looks where events point, or at everything, and makes its status from what is there.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use landfall_core::artifact::Tag;
use landfall_core::discovery::{Discovered, ImageOutcome};
use landfall_core::journal::Setback;
use landfall_core::refresh::{Extent, Occasion};
use landfall_core::repository::{ImageRepository, Repository as RepositoryName};
use landfall_core::resource::{ImageSubscription, Source, SubscriptionSpec, Warehouse};
use landfall_core::selection::{ImagePolicy, Selection};
use tokio::task::JoinSet;

use super::credentials::Credentials;
use crate::clock::now;
use crate::discovery::{Catalogs, LookError, Looked, Repository};
use crate::registry::{Priority, RegistryClient, RepositoryAddress, TlsVerification};
use crate::store::{Hint, Store};

/// What refreshes work with.
#[derive(Clone)]
pub struct Discovery {
    pub registry: RegistryClient,
    pub catalogs: Arc<Catalogs>,
    pub store: Store,
}

/// What a refresh found.
pub struct Refreshed {
    /// The result of each subscription, in the order of the spec.
    pub results: Vec<Discovered>,
    /// What each pointed-at tag turned out to be. What is missing here was seen, or is nobody's business.
    pub hints: BTreeMap<Hint, HintOutcome>,
    /// What each subscription chose, in words.
    pub choices: Vec<String>,
    /// When the registry had been asked.
    pub asked: Timestamp,
    /// Requests to registries.
    pub requests: u32,
    /// Requests for tokens.
    pub token_requests: u32,
    /// When the oldest listing that this rests on began: the next one is due an interval later.
    pub complete_since: Option<Timestamp>,
}

/// What became of a hint.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum HintOutcome {
    /// The tag was seen.
    Seen,
    /// The registry does not have it, or not yet.
    NotVisible(String),
    /// It could not be asked.
    Failed(String),
}

/// A hint with the time since which a look counts: what was seen before the event came says nothing about it.
pub type Hints = BTreeMap<Hint, Timestamp>;

/// At most this many tags of one repository are looked at side by side; the host's budget bounds them further.
const LOOKS: usize = 16;
/// How many tags beyond the chosen ones are confirmed with each listing where any tag can become the newest build.
const ROLLING: usize = 50;

/// Looks at a Warehouse's subscriptions. A subscription that fails does not keep the others from their results.
pub async fn refresh(
    discovery: &Discovery,
    credentials: &Credentials,
    warehouse: &Warehouse,
    extent: Extent,
    hints: &Hints,
) -> Refreshed {
    let project = warehouse.metadata.namespace.clone().unwrap_or_default();
    let mut refreshed = Refreshed {
        results: Vec::new(),
        hints: BTreeMap::new(),
        choices: Vec::new(),
        asked: now(),
        requests: 0,
        token_requests: 0,
        complete_since: Some(now()),
    };
    for (index, subscription) in warehouse.subscriptions.iter().enumerate() {
        let label = label(index, subscription);
        let outcome = match &subscription.source {
            Source::Image(image) => {
                let refresh = ImageRefresh {
                    discovery,
                    image,
                    extent,
                    hints,
                    interval: warehouse.interval.duration,
                };
                refresh.run(credentials, &project, subscription, &mut refreshed).await
            }
            other => Err(Setback::Hopeless(not_discovered(other))),
        };
        match &outcome {
            Ok(image) => refreshed.choices.push(format!("{label}: {}", chosen(image))),
            Err(setback) => refreshed.choices.push(format!("{label}: {}", setback.reason())),
        }
        refreshed.results.push(Discovered { label, outcome });
    }
    refreshed
}

struct ImageRefresh<'a> {
    discovery: &'a Discovery,
    image: &'a ImageSubscription,
    extent: Extent,
    hints: &'a Hints,
    interval: Duration,
}

impl ImageRefresh<'_> {
    async fn run(
        &self,
        credentials: &Credentials,
        project: &str,
        subscription: &SubscriptionSpec,
        refreshed: &mut Refreshed,
    ) -> Result<ImageOutcome, Setback> {
        let failed = |error: LookError| Setback::Failed(error.to_string());
        let policy = ImagePolicy::new(self.image).map_err(|error| Setback::Hopeless(error.to_string()))?;
        let name = ImageRepository::parse(&self.image.repo_url)
            .map_err(|error| Setback::Hopeless(format!("repoURL: {error}")))?;
        let repository = self.open(credentials, project, name).await.map_err(failed)?;
        let looked = self.look(&repository, &policy, refreshed).await;
        let asked = repository.registry.requests();
        refreshed.requests += asked.registry;
        refreshed.token_requests += asked.token;
        refreshed.asked = now();
        looked.map_err(failed)?;
        let choice = match policy.select(&repository.catalog().lock()) {
            Selection::Chosen(choice) => choice,
            Selection::Needs(_) => {
                return Err(Setback::Failed(
                    "the registry changes faster than it can be looked at".to_owned(),
                ));
            }
        };
        Ok(ImageOutcome {
            repo_url: self.image.repo_url.clone(),
            platform: self.image.platform.clone(),
            subscription_name: subscription.name.clone().unwrap_or_default(),
            choice,
        })
    }

    async fn open(
        &self,
        credentials: &Credentials,
        project: &str,
        name: ImageRepository,
    ) -> Result<Arc<Repository>, LookError> {
        let granted = credentials.granted(project, &name, &self.image.repo_url);
        let (tls, access) = match self.image.insecure_skip_tls_verify {
            true => (TlsVerification::Skip, format!("{} unverified", granted.name)),
            false => (TlsVerification::Verify, granted.name),
        };
        let priority = match self.extent {
            Extent::Hinted | Extent::Full(Occasion::Requested) => Priority::Event,
            Extent::Full(Occasion::Interval | Occasion::SpecChanged) => Priority::Poll,
        };
        let address = RepositoryAddress {
            host: name.registry_host().to_owned(),
            path: name.path().to_string(),
        };
        let catalog = self
            .discovery
            .catalogs
            .open(&self.discovery.store, &name, &access)
            .await?;
        let registry = self
            .discovery
            .registry
            .repository(address, granted.access, tls, priority)?;
        Ok(Arc::new(Repository {
            name,
            access,
            catalog,
            registry,
            store: self.discovery.store.clone(),
        }))
    }

    async fn look(
        &self,
        repository: &Arc<Repository>,
        policy: &ImagePolicy,
        refreshed: &mut Refreshed,
    ) -> Result<(), LookError> {
        let began = now();
        self.follow_hints(repository, refreshed).await?;
        if policy.needs_listing() {
            repository.list(self.listing_since(repository, began)).await?;
            let listed = repository.catalog().lock().listed;
            refreshed.complete_since = refreshed.complete_since.min(listed);
        }
        self.look_until_chosen(repository, policy).await?;
        if let Extent::Full(occasion) = self.extent
            && !(self.image.cache_by_tag && policy.needs_listing())
        {
            let doubtful = doubtful(repository, policy, occasion);
            for_each_tag(repository, doubtful, move |repository, tag| async move {
                repository.confirm(&tag, began).await
            })
            .await?;
            self.look_until_chosen(repository, policy).await?;
        }
        Ok(())
    }

    /// Looks at what events pointed at. What one of them meets does not keep the others from being looked at.
    async fn follow_hints(&self, repository: &Arc<Repository>, refreshed: &mut Refreshed) -> Result<(), LookError> {
        let mut failure = None;
        for (hint, since) in self.hints {
            let RepositoryName::Image(name) = &hint.repository else {
                continue;
            };
            if *name != repository.name {
                continue;
            }
            let result = match &hint.tag {
                Some(tag) => repository.look(tag, *since).await,
                // The event names no tag: only a listing that is as young as it will do.
                None => repository
                    .list(earlier(*since, Duration::from_millis(1)))
                    .await
                    .map(|()| Looked::Listed),
            };
            let outcome = match result {
                Ok(Looked::Seen(_) | Looked::Listed) => HintOutcome::Seen,
                Ok(Looked::Absent(missing)) => HintOutcome::NotVisible(missing),
                Err(error) => {
                    let outcome = HintOutcome::Failed(error.to_string());
                    failure.get_or_insert(error);
                    outcome
                }
            };
            refreshed.hints.insert(hint.clone(), outcome);
        }
        failure.map_or(Ok(()), Err)
    }

    /// The time after which a listing must have begun. A listing that somebody else needed serves us as well while it is
    /// younger than our own interval; a request wants one of its own.
    fn listing_since(&self, repository: &Repository, began: Timestamp) -> Timestamp {
        match self.extent {
            Extent::Hinted if repository.catalog().lock().listed.is_some() => Timestamp::MIN,
            Extent::Full(Occasion::Requested) => began,
            Extent::Hinted | Extent::Full(Occasion::Interval | Occasion::SpecChanged) => earlier(began, self.interval),
        }
    }

    async fn look_until_chosen(&self, repository: &Arc<Repository>, policy: &ImagePolicy) -> Result<(), LookError> {
        loop {
            let needs = match policy.select(&repository.catalog().lock()) {
                Selection::Chosen(_) => return Ok(()),
                Selection::Needs(tags) => tags,
            };
            for_each_tag(repository, needs, |repository, tag| async move {
                repository.look(&tag, Timestamp::MIN).await.map(|_| ())
            })
            .await?;
        }
    }
}

/// The tags whose contents may have changed without an event that told: the chosen ones and, where any tag can become the
/// newest build, those that nobody looked at for longest. A person who asks wants all of those.
fn doubtful(repository: &Repository, policy: &ImagePolicy, occasion: Occasion) -> Vec<Tag> {
    let catalog = repository.catalog().lock();
    let mut doubtful: Vec<Tag> = match policy.select(&catalog) {
        Selection::Chosen(choice) => choice.references.into_iter().map(|reference| reference.tag).collect(),
        Selection::Needs(_) => Vec::new(),
    };
    if policy.depends_on_every_tag() {
        let mut others: Vec<(Option<Timestamp>, &Tag)> = policy
            .candidates(&catalog)
            .into_iter()
            .map(|tag| {
                (
                    catalog
                        .tags
                        .get(tag)
                        .and_then(Option::as_ref)
                        .map(|observation| observation.seen),
                    tag,
                )
            })
            .collect();
        others.sort();
        let most = if occasion == Occasion::Requested {
            usize::MAX
        } else {
            ROLLING
        };
        doubtful.extend(others.into_iter().take(most).map(|(_, tag)| tag.clone()));
        doubtful.sort();
        doubtful.dedup();
    }
    doubtful
}

/// Runs `work` for each tag, some side by side, and stops at the first failure.
async fn for_each_tag<W, F>(repository: &Arc<Repository>, tags: Vec<Tag>, work: W) -> Result<(), LookError>
where
    W: Fn(Arc<Repository>, Tag) -> F,
    F: Future<Output = Result<(), LookError>> + Send + 'static,
{
    let mut running = JoinSet::new();
    for tag in tags {
        if running.len() >= LOOKS {
            joined(running.join_next().await)?;
        }
        running.spawn(work(repository.clone(), tag));
    }
    while let Some(done) = running.join_next().await {
        joined(Some(done))?;
    }
    Ok(())
}

fn joined(done: Option<Result<Result<(), LookError>, tokio::task::JoinError>>) -> Result<(), LookError> {
    match done {
        None => Ok(()),
        Some(Ok(result)) => result,
        Some(Err(panicked)) => Err(LookError::Panicked(panicked.to_string())),
    }
}

fn earlier(time: Timestamp, by: Duration) -> Timestamp {
    SignedDuration::try_from(by)
        .ok()
        .and_then(|by| time.checked_sub(by).ok())
        .unwrap_or(Timestamp::MIN)
}

fn label(index: usize, subscription: &SubscriptionSpec) -> String {
    let what = match &subscription.source {
        Source::Image(image) => format!("image {}", image.repo_url),
        Source::Git(git) => format!("git {}", git.repo_url),
        Source::Chart(chart) => format!("chart {}", chart.repo_url),
        Source::Generic { subscription_type, .. } => subscription_type.clone(),
        Source::Unreadable { .. } => "unreadable".to_owned(),
    };
    match &subscription.name {
        Some(name) => format!("subscription {name} ({what})"),
        None => format!("subscription {} ({what})", index + 1),
    }
}

fn not_discovered(source: &Source) -> String {
    match source {
        Source::Unreadable { problem } => problem.clone(),
        Source::Image(_) | Source::Git(_) | Source::Chart(_) | Source::Generic { .. } => {
            "this version of landfall discovers images only".to_owned()
        }
    }
}

fn chosen(image: &ImageOutcome) -> String {
    let choice = &image.choice;
    let mut words = match choice.references.first() {
        Some(best) => format!("{} ({})", best.tag, short(best.digest.as_str())),
        None => "nothing".to_owned(),
    };
    words.push_str(&format!(", of {} wanted", choice.candidates));
    if let Some(left_out) = choice.left_out.first() {
        words.push_str(&format!(
            "; {} left out, first {}: {}",
            choice.left_out.len(),
            left_out.tag,
            left_out.reason
        ));
    }
    words
}

/// The first characters of a digest, enough for people.
fn short(digest: &str) -> &str {
    digest.get(..19).unwrap_or(digest)
}
