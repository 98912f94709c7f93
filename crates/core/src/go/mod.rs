//! What Go's standard library answers where Rust's answers otherwise. It must not know what landfall asks it for.

pub mod duration;
pub mod printable;
pub mod regexp;
mod tables;
pub mod url;
