//! Decides how versions are read, ordered and matched against constraints; it must not know where they come from.
//!
//! The dialect is the one that Kargo and Argo CD Image Updater speak, which differs from Cargo's and npm's: versions
//! may lack parts, wildcards have a meaning of their own under each operator, and a group of comparisons admits
//! pre-releases as soon as one of them names a pre-release. `fixtures/vectors/semver_*.jsonl` holds what both programs
//! really answer.

mod comparison;
mod constraint;
mod precedence;
mod version;

#[cfg(test)]
mod tests;

pub use constraint::{Constraint, ConstraintError};
pub use precedence::newest_first;
pub use version::{Strictness, Version, VersionError};

/// Whose limits and error texts apply. Where both dialects accept a text, they agree on everything else.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Dialect {
    /// Kargo: versions of up to 256 bytes, constraints of up to 512 bytes and 32 alternatives; errors quote the text.
    #[default]
    V3_5,
    /// Argo CD Image Updater: errors repeat the text without quotes. The original knows no limits; here versions and
    /// constraints end at 4096 bytes, so that nobody can make us hold or compare more than that.
    V3_4,
}

impl Dialect {
    const fn version_bytes(self) -> usize {
        match self {
            Self::V3_5 => 256,
            Self::V3_4 => 4096,
        }
    }

    const fn constraint_bytes(self) -> usize {
        match self {
            Self::V3_5 => 512,
            Self::V3_4 => 4096,
        }
    }

    const fn alternatives(self) -> usize {
        match self {
            Self::V3_5 => 32,
            // As many as fit into the bytes.
            Self::V3_4 => usize::MAX,
        }
    }
}
