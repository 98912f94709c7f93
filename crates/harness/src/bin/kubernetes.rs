//! `make run-kubernetes`: a real API server, a real registry and landfall; pushes, and what `kubectl` shows of them. It sees
//! of landfall what a cluster sees: resources.

#[path = "../quickstart/page.rs"]
mod page;
#[path = "../quickstart/settings.rs"]
mod settings;
#[path = "../quickstart/stop.rs"]
mod stop;

use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use landfall_harness::{
    ApiServer, Definitions, Digest, ImageSpec, Landfall, NotificationEndpoint, Registry, RegistryConfig, Uploader,
    manifests, wait,
};

use page::{Page, short};
use settings::{Ending, Settings};
use stop::{Stop, Stopped};

/// Long enough for a machine that is busy with other things.
const PATIENCE: Duration = Duration::from_secs(60);
/// How often it looks whether somebody wants it to end.
const PATROL: Duration = Duration::from_secs(2);
const SECRET: &str = "a-secret-of-this-example-alone";
const BEARER: &str = "Bearer a-secret-of-this-example-alone";
const PROJECT: &str = "shop";
const REFRESH: &str = r#"jsonpath={.metadata.annotations.kargo\.akuity\.io/refresh}"#;
/// The best reference, and the refresh that was answered last.
const STATUS: &str =
    "jsonpath={.status.discoveredArtifacts.images[0].references[0].digest} {.status.lastHandledRefresh}";
const COLUMNS: &str = "custom-columns=NAME:.metadata.name,SUBSCRIBES TO:.spec.subscriptions[*].image.repoURL,\
                       TAG:.status.discoveredArtifacts.images[0].references[0].tag,\
                       DIGEST:.status.discoveredArtifacts.images[0].references[0].digest,\
                       READY:.status.conditions[?(@.type==\"Ready\")].status";

fn main() -> ExitCode {
    let page = Page::of_the_terminal();
    let ended = Stop::on_signals().and_then(|stop| show(&page, &stop));
    match ended {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) if error.is::<Stopped>() => {
            page.line("Stopped early; no process is left.");
            ExitCode::FAILURE
        }
        Err(error) => {
            page.problem(&format!("{error:#}"));
            ExitCode::FAILURE
        }
    }
}

/// Everything that it starts ends with it, however it returns.
fn show(page: &Page, stop: &Stop) -> Result<()> {
    let settings = Settings::from(|name| std::env::var(name).ok())?;
    let binary = binary()?;
    page.heading("landfall on Kubernetes:", "a real API server and registry, real pushes");
    let server = ApiServer::start()?;
    page.part("kubernetes", &server.url(), "kube-apiserver and etcd");
    define(&server, &binary, page)?;
    stop.check()?;
    let webhook = format!("http://127.0.0.1:{}/webhook?type=distribution", settings.landfall_port);
    let registry = Registry::start(RegistryConfig {
        port: Some(settings.registry_port),
        notifications: vec![NotificationEndpoint::new("landfall", &webhook).header("Authorization", BEARER)],
        ..RegistryConfig::default()
    })?;
    page.part(
        "registry",
        &registry.url(),
        "Debian's docker-registry; notifies landfall of pushes",
    );
    server.apply(&resources(&registry.host()))?;
    let data = tempfile::tempdir().context("cannot make a folder for the journal")?;
    let kubeconfig = server.kubeconfig();
    let mut landfall = Landfall::builder(&binary)
        .data_dir(data.path())
        .listen(settings.landfall_port)
        .env("KUBECONFIG", &kubeconfig.to_string_lossy())
        .env("DISTRIBUTION_WEBHOOK_SECRET", BEARER)
        .arg("--kubernetes")
        .arg("--controllers=warehouses")
        .arg(&format!("--registry-mirror=docker.io={}", registry.url()))
        .start()?;
    page.part(
        "landfall",
        &landfall.url(),
        "landfall serve --kubernetes --controllers=warehouses; the registry is its mirror of Docker Hub",
    );
    let looked = [
        "wait",
        "warehouse",
        "--all",
        "--for=jsonpath={.status.discoveredArtifacts}",
    ];
    let patience = ["--timeout=60s", "--namespace", PROJECT];
    server.kubectl(&[&looked[..], &patience[..]].concat())?;
    stop.check()?;
    push(&server, &registry, page)?;
    dockerhub(&server, &registry, &binary, page)?;
    page.heading("What the cluster has now:", "kubectl get warehouses");
    page.block(&server.kubectl(&["get", "warehouses", "--namespace", PROJECT, "--output", COLUMNS])?);
    if settings.ending == Ending::ByCtrlC {
        invite(&kubeconfig, &registry, page);
        while !stop.asked_within(PATROL) {}
    }
    let status = landfall.terminate().context("landfall did not stop")?;
    page.good(&format!(
        "landfall has stopped ({status}), and so have the registry and Kubernetes."
    ));
    Ok(())
}

