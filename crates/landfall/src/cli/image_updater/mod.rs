//! `landfall run` and `landfall webhook`: Image Updater's commands, with its flags, variables and ConfigMap, and its order among
//! them. What is typed becomes what is meant here; nothing runs before that.

mod commit_template;
mod flags;
mod metrics;
mod notes;
mod postponed;
mod surroundings;
mod variables;

use std::ffi::OsString;

use clap::{Arg, ArgMatches, Args as _, Command, FromArgMatches as _};

pub(super) use self::flags::DATA_DIR;
use self::flags::Flags;
use self::surroundings::Surroundings;
use super::{UsageError, environment, pflag, secrets, server};
use crate::config::Config;

/// Image Updater's commands that run a server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Program {
    /// The controller, which has a webhook door where it is told to.
    Run,
    /// The webhook door alone.
    Webhook,
}

const ENABLE_WEBHOOK: &str = "enable-webhook";

impl Program {
    /// Both.
    pub(super) const ALL: [Self; 2] = [Self::Run, Self::Webhook];

    /// The command's name.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Run => "run",
            Self::Webhook => "webhook",
        }
    }

    /// The command of that name.
    pub(super) fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|program| program.name() == name)
    }

    fn examples(self) -> &'static str {
        match self {
            Self::Run => {
                "Examples:\n  landfall run --manifests /etc/landfall --data-dir /var/lib/landfall --enable-webhook\n  \
                 landfall run --kubernetes --watch-namespaces shop,bank --data-dir /var/lib/landfall --enable-webhook\n  \
                 argocd-image-updater --metrics-bind-address=:8443 run"
            }
            Self::Webhook => {
                "Examples:\n  landfall webhook --manifests /etc/landfall --data-dir /var/lib/landfall\n  \
                 DOCKER_WEBHOOK_SECRET=s3cret landfall webhook --manifests /etc/landfall --disable-tls"
            }
        }
    }

    /// The command with all its flags, for help, completion and documentation.
    pub(super) fn command(self) -> Command {
        let command = Flags::augment_args(Command::new(self.name()));
        // The namespaces to watch are a setting of the peer's.
        let command = command.mut_arg("watch_namespaces", |arg| arg.env("IMAGE_UPDATER_WATCH_NAMESPACES"));
        let command = match self {
            Self::Run => command
                .about("Run as Argo CD Image Updater's controller does, with its flags and variables")
                .arg(enable_webhook()),
            Self::Webhook => command
                .about(
                    "Receive deliveries as Argo CD Image Updater's webhook server does, with its flags and variables",
                )
                .mut_arg("webhook_port", |port| port.default_value("8080")),
        };
        // What an empty variable of the peer's means, is its own matter.
        let ours = |arg: Arg| match surroundings::is_lenient(&arg) {
            true => arg,
            false => environment::unless_empty(arg),
        };
        postponed::add(command, self)
            .mut_args(ours)
            .after_long_help(format!(
                "{}\n\n{}\n\n{}",
                self.examples(),
                surroundings::HELP,
                secrets::HELP
            ))
            .max_term_width(120)
            .mut_args(|arg| arg.hide_env_values(true))
    }
}

fn enable_webhook() -> Arg {
    pflag::switch(Arg::new(ENABLE_WEBHOOK).long(ENABLE_WEBHOOK))
        .env("ENABLE_WEBHOOK")
        .default_value("false")
        .help("Open the webhook door. Without it there are probes, and resources are followed without events")
}

/// The key of Image Updater's ConfigMap that stands for a variable.
pub(super) fn config_map_key(variable: &str) -> Option<&'static str> {
    variables::named(variable)?.key
}

/// A command that was understood.
pub(super) struct Understood {
    config: Config,
    /// What whoever started it should know.
    notes: Vec<String>,
}

/// Why a command is not run.
pub(super) enum Stop {
    /// Help was asked for.
    Help,
    /// It cannot be meant.
    Usage(UsageError),
}

impl From<UsageError> for Stop {
    fn from(error: UsageError) -> Self {
        Self::Usage(error)
    }
}

/// Understands what was typed behind the command's name.
pub(super) fn understand(program: Program, typed: &[OsString]) -> Result<Understood, Stop> {
    let parser = parser(program);
    let given = parse(&parser, typed)?;
    let is_from_folder = given.get_one("kubernetes") != Some(&true);
    let surroundings = Surroundings::of(given.get_one("manifests").filter(|_| is_from_folder))?;
    let (mut all, mut notes) = surroundings.flags(&program.command(), &given);
    all.extend_from_slice(typed);
    let matches = parse(&parser, &all)?;
    // Nothing commits yet, but a template that is none stops Image Updater as well.
    commit_template::template(&matches)?;
    let flags = Flags::from_arg_matches(&matches).map_err(|error| UsageError(pflag::words(&error)))?;
    let enable_webhook = matches.try_get_one(ENABLE_WEBHOOK).ok().flatten().copied();
    let config = flags.meaning(program, enable_webhook.unwrap_or_default())?;
    notes.extend(notes::notes(&matches, &config));
    Ok(Understood { config, notes })
}

impl Understood {
    /// Runs until it is told to stop.
    pub(super) fn run(self) -> anyhow::Result<()> {
        server::run(self.config, &self.notes)
    }
}

/// The command as it is parsed: variables whose bad values are passed over are none of clap's business.
fn parser(program: Program) -> Command {
    let command = program.command().mut_args(|arg| match surroundings::is_lenient(&arg) {
        true => pflag::without_environment(arg),
        false => arg,
    });
    pflag::grammar(command)
}

fn parse(parser: &Command, typed: &[OsString]) -> Result<ArgMatches, Stop> {
    pflag::parse(parser, typed).map_err(|error| match error.kind() {
        clap::error::ErrorKind::DisplayHelp => Stop::Help,
        _ => UsageError(pflag::words(&error)).into(),
    })
}

#[cfg(test)]
mod tests;
