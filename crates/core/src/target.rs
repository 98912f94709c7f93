//! Names what a refresh is for: the resources that landfall refreshes or updates, as a closed set.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// A resource to refresh or update.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Target {
    /// A Kargo `Warehouse`, whose discovered artifacts we record.
    Warehouse {
        /// Its namespace, which is also its project's name.
        namespace: String,
        /// Its name.
        name: String,
    },
}

impl Target {
    /// The project whose receivers may reach it.
    pub fn project(&self) -> &str {
        match self {
            Self::Warehouse { namespace, .. } => namespace,
        }
    }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Warehouse { namespace, name } => write!(f, "Warehouse {namespace}/{name}"),
        }
    }
}

/// The text names no target.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is no target; one reads `Warehouse NAMESPACE/NAME`")]
pub struct NotATarget(String);

impl FromStr for Target {
    type Err = NotATarget;

    fn from_str(text: &str) -> Result<Self, NotATarget> {
        text.strip_prefix("Warehouse ")
            .and_then(|rest| rest.split_once('/'))
            .map(|(namespace, name)| Self::Warehouse {
                namespace: namespace.to_owned(),
                name: name.to_owned(),
            })
            .ok_or_else(|| NotATarget(text.to_owned()))
    }
}

impl Serialize for Target {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Target {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?
            .parse()
            .map_err(serde::de::Error::custom)
    }
}
