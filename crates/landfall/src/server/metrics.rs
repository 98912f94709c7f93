//! The listener for metrics: gathers what is so at the time of asking, for whom it is. It decides nothing, and shows no names of
//! resources.

use std::sync::Arc;

use axum::Router;
use axum::extract::{FromRequestParts, State};
use axum::http::StatusCode;
use axum::http::header::CONTENT_TYPE;
use axum::http::request::Parts;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use jiff::Timestamp;
use tokio::sync::watch;

use super::readers::Readers;
use super::tls::CertificateStatus;
use crate::clock::now;
use crate::lease::Leadership;
use crate::metrics::{self, CertificateLine, HostLine, Metrics, Now, SilenceLine};
use crate::registry::RegistryClient;
use crate::resources::Snapshot;
use crate::senders::Senders;
use crate::store::{Queue, Store, StoreError};

/// Where what is shown comes from.
#[derive(Clone)]
pub struct Sources {
    pub metrics: Metrics,
    pub store: Store,
    pub registry: RegistryClient,
    pub senders: Senders,
    pub snapshot: watch::Receiver<Arc<Snapshot>>,
    /// Absent where the door serves plain HTTP.
    pub certificate: Option<CertificateStatus>,
    /// Absent where nobody stands for election.
    pub leadership: Option<watch::Receiver<Leadership>>,
}

/// What the endpoint needs.
#[derive(Clone)]
struct Served {
    sources: Sources,
    readers: Readers,
}

/// Whoever asks may read them: there is no other way to the page.
struct Admitted;

/// Every route of that listener.
pub fn routes(sources: Sources, readers: Readers) -> Router {
    let served = Served { sources, readers };
    Router::new().route("/metrics", get(page)).with_state(served)
}

impl FromRequestParts<Served> for Admitted {
    type Rejection = Response;

    async fn from_request_parts(parts: &mut Parts, served: &Served) -> Result<Self, Response> {
        let admitted = served.readers.admit(&parts.headers).await;
        admitted.map(|()| Self).map_err(|refusal| refusal.answer())
    }
}

async fn page(_: Admitted, State(Served { sources, .. }): State<Served>) -> Response {
    match sources.now().await {
        Ok(now) => {
            let kind = [(
                CONTENT_TYPE,
                "application/openmetrics-text; version=1.0.0; charset=utf-8",
            )];
            (kind, metrics::text(&sources.metrics, &now)).into_response()
        }
        Err(error) => (StatusCode::SERVICE_UNAVAILABLE, format!("{error}\n")).into_response(),
    }
}

impl Sources {
    async fn now(&self) -> Result<Now, StoreError> {
        let at = now();
        let Queue {
            unmatched,
            oldest_unmatched,
            waiting,
            oldest_waiting,
            dead,
        } = self.store.queue().await?;
        let hosts = self.registry.uses().into_iter().map(|of| HostLine {
            host: of.host,
            requests: of.requests,
            failed: of.failed,
            budget: i64::from(of.left),
        });
        let certificate = self.certificate.as_ref().map(|certificate| {
            let current = certificate.current();
            CertificateLine {
                days_left: current.days_left(at),
                problem: current.problem.is_some(),
            }
        });
        let senders = self
            .senders
            .lines()
            .into_iter()
            .map(|(sender, rhythm, silent)| SilenceLine {
                sender: sender.path_segment(),
                last: rhythm.last().as_duration().as_secs_f64(),
                silent,
            });
        Ok(Now {
            unmatched: (unmatched, age(oldest_unmatched, at)),
            waiting: (waiting, age(oldest_waiting, at)),
            dead,
            hosts: hosts.collect(),
            certificate,
            senders: senders.collect(),
            leads: self
                .leadership
                .as_ref()
                .map(|leadership| leadership.borrow().term().is_some()),
            problems: u32::try_from(self.snapshot.borrow().problems.len()).unwrap_or(u32::MAX),
        })
    }
}

/// Seconds; none for what is not there, or comes from the future.
fn age(oldest: Option<Timestamp>, now: Timestamp) -> f64 {
    oldest.map_or(0.0, |oldest| now.duration_since(oldest).as_secs_f64().max(0.0))
}
