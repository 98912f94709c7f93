//! `landfall version`.

use clap::Args;

use super::output::{Format, print, print_json};

/// Print the version.
#[derive(Debug, Args)]
pub(super) struct VersionArgs {
    /// How to print.
    #[arg(short, long, value_enum, default_value = "table")]
    output: Format,
}

impl VersionArgs {
    pub(super) fn run(self) -> anyhow::Result<()> {
        let version = env!("CARGO_PKG_VERSION");
        match self.output {
            Format::Table => print(&format!("landfall {version}\n")),
            Format::Json | Format::Yaml => print_json(&serde_json::json!({ "name": "landfall", "version": version })),
        }
    }
}
