//! Finds out where an API server is and who we are there; it asks it for nothing.

use std::path::{Path, PathBuf};

use kube::config::{KubeConfigOptions, Kubeconfig};
use kube::{Client, Config};

/// Nobody said where the API server is, or not in a way that can be understood.
#[derive(Debug, thiserror::Error)]
pub enum ConnectError {
    /// The file that was named.
    #[error("the kubeconfig {} cannot be used: {problem}", path.display())]
    Kubeconfig {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        problem: String,
    },
    /// What the environment says.
    #[error(
        "no API server was found: {0}; name a kubeconfig by --kubeconfig or KUBECONFIG, or run in a pod with a service \
         account"
    )]
    Environment(String),
    /// Certificates or tokens.
    #[error("the credentials for the API server cannot be used: {0}")]
    Credentials(String),
}

/// A client for the API server that a kubeconfig names, or else the environment.
pub(super) async fn open(kubeconfig: Option<&Path>) -> Result<Client, ConnectError> {
    let mut config = match kubeconfig {
        Some(path) => from_file(path).await?,
        None => from_surroundings().await?,
    };
    // Whoever asks here knows when to ask again, and must not wait for somebody who asks again by himself.
    config.default_retry = false;
    Client::try_from(config).map_err(|error| ConnectError::Credentials(error.to_string()))
}

async fn from_file(path: &Path) -> Result<Config, ConnectError> {
    let wrong = |error: kube::config::KubeconfigError| ConnectError::Kubeconfig {
        path: path.to_owned(),
        problem: error.to_string(),
    };
    let kubeconfig = Kubeconfig::read_from(path).map_err(wrong)?;
    Config::from_custom_kubeconfig(kubeconfig, &KubeConfigOptions::default())
        .await
        .map_err(wrong)
}

/// What `KUBECONFIG` names, else the pod's own account, else the kubeconfig in the home folder. Kargo leaves `KUBECONFIG`
/// empty in pods.
async fn from_surroundings() -> Result<Config, ConnectError> {
    let is_named = std::env::var_os("KUBECONFIG").is_some_and(|paths| !paths.is_empty());
    if !is_named && let Ok(config) = Config::incluster() {
        return Ok(config);
    }
    Config::from_kubeconfig(&KubeConfigOptions::default())
        .await
        .map_err(|error| ConnectError::Environment(error.to_string()))
}
