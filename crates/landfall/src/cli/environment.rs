//! Says which variables of the environment count, and tells whoever gave a value by one which it was: clap names the flag alone,
//! which they never typed.

use std::ffi::OsString;

use clap::error::{ContextKind, ContextValue, ErrorKind};
use clap::{Arg, Command};

/// The same commands, to which a variable that is empty is not set: that is how a template leaves one out.
pub(super) fn without_empty(command: Command) -> Command {
    command.mut_subcommands(without_empty).mut_args(unless_empty)
}

/// The same flag, without its variable where that is empty.
pub(super) fn unless_empty(arg: Arg) -> Arg {
    let variable = arg.get_env().and_then(std::env::var_os);
    match variable.is_some_and(|value| value.is_empty()) {
        true => arg.env(None),
        false => arg,
    }
}

/// The same error, with a tip where the value that it refuses comes from a variable.
pub(super) fn named(mut error: clap::Error, root: &Command, typed: &[OsString]) -> clap::Error {
    if let Some(variable) = variable(&error, root, typed) {
        let tip = format!("the value was read from the environment variable {variable}");
        error.insert(ContextKind::Suggested, ContextValue::StyledStrs(vec![tip.into()]));
    }
    error
}

fn variable(error: &clap::Error, root: &Command, typed: &[OsString]) -> Option<String> {
    if !matches!(error.kind(), ErrorKind::ValueValidation | ErrorKind::InvalidValue) {
        return None;
    }
    let Some(ContextValue::String(shown)) = error.get(ContextKind::InvalidArg) else {
        return None;
    };
    // clap shows a flag with its value: `--port <N>`, `--tls-enabled[=<BOOL>]`.
    let flag = shown.split([' ', '=', '[']).next()?;
    let is_typed = typed.iter().filter_map(|word| word.to_str()).any(|word| {
        let rest = word.strip_prefix(flag);
        rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('='))
    });
    let command = typed
        .iter()
        .try_fold(root, |command, word| command.find_subcommand(word).ok_or(command))
        .unwrap_or_else(|reached| reached);
    let is_it = |arg: &&Arg| Some(flag) == arg.get_long().map(|long| format!("--{long}")).as_deref();
    let variable = command.get_arguments().find(is_it)?.get_env()?;
    (!is_typed && std::env::var_os(variable).is_some()).then(|| variable.to_string_lossy().into_owned())
}
