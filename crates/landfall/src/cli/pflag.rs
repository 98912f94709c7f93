//! Reads flags as the peers' flag library, pflag, reads them: one clap command, made to speak that grammar, and errors in that
//! library's words. It must not know any flag by name.

use std::ffi::OsString;
use std::time::Duration;

use clap::builder::{OsStr, Resettable};
use clap::error::{ContextKind, ContextValue, ErrorKind};
use clap::{Arg, ArgAction, ArgMatches, Command};
use landfall_core::go::boolean::parse_bool;
use landfall_core::go::duration::parse_duration;
use landfall_core::go::integer::parse_int;
use landfall_core::go::quote::quote;

/// Where words that are no flags go; the peer takes them and makes nothing of them.
pub(super) const WORDS: &str = "words";

/// Makes a command read its flags as pflag does: a flag that is given twice counts once, the last time; every value may begin
/// with a dash; a truth value is `--x` or `--x=<any of Go's twelve spellings>`, never `--x false`.
pub(super) fn grammar(command: Command) -> Command {
    let words = Arg::new(WORDS).num_args(0..).hide(true);
    command.args_override_self(true).mut_args(flag).arg(words)
}

fn flag(arg: Arg) -> Arg {
    if !is_truth(&arg) {
        return match arg.is_positional() {
            true => arg,
            false => arg.allow_hyphen_values(true),
        };
    }
    let has_default = !arg.get_default_values().is_empty();
    let arg = switch(arg);
    if has_default { arg } else { arg.default_value("false") }
}

/// Makes a flag a truth value: `--x` or `--x=<any of Go's twelve spellings>`.
pub(super) fn switch(arg: Arg) -> Arg {
    arg.action(ArgAction::Set)
        .num_args(0..=1)
        .require_equals(true)
        .default_missing_value("true")
        .value_name("BOOL")
        .value_parser(truth)
}

/// Whether a flag is a truth value, however it was declared.
pub(super) fn is_truth(arg: &Arg) -> bool {
    match arg.get_action() {
        ArgAction::SetTrue => true,
        ArgAction::Set => arg.get_value_parser().type_id() == clap::value_parser!(bool).type_id(),
        _ => false,
    }
}

/// A truth value as Go's flags take it.
pub(super) fn truth(text: &str) -> Result<bool, String> {
    parse_bool(text).map_err(|error| error.to_string())
}

/// A whole number, as Go's flags take it: `8082`, `0x1f92`, `1_000`.
pub(super) fn number(text: &str) -> Result<i64, String> {
    parse_int(text).map_err(|error| error.to_string())
}

/// A duration as Go's flags take it, in nanoseconds; it may be negative.
pub(super) fn nanoseconds(text: &str) -> Result<i64, String> {
    parse_duration(text).map_err(|error| error.to_string())
}

/// A duration that cannot be negative.
pub(super) fn duration(text: &str) -> Result<Duration, String> {
    let nanos = parse_duration(text).map_err(|error| format!("{error}; one reads 30s, 5m or 1h30m"))?;
    u64::try_from(nanos)
        .map(Duration::from_nanos)
        .map_err(|_| "it must not be negative".to_owned())
}

/// Parses what was typed behind the command's name.
pub(super) fn parse(command: &Command, typed: &[OsString]) -> Result<ArgMatches, clap::Error> {
    let name = OsString::from(command.get_name());
    command
        .clone()
        .try_get_matches_from(std::iter::once(&name).chain(typed))
}

/// Takes the environment away from a flag, for somebody else reads it.
pub(super) fn without_environment(arg: Arg) -> Arg {
    arg.env(Resettable::<OsStr>::Reset)
}

/// What pflag would have said. What was typed for a flag is part of it where it is no secret, which a text never is.
pub(super) fn words(error: &clap::Error) -> String {
    let context = |kind| match error.get(kind) {
        Some(ContextValue::String(text)) => text.as_str(),
        _ => "",
    };
    let (arg, value) = (context(ContextKind::InvalidArg), context(ContextKind::InvalidValue));
    // clap names a flag with its value: `--webhook-port <N>`.
    let flag = arg.split([' ', '=', '[']).next().unwrap_or_default();
    match error.kind() {
        ErrorKind::UnknownArgument if flag.starts_with("--") => format!("unknown flag: {flag}"),
        ErrorKind::UnknownArgument => {
            let letter = flag.chars().nth(1).unwrap_or('-');
            format!("unknown shorthand flag: '{letter}' in {flag}")
        }
        ErrorKind::InvalidValue if value.is_empty() => format!("flag needs an argument: {flag}"),
        ErrorKind::ValueValidation => {
            let source = std::error::Error::source(error).map(ToString::to_string);
            let source = source.unwrap_or_else(|| "it has another form".to_owned());
            format!("invalid argument {} for \"{flag}\" flag: {source}", quote(value))
        }
        _ => {
            let text = error.to_string();
            let first = text.lines().next().unwrap_or_default();
            first.trim_start_matches("error: ").to_owned()
        }
    }
}

#[cfg(test)]
mod tests;
