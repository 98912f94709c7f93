//! The strategy Lexical: the greatest tags first, byte by byte.

use crate::artifact::Tag;

/// `tags`, the greatest first.
pub(super) fn order(mut tags: Vec<&Tag>) -> Vec<&Tag> {
    tags.sort_by(|a, b| b.as_str().cmp(a.as_str()));
    tags
}
