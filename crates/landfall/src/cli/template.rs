//! `landfall template`: shows the message of a commit that updates an Application. It touches no repository.

use std::path::PathBuf;

use anyhow::Context as _;
use clap::Args;
use landfall_core::commit::{Change, MessageTemplate};

use super::called_as::CalledAs;
use super::output::print;

/// Show the message that commits get, for two changes that are made up.
///
/// Without a PATH it is the built-in template.
#[derive(Debug, Args)]
pub(super) struct TemplateArgs {
    /// The file with a template, in the language of Go's text/template.
    #[arg(value_name = "PATH")]
    paths: Vec<PathBuf>,
}

const APPLICATION: &str = "example-app";

/// One change of a tag and one of a digest: image, old and new.
const SAMPLES: [[&str; 3]; 2] = [
    ["example/example", "1.0.0", "1.0.1"],
    [
        "example/updater",
        "sha256:8fc88ba3bb4be35c94b8ecf56f27b44ab6e8f0a08df83ef6b7a3f2bb7aa4cdd1",
        "sha256:d5d1b3a1b6a9f4cc42d7f53f0d1e6a4c0bda8c0d1c06e88e0af56cfa9b2e6a77",
    ],
];

impl TemplateArgs {
    pub(super) fn run(self, called_as: CalledAs) -> anyhow::Result<()> {
        match (self.template(), called_as) {
            (Ok(template), _) => show(&template, called_as),
            (Err(error), CalledAs::Landfall) => Err(error),
            // Scripts around Image Updater know that this is no failure.
            (Err(error), CalledAs::ImageUpdater) => {
                eprintln!("{error:#}");
                Ok(())
            }
        }
    }

    fn template(&self) -> anyhow::Result<Option<MessageTemplate>> {
        // Image Updater ignores what is not exactly one argument.
        let [path] = self.paths.as_slice() else {
            return MessageTemplate::parse("").map(Some).context("the built-in template");
        };
        let shown = path.display();
        let text = std::fs::read_to_string(path).with_context(|| format!("{shown} cannot be read"))?;
        // An empty file is shown as what it is; a commit would get the built-in template.
        if text.is_empty() {
            return Ok(None);
        }
        let template = MessageTemplate::parse(&text);
        template.map(Some).with_context(|| format!("{shown} holds no template"))
    }
}

fn show(template: &Option<MessageTemplate>, called_as: CalledAs) -> anyhow::Result<()> {
    let Some(template) = template else {
        return print("\n");
    };
    let change = |[image, old_tag, new_tag]: [&str; 3]| Change {
        image: image.to_owned(),
        old_tag: old_tag.to_owned(),
        new_tag: new_tag.to_owned(),
        labels: Vec::new(),
    };
    let message = template.message(APPLICATION, &SAMPLES.map(change));
    let problem = message.problem.map(anyhow::Error::from);
    let problem = problem.map(|problem| problem.context("commits would get a headline alone"));
    match (problem, called_as) {
        (Some(problem), CalledAs::Landfall) => return Err(problem),
        (Some(problem), CalledAs::ImageUpdater) => eprintln!("{problem:#}"),
        (None, _) => {}
    }
    print(&format!("{}\n", message.text))
}
