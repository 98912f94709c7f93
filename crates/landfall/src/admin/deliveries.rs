//! Deliveries: what came in, what was made of it, and taking it up again.

use axum::Json;
use axum::extract::{Path, Query, State};
use landfall_core::journal::EntryId;
use landfall_core::refresh::Extent;
use serde::Deserialize;

use super::types::{DeliveryDetail, DeliverySummary, Replayed};
use super::{Admin, Refusal};
use crate::clock::now;
use crate::store::{EntryFilter, EntryState, Replay};

/// Which deliveries to list.
#[derive(Deserialize)]
pub(super) struct Listing {
    #[serde(default)]
    state: EntryState,
    #[serde(default = "default_limit")]
    limit: u32,
}

fn default_limit() -> u32 {
    50
}

/// At most this many are listed, whatever is asked.
const MOST: u32 = 10_000;

pub(super) async fn list(
    State(admin): State<Admin>,
    Query(listing): Query<Listing>,
) -> Result<Json<Vec<DeliverySummary>>, Refusal> {
    let filter = EntryFilter {
        state: listing.state,
        limit: listing.limit.min(MOST),
    };
    let entries = admin.pipeline.store.entries(filter).await?;
    let summaries = entries
        .into_iter()
        .map(|(entry, targets)| DeliverySummary { entry, targets });
    Ok(Json(summaries.collect()))
}

pub(super) async fn show(State(admin): State<Admin>, Path(id): Path<String>) -> Result<Json<DeliveryDetail>, Refusal> {
    let id = parse(&id)?;
    let whole = admin.pipeline.store.entry(id).await?.ok_or_else(|| unknown(id))?;
    let work = admin.pipeline.store.work_of(id).await?;
    Ok(Json(DeliveryDetail {
        entry: whole.entry,
        headers: whole.headers,
        body: String::from_utf8_lossy(&whole.body).into_owned(),
        explanations: whole.explanations,
        work,
    }))
}

pub(super) async fn replay(State(admin): State<Admin>, Path(id): Path<String>) -> Result<Json<Replayed>, Refusal> {
    let id = parse(&id)?;
    let store = &admin.pipeline.store;
    if store.entry(id).await?.is_none() {
        return Err(unknown(id));
    }
    let now = now();
    let (targets, matched_again) = match store.replay(id, now).await? {
        Replay::Work(targets) => (targets, false),
        Replay::Matching => (Vec::new(), true),
        Replay::Nothing => (Vec::new(), false),
    };
    for target in &targets {
        admin.pipeline.wish(target, Extent::Hinted, now);
    }
    if matched_again {
        admin.pipeline.arrived();
    }
    Ok(Json(Replayed {
        id,
        targets,
        matched_again,
    }))
}

fn parse(id: &str) -> Result<EntryId, Refusal> {
    id.parse()
        .map_err(|error| Refusal::NotFound(format!("{id:?}: {error}")))
}

fn unknown(id: EntryId) -> Refusal {
    Refusal::NotFound(format!(
        "there is no delivery {id}; it may have been let go by the retention"
    ))
}
