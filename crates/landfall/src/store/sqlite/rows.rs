//! Turns values of ours into columns and back.

use jiff::Timestamp;
use rusqlite::Row;
use serde::Serialize;

/// A value of ours as JSON text.
pub(super) fn json<T: Serialize + ?Sized>(value: &T) -> String {
    // Most texts fit into this. One that grows is copied each time that it does.
    let mut text = Vec::with_capacity(512);
    // Our own types have text keys and finite numbers; there is nothing in them that JSON cannot hold.
    match serde_json::to_writer(&mut text, value) {
        Ok(()) => String::from_utf8(text).unwrap_or_default(),
        Err(_) => String::new(),
    }
}

/// Makes JSON texts of values in a row, many of which are the same.
pub(super) struct Repeated<'a, T: ?Sized>(Option<(&'a T, String)>);

impl<'a, T: Serialize + PartialEq + ?Sized> Repeated<'a, T> {
    pub(super) fn new() -> Self {
        Self(None)
    }

    pub(super) fn json(&mut self, value: &'a T) -> &str {
        let known = self.0.take().filter(|(known, _)| *known == value);
        let (_, text) = self.0.insert(known.unwrap_or_else(|| (value, json(value))));
        text
    }
}

/// A column of JSON text as a value of ours.
pub(super) fn parsed<T: serde::de::DeserializeOwned>(row: &Row<'_>, column: usize) -> rusqlite::Result<T> {
    let text: String = row.get(column)?;
    serde_json::from_str(&text).map_err(|error| {
        rusqlite::Error::FromSqlConversionFailure(column, rusqlite::types::Type::Text, Box::new(error))
    })
}

/// A column of milliseconds as a time.
pub(super) fn time(millis: i64) -> Timestamp {
    Timestamp::from_millisecond(millis).unwrap_or_default()
}
