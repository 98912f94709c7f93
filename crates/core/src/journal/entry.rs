//! Decides an entry's id, its verdict, and when two deliveries are the same.

use std::fmt;
use std::str::FromStr;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::receiver::{ReceiverName, Report};

/// Names an entry. Ids sort by the time they were given: milliseconds since 1970 above, a running number below.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct EntryId(i64);

/// Bits of the running number within a millisecond.
const SEQUENCE_BITS: u32 = 20;
/// Crockford's digits: no letter that is taken for another one, and ordered as ASCII is.
const DIGITS: &[u8; 32] = b"0123456789abcdefghjkmnpqrstvwxyz";
/// 13 digits of 5 bits hold the 63 bits of an id.
const LENGTH: usize = 13;

impl EntryId {
    /// The id as the store keeps it; never negative.
    pub fn as_i64(self) -> i64 {
        self.0
    }

    /// An id as the store kept it.
    pub fn from_i64(raw: i64) -> Self {
        Self(raw.max(0))
    }

    /// When it was given, to the millisecond. Where the clock was set back, a later time than the clock's.
    pub fn given(self) -> Timestamp {
        Timestamp::from_millisecond(self.0 >> SEQUENCE_BITS).unwrap_or(Timestamp::MAX)
    }

    /// The smallest id that can be given at `time`: everything older is below it.
    pub fn floor(time: Timestamp) -> Self {
        let millis = time.as_millisecond().clamp(0, i64::MAX >> SEQUENCE_BITS);
        Self(millis << SEQUENCE_BITS)
    }
}

impl fmt::Display for EntryId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let digits: [u8; LENGTH] =
            std::array::from_fn(|place| DIGITS[((self.0 >> (5 * (LENGTH - 1 - place))) & 31) as usize]);
        f.pad(std::str::from_utf8(&digits).expect("the digits are ASCII"))
    }
}

impl fmt::Debug for EntryId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "EntryId({self})")
    }
}

/// The text is no id of an entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a delivery's id has 13 characters out of 0-9 and a-z, without i, l, o and u")]
pub struct NotAnEntryId;

impl FromStr for EntryId {
    type Err = NotAnEntryId;

    fn from_str(text: &str) -> Result<Self, NotAnEntryId> {
        if text.len() != LENGTH {
            return Err(NotAnEntryId);
        }
        text.bytes()
            .try_fold(0_i64, |id, byte| {
                let digit = DIGITS.iter().position(|known| *known == byte.to_ascii_lowercase())?;
                id.checked_mul(32)?.checked_add(i64::try_from(digit).ok()?)
            })
            .map(Self)
            .ok_or(NotAnEntryId)
    }
}

impl Serialize for EntryId {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for EntryId {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?
            .parse()
            .map_err(serde::de::Error::custom)
    }
}

/// Gives ids out, each greater than the one before, also when the clock is set back.
#[derive(Clone, Copy, Debug)]
pub struct EntryIds {
    last: EntryId,
    /// Of each `ways` numbers in a row, the one that is given out is this one.
    way: i64,
    ways: i64,
}

impl EntryIds {
    /// How many can give ids out side by side, at most.
    pub const WAYS: u16 = 1024;

    /// Goes on after the greatest id ever given.
    pub fn after(last: EntryId) -> Self {
        Self { last, way: 0, ways: 1 }
    }

    /// Goes on after the greatest id ever given, beside others who do so: whoever has another way gives other ids.
    pub fn beside_others(last: EntryId, way: u16) -> Self {
        Self {
            last,
            way: i64::from(way % Self::WAYS),
            ways: i64::from(Self::WAYS),
        }
    }

    /// The greatest id that was given.
    pub fn last(&self) -> EntryId {
        self.last
    }

    /// The next id, at `now` or, where the clock lags behind what was given before, right after that.
    pub fn next(&mut self, now: Timestamp) -> EntryId {
        let least = self.last.0.saturating_add(1).max(EntryId::floor(now).0);
        let ahead = (self.way - least).rem_euclid(self.ways);
        self.last = EntryId(least.saturating_add(ahead));
        self.last
    }
}

/// What became of a delivery when it came in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Verdict {
    /// It holds events, which are followed up.
    Accepted,
    /// It is valid and nothing in it is of interest.
    Ignored,
    /// Every event of it is known from an earlier delivery.
    Duplicate,
    /// Its sender proved itself and its content could not be read; it was refused.
    Malformed,
}

impl Verdict {
    /// Every verdict.
    pub const ALL: [Self; 4] = [Self::Accepted, Self::Ignored, Self::Duplicate, Self::Malformed];

    /// The word for tables and the store.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Accepted => "accepted",
            Self::Ignored => "ignored",
            Self::Duplicate => "duplicate",
            Self::Malformed => "malformed",
        }
    }

    /// The verdict of a word.
    pub fn from_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|verdict| verdict.as_str() == word)
    }
}

