//! What sets a flag's default for Image Updater's commands: the environment first, then the ConfigMap in the folder of manifests.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::PathBuf;

use clap::parser::ValueSource;
use clap::{Arg, ArgMatches, Command};
use landfall_core::resource::Resource;

use super::variables::{self, CONFIG_MAP, Variable};
use crate::cli::UsageError;
use crate::resources::manifests::ManifestFolder;

/// What the help says about the order.
pub(super) const HELP: &str = "\
A setting comes from the first of these that sets it: the flag; the variable; its key in the ConfigMap
argocd-image-updater-config in the folder of manifests, read at the start. A variable or a key whose value cannot be meant is
passed over, and the log says so.";

/// What is around the command.
pub(super) struct Surroundings {
    config_map: BTreeMap<String, String>,
}

/// Whether a flag's variable is one of Image Updater's, whose bad values are passed over.
pub(super) fn is_lenient(arg: &Arg) -> bool {
    variable(arg).is_some()
}

fn variable(arg: &Arg) -> Option<&'static Variable> {
    variables::named(arg.get_env()?.to_str()?)
}

impl Surroundings {
    /// Reads the ConfigMap of our own namespace, or else the first, where there is a folder.
    pub(super) fn of(manifests: Option<&PathBuf>) -> Result<Self, UsageError> {
        let Some(manifests) = manifests.filter(|folder| !folder.as_os_str().is_empty()) else {
            let config_map = BTreeMap::new();
            return Ok(Self { config_map });
        };
        let folder = ManifestFolder::open(manifests).map_err(|error| UsageError(format!("--manifests: {error}")))?;
        let snapshot = folder.snapshot();
        let resources = snapshot.resources.values().map(|loaded| &loaded.resource);
        let mut config_maps: Vec<_> = resources
            .filter_map(|resource| match resource {
                Resource::ConfigMap(config_map) if config_map.metadata.name == CONFIG_MAP => Some(config_map),
                _ => None,
            })
            .collect();
        let ours = std::env::var("POD_NAMESPACE").ok();
        config_maps.sort_by_key(|config_map| config_map.metadata.namespace != ours);
        let config_map = config_maps.first().map(|config_map| config_map.data.clone());
        Ok(Self {
            config_map: config_map.unwrap_or_default(),
        })
    }

    /// The flags that are set by what is around and not by what was typed, and what was passed over.
    pub(super) fn flags(&self, command: &Command, given: &ArgMatches) -> (Vec<OsString>, Vec<String>) {
        let (mut flags, mut passed_over) = (Vec::new(), Vec::new());
        for arg in command.get_arguments() {
            let typed = given.value_source(arg.get_id().as_str()) == Some(ValueSource::CommandLine);
            let (Some(variable), Some(flag), false) = (variable(arg), arg.get_long(), typed) else {
                continue;
            };
            let environment = |name: &str| Some(std::env::var_os(name)?.to_string_lossy().into_owned());
            let (value, problem) = variables::value(variable, environment, &self.config_map);
            flags.extend(value.map(|(value, _)| OsString::from(format!("--{flag}={value}"))));
            passed_over.extend(problem);
        }
        (flags, passed_over)
    }
}
