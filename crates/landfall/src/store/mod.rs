//! Keeps the journal, the catalog and the resources' statuses, in one of two places: the only folder that names a database.
//! It decides nothing: states come from and go back to `landfall-core`.

mod lock;
mod postgres;
mod sqlite;
mod values;

use std::collections::{BTreeMap, HashMap};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::join_all;
use jiff::Timestamp;
use landfall_core::artifact::{Digest, Tag};
use landfall_core::discovery::{Catalog, Seen};
use landfall_core::journal::{EntryId, Retention};
use landfall_core::resource::ResourceKey;
use landfall_core::silence::Rhythm;
use landfall_core::target::Target;

use crate::live::PreviousSecret;

pub use landfall_core::journal::Acceptance;
pub use postgres::DatabaseUrl;
pub use values::{
    AttemptRecord, Entry, EntryFilter, EntryState, Found, Listing, Matched, NewEntry, NewReport, Queue, Recorded,
    Replay, ResourceRecord, ResourceWrite, Settlement, Sighting, Unmatched, WaitingWork, WholeEntry, WorkRecord,
};

/// The store could not do what was asked. It may be able to in a moment. Nothing that was written is relied on, though it may
/// turn out to be there.
#[derive(Debug, Clone, thiserror::Error)]
pub enum StoreError {
    /// The database refused, or cannot be reached: no space, locked by somebody, or the disk or the way there failed.
    #[error("the journal in {file} is not available: {problem}")]
    Unavailable {
        /// The database file, or the database's address.
        file: String,
        /// What the database says, or the way to it.
        problem: String,
    },
    /// More waits to be written than may wait.
    #[error("the journal is overloaded")]
    Overloaded,
}

/// The database cannot be used at all.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// Another process works in the folder.
    #[error("another landfall is using the data folder {0}; stop it, or choose another folder with --data-dir")]
    InUse(String),
    /// The folder cannot be made or entered.
    #[error("the data folder {0} cannot be used: {1}")]
    Folder(String, std::io::Error),
    /// The file is no database of ours, or a newer version's.
    #[error("{0} cannot be opened: {1}")]
    Database(String, String),
}

/// A handle to the place where everything is kept; cheap to clone.
#[derive(Clone)]
pub enum Store {
    /// A file in the data folder, for one process.
    Sqlite(sqlite::Store),
    /// A database that several processes share.
    Postgres(postgres::Store),
}

/// That a target is this process's for one refresh.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Claim {
    /// There is no other process.
    Sole,
    /// The number that tells this claim from those of others before and after it.
    Token(i64),
}

/// What came of claiming a target.
#[derive(Debug)]
pub enum Claimed {
    /// It is this process's. The record is what others have left of its resource; absent where this process knows it.
    Taken {
        claim: Claim,
        record: Option<ResourceRecord>,
    },
    /// Another process refreshes it. When that is over, there is [`News`] of it.
    Elsewhere,
}

/// Whether a refresh was written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Settled {
    Written,
    /// Another process took the target over meanwhile, and does what there was to do.
    Lost,
}

/// What other processes on the same store did that this one has to know.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum News {
    /// A target that this one asked for in vain is free.
    Freed(Target),
    /// It is time to look for what nobody does.
    Look,
}

/// Asks whichever place it is.
macro_rules! ask {
    ($store:expr, $method:ident($($argument:expr),*)) => {
        match $store {
            Store::Sqlite(store) => store.$method($($argument),*).await,
            Store::Postgres(store) => store.$method($($argument),*).await,
        }
    };
}

impl Store {
    /// Opens or makes the database in `folder`, and keeps the folder for this process. It is for a runtime's threads.
    pub fn open(folder: &Path) -> Result<Self, OpenError> {
        sqlite::Store::open(folder).map(Self::Sqlite)
    }

    /// Connects to a database that others may share, and keeps the folder for this process.
    pub async fn connect(url: DatabaseUrl, folder: &Path) -> Result<Self, OpenError> {
        postgres::Store::connect(url, folder).await.map(Self::Postgres)
    }

    /// Whether other processes may change what is in it.
    pub fn is_shared(&self) -> bool {
        match self {
            Self::Sqlite(_) => false,
            Self::Postgres(_) => true,
        }
    }

    /// Waits for what others did; for ever, where there are none. One task listens.
    pub async fn news(&self) -> News {
        match self {
            Self::Sqlite(_) => std::future::pending().await,
            Self::Postgres(store) => store.news().await,
        }
    }

