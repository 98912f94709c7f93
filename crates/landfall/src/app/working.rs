//! Puts together what works on what comes in: the pipeline, who puts resources in force for it, and who leads. It opens nothing but the
//! listener for metrics.

use std::sync::{Arc, Mutex};

use anyhow::Context as _;
use arc_swap::ArcSwap;
use jiff::Timestamp;
use landfall_core::pace::Pace;

use super::leading::{Led, Reconciling};
use super::metrics;
use super::opened::Opened;
use crate::config::Config;
use crate::controller::receivers::Settings;
use crate::controller::warehouse::Discovery;
use crate::discovery::{Catalogs, Failures};
use crate::lease::Elected;
use crate::live::Live;
use crate::metrics::Metrics;
use crate::pipeline::{Pipeline, Rules};
use crate::reconfigure::Reconfigurer;
use crate::registry::RegistryClient;
use crate::senders::Senders;
use crate::server::metrics::Sources;
use crate::server::tls::Tls;
use crate::statuses::Statuses;

/// What works.
pub(super) struct Working {
    pub(super) live: Arc<ArcSwap<Live>>,
    pub(super) metrics: Metrics,
    pub(super) senders: Senders,
    pub(super) pipeline: Arc<Pipeline>,
    pub(super) reconfigurer: Reconfigurer,
    /// Who leads, where somebody has to.
    pub(super) elected: Option<Elected>,
}

impl Working {
    /// All of it, on what is open. Nothing is in force in it yet.
    pub(super) async fn on(opened: &Opened, config: &Config, pace: Option<Pace>) -> anyhow::Result<Self> {
        let live = Arc::new(ArcSwap::from_pointee(Live::default()));
        let metrics = Metrics::default();
        let senders = Senders::new(config.silence_factor);
        let discovery = Discovery {
            listed_since: Timestamp::MIN,
            registry: RegistryClient::new(config.registry.clone()).context("--registry-mirror")?,
            catalogs: Arc::new(Catalogs::default()),
            store: opened.store.clone(),
            tag_cache: config.tag_cache,
            failures: Arc::new(Failures::default()),
        };
        let statuses = Arc::new(Statuses::new(opened.store.resources().await?));
        let led = lead(opened, config, &discovery, (&live, &metrics));
        if let Some(listener) = config.metrics.clone() {
            let sources = Sources {
                metrics: metrics.clone(),
                store: opened.store.clone(),
                registry: discovery.registry.clone(),
                senders: senders.clone(),
                snapshot: opened.snapshot.clone(),
                certificate: opened.tls.as_ref().map(Tls::status),
                leadership: led.elected.as_ref().map(Elected::leadership),
            };
            metrics::serve(listener, config.http2, opened.api_server.as_ref(), sources).await?;
        }
        let rules = Rules {
            retries: config.retries,
            retention: config.retention,
            pace,
        };
        let store = opened.store.clone();
        let pipeline = Pipeline::new(live.clone(), store, led.effect, statuses, rules, metrics.clone());
        let reconfigurer = Reconfigurer {
            pipeline: pipeline.clone(),
            records: led.records,
            settings: Settings {
                base_url: opened.base_url.clone(),
                system_namespace: config.system_namespace.clone(),
            },
            discovers: led.discovers,
            shared_namespace: config.shared_namespace.clone(),
            webhook_secrets: opened.webhook_secrets.clone(),
            patterns: Mutex::default(),
            known_credentials: Mutex::default(),
            indexed: Mutex::default(),
        };
        Ok(Self {
            live,
            metrics,
            senders,
            pipeline,
            reconfigurer,
            elected: led.elected,
        })
    }
}

/// What the place of the resources makes of this process.
fn lead(
    opened: &Opened,
    config: &Config,
    discovery: &Discovery,
    (live, metrics): (&Arc<ArcSwap<Live>>, &Metrics),
) -> Led {
    let Some(server) = &opened.api_server else {
        return Led::by_nobody(discovery);
    };
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
