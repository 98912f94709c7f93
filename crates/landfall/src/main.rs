//! landfall: one binary that turns a push to a registry into the change that it was pushed for. Here it only starts.

mod admin;
mod app;
mod cli;
mod clock;
mod config;
mod controller;
mod definitions;
mod discovery;
mod intake;
mod lease;
mod live;
mod metrics;
mod pipeline;
mod reconfigure;
mod registry;
mod resources;
mod senders;
mod server;
mod statuses;
mod store;
mod telemetry;
mod webhook_secrets;

use std::process::ExitCode;

use mimalloc::MiMalloc;

/// What one thread takes is given back by another one all the time here, since requests become rows of the one thread that writes;
/// glibc's allocator makes both pay for that.
#[global_allocator]
static ALLOCATOR: MiMalloc = MiMalloc;

fn main() -> ExitCode {
    cli::run()
}
