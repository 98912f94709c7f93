//! The advisory locks that processes on one database take, by number; each is held for one transaction.

/// All of them are in this class, which others in the same database hardly use.
pub(super) const LANDFALL: i32 = 0x4c46;
/// Whoever changes the schema.
pub(super) const SCHEMA: i32 = 1;
/// Whoever becomes a replica.
pub(super) const REPLICAS: i32 = 2;
/// Whoever gives out places in time to deliveries with a pace.
pub(super) const PACE: i32 = 3;
/// Whoever lets old entries go.
pub(super) const RETENTION: i32 = 4;
