//! The webhook door: accepts connections, bounds what they may cost, and routes requests. What a request means is decided
//! behind it.

mod address;
mod answer;
mod body;
mod by_path;
mod by_type;
mod connection;
mod descriptors;
mod health;
mod healthz;
mod listener;
pub mod metrics;
mod panics;
mod places;
pub mod probes;
mod readers;
mod readyz;
mod throttle;
pub mod tls;
mod unclean;
mod watch;

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::routing::any;
use tokio::sync::Semaphore;

use crate::intake::Intake;

pub use address::ListenAddress;
pub use descriptors::provide as provide_descriptors;
pub use health::{Health, Phase};
pub use listener::{Bound, bind};
pub use readers::Readers;
pub use throttle::Throttle;
pub use watch::Watch;

/// What all endpoints share.
pub struct Door {
    pub intake: Intake,
    pub health: Health,
    pub watch: Watch,
    /// Memory for bodies that are being read, in [`body::UNIT`]s.
    pub bodies: Arc<Semaphore>,
    pub limits: Limits,
}

/// What one client may cost.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Connections at once. For a further one, whoever has waited the longest without a request has to leave; where all have
    /// one, it waits to be accepted.
    pub connections: usize,
    /// For the handshake of TLS, for the head of a request, and between requests.
    pub head: Duration,
    /// For a whole body.
    pub body: Duration,
    /// All bodies that are being read, together, in bytes.
    pub bodies: usize,
    /// So long further connections are accepted when the process is told to stop: whoever sends them here hears of that later.
    pub linger: Duration,
    /// For requests that have begun, after that.
    pub drain: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connections: 4096,
            head: Duration::from_secs(15),
            body: Duration::from_secs(15),
            bodies: 256 << 20,
            linger: Duration::ZERO,
            // Kubernetes kills Image Updater's pods ten seconds after it has told them.
            drain: Duration::from_secs(8),
        }
    }
}

impl Limits {
    /// Of the listener for probes, which a handful of clients inside of the cluster ask.
    pub fn for_probes() -> Self {
        Self {
            connections: 64,
            head: Duration::from_secs(5),
            ..Self::default()
        }
    }
}

/// Every route of the webhook door: all other paths are receivers' own, or unknown.
pub fn routes(intake: Intake, health: Health, watch: Watch, limits: Limits) -> Router {
    let bodies = Arc::new(Semaphore::new(limits.bodies / body::UNIT));
    let routes = Router::new()
        .route("/healthz", any(healthz::answer))
        .route("/readyz", any(readyz::answer))
        .route("/webhook", any(by_type::receive))
        .route("/webhook/", any(unclean::no_page))
        .fallback(by_path::receive)
        .with_state(Arc::new(Door {
            intake,
            health,
            watch,
            bodies,
            limits,
        }));
    panics::caught(routes)
}

#[cfg(test)]
mod tests;
