//! Starts the registry and landfall, and does with them what people do: push, send, ask. It does not judge what comes out.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, Read as _};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use landfall_harness::{Digest, Landfall, NotificationEndpoint, Registry, RegistryConfig, manifests, oci_layout, push};

use super::page::Page;
use super::scene::{Content, Scene, Sends};
use super::settings::{REGISTRY_PORT, Settings};
use super::stop::Stop;

/// Everything that the quick start writes; wiped when it starts.
const FOLDER: &str = ".quickstart";
/// landfall's data folder.
pub const DATA: &str = ".quickstart/data";
const IMAGES: &str = ".quickstart/images";
/// Where landfall logs.
pub const LOG: &str = ".quickstart/landfall.log";
/// What landfall reads.
pub const MANIFESTS: &str = ".quickstart/manifests";
const EXAMPLE: &str = "examples/quickstart";
/// How much of the log is shown when something went wrong.
const LOG_LINES: usize = 20;

/// A running registry and a running landfall that it notifies. They end when this is dropped, landfall first.
pub struct Parts {
    /// landfall.
    pub landfall: Landfall,
    registry: Registry,
    binary: PathBuf,
}

impl Parts {
    /// Starts both, and says so.
    pub fn start(settings: &Settings, page: &Page, stop: &Stop) -> Result<Self> {
        let binary = binary()?;
        if !Path::new(EXAMPLE).is_dir() {
            bail!("{EXAMPLE} is not here: start it in the root of the repository, with `make run`");
        }
        free(settings.registry_port, "REGISTRY_PORT=5056", "the registry")?;
        free(settings.landfall_port, "LISTEN=127.0.0.1:8081", "landfall")?;
        wipe()?;
        copy_manifests(settings.registry_port)?;
        let secret = format!("Bearer {}", random()?);
        let webhook = format!("http://127.0.0.1:{}/webhook?type=distribution", settings.landfall_port);
        page.heading(
            "landfall's quick start:",
            "a real registry, real pushes, and what landfall makes of them",
        );
        let registry = Registry::start(RegistryConfig {
            port: Some(settings.registry_port),
            notifications: vec![NotificationEndpoint::new("landfall", &webhook).header("Authorization", &secret)],
            ..RegistryConfig::default()
        })?;
        page.part(
            "registry",
            &registry.url(),
            "Debian's docker-registry; notifies landfall of pushes",
        );
        stop.check()?;
        let landfall = Landfall::builder(&binary)
            .manifests(MANIFESTS)
            .data_dir(DATA)
            .listen(settings.landfall_port)
            .log(LOG)
            .env("DISTRIBUTION_WEBHOOK_SECRET", &secret)
            .arg("--registry-mirror")
            .arg(&format!("docker.io={}", registry.url()))
            .start()?;
        page.part(
            "landfall",
            &landfall.url(),
            &format!("{}; logs to {LOG}", binary.display()),
        );
        page.part(
            "manifests",
            MANIFESTS,
            &format!("a copy of {EXAMPLE}: a project and its Warehouses"),
        );
        Ok(Self {
            landfall,
            registry,
            binary,
        })
    }

    /// Pushes a scene's image with skopeo. Returns the digest that its tag has then.
    pub fn push(&self, scene: &Scene) -> Result<Digest> {
        let layout = self.write_layout(scene)?;
        let destination = format!("{}/{}", self.registry.host(), scene.name());
        push::skopeo_copy(&layout, scene.tag, &destination, None)
    }

