//! Says what can happen at a sender: the events that deliveries yield, in the project's own terms.

mod request;

use std::borrow::Cow;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::artifact::{Digest, Tag};
use crate::repository::{GitRepository, ImageRepository};
use crate::target::TargetKind;

pub use request::RefreshRequested;

/// One thing that happened. It is a hint where to look and never a fact: nothing of it is written to a target.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", rename_all_fields = "camelCase", tag = "event")]
pub enum Event {
    /// An image, an index or a chart was pushed to a registry.
    ArtifactPushed(ArtifactPushed),
    /// Branches or tags moved in a Git repository.
    GitRefPushed(GitRefPushed),
    /// A pull request was merged, or closed without that.
    PullRequestClosed {
        /// Its page, as the sender writes it. It is compared as it stands.
        url: String,
    },
    /// A generic receiver's action asks for resources to be looked at.
    RefreshRequested(RefreshRequested),
}

/// A push to one repository of a registry.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ArtifactPushed {
    /// Where to. Charts in a registry have the same normal form as images, so one type serves both.
    pub repository: ImageRepository,
    /// What the media type lets us say about it.
    pub kind: ArtifactKind,
    /// The tag that was pushed; absent where the sender told none, and then any tag may have changed.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub tag: Option<Tag>,
    /// The digest that the sender claims. Shown to people, never believed.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub digest: Option<Digest>,
    /// When the sender says that it happened.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub occurred_at: Option<Timestamp>,
}

/// What was pushed, as far as a media type tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum ArtifactKind {
    /// A container image or an index of some.
    Image,
    /// A Helm chart.
    Chart,
    /// An OCI manifest, which may hold either, or a media type that nobody told.
    ImageOrChart,
}

impl ArtifactKind {
    /// Reads a media type as Kargo does (its `media_types.go`): Helm's own types are charts, the types that only images
    /// have are images, and everything else may be both.
    pub fn from_media_type(media_type: &str) -> Self {
        const IMAGE_ONLY: [&str; 5] = [
            "application/vnd.oci.image.index.v1+json",
            "application/vnd.docker.distribution.manifest.list.v2+json",
            "application/vnd.docker.distribution.manifest.v2+json",
            "application/vnd.oci.image.config.v1+json",
            "application/vnd.docker.container.image.v1+json",
        ];
        if media_type.starts_with("application/vnd.cncf.helm") {
            Self::Chart
        } else if IMAGE_ONLY.contains(&media_type) {
            Self::Image
        } else {
            Self::ImageOrChart
        }
    }

    /// Whether an image subscription may care.
    pub fn may_be_image(self) -> bool {
        matches!(self, Self::Image | Self::ImageOrChart)
    }

    /// Whether a chart subscription may care.
    pub fn may_be_chart(self) -> bool {
        matches!(self, Self::Chart | Self::ImageOrChart)
    }
}

/// A push to one Git repository.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct GitRefPushed {
    /// Where to: the first of the names that the sender has for the repository.
    pub repository: GitRepository,
    /// Its other names, such as the one by ssh. The https and the ssh address of one repository are two names.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub also_named: Vec<GitRepository>,
    /// Full names of the refs that moved, for example `refs/heads/main`; empty where the sender told none.
    pub refs: Vec<String>,
    /// The files that the push changed; empty where the sender told none, or not all.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub changed_files: Vec<String>,
    /// The short name of the repository's default branch, where the sender tells it.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub default_branch: Option<String>,
}

impl GitRefPushed {
    /// All names of the repository.
    pub fn names(&self) -> impl Iterator<Item = &GitRepository> {
        std::iter::once(&self.repository).chain(&self.also_named)
    }
}

impl Event {
    /// Whether it may be for Promotions: who does not know which there are cannot tell for whom it is.
    pub fn may_be_for_promotions(&self) -> bool {
        match self {
            Self::ArtifactPushed(_) | Self::GitRefPushed(_) => false,
            Self::PullRequestClosed { .. } => true,
            Self::RefreshRequested(request) => {
                let mut criteria = request.criteria.iter();
                criteria.any(|criteria| criteria.kind == TargetKind::Promotion)
            }
        }
    }

    /// The repository in canonical form, for people and logs; of a pull request, its page; empty where there is neither.
    pub fn repository(&self) -> &str {
        match self {
            Self::ArtifactPushed(pushed) => pushed.repository.as_str(),
            Self::GitRefPushed(pushed) => pushed.repository.as_str(),
            Self::PullRequestClosed { url } => url,
            Self::RefreshRequested(_) => "",
        }
    }

    /// What kind of target it is for, in the word that Kargo's answers have.
    pub fn refreshes(&self) -> &'static str {
        match self {
            Self::ArtifactPushed(_) | Self::GitRefPushed(_) => "warehouse",
            Self::PullRequestClosed { .. } => "promotion",
            Self::RefreshRequested(_) => "resource",
        }
    }

    /// Host and path of the repository, as its registry knows them: the canonical form leaves out Docker Hub's host.
    pub fn host_and_path(&self) -> (&str, Cow<'_, str>) {
        match self {
            Self::ArtifactPushed(pushed) => (pushed.repository.registry_host(), pushed.repository.path()),
            Self::GitRefPushed(pushed) => of_url(pushed.repository.as_str()),
            Self::PullRequestClosed { url } => of_url(url),
            Self::RefreshRequested(_) => ("", Cow::Borrowed("")),
        }
    }

    /// What was pushed within the repository: a tag, refs, or nothing that was told; or which resources are asked for.
    pub fn subject(&self) -> String {
        match self {
            Self::ArtifactPushed(pushed) => pushed.tag.as_ref().map(ToString::to_string).unwrap_or_default(),
            Self::GitRefPushed(pushed) => pushed.refs.join(", "),
            Self::PullRequestClosed { .. } => String::new(),
            Self::RefreshRequested(request) => request.to_string(),
        }
    }
}

fn of_url(url: &str) -> (&str, Cow<'_, str>) {
    let place = url.split_once("://").map_or(url, |(_, place)| place);
    let (host, path) = place.split_once('/').unwrap_or((place, ""));
    (host, Cow::Borrowed(path))
}
