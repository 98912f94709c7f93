//! How webhook secrets are set: the same four flags for every sender, made of its name. A secret is never part of a help text or
//! an error.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::os::unix::ffi::OsStringExt as _;
use std::path::PathBuf;

use clap::parser::ValueSource;
use clap::{Arg, ArgMatches, Args, Command, FromArgMatches};
use landfall_core::receiver::Sender;
use landfall_core::secret::{SecretAge, SecretBytes};

use super::UsageError;
use super::pflag::switch;
use crate::webhook_secrets::{SecretName, SecretSources, Source, Without};

/// What the help says about all of them.
pub(super) const HELP: &str = "\
Webhook secrets: each sender of the door by type, /webhook?type=…, has one secret and, while it is exchanged for another, the
one before it. A secret comes from the first of these that sets it:
  1. the flag, --docker-webhook-secret
  2. a file, --docker-webhook-secret-file or DOCKER_WEBHOOK_SECRET_FILE; a change is in force within a second
  3. the environment, DOCKER_WEBHOOK_SECRET
  4. the Secret argocd-image-updater-secret in the folder of manifests, key webhook.docker-secret; a change is in force at once
Previous secrets are set likewise: --docker-webhook-secret-previous, --docker-webhook-secret-previous-file,
DOCKER_WEBHOOK_SECRET_PREVIOUS, webhook.docker-secret-previous. Deliveries that show one are taken, and the log says so.
A flag can be seen by everyone who can list processes; prefer a file or the Secret.";

const HEADING: &str = "Webhook secrets";
const REQUIRE: &str = "webhook-require-secret";

/// What was said about webhook secrets.
#[derive(Clone)]
pub(super) struct SecretArgs {
    named: BTreeMap<SecretName, Source>,
    /// Flags that were given, and nothing for them.
    empty: Vec<String>,
    without: Without,
}

/// Nothing of a secret is shown.
impl std::fmt::Debug for SecretArgs {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("SecretArgs(…)")
    }
}

impl SecretArgs {
    /// Where secrets come from. An empty flag is a mistake.
    pub(super) fn sources(self) -> Result<SecretSources, UsageError> {
        match self.empty.first() {
            Some(flag) => Err(UsageError(format!(
                "--{flag}: an empty secret proves nothing; leave it out"
            ))),
            None => Ok(self.lenient_sources()),
        }
    }

    /// Where secrets come from. An empty flag is none, as with Image Updater.
    pub(super) fn lenient_sources(self) -> SecretSources {
        SecretSources {
            named: self.named,
            without: self.without,
            namespace: std::env::var("POD_NAMESPACE").ok().filter(|name| !name.is_empty()),
        }
    }
}

impl Args for SecretArgs {
    fn augment_args(command: Command) -> Command {
        let require = switch(Arg::new(REQUIRE).long(REQUIRE))
            .env("WEBHOOK_REQUIRE_SECRET")
            .default_value("true")
            .help("Serve only senders that have a secret. Without this, whoever can reach the door can post as the others")
            .help_heading(HEADING);
        let secrets = SecretName::all().flat_map(|name| [secret(name), file(name)]);
        command.arg(require).args(secrets)
    }

    fn augment_args_for_update(command: Command) -> Command {
        Self::augment_args(command)
    }
}

fn secret(name: SecretName) -> Arg {
    let shown = match name.sender {
        Sender::DockerHub | Sender::Quay | Sender::AliyunAcr => "show it as the query parameter secret",
        Sender::Distribution | Sender::Harbor | Sender::Azure => "show it as the header Authorization",
        Sender::GitHub | Sender::Gitea | Sender::Bitbucket | Sender::Artifactory => "are signed with it",
        Sender::GitLab => "show it as the header X-Gitlab-Token",
        Sender::CloudEvents | Sender::EventBridge => {
            "show it as the query parameter secret or the header X-Webhook-Secret"
        }
    };
    let type_name = name.sender.type_name().unwrap_or_default();
    let help = match name.age {
        SecretAge::Current => {
            format!("The secret of deliveries to /webhook?type={type_name}, which {shown}")
        }
        SecretAge::Previous => format!("The secret before it, still good for {type_name} while it is exchanged"),
    };
    // The short help shows a line for each sender; the others follow from it.
    Arg::new(name.flag())
        .long(name.flag())
        .env(name.variable())
        .hide_env_values(true)
        .value_name("SECRET")
        .value_parser(clap::value_parser!(OsString))
        .help(help)
        .help_heading(HEADING)
        .hide_short_help(name.age == SecretAge::Previous)
}

fn file(name: SecretName) -> Arg {
    Arg::new(name.file_flag())
        .long(name.file_flag())
        .env(name.file_variable())
        .value_name("FILE")
        .value_parser(clap::value_parser!(PathBuf))
        .help(format!(
            "A file with the secret of --{}, read again when it changes",
            name.flag()
        ))
        .help_heading(HEADING)
        .hide_short_help(true)
}

impl FromArgMatches for SecretArgs {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Self, clap::Error> {
        let without = match matches.get_one(REQUIRE) {
            Some(false) => Without::Open,
            _ => Without::Closed,
        };
        let mut args = Self {
            named: BTreeMap::new(),
            empty: Vec::new(),
            without,
        };
        for name in SecretName::all() {
            args.read(name, matches);
        }
        Ok(args)
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), clap::Error> {
        *self = Self::from_arg_matches(matches)?;
        Ok(())
    }
}

impl SecretArgs {
    fn read(&mut self, name: SecretName, matches: &ArgMatches) {
        let value = matches.get_one::<OsString>(&name.flag());
        let typed = matches.value_source(&name.flag()) == Some(ValueSource::CommandLine);
        let said = value.filter(|value| !value.is_empty());
        let said = said.map(|value| Source::Said(SecretBytes::new(value.clone().into_vec())));
        if typed && said.is_none() {
            self.empty.push(name.flag());
        }
        let file = matches.get_one::<PathBuf>(&name.file_flag());
        let file = file.filter(|path| !path.as_os_str().is_empty());
        let file = file.map(|path| Source::File(path.clone()));
        let source = if typed { said.or(file) } else { file.or(said) };
        self.named.extend(source.map(|source| (name, source)));
    }
}
