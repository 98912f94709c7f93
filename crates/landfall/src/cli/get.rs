//! `landfall get`: resources with their status, receivers, and problems of the manifests.

use clap::{Args, ValueEnum};
use landfall_core::resource::status::WarehouseStatus;
use serde_json::Value;

use super::output::{Format, ago, print, print_json, print_table};
use super::{Server, UsageError};
use crate::admin::client::Client;
use crate::admin::types::ManifestProblem;
use crate::clock::now;

/// Print resources with their status.
///
/// Examples:
///   landfall get warehouses
///   landfall get warehouses -n shop api -o yaml
///   landfall get receivers
///   landfall get problems
#[derive(Debug, Args)]
#[command(verbatim_doc_comment)]
pub(super) struct GetArgs {
    /// What to print.
    #[arg(value_enum)]
    what: What,
    /// The one with this name.
    name: Option<String>,
    /// Those in this namespace.
    #[arg(short, long)]
    namespace: Option<String>,
    /// How to print.
    #[arg(short, long, value_enum, default_value = "table")]
    output: Format,
    #[command(flatten)]
    server: Server,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum What {
    #[value(alias = "warehouse")]
    Warehouses,
    #[value(name = "projectconfigs", alias = "projectconfig")]
    ProjectConfigs,
    #[value(name = "clusterconfigs", alias = "clusterconfig")]
    ClusterConfigs,
    #[value(alias = "receiver")]
    Receivers,
    #[value(alias = "problem")]
    Problems,
}

impl GetArgs {
    pub(super) async fn run(self) -> anyhow::Result<()> {
        let client = Client::new(&self.server.data_dir)?;
        match self.what {
            What::Receivers => return super::receivers::print_receivers(&client, self.output).await,
            What::Problems => return print_problems(&client, self.output).await,
            What::Warehouses | What::ProjectConfigs | What::ClusterConfigs => {}
        }
        let kind = self
            .what
            .to_possible_value()
            .map(|value| value.get_name().to_owned())
            .unwrap_or_default();
        let resources: Vec<Value> = client.get(&format!("/v1/resources/{kind}")).await?;
        let wanted = |resource: &Value, field: &str, wanted: &Option<String>| {
            wanted
                .as_deref()
                .is_none_or(|wanted| resource["metadata"][field] == wanted)
        };
        let resources: Vec<Value> = resources
            .into_iter()
            .filter(|resource| wanted(resource, "name", &self.name) && wanted(resource, "namespace", &self.namespace))
            .collect();
        if resources.is_empty()
            && let Some(name) = &self.name
        {
            anyhow::bail!(
                "there is no {name} among the {kind}; see `landfall get problems` for manifests that cannot be read"
            );
        }
        match self.output {
            Format::Json if self.name.is_some() && resources.len() == 1 => print_json(&resources[0]),
            Format::Json => print_json(&resources),
            Format::Yaml => print_yaml(&resources),
            Format::Table if self.what == What::Warehouses => print_warehouses(&resources),
            Format::Table => print_configs(&resources),
        }
    }
}

fn print_yaml(resources: &[Value]) -> anyhow::Result<()> {
    for resource in resources {
        print(&format!("---\n{}", crate::resources::manifests::to_yaml(resource)?))?;
    }
    Ok(())
}

/// A row for each subscription, with the best that it chose.
fn print_warehouses(warehouses: &[Value]) -> anyhow::Result<()> {
    let now = now();
    let mut rows = Vec::new();
    for warehouse in warehouses {
        let text = |field: &str| warehouse["metadata"][field].as_str().unwrap_or_default().to_owned();
        let status: WarehouseStatus = serde_json::from_value(warehouse["status"].clone()).unwrap_or_default();
        let ready = status.conditions.find("Ready");
        let state = ready.map(|ready| format!("{:?}", ready.status)).unwrap_or_default();
        let reason = ready.map(|ready| ready.reason.clone()).unwrap_or_default();
        let found = status.discovered_artifacts.unwrap_or_default();
        let age = match found.discovered_at {
            Some(time) => ago(time, now),
            None if is_elsewhere(warehouse) => String::new(),
            None => "never".to_owned(),
        };
        let row = |image: &str, newest: String, more: String| {
            vec![
                text("namespace"),
                text("name"),
                state.clone(),
                reason.clone(),
                image.to_owned(),
                newest,
                more,
                age.clone(),
            ]
        };
        if found.images.is_empty() {
            rows.push(row("", String::new(), String::new()));
        }
        for image in &found.images {
            let newest = image
                .references
                .first()
                .map(|best| best.tag.clone())
                .unwrap_or_default();
            rows.push(row(&image.repo_url, newest, image.references.len().to_string()));
        }
    }
    print_table(
        &["NAMESPACE", "NAME", "READY", "REASON", "IMAGE", "BEST", "FOUND", "SEEN"],
        rows,
    )?;
    if warehouses.iter().any(is_elsewhere) {
        print("\nThe API server has their statuses: kubectl get warehouses.kargo.akuity.io --all-namespaces\n")?;
    }
    Ok(())
}

/// Whether its status is kept by an API server alone.
fn is_elsewhere(warehouse: &Value) -> bool {
    warehouse.get("status").is_none()
}

fn print_configs(configs: &[Value]) -> anyhow::Result<()> {
    let rows = configs.iter().map(|config| {
        let ready = config["status"]["conditions"]
            .as_array()
            .and_then(|conditions| conditions.iter().find(|condition| condition["type"] == "Ready"))
            .cloned()
            .unwrap_or_default();
        let receivers = config["status"]["webhookReceivers"].as_array().map_or(0, Vec::len);
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        vec![
            text(&config["metadata"]["name"]),
            text(&ready["status"]),
            receivers.to_string(),
            text(&ready["message"]),
        ]
    });
    print_table(&["NAME", "READY", "RECEIVERS", "STATUS"], rows.collect())
}

async fn print_problems(client: &Client, output: Format) -> anyhow::Result<()> {
    let problems: Vec<ManifestProblem> = client.get("/v1/problems").await?;
    match output {
        Format::Json => print_json(&problems),
        Format::Yaml => Err(UsageError("problems are printed as table or json".to_owned()).into()),
        Format::Table => {
            let rows = problems
                .into_iter()
                .map(|problem| vec![problem.severity, problem.place, problem.message]);
            print_table(&["SEVERITY", "PLACE", "PROBLEM"], rows.collect())
        }
    }
}
