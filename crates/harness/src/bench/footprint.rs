//! What landfall needs with 1,000 Warehouses: memory when there is nothing to do, and the time until it answers.

use std::path::Path;
use std::time::Duration;

use anyhow::Result;
use landfall_harness::{ImageSpec, Registry, RegistryConfig, Storage, Uploader, manifests};

use crate::process::Server;
use crate::report::{Bound, Report, median};

const WAREHOUSES: usize = 1_000;
const STARTS: usize = 5;
/// MiB.
const MEMORY: f64 = 40.0;
/// Milliseconds.
const READY: f64 = 200.0;

/// Runs the benchmark.
pub fn run(binary: &Path, report: &mut Report) -> Result<()> {
    report.heading(&format!(
        "footprint: {WAREHOUSES} Warehouses, each a file and a repository of its own"
    ))?;
    let registry = Registry::start(RegistryConfig {
        storage: Storage::Filesystem,
        ..RegistryConfig::default()
    })?;
    let folder = tempfile::tempdir()?;
    let (manifests_folder, data) = (folder.path().join("manifests"), folder.path().join("data"));
    let mut uploader = Uploader::new(registry.host());
    for number in 0..WAREHOUSES {
        let name = format!("app-{number}");
        uploader.put_image(&format!("bench/{name}"), "1.0.0", &ImageSpec::new("one"))?;
        let subscription = manifests::image_subscription(&format!("{}/bench/{name}", registry.host()), "");
        let warehouse = manifests::warehouse(&name, "bench", "1h", &subscription);
        manifests::write(&manifests_folder, &format!("{name}.yaml"), &warehouse)?;
    }
    let args = ["--registry-rate-limit=1000000".to_owned()];
    let mut ready = Vec::new();
    for number in 1..STARTS {
        let new = folder.path().join(format!("data-{number}"));
        let server = Server::start(binary, &manifests_folder, &new, &args)?;
        ready.push(millis(server.ready));
        server.terminate()?;
    }
    let first = Server::start(binary, &manifests_folder, &data, &args)?;
    ready.push(millis(first.ready));
    let median = |values| median(values).unwrap_or_default();
    report.bounded(
        &format!("first start, without a data folder: from exec to /healthz, median of {STARTS}"),
        median(ready),
        " ms",
        Bound::Below(READY),
    )?;
    first.quiet()?;
    report.bounded(
        "resident when all have been looked at",
        first.resident()?,
        " MiB",
        Bound::Below(MEMORY),
    )?;
    first.terminate()?;
    let (mut ready, mut resident) = (Vec::new(), Vec::new());
    for _ in 0..STARTS {
        let again = Server::start(binary, &manifests_folder, &data, &args)?;
        ready.push(millis(again.ready));
        again.quiet()?;
        resident.push(again.resident()?);
        again.terminate()?;
    }
    report.bounded(
        &format!("resident after a later start, median of {STARTS}"),
        median(resident),
        " MiB",
        Bound::Below(MEMORY),
    )?;
    report.bounded(
        &format!("later start: from exec to /healthz, median of {STARTS}"),
        median(ready),
        " ms",
        Bound::Below(READY),
    )
}

fn millis(time: Duration) -> f64 {
    time.as_secs_f64() * 1_000.0
}
