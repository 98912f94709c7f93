//! Deliveries that are journaled in a second, against requests to the same server that a constant answers.

use std::path::Path;
use std::thread;
use std::time::Duration;

use anyhow::{Context as _, Result};
use landfall_harness::http::Request;
use landfall_harness::{ImageSpec, Landfall, Registry, RegistryConfig, Uploader, manifests, registry::Storage};
use serde_json::json;

use crate::load::{CONNECTIONS, Load, NUMBER, Template};
use crate::process::{processor_time, quiet};
use crate::report::{Bound, Report, median};

const SECRET: &str = "a secret of the benchmark";
const WINDOW: Duration = Duration::from_secs(2);
const WARM_UP: Duration = Duration::from_millis(500);
const ROUNDS: usize = 7;
/// The share of the constant's rate that the journal is to reach.
const RATIO: f64 = 0.4;

/// Runs the benchmark.
pub fn run(binary: &Path, report: &mut Report) -> Result<()> {
    report.heading(&format!(
        "journal: requests in a second, {CONNECTIONS} kept connections, {ROUNDS} windows of {WINDOW:?} each in turn, medians"
    ))?;
    let registry = Registry::start(RegistryConfig {
        storage: Storage::Memory,
        ..RegistryConfig::default()
    })?;
    Uploader::new(registry.host()).put_image("example/wanted", "1.0.0", &ImageSpec::new("one"))?;
    let folder = tempfile::tempdir()?;
    let landfall = start(binary, folder.path(), &registry)?;
    let host = landfall.host();
    let path = manifests::receiver_path("dockerhub", "bench", "hub", SECRET);
    let template = |path: &str, repository: &str| Template::new(&host, &request(path, repository));
    let constant = template("/healthz", "example/nobodys")?;
    let nobodys = template(&path, "example/nobodys")?;
    let wanted = template(&path, "example/wanted")?;
    let mut load = Load::connect(&host)?;
    let mut sides = [
        Side::new("a constant answer to the same body (POST /healthz)", constant),
        Side::new("deliveries on the disk, wanted by nobody", nobodys),
        Side::new("deliveries on the disk, wanted by one Warehouse", wanted),
    ];
    for _ in 0..ROUNDS {
        for side in &mut sides {
            settle(&landfall)?;
            side.measure(&landfall, &mut load)?;
        }
    }
    let [constant, nobodys, wanted] = sides.map(|side| side.show(report));
    let (constant, nobodys, wanted) = (constant?, nobodys?, wanted?);
    report.bounded(
        "wanted by nobody / constant",
        nobodys / constant,
        "",
        Bound::AtLeast(RATIO),
    )?;
    // These have looks, statuses and attempts behind them, which share the two cores: shown, since it is what a site has, and not bounded.
    report.figure(
        "wanted by one Warehouse / constant",
        &format!("{:.2}", wanted / constant),
    )
}

/// One kind of request and what was measured of it.
struct Side {
    name: &'static str,
    template: Template,
    /// Requests in a second.
    rates: Vec<f64>,
    /// landfall's processor time for one request, in microseconds, with what follows from it.
    costs: Vec<f64>,
}

impl Side {
    fn new(name: &'static str, template: Template) -> Self {
        Self {
            name,
            template,
            rates: Vec::new(),
            costs: Vec::new(),
        }
    }

    fn measure(&mut self, landfall: &Landfall, load: &mut Load) -> Result<()> {
        load.window(&self.template, WARM_UP)?;
        let pid = landfall.process_id().context("landfall has ended")?;
        let before = processor_time(pid)?;
        let rate = load.window(&self.template, WINDOW)?;
        let used = processor_time(pid)?.saturating_sub(before);
        self.rates.push(rate);
        self.costs
            .push(used.as_secs_f64() * 1e6 / (rate * WINDOW.as_secs_f64()));
        Ok(())
    }

    /// Prints the medians, and returns the rate.
    fn show(self, report: &mut Report) -> Result<f64> {
        let [rate, cost] = [self.rates, self.costs].map(|values| median(values).unwrap_or_default());
        report.figure(self.name, &format!("{rate:.0}/s"))?;
        report.figure("  landfall's processor time for one of these", &format!("{cost:.0} µs"))?;
        Ok(rate)
    }
}

fn start(binary: &Path, folder: &Path, registry: &Registry) -> Result<Landfall> {
    let manifests_folder = folder.join("manifests");
    let warehouse = manifests::image_subscription("example/wanted", "");
    let warehouse = manifests::warehouse("wanted", "bench", "1h", &warehouse);
    manifests::write(&manifests_folder, "warehouse.yaml", &warehouse)?;
    manifests::write(
        &manifests_folder,
        "project.yaml",
        &manifests::dockerhub_project("bench", "hub", SECRET),
    )?;
    Landfall::builder(binary)
        .manifests(manifests_folder)
        .data_dir(folder.join("data"))
        .log(folder.join("log"))
        .arg(&format!("--registry-mirror=docker.io={}", registry.url()))
        .start()
}

/// What an earlier window left to be matched and looked at must not slow the next one.
fn settle(landfall: &Landfall) -> Result<()> {
    thread::sleep(Duration::from_millis(100));
    landfall
        .process_id()
        .map_or(Ok(()), |pid| quiet(pid, Duration::from_millis(300)))
}

/// A delivery of Docker Hub whose time makes it differ from all others.
fn request(path: &str, repository: &str) -> Request {
    let (namespace, name) = repository.split_once('/').unwrap_or_default();
    let body = json!({
        "callback_url": format!("https://registry.hub.docker.com/u/{repository}/hook/1/"),
        "push_data": { "pushed_at": NUMBER, "pusher": namespace, "tag": "1.0.0" },
        "repository": {
            "comment_count": 0, "date_created": 1_790_000_000, "description": "", "is_official": false,
            "is_private": false, "is_trusted": false, "name": name, "namespace": namespace, "owner": namespace,
            "repo_name": repository, "repo_url": format!("https://hub.docker.com/r/{repository}"), "star_count": 0,
            "status": "Active",
        },
    });
    Request::new("POST", path)
        .header("User-Agent", "Go-http-client/1.1")
        .header("Content-Type", "application/json")
        .body(body.to_string())
}
