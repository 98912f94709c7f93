//! `landfall crds`: the definitions of the kinds that landfall reads, for a cluster that has none.

use clap::Args;

use super::output::print;
use crate::definitions;
use crate::resources::manifests::to_yaml;

/// Print the definitions of the kinds that landfall reads, for a cluster that has no Kargo.
///
/// They have the names and fields of Kargo's own definitions, as far as landfall reads and writes them, and no more. Create
/// them, which fails where they exist already; never apply or replace them: over Kargo's definitions they would make the API
/// server forget fields that Kargo needs.
///
/// Examples:
///   landfall crds | kubectl create -f -
///   landfall crds | kubectl delete -f -    # before Kargo is installed; deletes all resources of these kinds
#[derive(Debug, Args)]
#[command(verbatim_doc_comment)]
pub(super) struct CrdsArgs {}

impl CrdsArgs {
    pub(super) fn run(self) -> anyhow::Result<()> {
        let mut page = "# Create these (kubectl create); never apply them over Kargo's own definitions.\n".to_owned();
        for definition in definitions::all() {
            page.push_str("---\n");
            page.push_str(&to_yaml(&definition)?);
        }
        print(&page)
    }
}
