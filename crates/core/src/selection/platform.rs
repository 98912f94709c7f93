//! Decides what a platform constraint says and which platforms meet it.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// What an image runs on: `linux/amd64`, `linux/arm/v7`.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Platform {
    /// Operating system.
    pub os: String,
    /// CPU architecture, in Go's names.
    pub architecture: String,
    /// Variant of the architecture; empty where there is none.
    #[serde(skip_serializing_if = "String::is_empty", default)]
    pub variant: String,
}

impl Platform {
    /// The same platform as it may be written as well: `arm64` is `arm64/v8`, the only variant that there is of it.
    pub fn other_spelling(&self) -> Option<Self> {
        let variant = match (self.architecture.as_str(), self.variant.as_str()) {
            ("arm64", "v8") => "",
            ("arm64", "") => "v8",
            _ => return None,
        };
        Some(Self {
            variant: variant.to_owned(),
            ..self.clone()
        })
    }
}

impl fmt::Display for Platform {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.os, self.architecture)?;
        if !self.variant.is_empty() {
            write!(f, "/{}", self.variant)?;
        }
        Ok(())
    }
}

/// The text is no platform.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is no platform; one reads os/arch or os/arch/variant, for example linux/amd64")]
pub struct NotAPlatform(String);

impl FromStr for Platform {
    type Err = NotAPlatform;

    fn from_str(text: &str) -> Result<Self, NotAPlatform> {
        let mut parts = text.splitn(3, '/').map(str::to_owned);
        match (parts.next(), parts.next()) {
            (Some(os), Some(architecture)) => Ok(Self {
                os,
                architecture,
                variant: parts.next().unwrap_or_default(),
            }),
            _ => Err(NotAPlatform(text.to_owned())),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn platforms_and_their_other_spellings() {
        let platform = |text: &str| text.parse::<Platform>().unwrap();
        for (text, other) in [
            ("linux/arm64/v8", Some("linux/arm64")),
            ("linux/arm64", Some("linux/arm64/v8")),
            ("linux/arm/v7", None),
            ("linux/amd64", None),
        ] {
            assert_eq!(platform(text).other_spelling(), other.map(platform), "{text}");
        }
        assert_eq!("linux".parse::<Platform>(), Err(NotAPlatform("linux".to_owned())));
    }
}
