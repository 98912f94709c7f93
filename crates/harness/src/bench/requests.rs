//! The requests that a registry gets for one event, by the number of tags in the repository, counted between the two.

use std::path::Path;
use std::time::Duration;

use anyhow::{Context as _, Result};
use jiff::{SignedDuration, Timestamp};
use landfall_harness::http::{self, Request};
use landfall_harness::{
    CountingProxy, Digest, ImageSpec, Landfall, Manifest, Registry, RegistryConfig, RequestLine, Storage, Uploader,
    manifests, wait,
};
use serde_json::{Value, json};

use crate::report::{Bound, Report};

const SIZES: [usize; 3] = [10, 1_000, 10_000];
const EVENTS: usize = 5;
/// Tags of the past share so many images, so that a repository of many tags is made quickly.
const IMAGES: usize = 10;
const SECRET: &str = "a secret of the benchmark";
/// A look at 10,000 tags takes a while.
const PATIENCE: Duration = Duration::from_secs(300);

/// Runs the benchmark.
pub fn run(binary: &Path, report: &mut Report) -> Result<()> {
    report.heading(&format!(
        "requests: to the registry, for a Warehouse that wants the newest build, {EVENTS} events each"
    ))?;
    let registry = Registry::start(RegistryConfig {
        storage: Storage::Filesystem,
        ..RegistryConfig::default()
    })?;
    let mut uploader = Uploader::new(registry.host());
    for size in SIZES {
        fill(&mut uploader, size)?;
    }
    let proxy = CountingProxy::start(registry.host())?;
    let folder = tempfile::tempdir()?;
    let landfall = start(binary, folder.path(), &proxy)?;
    wait_for_first_looks(&landfall)?;
    let first = proxy.take_requests();
    let mut per_event = Vec::new();
    for size in SIZES {
        let of_size = |line: &&RequestLine| line.path.contains(&format!("/{}/", repository(size)));
        let listing = |line: &&RequestLine| line.path.contains("/tags/list");
        let listings = first.iter().filter(of_size).filter(listing).count();
        let looks = first.iter().filter(of_size).count() - listings;
        let counts = events(&landfall, &proxy, &mut uploader, size)?;
        report.figure(
            &format!("{size} tags, first look: {listings} for the list, {looks} for its tags; then for an event"),
            &format!("{counts:?}"),
        )?;
        per_event.extend(counts);
    }
    let (least, most) = (per_event.iter().min(), per_event.iter().max());
    let spread = least.zip(most).map_or(0, |(least, most)| most - least);
    #[expect(clippy::cast_precision_loss, reason = "a handful")]
    report.bounded(
        "the most for an event - the least",
        spread as f64,
        "",
        Bound::AtMost(0.0),
    )
}

fn start(binary: &Path, folder: &Path, proxy: &CountingProxy) -> Result<Landfall> {
    let manifests_folder = folder.join("manifests");
    for size in SIZES {
        let repository = format!("{}/{}", proxy.host(), repository(size));
        let subscription = manifests::image_subscription(&repository, "imageSelectionStrategy: NewestBuild");
        let warehouse = manifests::warehouse(&warehouse(size), "bench", "1h", &subscription);
        manifests::write(&manifests_folder, &format!("{size}.yaml"), &warehouse)?;
    }
    Landfall::builder(binary)
        .manifests(manifests_folder)
        .data_dir(folder.join("data"))
        .log(folder.join("log"))
        .env("DISTRIBUTION_WEBHOOK_SECRET", SECRET)
        .arg("--registry-rate-limit=1000000")
        .start()
}

fn wait_for_first_looks(landfall: &Landfall) -> Result<()> {
    wait::until(PATIENCE, "the first look at each repository", || {
        let warehouses = landfall.cli_json(&["get", "warehouses", "-o", "json"]).ok()?;
        let ready = warehouses
            .as_array()?
            .iter()
            .filter(|warehouse| chosen(warehouse).is_some());
        (ready.count() == SIZES.len()).then_some(())
    })
}

/// The tag that a Warehouse has as its newest build.
fn chosen(warehouse: &Value) -> Option<&str> {
    warehouse["status"]["discoveredArtifacts"]["images"][0]["references"][0]["tag"].as_str()
}

/// Pushes one new image after another, tells landfall, and counts what it asks until the image is recorded.
fn events(landfall: &Landfall, proxy: &CountingProxy, uploader: &mut Uploader, size: usize) -> Result<Vec<usize>> {
    let mut counts = Vec::new();
    for number in 0..EVENTS {
        let tag = format!("new-{number}");
        let digest = uploader.put_image(&repository(size), &tag, &image(IMAGES + number)?)?;
        proxy.take_requests();
        let request = Request::new("POST", "/webhook?type=distribution").header("Authorization", SECRET);
        let response = http::send(&landfall.host(), &request.body(delivery(proxy, size, &tag, &digest)))?;
        anyhow::ensure!(response.status == 200, "a delivery was answered {}", response.text());
        let name = warehouse(size);
        wait::until(PATIENCE, "a pushed image to be recorded", || {
            let found = landfall.cli_json(&["get", "warehouse", &name, "-o", "json"]).ok()?;
            (chosen(&found) == Some(&tag)).then_some(())
        })?;
        counts.push(proxy.take_requests().len());
    }
    Ok(counts)
}

fn delivery(proxy: &CountingProxy, size: usize, tag: &str, digest: &Digest) -> String {
    json!({"events": [{
        "id": format!("{size}-{tag}"),
        "action": "push",
        "target": {
            "mediaType": landfall_harness::image::MANIFEST, "digest": digest, "repository": repository(size), "tag": tag,
        },
        "request": {"host": proxy.host()},
    }]})
    .to_string()
}

/// Makes a repository with so many tags.
fn fill(uploader: &mut Uploader, size: usize) -> Result<()> {
    let repository = repository(size);
    let mut images: Vec<Manifest> = Vec::new();
    for number in 0..size {
        let tag = format!("build-{number:05}");
        match images.get(number % IMAGES) {
            Some(manifest) => drop(uploader.put_manifest(&repository, &tag, manifest)?),
            None => {
                let spec = image(number)?;
                uploader.put_image(&repository, &tag, &spec)?;
                images.push(spec.build()?.manifest);
            }
        }
    }
    Ok(())
}

/// An image, built an hour after the one of the number before.
fn image(number: usize) -> Result<ImageSpec> {
    let begin: Timestamp = "2026-01-01T00:00:00Z".parse().context("a time")?;
    let created = begin.checked_add(SignedDuration::from_hours(i64::try_from(number)?))?;
    Ok(ImageSpec::new("the same layer").created(created))
}

fn repository(size: usize) -> String {
    format!("bench/{}", warehouse(size))
}

fn warehouse(size: usize) -> String {
    format!("tags-{size}")
}
