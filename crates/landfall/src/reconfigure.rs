//! Puts a snapshot of resources in force: derives receivers, subscriptions and credentials, notes statuses, and wishes for the
//! refreshes that changes call for.

mod compare;
mod subscribed;

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use jiff::{SignedDuration, Timestamp};
use landfall_core::go::regexp::Patterns;
use landfall_core::matcher::Index;
use landfall_core::receiver::{Receiver, Sender};
use landfall_core::refresh::{Extent, Occasion};
use landfall_core::resource::status::{ConfigStatus, WarehouseStatus};
use landfall_core::resource::{Kind, Resource, ResourceKey, Warehouse};
use landfall_core::target::Target;
use sha2::{Digest as _, Sha256};

use crate::clock::now;
use crate::controller::credentials::Credentials;
use crate::controller::publisher::Publisher;
use crate::controller::receivers::{Derived, Doors, Settings, derive};
use crate::live::{Live, LiveWarehouse, PreviousSecret, ReceiverSummary};
use crate::pipeline::Pipeline;
use crate::resources::{Loaded, Snapshot};
use crate::statuses::key_of;
use crate::store::{ResourceRecord, ResourceWrite, StoreError};
use crate::webhook_secrets::WebhookSecrets;
use compare::{differs, tell};

/// What stays the same from one snapshot to the next.
pub struct Reconfigurer {
    pub pipeline: Arc<Pipeline>,
    pub records: Records,
    pub settings: Settings,
    pub shared_namespace: Option<String>,
    /// Whether somebody here looks at what Warehouses subscribe to.
    pub discovers: bool,
    /// The secrets of the door by type, of which some may come from the snapshot.
    pub webhook_secrets: Arc<WebhookSecrets>,
    /// Regular expressions that are in force, so that a change compiles no more than what is new.
    pub patterns: Mutex<Patterns>,
    /// The Secrets with credentials that are in force; none before the first snapshot, which changes nothing.
    pub known_credentials: Mutex<Option<HashMap<ResourceKey, Arc<Loaded>>>>,
    /// The Warehouses and Promotions that the index in force was made of, in the order of their keys.
    pub indexed: Mutex<Vec<Arc<Loaded>>>,
}

/// Who keeps generations and statuses.
pub enum Records {
    /// The store, since nobody else does.
    Store,
    /// The API server, to which statuses are published.
    ApiServer(Arc<Publisher>),
}

/// Who subscribed to what.
type Subscribed = (Arc<Index>, Arc<HashMap<Arc<Target>, LiveWarehouse>>);

impl Reconfigurer {
    /// Puts a snapshot in force. What it replaces stays in force for requests and refreshes that have begun. If the store
    /// cannot be written, the snapshot is in force all the same, and the error says that its statuses are not kept.
    pub async fn apply(&self, snapshot: &Snapshot) -> Result<(), StoreError> {
        if let Err(error) = self.pipeline.statuses.renew(&self.pipeline.store).await {
            tracing::warn!(%error, "what other processes noted of the resources is not known");
        }
        let now = now();
        let derived: Vec<Arc<Derived>> = derive(snapshot, &self.settings).into_iter().map(Arc::new).collect();
        let (credentials, problems) = Credentials::of(snapshot, self.shared_namespace.clone());
        for problem in problems {
            tracing::warn!(problem, "credentials cannot be used");
        }
        let mut changes = Changes::default();
        let in_force = self.pipeline.live.load_full();
        let (index, warehouses) = match self.unchanged(snapshot, &in_force) {
            Some(subscribed) => subscribed,
            None => self.subscribed(snapshot, &in_force, &mut changes, now),
        };
        let gone = match &self.records {
            Records::Store => {
                for derived in &derived {
                    self.note_config(derived, snapshot, &mut changes, now);
                }
                self.gone(snapshot, &in_force.warehouses)
            }
            Records::ApiServer(publisher) => {
                publisher.publish(&derived, |derived| differs(derived, snapshot, now));
                let gone = in_force
                    .warehouses
                    .keys()
                    .filter(|target| !warehouses.contains_key(*target));
                gone.map(|target| key_of(target)).collect()
            }
        };
        let by_type = self.webhook_secrets.receivers(snapshot);
        let summaries = self.summaries(&derived, &by_type);
        tell(&summaries, &in_force.receivers);
        let rotating = summaries.iter().filter(|receiver| receiver.previous_secret.is_some());
        let rotating: HashSet<&str> = rotating.map(|receiver| receiver.receiver.as_str()).collect();
        self.pipeline
            .metrics
            .previous_secrets
            .keep(|receiver| rotating.contains(receiver));
        self.pipeline.live.store(Arc::new(Live {
            known: snapshot.known,
            hides_receivers: snapshot.hides_receivers,
            hides_promotions: snapshot.hides_promotions,
            doors: Doors::of(&derived, &self.settings.base_url),
            receivers: summaries,
            by_type,
            index,
            warehouses,
            credentials: Arc::new(credentials),
        }));
        self.patterns().forget_unused();
        self.follow_up(changes, gone).await
    }