    /// Says that this process ends: others may do what it leaves unfinished at once.
    pub async fn leave(&self) -> Result<(), StoreError> {
        match self {
            Self::Sqlite(_) => Ok(()),
            Self::Postgres(store) => store.leave().await,
        }
    }

    /// Takes over what belongs to nobody: entries to be matched become this process's, and targets with work that has been
    /// due since `by` and that nobody refreshes are returned.
    pub async fn left_behind(&self, by: Timestamp) -> Result<Vec<Target>, StoreError> {
        match self {
            Self::Sqlite(_) => Ok(Vec::new()),
            Self::Postgres(store) => store.left_behind(by).await,
        }
    }

    /// Claims a target for one refresh of it.
    pub async fn claim(&self, target: &Target, resource: &ResourceKey) -> Result<Claimed, StoreError> {
        match self {
            Self::Sqlite(_) => Ok(Claimed::Taken {
                claim: Claim::Sole,
                record: None,
            }),
            Self::Postgres(store) => store.claim(target, resource).await,
        }
    }

    /// Gives a claim back where there is nothing to settle.
    pub async fn release(&self, target: &Target, claim: Claim) -> Result<(), StoreError> {
        match (self, claim) {
            (Self::Postgres(store), Claim::Token(token)) => store.release(target, token).await,
            (Self::Sqlite(_), _) | (_, Claim::Sole) => Ok(()),
        }
    }

    /// Writes what is there already, durably: whether the database takes it is what a probe wants to know.
    pub async fn check(&self) -> Result<(), StoreError> {
        ask!(self, check())
    }

    /// Writes a delivery, unless every event of it is known; then it writes that. `window` bounds how long equal contents
    /// count as the same. `arrived` is called when it is on the disk and is to be matched, also where the caller went away.
    pub async fn accept(
        &self,
        entry: NewEntry,
        window: Duration,
        arrived: impl FnOnce(&Acceptance) + Send + Sync + 'static,
    ) -> Result<Acceptance, StoreError> {
        ask!(self, accept(entry, window, arrived))
    }

    /// The first entries that this process is still to match and whose turn has come by `by`, without the first few that wait for
    /// something else.
    pub async fn unmatched(&self, limit: u32, by: Timestamp, skipped: u32) -> Result<Vec<Unmatched>, StoreError> {
        ask!(self, unmatched(limit, by, skipped))
    }

    /// When the turn of the next entry that this process is still to match comes.
    pub async fn next_turn(&self) -> Result<Option<Timestamp>, StoreError> {
        ask!(self, next_turn())
    }

    /// When the turn of the first entry comes that any process is still to match.
    pub async fn first_turn(&self) -> Result<Option<Timestamp>, StoreError> {
        ask!(self, first_turn())
    }

    /// Brings all turns that are still to come forward, so that the first one comes at `first`; never puts one off.
    pub async fn bring_turns_forward(&self, first: Timestamp) -> Result<(), StoreError> {
        ask!(self, bring_turns_forward(first))
    }

    /// Writes what matching found, together with the work that follows from it. What is matched already stays as it is. Tells of
    /// each target as soon as its work is written, which may be long before all is; where that fails, of some of them.
    pub async fn plan(
        &self,
        planned: Vec<Matched>,
        now: Timestamp,
        written: impl Fn(&Target) + Send + Sync,
    ) -> Result<(), StoreError> {
        ask!(self, plan(planned, now, &written))
    }

    /// Entries, the newest first, each with the number of its targets by state.
    pub async fn entries(&self, filter: EntryFilter) -> Result<Vec<(Entry, BTreeMap<String, u32>)>, StoreError> {
        ask!(self, entries(filter))
    }

    /// One entry, whole.
    pub async fn entry(&self, id: EntryId) -> Result<Option<WholeEntry>, StoreError> {
        ask!(self, entry(id))
    }

    /// Targets with work that waits, each with the earliest time that it is due.
    pub async fn waiting_targets(&self) -> Result<Vec<(Target, Timestamp)>, StoreError> {
        ask!(self, waiting_targets())
    }

    /// All work of a target that waits, whenever it is due.
    pub async fn waiting(&self, target: &Target) -> Result<Vec<WaitingWork>, StoreError> {
        ask!(self, waiting(target))
    }

    /// The same of several targets, in their order.
    pub async fn waiting_for(&self, targets: &[Target]) -> Result<Vec<Vec<WaitingWork>>, StoreError> {
        match self {
            Self::Sqlite(store) => store.waiting_for(targets).await,
            Self::Postgres(store) => {
                let each = targets.iter().map(|target| store.waiting(target));
                join_all(each).await.into_iter().collect()
            }
        }
    }

