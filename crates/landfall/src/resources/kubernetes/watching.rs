//! Follows one kind of object, or one Secret, and reports what happens to it; it must not know what is made of that.

use std::collections::BTreeSet;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use futures_util::{FutureExt as _, Stream, StreamExt as _, stream};
use kube::runtime::watcher::{self, Error as WatchError, Event, InitialListStrategy, watcher};
use kube::{Api, Client};
use landfall_core::resource::{Kind, ResourceKey};
use tokio::time::{sleep, timeout};

use super::client;
use super::failure::Failure;
use super::feed::{Feed, Report, Reports};
use super::object::{Object, Status, Unread, Whole, api_resource, read};
use super::reading::{Identity, Reading};
use super::refreshes::Refreshes;
use super::status::in_time;

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

/// Where metadata tell that objects are others now, so many are read together, so many at once.
const READ_TOGETHER: usize = 64;
const READ_AT_ONCE: usize = 8;

/// Whether anybody wants to know what Warehouses say of refreshes.
#[derive(Clone, Copy)]
pub(super) enum Interest {
    Somebodys,
    Nobodys,
}

/// Nobody listens any more.
struct NobodyListens;

/// What a watch brings.
type Watched<S> = Result<Event<Object<S>>, WatchError>;

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
        (Kind::ProjectConfig | Kind::ClusterConfig | Kind::Promotion, _) => {
            following.run::<Whole>(Identity::Nothing).await;
        }
        (Kind::Warehouse, Interest::Somebodys) => following.run::<Refreshes>(Identity::Content).await,
        (Kind::Warehouse, Interest::Nobodys) => following.run::<Unread>(Identity::Generation).await,
        (Kind::Secret | Kind::ConfigMap, _) => following.run::<Unread>(Identity::Content).await,
    }
}

/// How a watch is begun.
#[derive(Clone)]
struct Beginning {
    strategy: InitialListStrategy,
    brings: Brings,
}

/// How much of each object comes.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Brings {
    Everything,
    /// Enough to know which are others now. A status that somebody writes every few minutes is not sent to us.
    Metadata,
}

struct Following {
    client: Client,
    feed: Feed,
    reports: Reports,
    polled: Arc<AtomicUsize>,
}

impl Following {
    async fn run<S: Status>(self, identity: Identity) {
        loop {
            let ended = match self.watch::<S>(identity).await {
                Ok(()) => self.poll::<S>().await,
                Err(gone) => Err(gone),
            };
            if ended.is_err() {
                return;
            }
        }
    }

    /// Watches, until nobody listens or a Secret turns out to be one that may be read and not watched. Where metadata tell whether an
    /// object is another one, everything is read once, and afterwards what they tell of.
    async fn watch<S: Status>(&self, identity: Identity) -> Result<(), NobodyListens> {
        // As a stream out of the API server's own memory, what there is comes sooner than in pages, and one object at a time.
        let mut from = Beginning {
            strategy: InitialListStrategy::StreamingList,
            brings: Brings::Everything,
        };
        let mut events = pin!(self.begin::<S>(&from));
        let (mut reading, mut failures) = (Reading::new(self.feed.kind(), identity), 0);
        let (mut unread, mut misread) = (BTreeSet::new(), 0);
        loop {
            let event = if !unread.is_empty() {
                // What has come already may tell of more that is to be read.
                let more = (unread.len() < READ_TOGETHER).then(|| events.next().now_or_never());
                match more.flatten() {
                    Some(event) => event,
                    None => {
                        let unread = std::mem::take(&mut unread);
                        let Some(failure) = self.read_anew::<S>(unread, &mut reading).await? else {
                            misread = 0;
                            continue;
                        };
                        from.brings = Brings::Everything;
                        events.set(self.begin(&from));
                        // To list everything works meanwhile, and is not to be done again and again without a rest.
                        self.rest(misread, failure).await?;
                        (misread, failures) = (misread + 1, failures + 1);
                        continue;
                    }
                }
            } else if failures == 0 {
                events.next().await
            } else if let Ok(event) = timeout(QUIET_AFTER_ERROR, events.next()).await {
                event
            } else {
                failures = 0;
                self.report(Report::Well).await?;
                continue;
            };
            // It never ends by itself.
            match event.ok_or(NobodyListens)? {
                Ok(event) => {
                    let Some(told) = reading.take(event, from.brings == Brings::Metadata) else {
                        continue;
                    };
                    let is_all = matches!(told.report, Report::Listed(_));
                    unread.extend(told.unread);
                    self.tell(told.report, &mut failures).await?;
                    if is_all && identity == Identity::Generation {
                        from.brings = Brings::Metadata;
                        events.set(self.begin(&from));
                    }
                }
                Err(error) => {
                    let failure = failure(error);
                    // API servers older than 1.32, and those where it is turned off, have no such stream.
                    if from.strategy == InitialListStrategy::StreamingList
                        && matches!(failure, Failure::Refused(_) | Failure::Unable(_))
                    {
                        tracing::debug!(feed = %self.feed, problem = %failure, "what there is is read in pages");
                        from.strategy = InitialListStrategy::ListWatch;
                        events.set(self.begin(&from));
                        continue;
                    }
                    if matches!((&self.feed, &failure), (Feed::Secret { .. }, Failure::Forbidden(_))) {
                        return Ok(());
                    }
                    // By itself it begins anew where a watch ends so, and not where it is refused so.
                    if failure == Failure::Expired {
                        events.set(self.begin(&from));
                    }
                    self.rest(failures, failure).await?;
                    failures += 1;
                }
            }
        }
    }

