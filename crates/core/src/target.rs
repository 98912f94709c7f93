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
    /// A Kargo `Promotion`, a step of which waits for a pull request.
    Promotion {
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
            Self::Warehouse { namespace, .. } | Self::Promotion { namespace, .. } => namespace,
        }
    }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Warehouse { namespace, name } => write!(f, "Warehouse {namespace}/{name}"),
            Self::Promotion { namespace, name } => write!(f, "Promotion {namespace}/{name}"),
        }
    }
}

/// The text names no target.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is no target; one reads `Warehouse NAMESPACE/NAME` or `Promotion NAMESPACE/NAME`")]
pub struct NotATarget(String);

impl FromStr for Target {
    type Err = NotATarget;

    fn from_str(text: &str) -> Result<Self, NotATarget> {
        let parts = text
            .split_once(' ')
            .and_then(|(kind, rest)| Some((kind, rest.split_once('/')?)));
        let owned = |(namespace, name): (&str, &str)| (namespace.to_owned(), name.to_owned());
        match parts {
            Some(("Warehouse", place)) => {
                let (namespace, name) = owned(place);
                Ok(Self::Warehouse { namespace, name })
            }
            Some(("Promotion", place)) => {
                let (namespace, name) = owned(place);
                Ok(Self::Promotion { namespace, name })
            }
            _ => Err(NotATarget(text.to_owned())),
        }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_target_reads_as_it_prints() {
        let (namespace, name) = ("shop".to_owned(), "api".to_owned());
        for (text, expected) in [
            (
                "Warehouse shop/api",
                Some(Target::Warehouse {
                    namespace: namespace.clone(),
                    name: name.clone(),
                }),
            ),
            ("Promotion shop/api", Some(Target::Promotion { namespace, name })),
            ("Warehouse shop", None),
            ("Stage shop/api", None),
            ("", None),
        ] {
            assert_eq!(text.parse().ok(), expected, "{text:?}");
            let printed = expected.map(|target| target.to_string());
            assert!(printed.is_none_or(|printed| printed == text), "{text:?}");
        }
    }
}
