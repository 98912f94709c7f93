//! The command line: one file per command. What was typed becomes what is meant here, and can only fail here.

mod askpass;
mod called_as;
mod cobra;
mod completion;
mod crds;
mod deliveries;
mod docs;
mod ending;
mod environment;
mod external_webhooks_server;
mod get;
mod image_updater;
mod journal;
mod kubernetes;
mod listeners;
mod output;
mod pflag;
mod receivers;
mod secrets;
mod send;
mod serve;
mod server;
mod template;
mod tls;
mod version;

use std::ffi::OsString;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, CommandFactory as _, FromArgMatches as _, Parser, Subcommand};

use self::called_as::CalledAs;
use self::cobra::Found;
use self::ending::{Failure, end};
use self::image_updater::{Program, Stop};

/// Turns a push to a registry into the change that it was pushed for.
///
/// `landfall serve` receives what registries post, keeps it, asks the registry what is really there, and records it in the
/// status of the Warehouses that subscribed. `landfall run` and `landfall webhook` do so with the flags of Argo CD Image
/// Updater, and `landfall external-webhooks-server` with the variables of Kargo. All other commands talk to a running landfall.
#[derive(Debug, Parser)]
#[command(name = "landfall", version, arg_required_else_help = true, max_term_width = 120)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Receive deliveries and follow them up, with resources from a folder of manifests or from Kubernetes.
    Serve(Box<serve::ServeArgs>),
    /// Receive deliveries as Kargo's external webhooks server does, with its variables.
    ExternalWebhooksServer(Box<external_webhooks_server::ExternalWebhooksServerArgs>),
    /// Print resources with their status.
    Get(get::GetArgs),
    /// Print receivers with the URLs to configure at their senders.
    Receivers(receivers::ReceiversArgs),
    /// Post a realistic delivery, signed as its sender signs, to try things out.
    Send(send::SendArgs),
    /// See what came in, what was made of it and why, and take it up again.
    #[command(subcommand)]
    Deliveries(deliveries::DeliveriesCommand),
    /// Show the message that commits get, for two changes that are made up.
    Template(template::TemplateArgs),
    /// Print the definitions of the kinds that landfall reads, for a cluster that has no Kargo.
    Crds(crds::CrdsArgs),
    /// Print what a shell needs to complete commands and flags.
    Completion(completion::CompletionArgs),
    /// Print the version.
    Version(version::VersionArgs),
    /// Print the reference of all settings.
    #[command(hide = true)]
    Docs,
}

/// How a command finds the running landfall.
#[derive(Debug, Args)]
struct Server {
    /// The data folder of the running landfall.
    #[arg(long, env = "LANDFALL_DATA_DIR", default_value = "landfall-data", value_name = "DIR")]
    data_dir: PathBuf,
}

/// What was typed cannot be meant.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct UsageError(pub String);

/// Runs the command that was typed. 0 is success; 1 a failure; 2 a usage error, which for Image Updater is a failure like others.
pub fn run() -> ExitCode {
    let mut words = std::env::args_os();
    let called_as = CalledAs::of(words.next().as_deref());
    let typed: Vec<OsString> = words.collect();
    if askpass::is_asked() {
        let questions: Vec<_> = typed.iter().map(|word| word.to_string_lossy().into_owned()).collect();
        return end(called_as, askpass::answer(&questions).map_err(Failure::Run), None);
    }
    let found = cobra::find(&typed);
    match found.command.as_deref().and_then(Program::named) {
        Some(program) => end(
            called_as,
            image_updaters(called_as, program, &found.rest),
            Some(program.command()),
        ),
        None => others(called_as, found, typed),
    }
}

/// Image Updater's commands, which read their flags as it does, whatever they were called as.
fn image_updaters(called_as: CalledAs, program: Program, typed: &[OsString]) -> Result<(), Failure> {
    match image_updater::understand(program, typed) {
        Ok(understood) => understood.run().map_err(Failure::Run),
        Err(Stop::Help) => output::print(&ending::usage(called_as, program.command(), true)).map_err(Failure::Run),
        Err(Stop::Usage(error)) => Err(Failure::Run(error.into())),
    }
}

/// All other commands, which clap reads; as Image Updater, flags may stand before them, too.
fn others(called_as: CalledAs, found: Found, typed: Vec<OsString>) -> ExitCode {
    let root = root_of(called_as);
    let words = match (called_as, found.command) {
        (CalledAs::Landfall | CalledAs::Kargo, _) | (CalledAs::ImageUpdater, None) => typed,
        (CalledAs::ImageUpdater, Some(command)) => {
            if command != "help" && root.find_subcommand(&command).is_none() {
                return end(called_as, Err(Failure::UnknownCommand(command)), None);
            }
            std::iter::once(command.into()).chain(found.rest).collect()
        }
    };
    let first = words.first().cloned();
    let name = OsString::from(called_as.name());
    let matches = root.try_get_matches_from(std::iter::once(name).chain(words.iter().cloned()));
    let cli = matches.and_then(|matches| Cli::from_arg_matches(&matches));
    let result = match cli {
        Ok(cli) => cli.command.run(called_as).map_err(Failure::Run),
        Err(error) => Err(Failure::Words(environment::named(error, &root_of(called_as), &words))),
    };
    // The description of all commands is large, and a server would hold it for as long as it runs. It is made anew for whoever
    // has to be told how a command is used.
    let command = result.is_err().then(|| {
        let root = root_of(called_as);
        let command = first.and_then(|word| root.find_subcommand(word)).cloned();
        command.unwrap_or(root)
    });
    end(called_as, result, command)
}

/// Every command there is.
fn root_of(called_as: CalledAs) -> clap::Command {
    let commands = environment::without_empty(Cli::command());
    let commands = match called_as {
        CalledAs::Landfall => commands,
        CalledAs::ImageUpdater | CalledAs::Kargo => at_home(commands),
    };
    let programs = Program::ALL.map(Program::command);
    commands
        .name(called_as.name())
        .bin_name(called_as.name())
        .subcommands(programs)
}

/// In the pods of Image Updater and of Kargo, all commands look for the data folder where those of the peer have it.
fn at_home(command: clap::Command) -> clap::Command {
    command
        .mut_subcommands(at_home)
        .mut_args(|arg| match arg.get_id() == "data_dir" {
            true => arg.default_value(image_updater::DATA_DIR),
            false => arg,
        })
}

impl Command {
    fn run(self, called_as: CalledAs) -> anyhow::Result<()> {
        match self {
            Self::Serve(args) => args.run(),
            Self::ExternalWebhooksServer(args) => args.run(),
            Self::Get(args) => block_on(args.run()),
            Self::Receivers(args) => block_on(args.run()),
            Self::Send(args) => block_on(args.run()),
            Self::Deliveries(command) => block_on(command.run()),
            Self::Template(args) => args.run(called_as),
            Self::Crds(args) => args.run(),
            Self::Completion(args) => args.run(root_of(called_as)),
            Self::Version(args) => args.run(called_as),
            Self::Docs => docs::run(&root_of(called_as)),
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
