//! Derives from Warehouses and Promotions who subscribed to what, and which refreshes their changes call for.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use jiff::Timestamp;
use landfall_core::go::regexp::Patterns;
use landfall_core::matcher::IndexBuilder;
use landfall_core::refresh::Occasion;
use landfall_core::resource::{Resource, Source, SubscriptionSpec, Warehouse};
use landfall_core::selection::ImagePolicy;

use super::{Changes, Reconfigurer, Records, Subscribed, target_of};
use crate::controller::warehouse::image_host;
use crate::live::{Live, LiveWarehouse, Policies};
use crate::resources::{Loaded, Snapshot};

impl Reconfigurer {
    /// Who subscribes to what in a snapshot, and what its changes call for.
    pub(super) fn subscribed(
        &self,
        snapshot: &Snapshot,
        in_force: &Live,
        changes: &mut Changes,
        now: Timestamp,
    ) -> Subscribed {
        let recredentialed = self.recredentialed(snapshot);
        let mut index = IndexBuilder::sharing(self.patterns().clone());
        let mut live = HashMap::new();
        let (nothing, nowhere) = (Arc::<Policies>::default(), Arc::<[String]>::default());
        let before = &in_force.warehouses;
        for loaded in snapshot.resources.values() {
            if let Resource::Promotion(promotion) = &loaded.resource {
                index.add_promotion(promotion);
            }
        }
        for (loaded, warehouse) in warehouses(snapshot) {
            let target = target_of(warehouse);
            let granted_anew = recredentialed.contains(target.project());
            let generation = match &self.records {
                Records::Store => {
                    let (record, mut occasion) = self.note_warehouse(loaded, warehouse, changes, now);
                    if occasion.is_none() && granted_anew {
                        occasion = Some(Occasion::SpecChanged);
                    }
                    changes.wish(&target, warehouse, &record, occasion, now);
                    record.generation
                }
                Records::ApiServer(_) => warehouse.metadata.generation.unwrap_or_default(),
            };
            let target = index.describe(&target, &warehouse.metadata.labels);
            index.add(&target, &warehouse.subscriptions);
            let (policies, hosts) = match self.discovers {
                true => (Arc::new(policies(warehouse, index.patterns())), hosts(warehouse)),
                // Whoever discovers for it selects.
                false => (nothing.clone(), nowhere.clone()),
            };
            let known = before.get(&target);
            let noted = known
                .filter(|known| known.generation == generation)
                .filter(|known| known.warehouse.metadata.uid == warehouse.metadata.uid)
                .map_or(now, |known| known.noted);
            let recredentialed = match granted_anew {
                true => Some(now),
                false => known.and_then(|known| known.recredentialed),
            };
            let current = LiveWarehouse {
                warehouse: warehouse.clone(),
                policies,
                hosts,
                generation,
                noted,
                recredentialed,
            };
            live.insert(target, current);
        }
        *self.patterns() = index.patterns().clone();
        (Arc::new(index.build()), Arc::new(live))
    }
}

/// The Warehouses of a snapshot, in the order of their keys.
fn warehouses(snapshot: &Snapshot) -> impl Iterator<Item = (&Arc<Loaded>, &Arc<Warehouse>)> {
    snapshot.resources.values().filter_map(|loaded| match &loaded.resource {
        Resource::Warehouse(warehouse) => Some((loaded, warehouse)),
        Resource::ProjectConfig(_)
        | Resource::ClusterConfig(_)
        | Resource::Promotion(_)
        | Resource::Secret(_)
        | Resource::ConfigMap(_) => None,
    })
}

/// The hosts of a Warehouse's image subscriptions.
fn hosts(warehouse: &Warehouse) -> Arc<[String]> {
    let host = |subscription: &SubscriptionSpec| match &subscription.source {
        Source::Image(image) => image_host(image),
        Source::Git(_) | Source::Chart(_) | Source::Generic { .. } | Source::Unreadable { .. } => None,
    };
    let hosts: BTreeSet<String> = warehouse.subscriptions.iter().filter_map(host).collect();
    hosts.into_iter().collect()
}

fn policies(warehouse: &Warehouse, patterns: &mut Patterns) -> Policies {
    let policy = |subscription: &SubscriptionSpec| match &subscription.source {
        Source::Image(image) => Some(ImagePolicy::compile(image, patterns)),
        Source::Git(_) | Source::Chart(_) | Source::Generic { .. } | Source::Unreadable { .. } => None,
    };
    warehouse.subscriptions.iter().map(policy).collect()
}
