//! Remembers, from one process to the next, in which term this data folder last knew all that others had seen: who leads again,
//! with nobody between, still does.

use std::path::{Path, PathBuf};

use landfall_core::lease::Term;

/// The file's name in the data folder.
const FILE: &str = "last-term";

/// The file.
pub(super) struct Memory(PathBuf);

impl Memory {
    pub(super) fn in_folder(data_dir: &Path) -> Self {
        Self(data_dir.join(FILE))
    }

    /// Whether nobody else can have led between what was noted last and this term. Where that cannot be known, somebody may
    /// have, which costs a look at everything.
    pub(super) async fn is_followed_by(&self, term: Term) -> bool {
        let last = tokio::fs::read_to_string(&self.0).await;
        let last: Option<Term> = last.ok().and_then(|text| text.parse().ok());
        last.is_some_and(|last| term.follows(last))
    }

    /// Notes that by this term everything that others saw is known here.
    pub(super) async fn note(&self, term: Term) {
        if let Err(error) = tokio::fs::write(&self.0, term.to_string()).await {
            tracing::warn!(%error, file = %self.0.display(), "who led last cannot be noted");
        }
    }
}
