//! The flags of Image Updater whose effect is not there yet: they are read as the peer reads them, and named at start-up.

use clap::{Arg, ArgMatches, Command, parser::ValueSource};

use super::Program;
use crate::cli::pflag::{nanoseconds, number, switch};

/// A flag without effect.
struct Postponed {
    name: &'static str,
    kind: Kind,
    default: &'static str,
    variable: Option<&'static str>,
    programs: &'static [Program],
    help: &'static str,
}

enum Kind {
    Text,
    Truth,
    Number,
    Duration,
}

const BOTH: &[Program] = &[Program::Run, Program::Webhook];
const RUN: &[Program] = &[Program::Run];
const WEBHOOK: &[Program] = &[Program::Webhook];

const fn row(
    (name, default, variable): (&'static str, &'static str, Option<&'static str>),
    kind: Kind,
    programs: &'static [Program],
    help: &'static str,
) -> Postponed {
    Postponed {
        name,
        kind,
        default,
        variable,
        programs,
        help,
    }
}

#[rustfmt::skip]
const FLAGS: [Postponed; 19] = [
    row(("leader-election", "true", None), Kind::Truth, RUN, "Elect one writer among replicas"),
    row(("leader-election-namespace", "", None), Kind::Text, RUN, "The namespace of the Lease"),
    row(("dry-run", "false", None), Kind::Truth, RUN, "Do everything but write"),
    row(("interval", "2m0s", Some("IMAGE_UPDATER_INTERVAL")), Kind::Duration, RUN, "How often Applications are looked at without an event"),
    row(("once", "false", None), Kind::Truth, RUN, "Look at every Application once, and end"),
    row(("registries-conf-path", "/app/config/registries.conf", None), Kind::Text, BOTH, "The registries' settings"),
    row(("max-concurrent-apps", "10", Some("MAX_CONCURRENT_APPS")), Kind::Number, BOTH, "Applications that are updated at once"),
    row(("max-concurrent-reconciles", "1", Some("MAX_CONCURRENT_RECONCILES")), Kind::Number, RUN, "ImageUpdaters that are worked on at once"),
    row(("max-concurrent-updaters", "1", Some("MAX_CONCURRENT_UPDATERS")), Kind::Number, WEBHOOK, "ImageUpdaters that are worked on at once"),
    row(("argocd-namespace", "", Some("ARGOCD_NAMESPACE")), Kind::Text, BOTH, "The namespace of Argo CD"),
    row(("warmup-cache", "true", None), Kind::Truth, RUN, "Look at every Application before the first update"),
    row(("disable-kube-events", "false", Some("IMAGE_UPDATER_KUBE_EVENTS")), Kind::Truth, BOTH, "Record no Events of updates"),
    row(("git-commit-user", "argocd-image-updater", Some("GIT_COMMIT_USER")), Kind::Text, BOTH, "The name in commits"),
    row(("git-commit-email", "noreply@argoproj.io", Some("GIT_COMMIT_EMAIL")), Kind::Text, BOTH, "The address in commits"),
    row(("git-commit-signing-key", "", Some("GIT_COMMIT_SIGNING_KEY")), Kind::Text, BOTH, "The key that signs commits: a GPG key's id, or the path of an SSH key"),
    row(("git-commit-signing-method", "openpgp", Some("GIT_COMMIT_SIGNING_METHOD")), Kind::Text, BOTH, "How commits are signed"),
    row(("git-commit-sign-off", "false", Some("GIT_COMMIT_SIGN_OFF")), Kind::Truth, BOTH, "Sign commits off"),
    row(("git-commit-message-path", "/app/config/commit.template", None), Kind::Text, BOTH, "The file with the template of commit messages, which must be one"),
    row(("git-commit-method", "git", Some("GIT_COMMIT_METHOD")), Kind::Text, BOTH, "How commits are made: git or api"),
];

/// Adds the flags to a command of a program.
pub(super) fn add(command: Command, program: Program) -> Command {
    let flags = FLAGS.iter().filter(|flag| flag.programs.contains(&program));
    command.args(flags.map(Postponed::arg))
}

impl Postponed {
    fn arg(&self) -> Arg {
        let arg = Arg::new(self.name)
            .long(self.name)
            .default_value(self.default)
            .help(format!("{}. Has no effect yet", self.help))
            .help_heading("Accepted, without effect yet");
        let arg = match self.variable {
            Some(variable) => arg.env(variable),
            None => arg,
        };
        match self.kind {
            Kind::Text => arg.value_name("TEXT"),
            Kind::Truth => switch(arg),
            Kind::Number => arg.value_name("N").value_parser(number),
            Kind::Duration => arg.value_name("DURATION").value_parser(nanoseconds),
        }
    }
}

/// The flags of these that somebody set, whether by flag, variable or ConfigMap, in the order of their names.
pub(super) fn set(matches: &ArgMatches) -> Vec<String> {
    let mut set: Vec<String> = FLAGS
        .iter()
        .filter(|flag| was_set(matches, flag.name))
        .map(|flag| format!("--{}", flag.name))
        .collect();
    set.sort_unstable();
    set
}

/// Whether somebody set a flag.
pub(super) fn was_set(matches: &ArgMatches, name: &str) -> bool {
    let source = matches
        .try_contains_id(name)
        .ok()
        .and_then(|_| matches.value_source(name));
    source.is_some_and(|source| source != ValueSource::DefaultValue)
}
