//! Decides what a sender's message says: one file per sender, each from a delivery to events, or to why there are none.

mod aliyun_acr;
mod azure;
mod cloudevents;
mod distribution;
mod dockerhub;
mod ecr;
mod eventbridge;
mod github;
pub mod handshake;
mod harbor;
pub(crate) mod host;
pub mod payload;
mod proof;
mod push;
mod quay;

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::delivery::{Delivery, Entrance, Rejected, Unverified};
use crate::event::Event;
use crate::secret::Secrets;
use proof::Proof;

/// The systems that post to us. Adding one is a variant here, a file beside this one and a folder of fixtures.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Sender {
    /// Docker Hub's repository webhooks.
    DockerHub,
    /// CNCF Distribution's notifications, also those of registries built on it.
    Distribution,
    /// GitHub's webhooks, of which the events of packages are read.
    GitHub,
    /// Harbor's webhooks, in either of their formats.
    Harbor,
    /// Quay's notifications, of quay.io and self-hosted.
    Quay,
    /// The triggers of Alibaba Cloud's Container Registry.
    #[serde(rename = "aliyun-acr")]
    AliyunAcr,
    /// Azure Container Registry's webhooks, and its events by Event Grid.
    Azure,
    /// CloudEvents over HTTP: transformed events of ECR, Zot, Harbor, Azure, and whatever else tells of an image.
    CloudEvents,
    /// Events of ECR as EventBridge has them.
    EventBridge,
}

impl Sender {
    /// Every sender that this version understands.
    pub const ALL: [Self; 9] = [
        Self::DockerHub,
        Self::Distribution,
        Self::GitHub,
        Self::Harbor,
        Self::Quay,
        Self::AliyunAcr,
        Self::Azure,
        Self::CloudEvents,
        Self::EventBridge,
    ];

    /// The segment of the path door, which is also the field of a `ProjectConfig`'s receiver where Kargo has that sender.
    pub fn path_segment(self) -> &'static str {
        match self {
            Self::DockerHub => "dockerhub",
            Self::Distribution => "distribution",
            Self::GitHub => "github",
            Self::Harbor => "harbor",
            Self::Quay => "quay",
            Self::AliyunAcr => "aliyun-acr",
            Self::Azure => "azure",
            Self::CloudEvents => "cloudevents",
            Self::EventBridge => "eventbridge",
        }
    }

    /// The value of `type` at the door by type.
    pub fn type_name(self) -> &'static str {
        match self {
            Self::DockerHub => "docker.io",
            Self::Distribution => "distribution",
            Self::GitHub => "ghcr.io",
            Self::Harbor => "harbor",
            Self::Quay => "quay.io",
            Self::AliyunAcr => "aliyun-acr",
            Self::Azure => "acr",
            Self::CloudEvents => "cloudevents",
            Self::EventBridge => "eventbridge",
        }
    }

    /// The sender that a `type` names; case matters, as with the peer.
    pub fn from_type_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|sender| sender.type_name() == name)
    }

    /// Where the sender shows a shared secret at the door by type.
    fn proof(self, secrets: Secrets) -> Proof {
        match self {
            Self::DockerHub | Self::Quay | Self::AliyunAcr => Proof::QuerySecret(secrets),
            Self::Distribution | Self::Harbor | Self::Azure => Proof::Authorization(secrets),
            Self::GitHub => Proof::HubSignature(secrets),
            Self::CloudEvents | Self::EventBridge => Proof::QueryOrHeader(secrets),
        }
    }
}

impl fmt::Display for Sender {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.path_segment())
    }
}

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
    reach: Reach,
}

impl Receiver {
    /// A receiver whose unguessable path is the proof.
    pub fn by_path(name: ReceiverName, sender: Sender, reach: Reach) -> Self {
        Self {
            name,
            sender,
            entrance: Entrance::Path,
            proof: Proof::Path,
            reach,
        }
    }

    /// A receiver of the door by type, with the secrets that its sender may show.
    pub fn by_type(sender: Sender, secrets: Secrets) -> Self {
        Self::of_type(sender, sender.proof(secrets))
    }

    /// A receiver of the door by type that asks for no secret: whoever reaches it can post.
    pub fn open_by_type(sender: Sender) -> Self {
        Self::of_type(sender, Proof::Open)
    }

    fn of_type(sender: Sender, proof: Proof) -> Self {
        Self {
            name: ReceiverName(format!("type {}", sender.type_name())),
            sender,
            entrance: Entrance::Type,
            proof,
            reach: Reach::Everywhere,
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

    /// Whose subscriptions its events may reach.
    pub fn reach(&self) -> &Reach {
        &self.reach
    }

    /// Turns a request into a delivery if it shows the receiver's proof.
    pub fn authenticate(&self, request: Unverified) -> Result<Delivery, Rejected> {
        let secret = self.proof.of(&request)?;
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
        let reason = reason.into();
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

/// What GitHub and Azure are told when they only try whether somebody is there; Kargo's words.
const PING: &str = "ping event received, webhook is configured correctly";

/// Reads what a delivery says.
pub fn read(delivery: &Delivery) -> Result<Contents, Malformed> {
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
    }
}

#[cfg(test)]
mod tests;
