//! The strategy NewestBuild: the images built last first, whatever their tags say.

use std::cmp::Reverse;

use jiff::Timestamp;

use crate::artifact::Tag;
use crate::discovery::{Catalog, Seen};

/// `tags`, those built last first and equals by tag, descending; or the tags that must be looked at before that is known.
pub(super) fn order<'a>(tags: Vec<&'a Tag>, catalog: &Catalog) -> Result<Vec<&'a Tag>, Vec<Tag>> {
    let (seen, unseen): (Vec<&Tag>, Vec<&Tag>) = tags.into_iter().partition(|tag| catalog.seen(tag).is_some());
    if !unseen.is_empty() {
        return Err(unseen.into_iter().cloned().collect());
    }
    let mut dated: Vec<(Option<Timestamp>, &Tag)> = seen.into_iter().map(|tag| (created(catalog, tag), tag)).collect();
    dated.sort_by_key(|(created, tag)| Reverse((*created, *tag)));
    Ok(dated.into_iter().map(|(_, tag)| tag).collect())
}

fn created(catalog: &Catalog, tag: &Tag) -> Option<Timestamp> {
    match catalog.seen(tag) {
        Some((_, Seen::Image(facts))) => facts.created,
        Some((_, Seen::Unusable(_))) | None => None,
    }
}
