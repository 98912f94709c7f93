//! Puts off a configuration that somebody asks to be refreshed until its Secrets were read: what is answered is to be true of
//! them, and their changes come by other ways, which may be slower.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use kube::Client;
use landfall_core::resource::{Kind, ResourceKey};
use tokio::sync::Semaphore;

use super::feed::{Feed, Report, Reports};
use super::held::Held;
use super::object::{Outcome, Read, Unread, read};
use super::status::in_time;

/// Configurations whose Secrets are read at once.
const AT_ONCE: usize = 8;
/// So long a configuration is put off at most, while others change it.
const LONGEST: Duration = Duration::from_secs(30);

/// What is put off.
pub(super) struct Asked {
    client: Client,
    reports: Reports,
    turns: Arc<Semaphore>,
    waiting: BTreeMap<ResourceKey, Waiting>,
}

/// The latest of one configuration, and the token for which its Secrets are being read.
struct Waiting {
    feed: Feed,
    read: Box<Read>,
    token: String,
    since: Instant,
}

impl Asked {
    /// Nothing is put off yet. What is read is reported, and that it was.
    pub(super) fn new(client: Client, reports: Reports) -> Self {
        Self {
            client,
            reports,
            turns: Arc::new(Semaphore::new(AT_ONCE)),
            waiting: BTreeMap::new(),
        }
    }

    /// What is to be taken in now because of a report, if anything.
    pub(super) fn take(
        &mut self,
        feed: Feed,
        report: Report,
        held: &Held,
        system_namespace: &str,
    ) -> Option<(Feed, Report)> {
        match report {
            Report::Changed(read) => self.changed(feed, read, held, system_namespace),
            Report::SecretsRead(key, token) => {
                // Somebody may have asked again since.
                self.waiting.get(&key).filter(|waiting| waiting.token == token)?;
                let Waiting { feed, read, .. } = self.waiting.remove(&key)?;
                Some((feed, Report::Changed(read)))
            }
            report => {
                match &report {
                    Report::Gone(key) => drop(self.waiting.remove(key)),
                    // It says all that those say.
                    Report::Listed(_) | Report::Remaining(_) => self.waiting.retain(|_, waiting| waiting.feed != feed),
                    _ => {}
                }
                Some((feed, report))
            }
        }
    }

    fn changed(&mut self, feed: Feed, read: Box<Read>, held: &Held, system_namespace: &str) -> Option<(Feed, Report)> {
        let Some((token, secrets)) = asks(&read, held, system_namespace) else {
            self.waiting.remove(&read.key);
            return Some((feed, Report::Changed(read)));
        };
        let known = self.waiting.get_mut(&read.key);
        let since = known.as_ref().map_or_else(Instant::now, |waiting| waiting.since);
        match known {
            // Whoever asks again and again is answered by what is known.
            Some(_) if since.elapsed() >= LONGEST => {
                self.waiting.remove(&read.key);
                return Some((feed, Report::Changed(read)));
            }
            Some(waiting) if waiting.token == token => {
                waiting.read = read;
                return None;
            }
            Some(_) | None => {}
        }
        let key = read.key.clone();
        let reading = read_secrets(self.client.clone(), secrets, self.reports.clone(), self.turns.clone());
        let (reports, done) = (self.reports.clone(), Report::SecretsRead(key.clone(), token.clone()));
        let of = feed.clone();
        tokio::spawn(async move {
            reading.await;
            // Where nobody listens, nobody waits.
            let _ = reports.send((of, done)).await;
        });
        let waiting = Waiting {
            feed,
            read,
            token,
            since,
        };
        self.waiting.insert(key, waiting);
        None
    }
}

/// The token by which somebody asks for more than was asked for before, and the Secrets that are followed for the answer.
fn asks(read: &Read, held: &Held, system_namespace: &str) -> Option<(String, Vec<Feed>)> {
    let Outcome::Usable(loaded) = &read.outcome else {
        return None;
    };
    let token = loaded.resource.refresh_token()?;
    let before = held.resource(&read.key)?;
    let secrets = held.followed_secrets(&loaded.resource, system_namespace);
    (before.refresh_token() != Some(token) && !secrets.is_empty()).then(|| (token.to_owned(), secrets))
}

/// Reads Secrets, and reports what they say. Of those that cannot be read, whoever follows them tells.
async fn read_secrets(client: Client, secrets: Vec<Feed>, reports: Reports, turns: Arc<Semaphore>) {
    let _turn = turns.acquire().await;
    for feed in secrets {
        let Feed::Secret { name, .. } = &feed else { continue };
        let api = feed.api::<Unread>(client.clone());
        match in_time(api.get_opt(name)).await {
            Ok(object) => {
                let objects = object.map(|object| read(Kind::Secret, object)).into_iter().collect();
                let _ = reports.send((feed, Report::Listed(objects))).await;
            }
            Err(problem) => {
                tracing::debug!(%feed, %problem, "a Secret could not be read for whoever asks for a refresh")
            }
        }
    }
}
