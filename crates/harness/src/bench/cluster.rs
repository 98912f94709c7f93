//! An API server with a project in it: a receiver of Docker Hub, and Warehouses that subscribe to images, which nobody serves.
//! It makes and changes objects, and measures nothing.

use std::path::Path;
use std::process::Command;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use anyhow::{Result, bail};
use landfall_harness::http::Request;
use landfall_harness::{ApiServer, manifests};
use serde_json::{Value, json};

use crate::api::{Api, Connection};
use crate::load::CONNECTIONS;
use crate::process::Server;

const PROJECT: &str = "bench";
const RECEIVER: &str = "hub";
const SECRET: &str = "a-secret-of-the-benchmark";
/// Of each Warehouse: the image repositories that a large status tells of, and what was found in each.
const IMAGES: usize = 20;
const REFERENCES: usize = 20;

/// An API server and the project.
pub struct Cluster {
    pub server: ApiServer,
    pub api: Api,
    /// As many as patches are sent at once.
    connections: Vec<Connection>,
    made: usize,
    /// Tokens given out so far; none is given twice.
    tokens: AtomicUsize,
}

impl Cluster {
    /// Starts the API server, and makes the project. Where there are no definitions of Kargo's, they are those of the binary.
    pub fn start(binary: &Path) -> Result<Self> {
        let server = ApiServer::start()?;
        server.define_resources(|| {
            let printed = Command::new(binary).arg("crds").output()?;
            Ok(String::from_utf8(printed.stdout)?)
        })?;
        server.kubectl(&["create", "namespace", PROJECT])?;
        server.apply(&manifests::dockerhub_project(PROJECT, RECEIVER, SECRET))?;
        let api = Api::of(&server)?;
        Ok(Self {
            connections: api.connect_all(CONNECTIONS)?,
            server,
            api,
            made: 0,
            tokens: AtomicUsize::new(0),
        })
    }

    /// Connects anew: the API server closes connections that nobody used for a minute and a half.
    pub fn connect(&mut self) -> Result<()> {
        self.connections = self.api.connect_all(CONNECTIONS)?;
        Ok(())
    }

    /// Makes Warehouses until there are so many. Each subscribes to a repository of its own, and the first of them to
    /// [`shared`] ones as well: to each of these sizes, as many as it says.
    pub fn fill(&mut self, count: usize, sizes: &[usize]) -> Result<()> {
        self.connect()?;
        let first = self.made;
        spread(
            &mut self.connections,
            count.saturating_sub(first),
            |connection, number| {
                let number = first + number;
                let shared = sizes.iter().filter(|size| number < **size).map(|size| shared(*size));
                let subscriptions: String = std::iter::once(own(number))
                    .chain(shared)
                    .map(|repository| manifests::image_subscription(&repository, "constraint: ^1.0.0"))
                    .collect();
                let warehouse = manifests::warehouse(&name(number), PROJECT, "5m0s", &subscriptions);
                connection.change("POST", &warehouses(), "application/yaml", &warehouse)
            },
        )?;
        self.made = count.max(first);
        Ok(())
    }

    /// Changes the annotations of the first so many Warehouses by patches, as many at once as there are connections. They are the patches that
    /// landfall sends, and in its name: the more have changed an object, the more a change of it costs the API server, and whoever else
    /// patches leaves a trace.
    pub fn patch(&mut self, count: usize) -> Result<()> {
        let tokens = &self.tokens;
        spread(&mut self.connections, count, |connection, number| {
            let token = format!("direct-{}", tokens.fetch_add(1, Ordering::Relaxed));
            let patch = json!({ "metadata": { "annotations": { "kargo.akuity.io/refresh": token } } });
            let path = format!("{}/{}?fieldManager=landfall", warehouses(), name(number));
            connection.change("PATCH", &path, "application/merge-patch+json", &patch.to_string())
        })
    }

    /// Waits until everything that there is is in force in landfall: every Warehouse, the `ProjectConfig` and its Secret.
    pub fn known(&self, landfall: &Server) -> Result<()> {
        landfall.says(&format!(" resources={}\n", self.made + 2))
    }

