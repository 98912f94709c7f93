//! Holds what the store keeps of resources, so that statuses are read without asking it. What is here is written there.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use jiff::Timestamp;
use landfall_core::resource::{Kind, ResourceKey};
use landfall_core::target::Target;
use serde::Serialize;

use crate::store::{ResourceRecord, ResourceWrite, Store, StoreError};

/// Records by resource.
pub struct Statuses {
    records: Mutex<HashMap<ResourceKey, ResourceRecord>>,
    /// Full refreshes that failed in a row; forgotten when the process ends.
    failures: Mutex<HashMap<Target, u32>>,
}

impl Statuses {
    /// What an earlier process left.
    pub fn new(records: HashMap<ResourceKey, ResourceRecord>) -> Self {
        Self {
            records: Mutex::new(records),
            failures: Mutex::default(),
        }
    }

    /// The record of a resource; that of a resource never seen where there is none.
    pub fn record(&self, key: &ResourceKey) -> ResourceRecord {
        let unseen = ResourceRecord {
            generation: 0,
            spec_hash: String::new(),
            status: "{}".to_owned(),
            refreshed: None,
        };
        self.lock().get(key).cloned().unwrap_or(unseen)
    }

    /// The keys of all records.
    pub fn keys(&self) -> Vec<ResourceKey> {
        self.lock().keys().cloned().collect()
    }

    /// A record with a new status, to be written to the store.
    pub fn write(
        &self,
        key: &ResourceKey,
        status: &impl Serialize,
        generation: i64,
        refreshed: Option<Timestamp>,
    ) -> ResourceWrite {
        let known = self.record(key);
        // Statuses have text keys and finite numbers, which JSON can hold.
        let status = serde_json::to_string(status).unwrap_or_default();
        // A spec that changed while an older one was looked at stays new, and is not yet refreshed.
        let (generation, refreshed) = if known.generation > generation {
            (known.generation, known.refreshed)
        } else {
            (generation, refreshed)
        };
        ResourceWrite {
            key: key.clone(),
            record: ResourceRecord {
                generation,
                spec_hash: known.spec_hash,
                status,
                refreshed,
            },
        }
    }

    /// The store has it: from now on it is what is shown. A newer spec that was noted meanwhile stays.
    pub fn written(&self, write: ResourceWrite) {
        let mut records = self.lock();
        match records.get_mut(&write.key) {
            Some(known) if known.generation > write.record.generation => known.status = write.record.status,
            _ => {
                records.insert(write.key, write.record);
            }
        }
    }

    /// Another process may have written a record since; what is more than that is kept. A spec that this one noted and that one
    /// did not know stays.
    pub fn learn(&self, key: ResourceKey, record: ResourceRecord) {
        let mut records = self.lock();
        match records.get(&key) {
            Some(known) if known.generation > record.generation => {}
            _ => {
                records.insert(key, record);
            }
        }
    }

    /// Learns the records of all Warehouses, as far as another process may have written some. Those of configurations hold
    /// the paths of receivers, which are in no store.
    pub async fn renew(&self, store: &Store) -> Result<(), StoreError> {
        if store.is_shared() {
            for (key, record) in store.resources().await? {
                if key.kind == Kind::Warehouse {
                    self.learn(key, record);
                }
            }
        }
        Ok(())
    }

    /// The resource exists no more.
    pub fn remove(&self, key: &ResourceKey) {
        self.lock().remove(key);
    }

    /// Counts full refreshes of a target that failed in a row, this one included.
    pub fn count_failures(&self, target: &Target, failed: bool) -> u32 {
        let mut failures = self.failures.lock().unwrap_or_else(PoisonError::into_inner);
        if !failed {
            failures.remove(target);
            return 0;
        }
        let count = failures.entry(target.clone()).or_default();
        *count = count.saturating_add(1);
        *count
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<ResourceKey, ResourceRecord>> {
        self.records.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The resource behind a target.
pub fn key_of(target: &Target) -> ResourceKey {
    let (kind, namespace, name) = match target {
        Target::Warehouse { namespace, name } => (Kind::Warehouse, namespace, name),
        Target::Promotion { namespace, name } => (Kind::Promotion, namespace, name),
    };
    ResourceKey {
        kind,
        namespace: Some(namespace.clone()),
        name: name.clone(),
    }
}
