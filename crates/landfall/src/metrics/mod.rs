//! Counts what happens, and says it in the text format of Prometheus: the one folder that names its library. Labels are out of
//! closed sets, or bounded: a sender that makes names up must not make series.

mod previous;
mod render;

use jiff::{SignedDuration, Timestamp};
use landfall_core::receiver::Sender;
use landfall_core::secret::SecretAge;
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::histogram::Histogram;

pub use previous::PreviousSecrets;
pub use render::{CertificateLine, HostLine, Now, SilenceLine, text};

/// Seconds: from a look that is answered out of the catalog to work that waited for a registry to come back.
const DONE_BUCKETS: [f64; 14] = [
    0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0, 900.0, 3600.0, 21_600.0,
];

/// What is counted while the process runs; cheap to clone.
#[derive(Clone)]
pub struct Metrics {
    deliveries: Family<DeliveryLabels, Counter>,
    secrets: Family<SecretLabels, Counter>,
    /// Who still shows a previous secret.
    pub previous_secrets: PreviousSecrets,
    /// From received to done, in seconds.
    done: Histogram,
    attempts: Family<AttemptLabels, Counter>,
    looks: Family<AttemptLabels, Counter>,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct DeliveryLabels {
    sender: &'static str,
    outcome: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct SecretLabels {
    sender: &'static str,
    secret: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct AttemptLabels {
    outcome: &'static str,
}

impl Default for Metrics {
    fn default() -> Self {
        Self {
            deliveries: Family::default(),
            secrets: Family::default(),
            previous_secrets: PreviousSecrets::default(),
            done: Histogram::new(DONE_BUCKETS),
            attempts: Family::default(),
            looks: Family::default(),
        }
    }
}

impl Metrics {
    /// A request to the webhook door was answered; `sender` is absent where it found no receiver.
    pub fn answered(&self, sender: Option<Sender>, outcome: &'static str) {
        let sender = sender.map_or("none", Sender::path_segment);
        self.deliveries.get_or_create(&DeliveryLabels { sender, outcome }).inc();
    }

    /// A delivery proved itself with one of its sender's secrets.
    pub fn proved(&self, sender: Sender, secret: SecretAge) {
        let (sender, secret) = (sender.path_segment(), secret.as_str());
        self.secrets.get_or_create(&SecretLabels { sender, secret }).inc();
    }

    /// Work for a target was attempted.
    pub fn attempted(&self, outcome: &'static str) {
        self.attempts.get_or_create(&AttemptLabels { outcome }).inc();
    }

    /// A Warehouse of an API server was looked at.
    pub fn looked(&self, outcome: &'static str) {
        self.looks.get_or_create(&AttemptLabels { outcome }).inc();
    }

    /// A delivery has had its effect on a target.
    pub fn done(&self, received: Timestamp, at: Timestamp) {
        let elapsed = at.duration_since(received).max(SignedDuration::ZERO);
        self.done.observe(elapsed.as_secs_f64());
    }
}