    /// The projects whose credentials for registries differ from those in force so far: what was refused to them may be
    /// granted now. All of them, where credentials are shared.
    fn recredentialed(&self, snapshot: &Snapshot) -> HashSet<String> {
        let current: HashMap<ResourceKey, Arc<Loaded>> = snapshot
            .resources
            .iter()
            .filter(|(_, loaded)| matches!(&loaded.resource, Resource::Secret(secret) if secret.credential_type() == Some("image")))
            .map(|(key, loaded)| (key.clone(), loaded.clone()))
            .collect();
        let mut known = self.known_credentials.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(known) = known.replace(current.clone()) else {
            return HashSet::new();
        };
        let differs = |key: &&ResourceKey| match (known.get(*key), current.get(*key)) {
            (Some(before), Some(after)) => !Arc::ptr_eq(before, after),
            _ => true,
        };
        let changed: HashSet<String> = known
            .keys()
            .chain(current.keys())
            .filter(differs)
            .filter_map(|key| key.namespace.clone())
            .collect();
        match &self.shared_namespace {
            Some(shared) if changed.contains(shared) => snapshot
                .resources
                .keys()
                .filter_map(|key| key.namespace.clone())
                .collect(),
            _ => changed,
        }
    }

    fn patterns(&self) -> MutexGuard<'_, Patterns> {
        self.patterns.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn follow_up(&self, changes: Changes, gone: Vec<ResourceKey>) -> Result<(), StoreError> {
        for write in &changes.writes {
            self.pipeline.statuses.written(write.clone());
        }
        for key in &gone {
            self.pipeline.statuses.remove(key);
            if let (Kind::Warehouse, Some(namespace)) = (key.kind, &key.namespace) {
                let target = Target::Warehouse {
                    namespace: namespace.clone(),
                    name: key.name.clone(),
                };
                self.pipeline.forget(&target);
            }
        }
        for (target, extent, due) in changes.wishes {
            self.pipeline.wish(&target, extent, due);
        }
        if changes.writes.is_empty() && gone.is_empty() {
            return Ok(());
        }
        let writes = changes.writes.into_iter().map(without_paths).collect();
        self.pipeline.store.put_resources(writes, gone).await
    }

    /// The record of a Warehouse, and why all of it is to be looked at, if it is.
    fn note_warehouse(
        &self,
        loaded: &Loaded,
        warehouse: &Warehouse,
        changes: &mut Changes,
        now: Timestamp,
    ) -> (ResourceRecord, Option<Occasion>) {
        let key = loaded.resource.key();
        let known = self.pipeline.statuses.record(&key);
        let spec_hash = spec_hash(loaded);
        let status: WarehouseStatus = serde_json::from_str(&known.status).unwrap_or_default();
        let requested = warehouse
            .metadata
            .refresh_token()
            .is_some_and(|token| token != status.last_handled_refresh);
        if known.spec_hash == spec_hash {
            let occasion = match known.refreshed {
                _ if requested => Some(Occasion::Requested),
                None => Some(Occasion::SpecChanged),
                Some(_) => None,
            };
            return (known, occasion);
        }
        let generation = known.generation + 1;
        let status = match status.conditions.is_empty() {
            true => landfall_core::discovery::first_look_status(generation, now),
            false => status,
        };
        let status = serde_json::to_string(&status).unwrap_or_default();
        let record = ResourceRecord {
            generation,
            spec_hash,
            status,
            refreshed: None,
        };
        changes.writes.push(ResourceWrite {
            key,
            record: record.clone(),
        });
        (
            record,
            Some(if requested {
                Occasion::Requested
            } else {
                Occasion::SpecChanged
            }),
        )
    }

    fn note_config(&self, derived: &Derived, snapshot: &Snapshot, changes: &mut Changes, now: Timestamp) {
        let known = self.pipeline.statuses.record(&derived.key);
        let Some(loaded) = snapshot.resources.get(&derived.key) else {
            return;
        };
        let spec_hash = spec_hash(loaded);
        let generation = known.generation + i64::from(known.spec_hash != spec_hash);
        let previous: ConfigStatus = serde_json::from_str(&known.status).unwrap_or_default();
        let status = serde_json::to_string(&derived.status(&previous, generation, now)).unwrap_or_default();
        let record = ResourceRecord {
            generation,
            spec_hash,
            status,
            refreshed: None,
        };
        if record != known {
            changes.writes.push(ResourceWrite {
                key: derived.key.clone(),
                record,
            });
        }
    }

