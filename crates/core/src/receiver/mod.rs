//! Decides what a sender's message says: one file per sender, each from a delivery to events, or to why there are none.

mod aliyun_acr;
mod artifactory;
mod azure;
mod azure_devops;
mod bitbucket;
mod cloudevents;
mod condense;
mod distribution;
mod dockerhub;
mod ecr;
mod eventbridge;
mod forge;
pub mod generic;
mod gitea;
mod github;
mod github_package;
mod gitlab;
pub mod handshake;
mod harbor;
pub(crate) mod host;
pub mod payload;
mod proof;
mod push;
mod quay;
mod sender;

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::delivery::{Delivery, Entrance, Rejected, Unverified};
use crate::event::Event;
use crate::secret::{SecretAge, Secrets};
use proof::Proof;

pub use sender::Sender;

/// How people find a receiver again: `ProjectConfig shop/hub`, `ClusterConfig cluster/hub`, `type docker.io`.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct ReceiverName(pub String);

impl fmt::Display for ReceiverName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Whose subscriptions a receiver's events may reach.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Reach {
    /// Every project's.
    Everywhere,
    /// One project's, named by its namespace.
    Project(String),
}

/// A configured endpoint for one sender.
#[derive(Clone, Debug)]
pub struct Receiver {
    name: ReceiverName,
    sender: Sender,
    entrance: Entrance,
    proof: Proof,
    /// The age of the secret that its path was made of; none at the door by type.
    address: Option<SecretAge>,
    reach: Reach,
    has_previous_secret: bool,
    virtual_repository: Option<String>,
    actions: Option<generic::Actions>,
}

impl Receiver {
    /// A receiver behind an unguessable path, where its sender has to show one of the secrets besides if it can.
    pub fn by_path(name: ReceiverName, sender: Sender, reach: Reach, secrets: Secrets) -> Self {
        Self {
            name,
            sender,
            entrance: Entrance::Path,
            has_previous_secret: secrets.are_rotating(),
            proof: Proof::by(sender, Entrance::Path, secrets),
            address: Some(SecretAge::Current),
            reach,
            virtual_repository: None,
            actions: None,
        }
    }

    /// The same receiver behind the path that its previous secret made.
    pub fn at_its_previous_path(self) -> Self {
        Self {
            address: Some(SecretAge::Previous),
            ..self
        }
    }

    /// The same receiver with what a generic one does.
    pub fn with_actions(self, actions: generic::Actions) -> Self {
        Self {
            actions: Some(actions),
            ..self
        }
    }

    /// The same receiver for a virtual repository of Artifactory's: its name stands for the one that a payload has.
    pub fn for_virtual_repository(self, name: Option<String>) -> Self {
        Self {
            virtual_repository: name,
            ..self
        }
    }

    /// A receiver of the door by type, with the secrets that its sender may show.
    pub fn by_type(sender: Sender, secrets: Secrets) -> Self {
        Self {
            has_previous_secret: secrets.are_rotating(),
            ..Self::of_type(sender, Proof::by(sender, Entrance::Type, secrets))
        }
    }

    /// A receiver of the door by type that asks for no secret: whoever reaches it can post.
    pub fn open_by_type(sender: Sender) -> Self {
        Self::of_type(sender, Proof::Open)
    }

    fn of_type(sender: Sender, proof: Proof) -> Self {
        Self {
            name: ReceiverName(format!("type {}", sender.type_name().unwrap_or(sender.path_segment()))),
            sender,
            entrance: Entrance::Type,
            proof,
            address: None,
            reach: Reach::Everywhere,
            has_previous_secret: false,
            virtual_repository: None,
            actions: None,
        }
    }

    /// How people find it again.
    pub fn name(&self) -> &ReceiverName {
        &self.name
    }

    /// Who posts to it.
    pub fn sender(&self) -> Sender {
        self.sender
    }

    /// The door it stands behind.
    pub fn entrance(&self) -> Entrance {
        self.entrance
    }

    /// What it does, where it is generic.
    pub(crate) fn actions(&self) -> Option<&generic::Actions> {
        self.actions.as_ref()
    }

