//! Says how a status writes times and empty values, as the API server's own clients do; it must not know any status.

use jiff::Timestamp;
use serde::{Deserialize, Deserializer, Serializer};

/// Whether a generation is the one that stands for none.
pub(super) fn is_zero(number: &i64) -> bool {
    *number == 0
}

/// Go writes an empty list as `null`.
pub(super) fn null_is_default<'de, D, T>(deserializer: D) -> Result<T, D::Error>
where
    D: Deserializer<'de>,
    T: Default + Deserialize<'de>,
{
    Ok(Option::deserialize(deserializer)?.unwrap_or_default())
}

/// The API's times have no fractions.
pub(super) fn whole_seconds(time: Timestamp) -> Timestamp {
    Timestamp::from_second(time.as_second()).unwrap_or(time)
}

/// A time as `2026-01-02T03:04:05Z`.
pub(super) mod seconds {
    use super::{Deserialize, Deserializer, Serializer, Timestamp, whole_seconds};

    pub fn serialize<S: Serializer>(time: &Timestamp, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&whole_seconds(*time))
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Timestamp, D::Error> {
        Timestamp::deserialize(deserializer)
    }
}

/// The same for a time that may be absent.
pub(super) mod optional_seconds {
    use super::{Deserialize, Deserializer, Serializer, Timestamp, whole_seconds};

    pub fn serialize<S: Serializer>(time: &Option<Timestamp>, serializer: S) -> Result<S::Ok, S::Error> {
        match time {
            Some(time) => serializer.collect_str(&whole_seconds(*time)),
            None => serializer.serialize_none(),
        }
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Timestamp>, D::Error> {
        Option::deserialize(deserializer)
    }
}
