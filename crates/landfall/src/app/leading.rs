//! Starts what one of several processes does alone: it stands for election, and serves Warehouses while it leads.

use std::sync::Arc;

use arc_swap::ArcSwap;
use landfall_core::journal::RetryPolicy;
use landfall_core::lease::Timing;

use crate::config::Alone;
use crate::controller::reconciler::{Parts, Reconciler};
use crate::controller::warehouse::Discovery;
use crate::lease::{Elected, Election, identity};
use crate::live::Live;
use crate::resources::kubernetes::ApiServer;

/// The name of the Lease, and with a shard the beginning of it: processes that serve different Warehouses are no rivals.
const LEASE: &str = "landfall";

/// Begins to stand for election.
pub(super) fn stand(server: &ApiServer, alone: &Alone) -> Elected {
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

/// Begins to serve Warehouses, if that is wanted, while this process leads.
pub(super) fn serve_warehouses(
    server: &ApiServer,
    alone: &Alone,
    elected: &Elected,
    live: Arc<ArcSwap<Live>>,
    discovery: Discovery,
    retries: RetryPolicy,
    shared_namespace: Option<String>,
) {
    let Some(progresses) = server.progresses() else {
        return;
    };
    let reconciler = Reconciler::new(Parts {
        live,
        discovery,
        server: server.clone(),
        progresses,
        leadership: elected.leadership(),
        retries,
        shard: alone.shard.clone(),
        shared_namespace,
    });
    tokio::spawn(reconciler.run());
}
