//! Says by what targets are chosen that a request names in words of its own; it must not know which there are.

use std::fmt;

use serde::{Deserialize, Serialize};

/// What a target has to be like: all of it. `T` is what stands for a text: a template in a manifest, and its result in an event.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Criteria<T = String> {
    /// What kind of resource it is.
    pub kind: TargetKind,
    /// Its name; absent where any will do.
    #[serde(skip_serializing_if = "Option::is_none", default = "Option::default")]
    pub name: Option<T>,
    /// What its labels have to be.
    #[serde(skip_serializing_if = "Vec::is_empty", default = "Vec::new")]
    pub labels: Vec<LabelRequirement<T>>,
    /// What it has to be found under.
    #[serde(skip_serializing_if = "Vec::is_empty", default = "Vec::new")]
    pub indices: Vec<IndexRequirement<T>>,
}

/// A kind of resource that can be chosen.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum TargetKind {
    /// A `Warehouse`.
    Warehouse,
    /// A `Promotion`.
    Promotion,
}

/// What a label has to be.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct LabelRequirement<T = String> {
    /// The label's key.
    pub key: String,
    /// How its value is compared.
    pub operator: LabelOperator,
    /// What with; empty where only its presence counts.
    #[serde(skip_serializing_if = "Vec::is_empty", default = "Vec::new")]
    pub values: Vec<T>,
}

/// How a label is compared, in Kubernetes' words.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum LabelOperator {
    /// It is there, and its value is one of these.
    In,
    /// It is not there, or its value is none of these.
    NotIn,
    /// It is there.
    Exists,
    /// It is not there.
    DoesNotExist,
}

/// What a target has to be found under.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct IndexRequirement<T = String> {
    /// The index.
    pub key: IndexKey,
    /// Whether it has to be found there, or must not be.
    pub operator: IndexOperator,
    /// Where.
    pub value: T,
}

/// An index, in Kargo's words.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum IndexKey {
    /// The repositories that a Warehouse subscribes to, in normal form.
    #[serde(rename = "subscribedURLs")]
    SubscribedUrls,
    /// The paths of a ProjectConfig's receivers, which neither a Warehouse nor a Promotion has.
    #[serde(rename = "receiverPaths")]
    ReceiverPaths,
    /// The pull requests that a Promotion waits for.
    #[serde(rename = "pullRequestURL")]
    PullRequestUrl,
}

impl IndexKey {
    /// Every index.
    pub const ALL: [Self; 3] = [Self::SubscribedUrls, Self::ReceiverPaths, Self::PullRequestUrl];

    /// Its name in a manifest.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::SubscribedUrls => "subscribedURLs",
            Self::ReceiverPaths => "receiverPaths",
            Self::PullRequestUrl => "pullRequestURL",
        }
    }
}

/// How an index is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum IndexOperator {
    /// The target is found there.
    Equals,
    /// The target is not found there.
    NotEquals,
}

impl<T> Criteria<T> {
    /// The same with another kind of texts, in the order of the fields; the first one that cannot be made ends it.
    pub fn try_map<U, E>(&self, mut text: impl FnMut(&T) -> Result<U, E>) -> Result<Criteria<U>, E> {
        let name = self.name.as_ref().map(&mut text).transpose()?;
        let mut labels = Vec::with_capacity(self.labels.len());
        for label in &self.labels {
            labels.push(LabelRequirement {
                key: label.key.clone(),
                operator: label.operator,
                values: label.values.iter().map(&mut text).collect::<Result<_, E>>()?,
            });
        }
        let mut indices = Vec::with_capacity(self.indices.len());
        for index in &self.indices {
            indices.push(IndexRequirement {
                key: index.key,
                operator: index.operator,
                value: text(&index.value)?,
            });
        }
        Ok(Criteria {
            kind: self.kind,
            name,
            labels,
            indices,
        })
    }
}

impl fmt::Display for TargetKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Warehouse => "Warehouse",
            Self::Promotion => "Promotion",
        })
    }
}

impl fmt::Display for LabelRequirement {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { key, operator, values } = self;
        let values = values.join(", ");
        match operator {
            LabelOperator::In => write!(f, "label {key} in ({values})"),
            LabelOperator::NotIn => write!(f, "label {key} not in ({values})"),
            LabelOperator::Exists => write!(f, "label {key}"),
            LabelOperator::DoesNotExist => write!(f, "no label {key}"),
        }
    }
}

impl fmt::Display for IndexRequirement {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let operator = match self.operator {
            IndexOperator::Equals => "=",
            IndexOperator::NotEquals => "!=",
        };
        write!(f, "{} {operator} {}", self.key.as_str(), self.value)
    }
}

/// In words for people: `Warehouse api, label tier in (gold), subscribedURLs = ghcr.io/shop/api`.
impl fmt::Display for Criteria {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.kind)?;
        if let Some(name) = &self.name {
            write!(f, " {name}")?;
        }
        for label in &self.labels {
            write!(f, ", {label}")?;
        }
        for index in &self.indices {
            write!(f, ", {index}")?;
        }
        Ok(())
    }
}
