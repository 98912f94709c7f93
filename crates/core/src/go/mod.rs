//! What Go's standard library answers where Rust's answers otherwise. It must not know what landfall asks it for.

pub mod boolean;
pub mod duration;
pub mod integer;
pub mod printable;
pub mod quote;
pub mod regexp;
pub mod strconv;
pub mod surrogates;
mod tables;
pub mod template;
pub mod url;
