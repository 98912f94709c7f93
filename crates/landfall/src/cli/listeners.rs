//! Where a server listens beside the webhook door: the flags of `serve` and `external-webhooks-server`.

use clap::Args;

use super::UsageError;
use crate::config::{MetricsListener, MetricsReaders};
use crate::server::ListenAddress;

#[derive(Args, Debug)]
pub(super) struct ListenerArgs {
    /// Where /healthz and /readyz are answered beside the webhook door, in plain HTTP; 0 for nowhere.
    #[arg(
        long,
        env = "LANDFALL_HEALTH_PROBE_BIND_ADDRESS",
        default_value = "0",
        value_name = "ADDR"
    )]
    health_probe_bind_address: String,
    /// Where /metrics is served, in plain HTTP; 0 for nowhere.
    #[arg(
        long,
        env = "LANDFALL_METRICS_BIND_ADDRESS",
        default_value = "0",
        value_name = "ADDR"
    )]
    metrics_bind_address: String,
}

impl ListenerArgs {
    /// Where probes are answered.
    pub(super) fn probes(&self) -> Result<Option<ListenAddress>, UsageError> {
        optional_address("health-probe-bind-address", &self.health_probe_bind_address)
    }

    /// Where metrics are served, to everybody.
    pub(super) fn metrics(&self) -> Result<Option<MetricsListener>, UsageError> {
        let address = optional_address("metrics-bind-address", &self.metrics_bind_address)?;
        Ok(address.map(|address| MetricsListener {
            address,
            tls: None,
            readers: MetricsReaders::Everybody,
        }))
    }
}

/// An address, or nowhere.
pub(super) fn optional_address(flag: &str, text: &str) -> Result<Option<ListenAddress>, UsageError> {
    ListenAddress::parse_optional(text).map_err(|error| UsageError(format!("--{flag}: {error}")))
}
