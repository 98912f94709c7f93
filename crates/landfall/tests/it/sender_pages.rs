//! The pages in `docs/senders`: each sender has one, and what it says to try works as it is written there. It must not know
//! what a delivery looks like.

use std::path::{Path, PathBuf};
use std::process::Command;

use landfall_core::receiver::Sender;

use crate::world::{BINARY, World};

const SECRET: &str = "0123456789abcdef";
/// The host of the pages.
const HOST: &str = "https://hooks.example.com";

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/senders")
}

fn page(sender: Sender) -> String {
    let path = folder().join(format!("{}.md", sender.path_segment()));
    std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// The variable that a sender's secret comes by, as the overview has it.
pub fn variable(sender: Sender) -> String {
    let name = match sender.type_name() {
        "docker.io" => "docker",
        "ghcr.io" => "ghcr",
        "quay.io" => "quay",
        other => other,
    };
    format!("{}_WEBHOOK_SECRET", name.to_uppercase().replace('-', "_"))
}

/// What landfall has to hold so that the page's `$SECRET` is right: one sender's header has a scheme in front of it.
fn held(sender: Sender) -> String {
    let scheme = if sender == Sender::Distribution { "Bearer " } else { "" };
    format!("{scheme}{SECRET}")
}

/// The shell's lines below `## Try it`, block by block.
fn blocks(page: &str) -> Vec<&str> {
    let section = page.split("\n## Try it\n").nth(1).unwrap_or_default();
    let section = section.split("\n## ").next().unwrap_or_default();
    let parts = section.split("```sh\n").skip(1);
    parts.map(|part| part.split("```").next().unwrap_or_default()).collect()
}

#[test]
fn what_the_pages_say_to_try_is_taken() {
    let world = World::with(|landfall| {
        Sender::ALL.into_iter().fold(landfall, |landfall, sender| {
            landfall.env(&variable(sender), &held(sender))
        })
    });
    let path = format!(
        "{}:{}",
        Path::new(BINARY).parent().expect("a binary is in a folder").display(),
        std::env::var("PATH").unwrap_or_default()
    );
    for sender in Sender::ALL {
        let page = page(sender);
        let tries = blocks(&page);
        assert_eq!(tries.len(), 2, "{sender}: one block with landfall send, one with curl");
        for block in tries {
            let output = Command::new("sh")
                .args(["-euc", &block.replace(HOST, &world.landfall.url())])
                .envs([("PATH", path.as_str()), ("SECRET", SECRET)])
                .output()
                .unwrap();
            let said = [output.stdout, output.stderr].map(|bytes| String::from_utf8_lossy(&bytes).into_owned());
            assert!(
                output.status.success() && said[0].contains("Webhook received and processing"),
                "{sender}: {block}{said:?}"
            );
        }
    }
}

#[test]
fn the_pages_name_what_each_sender_needs() {
    let overview = std::fs::read_to_string(folder().join("README.md")).unwrap();
    for sender in Sender::ALL {
        let (page, variable) = (page(sender), variable(sender));
        let url = format!("{HOST}/webhook?type={}", sender.type_name());
        for expected in [url.as_str(), &variable, "## Set it up", "## When it fails"] {
            assert!(page.contains(expected), "{sender}: its page does not say {expected}");
        }
        let row = format!("]({}.md) | `{}` |", sender.path_segment(), sender.type_name());
        assert!(overview.contains(&row), "the overview has no row with {row}");
    }
}
