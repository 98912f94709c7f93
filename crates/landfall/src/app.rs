//! Puts the parts together and runs them: the one place that knows all of them.

mod following;
mod leading;
mod metrics;

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use anyhow::Context as _;
use arc_swap::ArcSwap;
use jiff::{SignedDuration, Timestamp};
use landfall_core::door::BaseUrl;
use landfall_core::pace::Pace;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::{oneshot, watch};

use self::following::Following;
use self::leading::{Led, Reconciling};
use crate::admin::{self, Admin};
use crate::config::Config;
use crate::controller::receivers::Settings;
use crate::controller::warehouse::Discovery;
use crate::discovery::Catalogs;
use crate::intake::{Evaluators, Intake};
use crate::lease::Elected;
use crate::live::Live;
use crate::metrics::Metrics;
use crate::pipeline::{Pipeline, Rules};
use crate::reconfigure::Reconfigurer;
use crate::registry::RegistryClient;
use crate::resources::{self, Known};
use crate::senders::Senders;
use crate::server::metrics::Sources;
use crate::server::tls::Tls;
use crate::server::{self, Bound, Health, Limits, ListenAddress, Phase, Throttle, Watch};
use crate::statuses::Statuses;
use crate::store::{DatabaseUrl, Store};
use crate::webhook_secrets::WebhookSecrets;

/// So many deliveries are followed up at once after a quiet time, as with Image Updater's rate limit.
const BURST: u32 = 10;

/// Chooses the one library that does cryptography, before anything needs it.
pub fn install_crypto() {
    // A second call changes nothing and is no error of ours.
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
}

/// Runs a server until it is told to stop.
pub async fn serve(config: Config) -> anyhow::Result<()> {
    install_crypto();
    let webhook_secrets = Arc::new(WebhookSecrets::open(config.webhook_secrets)?);
    let limits = limits(config.limits);
    let tls = config
        .tls
        .map(|settings| Tls::start(settings, config.http2))
        .transpose()?;
    // A new database waits for the disk while the resources keep the processor busy.
    let store = tokio::spawn(open_store(config.journal, config.data_dir.clone()));
    let place = resources::open(&config.resources, &config.system_namespace).await;
    let (store, place) = (store.await??, place?);
    let snapshot = place.snapshot;
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
    let base_url = match config.base_url {
        Some(base_url) => base_url,
        None => {
            let url = base_url(listener.as_ref(), tls.is_some())?;
            let is_everywhere = |bound: &Bound| bound.address.ip().is_unspecified();
            if listener.as_ref().is_some_and(is_everywhere) {
                tracing::warn!(
                    "no sender can use the URLs of receivers by path: say by --base-url where senders reach this server"
                );
            }
            url
        }
    };
    let live = Arc::new(ArcSwap::from_pointee(Live::default()));
    let metrics = Metrics::default();
    let registry = RegistryClient::new(config.registry).context("--registry-mirror")?;
    let discovery = Discovery {
        listed_since: Timestamp::MIN,
        registry,
        catalogs: Arc::new(Catalogs::default()),
        store: store.clone(),
    };
    let statuses = Arc::new(Statuses::new(store.resources().await?));
    let Led {
        elected,
        discovers,
        effect,
        records,
    } = match &place.api_server {
        None => Led::by_nobody(&discovery),
        Some(server) => {
            let reconciling = Reconciling {
                live: live.clone(),
                discovery: discovery.clone(),
                metrics: metrics.clone(),
                retries: config.retries,
                shared_namespace: config.shared_namespace.clone(),
                data_dir: config.data_dir.clone(),
            };
            Led::by_election(server.clone(), config.alone.as_ref(), reconciling)
        }
    };
    let pace = config
        .rate_limit_per_hour
        .and_then(|allowed| Pace::new(allowed, SignedDuration::from_hours(1), BURST));
    let senders = Senders::new(config.silence_factor);
    if let Some(listener) = config.metrics {
        let sources = Sources {
            metrics: metrics.clone(),
            store: store.clone(),
            registry: discovery.registry.clone(),
            senders: senders.clone(),
            snapshot: snapshot.clone(),
            certificate: tls.as_ref().map(Tls::status),
            leadership: elected.as_ref().map(Elected::leadership),
        };
        self::metrics::serve(listener, config.http2, place.api_server.as_ref(), sources).await?;
    }
    let pipeline = Pipeline::new(
        live.clone(),
        store.clone(),
        effect,
        statuses,
        Rules {
            retries: config.retries,
            retention: config.retention,
            pace,
        },
        metrics.clone(),
    );
    let settings = Settings {
        base_url,
        system_namespace: config.system_namespace,
    };
    let reconfigurer = Reconfigurer {
        pipeline: pipeline.clone(),
        records,
        settings,
        discovers,
        shared_namespace: config.shared_namespace,
        webhook_secrets: webhook_secrets.clone(),
        patterns: Mutex::default(),
        known_credentials: Mutex::default(),
        indexed: Mutex::default(),
    };
    let first = snapshot.borrow().clone();
    if first.known > Known::Nothing {
        reconfigurer.apply(&first).await?;
    }
    let admin = Admin {
        pipeline: pipeline.clone(),
        snapshot: snapshot.clone(),
    };
    answer_commands(&config.data_dir, admin)?;
    let left = store.clone();
    tokio::spawn(senders.clone().listen(store.clone()));
    let watch = Watch {
        metrics: metrics.clone(),
        senders,
        requests: Throttle::per_minute(config.peer_requests_per_minute),
        failed_proofs: Throttle::per_minute(config.failed_proofs_per_minute),
    };
    let (known, in_force) = watch::channel(Known::Nothing);
    let intake = Intake {
        live,
        known: in_force,
        store,
        pipeline: pipeline.clone(),
        dedupe_window: config.dedupe_window,
        metrics: metrics.clone(),
        pace,
        evaluators: Evaluators::default(),
    };
    let stopped = stopped()?;
    let address = listener.as_ref().map(|listener| listener.address);
    tracing::info!(
        address = address.map(tracing::field::display),
        tls = tls.is_some(),
        resources = config.resources.name(),
        data = %config.data_dir.display(),
        "landfall listens"
    );
    let following = Following {
        snapshot,
        secrets: webhook_secrets.follow(),
        reconfigurer,
        pipeline,
        phase: phase.clone(),
        known,
    };
    if first.known > Known::Nothing {
        following.begin(&first);
    }
    tokio::spawn(following.follow());
    let (resign, resigned) = oneshot::channel();
    let stop = async {
        stopped.await;
        phase.send_replace(Phase::Stopping);
        // Whoever leads next need not wait for the last answer here.
        let _ = resign.send(tokio::spawn(async {
            if let Some(elected) = elected {
                elected.resign().await;
            }
        }));
    };
    match listener {
        Some(listener) => {
            let routes = server::routes(intake, health, watch, limits);
            listener.serve(routes, tls, limits, stop).await;
        }
        None => stop.await,
    }
    if let Ok(resigned) = resigned.await {
        let _ = resigned.await;
    }
    if let Err(error) = left.leave().await {
        tracing::warn!(%error, "other processes take over what is unfinished only when they notice that this one is gone");
    }
    tracing::info!("landfall has stopped; what is unfinished goes on with the next start");
    Ok(())
}

