//! Remembers which contents came in lately. It is kept in memory, since a digest lies anywhere in a table on the disk and each
//! delivery would rewrite a page of its own; entries hold their digests, so that a start reads it from them again.

use std::collections::{HashMap, VecDeque};
use std::hash::{BuildHasherDefault, Hasher};

use jiff::Timestamp;
use landfall_core::journal::EntryId;
use rusqlite::Connection;

/// At most this many contents are remembered, some 8 MiB; a flood of more makes the oldest count for less than the window.
const MOST: usize = 100_000;

type Key = [u8; 16];
type ByKey = HashMap<Key, Brought, BuildHasherDefault<Folded>>;

/// A digest is as good as a hash already: this only folds it, so that each of its bits counts.
#[derive(Default)]
struct Folded(u64);

impl Hasher for Folded {
    fn write(&mut self, bytes: &[u8]) {
        let (words, _) = bytes.as_chunks();
        self.0 = words
            .iter()
            .fold(self.0, |folded, word| folded ^ u64::from_le_bytes(*word));
    }

    /// Arrays write how long they are, which is always the same.
    fn write_usize(&mut self, _length: usize) {}

    fn finish(&self) -> u64 {
        /// 2^64 by the golden ratio.
        const SPREAD: u128 = 0x9e37_79b9_7f4a_7c15;
        let wide = u128::from(self.0) * SPREAD;
        (wide as u64) ^ ((wide >> 64) as u64)
    }
}

/// The entry that brought a content, and when, in milliseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Brought {
    pub entry: i64,
    pub at: i64,
}

/// Contents by digest.
#[derive(Debug, Default)]
pub(super) struct Recent {
    known: ByKey,
    /// The same, in the order in which they came.
    order: VecDeque<(Key, Brought)>,
    /// What the open transaction adds, which may come to nothing.
    pending: ByKey,
    loaded: bool,
}

impl Recent {
    /// Who brought a content last.
    pub(super) fn find(&self, key: &Key) -> Option<Brought> {
        self.pending.get(key).or_else(|| self.known.get(key)).copied()
    }

    /// Notes a content, should the open transaction be committed.
    pub(super) fn note(&mut self, key: Key, brought: Brought) {
        self.pending.insert(key, brought);
    }

    /// The transaction is committed.
    pub(super) fn committed(&mut self) {
        for (key, brought) in self.pending.drain() {
            self.known.insert(key, brought);
            self.order.push_back((key, brought));
        }
        while self.order.len() > MOST {
            self.forget_oldest();
        }
    }

    /// The transaction came to nothing.
    pub(super) fn rolled_back(&mut self) {
        self.pending.clear();
    }

    /// Forgets what came before `oldest`, and before its first use reads what came since from the entries.
    pub(super) fn prepare(&mut self, connection: &Connection, oldest: i64) -> rusqlite::Result<()> {
        if !self.loaded {
            self.load(connection, oldest)?;
            self.loaded = true;
        }
        while self.order.front().is_some_and(|(_, brought)| brought.at < oldest) {
            self.forget_oldest();
        }
        Ok(())
    }

    fn load(&mut self, connection: &Connection, oldest: i64) -> rusqlite::Result<()> {
        let floor = EntryId::floor(Timestamp::from_millisecond(oldest).unwrap_or(Timestamp::MIN));
        let sql = "SELECT id, received, keys FROM entries WHERE id >= ?1 ORDER BY id DESC LIMIT ?2";
        let mut statement = connection.prepare(sql)?;
        let rows = statement.query_map((floor.as_i64(), MOST as i64), |row| {
            let brought = Brought {
                entry: row.get(0)?,
                at: row.get(1)?,
            };
            Ok((brought, row.get::<_, Vec<u8>>(2)?))
        })?;
        for row in rows {
            let (brought, keys) = row?;
            for key in keys.as_chunks().0 {
                // The newest come first, and the newest counts.
                if self.order.len() < MOST && !self.known.contains_key(key) {
                    self.known.insert(*key, brought);
                    self.order.push_front((*key, brought));
                }
            }
        }
        Ok(())
    }

    fn forget_oldest(&mut self) {
        if let Some((key, brought)) = self.order.pop_front()
            && self.known.get(&key) == Some(&brought)
        {
            self.known.remove(&key);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(number: usize) -> Key {
        (number as u128).to_be_bytes()
    }

    fn brought(number: usize) -> Brought {
        Brought {
            entry: number as i64,
            at: number as i64,
        }
    }

    fn empty() -> Connection {
        let connection = Connection::open_in_memory().unwrap();
        connection
            .execute_batch("CREATE TABLE entries (id, received, keys)")
            .unwrap();
        connection
    }

    #[test]
    fn what_is_rolled_back_is_not_known() {
        let mut recent = Recent::default();
        recent.note(key(1), brought(1));
        assert_eq!(recent.find(&key(1)), Some(brought(1)));
        recent.rolled_back();
        assert_eq!(recent.find(&key(1)), None);
        recent.note(key(1), brought(2));
        recent.committed();
        recent.rolled_back();
        assert_eq!(recent.find(&key(1)), Some(brought(2)));
    }

    #[test]
    fn the_oldest_are_forgotten() {
        let mut recent = Recent::default();
        for number in 0..=MOST {
            recent.note(key(number), brought(number));
            recent.committed();
        }
        assert_eq!((recent.find(&key(0)), recent.find(&key(1))), (None, Some(brought(1))));
        // One that came again is as young as its last coming.
        recent.note(key(1), brought(MOST));
        recent.committed();
        recent.prepare(&empty(), MOST as i64).unwrap();
        assert_eq!(
            (recent.find(&key(1)), recent.find(&key(2))),
            (Some(brought(MOST)), None)
        );
        assert_eq!((recent.known.len(), recent.order.len()), (2, 2));
    }

    #[test]
    fn entries_tell_what_came_since() {
        let connection = empty();
        for (entry, at, keys) in [
            (1_i64 << 20, 1_i64, vec![key(1)]),
            (2 << 20, 2, vec![key(2), key(3)]),
            (3 << 20, 3, vec![key(3)]),
        ] {
            let row = (entry, at, keys.concat());
            connection
                .execute("INSERT INTO entries VALUES (?1, ?2, ?3)", row)
                .unwrap();
        }
        let mut recent = Recent::default();
        recent.prepare(&connection, 2).unwrap();
        let found: Vec<_> = (1..=3)
            .map(|number| recent.find(&key(number)).map(|brought| brought.at))
            .collect();
        assert_eq!(found, [None, Some(2), Some(3)]);
    }
}
