//! Publishes the statuses of configurations at an API server: reads what is there, decides whether it differs, writes it unless
//! somebody else has changed it meanwhile, and tells people of what is new.

mod dispute;

use std::collections::{BTreeMap, HashSet};
use std::mem::{Discriminant, discriminant};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use landfall_core::resource::ResourceKey;
use landfall_core::resource::status::{ConditionStatus, ConfigStatus, ReceiverStatus};
use tokio::sync::{Notify, watch};
use tokio::task::JoinSet;

use self::dispute::Dispute;
use super::receivers::Derived;
use crate::clock::now;
use crate::lease::Leadership;
use crate::resources::kubernetes::{ApiServer, Failure, Happening};

/// Statuses that are written at once.
const SIDE_BY_SIDE: usize = 8;
/// How often somebody else may come between before the next change, or the next attempt, is waited for.
const CONFLICTS: usize = 5;
/// When it is tried again after the API server could not be reached, and after it refused.
const SOON: Duration = Duration::from_secs(1);
const LATER: Duration = Duration::from_secs(30);

/// Publishes statuses, the latest of each configuration.
pub struct Publisher {
    server: ApiServer,
    /// Says whether this process is the one that writes; without, it always is.
    leadership: Option<watch::Receiver<Leadership>>,
    wanted: Mutex<BTreeMap<ResourceKey, Arc<Derived>>>,
    woken: Notify,
    /// What was told to be in the way, so that it is told once.
    told: Mutex<HashSet<Discriminant<Failure>>>,
    /// What was written of each.
    written: Mutex<BTreeMap<ResourceKey, Dispute>>,
    /// What is left as it is for a while, with the latest wish.
    resting: Mutex<BTreeMap<ResourceKey, Arc<Derived>>>,
}

impl Publisher {
    /// Starts one, on the runtime that this is called in. It writes while this process leads, if there is a leader.
    pub fn start(server: ApiServer, leadership: Option<watch::Receiver<Leadership>>) -> Arc<Self> {
        let publisher = Arc::new(Self {
            server,
            leadership,
            wanted: Mutex::default(),
            woken: Notify::new(),
            told: Mutex::default(),
            written: Mutex::default(),
            resting: Mutex::default(),
        });
        tokio::spawn(publisher.clone().run());
        publisher
    }

    /// Wishes for the statuses that differ from what is there, and for no others any more.
    pub fn publish(&self, derived: &[Arc<Derived>], differs: impl Fn(&Derived) -> bool) {
        let mut wanted = self.wanted();
        for derived in derived {
            if differs(derived) {
                wanted.insert(derived.key.clone(), derived.clone());
            } else {
                wanted.remove(&derived.key);
                self.resting().remove(&derived.key);
            }
        }
        drop(wanted);
        self.woken.notify_one();
    }

    async fn run(self: Arc<Self>) {
        loop {
            let woken = self.woken.notified();
            if !self.is_to_write().await {
                return;
            }
            let wanted = std::mem::take(&mut *self.wanted());
            if wanted.is_empty() {
                woken.await;
                continue;
            }
            let mut running = JoinSet::new();
            for derived in wanted.into_values() {
                if running.len() >= SIDE_BY_SIDE {
                    running.join_next().await;
                }
                running.spawn(self.clone().write(derived));
            }
            while running.join_next().await.is_some() {}
        }
    }

    /// Waits until this process is the one that writes; says no when it never will be.
    async fn is_to_write(&self) -> bool {
        let Some(mut leadership) = self.leadership.clone() else {
            return true;
        };
        while leadership.borrow_and_update().term().is_none() {
            if leadership.changed().await.is_err() {
                return false;
            }
        }
        true
    }

    async fn write(self: Arc<Self>, derived: Arc<Derived>) {
        if let Some(rest) = self.rest(&derived.key) {
            return self.put_off(derived, rest);
        }
        let Err(failure) = self.try_write(&derived).await else {
            self.told().clear();
            // What was wished for before this must not come after it.
            self.resting().remove(&derived.key);
            return;
        };
        let again = match failure {
            Failure::Unreachable(_) | Failure::Conflict => SOON,
            _ => LATER,
        };
        if self.told().insert(discriminant(&failure)) {
            tracing::warn!(resource = %derived.key, problem = %failure, "a status cannot be written; it is tried again until it works");
        }
        self.put_off(derived, again);
    }

    /// Wishes for it again after a while. Of what is put off already, the latest wish counts.
    fn put_off(self: Arc<Self>, derived: Arc<Derived>, pause: Duration) {
        let key = derived.key.clone();
        if self.resting().insert(key.clone(), derived).is_some() {
            return;
        }
        tokio::spawn(async move {
            tokio::time::sleep(pause).await;
            if let Some(derived) = self.resting().remove(&key) {
                // What has been wished for since is newer.
                self.wanted().entry(key).or_insert(derived);
                self.woken.notify_one();
            }
        });
    }

    /// How long a status is left as it is because somebody else keeps replacing it.
    fn rest(&self, key: &ResourceKey) -> Option<Duration> {
        let written = self.written.lock().unwrap_or_else(PoisonError::into_inner);
        let pause = written.get(key)?.pause(now());
        Duration::try_from(pause).ok().filter(|pause| !pause.is_zero())
    }

