//! The flags that say which API server resources come from.

use std::path::PathBuf;

use clap::Args;

use crate::resources::kubernetes::Options;

/// Which API server, and what of it.
#[derive(Args, Debug)]
pub(super) struct KubernetesArgs {
    /// The file that says where the API server is, in place of KUBECONFIG, the pod's service account and ~/.kube/config.
    #[arg(long, value_name = "FILE")]
    kubeconfig: Option<PathBuf>,
    /// The namespaces whose resources are looked at, with commas between them; by default all. May be repeated.
    #[arg(long, env = "LANDFALL_WATCH_NAMESPACES", value_name = "NAMES", value_delimiter = ',')]
    watch_namespaces: Vec<String>,
}

impl KubernetesArgs {
    pub(super) fn options(self) -> Options {
        let mut namespaces: Vec<String> = self
            .watch_namespaces
            .iter()
            .map(|name| name.trim().to_owned())
            .filter(|name| !name.is_empty())
            .collect();
        namespaces.sort();
        namespaces.dedup();
        Options {
            kubeconfig: self.kubeconfig,
            namespaces,
            serves_warehouses: false,
        }
    }
}
