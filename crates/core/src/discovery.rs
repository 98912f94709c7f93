//! Decides what was seen at a registry: what a manifest says, what a catalog of a repository knows, and what it still has
//! to ask. It must not know how a registry is asked, nor what will be chosen.

mod catalog;
mod manifest;
mod room;
mod status;

pub use catalog::{Catalog, Observation, Seen};
pub use manifest::{ChildImage, ConfigFacts, Facts, Manifest, PlatformFacts, Unusable, read_config, read_manifest};
pub use status::{Discovered, Keeps, Subject, Undiscovered, first_look_status, is_success, warehouse_status};

#[cfg(test)]
mod tests;