    /// Writes the status of every Warehouse, as large as those are that whoever discovers writes. Returns the bytes of one.
    pub fn enlarge(&mut self) -> Result<usize> {
        self.connect()?;
        let status = json!({ "status": status() }).to_string();
        spread(&mut self.connections, self.made, |connection, number| {
            let path = format!("{}/{}/status", warehouses(), name(number));
            connection.change("PATCH", &path, "application/merge-patch+json", &status)
        })?;
        Ok(status.len())
    }
}

/// The path of the project's Warehouses.
pub fn warehouses() -> String {
    format!("/apis/kargo.akuity.io/v1alpha1/namespaces/{PROJECT}/warehouses")
}

/// The path that Docker Hub posts to.
pub fn receiver() -> String {
    manifests::receiver_path("dockerhub", PROJECT, RECEIVER, SECRET)
}

/// The repository that one Warehouse subscribes to.
pub fn own(number: usize) -> String {
    format!("{PROJECT}/app-{number}")
}

/// The repository that so many Warehouses subscribe to.
pub fn shared(size: usize) -> String {
    format!("{PROJECT}/shared-{size}")
}

fn name(number: usize) -> String {
    format!("w-{number:05}")
}

/// Hands the numbers below `count` out to connections, each of which has one at a time.
pub fn spread<C: Send>(
    connections: &mut [C],
    count: usize,
    each: impl Fn(&mut C, usize) -> Result<()> + Sync,
) -> Result<()> {
    let next = AtomicUsize::new(0);
    let drive = |connection: &mut C| -> Result<()> {
        loop {
            match next.fetch_add(1, Ordering::Relaxed) {
                number if number < count => each(connection, number)?,
                _ => return Ok(()),
            }
        }
    };
    thread::scope(|scope| {
        let drive = &drive;
        let threads: Vec<_> = connections
            .iter_mut()
            .map(|connection| scope.spawn(move || drive(connection)))
            .collect();
        threads.into_iter().try_for_each(|thread| match thread.join() {
            Ok(outcome) => outcome,
            Err(_) => bail!("a thread ended in the middle"),
        })
    })
}

/// What was discovered of images that are annotated as builds annotate them.
fn status() -> Value {
    let reference = |number: usize| {
        json!({
            "tag": format!("1.{number}.0"),
            "digest": format!("sha256:{number:064x}"),
            "annotations": { "build": format!("{number}") },
        })
    };
    let image = |number: usize| {
        json!({
            "repoURL": format!("registry.example.com/shop/part-{number}"),
            "references": (0..REFERENCES).map(reference).collect::<Vec<_>>(),
        })
    };
    json!({
        "discoveredArtifacts": {
            "discoveredAt": "2026-11-26T00:00:00Z",
            "images": (0..IMAGES).map(image).collect::<Vec<_>>(),
        },
        "observedGeneration": 1,
    })
}

/// The bytes of a delivery of Docker Hub to `host`, which `number` makes differ from all others.
pub fn delivery(host: &str, repository: &str, number: usize) -> Vec<u8> {
    let (namespace, name) = repository.split_once('/').unwrap_or_default();
    let body = json!({
        "callback_url": format!("https://registry.hub.docker.com/u/{repository}/hook/{number}/"),
        "push_data": { "pushed_at": number, "pusher": namespace, "tag": "1.0.0" },
        "repository": {
            "comment_count": 0, "date_created": 1_790_000_000, "description": "", "is_official": false,
            "is_private": false, "is_trusted": false, "name": name, "namespace": namespace, "owner": namespace,
            "repo_name": repository, "repo_url": format!("https://hub.docker.com/r/{repository}"), "star_count": 0,
            "status": "Active",
        },
    });
    Request::new("POST", receiver())
        .header("User-Agent", "Go-http-client/1.1")
        .header("Content-Type", "application/json")
        .body(body.to_string())
        .to_bytes(host)
}
