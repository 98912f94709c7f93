//! The world that a story plays in: a landfall with its folders, what its senders post, and the words to ask it with. It
//! must not know what any story expects.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use landfall_harness::http::{self, Request, Response};
use landfall_harness::process::Builder;
use landfall_harness::{ApiServer, Definitions, Digest, ImageSpec};
use landfall_harness::{
    Landfall, NotificationEndpoint, Registry, RegistryConfig, RequestLine, Storage, manifests, oci_layout, push, wait,
};
use serde_json::{Value, json};
use tempfile::TempDir;

/// The binary that all stories are about.
pub const BINARY: &str = env!("CARGO_BIN_EXE_landfall");
/// The project of stories that need no second one.
pub const PROJECT: &str = "shop";
/// What the registries show at the door by type.
pub const PROOF: &str = "Bearer journeys";
/// How long anything may take before a story is over. A busy machine is slow; nothing else needs this.
pub const PATIENCE: Duration = Duration::from_secs(90);
/// An interval that no story lives to see, so that whatever happens is an event's doing.
pub const NEVER: &str = "24h0m0s";

/// A running landfall with its folders, which are gone when it is dropped.
pub struct World {
    /// The process; dropped before the folders that it works in.
    pub landfall: Landfall,
    /// The database of its journal; `None` where that is in its data folder.
    journal: Option<String>,
    folder: TempDir,
}

impl World {
    /// Starts landfall with an empty folder of manifests.
    pub fn start() -> Self {
        Self::with(|landfall| landfall)
    }

    /// Starts landfall with what `configure` adds to it.
    pub fn with(configure: impl FnOnce(Builder) -> Builder) -> Self {
        Self::running(BINARY, configure)
    }

    /// Starts landfall with its journal in a database, or in its data folder, and with what `configure` adds to it.
    pub fn on(journal: Option<String>, configure: impl FnOnce(Builder) -> Builder) -> Self {
        let url = journal.clone();
        let configure = |landfall: Builder| match url {
            Some(url) => configure(landfall.env("LANDFALL_JOURNAL", &url)),
            None => configure(landfall),
        };
        Self {
            journal,
            ..Self::with(configure)
        }
    }

