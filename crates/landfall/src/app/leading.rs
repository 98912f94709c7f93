//! Decides by whom what is found is written: with resources from a folder by this process, into its store; with an API server by
//! the process that leads, if one is elected.

use std::path::PathBuf;
use std::sync::Arc;

use arc_swap::ArcSwap;
use landfall_core::journal::RetryPolicy;
use landfall_core::lease::Timing;

use crate::config::Alone;
use crate::controller::publisher::Publisher;
use crate::controller::reconciler::{Parts, Reconciler};
use crate::controller::warehouse::Discovery;
use crate::lease::{Elected, Election, identity};
use crate::live::Live;
use crate::metrics::Metrics;
use crate::pipeline::Effect;
use crate::reconfigure::Records;
use crate::resources::kubernetes::ApiServer;

/// The name of the Lease, and with a shard the beginning of it: processes that serve different Warehouses are no rivals.
const LEASE: &str = "landfall";

/// What the place of the resources makes of this process.
pub(super) struct Led {
    /// Who leads, where somebody has to.
    pub(super) elected: Option<Elected>,
    /// Whether this process looks at what Warehouses subscribe to, or may come to.
    pub(super) discovers: bool,
    /// What a refresh does.
    pub(super) effect: Effect,
    /// Who keeps generations and statuses.
    pub(super) records: Records,
}

/// What the reconciler works with beside the API server.
pub(super) struct Reconciling {
    pub(super) live: Arc<ArcSwap<Live>>,
    pub(super) discovery: Discovery,
    pub(super) metrics: Metrics,
    pub(super) retries: RetryPolicy,
    pub(super) shared_namespace: Option<String>,
    pub(super) data_dir: PathBuf,
}

impl Led {
    /// With resources from a folder.
    pub(super) fn by_nobody(discovery: &Discovery) -> Self {
        Self {
            elected: None,
            discovers: true,
            effect: Effect::Discover(discovery.clone()),
            records: Records::Store,
        }
    }

    /// With resources from an API server: begins to stand for election, if anything is done by one process alone, and to do that
    /// while this process leads.
    pub(super) fn by_election(server: ApiServer, alone: Option<&Alone>, reconciling: Reconciling) -> Self {
        let elected = alone.map(|alone| stand(&server, alone));
        let progresses = server.progresses();
        let discovers = progresses.is_some();
        if let (Some(alone), Some(elected), Some(progresses)) = (alone, &elected, progresses) {
            let Reconciling {
                live,
                discovery,
                metrics,
                retries,
                shared_namespace,
                data_dir,
            } = reconciling;
            let reconciler = Reconciler::new(Parts {
                live,
                discovery,
                metrics,
                server: server.clone(),
                progresses,
                leadership: elected.leadership(),
                retries,
                shard: alone.shard.clone(),
                least_interval: alone.least_interval,
                shared_namespace,
                data_dir,
            });
            tokio::spawn(reconciler.run());
        }
        let leadership = elected.as_ref().map(Elected::leadership);
        Self {
            effect: Effect::Annotate(server.annotator()),
            records: Records::ApiServer(Publisher::start(server, leadership)),
            elected,
            discovers,
        }
    }
}

fn stand(server: &ApiServer, alone: &Alone) -> Elected {
    let client = server.client();
    let namespace = alone.lease_namespace.clone();
    let election = Election {
        namespace: namespace.unwrap_or_else(|| client.default_namespace().to_owned()),
        client,
        name: match &alone.shard {
            Some(shard) => format!("{LEASE}-{shard}"),
            None => LEASE.to_owned(),
        },
        identity: identity(server.instance()),
        timing: Timing::default(),
    };
    election.start()
}
