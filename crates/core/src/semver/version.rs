//! Decides what counts as a version; it must not know about their order nor about constraints.

use std::fmt;

use super::Dialect;

/// A version that remembers how it was written.
///
/// `==` compares everything, the original text included. There is no `Ord` on purpose: [`Version::precedence`] holds
/// `1.0` and `v1.0.0+b7` equal, [`newest_first`](super::newest_first) does not.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Version {
    original: String,
    major: u64,
    minor: u64,
    patch: u64,
    prerelease: String,
    metadata: String,
}

/// Which tags count as versions.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Strictness {
    /// Exactly `MAJOR.MINOR.PATCH` without leading zeros, after one optional leading `v`.
    Strict,
    /// Also `1`, `1.2`, `v1` and `01.2.3`.
    #[default]
    Lenient,
}

/// Why a text is no version. The texts are the peers' own, because their users search for them.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum VersionError {
    /// The text does not have the shape of a version.
    #[error("invalid semantic version")]
    Shape,
    /// The text is empty.
    #[error("version string empty")]
    Empty,
    /// The text is longer than the dialect permits.
    #[error("version string is too long (max {limit} bytes)")]
    TooLong {
        /// The limit in bytes.
        limit: usize,
    },
    /// Something other than digits in major, minor or patch.
    #[error("invalid characters in version")]
    Characters,
    /// A number with leading zeros where none are permitted.
    #[error("version segment starts with 0")]
    LeadingZero,
    /// An empty identifier or a character outside `[0-9A-Za-z-]` in the pre-release.
    #[error("invalid prerelease string")]
    Prerelease,
    /// An empty identifier or a character outside `[0-9A-Za-z-]` in the build metadata.
    #[error("invalid metadata string")]
    Metadata,
    /// Major, minor or patch is no number that fits into 64 bits.
    #[error("{}strconv.ParseUint: parsing \"{segment}\": {}", strictness.number_context(), number_problem(segment))]
    Number {
        /// The digits, possibly none.
        segment: String,
        /// Which parser refused them.
        strictness: Strictness,
    },
}

impl Strictness {
    fn number_context(self) -> &'static str {
        match self {
            Self::Strict => "",
            Self::Lenient => "error parsing version segment: ",
        }
    }
}

fn number_problem(segment: &str) -> &'static str {
    if segment.is_empty() {
        "invalid syntax"
    } else {
        "value out of range"
    }
}

impl Version {
    /// Reads one to three numbers, with an optional leading `v` and with leading zeros, and optional pre-release and
    /// metadata. Missing numbers are 0. At most 256 bytes.
    pub fn parse_lenient(text: &str) -> Result<Self, VersionError> {
        Self::parse_lenient_in(text, Dialect::V3_5)
    }

    /// As [`Version::parse_lenient`], under the limits of `dialect`.
    pub fn parse_lenient_in(text: &str, dialect: Dialect) -> Result<Self, VersionError> {
        check_length(text, dialect)?;
        let (rest, metadata) = split_optional(text, '+');
        let (core, prerelease) = split_optional(rest, '-');
        let core = core.strip_prefix('v').unwrap_or(core);
        let segments: Vec<&str> = core.splitn(4, '.').collect();
        let well_formed = segments.len() <= 3
            && segments.iter().all(|segment| !segment.is_empty() && is_digits(segment))
            && prerelease.is_none_or(are_identifiers)
            && metadata.is_none_or(are_identifiers);
        if !well_formed {
            return Err(VersionError::Shape);
        }
        let number = |index: usize| {
            segments
                .get(index)
                .map_or(Ok(0), |segment| number(segment, Strictness::Lenient))
        };
        let (major, minor, patch) = (number(0)?, number(1)?, number(2)?);
        prerelease.map_or(Ok(()), check_prerelease)?;
        Ok(Self::assemble(
            text,
            [major, minor, patch],
            prerelease.unwrap_or_default(),
            metadata.unwrap_or_default(),
        ))
    }

    /// Reads exactly `MAJOR.MINOR.PATCH`, without `v` and leading zeros, with optional pre-release and metadata.
    /// At most 256 bytes.
    pub fn parse_strict(text: &str) -> Result<Self, VersionError> {
        Self::parse_strict_in(text, Dialect::V3_5)
    }

