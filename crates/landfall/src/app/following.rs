//! Follows the resources while the process runs: puts each snapshot in force, and begins with the first that knows enough.

use std::sync::Arc;

use tokio::sync::watch;

use crate::memory::give_back_soon;
use crate::pipeline::Pipeline;
use crate::reconfigure::Reconfigurer;
use crate::resources::{Known, Snapshot};
use crate::server::Phase;

/// Puts snapshots in force, the first in which the receivers are known and every later one.
pub(super) struct Following {
    pub(super) snapshot: watch::Receiver<Arc<Snapshot>>,
    pub(super) secrets: watch::Receiver<()>,
    pub(super) reconfigurer: Reconfigurer,
    pub(super) pipeline: Arc<Pipeline>,
    pub(super) phase: watch::Sender<Phase>,
    /// How much is in force.
    pub(super) known: watch::Sender<Known>,
}

impl Following {
    /// Does what is possible only since so much is in force: once the receivers are known, deliveries are taken, and once everything
    /// is, they are followed up.
    pub(super) fn begin(&self, current: &Snapshot) {
        let before = self.known.send_replace(current.known);
        if before < Known::Receivers {
            tracing::info!(resources = current.resources.len(), "landfall is ready");
        }
        if before < Known::Everything && current.known == Known::Everything {
            tokio::spawn(self.pipeline.clone().run());
        }
        let next = match current.known {
            Known::Nothing => Phase::Starting,
            Known::Receivers if current.is_withheld => Phase::Withheld,
            Known::Receivers => Phase::Receiving,
            Known::Everything => Phase::Serving,
        };
        self.phase.send_if_modified(|phase| {
            let is_news = *phase != Phase::Stopping && *phase != next;
            if is_news {
                *phase = next;
            }
            is_news
        });
    }

    /// Puts every later snapshot in force, and the last one again where a webhook secret's file has changed.
    pub(super) async fn follow(mut self) {
        loop {
            let what = tokio::select! {
                changed = self.snapshot.changed() => match changed {
                    Ok(()) => "the resources have changed and are in force",
                    Err(_gone) => return,
                },
                Ok(()) = self.secrets.changed() => "a file with a webhook secret has changed, and the secret is in force",
            };
            let current = self.snapshot.borrow_and_update().clone();
            if current.known == Known::Nothing {
                continue;
            }
            let applied = self.reconfigurer.apply(&current).await;
            match applied {
                Ok(()) => tracing::info!(resources = current.resources.len(), "{what}"),
                Err(error) => {
                    tracing::error!(%error, "the resources are in force, but their statuses could not be kept");
                }
            }
            self.begin(&current);
            give_back_soon();
        }
    }
}
