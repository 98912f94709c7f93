//! Asks registries what is really there: from subscriptions and hints to catalogs. What a manifest means and what is
//! chosen is decided in `landfall-core`.

mod catalogs;
mod look;

pub use catalogs::Catalogs;
pub use look::{LookError, Looked, Repository};
