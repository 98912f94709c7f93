//! The command line: one file per command. What was typed becomes what is meant here, and can only fail here.

mod deliveries;
mod get;
mod output;
mod receivers;
mod send;
mod serve;
mod tls;
mod version;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, Parser, Subcommand};

/// Turns a push to a registry into the change that it was pushed for.
///
/// `landfall serve` receives what registries post, keeps it, asks the registry what is really there, and records it in the
/// status of the Warehouses that subscribed. All other commands talk to a running `landfall serve`.
#[derive(Debug, Parser)]
#[command(name = "landfall", version, arg_required_else_help = true, max_term_width = 120)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Receive deliveries and follow them up, with resources from a folder of manifests.
    Serve(Box<serve::ServeArgs>),
    /// Print resources with their status.
    Get(get::GetArgs),
    /// Print receivers with the URLs to configure at their senders.
    Receivers(receivers::ReceiversArgs),
    /// Post a realistic delivery, signed as its sender signs, to try things out.
    Send(send::SendArgs),
    /// See what came in, what was made of it and why, and take it up again.
    #[command(subcommand)]
    Deliveries(deliveries::DeliveriesCommand),
    /// Print the version.
    Version(version::VersionArgs),
}

/// How a command finds the running landfall.
#[derive(Debug, Args)]
struct Server {
    /// The data folder of the running landfall.
    #[arg(long, env = "LANDFALL_DATA_DIR", default_value = "landfall-data", value_name = "DIR")]
    data_dir: PathBuf,
}

/// What was typed cannot be meant. Ends with exit code 2.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct UsageError(pub String);

/// Runs the command that was typed. 0 is success, 1 a failure, 2 a usage error.
pub fn run() -> ExitCode {
    let cli = Cli::parse();
    let result = match cli.command {
        Command::Serve(args) => args.run(),
        Command::Get(args) => block_on(args.run()),
        Command::Receivers(args) => block_on(args.run()),
        Command::Send(args) => block_on(args.run()),
        Command::Deliveries(command) => block_on(command.run()),
        Command::Version(args) => args.run(),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        // Whoever reads our output has seen enough: `landfall get … | head -1`.
        Err(error) if output::is_broken_pipe(&error) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("landfall: {error:#}");
            ExitCode::from(if error.is::<UsageError>() { 2 } else { 1 })
        }
    }
}

/// Runs a command that only talks to a server; one thread is enough.
fn block_on(work: impl Future<Output = anyhow::Result<()>>) -> anyhow::Result<()> {
    crate::app::install_crypto();
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?
        .block_on(work)
}