    /// Whose subscriptions its events may reach.
    pub fn reach(&self) -> &Reach {
        &self.reach
    }

    /// Whether the secret before the current one is still good.
    pub fn has_previous_secret(&self) -> bool {
        self.has_previous_secret
    }

    /// The name that stands for the repository key of Artifactory's payloads, where one does.
    pub fn virtual_repository(&self) -> Option<&str> {
        self.virtual_repository.as_deref()
    }

    /// Turns a request into a delivery if it shows the receiver's proof.
    pub fn authenticate(&self, request: Unverified) -> Result<Delivery, Rejected> {
        // Whoever shows the new secret behind the old path, or the old one behind the new, has still something to change.
        let secret = self.proof.of(&request)?.max(self.address);
        Ok(Delivery::proved(self, secret, request))
    }
}

/// What a well-formed delivery says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Contents {
    /// The events of interest, in the sender's order.
    pub reports: Vec<Report>,
    /// Why other parts of the delivery, or all of it, are of no interest; one sentence each, without repetition.
    pub set_aside: Vec<String>,
}

/// So many reasons are told; whoever reads them has seen by then what kind of delivery it is.
const REASONS: usize = 20;

/// One event as a delivery reports it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Report {
    /// The sender's own id of it, which stays the same when the sender tries again.
    pub sender_id: Option<String>,
    /// What happened.
    pub event: Event,
}

impl Contents {
    /// Nothing of interest at all, and why.
    fn nothing(reason: impl Into<String>) -> Self {
        Self {
            reports: Vec::new(),
            set_aside: vec![reason.into()],
        }
    }

    fn set_aside(&mut self, reason: impl Into<String>) {
        const MORE: &str = "and more";
        let reason = match self.set_aside.len() {
            ..REASONS => reason.into(),
            _ => MORE.to_owned(),
        };
        if !self.set_aside.contains(&reason) {
            self.set_aside.push(reason);
        }
    }
}

/// Why a delivery cannot be read. Its text is what the sender's log will show, in the peers' words where they have some.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Malformed {
    /// Not JSON, or JSON of another shape.
    #[error("{0}")]
    Payload(String),
    /// A value that every such message has is missing.
    #[error("{0} not found in webhook payload")]
    Missing(&'static str),
    /// A value is there and cannot be used.
    #[error("{0}")]
    Unusable(String),
}

/// Refuses other content types at the door by type, as Image Updater does for some senders; Kargo does not look at them.
fn insist_on_content_type(delivery: &Delivery, accepted: &[&str]) -> Result<(), Malformed> {
    let given = delivery.header("content-type");
    let lower = given.to_ascii_lowercase();
    let is_accepted = accepted.iter().any(|accepted| lower.contains(accepted));
    match delivery.entrance() {
        Entrance::Type if !is_accepted => Err(Malformed::Unusable(format!("invalid content type: {given}"))),
        Entrance::Type | Entrance::Path => Ok(()),
    }
}

/// What senders are told when they only try whether somebody is there; Kargo's words.
pub const PING: &str = "ping event received, webhook is configured correctly";

/// Reads what a delivery says.
pub fn read(delivery: &Delivery) -> Result<Contents, Malformed> {
    condense::condense(read_all(delivery)?)
}

fn read_all(delivery: &Delivery) -> Result<Contents, Malformed> {
    match delivery.sender() {
        Sender::DockerHub => dockerhub::read(delivery),
        Sender::Distribution => distribution::read(delivery),
        Sender::GitHub => github::read(delivery),
        Sender::Harbor => harbor::read(delivery),
        Sender::Quay => quay::read(delivery),
        Sender::AliyunAcr => aliyun_acr::read(delivery),
        Sender::Azure => azure::read(delivery),
        Sender::CloudEvents => cloudevents::read(delivery),
        Sender::EventBridge => eventbridge::read(delivery),
        Sender::Gitea => gitea::read(delivery),
        Sender::GitLab => gitlab::read(delivery),
        Sender::Bitbucket => bitbucket::read(delivery),
        Sender::Artifactory => artifactory::read(delivery),
        Sender::Generic => generic::read(delivery),
    }
}

#[cfg(test)]
mod tests;
