//! Holds secret values so that they cannot be printed, and compares them in constant time; it must not know where they come from.

use std::fmt;

use hmac::{Hmac, KeyInit as _, Mac as _};
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

    /// The HMAC-SHA256 of a message under this secret.
    pub fn sign(&self, message: &[u8]) -> [u8; 32] {
        let mut mac = Hmac::<Sha256>::new_from_slice(&self.0).expect("HMAC takes keys of every length");
        mac.update(message);
        mac.finalize().into_bytes().into()
    }

    /// Whether `offered` is the signature of `message`. An empty secret signs nothing.
    pub fn signs(&self, message: &[u8], offered: &[u8; 32]) -> bool {
        let same: bool = self.sign(message).ct_eq(offered).into();
        same && !self.is_empty()
    }
}

/// The secrets that a sender may show: the one in force and, while a rotation goes on, the one before it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Secrets {
    current: SecretBytes,
    previous: Option<SecretBytes>,
}

/// Which of a sender's secrets was shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum SecretAge {
    /// The one in force.
    Current,
    /// The one that was in force before; whoever shows it is still to be told the new one.
    Previous,
}

impl SecretAge {
    /// The word for logs, tables and labels.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Current => "current",
            Self::Previous => "previous",
        }
    }
}

impl Secrets {
    /// One secret, and no rotation.
    pub fn only(current: SecretBytes) -> Self {
        Self {
            current,
            previous: None,
        }
    }

    /// A new secret, beside the one that it replaces.
    pub fn rotating(current: SecretBytes, previous: SecretBytes) -> Self {
        Self {
            current,
            previous: Some(previous),
        }
    }

    /// Whether there is a previous one.
    pub fn are_rotating(&self) -> bool {
        self.previous.is_some()
    }

    /// Which secret `is_shown` holds for. It is asked twice in every case, so that the time tells neither which secret was
    /// right, nor whether there are two. Where both are the same, it is the current one.
    pub fn shown(&self, is_shown: impl Fn(&SecretBytes) -> bool) -> Option<SecretAge> {
        let current = is_shown(&self.current);
        let previous = is_shown(self.previous.as_ref().unwrap_or(&self.current));
        match (current, previous) {
            (true, _) => Some(SecretAge::Current),
            (false, true) => Some(SecretAge::Previous),
            (false, false) => None,
        }
    }
}

impl From<SecretBytes> for Secrets {
    fn from(current: SecretBytes) -> Self {
        Self::only(current)
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

    /// The second case of RFC 4231.
    #[test]
    fn a_signature_is_the_hmac_of_the_message() {
        let (secret, message) = (SecretBytes::from("Jefe"), b"what do ya want for nothing?");
        let mut signature = [
            0x5b, 0xdc, 0xc1, 0x46, 0xbf, 0x60, 0x75, 0x4e, 0x6a, 0x04, 0x24, 0x26, 0x08, 0x95, 0x75, 0xc7, 0x5a, 0x00,
            0x3f, 0x08, 0x9d, 0x27, 0x39, 0x83, 0x9d, 0xec, 0x58, 0xb9, 0x64, 0xec, 0x38, 0x43,
        ];
        assert!(secret.signs(message, &signature));
        assert!(!secret.signs(b"what do ya want for something?", &signature));
        assert!(!SecretBytes::from("jefe").signs(message, &signature));
        signature[31] ^= 1;
        assert!(!secret.signs(message, &signature));
    }

    #[test]
    fn an_empty_secret_signs_nothing() {
        let empty = SecretBytes::from("");
        assert!(!empty.signs(b"message", &empty.sign(b"message")));
    }

    #[test]
    fn either_of_two_secrets_is_known_by_its_age() {
        let only = Secrets::only("new".into());
        let rotating = Secrets::rotating("new".into(), "old".into());
        let unchanged = Secrets::rotating("new".into(), "new".into());
        let hollow = Secrets::rotating("new".into(), "".into());
        for (secrets, offered, expected) in [
            (&only, "new", Some(SecretAge::Current)),
            (&only, "old", None),
            (&only, "", None),
            (&rotating, "new", Some(SecretAge::Current)),
            (&rotating, "old", Some(SecretAge::Previous)),
            (&rotating, "older", None),
            (&rotating, "", None),
            (&unchanged, "new", Some(SecretAge::Current)),
            (&hollow, "", None),
        ] {
            let shown = secrets.shown(|secret| secret.matches(offered.as_bytes()));
            assert_eq!(shown, expected, "{offered:?}");
        }
    }

    #[test]
    fn debug_shows_nothing() {
        assert_eq!(format!("{:?}", SecretBytes::from("hunter2")), "SecretBytes(…)");
        let shown = format!("{:?}", Secrets::rotating("hunter2".into(), "hunter1".into()));
        assert!(!shown.contains("hunter"), "{shown}");
    }
}
