//! `landfall completion`: what a shell needs to complete our commands.

use clap::{Args, Command};
use clap_complete::Shell;

use super::output::print;

/// Print what a shell needs to complete commands and flags.
///
/// Examples:
///   source <(landfall completion bash)
///   landfall completion fish > ~/.config/fish/completions/landfall.fish
#[derive(Debug, Args)]
#[command(verbatim_doc_comment)]
pub(super) struct CompletionArgs {
    /// The shell.
    shell: Shell,
}

impl CompletionArgs {
    pub(super) fn run(self, mut root: Command) -> anyhow::Result<()> {
        let name = root.get_name().to_owned();
        let mut script = Vec::new();
        clap_complete::generate(self.shell, &mut root, name, &mut script);
        print(&String::from_utf8_lossy(&script))
    }
}
