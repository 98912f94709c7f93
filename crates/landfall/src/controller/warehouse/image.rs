//! Refreshes one image subscription: follows hints, lists where that is due, and looks until there is a choice.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use jiff::{SignedDuration, Timestamp};
use landfall_core::artifact::Tag;
use landfall_core::journal::Setback;
use landfall_core::refresh::{Extent, Hint, Occasion};
use landfall_core::repository::{ImageRepository, Repository as RepositoryName};
use landfall_core::resource::ImageSubscription;
use landfall_core::selection::{Choice, ImagePolicy, Selection};
use tokio::task::{JoinError, JoinSet};

use super::hosts::Looked as Outcome;
use super::{Discovery, HintOutcome, Look};
use crate::clock::now;
use crate::controller::credentials::Credentials;
use crate::discovery::{LookError, Looked, Repository};
use crate::registry::{RepositoryAddress, TlsVerification};

/// At most this many tags of one repository are looked at side by side; the host's budget bounds them further.
const LOOKS: usize = 16;
/// How many tags beyond the chosen ones are confirmed with each listing where any tag can become the newest build.
const ROLLING: usize = 50;

/// One refresh of one image subscription.
pub(super) struct ImageRefresh<'a> {
    pub(super) discovery: &'a Discovery,
    pub(super) credentials: &'a Credentials,
    pub(super) project: &'a str,
    pub(super) image: &'a ImageSubscription,
    pub(super) policy: &'a ImagePolicy,
    pub(super) look: &'a Look,
    pub(super) noted: Timestamp,
}

/// What looking took, and what it met.
pub(super) struct Requests {
    /// What each hint turned out to be.
    pub(super) hints: BTreeMap<Hint, HintOutcome>,
    /// When the registry had been asked; absent where it was not.
    pub(super) asked: Option<Timestamp>,
    pub(super) requests: u32,
    pub(super) token_requests: u32,
    /// When the listing that this rests on began, or the look itself.
    pub(super) complete_since: Option<Timestamp>,
}

