//! `--git-commit-message-path`: the template of commit messages, which must be one before anything starts.

use std::io::ErrorKind;

use clap::ArgMatches;
use landfall_core::commit::MessageTemplate;

use crate::cli::UsageError;

/// Reads the template of the file that the flag names, or the built-in one where there is none or it is empty.
pub(super) fn template(matches: &ArgMatches) -> Result<MessageTemplate, UsageError> {
    let path = matches.get_one::<String>("git-commit-message-path");
    let path = path.map(String::as_str).unwrap_or_default();
    let text = match path {
        "" => String::new(),
        path => match std::fs::read_to_string(path) {
            Ok(text) => text,
            Err(error) if error.kind() == ErrorKind::NotFound => String::new(),
            Err(error) => {
                return Err(UsageError(format!(
                    "could not read commit message template: {path}: {error}"
                )));
            }
        },
    };
    MessageTemplate::parse(&text)
        .map_err(|error| UsageError(format!("could not parse commit message template {path}: {error}")))
}