    /// Starts landfall through another program, such as a script that execs it.
    pub fn running(binary: impl Into<PathBuf>, configure: impl FnOnce(Builder) -> Builder) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let manifests = folder.path().join("manifests");
        std::fs::create_dir(&manifests).unwrap();
        let builder = Landfall::builder(binary)
            .manifests(&manifests)
            .data_dir(folder.path().join("data"))
            .env("DISTRIBUTION_WEBHOOK_SECRET", PROOF)
            .arg("--registry-rate-limit=1000000");
        let landfall = configure(builder).start().unwrap();
        let journal = None;
        Self {
            landfall,
            journal,
            folder,
        }
    }

    /// A registry that notifies this landfall of its pushes.
    pub fn registry(&self) -> Registry {
        let url = self.landfall.url() + "/webhook?type=distribution";
        let endpoint = NotificationEndpoint::new("landfall", &url).header("Authorization", PROOF);
        Registry::start(RegistryConfig {
            notifications: vec![endpoint],
            ..RegistryConfig::default()
        })
        .unwrap()
    }

    /// The folder of manifests.
    pub fn manifests(&self) -> PathBuf {
        self.folder.path().join("manifests")
    }

    /// Writes a file of manifests, or replaces it.
    pub fn write(&self, file: &str, text: &str) {
        manifests::write(&self.manifests(), file, text).unwrap();
    }

    /// Removes a file of manifests.
    pub fn remove(&self, file: &str) {
        std::fs::remove_file(self.manifests().join(file)).unwrap();
    }

    /// Writes the manifest of a Warehouse of [`PROJECT`] with one image subscription.
    pub fn warehouse(&self, name: &str, interval: &str, repo_url: &str, fields: &str) {
        let subscription = manifests::image_subscription(repo_url, fields);
        self.write(
            &format!("{name}.yaml"),
            &manifests::warehouse(name, PROJECT, interval, &subscription),
        );
    }

    /// Writes such a manifest, and waits until its first discovery is over. Returns the status.
    pub fn discovered(&self, name: &str, interval: &str, repo_url: &str, fields: &str) -> Value {
        self.warehouse(name, interval, repo_url, fields);
        self.status_when(name, "a first discovery", |status| {
            !status["discoveredArtifacts"]["discoveredAt"].is_null()
        })
    }

    /// The Warehouse as `landfall get` shows it; `None` if there is none, or nobody answers.
    pub fn try_warehouse(&self, name: &str) -> Option<Value> {
        let args = ["get", "warehouses", "-n", PROJECT, name, "-o", "json"];
        self.landfall.cli_json(&args).ok()
    }

    /// The status of a Warehouse of [`PROJECT`].
    pub fn status(&self, name: &str) -> Value {
        self.try_warehouse(name).unwrap()["status"].clone()
    }

    /// Waits until the status of a Warehouse is as `wanted`, and returns it.
    pub fn status_when(&self, name: &str, what: &str, wanted: impl Fn(&Value) -> bool) -> Value {
        let mut last = Value::Null;
        let found = wait::until(PATIENCE, what, || {
            last = self.try_warehouse(name)?["status"].clone();
            wanted(&last).then(|| last.clone())
        });
        found.unwrap_or_else(|error| panic!("{error}; Warehouse {name} has {last:#}\n{}", self.end_of_log()))
    }

    /// Waits until the best reference of a Warehouse's first image is `tag` at `digest`. Returns the status.
    pub fn best(&self, name: &str, tag: &str, digest: &Digest) -> Value {
        self.status_when(name, &format!("{tag} at {digest}"), |status| {
            let best = &first_image(status)["references"][0];
            best["tag"] == tag && best["digest"] == digest.as_str()
        })
    }

    /// Everything of a kind, as `landfall get KIND -o json` lists it.
    pub fn list(&self, kind: &str) -> Vec<Value> {
        let listed = self.landfall.cli_json(&["get", kind, "-o", "json"]).unwrap();
        listed.as_array().unwrap().clone()
    }

    /// Deliveries, the newest first.
    pub fn deliveries(&self) -> Vec<Value> {
        let args = ["deliveries", "list", "--limit", "10000", "-o", "json"];
        self.landfall.cli_json(&args).unwrap().as_array().unwrap().clone()
    }

    /// All that is known of a delivery.
    pub fn explained(&self, id: &str) -> Value {
        self.landfall
            .cli_json(&["deliveries", "explain", id, "-o", "json"])
            .unwrap()
    }

    /// Waits until a delivery is as `wanted`, and returns all that is known of it.
    pub fn delivery_when(&self, id: &str, what: &str, wanted: impl Fn(&Value) -> bool) -> Value {
        let mut last = Value::Null;
        let found = wait::until(PATIENCE, what, || {
            last = self.explained(id);
            wanted(&last).then(|| last.clone())
        });
        found.unwrap_or_else(|error| panic!("{error}; delivery {id} is {last:#}\n{}", self.end_of_log()))
    }

    /// Waits until a delivery was matched and every target's work is done.
    pub fn done(&self, id: &str) -> Value {
        self.delivery_when(id, "a delivery to be done", |delivery| {
            !delivery["matched"].is_null() && states(delivery).iter().all(|state| *state == "done")
        })
    }

    /// Waits until nothing is left to be done, for any delivery.
    pub fn settled(&self) -> Vec<Value> {
        let found = wait::until(PATIENCE, "all deliveries to be settled", || {
            let deliveries = self.deliveries();
            let unfinished = |delivery: &Value| {
                let waits = ["waiting", "retrying"];
                let is_matched = delivery["verdict"] != "accepted" || !delivery["matched"].is_null();
                !is_matched || waits.iter().any(|state| !delivery["targets"][state].is_null())
            };
            (!deliveries.iter().any(unfinished)).then_some(deliveries)
        });
        found.unwrap_or_else(|error| panic!("{error}\n{}", self.end_of_log()))
    }

    /// Posts an envelope as a registry does; the answer, if there is one.
    pub fn try_notify(&self, envelope: &str) -> Option<Response> {
        let url = self.landfall.url() + "/webhook?type=distribution";
        let headers = [
            ("Authorization", PROOF),
            ("Content-Type", "application/vnd.docker.distribution.events.v2+json"),
        ];
        http::post(&url, &headers, envelope.as_bytes()).ok()
    }

    /// Posts an envelope, which has to be taken, and returns the delivery's id.
    pub fn notify(&self, envelope: &str) -> String {
        let response = self.try_notify(envelope).expect("an answer");
        assert_eq!(response.status, 200, "{}", response.text());
        delivery_id(&response)
    }

    /// Tells landfall of one push, and returns the delivery's id.
    pub fn pushed(&self, host: &str, repository: &str, tag: &str) -> String {
        self.notify(&envelope(&[(host, repository, tag)]))
    }

    /// Runs a command of landfall's that needs no data folder.
    pub fn command(args: &[&str]) -> Output {
        Command::new(BINARY).env_clear().args(args).output().unwrap()
    }

    /// Starts landfall where it was, while it does not run, and waits for nothing: it can be killed before it is ready.
    pub fn start_unready(&self) -> Unready {
        let mut command = Command::new(BINARY);
        command.env_clear().env("DISTRIBUTION_WEBHOOK_SECRET", PROOF);
        command.args(["serve", "--log-level=warn", "--listen", &self.landfall.host()]);
        command.arg("--data-dir").arg(self.landfall.data_dir());
        command.arg("--manifests").arg(self.manifests());
        if let Some(journal) = &self.journal {
            command.env("LANDFALL_JOURNAL", journal);
        }
        Unready(command.stderr(Stdio::null()).spawn().unwrap())
    }

    /// The last lines of landfall's log, for a story that ends badly.
    fn end_of_log(&self) -> String {
        let log = self.log();
        let lines: Vec<&str> = log.lines().collect();
        lines[lines.len().saturating_sub(40)..].join("\n")
    }

    /// What landfall wrote to its log.
    pub fn log(&self) -> String {
        std::fs::read_to_string(self.landfall.log()).unwrap_or_default()
    }

    /// Waits until the log says this, which it may do a moment after what it is about.
    pub fn says(&self, words: &str) {
        let said = wait::until(PATIENCE, words, || self.log().contains(words).then_some(()));
        said.unwrap_or_else(|error| panic!("{error}\n{}", self.log()));
    }
}