    /// Everything that an entry does or did.
    pub async fn work_of(&self, entry: EntryId) -> Result<Vec<WorkRecord>, StoreError> {
        ask!(self, work_of(entry))
    }

    /// Writes what a refresh did, and ends its claim. Work whose state has changed meanwhile, by a replay, stays as it is.
    pub async fn settle(&self, settlement: Settlement, claim: Claim) -> Result<Settled, StoreError> {
        match (self, claim) {
            (Self::Sqlite(store), _) => store.settle(settlement).await.map(|()| Settled::Written),
            (Self::Postgres(store), Claim::Token(token)) => store.settle(settlement, token).await,
            (Self::Postgres(_), Claim::Sole) => Ok(Settled::Lost),
        }
    }

    /// The same for several refreshes, in their order. Where this fails, some of them may be written; each of those is lost
    /// the next time, or as if it had not been.
    pub async fn settle_all(&self, settlements: Arc<[(Settlement, Claim)]>) -> Result<Vec<Settled>, StoreError> {
        match self {
            Self::Sqlite(store) => {
                let settled = vec![Settled::Written; settlements.len()];
                store.settle_all(settlements).await.map(|()| settled)
            }
            Self::Postgres(_) => {
                let each = settlements.iter().cloned();
                let each = each.map(|(settlement, claim)| self.settle(settlement, claim));
                join_all(each).await.into_iter().collect()
            }
        }
    }

    /// Takes an entry's work up again: what was given up or, if nothing was, all of it. One that nobody wanted is to be matched
    /// again: who subscribes may be another by now.
    pub async fn replay(&self, entry: EntryId, now: Timestamp) -> Result<Replay, StoreError> {
        ask!(self, replay(entry, now))
    }

    /// What waits now. It costs as much as there is that waits, and nothing for what is done.
    pub async fn queue(&self) -> Result<Queue, StoreError> {
        ask!(self, queue())
    }

    /// How often, and when last, each receiver was shown its previous secret, by what the journal still holds.
    pub async fn previous_secrets(&self) -> Result<Vec<(String, PreviousSecret)>, StoreError> {
        ask!(self, previous_secrets())
    }

    /// How often each sender was heard of, by the name that entries have of it, from what the journal still holds.
    pub async fn rhythms(&self) -> Result<Vec<(String, Rhythm)>, StoreError> {
        ask!(self, rhythms())
    }

    /// When each sender was last heard of since `since`, by the name that entries have of it, where other processes may have heard
    /// it; nothing where this one hears all there is.
    pub async fn heard(&self, since: Timestamp) -> Result<Vec<(String, Timestamp)>, StoreError> {
        match self {
            Self::Sqlite(_) => Ok(Vec::new()),
            Self::Postgres(store) => store.heard(since).await,
        }
    }

    /// Everything that is kept of resources.
    pub async fn resources(&self) -> Result<HashMap<ResourceKey, ResourceRecord>, StoreError> {
        ask!(self, resources())
    }

    /// Writes records and removes others, at once.
    pub async fn put_resources(&self, writes: Vec<ResourceWrite>, removed: Vec<ResourceKey>) -> Result<(), StoreError> {
        ask!(self, put_resources(writes, removed))
    }

    /// Lets finished entries go, a slice at a time so that nobody waits for it. Says whether there is more to do.
    pub async fn prune(&self, retention: Retention, now: Timestamp) -> Result<bool, StoreError> {
        ask!(self, prune(retention, now))
    }

    /// What is known of a repository with one way of access; empty where nothing is.
    pub async fn catalog(&self, repository: &str, access: &str) -> Result<Catalog, StoreError> {
        ask!(self, catalog(repository, access))
    }

    /// Notes what a look at a tag found, or that there is no such tag.
    pub async fn note_tag(
        &self,
        repository: &str,
        access: &str,
        tag: &Tag,
        sighting: Sighting,
    ) -> Result<(), StoreError> {
        ask!(self, note_tag(repository, access, tag, sighting))
    }

    /// Notes what a digest holds, for one that no tag points at itself: the image of one platform.
    pub async fn note_content(
        &self,
        repository: &str,
        access: &str,
        digest: &Digest,
        content: Arc<Seen>,
    ) -> Result<(), StoreError> {
        ask!(self, note_content(repository, access, digest, content))
    }

    /// Notes a complete listing, and forgets what no tag points at since.
    pub async fn note_listing(&self, repository: &str, access: &str, listing: Listing) -> Result<(), StoreError> {
        ask!(self, note_listing(repository, access, listing))
    }
}

#[cfg(test)]
mod tests;