/// Kargo's own definitions, where there are some, or else landfall's.
fn define(server: &ApiServer, binary: &Path, page: &Page) -> Result<()> {
    let whose = match server.define_resources(|| definitions_of(binary))? {
        Definitions::Peers => "those of Kargo",
        Definitions::Own => "those that `landfall crds` prints",
    };
    page.part("definitions", "", whose);
    Ok(())
}

fn definitions_of(binary: &Path) -> Result<String> {
    let printed = Command::new(binary)
        .arg("crds")
        .output()
        .context("landfall crds cannot be started")?;
    String::from_utf8(printed.stdout).context("landfall crds wrote no UTF-8")
}

fn resources(registry: &str) -> String {
    let warehouse = |name: &str, repository: &str| {
        let subscription = manifests::image_subscription(repository, "");
        manifests::warehouse(name, PROJECT, "5m0s", &subscription)
    };
    [
        format!("apiVersion: v1\nkind: Namespace\nmetadata: {{name: {PROJECT}}}\n"),
        manifests::dockerhub_project(PROJECT, "hub", SECRET),
        warehouse("api", &format!("{registry}/{PROJECT}/api")),
        warehouse("web", &format!("{PROJECT}/web")),
    ]
    .join("---\n")
}

/// A push to the registry, which notifies landfall by itself.
fn push(server: &ApiServer, registry: &Registry, page: &Page) -> Result<()> {
    page.scene(
        1,
        "A push to the registry becomes a digest in the status of the Warehouse that subscribed",
    );
    let digest: Digest = Uploader::new(registry.host()).put_image("shop/api", "1.0.0", &ImageSpec::new("api"))?;
    page.step("", "pushed", &format!("shop/api:1.0.0 ({})", short(digest.as_str())));
    discovered(server, "api", &digest, page)
}

/// What Docker Hub posts to the URL that the ProjectConfig's status has.
fn dockerhub(server: &ApiServer, registry: &Registry, binary: &Path, page: &Page) -> Result<()> {
    page.scene(
        2,
        "A receiver's URL is in the status of its ProjectConfig; what is posted there arrives, too",
    );
    let digest = Uploader::new(registry.host()).put_image("shop/web", "1.0.0", &ImageSpec::new("web"))?;
    page.step("", "pushed", &format!("shop/web:1.0.0 ({})", short(digest.as_str())));
    let url = ["--output", "jsonpath={.status.webhookReceivers[0].url}"];
    let get = [&["get", "projectconfig", PROJECT, "--namespace", PROJECT][..], &url].concat();
    let url = wait::until(PATIENCE, "the receiver's URL in the status", || {
        server.kubectl(&get).ok().filter(|url| !url.is_empty())
    })?;
    page.step("", "read", &url);
    let mut send = Command::new(binary);
    send.args([
        "send",
        "dockerhub",
        "--repo",
        "shop/web",
        "--tag",
        "1.0.0",
        "--to",
        &url,
    ]);
    let sent = send.output().context("landfall send cannot be started")?;
    if !sent.status.success() {
        bail!("landfall send failed: {}", String::from_utf8_lossy(&sent.stderr).trim());
    }
    page.step("", "answered", String::from_utf8_lossy(&sent.stdout).trim());
    discovered(server, "web", &digest, page)
}

/// Waits until a Warehouse has been asked for a refresh, and has answered it with the digest.
fn discovered(server: &ApiServer, warehouse: &str, digest: &Digest, page: &Page) -> Result<()> {
    let get = ["get", "warehouse", warehouse, "--namespace", PROJECT, "--output"];
    let shown = |what: &str| server.kubectl(&[&get[..], &[what]].concat()).ok();
    let token = wait::until(PATIENCE, "the Warehouse to be refreshed", || {
        shown(REFRESH).filter(|token| !token.is_empty())
    })?;
    page.step(
        "",
        "asked",
        &format!("Warehouse {warehouse}: kargo.akuity.io/refresh={token}"),
    );
    let expected = format!("{digest} {token}");
    wait::until(PATIENCE, "the digest in the status", || {
        shown(STATUS).filter(|status| *status == expected)
    })?;
    page.step(
        "",
        "recorded",
        &format!("Warehouse {warehouse}: {} in the status", short(digest.as_str())),
    );
    Ok(())
}

fn invite(kubeconfig: &Path, registry: &Registry, page: &Page) {
    page.heading("To try things out:", "it goes on until Ctrl-C");
    page.command("Look around:", &format!("export KUBECONFIG={}", kubeconfig.display()));
    let push = format!(
        "skopeo copy --dest-tls-verify=false IMAGE docker://{}/shop/api:1.0.1",
        registry.host()
    );
    page.command("Push:", &push);
    page.command("See what became of it:", "kubectl -n shop get warehouse api -o yaml");
}

/// landfall's binary, which cargo puts beside this one.
fn binary() -> Result<PathBuf> {
    let own = std::env::current_exe().context("the path of this program is unknown")?;
    let binary = own.with_file_name("landfall");
    if !binary.is_file() {
        bail!("{} does not exist: run `make run-kubernetes`", binary.display());
    }
    Ok(binary)
}