    /// Posts what Docker Hub posts after a push, to the first receiver for it. Returns what the receiver answered.
    pub fn send_dockerhub(&self, repository: &str, tag: &str) -> Result<String> {
        let url = self.dockerhub_url()?;
        let mut command = Command::new(&self.binary);
        command.args(["send", "dockerhub", "--repo", repository, "--tag", tag, "--to", &url]);
        let output = command.output().context("landfall send cannot be started")?;
        if !output.status.success() {
            bail!(
                "landfall send failed: {}",
                String::from_utf8_lossy(&output.stderr).trim()
            );
        }
        Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned())
    }

    /// The canonical repository that the delivery of a scene names.
    pub fn repository_of(&self, scene: &Scene) -> String {
        match scene.sends {
            Sends::Registry => format!("{}/{}", self.registry.host(), scene.repository),
            // Images of Docker Hub have no host in their canonical form.
            Sends::DockerHub => scene.repository.to_owned(),
        }
    }

    /// What a command of landfall's prints for people.
    pub fn print(&self, command: &[&str]) -> Result<String> {
        let output = self.landfall.cli(command)?;
        if !output.status.success() {
            let said = String::from_utf8_lossy(&output.stderr);
            bail!("landfall {} failed: {}", command.join(" "), said.trim());
        }
        Ok(String::from_utf8_lossy(&output.stdout).into_owned())
    }

    /// The last lines of landfall's log.
    pub fn end_of_log(&self) -> String {
        let log = fs::read(LOG).unwrap_or_default();
        let log = String::from_utf8_lossy(&log);
        let lines: Vec<&str> = log.lines().collect();
        lines[lines.len().saturating_sub(LOG_LINES)..].join("\n")
    }

    /// Whether anything listens where landfall does.
    pub fn landfall_listens(&self) -> bool {
        let Ok(address) = self.landfall.host().parse() else {
            return false;
        };
        TcpStream::connect_timeout(&address, Duration::from_secs(1)).is_ok()
    }

    /// Writes a scene's image into the run folder. Returns the OCI layout that holds it.
    pub fn write_layout(&self, scene: &Scene) -> Result<PathBuf> {
        let layout = Path::new(IMAGES).join(scene.repository.replace('/', "-"));
        match &scene.content {
            Content::Image(image) => oci_layout::image(&layout, scene.tag, image)?,
            Content::Index(images) => oci_layout::index(&layout, scene.tag, images, &BTreeMap::new())?,
        };
        Ok(layout)
    }

    /// The registry.
    pub fn registry(&self) -> &Registry {
        &self.registry
    }

    /// landfall's binary, as people here would call it.
    pub fn binary(&self) -> String {
        self.binary.display().to_string()
    }

    /// Where Docker Hub would post.
    pub fn dockerhub_url(&self) -> Result<String> {
        let receivers = self.landfall.cli_json(&["receivers", "-o", "json"])?;
        receivers
            .as_array()
            .and_then(|receivers| receivers.iter().find(|receiver| receiver["sender"] == "dockerhub"))
            .and_then(|receiver| receiver["url"].as_str())
            .map(str::to_owned)
            .with_context(|| format!("landfall has no receiver for Docker Hub: {receivers}"))
    }
}

/// landfall's binary, which cargo puts beside this one; relative to the folder we are in, where it can be said so.
fn binary() -> Result<PathBuf> {
    let own = std::env::current_exe().context("the path of this program is unknown")?;
    let binary = own.with_file_name("landfall");
    if !binary.is_file() {
        bail!("{} does not exist: run `make build`", binary.display());
    }
    let here = std::env::current_dir().context("the current folder is unknown")?;
    Ok(binary.strip_prefix(&here).map(Path::to_path_buf).unwrap_or(binary))
}

fn free(port: u16, instead: &str, who: &str) -> Result<()> {
    match TcpListener::bind(("127.0.0.1", port)) {
        Ok(_) => Ok(()),
        Err(error) if error.kind() == io::ErrorKind::AddrInUse => {
            bail!("port {port} is taken, perhaps by another quick start; give {who} another one: make run {instead}")
        }
        Err(error) => bail!("{who} cannot listen at 127.0.0.1:{port}: {error}; try: make run {instead}"),
    }
}

fn wipe() -> Result<()> {
    match fs::remove_dir_all(FOLDER) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            Err(error).with_context(|| format!("cannot empty {FOLDER}"))
        }
        _ => fs::create_dir_all(FOLDER).with_context(|| format!("cannot make {FOLDER}")),
    }
}

/// A copy of the example, so that edits to try things out stay out of the repository; it names the registry's port.
fn copy_manifests(registry_port: u16) -> Result<()> {
    for entry in fs::read_dir(EXAMPLE).with_context(|| format!("cannot read {EXAMPLE}"))? {
        let path = entry.with_context(|| format!("cannot read {EXAMPLE}"))?.path();
        let text = fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))?;
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        let text = text.replace(
            &format!("127.0.0.1:{REGISTRY_PORT}"),
            &format!("127.0.0.1:{registry_port}"),
        );
        manifests::write(Path::new(MANIFESTS), &name, &text)?;
    }
    Ok(())
}

/// 192 random bits in hex.
fn random() -> Result<String> {
    let mut bytes = [0_u8; 24];
    File::open("/dev/urandom")
        .and_then(|mut source| source.read_exact(&mut bytes))
        .context("no random bytes from /dev/urandom")?;
    Ok(bytes.iter().map(|byte| format!("{byte:02x}")).collect())
}
