//! Puts the listener for metrics together: where it is, with which certificate, and whose word counts for who may read them.

use anyhow::Context as _;

use super::{answer_to_the_end, listen};
use crate::config::{MetricsListener, MetricsReaders};
use crate::resources::kubernetes::{ApiServer, ConnectError, Options};
use crate::server::metrics::Sources;
use crate::server::tls::Tls;
use crate::server::{self, Readers};

/// Serves metrics until the process ends.
pub(super) async fn serve(
    listener: MetricsListener,
    http2: bool,
    api_server: Option<&ApiServer>,
    sources: Sources,
) -> anyhow::Result<()> {
    let readers = readers(listener.readers, api_server).await?;
    let bound = listen(&listener.address, "--metrics-bind-address").await?;
    let tls = listener.tls.map(|settings| Tls::start(settings, http2));
    let tls = tls.transpose().context("--metrics-cert-path")?;
    answer_to_the_end(bound, server::metrics::routes(sources, readers), tls);
    Ok(())
}

async fn readers(readers: MetricsReaders, api_server: Option<&ApiServer>) -> anyhow::Result<Readers> {
    let kubeconfig = match (readers, api_server) {
        (MetricsReaders::Everybody, _) => return Ok(Readers::Everybody),
        (MetricsReaders::Authorized { .. }, Some(server)) => return Ok(Readers::authorized_by(server.clone())),
        (MetricsReaders::Authorized { kubeconfig }, None) => kubeconfig,
    };
    let options = Options {
        kubeconfig,
        ..Options::default()
    };
    match ApiServer::connect(&options).await {
        Ok(server) => Ok(Readers::authorized_by(server)),
        // A door that stays closed because of metrics would lose events, and outside of Kubernetes nobody expects its tokens to count.
        Err(ConnectError::Nowhere(_)) => {
            tracing::warn!(
                "--metrics-secure: there is no API server that says who may read the metrics, so everybody may who reaches their \
                 address; name one by --kubeconfig, or say by --metrics-authorization=false that it is meant"
            );
            Ok(Readers::Everybody)
        }
        Err(error) => Err(error).context(
            "--metrics-secure: an API server is asked who may read the metrics; --metrics-authorization=false lets everybody who \
             reaches their address, over HTTPS, and --metrics-secure=false in plain HTTP",
        ),
    }
}
