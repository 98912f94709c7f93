//! Starts logging: to standard error, for people or for programs.

mod lines;

use std::io::IsTerminal as _;

use tracing_subscriber::EnvFilter;

use crate::config::LogFormat;
use lines::Lines;

/// The log. Dropping it waits until everything is written that was logged.
pub struct Log(Lines);

impl Drop for Log {
    fn drop(&mut self) {
        self.0.flush();
    }
}

/// What the Kubernetes client's library says of each request that fails. Whoever asked says it once, and in our words; a filter
/// that names the library brings it back.
const SAID_BY_OTHERS: &str = "kube_client=off,kube_runtime=off";

/// Starts logging what `filter` lets through. The error says what is wrong with the filter.
pub fn start(format: LogFormat, filter: &str) -> Result<Log, String> {
    let filter =
        EnvFilter::try_new(format!("{SAID_BY_OTHERS},{filter}")).map_err(|error| format!("--log-level: {error}"))?;
    let lines = Lines::start(std::io::stderr()).map_err(|error| error.to_string())?;
    let logs = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(lines.clone())
        // The library's word for the module that logs is ours for what a refresh is for, and a field can be there once.
        .with_target(false)
        .log_internal_errors(false);
    match format {
        LogFormat::Text => logs.with_ansi(std::io::stderr().is_terminal()).try_init(),
        LogFormat::Json => logs.json().flatten_event(true).with_current_span(false).try_init(),
    }
    .map_err(|error| error.to_string())?;
    Ok(Log(lines))
}
