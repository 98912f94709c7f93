//! `landfall template`: shows the message of a commit that updates an Application. It touches no repository.

use std::path::PathBuf;

use anyhow::Context as _;
use clap::Args;

use super::called_as::CalledAs;
use super::output::print;

/// Show the message that commits get, for two changes that are made up.
///
/// Without a PATH it is the built-in template. Templates of one's own cannot be rendered yet.
#[derive(Debug, Args)]
pub(super) struct TemplateArgs {
    /// The file with a template.
    #[arg(value_name = "PATH")]
    paths: Vec<PathBuf>,
}

/// A change of one image, as a commit's message has it.
struct Change {
    image: &'static str,
    old: &'static str,
    new: &'static str,
}

/// One change of a tag and one of a digest.
const SAMPLES: [Change; 2] = [
    Change {
        image: "example/example",
        old: "1.0.0",
        new: "1.0.1",
    },
    Change {
        image: "example/updater",
        old: "sha256:8fc88ba3bb4be35c94b8ecf56f27b44ab6e8f0a08df83ef6b7a3f2bb7aa4cdd1",
        new: "sha256:d5d1b3a1b6a9f4cc42d7f53f0d1e6a4c0bda8c0d1c06e88e0af56cfa9b2e6a77",
    },
];

impl TemplateArgs {
    pub(super) fn run(self, called_as: CalledAs) -> anyhow::Result<()> {
        // Image Updater ignores what is not exactly one argument.
        let [path] = self.paths.as_slice() else {
            return print(&format!("{}\n", built_in("example-app", &SAMPLES)));
        };
        let template = std::fs::read_to_string(path).with_context(|| format!("{} cannot be read", path.display()));
        match (template, called_as) {
            (Ok(template), _) if template.is_empty() => print("\n"),
            (Ok(_), _) => anyhow::bail!(
                "{}: this version of landfall renders the built-in template alone; leave PATH out to see it",
                path.display()
            ),
            (Err(error), CalledAs::Landfall | CalledAs::Kargo) => Err(error),
            // Scripts around Image Updater know that this is no failure.
            (Err(error), CalledAs::ImageUpdater) => {
                eprintln!("{error:#}");
                Ok(())
            }
        }
    }
}

/// Image Updater's built-in template: a headline, and a line for each change.
fn built_in(application: &str, changes: &[Change]) -> String {
    let lines: String = changes
        .iter()
        .map(|Change { image, old, new }| format!("updates image {image} tag '{old}' to '{new}'\n"))
        .collect();
    format!("build: automatic update of {application}\n\n{lines}")
}
