//! Journeys: what landfall promises, told as stories over real parts. A real registry, real pushes, the real binary, its
//! files and its commands; nothing here knows how landfall is made.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "everything here is a test, which ends where it cannot go on, and prints how it can be played again"
)]

mod commands;
mod credentials;
mod definitions;
mod deploy;
mod deploy_kargo;
mod door;
mod full_disk;
mod journal;
mod kill;
mod limits;
mod manifests;
mod map;
mod mirrors;
mod postgres;
mod receivers;
mod requests;
mod retries;
mod scraped;
mod secrets;
mod secured;
mod seeing;
mod sender_pages;
mod senders;
mod silence;
mod stock;
mod strategies;
mod terraform;
mod tls;
mod world;
