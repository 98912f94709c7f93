//! What a refresh of a target does, as a closed set.

use crate::controller::warehouse::Discovery;
use crate::resources::kubernetes::Annotator;

/// What a refresh does.
pub enum Effect {
    /// It asks the registries, and records in the target's status what they have.
    Discover(Discovery),
    /// It asks whoever serves the target to look, by an annotation.
    Annotate(Annotator),
}
