//! Decides which artifacts a subscription's policy picks: one file per strategy. It must not know where the catalog came
//! from, nor what will be done with the choice.

pub mod chart;
mod digest;
pub mod doublestar;
pub mod git_ref;
mod lexical;
mod newest_build;
pub mod path_pattern;
mod platform;
mod policy;
mod semver;
mod tag_cache;
pub mod tag_filter;

pub use platform::{NotAPlatform, Platform};
pub use policy::{Choice, ImagePolicy, LeftOut, PolicyError, Reference, Selection};
pub use tag_cache::{MustCacheByTag, NotATagCachePolicy, TagCachePolicy};

#[cfg(test)]
mod tests;
