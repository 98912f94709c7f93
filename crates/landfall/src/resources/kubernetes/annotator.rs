//! Asks for a refresh of a resource by the annotation that whoever serves it watches.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use jiff::Timestamp;
use kube::api::{Patch, PatchParams};
use kube::core::DynamicObject;
use kube::{Api, Client};
use landfall_core::resource::{Kind, REFRESH_ANNOTATION};
use landfall_core::target::Target;
use serde_json::json;
use tokio::time::timeout;

use super::failure::Failure;
use super::object::api_resource;
use crate::clock::now;

/// How long the API server may take for one patch, admission included.
const PATIENCE: Duration = Duration::from_secs(20);

/// What writes are said to be made by.
pub(super) const FIELD_MANAGER: &str = "landfall";

/// Asks for refreshes; cheap to clone.
#[derive(Clone)]
pub struct Annotator {
    client: Client,
    tokens: Arc<Tokens>,
}

/// What became of a wish for a refresh.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Annotated {
    /// The API server has it, under this token.
    Taken(String),
    /// There is no such resource.
    Gone,
    /// It did not work.
    Failed(Failure),
}

impl Annotator {
    pub(super) fn new(client: Client) -> Self {
        Self {
            client,
            tokens: Arc::new(Tokens::new()),
        }
    }

    /// Asks for one refresh.
    pub async fn refresh(&self, target: &Target) -> Annotated {
        let (kind, namespace, name) = match target {
            Target::Warehouse { namespace, name } => (Kind::Warehouse, namespace, name),
            Target::Promotion { namespace, name } => (Kind::Promotion, namespace, name),
        };
        let api: Api<DynamicObject> = Api::namespaced_with(self.client.clone(), namespace, &api_resource(kind));
        let token = self.tokens.next(now());
        let patch = Patch::Merge(json!({ "metadata": { "annotations": { REFRESH_ANNOTATION: &token } } }));
        let parameters = PatchParams {
            field_manager: Some(FIELD_MANAGER.to_owned()),
            ..PatchParams::default()
        };
        // Only the metadata come back: statuses are large, and nobody here reads them.
        match timeout(PATIENCE, api.patch_metadata(name, &parameters, &patch)).await {
            Ok(Ok(_metadata)) => Annotated::Taken(token),
            Ok(Err(error)) => match error.into() {
                Failure::NotFound => Annotated::Gone,
                failure => Annotated::Failed(failure),
            },
            Err(_elapsed) => Annotated::Failed(Failure::Unreachable(format!(
                "no answer within {} seconds",
                PATIENCE.as_secs()
            ))),
        }
    }
}

/// Tokens of which none is like another: a token that is there already would ask for nothing. They read as times, as
/// those of Kargo's own tools do, and end in what tells processes apart.
struct Tokens {
    /// In nanoseconds.
    last: AtomicI64,
    process: String,
}

impl Tokens {
    fn new() -> Self {
        Self {
            last: AtomicI64::new(0),
            process: format!("{:08x}", fastrand::u32(..)),
        }
    }

    fn next(&self, now: Timestamp) -> String {
        let now = i64::try_from(now.as_nanosecond()).unwrap_or(i64::MAX);
        let mut time = now;
        let _ = self.last.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |last| {
            time = now.max(last.saturating_add(1));
            Some(time)
        });
        let time = Timestamp::from_nanosecond(time.into()).unwrap_or(Timestamp::MAX);
        format!("{time:.9}-{}", self.process)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_read_as_times_and_none_is_like_another() {
        let tokens = Tokens {
            last: AtomicI64::new(0),
            process: "cafe0000".to_owned(),
        };
        let at = Timestamp::from_second(1_767_323_045).unwrap();
        assert_eq!(tokens.next(at), "2026-01-02T03:04:05.000000000Z-cafe0000");
        assert_eq!(tokens.next(at), "2026-01-02T03:04:05.000000001Z-cafe0000");
        // A clock that was set back does not bring an old token again.
        assert_eq!(
            tokens.next(Timestamp::UNIX_EPOCH),
            "2026-01-02T03:04:05.000000002Z-cafe0000"
        );
    }
}
