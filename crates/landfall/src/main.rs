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
mod memory;
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

fn main() -> ExitCode {
    cli::run()
}
