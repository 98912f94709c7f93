//! Decides the life of a journal entry and of each target's attempts: a state machine over values. It must not know
//! where they are stored, what time it is, or how a target is refreshed.

mod backoff;
mod entry;
mod reception;
mod retention;
mod work;

pub use backoff::{Backoff, RetryPolicy};
pub use entry::{DedupeKey, EntryId, EntryIds, Lasting, NotAnEntryId, Verdict};
pub use reception::{Acceptance, Content, Reception};
pub use retention::Retention;
pub use work::{Attempt, Outcome, Setback, Work, WorkSummary};

#[cfg(test)]
mod model;
