//! The webhook door: accepts connections, bounds what they may cost, and routes requests. What a request means is decided
//! behind it.

mod address;
mod answer;
mod body;
mod by_path;
mod by_type;
mod healthz;
mod listener;
pub mod tls;

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use tokio::sync::Semaphore;

use crate::intake::Intake;

pub use address::ListenAddress;
pub use listener::{Bound, bind};

/// What all endpoints share.
#[derive(Clone)]
pub struct Door {
    pub intake: Intake,
    /// Memory for bodies that are being read, in [`body::UNIT`]s.
    pub bodies: Arc<Semaphore>,
    pub limits: Limits,
}

/// What one client may cost.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Connections at once; further ones wait to be accepted.
    pub connections: usize,
    /// For the head of a request, and between requests.
    pub head: Duration,
    /// For a whole body.
    pub body: Duration,
    /// All bodies that are being read, together, in bytes.
    pub bodies: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connections: 4096,
            head: Duration::from_secs(15),
            body: Duration::from_secs(15),
            bodies: 256 << 20,
        }
    }
}

/// Every route of the webhook door: all other paths are receivers' own, or unknown.
pub fn routes(intake: Intake, limits: Limits) -> Router {
    let bodies = Arc::new(Semaphore::new(limits.bodies / body::UNIT));
    Router::new()
        .route("/healthz", axum::routing::any(healthz::answer))
        .route("/webhook", axum::routing::any(by_type::receive))
        .fallback(by_path::receive)
        .with_state(Door { intake, bodies, limits })
}
