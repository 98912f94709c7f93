//! Stands for election, where one of several processes does something alone.

use landfall_core::lease::Timing;

use crate::config::Alone;
use crate::lease::{Elected, Election, identity};
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
