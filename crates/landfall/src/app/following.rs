//! Follows the resources while the process runs: puts each snapshot in force, and begins with the first that is complete.

use std::sync::Arc;

use tokio::sync::watch;

use crate::pipeline::Pipeline;
use crate::reconfigure::Reconfigurer;
use crate::resources::Snapshot;
use crate::server::Phase;

/// Puts snapshots in force, the first that is complete and every later one.
pub(super) struct Following {
    pub(super) snapshot: watch::Receiver<Arc<Snapshot>>,
    pub(super) secrets: watch::Receiver<()>,
    pub(super) reconfigurer: Reconfigurer,
    pub(super) pipeline: Arc<Pipeline>,
    pub(super) phase: watch::Sender<Phase>,
}

impl Following {
    /// The first snapshot is in force: from now on it is known who wants what.
    pub(super) fn begin(&self, first: &Snapshot) {
        tokio::spawn(self.pipeline.clone().run());
        self.phase.send_if_modified(|phase| {
            let is_first = *phase == Phase::Starting;
            if is_first {
                *phase = Phase::Serving;
            }
            is_first
        });
        tracing::info!(resources = first.resources.len(), "landfall is ready");
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
            if !current.is_complete {
                continue;
            }
            let applied = self.reconfigurer.apply(&current).await;
            match applied {
                Ok(()) => tracing::info!(resources = current.resources.len(), "{what}"),
                Err(error) => {
                    tracing::error!(%error, "the resources are in force, but their statuses could not be kept");
                }
            }
            if *self.phase.borrow() == Phase::Starting {
                self.begin(&current);
            }
        }
    }
}
