//! Opens what everything else stands on: the journal, the place of the resources, addresses and certificates. Nothing is answered
//! yet but probes, and nothing is in force.

use std::path::PathBuf;
use std::sync::Arc;

use anyhow::Context as _;
use landfall_core::door::BaseUrl;
use tokio::sync::watch;

use super::{answer_to_the_end, listen};
use crate::config::Config;
use crate::resources::kubernetes::ApiServer;
use crate::resources::{self, Snapshot};
use crate::server::tls::Tls;
use crate::server::{self, Bound, Health, Phase};
use crate::store::{DatabaseUrl, Store};
use crate::webhook_secrets::WebhookSecrets;

/// What is open.
pub(super) struct Opened {
    pub(super) webhook_secrets: Arc<WebhookSecrets>,
    pub(super) tls: Option<Tls>,
    pub(super) store: Store,
    /// What the place of the resources says.
    pub(super) snapshot: watch::Receiver<Arc<Snapshot>>,
    pub(super) api_server: Option<ApiServer>,
    /// The webhook door, if there is one.
    pub(super) listener: Option<Bound>,
    /// Where senders reach it.
    pub(super) base_url: BaseUrl,
    pub(super) phase: watch::Sender<Phase>,
    pub(super) health: Health,
}

impl Opened {
    /// Opens all of it. What cannot be opened is told with the flag that named it.
    pub(super) async fn open(config: &Config) -> anyhow::Result<Self> {
        let webhook_secrets = Arc::new(WebhookSecrets::open(config.webhook_secrets.clone())?);
        let start_tls = |settings| Tls::start(settings, config.http2);
        let tls = config.tls.clone().map(start_tls).transpose()?;
        // A new database waits for the disk while the resources keep the processor busy.
        let store = tokio::spawn(open_store(config.journal.clone(), config.data_dir.clone()));
        let place = resources::open(&config.resources, &config.system_namespace).await;
        let (store, place) = (store.await??, place?);
        let listener = match &config.listen {
            Some(address) => Some(listen(address, "--listen or --webhook-port").await?),
            None => None,
        };
        let (phase, current_phase) = watch::channel(Phase::Starting);
        let health = Health::new(store.clone(), tls.as_ref().map(Tls::status), current_phase);
        if let Some(address) = &config.probes {
            let probes = listen(address, "--health-probe-bind-address").await?;
            answer_to_the_end(probes, server::probes::routes(health.clone()), None);
        }
        let base_url = match &config.base_url {
            Some(base_url) => base_url.clone(),
            None => base_url(listener.as_ref(), tls.is_some())?,
        };
        Ok(Self {
            webhook_secrets,
            tls,
            store,
            snapshot: place.snapshot,
            api_server: place.api_server,
            listener,
            base_url,
            phase,
            health,
        })
    }
}

async fn open_store(journal: Option<DatabaseUrl>, data_dir: PathBuf) -> anyhow::Result<Store> {
    let store = match journal {
        Some(url) => Store::connect(url, &data_dir).await?,
        None => tokio::task::spawn_blocking(move || Store::open(&data_dir)).await??,
    };
    Ok(store)
}

/// The URL of the address that is listened at.
fn base_url(listener: Option<&Bound>, has_tls: bool) -> anyhow::Result<BaseUrl> {
    if listener.is_some_and(|listener| listener.address.ip().is_unspecified()) {
        tracing::warn!(
            "no sender can use the URLs of receivers by path: say by --base-url where senders reach this server"
        );
    }
    let scheme = if has_tls { "https" } else { "http" };
    let host = match listener {
        Some(listener) => listener.address.to_string(),
        // Nobody can post there, and nobody is told to: receivers without a door are shown all the same.
        None => "localhost".to_owned(),
    };
    BaseUrl::parse(&format!("{scheme}://{host}")).context("the base URL")
}