    fn note(&self, key: &ResourceKey, status: &ConfigStatus) {
        let mut written = self.written.lock().unwrap_or_else(PoisonError::into_inner);
        let now = now();
        match written.get_mut(key) {
            None => drop(written.insert(key.clone(), Dispute::begin(status, now))),
            Some(dispute) => {
                if dispute.wrote(status, now) {
                    tracing::warn!(resource = %key, "another process keeps writing another status here, so both are true in turn; \
                        whoever writes statuses of one cluster, landfalls and Kargo's management controller, needs the same base URL \
                        (EXTERNAL_WEBHOOK_SERVER_BASE_URL) and the same rights");
                }
            }
        }
    }

    async fn try_write(&self, derived: &Derived) -> Result<(), Failure> {
        for _ in 0..CONFLICTS {
            let Some(object) = self.server.config(&derived.key).await? else {
                return Ok(());
            };
            // Of a spec that has changed meanwhile we will hear, and then know what belongs into its status.
            if object.generation > derived.generation() {
                return Ok(());
            }
            let status = derived.status(&object.status, object.generation, now());
            if status == object.status {
                return Ok(());
            }
            match self.server.write_config_status(&derived.key, &object, &status).await {
                Err(Failure::Conflict) => {}
                Err(Failure::NotFound) => return Ok(()),
                Err(failure) => return Err(failure),
                Ok(()) => {
                    self.note(&derived.key, &status);
                    for happening in happenings(&object.status, &status) {
                        if let Err(problem) = self.server.tell(&object, &happening).await {
                            tracing::debug!(resource = %derived.key, %problem, "an Event was not kept");
                        }
                    }
                    return Ok(());
                }
            }
        }
        Err(Failure::Conflict)
    }

    fn wanted(&self) -> MutexGuard<'_, BTreeMap<ResourceKey, Arc<Derived>>> {
        self.wanted.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn resting(&self) -> MutexGuard<'_, BTreeMap<ResourceKey, Arc<Derived>>> {
        self.resting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn told(&self) -> MutexGuard<'_, HashSet<Discriminant<Failure>>> {
        self.told.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What people should see of a change.
fn happenings(before: &ConfigStatus, after: &ConfigStatus) -> Vec<Happening> {
    let had = |name: &str, path: &str| {
        let mut published = before.webhook_receivers.iter();
        published.any(|receiver| receiver.name == name && receiver.path == path)
    };
    let has = |name: &str| after.webhook_receivers.iter().any(|receiver| receiver.name == name);
    let new = after.webhook_receivers.iter();
    let new = new.filter(|receiver| !had(&receiver.name, &receiver.path));
    let gone = before.webhook_receivers.iter().filter(|receiver| !has(&receiver.name));
    let (new, gone) = (names(new), names(gone));
    let published = (!new.is_empty()).then(|| Happening {
        is_warning: false,
        reason: "ReceiverPublished",
        action: "Publish",
        note: format!("the status has new URLs, to be given to the senders, of: {new}"),
    });
    let withdrawn = (!gone.is_empty()).then(|| Happening {
        is_warning: true,
        reason: "ReceiverWithdrawn",
        action: "Publish",
        note: format!("these can be reached no more: {gone}"),
    });
    [published, withdrawn, failure(before, after)]
        .into_iter()
        .flatten()
        .collect()
}

fn names<'a>(receivers: impl Iterator<Item = &'a ReceiverStatus>) -> String {
    receivers
        .map(|receiver| receiver.name.as_str())
        .collect::<Vec<_>>()
        .join(", ")
}

/// That something is wrong, where it was not so before.
fn failure(before: &ConfigStatus, after: &ConfigStatus) -> Option<Happening> {
    let now = after
        .conditions
        .find("Ready")
        .filter(|ready| ready.status == ConditionStatus::False)?;
    let said_before = before
        .conditions
        .find("Ready")
        .is_some_and(|ready| ready.message == now.message);
    (!said_before).then(|| Happening {
        is_warning: true,
        reason: "SyncWebhookReceiversFailed",
        action: "Sync",
        note: now.message.clone(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn status(receivers: &[(&str, &str)]) -> ConfigStatus {
        ConfigStatus {
            webhook_receivers: receivers
                .iter()
                .map(|(name, path)| ReceiverStatus {
                    name: (*name).to_owned(),
                    path: (*path).to_owned(),
                    url: String::new(),
                })
                .collect(),
            ..ConfigStatus::default()
        }
    }

    #[test]
    fn people_see_what_is_new_and_never_a_path() {
        let (one, other) = (&[("hub", "/1"), ("old", "/2")], &[("hub", "/3"), ("new", "/4")]);
        let notes: Vec<String> = happenings(&status(one), &status(other))
            .into_iter()
            .map(|happening| format!("{}: {}", happening.reason, happening.note))
            .collect();
        assert_eq!(
            notes,
            [
                "ReceiverPublished: the status has new URLs, to be given to the senders, of: hub, new",
                "ReceiverWithdrawn: these can be reached no more: old",
            ]
        );
        assert_eq!(happenings(&status(one), &status(one)), []);
    }
}
