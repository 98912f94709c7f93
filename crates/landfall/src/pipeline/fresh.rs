//! Remembers work that was written with its entry a moment ago, so that whoever refreshes the target need not read it again. It is
//! no more than that: what is not known here is in the journal, and whatever is written there is wished for.

use std::collections::HashMap;

use landfall_core::target::Target;

use crate::store::WaitingWork;

/// All work that waits for a target, where nothing else waited for it when the first of it was written.
#[derive(Default)]
pub(super) struct Fresh(HashMap<Target, Vec<WaitingWork>>);

impl Fresh {
    /// Work was written with its entry, for a target for which others are at work or about to be, or nobody.
    pub(super) fn written(&mut self, target: &Target, work: WaitingWork, others: bool) {
        if let Some(known) = self.0.get_mut(target) {
            known.push(work);
        } else if !others {
            self.0.insert(target.clone(), vec![work]);
        }
    }

    /// There may be other work for a target, which is to be read.
    pub(super) fn not_all(&mut self, target: &Target) {
        self.0.remove(target);
    }

    /// A refresh of a target begins: all work for it, unless that is to be read.
    pub(super) fn taken(&mut self, target: &Target) -> Option<Vec<WaitingWork>> {
        self.0.remove(target)
    }
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;
    use landfall_core::journal::{EntryId, Work};

    use super::*;

    fn target() -> Target {
        Target::Warehouse {
            namespace: "shop".into(),
            name: "api".into(),
        }
    }

    fn work(entry: i64) -> WaitingWork {
        WaitingWork {
            entry: EntryId::from_i64(entry),
            work: Work::accepted(Timestamp::UNIX_EPOCH),
            hints: Vec::new(),
        }
    }

    fn entries(known: Option<Vec<WaitingWork>>) -> Option<Vec<i64>> {
        known.map(|known| known.iter().map(|work| work.entry.as_i64()).collect())
    }

    #[test]
    fn what_was_written_where_nothing_waited_is_all_there_is() {
        let mut fresh = Fresh::default();
        fresh.written(&target(), work(1), false);
        fresh.written(&target(), work(2), true);
        assert_eq!(entries(fresh.taken(&target())), Some(vec![1, 2]));
        assert_eq!(entries(fresh.taken(&target())), None);
    }

    #[test]
    fn where_anything_else_may_wait_it_is_to_be_read() {
        let mut fresh = Fresh::default();
        fresh.written(&target(), work(1), true);
        assert_eq!(entries(fresh.taken(&target())), None);
        fresh.written(&target(), work(1), false);
        fresh.not_all(&target());
        fresh.written(&target(), work(2), true);
        assert_eq!(entries(fresh.taken(&target())), None);
    }
}
