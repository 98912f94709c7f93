//! A user name and password for a test registry, which show the password to nobody but HTTP.

use std::fmt;

/// A user name and a password. `Debug` leaves the password out.
#[derive(Clone, PartialEq, Eq)]
pub struct Credentials {
    /// The user name; without `:`.
    pub username: String,
    /// The password.
    pub password: String,
}

/// The password file line of [`Credentials::fixed`], so that a registry with auth needs no `htpasswd` program.
/// Cost 4, the lowest there is: the registry computes it for every request.
const FIXED_LINE: &str = "robot:$2y$04$LBvnZxSuHULeSc7dA3DtWeQbHLHGDyIDCjFGYMfYb7LlqNrbhnErO";

impl Credentials {
    /// A user name and a password.
    pub fn new(username: impl Into<String>, password: impl Into<String>) -> Self {
        Self {
            username: username.into(),
            password: password.into(),
        }
    }

    /// The pair whose password file line is built in: a registry that uses it does not need `htpasswd`.
    pub fn fixed() -> Self {
        Self::new("robot", "landfall-harness")
    }

    /// The value of an `Authorization` header: `Basic …`.
    pub fn basic(&self) -> String {
        format!(
            "Basic {}",
            base64(format!("{}:{}", self.username, self.password).as_bytes())
        )
    }

    /// The built-in line of a password file, where these are the fixed credentials.
    pub(crate) fn fixed_line(&self) -> Option<&'static str> {
        (*self == Self::fixed()).then_some(FIXED_LINE)
    }
}

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Credentials")
            .field("username", &self.username)
            .finish_non_exhaustive()
    }
}

/// Base64 with padding, the standard alphabet (RFC 4648, section 4).
fn base64(bytes: &[u8]) -> String {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::with_capacity(bytes.len().div_ceil(3) * 4);
    for chunk in bytes.chunks(3) {
        let group = (0..3).fold(0_usize, |group, i| {
            group << 8 | chunk.get(i).copied().map_or(0, usize::from)
        });
        for position in 0..4 {
            let sextet = group >> (18 - 6 * position) & 0x3f;
            text.push(if position <= chunk.len() {
                char::from(ALPHABET[sextet])
            } else {
                '='
            });
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn base64_vectors_of_the_rfc() {
        for (input, expected) in [
            ("", ""),
            ("f", "Zg=="),
            ("fo", "Zm8="),
            ("foo", "Zm9v"),
            ("foob", "Zm9vYg=="),
            ("fooba", "Zm9vYmE="),
            ("foobar", "Zm9vYmFy"),
        ] {
            assert_eq!(base64(input.as_bytes()), expected, "{input:?}");
        }
    }

    #[test]
    fn debug_hides_the_password() {
        assert_eq!(
            format!("{:?}", Credentials::new("ann", "s3cret")),
            "Credentials { username: \"ann\", .. }"
        );
    }
}
