//! Puts the parts together and runs them: the one place that knows all of them.

use std::sync::{Arc, Mutex};

use anyhow::Context as _;
use arc_swap::ArcSwap;
use landfall_core::door::BaseUrl;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::{Notify, watch};

use crate::admin::{self, Admin};
use crate::config::Config;
use crate::controller::receivers::Settings;
use crate::controller::warehouse::Discovery;
use crate::discovery::Catalogs;
use crate::intake::Intake;
use crate::live::Live;
use crate::pipeline::Pipeline;
use crate::reconfigure::Reconfigurer;
use crate::registry::RegistryClient;
use crate::resources::manifests::{self, Snapshot};
use crate::server::{self, Bound, ListenAddress};
use crate::statuses::Statuses;
use crate::store::Store;
use crate::webhook_secrets::WebhookSecrets;

/// Chooses the one library that does cryptography, before anything needs it.
pub fn install_crypto() {
    // A second call changes nothing and is no error of ours.
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
}

/// Runs a server until it is told to stop.
pub async fn serve(config: Config) -> anyhow::Result<()> {
    install_crypto();
    anyhow::ensure!(
        config.tls.is_none() && config.probes.is_none(),
        "TLS and a listener for probes are not served yet; add --disable-tls"
    );
    let webhook_secrets = Arc::new(WebhookSecrets::open(config.webhook_secrets)?);
    let store = Store::open(&config.data_dir)?;
    let snapshot = manifests::watch(&config.manifests)?;
    let listener = match &config.listen {
        Some(address) => Some(open_door(address).await?),
        None => None,
    };
    let base_url = match (config.base_url, &listener) {
        (Some(base_url), _) => base_url,
        (None, Some(listener)) => BaseUrl::parse(&format!("http://{}", listener.address)).context("the base URL")?,
        // Nobody can post there, and nobody is told to: receivers without a door are shown all the same.
        (None, None) => BaseUrl::parse("http://localhost").context("the base URL")?,
    };
    let live = Arc::new(ArcSwap::from_pointee(Live::default()));
    let arrivals = Arc::new(Notify::new());
    let registry = RegistryClient::new(config.registry).context("--registry-mirror")?;
    let discovery = Discovery {
        registry,
        catalogs: Arc::new(Catalogs::default()),
        store: store.clone(),
    };
    let statuses = Arc::new(Statuses::new(store.resources().await?));
    let pipeline = Pipeline::new(
        live.clone(),
        discovery,
        statuses,
        config.retries,
        config.retention,
        arrivals.clone(),
    );
    let settings = Settings {
        base_url,
        system_namespace: config.system_namespace,
    };
    let reconfigurer = Reconfigurer {
        pipeline: pipeline.clone(),
        settings,
        shared_namespace: config.shared_namespace,
        webhook_secrets: webhook_secrets.clone(),
        patterns: Mutex::default(),
        known_credentials: Mutex::default(),
    };
    let first = snapshot.borrow().clone();
    reconfigurer.apply(&first).await?;

    let socket = admin::bind(&config.data_dir).context("the admin socket")?;
    let admin_routes = admin::routes(Admin {
        pipeline: pipeline.clone(),
        snapshot: snapshot.clone(),
    });
    tokio::spawn(async move {
        if let Err(error) = axum::serve(socket, admin_routes).await {
            tracing::error!(%error, "the admin API has stopped");
        }
    });
    tokio::spawn(follow(snapshot, webhook_secrets.follow(), reconfigurer));
    tokio::spawn(pipeline.run());

    let intake = Intake {
        live,
        store,
        arrivals,
        dedupe_window: config.dedupe_window,
    };
    let address = listener.as_ref().map(|listener| listener.address);
    tracing::info!(
        address = address.map(tracing::field::display),
        manifests = %config.manifests.display(),
        data = %config.data_dir.display(),
        resources = first.resources.len(),
        "landfall is ready"
    );
    let stopped = stopped()?;
    match listener {
        Some(listener) => {
            let routes = server::routes(intake, config.limits);
            listener.serve(routes, config.limits, stopped).await;
        }
        None => stopped.await,
    }
    tracing::info!("landfall has stopped; what is unfinished goes on with the next start");
    Ok(())
}

async fn open_door(address: &ListenAddress) -> anyhow::Result<Bound> {
    let bound = server::bind(address).await;
    bound.with_context(|| format!("the webhook door cannot be opened at {address} (--listen, --webhook-port)"))
}

/// Puts every later snapshot in force, and the last one again where a webhook secret's file has changed.
async fn follow(
    mut snapshot: watch::Receiver<Arc<Snapshot>>,
    mut secrets: watch::Receiver<()>,
    reconfigurer: Reconfigurer,
) {
    loop {
        let what = tokio::select! {
            changed = snapshot.changed() => match changed {
                Ok(()) => "the manifests have changed and are in force",
                Err(_gone) => return,
            },
            Ok(()) = secrets.changed() => "a file with a webhook secret has changed, and the secret is in force",
        };
        let current = snapshot.borrow_and_update().clone();
        match reconfigurer.apply(&current).await {
            Ok(()) => tracing::info!(resources = current.resources.len(), "{what}"),
            Err(error) => tracing::error!(%error, "the manifests are in force, but their statuses could not be kept"),
        }
    }
}

/// Ends when the process is told to stop.
fn stopped() -> anyhow::Result<impl Future<Output = ()>> {
    let mut terminate = signal(SignalKind::terminate()).context("signals")?;
    let mut interrupt = signal(SignalKind::interrupt()).context("signals")?;
    Ok(async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
    })
}