    fn summaries(&self, derived: &[Arc<Derived>], by_type: &HashMap<Sender, Receiver>) -> Vec<ReceiverSummary> {
        let mut summaries = Vec::new();
        for derived in derived {
            summaries.extend(derived.open.iter().map(|open| {
                let flaw = derived.flawed.iter().find(|(name, _)| *name == open.name);
                ReceiverSummary {
                    receiver: open.receiver.name().to_string(),
                    sender: Some(open.receiver.sender()),
                    url: Some(open.door.url().to_owned()),
                    problem: flaw.map(|(_, problem)| problem.clone()),
                    previous_secret: previous_secret(&open.receiver),
                }
            }));
            summaries.extend(derived.closed.iter().map(|(name, problem)| ReceiverSummary {
                receiver: format!("{} {}/{name}", derived.key.kind, derived.key.name),
                sender: None,
                url: None,
                problem: Some(problem.clone()),
                previous_secret: None,
            }));
        }
        let mut by_type: Vec<(&Sender, &Receiver)> = by_type.iter().collect();
        by_type.sort_unstable_by_key(|(sender, _)| **sender);
        summaries.extend(by_type.into_iter().filter_map(|(sender, receiver)| {
            let path = format!("/webhook?type={}", sender.type_name()?);
            Some(ReceiverSummary {
                receiver: receiver.name().to_string(),
                sender: Some(*sender),
                url: Some(self.settings.base_url.join(&path)),
                problem: None,
                previous_secret: previous_secret(receiver),
            })
        }));
        summaries
    }

    /// Resources that there is a record of and that exist no more. A Warehouse that was never here may have come to other
    /// processes first; only a start clears away what nobody has.
    fn gone(&self, snapshot: &Snapshot, before: &HashMap<Arc<Target>, LiveWarehouse>) -> Vec<ResourceKey> {
        let others_may_have_it = self.pipeline.store.is_shared() && !before.is_empty();
        let here: HashSet<ResourceKey> = before.keys().map(|target| key_of(target)).collect();
        let present: HashSet<&ResourceKey> = snapshot.resources.keys().collect();
        self.pipeline
            .statuses
            .keys()
            .into_iter()
            .filter(|key| !present.contains(key))
            .filter(|key| !others_may_have_it || key.kind != Kind::Warehouse || here.contains(key))
            .collect()
    }
}

/// That there is a previous secret; how it was used is known when somebody asks.
fn previous_secret(receiver: &Receiver) -> Option<PreviousSecret> {
    receiver.has_previous_secret().then(PreviousSecret::default)
}

#[derive(Default)]
struct Changes {
    writes: Vec<ResourceWrite>,
    wishes: Vec<(Target, Extent, Timestamp)>,
}

impl Changes {
    fn wish(
        &mut self,
        target: &Target,
        warehouse: &Warehouse,
        record: &ResourceRecord,
        occasion: Option<Occasion>,
        now: Timestamp,
    ) {
        let (extent, due) = match (occasion, record.refreshed) {
            (Some(occasion), _) => (Extent::Full(occasion), now),
            (None, None) => (Extent::Full(Occasion::SpecChanged), now),
            // A clock that has been set back must not put the next look off.
            (None, Some(refreshed)) if refreshed > now => (Extent::Full(Occasion::Interval), now),
            (None, Some(refreshed)) => {
                let interval = SignedDuration::try_from(warehouse.interval.duration).unwrap_or(SignedDuration::MAX);
                (
                    Extent::Full(Occasion::Interval),
                    refreshed.checked_add(interval).unwrap_or(Timestamp::MAX),
                )
            }
        };
        self.wishes.push((target.clone(), extent, due));
    }
}

fn target_of(warehouse: &Warehouse) -> Target {
    let metadata = &warehouse.metadata;
    Target::Warehouse {
        namespace: metadata.namespace.clone().unwrap_or_default(),
        name: metadata.name.clone(),
    }
}

/// A record fit to be kept on the disk. The paths of receivers are secrets, and each start derives them anew.
fn without_paths(mut write: ResourceWrite) -> ResourceWrite {
    if matches!(write.key.kind, Kind::ProjectConfig | Kind::ClusterConfig) {
        let mut status: ConfigStatus = serde_json::from_str(&write.record.status).unwrap_or_default();
        status.webhook_receivers.clear();
        write.record.status = serde_json::to_string(&status).unwrap_or_default();
    }
    write
}

/// Tells specs apart, as the API server's generation does.
fn spec_hash(loaded: &Loaded) -> String {
    let spec = loaded.manifest.get("spec").map(ToString::to_string).unwrap_or_default();
    Sha256::digest(spec)
        .iter()
        .take(16)
        .map(|byte| format!("{byte:02x}"))
        .collect()
}
