//! Decides which of two versions is newer; it must not know how they were parsed.

use std::cmp::Ordering;

use super::Version;

impl Version {
    /// The order of SemVer: build metadata and spelling play no part, and a pre-release is older than its release.
    pub fn precedence(&self, other: &Self) -> Ordering {
        let numbers = |version: &Self| (version.major(), version.minor(), version.patch());
        numbers(self)
            .cmp(&numbers(other))
            .then_with(|| compare_prereleases(self.prerelease(), other.prerelease()))
    }
}

/// Descending order of tags as Kargo's SemVer selection has it: the newest first, and versions of equal precedence by
/// their original text, descending bytewise. Argo CD Image Updater's order is the exact reverse.
pub fn newest_first(a: &Version, b: &Version) -> Ordering {
    b.precedence(a).then_with(|| b.original().cmp(a.original()))
}

fn compare_prereleases(a: &str, b: &str) -> Ordering {
    match (a.is_empty(), b.is_empty()) {
        (true, true) => Ordering::Equal,
        (true, false) => Ordering::Greater,
        (false, true) => Ordering::Less,
        (false, false) => a
            .split('.')
            .map(Identifier::from)
            .cmp(b.split('.').map(Identifier::from)),
    }
}

/// One identifier of a pre-release. The order of the variants is the order of SemVer: numbers before texts.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
enum Identifier<'a> {
    Number(u64),
    /// Also a number beyond 64 bits, which the originals compare as text and so hold greater than any number.
    Text(&'a str),
}

impl<'a> From<&'a str> for Identifier<'a> {
    fn from(text: &'a str) -> Self {
        text.parse().map_or(Self::Text(text), Self::Number)
    }
}
