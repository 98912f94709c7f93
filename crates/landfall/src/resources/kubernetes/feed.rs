//! Follows one kind of object, or one Secret, and reports what happens to it; it must not know what is made of that.

use std::fmt;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use futures_util::StreamExt as _;
use kube::runtime::watcher::{self, Error as WatchError, InitialListStrategy, watcher};
use kube::{Api, Client};
use landfall_core::refresh::Progress;
use landfall_core::resource::{Kind, ResourceKey};
use serde::de::DeserializeOwned;
use serde_json::Value;
use tokio::sync::mpsc;
use tokio::time::{sleep, timeout};

use super::failure::Failure;
use super::object::{Object, Read, Status, Unread, api_resource, read};
use super::reading::Reading;
use super::refreshes::Refreshes;

/// The first wait after an error, and the longest: whoever waits for the API server wants to go on soon after it is back. What
/// somebody has to grant first may take its time.
const FIRST_PAUSE: Duration = Duration::from_millis(100);
const LONGEST_PAUSE: Duration = Duration::from_secs(3);
const LONGEST_PAUSE_REFUSED: Duration = Duration::from_secs(15);
/// A watch that is silent for so long after an error goes on well.
const QUIET_AFTER_ERROR: Duration = Duration::from_secs(2);
/// A watch that says nothing for so long is begun anew: the connection may be dead without either end knowing. In seconds.
const WATCH_TIMEOUT: u32 = 120;
/// Objects of one page, where they come in pages. What is on a page is in memory at once.
const PAGE: u32 = 250;
/// How often a Secret is read that may not be watched, and how often that is tried before the watch is tried again.
const POLL: Duration = Duration::from_millis(700);
const POLLS: u32 = 60;
/// Secrets that are read in a second, at most.
const POLLS_PER_SECOND: f64 = 20.0;

/// What is followed.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Feed {
    /// All objects of a kind, in one namespace or in all.
    Kind { kind: Kind, namespace: Option<String> },
    /// One Secret.
    Secret { namespace: String, name: String },
}

/// What happened.
#[derive(Debug)]
pub(super) enum Report {
    /// This is everything there is.
    Listed(Vec<Read>),
    /// One object is new or another one now.
    Changed(Box<Read>),
    /// One object is the one it was, and says this of refreshes.
    Progressed(ResourceKey, Progress),
    /// One object is no more.
    Gone(ResourceKey),
    /// Nobody can tell at the moment; what was reported before may be out of date.
    Trouble(Failure),
    /// It goes on where it was.
    Well,
}

/// Where reports go.
pub(super) type Reports = mpsc::Sender<(Feed, Report)>;

/// Whether anybody wants to know what Warehouses say of refreshes.
#[derive(Clone, Copy)]
pub(super) enum Interest {
    Somebodys,
    Nobodys,
}

/// Nobody listens any more.
struct NobodyListens;

/// Follows until nobody listens. `polled` counts the Secrets that are read again and again.
pub(super) async fn follow(
    client: Client,
    feed: Feed,
    reports: Reports,
    polled: Arc<AtomicUsize>,
    refreshes: Interest,
) {
    let following = Following {
        client,
        feed,
        reports,
        polled,
    };
    match (following.feed.kind(), refreshes) {
        (Kind::ProjectConfig | Kind::ClusterConfig | Kind::Promotion, _) => following.run::<Value>().await,
        (Kind::Warehouse, Interest::Somebodys) => following.run::<Refreshes>().await,
        (Kind::Warehouse, Interest::Nobodys) | (Kind::Secret | Kind::ConfigMap, _) => following.run::<Unread>().await,
    }
}

impl Feed {
    /// The kind of its objects.
    pub(super) fn kind(&self) -> Kind {
        match self {
            Self::Kind { kind, .. } => *kind,
            Self::Secret { .. } => Kind::Secret,
        }
    }

    /// Whether it tells who subscribes to what, and nothing that is needed to take a delivery.
    pub(super) fn is_of_subscribers(&self) -> bool {
        matches!(self.kind(), Kind::Warehouse | Kind::Promotion)
    }

    fn api<S>(&self, client: Client) -> Api<Object<S>>
    where
        S: Clone + DeserializeOwned,
    {
        let resource = api_resource(self.kind());
        match self {
            Self::Kind { namespace: None, .. } => Api::all_with(client, &resource),
            Self::Kind {
                namespace: Some(namespace),
                ..
            }
            | Self::Secret { namespace, .. } => Api::namespaced_with(client, namespace, &resource),
        }
    }

    fn watched(&self, strategy: InitialListStrategy) -> watcher::Config {
        let mut config = watcher::Config::default().timeout(WATCH_TIMEOUT);
        config.page_size = (strategy == InitialListStrategy::ListWatch).then_some(PAGE);
        config.initial_list_strategy = strategy;
        match self {
            Self::Kind { .. } => config,
            Self::Secret { name, .. } => config.fields(&format!("metadata.name={name}")),
        }
    }
}

impl fmt::Display for Feed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Kind { kind, namespace: None } => write!(f, "{kind}s"),
            Self::Kind {
                kind,
                namespace: Some(namespace),
            } => write!(f, "{kind}s in {namespace}"),
            Self::Secret { namespace, name } => write!(f, "Secret {namespace}/{name}"),
        }
    }
}

