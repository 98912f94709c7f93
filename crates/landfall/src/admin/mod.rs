//! The admin API: what people see and do, over a Unix socket in the data folder that its owner alone can open. The commands
//! are its clients and have no other way in.

pub mod client;
mod deliveries;
mod resources;
pub mod types;

use std::io;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use axum::Router;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use tokio::net::UnixListener;
use tokio::sync::watch;

use crate::pipeline::Pipeline;
use crate::resources::Snapshot;
use crate::store::StoreError;

/// What the endpoints read.
#[derive(Clone)]
pub struct Admin {
    pub pipeline: Arc<Pipeline>,
    pub snapshot: watch::Receiver<Arc<Snapshot>>,
}

/// Every route of the admin API.
pub fn routes(admin: Admin) -> Router {
    Router::new()
        .route("/v1/resources/{kind}", get(resources::list))
        .route("/v1/receivers", get(resources::receivers))
        .route("/v1/problems", get(resources::problems))
        .route("/v1/deliveries", get(deliveries::list))
        .route("/v1/deliveries/{id}", get(deliveries::show))
        .route("/v1/deliveries/{id}/replay", post(deliveries::replay))
        .with_state(admin)
}

/// Where the socket of a data folder is.
pub fn socket(data_dir: &Path) -> PathBuf {
    data_dir.join("admin.sock")
}

/// Listens at the socket, in place of one that an earlier process left.
pub fn bind(data_dir: &Path) -> io::Result<UnixListener> {
    let path = socket(data_dir);
    match std::fs::remove_file(&path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let listener = UnixListener::bind(&path).map_err(|error| match error.kind() {
        // There is room for about a hundred bytes, which the library says with the name of a constant of C.
        io::ErrorKind::InvalidInput => io::Error::new(
            error.kind(),
            "its path is too long for a socket; choose a folder with a shorter one by --data-dir",
        ),
        _ => error,
    })?;
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600))?;
    Ok(listener)
}

/// Why a request cannot be answered, in a sentence for whoever typed the command.
enum Refusal {
    NotFound(String),
    Unavailable(StoreError),
}

impl From<StoreError> for Refusal {
    fn from(error: StoreError) -> Self {
        Self::Unavailable(error)
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        match self {
            Self::NotFound(what) => (StatusCode::NOT_FOUND, what).into_response(),
            Self::Unavailable(error) => (StatusCode::SERVICE_UNAVAILABLE, error.to_string()).into_response(),
        }
    }
}