/// Has an API server know the kinds: as the programs define them that landfall stands in for or, where nobody has those, as landfall does.
pub fn define(server: &ApiServer) -> Definitions {
    let own = || Ok(String::from_utf8(World::command(&["crds"]).stdout)?);
    server.define_resources(own).unwrap()
}

/// A landfall that may not be ready yet. Dropping it is SIGKILL.
pub struct Unready(Child);

impl Drop for Unready {
    fn drop(&mut self) {
        // One that has ended already is as dead.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Writes a script that can be run, and ends with running landfall; `before` is what comes first.
pub fn script(folder: &Path, before: &str) -> PathBuf {
    let (source, script) = (folder.join("source"), folder.join("landfall"));
    std::fs::write(&source, format!("#!/bin/sh\n{before}\nexec '{BINARY}' \"$@\"\n")).unwrap();
    // Copied by another process: a file that this one holds open for writing in any thread could not be run.
    let copied = Command::new("install")
        .args(["-m", "755"])
        .arg(&source)
        .arg(&script)
        .status();
    assert!(copied.unwrap().success());
    script
}

/// A registry that notifies nobody, in memory.
pub fn quiet_registry() -> Registry {
    Registry::start(RegistryConfig {
        storage: Storage::Memory,
        ..RegistryConfig::default()
    })
    .unwrap()
}

/// An envelope with a push event for each `(host, repository, tag)`, each with an id of its own, as CNCF Distribution
/// writes it.
pub fn envelope(pushes: &[(&str, &str, &str)]) -> String {
    static NEXT: AtomicU64 = AtomicU64::new(1);
    let event = |(host, repository, tag): &(&str, &str, &str)| {
        json!({
            "id": format!("event-{}", NEXT.fetch_add(1, Ordering::Relaxed)),
            "timestamp": "2026-01-02T03:04:05.678Z",
            "action": "push",
            "target": {
                "mediaType": "application/vnd.oci.image.manifest.v1+json",
                "repository": repository,
                "tag": tag,
                "url": format!("http://{host}/v2/{repository}/manifests/{tag}"),
            },
            "request": { "id": "request", "addr": "127.0.0.1", "host": host, "method": "PUT", "useragent": "journeys" },
            "actor": {},
            "source": { "addr": host, "instanceID": "instance" },
        })
    };
    json!({ "events": pushes.iter().map(event).collect::<Vec<_>>() }).to_string()
}

/// Where the deliveries are, byte for byte, a folder for each sender.
pub fn fixtures() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fixtures/receivers")
}

/// The request that goes over the wire so.
pub fn request(bytes: &[u8]) -> Request {
    let end = bytes.windows(4).position(|four| four == b"\r\n\r\n").unwrap();
    let head = String::from_utf8(bytes[..end].to_vec()).unwrap();
    let mut lines = head.split("\r\n");
    let mut first = lines.next().unwrap().split(' ');
    let request = Request::new(first.next().unwrap(), first.next().unwrap());
    let headers = lines.map(|line| line.split_once(": ").unwrap());
    headers
        .fold(request, |request, (name, value)| request.header(name, value))
        .body(&bytes[end + 4..])
}

/// A delivery's id, from the answer to it.
pub fn delivery_id(response: &Response) -> String {
    response
        .header("x-landfall-delivery")
        .expect("an answer that names the delivery")
        .to_owned()
}

/// Pushes an image with `skopeo`, as people do, and returns its digest.
pub fn skopeo_image(host: &str, repository: &str, tag: &str, spec: &ImageSpec) -> Digest {
    let layout = tempfile::tempdir().unwrap();
    let digest = oci_layout::image(layout.path(), tag, spec).unwrap();
    skopeo(layout.path(), host, repository, tag, &digest);
    digest
}

/// Pushes an index of images with `skopeo`, and returns the index's digest.
pub fn skopeo_index(host: &str, repository: &str, tag: &str, specs: &[ImageSpec]) -> Digest {
    let layout = tempfile::tempdir().unwrap();
    let digest = oci_layout::index(layout.path(), tag, specs, &std::collections::BTreeMap::new()).unwrap();
    skopeo(layout.path(), host, repository, tag, &digest);
    digest
}

fn skopeo(layout: &Path, host: &str, repository: &str, tag: &str, expected: &Digest) {
    let pushed = push::skopeo_copy(layout, tag, &format!("{host}/{repository}:{tag}"), None).unwrap();
    assert_eq!(&pushed, expected);
}

/// What a Warehouse's status has of its first image subscription.
pub fn first_image(status: &Value) -> &Value {
    &status["discoveredArtifacts"]["images"][0]
}

/// The tags that a status has for its first image, in their order.
pub fn tags(status: &Value) -> Vec<&str> {
    let references = first_image(status)["references"].as_array();
    references
        .into_iter()
        .flatten()
        .filter_map(|reference| reference["tag"].as_str())
        .collect()
}

/// The conditions of a status in short: `Ready=True (ArtifactsDiscovered)`.
pub fn conditions(status: &Value) -> BTreeSet<String> {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let conditions = status["conditions"].as_array();
    conditions
        .into_iter()
        .flatten()
        .map(|condition| {
            format!(
                "{}={} ({})",
                text(&condition["type"]),
                text(&condition["status"]),
                text(&condition["reason"])
            )
        })
        .collect()
}

/// The message of a status's condition of that type; empty where there is none.
pub fn message(status: &Value, condition_type: &str) -> String {
    let conditions = status["conditions"].as_array();
    let found = conditions
        .into_iter()
        .flatten()
        .find(|condition| condition["type"] == condition_type);
    found
        .and_then(|condition| condition["message"].as_str())
        .unwrap_or_default()
        .to_owned()
}

/// The state of each target's work: `waiting`, `done`, `dead`.
pub fn states(delivery: &Value) -> Vec<&str> {
    let work = delivery["work"].as_array();
    work.into_iter()
        .flatten()
        .filter_map(|work| work["work"]["state"].as_str())
        .collect()
}

/// What each attempt of a delivery for its first target came to, in words.
pub fn attempts(delivery: &Value) -> Vec<&str> {
    let attempts = delivery["work"][0]["attempts"].as_array();
    attempts
        .into_iter()
        .flatten()
        .filter_map(|attempt| attempt["outcome"].as_str())
        .collect()
}

/// Requests in short, in their order: `GET /v2/app/tags/list 200`. Digests, which say nothing to people, become `sha256:…`.
pub fn lines(requests: &[RequestLine]) -> Vec<String> {
    let shown = |path: &str| match path.split_once("sha256:") {
        Some((before, _)) => format!("{before}sha256:…"),
        None => path.split('?').next().unwrap_or_default().to_owned(),
    };
    requests
        .iter()
        .map(|line| format!("{} {} {}", line.method, shown(&line.path), line.status))
        .collect()
}
