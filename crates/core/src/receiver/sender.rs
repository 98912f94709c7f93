//! Names the systems that post to us, as a closed set, and how each is called; it must not know what they say.

use std::fmt;

use serde::{Deserialize, Serialize};

/// The systems that post to us. Adding one is a variant here, a file beside this one and a folder of fixtures.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Sender {
    /// Docker Hub's repository webhooks.
    DockerHub,
    /// CNCF Distribution's notifications, also those of registries built on it.
    Distribution,
    /// GitHub's webhooks: pushes, pull requests and packages.
    GitHub,
    /// Harbor's webhooks, in either of their formats.
    Harbor,
    /// Quay's notifications, of quay.io and self-hosted.
    Quay,
    /// The triggers of Alibaba Cloud's Container Registry.
    #[serde(rename = "aliyun-acr")]
    AliyunAcr,
    /// Azure Container Registry's webhooks, its events by Event Grid, and Azure DevOps' service hooks.
    Azure,
    /// CloudEvents over HTTP: transformed events of ECR, Zot, Harbor, Azure, and whatever else tells of an image.
    CloudEvents,
    /// Events of ECR as EventBridge has them.
    EventBridge,
    /// The webhooks of Gitea and Forgejo.
    Gitea,
    /// GitLab's webhooks: pushes and merge requests.
    GitLab,
    /// The webhooks of Bitbucket Cloud and Bitbucket Data Center.
    Bitbucket,
    /// JFrog Artifactory's webhooks, of which those of Docker repositories are read.
    Artifactory,
    /// Anybody, described by expressions.
    Generic,
}

impl Sender {
    /// Every sender that this version understands.
    pub const ALL: [Self; 14] = [
        Self::DockerHub,
        Self::Distribution,
        Self::GitHub,
        Self::Harbor,
        Self::Quay,
        Self::AliyunAcr,
        Self::Azure,
        Self::CloudEvents,
        Self::EventBridge,
        Self::Gitea,
        Self::GitLab,
        Self::Bitbucket,
        Self::Artifactory,
        Self::Generic,
    ];

    /// Whether what it posts for two pushes differs: by an id, a digest or a time. Where it does not, the same once more may be news.
    pub fn tells_pushes_apart(self) -> bool {
        match self {
            // Quay names a repository and tags, Artifactory the tag and a digest that it may have had before, and whoever posts to a generic
            // receiver may say no more than that he wants something done.
            Self::Quay | Self::Artifactory | Self::Generic => false,
            Self::DockerHub
            | Self::Distribution
            | Self::GitHub
            | Self::Harbor
            | Self::AliyunAcr
            | Self::Azure
            | Self::CloudEvents
            | Self::EventBridge
            | Self::Gitea
            | Self::GitLab
            | Self::Bitbucket => true,
        }
    }

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
            Self::Gitea => "gitea",
            Self::GitLab => "gitlab",
            Self::Bitbucket => "bitbucket",
            Self::Artifactory => "artifactory",
            Self::Generic => "generic",
        }
    }

    /// The value of `type` at the door by type; `None` for senders that have no place there.
    pub fn type_name(self) -> Option<&'static str> {
        match self {
            Self::DockerHub => Some("docker.io"),
            Self::Distribution => Some("distribution"),
            Self::GitHub => Some("ghcr.io"),
            Self::Harbor => Some("harbor"),
            Self::Quay => Some("quay.io"),
            Self::AliyunAcr => Some("aliyun-acr"),
            Self::Azure => Some("acr"),
            Self::CloudEvents => Some("cloudevents"),
            Self::EventBridge => Some("eventbridge"),
            Self::Gitea | Self::GitLab | Self::Bitbucket | Self::Artifactory | Self::Generic => None,
        }
    }

    /// The senders of the door by type, each with its `type`.
    pub fn by_type() -> impl Iterator<Item = (Self, &'static str)> {
        Self::ALL
            .into_iter()
            .filter_map(|sender| Some((sender, sender.type_name()?)))
    }

    /// The sender that a `type` names; case matters, as with the peer.
    pub fn from_type_name(name: &str) -> Option<Self> {
        Self::by_type()
            .find(|(_, type_name)| *type_name == name)
            .map(|(sender, _)| sender)
    }
}

impl fmt::Display for Sender {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.path_segment())
    }
}
