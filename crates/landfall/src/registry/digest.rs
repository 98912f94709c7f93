//! Computes and checks content digests (`sha256:…`, `sha512:…`); must not know where the bytes came from.

use sha2::{Digest as _, Sha256, Sha512};

/// The `sha256:` digest of some bytes, in lower-case hexadecimal.
pub(super) fn sha256_of(bytes: &[u8]) -> String {
    format!("sha256:{}", hex(&Sha256::digest(bytes)))
}

/// Whether `text` is a digest we can check: `sha256:` with 64, or `sha512:` with 128 lower-case hexadecimal digits.
pub(super) fn is_digest(text: &str) -> bool {
    let (encoded, length) = match text.split_once(':') {
        Some(("sha256", encoded)) => (encoded, 64),
        Some(("sha512", encoded)) => (encoded, 128),
        _ => return false,
    };
    encoded.len() == length && encoded.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'))
}

/// Whether the bytes have this digest; false for an algorithm we do not know.
pub(super) fn matches(digest: &str, bytes: &[u8]) -> bool {
    match digest.split_once(':') {
        Some(("sha256", encoded)) => hex(&Sha256::digest(bytes)) == encoded,
        Some(("sha512", encoded)) => hex(&Sha512::digest(bytes)) == encoded,
        _ => false,
    }
}

fn hex(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let mut text = String::with_capacity(bytes.len() * 2);
    for byte in bytes {
        text.push(char::from(DIGITS[usize::from(byte >> 4)]));
        text.push(char::from(DIGITS[usize::from(byte & 15)]));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digests_of_nothing() {
        let empty = "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
        assert_eq!(sha256_of(b""), empty);
        assert!(is_digest(empty) && matches(empty, b"") && !matches(empty, b"x"));
        let long = "sha512:cf83e1357eefb8bdf1542850d66d8007d620e4050b5715dc83f4a921d36ce9ce\
                    47d0d13c5d85f2b0ff8318d2877eec2f63b931bd47417a81a538327af927da3e";
        assert!(is_digest(long) && matches(long, b"") && !matches(long, b"x"));
    }

    #[test]
    fn what_is_no_digest() {
        for text in [
            "",
            "sha256",
            "sha256:",
            "sha256:ABC",
            "md5:00",
            &format!("sha256:{}", "A".repeat(64)),
        ] {
            assert!(!is_digest(text), "{text}");
        }
    }
}
