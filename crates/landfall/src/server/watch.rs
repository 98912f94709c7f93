//! Lets in whom the bounds allow, and notes what each request to the webhook door came to: counts, the log, and who was heard
//! of.

use std::net::SocketAddr;

use landfall_core::receiver::Sender;

use super::Door;
use super::answer::Answer;
use super::throttle::Throttle;
use crate::clock::now;
use crate::intake::Taken;
use crate::metrics::Metrics;
use crate::senders::Senders;

/// Who looks at the door.
#[derive(Clone)]
pub struct Watch {
    pub metrics: Metrics,
    pub senders: Senders,
    /// Bounds requests by address.
    pub requests: Throttle,
    /// Bounds failed proofs by address, guesses at paths among them.
    pub failed_proofs: Throttle,
}

impl Door {
    /// Whether the address may make a request now.
    pub(super) fn admits(&self, peer: SocketAddr) -> bool {
        let now = now();
        let admitted = self.watch.requests.allows(peer.ip(), now) && self.watch.failed_proofs.allows(peer.ip(), now);
        if admitted {
            self.watch.requests.count(peer.ip(), now);
        }
        admitted
    }

    /// A request was answered; `sender` is absent where it found no receiver.
    pub(super) fn note(&self, sender: Option<Sender>, peer: SocketAddr, answer: &Answer) {
        self.watch.metrics.answered(sender, answer.outcome());
        match answer {
            Answer::Rejected | Answer::Unknown => {
                self.watch.failed_proofs.count(peer.ip(), now());
                let sender = sender.map(tracing::field::display);
                tracing::info!(webhook_remote = %peer, sender, outcome = answer.outcome(), "a request proved nothing");
            }
            Answer::Taken(taken) => {
                if let Taken::Malformed { id, problem } = taken {
                    let delivery = id.map(tracing::field::display);
                    let sender = sender.map(tracing::field::display);
                    tracing::warn!(delivery, webhook_remote = %peer, sender, %problem, "a delivery cannot be read");
                }
                if let Some(sender) = sender {
                    self.watch.senders.heard(sender);
                }
            }
            _ => {}
        }
    }
}
