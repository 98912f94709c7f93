//! Where the journal is kept: in a file of the data folder, or in a database whose URL holds a password.

use std::path::PathBuf;

use clap::Args;

use super::UsageError;
use crate::store::DatabaseUrl;

/// The database's URL, from one of two places.
#[derive(Args)]
pub(super) struct JournalArgs {
    /// The PostgreSQL database that keeps journal and catalog, and that several replicas may share: a URL such as
    /// postgres://USER:PASSWORD@HOST:5432/DATABASE?sslmode=verify-full. By default they are in a file of the data folder. A
    /// flag can be seen by everyone who can list processes; where the URL holds a password, prefer the variable or a file.
    #[arg(long, env = "LANDFALL_JOURNAL", value_name = "URL", hide_env_values = true)]
    journal: Option<String>,
    /// A file that holds this URL. It is read at the start.
    #[arg(long, env = "LANDFALL_JOURNAL_FILE", value_name = "FILE")]
    journal_file: Option<PathBuf>,
}

/// Nothing of a URL is shown.
impl std::fmt::Debug for JournalArgs {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("JournalArgs(…)")
    }
}

impl JournalArgs {
    /// The database, where one is named.
    pub(super) fn meaning(&self) -> Result<Option<DatabaseUrl>, UsageError> {
        let url = self.journal.as_ref().filter(|url| !url.is_empty());
        let file = self.journal_file.as_ref().filter(|file| !file.as_os_str().is_empty());
        let (said, url) = match (url, file) {
            (None, None) => return Ok(None),
            (Some(_), Some(_)) => {
                return Err(UsageError(
                    "--journal and --journal-file: one of them says where the journal is".to_owned(),
                ));
            }
            (Some(url), None) => ("--journal".to_owned(), url.clone()),
            (None, Some(file)) => {
                let said = format!("--journal-file {}", file.display());
                let read = std::fs::read_to_string(file);
                let url = read.map_err(|error| UsageError(format!("{said}: {error}")))?;
                (said, url)
            }
        };
        match url.parse() {
            Ok(url) => Ok(Some(url)),
            Err(problem) => Err(UsageError(format!("{said}: this is no URL of a database; {problem}"))),
        }
    }
}
