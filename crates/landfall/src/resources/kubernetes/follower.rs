//! Decides which feeds are followed, and publishes what they say: all of it at first, and later whatever changes.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::AtomicUsize;
use std::time::Duration;

use kube::Client;
use landfall_core::resource::Kind;
use tokio::sync::{mpsc, watch};
use tokio::task::AbortHandle;
use tokio::time::timeout;

use super::asked::Asked;
use super::coalesce::{Awaiting, gather};
use super::feed::{Feed, Report, Reports};
use super::held::Held;
use super::progresses::Progresses;
use super::watching::{Interest, follow};
use crate::resources::{Snapshot, report};

/// Reports that wait to be taken in. Whoever has more waits, and the API server with it.
const WAITING: usize = 256;

/// Receivers are asked for first: deliveries can be taken once they are known, and to tell of thousands of Warehouses keeps an API server
/// busy. Whether they are known or not, who subscribes is asked after so long.
const HEAD_START: Duration = Duration::from_secs(1);

/// Starts to follow, on the runtime that this is called in, until nobody listens.
pub(super) fn start(
    client: Client,
    namespaces: Vec<String>,
    system_namespace: String,
    progresses: Option<Arc<Progresses>>,
) -> watch::Receiver<Arc<Snapshot>> {
    let (sender, receiver) = watch::channel(Arc::default());
    let (reports, incoming) = mpsc::channel(WAITING);
    let follower = Follower {
        namespaces,
        system_namespace,
        progresses,
        held: Held::default(),
        secrets: BTreeMap::new(),
        asked: Asked::new(client.clone(), reports.clone()),
        client,
        reports,
        polled: Arc::default(),
        receivers: watch::Sender::new(false),
        sender,
    };
    tokio::spawn(follower.run(incoming));
    receiver
}

struct Follower {
    client: Client,
    /// Empty for all.
    namespaces: Vec<String>,
    system_namespace: String,
    /// What Warehouses say of refreshes, where somebody here serves them.
    progresses: Option<Arc<Progresses>>,
    held: Held,
    /// The tasks that follow Secrets.
    secrets: BTreeMap<Feed, AbortHandle>,
    asked: Asked,
    reports: Reports,
    polled: Arc<AtomicUsize>,
    /// Whether all that receivers are made of was heard of.
    receivers: watch::Sender<bool>,
    sender: watch::Sender<Arc<Snapshot>>,
}

impl Follower {
    async fn run(mut self, mut incoming: mpsc::Receiver<(Feed, Report)>) {
        for feed in self.kinds() {
            self.follow(feed);
        }
        while let Some(first) = incoming.recv().await {
            let mut changed = false;
            gather(first, &mut incoming, |(feed, report)| {
                let taken = self.asked.take(feed, report, &self.held, &self.system_namespace);
                let Some((feed, report)) = taken else {
                    return Awaiting::Nothing;
                };
                if let Some(progresses) = &self.progresses {
                    progresses.take(&feed, &report);
                }
                changed |= self.held.take(&feed, report);
                if matches!(feed.kind(), Kind::ProjectConfig | Kind::ClusterConfig) {
                    self.follow_secrets();
                }
                if self.held.has_heard_of_receivers() {
                    self.receivers.send_replace(true);
                }
                match self.held.has_heard_all() {
                    _ if self.held.knows_more() => Awaiting::Enough,
                    true => Awaiting::Nothing,
                    false => Awaiting::Answers,
                }
            })
            .await;
            if changed {
                self.publish();
            }
            if self.sender.is_closed() {
                return;
            }
        }
    }

    /// The kinds that are followed as a whole.
    fn kinds(&self) -> Vec<Feed> {
        let mut kinds = vec![Feed::Kind {
            kind: Kind::ClusterConfig,
            namespace: None,
        }];
        for kind in [Kind::ProjectConfig, Kind::Warehouse, Kind::Promotion] {
            if self.namespaces.is_empty() {
                kinds.push(Feed::Kind { kind, namespace: None });
            }
            kinds.extend(self.namespaces.iter().map(|namespace| Feed::Kind {
                kind,
                namespace: Some(namespace.clone()),
            }));
        }
        kinds
    }

    fn follow(&mut self, feed: Feed) -> AbortHandle {
        self.held.add(feed.clone());
        let (client, reports, polled) = (self.client.clone(), self.reports.clone(), self.polled.clone());
        let receivers = self.receivers.subscribe();
        let refreshes = match self.progresses {
            Some(_) => Interest::Somebodys,
            None => Interest::Nobodys,
        };
        let following = async move {
            if feed.is_of_subscribers() {
                head_start(receivers).await;
            }
            follow(client, feed, reports, polled, refreshes).await;
        };
        tokio::spawn(following).abort_handle()
    }

    /// Follows the Secrets that receivers name, and no others.
    fn follow_secrets(&mut self) {
        let named = self.held.named_secrets(&self.system_namespace);
        for feed in self.held.secrets().difference(&named) {
            if let Some(task) = self.secrets.remove(feed) {
                task.abort();
            }
            self.held.remove(feed);
        }
        for feed in named {
            if !self.secrets.contains_key(&feed) {
                let task = self.follow(feed.clone());
                self.secrets.insert(feed, task);
            }
        }
    }

    fn publish(&mut self) {
        let snapshot = self.held.snapshot();
        report(&self.sender.borrow().problems, &snapshot.problems);
        self.sender.send_replace(Arc::new(snapshot));
    }
}

async fn head_start(mut receivers: watch::Receiver<bool>) {
    // Late or gone, nobody has to wait any more.
    let _ = timeout(HEAD_START, receivers.wait_for(|are_known| *are_known)).await;
}
