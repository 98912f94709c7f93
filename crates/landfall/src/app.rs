//! Puts the parts together and runs them: the one place that knows all of them.

mod following;
mod leading;
mod metrics;
mod opened;
mod working;

use std::path::Path;

use anyhow::Context as _;
use axum::Router;
use jiff::SignedDuration;
use landfall_core::pace::Pace;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::{oneshot, watch};

use self::following::Following;
use self::opened::Opened;
use self::working::Working;
use crate::admin::{self, Admin};
use crate::config::Config;
use crate::intake::{Evaluators, Intake};
use crate::lease::Elected;
use crate::resources::Known;
use crate::server::tls::Tls;
use crate::server::{self, Bound, Limits, ListenAddress, Phase, Throttle, Watch};

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
    let config = Config {
        limits: limits(config.limits),
        ..config
    };
    let opened = Opened::open(&config).await?;
    let pace = config
        .rate_limit_per_hour
        .and_then(|allowed| Pace::new(allowed, SignedDuration::from_hours(1), BURST));
    let working = Working::on(&opened, &config, pace).await?;
    let (store, pipeline) = (opened.store.clone(), working.pipeline.clone());
    let first = opened.snapshot.borrow().clone();
    if first.known > Known::Nothing {
        working.reconfigurer.apply(&first).await?;
    }
    let admin = Admin {
        pipeline: pipeline.clone(),
        snapshot: opened.snapshot.clone(),
    };
    answer_commands(&config.data_dir, admin)?;
    tokio::spawn(working.senders.clone().listen(store.clone()));
    let (known, in_force) = watch::channel(Known::Nothing);
    let routes = routes(&opened, &working, &config, (pace, in_force));
    let stopped = stopped()?;
    let address = opened.listener.as_ref().map(|listener| listener.address);
    tracing::info!(
        address = address.map(tracing::field::display),
        tls = opened.tls.is_some(),
        resources = config.resources.name(),
        data = %config.data_dir.display(),
        "landfall listens"
    );
    let following = Following {
        snapshot: opened.snapshot,
        secrets: opened.webhook_secrets.follow(),
        reconfigurer: working.reconfigurer,
        pipeline,
        phase: opened.phase.clone(),
        known,
    };
    if first.known > Known::Nothing {
        following.begin(&first);
    }
    tokio::spawn(following.follow());
    let (resign, resigned) = oneshot::channel();
    let stop = async {
        stopped.await;
        opened.phase.send_replace(Phase::Stopping);
        // Whoever leads next need not wait for the last answer here.
        let _ = resign.send(tokio::spawn(resign_from(working.elected)));
    };
    match opened.listener {
        Some(listener) => listener.serve(routes, opened.tls, config.limits, stop).await,
        None => stop.await,
    }
    if let Ok(resigned) = resigned.await {
        let _ = resigned.await;
    }
    if let Err(error) = store.leave().await {
        tracing::warn!(%error, "other processes take over what is unfinished only when they notice that this one is gone");
    }
    tracing::info!("landfall has stopped; what is unfinished goes on with the next start");
    Ok(())
}

/// The webhook door, which tells from `known` how much is in force.
fn routes(
    opened: &Opened,
    working: &Working,
    config: &Config,
    (pace, known): (Option<Pace>, watch::Receiver<Known>),
) -> Router {
    let intake = Intake {
        live: working.live.clone(),
        known,
        store: opened.store.clone(),
        pipeline: working.pipeline.clone(),
        dedupe_window: config.dedupe_window,
        metrics: working.metrics.clone(),
        pace,
        evaluators: Evaluators::default(),
    };
    let watch = Watch {
        metrics: working.metrics.clone(),
        senders: working.senders.clone(),
        requests: Throttle::per_minute(config.peer_requests_per_minute),
        failed_proofs: Throttle::per_minute(config.failed_proofs_per_minute),
    };
    server::routes(intake, opened.health.clone(), watch, config.limits)
}

async fn resign_from(elected: Option<Elected>) {
    if let Some(elected) = elected {
        elected.resign().await;
    }
}

/// Answers probes and whoever collects metrics until the process ends: nothing stops them before.
fn answer_to_the_end(bound: Bound, routes: Router, tls: Option<Tls>) {
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
