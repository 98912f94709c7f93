//! The flags that say which API server resources come from.

use std::path::PathBuf;

use clap::{Args, ValueEnum};

use crate::config::Alone;
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
    /// The namespace of the Lease that says which of several processes leads; by default the pod's, or the kubeconfig's.
    #[arg(long, env = "POD_NAMESPACE", value_name = "NAME")]
    lease_namespace: Option<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Controller {
    /// Looks at what Warehouses subscribe to, and writes their status.
    Warehouses,
}

impl KubernetesArgs {
    /// What one of several processes does alone.
    pub(super) fn alone(&self) -> Alone {
        let given = |text: &Option<String>| text.clone().filter(|text| !text.is_empty());
        Alone {
            lease_namespace: given(&self.lease_namespace),
            shard: given(&self.shard),
        }
    }

    pub(super) fn serves_warehouses(&self) -> bool {
        self.controllers.contains(&Controller::Warehouses)
    }

    pub(super) fn options(self) -> Options {
        let serves_warehouses = self.serves_warehouses();
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
            serves_warehouses,
        }
    }
}
