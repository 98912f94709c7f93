//! Writes the page of metrics: what was counted, beside what is so at the time of asking.

use std::sync::atomic::AtomicU64;

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::{ConstGauge, Gauge};
use prometheus_client::registry::{Registry, Unit};

use super::Metrics;

/// Registries with series of their own; what goes to others is counted as `other`.
const HOSTS: usize = 100;

/// What is so at the time of asking.
#[derive(Clone, Debug, Default)]
pub struct Now {
    /// Entries that are to be matched, and the age of the oldest in seconds.
    pub unmatched: (u32, f64),
    /// Work of targets that waits, and the age of the oldest in seconds.
    pub waiting: (u32, f64),
    /// Work that was given up.
    pub dead: u32,
    pub hosts: Vec<HostLine>,
    pub certificate: Option<CertificateLine>,
    pub senders: Vec<SilenceLine>,
    /// Files and resources of the manifests that are not as they should be.
    pub problems: u32,
    /// Whether this process leads, where one of several does.
    pub leads: Option<bool>,
}

/// What a registry was asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HostLine {
    pub host: String,
    pub requests: u64,
    pub failed: u64,
    /// Requests that may go at once now.
    pub budget: i64,
}

/// The certificate of the webhook door.
#[derive(Clone, Copy, Debug)]
pub struct CertificateLine {
    pub days_left: i64,
    /// Whether its files hold something that could not be put in force.
    pub problem: bool,
}

