//! The pages in `docs/senders`: each sender has one, and what it says to try works as it is written there. It must not know
//! what a delivery looks like.

use std::path::{Path, PathBuf};
use std::process::Command;

use landfall_core::receiver::Sender;
use landfall_harness::wait;

use crate::world::{BINARY, PATIENCE, World};

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
    let name = match sender.type_name().expect("a type") {
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

/// A project with a receiver for each sender that has no place at the door by type.
const PROJECT: &str = "shop";

fn by_path() -> impl Iterator<Item = Sender> {
    Sender::ALL.into_iter().filter(|sender| sender.type_name().is_none())
}

/// A folder with the receiver that each of the pages shows; their Secrets hold the pages' secret.
fn receivers_of_the_pages(world: &World) {
    let mut entries = String::new();
    for sender in by_path() {
        let page = page(sender);
        let yaml = page.split("```yaml\n").nth(1).and_then(|rest| rest.split("```").next());
        let yaml = yaml.unwrap_or_else(|| panic!("{sender}: its page shows no receiver"));
        let (config, secret) = yaml.split_once("---\n").expect("a receiver and its Secret");
        assert!(secret.contains(SECRET), "{sender}: the Secret holds {SECRET}");
        world.write(&format!("{sender}.yaml"), secret);
        let entry = config.split("  webhookReceivers:\n").nth(1);
        entries.push_str(entry.unwrap_or_else(|| panic!("{sender}: its page shows no receiver")));
    }
    let head = "apiVersion: kargo.akuity.io/v1alpha1\nkind: ProjectConfig";
    let config = format!("{head}\nmetadata: {{ name: {PROJECT} }}\nspec:\n  webhookReceivers:\n{entries}");
    world.write("project.yaml", &config);
}

/// The URL of a sender's receiver, once there is one.
fn url(world: &World, sender: Sender) -> String {
    let name = format!("ProjectConfig {PROJECT}/{sender}");
    let found = wait::until(PATIENCE, &name, || {
        let receivers = world.landfall.cli_json(&["receivers", "-o", "json"]).ok()?;
        let receivers = receivers.as_array()?.iter();
        let mut ours = receivers.filter(|receiver| receiver["receiver"] == name.as_str());
        Some(ours.next()?["url"].as_str()?.to_owned())
    });
    found.unwrap_or_else(|error| panic!("{error}\n{}", world.log()))
}

#[test]
fn what_the_pages_say_to_try_is_taken() {
    let world = World::with(|landfall| {
        Sender::by_type().fold(landfall, |landfall, (sender, _)| {
            landfall.env(&variable(sender), &held(sender))
        })
    });
    receivers_of_the_pages(&world);
    let path = format!(
        "{}:{}",
        Path::new(BINARY).parent().expect("a binary is in a folder").display(),
        std::env::var("PATH").unwrap_or_default()
    );
    for sender in Sender::ALL {
        let page = page(sender);
        let tries = blocks(&page);
        assert_eq!(tries.len(), 2, "{sender}: one block with landfall send, one with curl");
        let (url, taken) = match sender.type_name() {
            Some(_) => (String::new(), "Webhook received and processing"),
            None => (url(&world, sender), "refreshed 0 warehouse(s)"),
        };
        for block in tries {
            let output = Command::new("sh")
                .args(["-euc", &block.replace(HOST, &world.landfall.url())])
                .envs([("PATH", path.as_str()), ("SECRET", SECRET), ("URL", &url)])
                .output()
                .unwrap();
            let said = [output.stdout, output.stderr].map(|bytes| String::from_utf8_lossy(&bytes).into_owned());
            assert!(
                output.status.success() && said[0].contains(taken),
                "{sender}: {block}{said:?}"
            );
        }
    }
}

#[test]
fn the_pages_name_what_each_sender_needs() {
    let overview = std::fs::read_to_string(folder().join("README.md")).unwrap();
    for (sender, type_name) in Sender::by_type() {
        let (page, variable) = (page(sender), variable(sender));
        let url = format!("{HOST}/webhook?type={type_name}");
        for expected in [url.as_str(), &variable, "## Set it up", "## When it fails"] {
            assert!(page.contains(expected), "{sender}: its page does not say {expected}");
        }
        let row = format!("]({}.md) | `{type_name}` |", sender.path_segment());
        assert!(overview.contains(&row), "the overview has no row with {row}");
    }
    for sender in by_path() {
        let page = page(sender);
        for expected in ["landfall receivers", "## Set it up", "## When it fails"] {
            assert!(page.contains(expected), "{sender}: its page does not say {expected}");
        }
        let row = format!("]({sender}.md) | `{sender}` |");
        assert!(overview.contains(&row), "the overview has no row with {row}");
    }
}
