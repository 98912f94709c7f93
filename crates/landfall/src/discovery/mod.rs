//! Asks registries what is really there: from subscriptions and hints to catalogs. What a manifest means and what is
//! chosen is decided in `landfall-core`.

mod catalogs;
mod failures;
mod look;

pub use catalogs::Catalogs;
pub use failures::Failures;
pub use look::{LookError, Looked, Repository};
