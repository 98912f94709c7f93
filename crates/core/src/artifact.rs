//! Decides what may stand for one artifact within a repository: tags and digests. It must not know whether they exist.

use std::fmt;

use serde::{Deserialize, Serialize};

/// Most characters of a tag, by the distribution specification.
const MAX_TAG: usize = 128;
/// Most bytes of a digest: a 128-byte hash in hex, with room for its algorithm's name.
const MAX_DIGEST: usize = 320;

/// Why a text is no tag.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotATag {
    /// Nothing at all.
    #[error("the tag is empty")]
    Empty,
    /// More than 128 characters.
    #[error("the tag is longer than 128 characters")]
    TooLong,
    /// A dot or a dash comes first.
    #[error("the tag begins with a dot or a dash; it must begin with a letter, a digit or _")]
    Beginning,
    /// Anything else.
    #[error("the tag has a character other than letters, digits, _ . and - in ASCII")]
    Character,
}

/// Why a text is no digest.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotADigest {
    /// No `algorithm:hex` in lower case.
    #[error("the digest is not of the form algorithm:hex in lower case, for example sha256: and 64 digits")]
    Form,
    /// Too many or too few digits for the algorithm, or for any.
    #[error("the digest has the wrong number of digits for its algorithm: sha256 has 64, sha512 has 128")]
    Length,
}

/// A tag as registries accept it: `[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}`. Case matters.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub struct Tag(String);

impl Tag {
    /// Takes the text as it is; nothing is trimmed.
    ///
    /// # Errors
    /// Where no registry could have such a tag.
    pub fn parse(text: &str) -> Result<Self, NotATag> {
        let is_word = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
        let Some(first) = text.bytes().next() else {
            return Err(NotATag::Empty);
        };
        if text.len() > MAX_TAG {
            return Err(NotATag::TooLong);
        }
        if !text.bytes().all(|byte| is_word(byte) || byte == b'.' || byte == b'-') {
            return Err(NotATag::Character);
        }
        if !is_word(first) {
            return Err(NotATag::Beginning);
        }
        Ok(Self(text.to_owned()))
    }

    /// The tag.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// A digest, `sha256:` and 64 lower-case digits for example. Other algorithms than sha256 and sha512 may be any number
/// of hexadecimal digits, as Kargo's resources allow.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub struct Digest(String);

impl Digest {
    /// Takes the text as it is; nothing is trimmed and no case changed.
    ///
    /// # Errors
    /// Where the form is another, or the length is not the algorithm's.
    pub fn parse(text: &str) -> Result<Self, NotADigest> {
        let (algorithm, hex) = text.split_once(':').ok_or(NotADigest::Form)?;
        let is_name = |byte: u8| byte.is_ascii_digit() || byte.is_ascii_lowercase();
        let is_hex = |byte: u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte);
        if algorithm.is_empty() || hex.is_empty() || !algorithm.bytes().all(is_name) || !hex.bytes().all(is_hex) {
            return Err(NotADigest::Form);
        }
        let has_length = match algorithm {
            "sha256" => hex.len() == 64,
            "sha512" => hex.len() == 128,
            _ => text.len() <= MAX_DIGEST,
        };
        if has_length {
            Ok(Self(text.to_owned()))
        } else {
            Err(NotADigest::Length)
        }
    }

    /// The digest with its algorithm.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Tag {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(&self.0)
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(&self.0)
    }
}

impl From<Tag> for String {
    fn from(tag: Tag) -> Self {
        tag.0
    }
}

impl From<Digest> for String {
    fn from(digest: Digest) -> Self {
        digest.0
    }
}

impl TryFrom<String> for Tag {
    type Error = NotATag;

    fn try_from(text: String) -> Result<Self, NotATag> {
        Self::parse(&text)
    }
}

impl TryFrom<String> for Digest {
    type Error = NotADigest;

    fn try_from(text: String) -> Result<Self, NotADigest> {
        Self::parse(&text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn tags_are_what_registries_accept() {
        let longest = "t".repeat(128);
        for tag in ["latest", "v1.2.3", "_", "1.4.0-RC.1", "a..b", "0", longest.as_str()] {
            assert_eq!(Tag::parse(tag).map(String::from), Ok(tag.to_owned()));
        }
        let too_long = "t".repeat(129);
        let rows = [
            ("", NotATag::Empty),
            (too_long.as_str(), NotATag::TooLong),
            (".hidden", NotATag::Beginning),
            ("-x", NotATag::Beginning),
            ("a b", NotATag::Character),
            ("1.4+b", NotATag::Character),
            ("a/b", NotATag::Character),
            ("ä", NotATag::Character),
            ("v1\n", NotATag::Character),
        ];
        for (text, expected) in rows {
            assert_eq!(Tag::parse(text), Err(expected), "{text:?}");
        }
    }

    #[test]
    fn digests_have_the_length_of_their_algorithm() {
        let accepted = [
            format!("sha256:{}", "0f".repeat(32)),
            format!("sha512:{}", "0f".repeat(64)),
            "md5:00".to_owned(),
            "blake3:abcdef".to_owned(),
        ];
        for text in accepted {
            assert_eq!(Digest::parse(&text).map(String::from), Ok(text));
        }
        let rows = [
            (String::new(), NotADigest::Form),
            ("sha256".to_owned(), NotADigest::Form),
            ("sha256:".to_owned(), NotADigest::Form),
            (":ab".to_owned(), NotADigest::Form),
            (format!("sha256:{}", "0F".repeat(32)), NotADigest::Form),
            (format!("SHA256:{}", "0f".repeat(32)), NotADigest::Form),
            (
                "multihash+base58:QmRZxt2b1FVZPNqd8hsiykDL3TdBDeTSPX9Kv46HmX4Gx8".to_owned(),
                NotADigest::Form,
            ),
            (format!("sha256:{}", "0".repeat(63)), NotADigest::Length),
            (format!("sha512:{}", "0".repeat(64)), NotADigest::Length),
            (format!("x:{}", "0".repeat(400)), NotADigest::Length),
        ];
        for (text, expected) in rows {
            assert_eq!(Digest::parse(&text), Err(expected), "{text:?}");
        }
    }

    #[test]
    fn reading_json_checks_again() {
        assert_eq!(
            serde_json::to_string(&Tag("v1".to_owned())).ok(),
            Some("\"v1\"".to_owned())
        );
        assert!(serde_json::from_str::<Tag>("\"a b\"").is_err());
        assert!(serde_json::from_str::<Digest>("\"sha256:00\"").is_err());
    }

    proptest! {
        #[test]
        fn parsing_never_panics_and_keeps_what_it_takes(text in ".{0,40}") {
            if let Ok(tag) = Tag::parse(&text) {
                prop_assert_eq!(tag.as_str(), text.as_str());
            }
            if let Ok(digest) = Digest::parse(&text) {
                prop_assert_eq!(digest.as_str(), text.as_str());
            }
        }
    }
}
