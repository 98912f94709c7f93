//! Turns values of ours into columns and back.

use std::borrow::Cow;

use jiff::Timestamp;
use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio_postgres::Row;

use super::link::Failure;

/// A value of ours as JSON text.
pub(super) fn json<T: Serialize + ?Sized>(value: &T) -> String {
    // Our own types have text keys and finite numbers; there is nothing in them that JSON cannot hold.
    serde_json::to_string(value).unwrap_or_default()
}

/// A column of JSON text as a value of ours.
pub(super) fn parsed<T: DeserializeOwned>(row: &Row, column: usize) -> Result<T, Failure> {
    Ok(serde_json::from_str(row.try_get(column)?)?)
}

/// A column of milliseconds as a time.
pub(super) fn time(millis: i64) -> Timestamp {
    Timestamp::from_millisecond(millis).unwrap_or_default()
}

/// A text that a column can hold: PostgreSQL's have no NUL. JSON has none as it is.
pub(super) fn clean(text: &str) -> Cow<'_, str> {
    match text.contains('\0') {
        true => Cow::Owned(text.replace('\0', "\u{fffd}")),
        false => Cow::Borrowed(text),
    }
}
