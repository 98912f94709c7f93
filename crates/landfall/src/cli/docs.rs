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
    for (sender, type_name) in Sender::by_type() {
        let name = SecretName {
            sender,
            age: SecretAge::Current,
        };
        let (flag, file, key) = (name.flag(), name.file_flag(), name.key());
        let _ = writeln!(
            page,
            "| `{type_name}` | `--{flag}` | `--{file}`, `{}` | `{}` | `{key}` |",
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
    if is_skipped(command) {
        return;
    }
    let name = format!("{parent} {}", command.get_name());
    let about = command.get_about().map(ToString::to_string).unwrap_or_default();
    let _ = write!(page, "\n## `{name}`\n\n{about}.\n{}", table(command));
    let subcommands: Vec<&Command> = command
        .get_subcommands()
        .filter(|command| !is_skipped(command))
        .collect();
    // The senders of `landfall send` have the same flags, which are worth one table.
    let tables: Vec<String> = subcommands.iter().map(|command| table(command)).collect();
    if let [first, others @ ..] = tables.as_slice()
        && others.iter().all(|other| other == first)
    {
        let names: Vec<String> = subcommands
            .iter()
            .map(|command| format!("`{}`", command.get_name()))
            .collect();
        let _ = write!(page, "\nOne of {}, each with:\n{first}", names.join(", "));
        return;
    }
    for subcommand in subcommands {
        section(page, &name, subcommand);
    }
}

fn is_skipped(command: &Command) -> bool {
    command.is_hide_set() || command.get_name() == "help"
}

/// The flags of a command, if it has any.
fn table(command: &Command) -> String {
    let with_config_map = image_updater::Program::named(command.get_name()).is_some();
    let mut rows = String::new();
    for arg in command.get_arguments().filter(|arg| is_listed(arg)) {
        row(&mut rows, arg, with_config_map);
    }
    match (rows.as_str(), with_config_map) {
        ("", _) => rows,
        (_, true) => format!("\n| flag | variable | ConfigMap | default | |\n|---|---|---|---|---|\n{rows}"),
        (_, false) => format!("\n| flag | variable | default | |\n|---|---|---|---|\n{rows}"),
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
    let variable = arg.get_env().map(|name| name.to_string_lossy().into_owned());
    let variable = variable.unwrap_or_default();
    let mut cells = vec![flag, code(&variable)];
    if with_config_map {
        cells.push(code(image_updater::config_map_key(&variable).unwrap_or_default()));
    }
    let defaults = arg.get_default_values().iter();
    let defaults: Vec<_> = defaults.map(|value| value.to_string_lossy()).collect();
    cells.push(code(&defaults.join(",")));
    let help = arg.get_help().map(ToString::to_string).unwrap_or_default();
    let help = help
        .split_whitespace()
        .collect::<Vec<_>>()
        .join(" ")
        .replace('|', "\\|");
    cells.push(format!("{help}{}", choices(arg)));
    let _ = writeln!(page, "| {} |", cells.join(" | "));
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
        true => format!(": {}", named.join(", ")),
        false => String::new(),
    }
}
