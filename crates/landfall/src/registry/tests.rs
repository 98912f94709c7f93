//! The registry client against a real registry, and against fakes at the wire where a real one does not misbehave.

mod access;
mod content;
mod pages;
mod patience;
mod real;
mod wire;