    /// Reports, and says that it goes on well where it did not and the report does not say so.
    async fn tell(&self, report: Report, failures: &mut u32) -> Result<(), NobodyListens> {
        let says_so = matches!(report, Report::Listed(_) | Report::Remaining(_));
        if std::mem::take(failures) > 0 && !says_so {
            self.report(Report::Well).await?;
        }
        match report {
            Report::Well => Ok(()),
            report => self.report(report).await,
        }
    }

    fn begin<S: Status>(&self, from: &Beginning) -> impl Stream<Item = Watched<S>> + use<S> {
        let client = match from.brings {
            Brings::Everything => self.client.clone(),
            Brings::Metadata => client::of_metadata(&self.client),
        };
        let mut config = watcher::Config::default().timeout(WATCH_TIMEOUT);
        config.page_size = (from.strategy == InitialListStrategy::ListWatch).then_some(PAGE);
        config.initial_list_strategy = from.strategy.clone();
        if let Feed::Secret { name, .. } = &self.feed {
            config = config.fields(&format!("metadata.name={name}"));
        }
        watcher(self.feed.api::<S>(client), config)
    }

    /// Reads objects as a whole, and reports those that are others now. One that is gone meanwhile, the watch tells of. Returns why
    /// one could not be read; then others may be unread as well.
    async fn read_anew<S: Status>(
        &self,
        unread: BTreeSet<ResourceKey>,
        reading: &mut Reading,
    ) -> Result<Option<Failure>, NobodyListens> {
        let read = |key: ResourceKey| async move {
            let resource = api_resource(key.kind);
            let api: Api<Object<S>> = match &key.namespace {
                Some(namespace) => Api::namespaced_with(self.client.clone(), namespace, &resource),
                None => Api::all_with(self.client.clone(), &resource),
            };
            in_time(api.get_opt(&key.name)).await
        };
        let mut objects = stream::iter(unread).map(read).buffer_unordered(READ_AT_ONCE);
        while let Some(object) = objects.next().await {
            match object {
                Err(failure) => return Ok(Some(failure)),
                Ok(object) => {
                    if let Some(report) = object.and_then(|object| reading.report(Event::Apply(object))) {
                        self.tell(report, &mut 0).await?;
                    }
                }
            }
        }
        Ok(None)
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
        Failure::Forbidden(_) | Failure::Refused(_) | Failure::Unable(_) => LONGEST_PAUSE_REFUSED,
        Failure::NotFound | Failure::Conflict | Failure::Expired | Failure::Unreachable(_) => LONGEST_PAUSE,
    };
    // Spread, so that not every watch of every replica comes back in the same moment.
    doubled.min(longest).mul_f64(0.5 + 0.5 * fastrand::f64())
}
