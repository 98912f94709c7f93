//! `landfall docs`: the reference of all settings, made of the flags themselves, so that it is never behind them.

use std::fmt::Write as _;

use clap::{Arg, Command};
use landfall_core::receiver::Sender;
use landfall_core::secret::SecretAge;

use super::image_updater;
use super::output::print;
use crate::webhook_secrets::{SECRET, SecretName};

/// Prints `docs/configuration.md`.
pub(super) fn run(root: &Command) -> anyhow::Result<()> {
    print(&configuration(root))
}

const HEAD: &str = "\
# Configuration

Made by `landfall docs`; change the flags instead of this page.

A setting comes from its flag, or else from its environment variable, or else it has its default. `landfall run` and
`landfall webhook` read the ConfigMap `argocd-image-updater-config` in the folder of manifests, key by key, where neither flag
nor variable says anything; a variable or key whose value cannot be meant is passed over there, and the log says so. Their
flags are read as Argo CD Image Updater reads its own: `--x v` or `--x=v`, switches `--x` or `--x=false`, numbers also as
`0x1f92`, the last of several counts, and flags may stand before the command.
";

fn configuration(root: &Command) -> String {
    let mut page = HEAD.to_owned();
    page.push_str(&secrets());
    for command in root.get_subcommands() {
        section(&mut page, root.get_name(), command);
    }
    page
}

/// The names of all webhook secrets.
fn secrets() -> String {
    let mut page = format!(
        "\n## Webhook secrets\n\nFor `landfall serve`, `run` and `webhook`. The first that is set counts: flag, file, variable, key of \
         the Secret `{SECRET}` in\nthe folder of manifests. Files and the Secret are followed: a change is in force within a second, \
         without a restart. A file may end\nin a newline, which is no part of the secret; if it cannot be read later on, the last \
         secret stays in force.\n\n| type | flag | file | variable | key |\n|---|---|---|---|---|\n"
    );
    for sender in Sender::ALL {
        let name = SecretName {
            sender,
            age: SecretAge::Current,
        };
        let (flag, file, key) = (name.flag(), name.file_flag(), name.key());
        let _ = writeln!(
            page,
            "| `{}` | `--{flag}` | `--{file}`, `{}` | `{}` | `{key}` |",
            sender.type_name(),
            name.file_variable(),
            name.variable()
        );
    }
    page.push_str(
        "\nWhile a secret is exchanged, the one before it stays good under the same names with `-previous` (`_PREVIOUS`) at their end: \
         \n`--docker-webhook-secret-previous`, `--docker-webhook-secret-previous-file`, `DOCKER_WEBHOOK_SECRET_PREVIOUS`, \
         \n`webhook.docker-secret-previous`. A file that is not there, or is empty, is no previous secret.\n",
    );
    page.replace(" \n", "\n")
}

fn section(page: &mut String, parent: &str, command: &Command) {
    if command.is_hide_set() || command.get_name() == "help" {
        return;
    }
    let name = format!("{parent} {}", command.get_name());
    let about = command.get_about().map(ToString::to_string).unwrap_or_default();
    let _ = writeln!(page, "\n## `{name}`\n\n{about}");
    let args: Vec<&Arg> = command.get_arguments().filter(|arg| is_listed(arg)).collect();
    if !args.is_empty() {
        page.push_str("\n| flag | variable | ConfigMap | default | |\n|---|---|---|---|---|\n");
    }
    let with_config_map = image_updater::Program::named(command.get_name()).is_some();
    for arg in args {
        row(page, arg, with_config_map);
    }
    for subcommand in command.get_subcommands() {
        section(page, &name, subcommand);
    }
}

/// Secrets have a table of their own.
fn is_listed(arg: &Arg) -> bool {
    let name = arg.get_id().as_str();
    let is_secret = SecretName::all().any(|secret| secret.flag() == name || secret.file_flag() == name);
    !is_secret && !arg.is_hide_set() && name != "help" && name != "version"
}

fn row(page: &mut String, arg: &Arg, with_config_map: bool) {
    let value = arg.get_value_names().and_then(<[_]>::first).map(ToString::to_string);
    let value = value.filter(|_| arg.get_action().takes_values());
    let flag = match (arg.get_long(), value) {
        (Some(long), Some(value)) if arg.is_require_equals_set() => format!("`--{long}[={value}]`"),
        (Some(long), Some(value)) => format!("`--{long} {value}`"),
        (Some(long), None) => format!("`--{long}`"),
        (None, value) => format!("`{}`", value.unwrap_or_else(|| arg.get_id().to_string().to_uppercase())),
    };
    let variable = arg
        .get_env()
        .map(|name| name.to_string_lossy().into_owned())
        .unwrap_or_default();
    let key = image_updater::config_map_key(&variable).filter(|_| with_config_map);
    let defaults: Vec<String> = arg
        .get_default_values()
        .iter()
        .map(|value| value.to_string_lossy().into_owned())
        .collect();
    let help = arg.get_help().map(ToString::to_string).unwrap_or_default();
    let help = help
        .split_whitespace()
        .collect::<Vec<_>>()
        .join(" ")
        .replace('|', "\\|");
    let _ = writeln!(
        page,
        "| {flag} | {} | {} | {} | {help}{} |",
        code(&variable),
        code(key.unwrap_or_default()),
        code(&defaults.join(",")),
        choices(arg)
    );
}

fn code(text: &str) -> String {
    match text {
        "" => String::new(),
        text => format!("`{text}`"),
    }
}

/// The words that a flag takes, where those are few.
fn choices(arg: &Arg) -> String {
    let values = arg.get_possible_values();
    let is_choice = !values.is_empty() && !arg.is_require_equals_set() && arg.get_action().takes_values();
    let named: Vec<String> = values.iter().map(|value| format!("`{}`", value.get_name())).collect();
    match is_choice {
        true => format!(" One of {}", named.join(", ")),
        false => String::new(),
    }
}
