//! The strategy SemVer: tags that are versions and satisfy a constraint, the greatest first.

use crate::artifact::Tag;
use crate::semver::{Constraint, Strictness, Version, newest_first};

/// Whether a tag is a wanted version.
pub(super) fn wants(constraint: Option<&Constraint>, strictness: Strictness, tag: &str) -> Result<String, String> {
    let version = Version::parse_tag(tag, strictness).map_err(|_| match strictness {
        Strictness::Strict => "the tag is no strict semantic version (MAJOR.MINOR.PATCH)".to_owned(),
        Strictness::Lenient => "the tag is no semantic version".to_owned(),
    })?;
    match constraint {
        None => Ok("the tag is a semantic version".to_owned()),
        Some(constraint) => match constraint.refusal(&version) {
            None => Ok(format!("the tag satisfies {}", constraint.as_str())),
            Some(refusal) => Err(refusal),
        },
    }
}

/// The wanted versions among `tags`, the greatest first.
pub(super) fn order<'a>(tags: Vec<&'a Tag>, constraint: Option<&Constraint>, strictness: Strictness) -> Vec<&'a Tag> {
    let mut versions: Vec<(Version, &Tag)> = tags
        .into_iter()
        .filter_map(|tag| Some((Version::parse_tag(tag.as_str(), strictness).ok()?, tag)))
        .filter(|(version, _)| constraint.is_none_or(|constraint| constraint.allows(version)))
        .collect();
    versions.sort_by(|(a, _), (b, _)| newest_first(a, b));
    versions.into_iter().map(|(_, tag)| tag).collect()
}
