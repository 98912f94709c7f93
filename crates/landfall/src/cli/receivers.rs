//! `landfall receivers`: where senders post.

use clap::Args;

use super::output::{Format, ago, print_json, print_table};
use super::{Server, UsageError};
use crate::admin::client::Client;
use crate::clock::now;
use crate::live::{PreviousSecret, ReceiverSummary};

/// Print receivers with the URLs to configure at their senders.
///
/// The URL of a receiver of a ProjectConfig or ClusterConfig is a secret: whoever knows it can post.
///
/// Examples:
///   landfall receivers
///   landfall receivers -o json
#[derive(Debug, Args)]
#[command(verbatim_doc_comment)]
pub(super) struct ReceiversArgs {
    /// How to print.
    #[arg(short, long, value_enum, default_value = "table")]
    output: Format,
    #[command(flatten)]
    server: Server,
}

impl ReceiversArgs {
    pub(super) async fn run(self) -> anyhow::Result<()> {
        print_receivers(&Client::new(&self.server.data_dir)?, self.output).await
    }
}

/// Prints all receivers.
pub(super) async fn print_receivers(client: &Client, output: Format) -> anyhow::Result<()> {
    let receivers: Vec<ReceiverSummary> = client.get("/v1/receivers").await?;
    match output {
        Format::Json => print_json(&receivers),
        Format::Yaml => Err(UsageError("receivers are printed as table or json".to_owned()).into()),
        Format::Table => {
            let rows = receivers.into_iter().map(|receiver| {
                let sender = receiver.sender.map(|sender| sender.to_string()).unwrap_or_default();
                let previous = receiver.previous_secret.map(previous).unwrap_or_default();
                let place = match (receiver.url, receiver.problem) {
                    (Some(url), None) => url,
                    (Some(url), Some(problem)) => format!("{url} ({problem})"),
                    (None, problem) => format!("cannot be reached: {}", problem.unwrap_or_default()),
                };
                vec![receiver.receiver, sender, previous, place]
            });
            print_table(&["RECEIVER", "SENDER", "PREVIOUS SECRET", "URL"], rows.collect())
        }
    }
}

/// Whether a previous secret can go.
fn previous(secret: PreviousSecret) -> String {
    match secret.last {
        None => "unused".to_owned(),
        Some(last) => format!("{} deliveries, last {} ago", secret.deliveries, ago(last, now())),
    }
}