    /// As [`Version::parse_strict`], under the limits of `dialect`.
    ///
    /// The checks run in the original's order (metadata, pre-release, numbers), because the first one to fail is the
    /// error that people see.
    pub(super) fn parse_strict_in(text: &str, dialect: Dialect) -> Result<Self, VersionError> {
        if text.is_empty() {
            return Err(VersionError::Empty);
        }
        check_length(text, dialect)?;
        let mut parts = text.splitn(3, '.');
        let (Some(major), Some(minor), Some(rest)) = (parts.next(), parts.next(), parts.next()) else {
            return Err(VersionError::Shape);
        };
        let (rest, metadata) = split_optional(rest, '+');
        let (patch, prerelease) = split_optional(rest, '-');
        if !metadata.is_none_or(are_identifiers) {
            return Err(VersionError::Metadata);
        }
        prerelease.map_or(Ok(()), check_prerelease)?;
        for segment in [major, minor, patch] {
            if !is_digits(segment) {
                return Err(VersionError::Characters);
            }
            if has_leading_zero(segment) {
                return Err(VersionError::LeadingZero);
            }
        }
        let number = |segment| number(segment, Strictness::Strict);
        let numbers = [number(major)?, number(minor)?, number(patch)?];
        Ok(Self::assemble(
            text,
            numbers,
            prerelease.unwrap_or_default(),
            metadata.unwrap_or_default(),
        ))
    }

    /// Reads a tag as Kargo does: leniently, and under [`Strictness::Strict`] it must also be a strict version once one
    /// leading `v` is cut. The version keeps the tag's text, `v` included.
    pub fn parse_tag(text: &str, strictness: Strictness) -> Result<Self, VersionError> {
        let version = Self::parse_lenient(text)?;
        if strictness == Strictness::Strict {
            Self::parse_strict(text.strip_prefix('v').unwrap_or(text))?;
        }
        Ok(version)
    }

    fn assemble(original: &str, [major, minor, patch]: [u64; 3], prerelease: &str, metadata: &str) -> Self {
        let (original, prerelease, metadata) = (original.to_owned(), prerelease.to_owned(), metadata.to_owned());
        Self {
            original,
            major,
            minor,
            patch,
            prerelease,
            metadata,
        }
    }

    /// The text as it was written.
    pub fn original(&self) -> &str {
        &self.original
    }

    /// The first number.
    pub fn major(&self) -> u64 {
        self.major
    }

    /// The second number, 0 if it was missing.
    pub fn minor(&self) -> u64 {
        self.minor
    }

    /// The third number, 0 if it was missing.
    pub fn patch(&self) -> u64 {
        self.patch
    }

    /// The pre-release without its `-`; empty for a release.
    pub fn prerelease(&self) -> &str {
        &self.prerelease
    }

    /// The build metadata without its `+`; empty if there is none.
    pub fn metadata(&self) -> &str {
        &self.metadata
    }

    /// Whether the version names a pre-release.
    pub fn is_prerelease(&self) -> bool {
        !self.prerelease.is_empty()
    }
}

/// The canonical form: three numbers, pre-release and metadata, without `v` and leading zeros.
impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}.{}", self.major, self.minor, self.patch)?;
        if !self.prerelease.is_empty() {
            write!(f, "-{}", self.prerelease)?;
        }
        if !self.metadata.is_empty() {
            write!(f, "+{}", self.metadata)?;
        }
        Ok(())
    }
}

fn check_length(text: &str, dialect: Dialect) -> Result<(), VersionError> {
    let limit = dialect.version_bytes();
    if text.len() > limit {
        Err(VersionError::TooLong { limit })
    } else {
        Ok(())
    }
}

fn split_optional(text: &str, mark: char) -> (&str, Option<&str>) {
    text.split_once(mark)
        .map_or((text, None), |(before, after)| (before, Some(after)))
}

fn is_digits(text: &str) -> bool {
    text.bytes().all(|byte| byte.is_ascii_digit())
}

fn has_leading_zero(digits: &str) -> bool {
    digits.len() > 1 && digits.starts_with('0')
}

/// Dot-separated identifiers, none of them empty; the form of pre-releases and of metadata.
pub(super) fn are_identifiers(text: &str) -> bool {
    let in_identifier = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-';
    text.split('.')
        .all(|identifier| !identifier.is_empty() && identifier.bytes().all(in_identifier))
}

fn check_prerelease(text: &str) -> Result<(), VersionError> {
    if !are_identifiers(text) {
        return Err(VersionError::Prerelease);
    }
    if text
        .split('.')
        .any(|identifier| is_digits(identifier) && has_leading_zero(identifier))
    {
        return Err(VersionError::LeadingZero);
    }
    Ok(())
}

fn number(segment: &str, strictness: Strictness) -> Result<u64, VersionError> {
    segment.parse().map_err(|_| VersionError::Number {
        segment: segment.to_owned(),
        strictness,
    })
}
