//! What is in force: receivers, subscriptions and credentials, as one value that is swapped as a whole.

use std::collections::HashMap;
use std::sync::Arc;

use jiff::Timestamp;
use landfall_core::event::Event;
use landfall_core::matcher::Index;
use landfall_core::receiver::{Receiver, Sender};
use landfall_core::refresh::Progress;
use landfall_core::resource::Warehouse;
use landfall_core::selection::{ImagePolicy, PolicyError};
use landfall_core::target::Target;
use serde::{Deserialize, Serialize};

use crate::controller::credentials::Credentials;
use crate::controller::receivers::Doors;
use crate::resources::Known;

/// Everything that a request or a refresh needs to know about the configuration.
#[derive(Default)]
pub struct Live {
    /// How much is in force. Before that, who is not found here may be there all the same.
    pub known: Known,
    /// Whether there may be receivers by path that are not known.
    pub hides_receivers: bool,
    /// Whether there may be Promotions that are not known.
    pub hides_promotions: bool,
    /// Receivers by path.
    pub doors: Doors,
    /// Receivers of the door by type, by sender.
    pub by_type: HashMap<Sender, Receiver>,
    /// Subscriptions by repository.
    pub index: Arc<Index>,
    /// Warehouses, each with its generation.
    pub warehouses: Arc<HashMap<Arc<Target>, LiveWarehouse>>,
    /// What people see of receivers.
    pub receivers: Vec<ReceiverSummary>,
    /// Credentials for registries.
    pub credentials: Arc<Credentials>,
}

impl Live {
    /// Whether nobody can tell for whom an event is.
    pub fn cannot_tell(&self, event: &Event) -> bool {
        self.hides_promotions && event.may_be_for_promotions()
    }
}

/// What image subscriptions wish, compiled once, or why that cannot be evaluated. Other subscriptions have none.
pub type Policies = Vec<Option<Result<ImagePolicy, PolicyError>>>;

/// A receiver as it is shown.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ReceiverSummary {
    /// The resource that it belongs to and its name, or its type.
    pub receiver: String,
    /// Who posts to it.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub sender: Option<Sender>,
    /// Where its sender posts; absent where it cannot be reached. With the door by path, the URL is the secret.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub url: Option<String>,
    /// Why it cannot be reached, or what else is wrong with it.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub problem: Option<String>,
    /// The use of its previous secret, while that is still good.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub previous_secret: Option<PreviousSecret>,
}

/// How often a previous secret was shown, as far as this process and its journal know. Once nobody does any more, it can go.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PreviousSecret {
    /// Deliveries that showed it.
    pub deliveries: u64,
    /// When the last of them came.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub last: Option<Timestamp>,
}

/// A Warehouse in force.
#[derive(Clone)]
pub struct LiveWarehouse {
    /// As its manifest has it.
    pub warehouse: Arc<Warehouse>,
    /// The policies of its image subscriptions, by their place in the spec.
    pub policies: Arc<Policies>,
    /// The registries' hosts that its image subscriptions are looked for at, each once.
    pub hosts: Arc<[String]>,
    /// Counts changes of its spec.
    pub generation: i64,
    /// When this spec was first seen by this process: what was listed before may lack what nobody wanted then.
    pub noted: Timestamp,
    /// When its project's credentials last changed before this process's eyes: what was refused before may be granted now.
    pub recredentialed: Option<Timestamp>,
}

impl LiveWarehouse {
    /// Whether this is what an API server's object says now, or said after that: not an earlier spec of it, nor another object
    /// that had its name.
    pub fn is_current(&self, progress: &Progress) -> bool {
        let uid = self.warehouse.metadata.uid.as_deref().unwrap_or_default();
        uid == progress.uid && self.generation >= progress.generation
    }
}
