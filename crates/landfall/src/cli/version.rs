//! `landfall version`.

use super::output::print;

/// Prints name and version.
pub(super) fn run() -> anyhow::Result<()> {
    print(concat!("landfall ", env!("CARGO_PKG_VERSION"), "\n"))
}