struct Following {
    client: Client,
    feed: Feed,
    reports: Reports,
    polled: Arc<AtomicUsize>,
}

impl Following {
    async fn run<S: Status>(self) {
        loop {
            let ended = match self.watch::<S>().await {
                Ok(()) => self.poll::<S>().await,
                Err(gone) => Err(gone),
            };
            if ended.is_err() {
                return;
            }
        }
    }

    /// Watches, until nobody listens or a Secret turns out to be one that may be read and not watched.
    async fn watch<S: Status>(&self) -> Result<(), NobodyListens> {
        let begin = |strategy| watcher(self.feed.api::<S>(self.client.clone()), self.feed.watched(strategy));
        // As a stream out of the API server's own memory, what there is comes sooner than in pages, and one object at a time.
        let mut strategy = InitialListStrategy::StreamingList;
        let mut events = pin!(begin(strategy.clone()));
        let (mut reading, mut failures) = (Reading::new(self.feed.kind()), 0);
        loop {
            let event = match failures {
                0 => events.next().await,
                _ => match timeout(QUIET_AFTER_ERROR, events.next()).await {
                    Ok(event) => event,
                    Err(_quiet) => {
                        failures = 0;
                        self.report(Report::Well).await?;
                        continue;
                    }
                },
            };
            // It never ends by itself.
            match event.ok_or(NobodyListens)? {
                Ok(event) => {
                    let Some(report) = reading.report(event) else {
                        continue;
                    };
                    if failures > 0 && !matches!(report, Report::Listed(_)) {
                        self.report(Report::Well).await?;
                    }
                    failures = 0;
                    if !matches!(report, Report::Well) {
                        self.report(report).await?;
                    }
                }
                Err(error) => {
                    let failure = failure(error);
                    // API servers older than 1.32, and those where it is turned off, have no such stream.
                    if strategy == InitialListStrategy::StreamingList && matches!(failure, Failure::Refused(_)) {
                        tracing::debug!(feed = %self.feed, problem = %failure, "what there is is read in pages");
                        strategy = InitialListStrategy::ListWatch;
                        events.set(begin(strategy.clone()));
                        continue;
                    }
                    if matches!((&self.feed, &failure), (Feed::Secret { .. }, Failure::Forbidden(_))) {
                        return Ok(());
                    }
                    // By itself it begins anew where a watch ends so, and not where it is refused so.
                    if failure == Failure::Expired {
                        events.set(begin(strategy.clone()));
                    }
                    self.rest(failures, failure).await?;
                    failures += 1;
                }
            }
        }
    }

    /// Tells of a failure, and waits before it is tried again. A history that is too old to go on from is none: everything is
    /// listed again.
    async fn rest(&self, failures: u32, failure: Failure) -> Result<(), NobodyListens> {
        let pause = pause(failures, &failure);
        if failure != Failure::Expired {
            self.report(Report::Trouble(failure)).await?;
        }
        sleep(pause).await;
        Ok(())
    }

    /// Reads a Secret again and again for a while, which takes fewer rights than to watch it.
    async fn poll<S: Status>(&self) -> Result<(), NobodyListens> {
        let Feed::Secret { name, .. } = &self.feed else {
            return Ok(());
        };
        let _counted = Counted::new(&self.polled);
        let api = self.feed.api::<S>(self.client.clone());
        for _ in 0..POLLS {
            let report = match api.get_opt(name).await.map_err(Failure::from) {
                Ok(object) => Report::Listed(object.map(|object| read(Kind::Secret, object)).into_iter().collect()),
                Err(failure) => Report::Trouble(failure),
            };
            self.report(report).await?;
            let all = self.polled.load(Ordering::Relaxed);
            let share = Duration::from_secs_f64(f64::from(u32::try_from(all).unwrap_or(u32::MAX)) / POLLS_PER_SECOND);
            sleep(share.max(POLL)).await;
        }
        Ok(())
    }

    async fn report(&self, report: Report) -> Result<(), NobodyListens> {
        let sent = self.reports.send((self.feed.clone(), report)).await;
        sent.map_err(|_| NobodyListens)
    }
}

struct Counted<'a>(&'a AtomicUsize);

impl<'a> Counted<'a> {
    fn new(count: &'a AtomicUsize) -> Self {
        count.fetch_add(1, Ordering::Relaxed);
        Self(count)
    }
}

impl Drop for Counted<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

fn failure(error: WatchError) -> Failure {
    match error {
        WatchError::InitialListFailed(error) | WatchError::WatchStartFailed(error) | WatchError::WatchFailed(error) => {
            error.into()
        }
        WatchError::WatchError(status) => Failure::of(&status),
        WatchError::NoResourceVersion => Failure::Refused("its answer has no version to go on from".to_owned()),
    }
}

fn pause(failures: u32, failure: &Failure) -> Duration {
    let doubled = FIRST_PAUSE.saturating_mul(1 << failures.min(10));
    let longest = match failure {
        Failure::Forbidden(_) | Failure::Refused(_) => LONGEST_PAUSE_REFUSED,
        Failure::NotFound | Failure::Conflict | Failure::Expired | Failure::Unreachable(_) => LONGEST_PAUSE,
    };
    // Spread, so that not every watch of every replica comes back in the same moment.
    doubled.min(longest).mul_f64(0.5 + 0.5 * fastrand::f64())
}
