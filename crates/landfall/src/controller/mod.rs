//! Keeps each kind of resource in force and up to date: one file per kind, and what they share.

pub mod credentials;
pub mod publisher;
pub mod receivers;
pub mod reconciler;
pub mod slots;
pub mod warehouse;
