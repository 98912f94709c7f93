//! Finds out where an API server is and who we are there; it asks it for nothing.

use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use http::HeaderValue;
use http::header::ACCEPT;
use hyper_timeout::TimeoutConnector;
use hyper_util::client::legacy;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use kube::client::{Body, ConfigExt as _};
use kube::config::{AuthInfo, KubeConfigOptions, Kubeconfig, KubeconfigError};
use kube::{Client, Config};
use serde_json::json;
use tower::{BoxError, ServiceBuilder, service_fn};

use super::protobuf::{METADATA, as_json};

/// How much of an answer is held before it is read, at most, for each connection and for as long as there is one. TLS brings no more at
/// once.
const BUFFER: usize = 16 << 10;

/// How one asks for the metadata of a list of objects alone.
const METADATA_OF_ALL: &str = "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1";

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
    /// This is no pod, no file is named, and there is none in the home folder: nothing here has to do with Kubernetes.
    #[error(
        "no API server was found: {0}; name a kubeconfig by --kubeconfig or KUBECONFIG, or run in a pod with a service \
         account"
    )]
    Nowhere(String),
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
    take_written_token(&mut config.auth_info);
    client(config).map_err(|error| ConnectError::Credentials(error.to_string()))
}

/// The library's own client, but for what it does on the wire, and without its retries: whoever asks here knows when to ask again, and
/// must not wait for somebody who asks again by himself.
fn client(config: Config) -> kube::Result<Client> {
    if config.proxy_url.is_some() {
        // It says what is missing for that.
        return Client::try_from(config);
    }
    let mut tcp = HttpConnector::new();
    tcp.enforce_http(false);
    // The first request follows the end of the handshake. With Nagle's algorithm it would wait until that is acknowledged, for which
    // the other side takes 40 ms.
    tcp.set_nodelay(true);
    let mut connector = TimeoutConnector::new(config.rustls_https_connector_with_connector(tcp)?);
    connector.set_connect_timeout(config.connect_timeout);
    connector.set_read_timeout(config.read_timeout);
    connector.set_write_timeout(config.write_timeout);
    let http: legacy::Client<_, Body> = legacy::Client::builder(TokioExecutor::new())
        .http1_max_buf_size(BUFFER)
        .build(connector);
    let service = ServiceBuilder::new()
        .layer(config.base_uri_layer())
        .option_layer(config.auth_layer()?)
        .layer(config.extra_headers_layer()?)
        .map_err(BoxError::from)
        .service(http);
    Ok(Client::new(service, config.default_namespace))
}

/// The same client, which asks for the metadata of objects alone: to watch many costs the API server, the network and us a fraction.
pub(super) fn of_metadata(client: &Client) -> Client {
    let namespace = client.default_namespace().to_owned();
    let client = client.clone();
    let service = service_fn(move |mut request: http::Request<Body>| {
        let is_watch = request.uri().query().is_some_and(|query| query.contains("watch=true"));
        let wanted = if is_watch { METADATA } else { METADATA_OF_ALL };
        request.headers_mut().insert(ACCEPT, HeaderValue::from_static(wanted));
        let client = client.clone();
        async move { as_json(client.send(request).await?).await }
    });
    Client::new(service, namespace)
}

/// Takes the token of a file that ends in a newline, as people and editors write it; the library would send that along. A token that
/// is exchanged by itself, such as a pod's, has none, and its file is read again and again.
fn take_written_token(who: &mut AuthInfo) {
    let written = who
        .token_file
        .as_ref()
        .and_then(|file| std::fs::read_to_string(file).ok());
    let Some(written) = written.filter(|written| written.ends_with(char::is_whitespace)) else {
        return;
    };
    // The type of the token is a library's that is nobody's business here.
    if let Ok(AuthInfo { token: Some(token), .. }) = serde_json::from_value(json!({ "token": written.trim() })) {
        who.token.get_or_insert(token);
        who.token_file = None;
    }
}

async fn from_file(path: &Path) -> Result<Config, ConnectError> {
    let wrong = |error: KubeconfigError| ConnectError::Kubeconfig {
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
    let is_elsewhere = is_named || std::env::var_os("KUBERNETES_SERVICE_HOST").is_some();
    Config::from_kubeconfig(&KubeConfigOptions::default())
        .await
        .map_err(|error| match error {
            _ if is_elsewhere => ConnectError::Environment(error.to_string()),
            KubeconfigError::FindPath => ConnectError::Nowhere(error.to_string()),
            KubeconfigError::ReadConfig(ref problem, _) if problem.kind() == ErrorKind::NotFound => {
                ConnectError::Nowhere(error.to_string())
            }
            other => ConnectError::Environment(other.to_string()),
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_that_was_written_with_a_newline_is_taken_without_it() {
        let folder = tempfile::tempdir().unwrap();
        for (content, expected) in [("abc\n", Some("abc")), (" abc \r\n", Some("abc")), ("abc", None)] {
            let file = folder.path().join("token");
            std::fs::write(&file, content).unwrap();
            let mut who = AuthInfo {
                token_file: Some(file.display().to_string()),
                ..AuthInfo::default()
            };
            take_written_token(&mut who);
            assert_eq!(who.token_file.is_some(), expected.is_none(), "{content:?}");
            let shown = serde_json::to_value(&who).unwrap()["token"].clone();
            assert_eq!(shown.as_str(), expected, "{content:?}");
        }
    }
}
