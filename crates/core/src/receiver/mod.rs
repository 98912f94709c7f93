//! Decides what a sender's message says: one file per sender, each from a delivery to events, or to why there are none.

mod distribution;
mod dockerhub;
pub mod payload;

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::delivery::{Delivery, Entrance, Rejected, Unverified};
use crate::event::Event;
use crate::secret::SecretBytes;

/// The systems that post to us. Adding one is a variant here, a file beside this one and a folder of fixtures.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Sender {
    /// Docker Hub's repository webhooks.
    DockerHub,
    /// CNCF Distribution's notifications, also those of registries built on it.
    Distribution,
}

impl Sender {
    /// Every sender that this version understands.
    pub const ALL: [Self; 2] = [Self::DockerHub, Self::Distribution];

    /// The segment of the path door, which is also the field of a `ProjectConfig`'s receiver.
    pub fn path_segment(self) -> &'static str {
        match self {
            Self::DockerHub => "dockerhub",
            Self::Distribution => "distribution",
        }
    }

    /// The value of `type` at the door by type.
    pub fn type_name(self) -> &'static str {
        match self {
            Self::DockerHub => "docker.io",
            Self::Distribution => "distribution",
        }
    }

    /// The sender that a `type` names; case matters, as with the peer.
    pub fn from_type_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|sender| sender.type_name() == name)
    }

    /// Where the sender shows a shared secret at the door by type.
    fn proof(self, secret: SecretBytes) -> Proof {
        match self {
            Self::DockerHub => Proof::QuerySecret(secret),
            Self::Distribution => Proof::Authorization(secret),
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

/// What a request has to show.
#[derive(Clone, Debug)]
enum Proof {
    /// That it found the unguessable path; finding the receiver was the proof.
    Path,
    /// The secret as query parameter `secret`.
    QuerySecret(SecretBytes),
    /// The secret as the whole value of the header `Authorization`.
    Authorization(SecretBytes),
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

    /// A receiver of the door by type, with the secret that its sender shows.
    pub fn by_type(sender: Sender, secret: SecretBytes) -> Self {
        Self {
            name: ReceiverName(format!("type {}", sender.type_name())),
            sender,
            entrance: Entrance::Type,
            proof: sender.proof(secret),
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
        let proved = match &self.proof {
            Proof::Path => true,
            Proof::QuerySecret(secret) => secret.matches(request.parameter("secret").unwrap_or_default().as_bytes()),
            Proof::Authorization(secret) => secret.matches(request.header("authorization").unwrap_or_default()),
        };
        if proved {
            Ok(Delivery::proved(self, request))
        } else {
            Err(Rejected)
        }
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

/// Reads what a delivery says.
pub fn read(delivery: &Delivery) -> Result<Contents, Malformed> {
    match delivery.sender() {
        Sender::DockerHub => dockerhub::read(delivery),
        Sender::Distribution => distribution::read(delivery),
    }
}

#[cfg(test)]
mod tests;
