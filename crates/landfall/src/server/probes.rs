//! The listener for probes: the same checks as at the door, in plain HTTP and with what is wrong, for whoever runs the process.

use axum::Router;
use axum::extract::State;
use axum::http::{StatusCode, Uri};
use axum::routing::get;

use super::health::{Health, Reader};
use super::readyz::said;

/// Every route of that listener.
pub fn routes(health: Health) -> Router {
    Router::new()
        .route("/healthz", get(live))
        .route("/readyz", get(ready))
        .with_state(health)
}

async fn live(State(health): State<Health>, uri: Uri) -> (StatusCode, String) {
    said(health.live(Reader::Operator), &uri)
}

async fn ready(State(health): State<Health>, uri: Uri) -> (StatusCode, String) {
    said(health.ready(Reader::Operator).await, &uri)
}
