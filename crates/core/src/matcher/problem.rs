//! Says why no event can be for a subscription, whatever is pushed.

use std::collections::HashMap;

use super::filter::{Filter, Wish};
use super::repository_of;
use crate::go::regexp::Patterns;
use crate::resource::Source;

/// Why no event can be for a subscription to an image, a chart or a Git repository; `None` where one can.
pub fn problem(source: &Source) -> Option<String> {
    if matches!(source, Source::Generic { .. } | Source::Unreadable { .. }) {
        return None;
    }
    if repository_of(source).is_none() {
        return Some("repoURL names no repository".to_owned());
    }
    match Filter::compile(source, &mut HashMap::new(), &mut Patterns::default()).wish() {
        Wish::Broken(problem) => Some(problem.clone()),
        Wish::Image(_) | Wish::Chart(_) | Wish::Git { .. } => None,
    }
}
