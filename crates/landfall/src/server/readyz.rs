//! `/readyz`: whether deliveries can be taken now.

use std::sync::Arc;

use axum::extract::State;
use axum::http::{StatusCode, Uri};

use super::Door;
use super::health::{Checked, Reader};
use super::healthz::is_verbose;

/// 200, or 503 with what is wrong, as far as that is everybody's business.
pub(super) async fn answer(State(door): State<Arc<Door>>, uri: Uri) -> (StatusCode, String) {
    said(door.health.ready(Reader::Anyone).await, &uri)
}

/// Yes in a word where no more was asked for; no in all its words.
pub(super) fn said(checked: Checked, uri: &Uri) -> (StatusCode, String) {
    match checked {
        Checked { is_well: false, text } => (StatusCode::SERVICE_UNAVAILABLE, text),
        Checked { text, .. } if is_verbose(uri) => (StatusCode::OK, text),
        Checked { .. } => (StatusCode::OK, "ok".to_owned()),
    }
}