impl ImageRefresh<'_> {
    pub(super) async fn run(&self) -> Outcome {
        let mut requests = Requests {
            hints: BTreeMap::new(),
            asked: None,
            requests: 0,
            token_requests: 0,
            complete_since: Some(now()),
        };
        let outcome = self.choose(&mut requests).await;
        (outcome, requests)
    }

    async fn choose(&self, requests: &mut Requests) -> Result<Choice, Setback> {
        let failed = |error: LookError| Setback::Failed(error.to_string());
        let name = ImageRepository::parse(&self.image.repo_url)
            .map_err(|error| Setback::Hopeless(format!("repoURL: {error}")))?;
        let caches_by_tag = self.caches_by_tag()?;
        let repository = self.open(name).await.map_err(failed)?;
        let looked = self.look_unless_in_vain(&repository, caches_by_tag, requests).await;
        let asked = repository.registry.requests();
        (requests.requests, requests.token_requests) = (asked.registry, asked.token);
        requests.asked = Some(now());
        looked.map_err(failed)?;
        match self.policy.select(&repository.catalog().lock()) {
            Selection::Chosen(choice) => Ok(choice),
            Selection::Needs(_) => Err(Setback::Failed(
                "the registry changes faster than it can be looked at".to_owned(),
            )),
        }
    }

    async fn open(&self, name: ImageRepository) -> Result<Arc<Repository>, LookError> {
        let granted = self.credentials.granted(self.project, &name, &self.image.repo_url);
        let (tls, access) = match self.image.insecure_skip_tls_verify {
            true => (TlsVerification::Skip, format!("{} unverified", granted.name)),
            false => (TlsVerification::Verify, granted.name),
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
            .repository(address, granted.access, tls, self.look.priority)?;
        Ok(Arc::new(Repository {
            name,
            access,
            catalog,
            registry,
            store: self.discovery.store.clone(),
        }))
    }

    /// Whether what a tag pointed to once is what it points to. Where one tag alone is followed, it never is.
    fn caches_by_tag(&self) -> Result<bool, Setback> {
        if !self.policy.needs_listing() {
            return Ok(false);
        }
        let applied = self.discovery.tag_cache.applied(self.image.cache_by_tag);
        applied.map_err(|error| Setback::Hopeless(error.to_string()))
    }

    /// Looks, unless it is for the sake of a push to another repository and this one could not be looked at a moment ago.
    async fn look_unless_in_vain(
        &self,
        repository: &Arc<Repository>,
        caches_by_tag: bool,
        requests: &mut Requests,
    ) -> Result<(), LookError> {
        let (failures, name, access) = (&self.discovery.failures, &repository.name, &repository.access);
        let is_for_another = self.look.is_urgent && self.own_hints(repository).next().is_none();
        if let Some(problem) = failures.lately(name, access).filter(|_| is_for_another) {
            return Err(LookError::Lately(problem));
        }
        let began = Instant::now();
        let looked = self.look(repository, caches_by_tag, requests).await;
        let problem = looked.as_ref().err().map(ToString::to_string);
        failures.note(name, access, began.elapsed(), problem);
        looked
    }

    async fn look(
        &self,
        repository: &Arc<Repository>,
        caches_by_tag: bool,
        requests: &mut Requests,
    ) -> Result<(), LookError> {
        let policy = self.policy;
        let began = now();
        self.follow_hints(repository, &mut requests.hints).await?;
        if policy.needs_listing() {
            repository.list(self.listing_since(repository, began)).await?;
            let listed = repository.catalog().lock().listed;
            requests.complete_since = requests.complete_since.min(listed);
        }
        self.look_until_chosen(repository, policy).await?;
        if let Some((occasion, since)) = self.doubts(repository, began).filter(|_| !caches_by_tag) {
            let doubtful = doubtful(repository, policy, occasion, since);
            for_each_tag(repository, doubtful, move |repository, tag| async move {
                repository.confirm(&tag, since).await
            })
            .await?;
            self.look_until_chosen(repository, policy).await?;
        }
        Ok(())
    }

    /// Looks at what events pointed at. What one of them meets does not keep the others from being looked at.
    async fn follow_hints(
        &self,
        repository: &Arc<Repository>,
        outcomes: &mut BTreeMap<Hint, HintOutcome>,
    ) -> Result<(), LookError> {
        let lists = self.policy.needs_listing();
        let mut looks = JoinSet::new();
        let mut failure = None;
        for (hint, since) in self.own_hints(repository) {
            if looks.len() >= LOOKS {
                note(looks.join_next().await, outcomes, &mut failure);
            }
            looks.spawn(follow(repository.clone(), hint.clone(), since, lists));
        }
        while let Some(done) = looks.join_next().await {
            note(Some(done), outcomes, &mut failure);
        }
        failure.map_or(Ok(()), Err)
    }

    fn own_hints<'b>(&'b self, repository: &'b Repository) -> impl Iterator<Item = (&'b Hint, Timestamp)> {
        let ours = |hint: &Hint| matches!(&hint.repository, RepositoryName::Image(name) if *name == repository.name);
        let hints = self.look.hints.iter();
        hints
            .filter(move |(hint, _)| ours(hint))
            .map(|(hint, since)| (hint, *since))
    }

    /// The time after which a listing must have begun. A listing that somebody else needed serves us as well while it is
    /// younger than our own interval. A changed spec wants one that is younger than itself: pushes that nobody wanted before
    /// are in no catalog. A request wants one of its own.
    fn listing_since(&self, repository: &Repository, began: Timestamp) -> Timestamp {
        let interval = self.look.interval;
        let lately = earlier(began, interval);
        let since = match self.look.extent {
            // The interval brings the next in its time. One that it should have brought long ago was left for other credentials.
            Extent::Hinted if repository.catalog().lock().listed.is_some() => earlier(lately, interval),
            Extent::Hinted | Extent::Full(Occasion::Interval) => lately,
            Extent::Full(Occasion::SpecChanged) => earlier(self.noted, Duration::from_millis(1)).max(lately),
            Extent::Full(Occasion::Requested) => self.look.since.max(lately),
        };
        since.max(self.discovery.listed_since)
    }

    /// Why what tags point at may be another thing by now, and the time after which it must have been confirmed; nothing where
    /// events name the tags that have moved.
    fn doubts(&self, repository: &Repository, began: Timestamp) -> Option<(Occasion, Timestamp)> {
        // An event that names no tag may be of any.
        let untold = self.own_hints(repository).filter(|(hint, _)| hint.tag.is_none());
        let untold = untold.map(|(_, since)| (Occasion::Requested, since));
        let everything = match self.look.extent {
            Extent::Hinted => None,
            Extent::Full(occasion) => Some((occasion, self.look.since.max(earlier(began, self.look.interval)))),
        };
        let (occasion, since) = untold
            .chain(everything)
            .reduce(|(one, since), (other, also)| (one.max(other), since.max(also)))?;
        Some((occasion, since.max(self.discovery.listed_since)))
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

async fn follow(
    repository: Arc<Repository>,
    hint: Hint,
    since: Timestamp,
    lists: bool,
) -> (Hint, Result<Looked, LookError>) {
    let looked = match &hint.tag {
        Some(tag) => repository.look(tag, since).await,
        // The one tag that is followed is confirmed.
        None if !lists => Ok(Looked::Listed),
        // The event names no tag: only a listing that is as young as it will do.
        None => repository
            .list(earlier(since, Duration::from_millis(1)))
            .await
            .map(|()| Looked::Listed),
    };
    (hint, looked)
}

type Followed = Result<(Hint, Result<Looked, LookError>), JoinError>;

fn note(followed: Option<Followed>, outcomes: &mut BTreeMap<Hint, HintOutcome>, failure: &mut Option<LookError>) {
    let (hint, looked) = match followed {
        None => return,
        Some(Err(panicked)) => {
            failure.get_or_insert(LookError::Panicked(panicked.to_string()));
            return;
        }
        Some(Ok(followed)) => followed,
    };
    let outcome = match looked {
        Ok(Looked::Seen(digest)) => match &hint.claimed {
            Some(claimed) if *claimed != digest => {
                HintOutcome::Elsewhere(format!("the tag points to {digest}, and not, or not yet, to {claimed}"))
            }
            _ => HintOutcome::Seen,
        },
        Ok(Looked::Listed) => HintOutcome::Seen,
        Ok(Looked::Absent(missing)) => HintOutcome::NotVisible(missing),
        Err(error) => {
            let outcome = HintOutcome::Failed(error.to_string());
            failure.get_or_insert(error);
            outcome
        }
    };
    outcomes.insert(hint, outcome);
}

/// The tags whose contents may have changed without an event that told: the chosen ones and, where any tag can become the
/// newest build, those that nobody looked at for longest, as many as were not confirmed since. A person who asks wants all of those.
fn doubtful(repository: &Repository, policy: &ImagePolicy, occasion: Occasion, since: Timestamp) -> Vec<Tag> {
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
            let confirmed = others.iter().filter(|(seen, _)| *seen >= Some(since));
            ROLLING.saturating_sub(confirmed.count())
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

fn joined(done: Option<Result<Result<(), LookError>, JoinError>>) -> Result<(), LookError> {
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