/// What makes two events the same: the sender's id where it gives one, else the delivery's content.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub struct DedupeKey {
    /// A digest of receiver and id or content.
    pub digest: [u8; 16],
    /// How long the key counts.
    pub lasts: Lasting,
}

/// How long a key counts.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub enum Lasting {
    /// As long as the journal remembers: a sender gives an id once.
    Always,
    /// For the window of equal contents: the same push can really happen again later.
    Window,
}

impl DedupeKey {
    /// The keys of a delivery's events, in their order. It came to `receiver`, whose URL names `registry`, if it names any: what a
    /// delivery says depends on both.
    pub fn of(receiver: &ReceiverName, registry: Option<&str>, reports: &[Report], body: &[u8]) -> Vec<Self> {
        // Every delivery is digested whole, on processors without instructions for SHA-256 as well; and once, however many events
        // it has.
        let content = std::cell::LazyCell::new(|| blake3::hash(body));
        let key = |(position, report): (usize, &Report)| {
            let mut hash = blake3::Hasher::new();
            hash.update(receiver.0.as_bytes());
            if let Some(registry) = registry {
                hash.update(b"\0registry\0");
                hash.update(registry.as_bytes());
            }
            let lasts = match &report.sender_id {
                Some(id) => {
                    hash.update(b"\0id\0");
                    hash.update(id.as_bytes());
                    Lasting::Always
                }
                // Events of one body differ by their places.
                None => {
                    hash.update(b"\0content\0");
                    hash.update(&position.to_be_bytes());
                    hash.update(content.as_bytes());
                    Lasting::Window
                }
            };
            let mut digest = [0; 16];
            hash.finalize_xof().fill(&mut digest);
            Self { digest, lasts }
        };
        reports.iter().enumerate().map(key).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::Event;

    fn at(millis: i64) -> Timestamp {
        Timestamp::from_millisecond(millis).unwrap()
    }

    #[test]
    fn what_a_delivery_says_depends_on_its_receiver_and_on_the_registry_in_its_url() {
        let report = |id: Option<&str>| Report {
            sender_id: id.map(str::to_owned),
            event: Event::PullRequestClosed { url: String::new() },
        };
        let [quay, hub] = ["quay", "hub"].map(|name| ReceiverName(name.to_owned()));
        let reports = [report(None), report(None), report(Some("a"))];
        let mut keys = Vec::new();
        for (receiver, registry, body) in [
            (&quay, None, "x"),
            (&quay, None, "y"),
            (&quay, Some("r"), "x"),
            (&quay, Some("s"), "x"),
            (&hub, None, "x"),
        ] {
            let of_delivery = DedupeKey::of(receiver, registry, &reports, body.as_bytes());
            assert_eq!(
                of_delivery,
                DedupeKey::of(receiver, registry, &reports, body.as_bytes())
            );
            keys.extend(of_delivery.into_iter().map(|key| key.digest));
        }
        keys.sort_unstable();
        keys.dedup();
        // Of the two bodies that came to one place, the id is the same.
        assert_eq!(keys.len(), 5 * 3 - 1);
    }

    #[test]
    fn ids_sort_by_time_as_numbers_and_as_text() {
        let mut ids = EntryIds::after(EntryId::from_i64(0));
        let given: Vec<_> = [1_000, 1_000, 2_000, 1_500, 3_000]
            .into_iter()
            .map(|ms| ids.next(at(ms)))
            .collect();
        assert!(given.is_sorted(), "{given:?}");
        assert!(given.iter().map(ToString::to_string).is_sorted());
        assert_eq!(given[4], EntryId::floor(at(3_000)));
    }

    #[test]
    fn whoever_gives_ids_beside_others_gives_other_ones_and_they_sort_by_time_all_the_same() {
        let last = EntryId::floor(at(1_000));
        let mut sides = [3, 0, 1023].map(|way| EntryIds::beside_others(last, way));
        let given: Vec<_> = [1_000, 1_000, 2_000, 1_500, 3_000]
            .into_iter()
            .flat_map(|ms| sides.each_mut().map(|side| side.next(at(ms))))
            .collect();
        let distinct: std::collections::BTreeSet<_> = given.iter().collect();
        assert_eq!(distinct.len(), given.len(), "{given:?}");
        assert!(given.chunks(3).map(<[_]>::iter).map(Iterator::max).is_sorted());
        let times: Vec<_> = given[12..].iter().map(|id| id.given()).collect();
        assert_eq!(times, [at(3_000); 3]);
        assert!(given.iter().all(|id| *id > last));
    }

    #[test]
    fn ids_read_as_they_are_written() {
        for raw in [0, 1, 31, 32, i64::MAX, 1_780_000_000_000 << 20] {
            let id = EntryId::from_i64(raw);
            assert_eq!(id.to_string().parse(), Ok(id));
        }
        for text in [
            "",
            "0",
            "00000000000000",
            "000000000000u",
            "zzzzzzzzzzzzz",
            "é00000000000",
        ] {
            assert_eq!(text.parse::<EntryId>(), Err(NotAnEntryId), "{text}");
        }
    }
}
