//! Holds secret values so that they cannot be printed, and compares them in constant time; it must not know where they come from.

use std::fmt;

use sha2::{Digest as _, Sha256};
use subtle::ConstantTimeEq as _;

/// A secret as bytes: a webhook secret, a password, the data of a Kubernetes `Secret`.
///
/// It has no `Display`, and its `Debug` shows nothing of the value, not even its length.
#[derive(Clone, PartialEq, Eq)]
pub struct SecretBytes(Vec<u8>);

impl SecretBytes {
    /// Takes the bytes as they are, a trailing newline included.
    pub fn new(bytes: impl Into<Vec<u8>>) -> Self {
        Self(bytes.into())
    }

    /// The value itself. Each caller is a place where a secret can leak, so keep them few.
    pub fn expose(&self) -> &[u8] {
        &self.0
    }

    /// The value as text, where it is UTF-8.
    pub fn expose_text(&self) -> Option<&str> {
        std::str::from_utf8(&self.0).ok()
    }

    /// Whether there is nothing in it; an empty secret proves nothing and is never accepted as a proof.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether `offered` is this secret. Both sides are hashed first, so that the time tells neither the
    /// position of the first difference nor the length. An empty secret matches nothing.
    pub fn matches(&self, offered: &[u8]) -> bool {
        let same: bool = Sha256::digest(&self.0).ct_eq(&Sha256::digest(offered)).into();
        same && !self.is_empty()
    }
}

impl fmt::Debug for SecretBytes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SecretBytes(…)")
    }
}

impl From<&str> for SecretBytes {
    fn from(text: &str) -> Self {
        Self::new(text.as_bytes())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_matches_itself_alone() {
        let secret = SecretBytes::from("soylent green");
        for (offered, expected) in [
            ("soylent green", true),
            ("soylent green\n", false),
            ("", false),
            ("S", false),
        ] {
            assert_eq!(secret.matches(offered.as_bytes()), expected, "{offered:?}");
        }
    }

    #[test]
    fn an_empty_secret_matches_nothing() {
        assert!(!SecretBytes::from("").matches(b""));
    }

    #[test]
    fn debug_shows_nothing() {
        assert_eq!(format!("{:?}", SecretBytes::from("hunter2")), "SecretBytes(…)");
    }
}
