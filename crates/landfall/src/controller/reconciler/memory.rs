//! Remembers, from one process to the next, in which term this data folder was last worked with: who leads again, with nobody
//! between, knows all that there is to know.

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

    /// Begins a term; says whether nobody else can have led since the last one. Where that cannot be known or noted, somebody
    /// may have, which costs a look at everything.
    pub(super) async fn takes_up(&self, term: Term) -> bool {
        let last = tokio::fs::read_to_string(&self.0).await;
        let last: Option<Term> = last.ok().and_then(|text| text.parse().ok());
        if let Err(error) = tokio::fs::write(&self.0, term.to_string()).await {
            tracing::warn!(%error, file = %self.0.display(), "who led last cannot be noted");
        }
        last.is_some_and(|last| term.follows(last))
    }
}
