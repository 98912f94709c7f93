//! Puts the parts together and runs them: the one place that knows all of them.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use anyhow::Context as _;
use arc_swap::ArcSwap;
use landfall_core::door::BaseUrl;
use landfall_core::receiver::{Receiver, Sender};
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
use crate::server;
use crate::statuses::Statuses;
use crate::store::Store;

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
    let store = Store::open(&config.data_dir)?;
    let snapshot = manifests::watch(&config.manifests)?;
    let listener = server::bind(&config.listen)
        .await
        .with_context(|| format!("--listen {}: the address cannot be listened at", config.listen))?;
    let base_url = match config.base_url {
        Some(base_url) => base_url,
        None => BaseUrl::parse(&format!("http://{}", listener.address)).context("the base URL")?,
    };
    let by_type: HashMap<Sender, Receiver> = config
        .webhook_secrets
        .into_iter()
        .map(|(sender, secrets)| (sender, Receiver::by_type(sender, secrets)))
        .collect();

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
        by_type,
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
    tokio::spawn(follow(snapshot, reconfigurer));
    tokio::spawn(pipeline.run());

    let intake = Intake {
        live,
        store,
        arrivals,
        dedupe_window: config.dedupe_window,
    };
    tracing::info!(
        address = %listener.address,
        manifests = %config.manifests.display(),
        data = %config.data_dir.display(),
        resources = first.resources.len(),
        "landfall is ready"
    );
    listener
        .serve(server::routes(intake, config.limits), config.limits, stopped()?)
        .await;
    tracing::info!("landfall has stopped; what is unfinished goes on with the next start");
    Ok(())
}

/// Puts every later snapshot in force.
async fn follow(mut snapshot: watch::Receiver<Arc<Snapshot>>, reconfigurer: Reconfigurer) {
    while snapshot.changed().await.is_ok() {
        let current = snapshot.borrow_and_update().clone();
        match reconfigurer.apply(&current).await {
            Ok(()) => tracing::info!(
                resources = current.resources.len(),
                "the manifests have changed and are in force"
            ),
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