/// Answers probes and whoever collects metrics until the process ends: nothing stops them before.
fn answer_to_the_end(bound: Bound, routes: axum::Router, tls: Option<Tls>) {
    tokio::spawn(bound.serve(routes, tls, Limits::for_probes(), std::future::pending()));
}

/// Answers landfall's own commands at a socket in the data folder.
fn answer_commands(data_dir: &Path, admin: Admin) -> anyhow::Result<()> {
    let socket = admin::bind(data_dir).with_context(|| {
        let path = admin::socket(data_dir);
        format!("the admin socket {} cannot be listened at", path.display())
    })?;
    let routes = admin::routes(admin);
    tokio::spawn(async move {
        if let Err(error) = axum::serve(socket, routes).await {
            tracing::error!(%error, "the admin API has stopped");
        }
    });
    Ok(())
}

async fn open_store(journal: Option<DatabaseUrl>, data_dir: PathBuf) -> anyhow::Result<Store> {
    let store = match journal {
        Some(url) => Store::connect(url, &data_dir).await?,
        None => tokio::task::spawn_blocking(move || Store::open(&data_dir)).await??,
    };
    Ok(store)
}

/// The limits, with no more connections than the system has descriptors for.
fn limits(limits: Limits) -> Limits {
    let connections = server::provide_descriptors(limits.connections);
    if connections < limits.connections {
        tracing::warn!(
            wanted = limits.connections,
            connections,
            "the system allows few open files, so there are fewer connections at once; raise its limit (ulimit -n)"
        );
    }
    Limits { connections, ..limits }
}

/// The URL of the address that is listened at.
fn base_url(listener: Option<&Bound>, has_tls: bool) -> anyhow::Result<BaseUrl> {
    let scheme = if has_tls { "https" } else { "http" };
    let host = match listener {
        Some(listener) => listener.address.to_string(),
        // Nobody can post there, and nobody is told to: receivers without a door are shown all the same.
        None => "localhost".to_owned(),
    };
    BaseUrl::parse(&format!("{scheme}://{host}")).context("the base URL")
}

async fn listen(address: &ListenAddress, flag: &str) -> anyhow::Result<Bound> {
    server::bind(address)
        .await
        .with_context(|| format!("{flag} {address}: the address cannot be listened at"))
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
