//! Holds the credentials a repository is asked with, so that they are never shown; must not know where they go.

use sha2::{Digest as _, Sha256};

/// A password or access token; it has no `Display`, and its `Debug` shows nothing of it.
#[derive(Clone)]
pub struct Password(String);

impl Password {
    /// Takes a password as it is, without trimming.
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// The text itself, for the one request that proves it.
    pub(super) fn expose(&self) -> &str {
        &self.0
    }
}

impl std::fmt::Debug for Password {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Password([redacted])")
    }
}

/// As whom a repository is asked.
#[derive(Debug, Clone)]
pub enum Access {
    /// As nobody.
    Anonymous,
    /// With a user name and password; they also buy bearer tokens.
    Basic {
        /// The user name; it must not hold a colon.
        username: String,
        /// The password or access token.
        password: Password,
    },
}

/// Tells two credentials apart without keeping them; `None` in a cache key stands for anonymous.
#[derive(Clone, PartialEq, Eq, Hash)]
pub(super) struct Fingerprint([u8; 32]);

impl Access {
    /// The fingerprint of the credentials, if there are any.
    pub(super) fn fingerprint(&self) -> Option<Fingerprint> {
        let Self::Basic { username, password } = self else {
            return None;
        };
        let mut hash = Sha256::new();
        // The length keeps ("ab", "c") and ("a", "bc") apart.
        hash.update(username.len().to_be_bytes());
        hash.update(username.as_bytes());
        hash.update(password.expose().as_bytes());
        Some(Fingerprint(hash.finalize().into()))
    }

    /// The secret to cut out of messages; empty if there is none.
    pub(super) fn secret(&self) -> &str {
        match self {
            Self::Anonymous => "",
            Self::Basic { password, .. } => password.expose(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn basic(username: &str, password: &str) -> Access {
        Access::Basic {
            username: username.into(),
            password: Password::new(password),
        }
    }

    #[test]
    fn debug_shows_no_password() {
        assert_eq!(
            format!("{:?}", basic("bob", "hunter22")),
            r#"Basic { username: "bob", password: Password([redacted]) }"#
        );
    }

    #[test]
    fn fingerprints_tell_credentials_apart() {
        assert!(basic("ab", "c").fingerprint() != basic("a", "bc").fingerprint());
        assert!(basic("a", "b").fingerprint() == basic("a", "b").fingerprint());
        assert!(Access::Anonymous.fingerprint().is_none());
    }
}
