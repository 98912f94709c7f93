//! `landfall version`.

use clap::{ArgAction, Args};

use super::called_as::CalledAs;
use super::output::{Format, print, print_json};
use super::pflag::truth;

/// What was built, where whoever builds says so.
const COMMIT: Option<&str> = option_env!("LANDFALL_COMMIT");
/// When it was built, likewise.
const BUILT: Option<&str> = option_env!("LANDFALL_BUILD_DATE");

/// Print the version.
#[derive(Debug, Args)]
pub(super) struct VersionArgs {
    /// How to print.
    #[arg(short, long, value_enum, default_value = "table")]
    output: Format,
    /// Print nothing else.
    #[arg(long, value_name = "BOOL", action = ArgAction::Set, num_args = 0..=1, require_equals = true,
          default_value = "false", default_missing_value = "true",
          value_parser = truth)]
    short: bool,
}

impl VersionArgs {
    pub(super) fn run(self, called_as: CalledAs) -> anyhow::Result<()> {
        let version = env!("CARGO_PKG_VERSION");
        match (self.output, called_as) {
            (Format::Json | Format::Yaml, _) => {
                print_json(&serde_json::json!({ "name": "landfall", "version": version, "commit": COMMIT }))
            }
            (Format::Table, CalledAs::ImageUpdater) => print(&image_updaters(self.short)),
            (Format::Table, CalledAs::Landfall | CalledAs::Kargo) if self.short => print(&format!("{version}\n")),
            (Format::Table, CalledAs::Landfall | CalledAs::Kargo) => print(&format!("landfall {version}\n")),
        }
    }
}

/// The version in Image Updater's shape, which scripts take apart.
fn image_updaters(short: bool) -> String {
    let commit = COMMIT.unwrap_or("unknown");
    let abbreviated: String = commit.chars().take(7).collect();
    let version = format!("v{}+{abbreviated}", env!("CARGO_PKG_VERSION"));
    if short {
        return format!("{version}\n");
    }
    let name = CalledAs::ImageUpdater.name();
    let built = BUILT.unwrap_or("unknown");
    let rust = concat!("none (landfall, in Rust ", env!("CARGO_PKG_RUST_VERSION"), " or later)");
    let (os, architecture) = (std::env::consts::OS, go_architecture());
    format!(
        "{name}: {version}\n  BuildDate: {built}\n  GitCommit: {commit}\n  GoVersion: {rust}\n  GoCompiler: none\n  \
         Platform: {os}/{architecture}\n"
    )
}

/// The architecture by the name that images have.
fn go_architecture() -> &'static str {
    match std::env::consts::ARCH {
        "x86_64" => "amd64",
        "aarch64" => "arm64",
        other => other,
    }
}
