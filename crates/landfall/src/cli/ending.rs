//! How a command ends: what is said on standard error, and the exit code, in the manner of the program that this one was called
//! as.

use std::process::ExitCode;

use clap::Command;
use clap::error::ErrorKind;

use super::called_as::CalledAs;
use super::{UsageError, output, pflag};

/// What went wrong.
pub(super) enum Failure {
    /// What was typed makes no sense to clap, or asks for help.
    Words(clap::Error),
    /// There is no such command.
    UnknownCommand(String),
    /// The command has failed.
    Run(anyhow::Error),
}

/// Ends the process. `command` is whose usage is shown.
pub(super) fn end(called_as: CalledAs, result: Result<(), Failure>, command: Option<Command>) -> ExitCode {
    match result {
        Ok(()) => ExitCode::SUCCESS,
        // Whoever reads our output has seen enough: `landfall get … | head -1`.
        Err(Failure::Run(error)) if output::is_broken_pipe(&error) => ExitCode::SUCCESS,
        Err(failure) => match called_as {
            CalledAs::Landfall | CalledAs::Kargo => as_landfall(failure),
            CalledAs::ImageUpdater => as_image_updater(failure, command),
        },
    }
}

fn as_landfall(failure: Failure) -> ExitCode {
    match failure {
        Failure::Words(error) => {
            // It goes to standard output where help was asked for; that nobody reads it is no failure.
            let _ = error.print();
            ExitCode::from(u8::try_from(error.exit_code()).unwrap_or(2))
        }
        Failure::UnknownCommand(word) => {
            eprintln!("landfall: there is no command {word:?}; see landfall --help");
            ExitCode::from(2)
        }
        Failure::Run(error) => {
            eprintln!("landfall: {error:#}");
            ExitCode::from(if error.is::<UsageError>() { 2 } else { 1 })
        }
    }
}

/// Every error, those of a running server among them, is followed by the usage, and ends with 1.
fn as_image_updater(failure: Failure, command: Option<Command>) -> ExitCode {
    let name = called_name();
    match failure {
        Failure::Words(error) if is_answer(&error) => {
            let _ = output::print(&error.render().to_string());
            return ExitCode::SUCCESS;
        }
        Failure::Words(error) => eprintln!("Error: {}", pflag::words(&error)),
        Failure::UnknownCommand(word) => {
            eprintln!("Error: unknown command {word:?} for {name:?}\nRun '{name} --help' for usage.");
            return ExitCode::FAILURE;
        }
        Failure::Run(error) => eprintln!("Error: {error:#}"),
    }
    if let Some(command) = command {
        eprintln!("{}", usage(CalledAs::ImageUpdater, command, false));
    }
    ExitCode::FAILURE
}

fn called_name() -> &'static str {
    CalledAs::ImageUpdater.name()
}

/// What clap calls an error and is what was asked for; help without a command is what cobra gives when nothing is typed.
fn is_answer(error: &clap::Error) -> bool {
    matches!(
        error.kind(),
        ErrorKind::DisplayHelp | ErrorKind::DisplayVersion | ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand
    )
}

/// The usage of a command, in full or in short. What the environment holds is no part of it: secrets are in it.
pub(super) fn usage(called_as: CalledAs, command: Command, in_full: bool) -> String {
    let (program, name) = (called_as.name(), command.get_name().to_owned());
    let full_name = if name == program {
        name
    } else {
        format!("{program} {name}")
    };
    let mut command = command.bin_name(full_name).mut_args(|arg| arg.hide_env_values(true));
    let help = if in_full {
        command.render_long_help()
    } else {
        command.render_help()
    };
    help.to_string()
}
