//! Where resources come from. Today that is a folder of manifests; an API server will be the other place.

pub mod manifests;
