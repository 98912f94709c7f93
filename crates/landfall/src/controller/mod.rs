//! Keeps each kind of resource in force and up to date: one file per kind.

pub mod credentials;
pub mod publisher;
pub mod receivers;
pub mod reconciler;
pub mod warehouse;
