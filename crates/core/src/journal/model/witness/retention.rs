//! Holds retention to what it may let go.

use jiff::Timestamp;

use super::{Broken, Witness, hold};
use crate::journal::model::ledger::{Ledger, Row};
use crate::journal::{EntryId, Retention, Verdict, Work};

impl Witness {
    /// Retention let these go. `before` is the journal with them.
    pub fn pruned(
        &mut self,
        before: &Ledger,
        after: &Ledger,
        retention: &Retention,
        now: Timestamp,
    ) -> Result<(), Broken> {
        let gone = before.entries.iter().filter(|(id, _)| !after.entries.contains_key(id));
        let mut too_many = before.entries.len().saturating_sub(retention.count as usize);
        let old = |id: EntryId| Ledger::age_of(id, now) > retention.age;
        too_many = too_many.saturating_sub(gone.clone().filter(|(id, _)| old(**id)).count());
        for (id, entry) in gone {
            let matched = entry.matched || entry.verdict != Verdict::Accepted;
            let waits = |row: &Row| matches!(row.work, Work::Waiting { .. });
            let unfinished = before.rows_of(*id).any(|(_, row)| waits(row));
            hold!(
                matched && !unfinished,
                "9: retention removed {id} before it was finished"
            );
            if !old(*id) {
                hold!(
                    !before.is_dead(*id),
                    "9: retention removed {id}, which was given up, before its time"
                );
                hold!(
                    too_many > 0,
                    "9: retention removed {id}, which is neither too old nor too much"
                );
                too_many -= 1;
            }
            self.pruned.insert(*id, before.is_dead(*id));
        }
        Ok(())
    }
}