/// When a sender was last heard of.
#[derive(Clone, Copy, Debug)]
pub struct SilenceLine {
    pub sender: &'static str,
    /// Seconds since 1970.
    pub last: f64,
    pub silent: bool,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Host {
    registry: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct BySender {
    sender: &'static str,
}

/// The page, in the text format of OpenMetrics, which Prometheus reads.
pub fn text(metrics: &Metrics, now: &Now) -> String {
    let mut registry = Registry::default();
    let ours = registry.sub_registry_with_prefix("landfall");
    counted(ours, metrics);
    waiting(ours, now);
    heard(ours, now);
    if let Some(certificate) = now.certificate {
        let days = ConstGauge::new(certificate.days_left);
        ours.register(
            "certificate_days_left",
            "Whole days until the webhook door's certificate expires",
            days,
        );
        let problem = ConstGauge::new(i64::from(certificate.problem));
        ours.register(
            "certificate_problem",
            "1 where the certificate's files could not be put in force",
            problem,
        );
    }
    if let Some(leads) = now.leads {
        ours.register(
            "leader",
            "1 where this process leads, and writes statuses",
            ConstGauge::new(i64::from(leads)),
        );
    }
    asked(&mut registry, now);
    let mut page = String::new();
    encode(&mut page, &registry).expect("writing to a String does not fail");
    page
}

fn counted(registry: &mut Registry, metrics: &Metrics) {
    registry.register(
        "deliveries",
        "Requests to the webhook door, by sender and by what they came to",
        metrics.deliveries.clone(),
    );
    registry.register(
        "secret_uses",
        "Deliveries by the secret that they showed; once none show the previous one, it can go",
        metrics.secrets.clone(),
    );
    registry.register(
        "attempts",
        "Attempts at the work of a delivery for a target, by what they came to",
        metrics.attempts.clone(),
    );
    registry.register(
        "warehouse_looks",
        "Looks at Warehouses in an API server, by what they came to; what is unanswered is looked at again",
        metrics.looks.clone(),
    );
    registry.register_with_unit(
        "delivery_done",
        "From the receipt of a delivery to its effect on a target",
        Unit::Seconds,
        metrics.done.clone(),
    );
}

fn waiting(registry: &mut Registry, now: &Now) {
    for (name, help, value) in [
        (
            "unmatched_deliveries",
            "Deliveries in the journal that are still to be matched",
            now.unmatched.0,
        ),
        (
            "waiting_work",
            "Work of targets that waits for its first or next attempt",
            now.waiting.0,
        ),
        (
            "dead_work",
            "Work of targets that was given up, to be seen with `landfall deliveries list --dead`",
            now.dead,
        ),
        (
            "manifest_problems",
            "Files and resources that are not as they should be",
            now.problems,
        ),
    ] {
        registry.register(name, help, ConstGauge::new(value));
    }
    for (name, help, age) in [
        (
            "unmatched_age",
            "Age of the oldest delivery that is still to be matched",
            now.unmatched.1,
        ),
        (
            "waiting_age",
            "Age of the oldest delivery with work that waits",
            now.waiting.1,
        ),
    ] {
        registry.register_with_unit(name, help, Unit::Seconds, ConstGauge::new(age));
    }
}

/// When senders were last heard of.
fn heard(registry: &mut Registry, now: &Now) {
    let last: Family<BySender, Gauge<f64, AtomicU64>> = Family::default();
    let silent: Family<BySender, Gauge> = Family::default();
    for line in &now.senders {
        let labels = BySender { sender: line.sender };
        last.get_or_create(&labels).set(line.last);
        silent.get_or_create(&labels).set(i64::from(line.silent));
    }
    registry.register(
        "sender_last_delivery_timestamp_seconds",
        "When a sender was last heard of",
        last,
    );
    registry.register(
        "sender_silent",
        "1 where a sender has been silent for much longer than is usual for it",
        silent,
    );
}

/// Requests to registries, also by the names that Image Updater's dashboards ask for.
fn asked(registry: &mut Registry, now: &Now) {
    let requests: Family<Host, Counter> = Family::default();
    let failed: Family<Host, Counter> = Family::default();
    let budget: Family<Host, Gauge> = Family::default();
    let mut hosts = now.hosts.clone();
    hosts.sort_by(|a, b| b.requests.cmp(&a.requests).then_with(|| a.host.cmp(&b.host)));
    for (place, line) in hosts.into_iter().enumerate() {
        let named = place < HOSTS;
        let registry = if named { line.host } else { "other".to_owned() };
        let labels = Host { registry };
        requests.get_or_create(&labels).inc_by(line.requests);
        failed.get_or_create(&labels).inc_by(line.failed);
        if named {
            budget.get_or_create(&labels).set(line.budget);
        }
    }
    for prefix in ["landfall", "argocd_image_updater"] {
        let counts = registry.sub_registry_with_prefix(prefix);
        counts.register("registry_requests", "Requests to registries", requests.clone());
        counts.register(
            "registry_requests_failed",
            "Requests that a registry did not answer well",
            failed.clone(),
        );
    }
    let ours = registry.sub_registry_with_prefix("landfall");
    ours.register(
        "registry_budget_left",
        "Requests that may go to a registry at once now",
        budget,
    );
}

#[cfg(test)]
mod tests {
    use landfall_core::receiver::Sender;
    use landfall_core::secret::SecretAge;

    use super::*;

    #[test]
    fn the_page_says_what_was_counted_and_what_is_so() {
        let metrics = Metrics::default();
        metrics.answered(Some(Sender::DockerHub), "accepted");
        metrics.answered(None, "unknown");
        metrics.proved(Sender::Harbor, SecretAge::Previous);
        metrics.attempted("done");
        metrics.looked("unanswered");
        metrics.done(
            "2026-01-01T00:00:00Z".parse().unwrap(),
            "2026-01-01T00:00:03Z".parse().unwrap(),
        );
        let host = |place: u64| HostLine {
            host: format!("registry-{place}.example.com"),
            requests: 1000 - place,
            failed: 1,
            budget: 5,
        };
        let now = Now {
            unmatched: (3, 1.5),
            waiting: (2, 60.0),
            dead: 1,
            hosts: (0..102).map(host).collect(),
            certificate: Some(CertificateLine {
                days_left: 12,
                problem: true,
            }),
            senders: vec![SilenceLine {
                sender: "harbor",
                last: 1_800_000_000.0,
                silent: true,
            }],
            problems: 4,
            leads: Some(true),
        };
        let page = text(&metrics, &now);
        for line in [
            "landfall_deliveries_total{sender=\"dockerhub\",outcome=\"accepted\"} 1",
            "landfall_deliveries_total{sender=\"none\",outcome=\"unknown\"} 1",
            "landfall_secret_uses_total{sender=\"harbor\",secret=\"previous\"} 1",
            "landfall_attempts_total{outcome=\"done\"} 1",
            "landfall_delivery_done_seconds_sum 3.0",
            "landfall_delivery_done_seconds_bucket{le=\"2.5\"} 0",
            "landfall_delivery_done_seconds_bucket{le=\"5.0\"} 1",
            "landfall_unmatched_deliveries 3",
            "landfall_unmatched_age_seconds 1.5",
            "landfall_waiting_work 2",
            "landfall_waiting_age_seconds 60.0",
            "landfall_dead_work 1",
            "landfall_manifest_problems 4",
            "landfall_leader 1",
            "landfall_warehouse_looks_total{outcome=\"unanswered\"} 1",
            "landfall_certificate_days_left 12",
            "landfall_certificate_problem 1",
            "landfall_sender_silent{sender=\"harbor\"} 1",
            "landfall_sender_last_delivery_timestamp_seconds{sender=\"harbor\"} 1800000000.0",
            "landfall_registry_requests_total{registry=\"registry-0.example.com\"} 1000",
            "landfall_registry_budget_left{registry=\"registry-0.example.com\"} 5",
            "argocd_image_updater_registry_requests_total{registry=\"registry-0.example.com\"} 1000",
            "argocd_image_updater_registry_requests_failed_total{registry=\"registry-0.example.com\"} 1",
            // Those beyond the bound share a series.
            "landfall_registry_requests_total{registry=\"other\"} 1799",
        ] {
            assert!(page.lines().any(|found| found == line), "{line} is not in:\n{page}");
        }
        assert!(!page.contains("registry-100.example.com"));
        assert!(page.ends_with("# EOF\n"));
        well_formed(&page);
    }

    /// Every series belongs to the family that its `HELP` and `TYPE` announced, and none is there twice.
    fn well_formed(page: &str) {
        let (mut family, mut seen) = ("", std::collections::BTreeSet::new());
        let mut announced = std::collections::BTreeSet::new();
        for line in page.lines().filter(|line| *line != "# EOF") {
            if let Some(help) = line.strip_prefix("# HELP ") {
                family = help.split(' ').next().unwrap_or_default();
                assert!(announced.insert(family), "{family} is announced twice");
            } else if !line.starts_with('#') {
                let (series, value) = line.rsplit_once(' ').expect("a series has a value");
                assert!(series.starts_with(family), "{series} is not of {family}");
                assert!(value.parse::<f64>().is_ok(), "{line}");
                assert!(seen.insert(series), "{series} is there twice");
            }
        }
    }
}
