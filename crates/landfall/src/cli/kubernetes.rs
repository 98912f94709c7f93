//! The flags that say which API server resources come from.

use std::ffi::OsString;
use std::path::PathBuf;
use std::time::Duration;

use clap::{ArgAction, Args, ValueEnum};

use super::UsageError;
use super::pflag::duration;
use super::tls::switch;
use crate::config::Alone;
use crate::resources::Place;
use crate::resources::kubernetes::Options;

/// Whether resources come from an API server, where they may come from a folder as well.
#[derive(Args, Debug)]
pub(super) struct PlaceArgs {
    /// Take the resources from a Kubernetes API server; no folder is read then.
    #[arg(long, env = "LANDFALL_KUBERNETES", value_name = "BOOL", action = ArgAction::Set, num_args = 0..=1,
          require_equals = true, default_value = "false", default_missing_value = "true", value_parser = switch)]
    kubernetes: bool,
    #[command(flatten)]
    api_server: KubernetesArgs,
}

/// Which API server, and what of it.
#[derive(Args, Debug)]
pub(super) struct KubernetesArgs {
    /// The file that says where the API server is, in place of KUBECONFIG, the pod's service account and ~/.kube/config.
    // Image Updater takes an empty one for none, which a path cannot be.
    #[arg(long, value_name = "FILE", value_parser = clap::value_parser!(OsString))]
    kubeconfig: Option<OsString>,
    /// The namespaces whose resources are looked at, with commas between them; by default all, as with *. May be repeated.
    #[arg(long, env = "LANDFALL_WATCH_NAMESPACES", value_name = "NAMES", value_delimiter = ',')]
    watch_namespaces: Vec<String>,
    /// What is done by landfall in place of Kargo's own controller, with commas between. Leave it out where that runs.
    #[arg(
        long,
        env = "LANDFALL_CONTROLLERS",
        value_enum,
        value_name = "NAMES",
        value_delimiter = ','
    )]
    controllers: Vec<Controller>,
    /// Serve the Warehouses whose spec.shard is this, in place of those that name none.
    #[arg(long, env = "SHARD_NAME", value_name = "NAME")]
    shard: Option<String>,
    /// The least time between two looks at a Warehouse that nothing but its interval asks for; an interval that is longer counts as it is.
    #[arg(long, env = "MIN_WAREHOUSE_RECONCILIATION_INTERVAL", value_name = "DURATION", default_value = "0s", value_parser = least)]
    min_warehouse_interval: Duration,
    /// The namespace of the Lease that says which of several processes leads; by default the pod's, or the kubeconfig's.
    #[arg(long, env = "POD_NAMESPACE", value_name = "NAME")]
    lease_namespace: Option<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Controller {
    /// Looks at what Warehouses subscribe to, and writes their status.
    Warehouses,
}

impl PlaceArgs {
    /// The place, which is `folder` where it is no API server, and what one process alone does there.
    pub(super) fn meaning(
        self,
        folder: impl FnOnce() -> Result<PathBuf, UsageError>,
    ) -> Result<(Place, Option<Alone>), UsageError> {
        if self.kubernetes {
            let alone = self.api_server.alone();
            return Ok((Place::Kubernetes(self.api_server.options()?), Some(alone)));
        }
        if self.api_server.serves_warehouses() {
            return Err(UsageError(
                "--controllers: a folder's Warehouses are always served; add --kubernetes, or leave it out".to_owned(),
            ));
        }
        Ok((Place::Manifests(folder()?), None))
    }

    /// The settings that have no effect on a folder, where one is read.
    pub(super) fn idle(&self) -> Vec<&'static str> {
        let KubernetesArgs {
            kubeconfig,
            watch_namespaces,
            controllers: _,
            shard,
            min_warehouse_interval,
            lease_namespace: _,
        } = &self.api_server;
        let settings = [
            ("--kubeconfig", kubeconfig.as_ref().is_some_and(|file| !file.is_empty())),
            (
                "--watch-namespaces",
                watch_namespaces.iter().any(|name| !name.is_empty()),
            ),
            ("--shard", shard.as_ref().is_some_and(|name| !name.is_empty())),
            ("--min-warehouse-interval", !min_warehouse_interval.is_zero()),
        ];
        let idle = settings.into_iter().filter(|(_, is_set)| *is_set && !self.kubernetes);
        idle.map(|(name, _)| name).collect()
    }

    /// Whether resources come from an API server.
    pub(super) fn is_kubernetes(&self) -> bool {
        self.kubernetes
    }

    /// The kubeconfig, where one is named.
    pub(super) fn kubeconfig(&self) -> Option<PathBuf> {
        self.api_server.kubeconfig()
    }
}

impl KubernetesArgs {
    /// What one of several processes does alone.
    pub(super) fn alone(&self) -> Alone {
        let given = |text: &Option<String>| text.clone().filter(|text| !text.is_empty());
        Alone {
            lease_namespace: given(&self.lease_namespace),
            shard: given(&self.shard),
            least_interval: self.min_warehouse_interval,
        }
    }

    pub(super) fn serves_warehouses(&self) -> bool {
        self.controllers.contains(&Controller::Warehouses)
    }

    fn kubeconfig(&self) -> Option<PathBuf> {
        let named = self.kubeconfig.as_ref().filter(|file| !file.is_empty());
        named.map(PathBuf::from)
    }

    pub(super) fn options(self) -> Result<Options, UsageError> {
        Ok(Options {
            kubeconfig: self.kubeconfig(),
            serves_warehouses: self.serves_warehouses(),
            namespaces: namespaces(&self.watch_namespaces)?,
        })
    }
}

/// A duration as Go writes it; nothing is none, as an empty variable is to Kargo.
fn least(text: &str) -> Result<Duration, String> {
    match text {
        "" => Ok(Duration::ZERO),
        text => duration(text),
    }
}

/// The namespaces in order, none for all.
fn namespaces(typed: &[String]) -> Result<Vec<String>, UsageError> {
    let names = typed.iter().map(|name| name.trim()).filter(|name| !name.is_empty());
    let mut names: Vec<String> = names.map(str::to_owned).collect();
    // Nothing is all; commas with nothing between them are a mistake, which must not open all.
    if names.is_empty() && typed.len() > 1 {
        return Err(UsageError(
            "--watch-namespaces flag provided but no valid namespaces specified".to_owned(),
        ));
    }
    if names.iter().any(|name| name == "*") {
        return Ok(Vec::new());
    }
    names.sort();
    names.dedup();
    Ok(names)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn namespaces_to_watch() {
        let none = Err("--watch-namespaces flag provided but no valid namespaces specified".to_owned());
        for (typed, expected) in [
            (&[][..], Ok(vec![])),
            (&[""], Ok(vec![])),
            (&["*"], Ok(vec![])),
            (&["shop", "*"], Ok(vec![])),
            (&["shop"], Ok(vec!["shop".to_owned()])),
            (
                &[" shop", "", "bank ", "shop"],
                Ok(vec!["bank".to_owned(), "shop".to_owned()]),
            ),
            (&["", ""], none.clone()),
            (&[" ", "", ""], none),
        ] {
            let typed: Vec<String> = typed.iter().map(ToString::to_string).collect();
            assert_eq!(
                namespaces(&typed).map_err(|error| error.to_string()),
                expected,
                "{typed:?}"
            );
        }
    }
}
