//! Decides which version of TLS a text means; it does not know what is served.

use std::fmt;

use super::settings::Unsupported;

/// The versions that can be asked for, in their order. Older ones nobody can ask for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Version {
    /// Known, so that it can be said that it is not served.
    V1_1,
    V1_2,
    V1_3,
}

impl Version {
    /// `1.2`, `tls1.2`, ` TLS1.2 `; `None` where nothing was typed.
    pub(super) fn parse(text: &str) -> Result<Option<Self>, Unsupported> {
        let lower = text.trim().to_ascii_lowercase();
        match lower.strip_prefix("tls").unwrap_or(&lower) {
            "" if lower.is_empty() => Ok(None),
            "1.1" => Ok(Some(Self::V1_1)),
            "1.2" => Ok(Some(Self::V1_2)),
            "1.3" => Ok(Some(Self::V1_3)),
            _ => Err(Unsupported::Version(text.to_owned())),
        }
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::V1_1 => "1.1",
            Self::V1_2 => "1.2",
            Self::V1_3 => "1.3",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions() {
        for (text, expected) in [
            ("1.1", Some(Some(Version::V1_1))),
            ("1.2", Some(Some(Version::V1_2))),
            ("tls1.3", Some(Some(Version::V1_3))),
            (" TLS1.3 ", Some(Some(Version::V1_3))),
            ("", Some(None)),
            ("  ", Some(None)),
            ("tls", None),
            ("1.0", None),
            ("1.30", None),
            ("tlstls1.3", None),
            ("13", None),
        ] {
            assert_eq!(Version::parse(text).ok(), expected, "{text:?}");
        }
    }
}
