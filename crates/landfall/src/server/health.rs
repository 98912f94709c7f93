//! Decides whether the process, and what it stands on, is well, and in which words that is said: those of Kubernetes' own
//! health checks. It knows no request.

use std::fmt::Write as _;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{Mutex, watch};
use tokio::time::Instant;

use super::tls::CertificateStatus;
use crate::clock::now;
use crate::store::Store;

/// A check of the journal is a write, which whoever asks in quick succession does not need again.
const FRESH: Duration = Duration::from_secs(1);

/// Where the process is in its life.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    /// The receivers are not in force yet.
    Starting,
    /// Deliveries are taken. They are followed up once it is known who subscribes to what.
    Receiving,
    /// The same, but it is refused to tell who subscribes to what: deliveries are for whoever knows it already.
    Withheld,
    Serving,
    /// Requests that have begun are answered, and no others.
    Stopping,
}

/// What checks look at.
#[derive(Clone)]
pub struct Health {
    store: Store,
    /// `None` where the door serves plain HTTP.
    certificate: Option<CertificateStatus>,
    phase: watch::Receiver<Phase>,
    journal: Arc<Mutex<Option<(Instant, Result<(), String>)>>>,
}

/// Who reads what a check says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Reader {
    /// Whoever can reach the door. What is wrong is none of their business.
    Anyone,
    /// Whoever can reach the listener for probes.
    Operator,
}

/// What checks came to.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Checked {
    pub is_well: bool,
    /// A line for each check, and one for all.
    pub text: String,
}

/// One check: what it is of, and either what is to be known or what is wrong.
struct Check(&'static str, Result<Option<String>, String>);

impl Health {
    pub fn new(store: Store, certificate: Option<CertificateStatus>, phase: watch::Receiver<Phase>) -> Self {
        Self {
            store,
            certificate,
            phase,
            journal: Arc::default(),
        }
    }

    /// Whether the process is alive: it is, if it can say so. A bad certificate is shown and no reason to end the process.
    pub(super) fn live(&self, reader: Reader) -> Checked {
        let mut checks = vec![Check("ping", Ok(None))];
        if let Some(certificate) = &self.certificate {
            checks.push(Check("certificate", Ok(Some(certificate_line(certificate, reader)))));
        }
        summary("healthz", &checks, reader)
    }

    /// Whether deliveries can be taken now.
    pub(super) async fn ready(&self, reader: Reader) -> Checked {
        let phase = match *self.phase.borrow() {
            Phase::Starting => Err("the resources are not in force yet".to_owned()),
            Phase::Receiving => Ok(Some("who subscribes to what is still being read".to_owned())),
            Phase::Withheld => Err("nobody may read here who subscribes to what; the log says why".to_owned()),
            Phase::Serving => Ok(None),
            Phase::Stopping => Err("the process is about to end".to_owned()),
        };
        let journal = self.journal().await.map(|()| None);
        summary(
            "readyz",
            &[Check("resources", phase), Check("journal", journal)],
            reader,
        )
    }

    async fn journal(&self) -> Result<(), String> {
        let mut last = self.journal.lock().await;
        match &*last {
            Some((at, outcome)) if at.elapsed() < FRESH => outcome.clone(),
            _ => {
                let outcome = self.store.check().await.map_err(|error| error.to_string());
                *last = Some((Instant::now(), outcome.clone()));
                outcome
            }
        }
    }
}

fn certificate_line(certificate: &CertificateStatus, reader: Reader) -> String {
    let current = certificate.current();
    let days = current.days_left(now());
    match (reader, &current.problem) {
        (Reader::Anyone, _) => format!("{days} days left"),
        (Reader::Operator, None) => format!("{days} days left, {}", current.source),
        (Reader::Operator, Some(problem)) => format!("{days} days left, {}; {problem}", current.source),
    }
}

fn summary(name: &str, checks: &[Check], reader: Reader) -> Checked {
    let mut text = String::new();
    for Check(of, outcome) in checks {
        let written = match (outcome, reader) {
            (Ok(None), _) => writeln!(text, "[+]{of} ok"),
            (Ok(Some(known)), _) => writeln!(text, "[+]{of} ok: {known}"),
            (Err(_), Reader::Anyone) => writeln!(text, "[-]{of} failed: reason withheld"),
            (Err(problem), Reader::Operator) => writeln!(text, "[-]{of} failed: {problem}"),
        };
        written.expect("writing to a String does not fail");
    }
    let is_well = checks.iter().all(|Check(_, outcome)| outcome.is_ok());
    text += &format!("{name} check {}\n", if is_well { "passed" } else { "failed" });
    Checked { is_well, text }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn health(folder: &tempfile::TempDir, phase: Phase) -> (Health, watch::Sender<Phase>) {
        let store = Store::open(folder.path()).unwrap();
        let (sender, receiver) = watch::channel(phase);
        (Health::new(store, None, receiver), sender)
    }

    fn well(text: &str) -> Checked {
        Checked {
            is_well: true,
            text: text.to_owned(),
        }
    }

    fn unwell(text: &str) -> Checked {
        Checked {
            is_well: false,
            text: text.to_owned(),
        }
    }

    #[tokio::test]
    async fn readiness_follows_the_life_of_the_process() {
        let folder = tempfile::tempdir().unwrap();
        let (health, phase) = health(&folder, Phase::Starting);
        for (now, reader, expected) in [
            (
                Phase::Starting,
                Reader::Operator,
                unwell("[-]resources failed: the resources are not in force yet\n[+]journal ok\nreadyz check failed\n"),
            ),
            (
                Phase::Receiving,
                Reader::Anyone,
                well(
                    "[+]resources ok: who subscribes to what is still being read\n[+]journal ok\nreadyz check passed\n",
                ),
            ),
            (
                Phase::Withheld,
                Reader::Anyone,
                unwell("[-]resources failed: reason withheld\n[+]journal ok\nreadyz check failed\n"),
            ),
            (
                Phase::Serving,
                Reader::Anyone,
                well("[+]resources ok\n[+]journal ok\nreadyz check passed\n"),
            ),
            (
                Phase::Stopping,
                Reader::Anyone,
                unwell("[-]resources failed: reason withheld\n[+]journal ok\nreadyz check failed\n"),
            ),
        ] {
            phase.send_replace(now);
            assert_eq!(health.ready(reader).await, expected, "{now:?}");
            assert_eq!(health.live(reader), well("[+]ping ok\nhealthz check passed\n"));
        }
    }
}
