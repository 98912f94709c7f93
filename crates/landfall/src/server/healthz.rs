//! `/healthz`: whether the process answers at all.

/// 200 and `OK`, whatever is asked.
pub(super) async fn answer() -> &'static str {
    "OK"
}
