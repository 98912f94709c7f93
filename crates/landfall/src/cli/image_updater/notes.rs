//! What whoever starts one of Image Updater's commands should know of what was set, in sentences for the log.

use clap::ArgMatches;
use clap::parser::ValueSource;

use super::{DATA_DIR, postponed};
use crate::cli::pflag;
use crate::config::{Config, MetricsReaders};
use crate::resources::Place;

pub(super) fn notes(matches: &ArgMatches, config: &Config) -> Vec<String> {
    let mut notes = Vec::new();
    let idle = postponed::set(matches);
    if !idle.is_empty() {
        notes.push(format!("these settings have no effect yet: {}", idle.join(", ")));
    }
    if matches.get_many::<String>(pflag::WORDS).is_some() {
        notes.push("words that are no flags have no effect".to_owned());
    }
    let idle = without_api_server(matches, config);
    if !idle.is_empty() {
        notes.push(format!(
            "without --kubernetes, these settings have no effect: {}",
            idle.join(", ")
        ));
    }
    if config.journal.is_none() && matches.value_source("data_dir") == Some(ValueSource::DefaultValue) {
        notes.push(format!(
            "the journal is in {DATA_DIR} and ends with the pod; mount a volume, and name it by --data-dir or LANDFALL_DATA_DIR"
        ));
    }
    if config.listen.is_none() {
        notes.push("the webhook door stays closed: --enable-webhook, or ENABLE_WEBHOOK=true, opens it".to_owned());
    }
    notes
}

/// The settings that somebody set, and that only an API server gives an effect to, where none is asked.
fn without_api_server(matches: &ArgMatches, config: &Config) -> Vec<&'static str> {
    if let Place::Kubernetes(_) = config.resources {
        return Vec::new();
    }
    let readers = config.metrics.as_ref().map(|metrics| &metrics.readers);
    let settings = [
        (
            "kubeconfig",
            "--kubeconfig",
            matches!(readers, Some(MetricsReaders::Authorized { .. })),
        ),
        ("watch_namespaces", "--watch-namespaces", false),
    ];
    settings
        .into_iter()
        .filter(|(name, _, has_effect)| !has_effect && postponed::was_set(matches, name))
        .map(|(_, flag, _)| flag)
        .collect()
}
