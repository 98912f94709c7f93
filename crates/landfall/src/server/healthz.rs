//! `/healthz`: whether the process answers at all.

use std::sync::Arc;

use axum::extract::State;
use axum::http::Uri;

use super::Door;
use super::body::query;
use super::health::Reader;

/// 200 and `OK`, whatever is asked; with `?verbose`, what there is to know.
pub(super) async fn answer(State(door): State<Arc<Door>>, uri: Uri) -> String {
    if is_verbose(&uri) {
        door.health.live(Reader::Anyone).text
    } else {
        "OK".to_owned()
    }
}

/// Whether a request asks for more than yes or no.
pub(super) fn is_verbose(uri: &Uri) -> bool {
    query(uri).iter().any(|(name, _)| name == "verbose")
}
