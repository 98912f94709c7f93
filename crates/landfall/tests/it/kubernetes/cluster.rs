//! The world of these stories: an API server, a project in it, and a landfall that follows that project alone.

use std::collections::BTreeSet;
use std::ops::Deref;
use std::path::Path;
use std::sync::atomic::{AtomicU32, Ordering};

use landfall_harness::http::{self, Response};
use landfall_harness::process::Builder;
use landfall_harness::{ApiServer, Landfall, wait};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::world::{BINARY, PATIENCE, define};

/// A landfall and the project that it follows.
pub struct Cluster<S = &'static ApiServer> {
    /// The process; dropped before the folder that it works in.
    pub landfall: Landfall,
    pub server: S,
    /// The project, which is a namespace and a `ProjectConfig`.
    pub project: String,
    _folder: TempDir,
}

/// The API server that all stories share that neither stop it nor change its kinds.
pub fn shared() -> &'static ApiServer {
    let server = ApiServer::shared().unwrap();
    define(server);
    server
}

impl<S: Deref<Target = ApiServer>> Cluster<S> {
    /// A project of one receiver, `hub` of Docker Hub, and a landfall.
    pub fn start(server: S) -> Self {
        let project = server.namespace().unwrap();
        let kubeconfig = server.kubeconfig();
        let cluster = Self::of(server, &project, &kubeconfig, |landfall| landfall);
        cluster.apply(&secret(&project, "s3cret"));
        cluster.apply(&hub(&project));
        cluster
    }

    /// A landfall for a project that may not be there yet.
    pub fn of(server: S, project: &str, kubeconfig: &Path, configure: impl FnOnce(Builder) -> Builder) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let builder = Landfall::builder(BINARY)
            .data_dir(folder.path().join("data"))
            .arg("--kubernetes")
            .arg("--kubeconfig")
            .arg(&kubeconfig.to_string_lossy())
            .arg("--watch-namespaces")
            .arg(project)
            .env("POD_NAMESPACE", project)
            .arg("--system-resources-namespace")
            .arg(project)
            .arg("--base-url=https://hooks.example.com/in");
        Self {
            landfall: configure(builder).start().unwrap(),
            server,
            project: project.to_owned(),
            _folder: folder,
        }
    }

    /// Makes or changes objects.
    pub fn apply(&self, manifests: &str) {
        self.server.apply(manifests).unwrap();
    }

    /// Makes Warehouses that subscribe to one image.
    pub fn warehouses(&self, names: &[&str], image: &str) {
        self.apply(
            &names
                .iter()
                .map(|name| warehouse(&self.project, name, image))
                .collect::<String>(),
        );
    }

    /// The token of each Warehouse, in the order of their names; empty where there is none.
    pub fn tokens(&self) -> Vec<(String, String)> {
        let list = self
            .server
            .get(&["warehouses.kargo.akuity.io", "--namespace", &self.project])
            .unwrap();
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let items = list["items"].as_array().unwrap();
        let token = |item: &Value| text(&item["metadata"]["annotations"]["kargo.akuity.io/refresh"]);
        items
            .iter()
            .map(|item| (text(&item["metadata"]["name"]), token(item)))
            .collect()
    }

    /// Waits until the Warehouses of these names, and no others, have tokens. Returns the tokens.
    pub fn refreshed(&self, names: &[&str]) -> Vec<String> {
        let mut last = Vec::new();
        let found = wait::until(PATIENCE, "annotations", || {
            last = self.tokens();
            let with_token: Vec<_> = last.iter().filter(|(_, token)| !token.is_empty()).collect();
            let is_so = with_token
                .iter()
                .map(|(name, _)| name.as_str())
                .eq(names.iter().copied());
            is_so.then(|| with_token.into_iter().map(|(_, token)| token.clone()).collect())
        });
        found.unwrap_or_else(|error| panic!("{error}; there are {last:?}\n{}", self.end_of_log()))
    }

    /// Waits until a Warehouse's status is as `wanted`.
    pub fn warehouse_when(&self, name: &str, what: &str, wanted: impl Fn(&Value) -> bool) -> Value {
        let mut last = Value::Null;
        let found = wait::until(PATIENCE, what, || {
            let warehouse = ["warehouses.kargo.akuity.io", name, "--namespace", &self.project];
            last = self.server.get(&warehouse).ok()?;
            wanted(&last["status"]).then(|| last.clone())
        });
        found.unwrap_or_else(|error| panic!("{error}; it is {last:#}\n{}", self.end_of_log()))
    }

    /// Waits until the `ProjectConfig`'s status is as `wanted`.
    pub fn status_when(&self, what: &str, wanted: impl Fn(&Value) -> bool) -> Value {
        let mut last = Value::Null;
        let found = wait::until(PATIENCE, what, || {
            let config = [
                "projectconfigs.kargo.akuity.io",
                &self.project,
                "--namespace",
                &self.project,
            ];
            last = self.server.get(&config).ok()?["status"].clone();
            wanted(&last).then(|| last.clone())
        });
        found.unwrap_or_else(|error| panic!("{error}; the status is {last:#}\n{}", self.end_of_log()))
    }

    /// Waits until the receiver `hub` is published, and returns its path.
    pub fn path(&self) -> String {
        let status = self.status_when("a published receiver", |status| {
            status["webhookReceivers"][0]["path"].is_string() && is_ready(status)
        });
        status["webhookReceivers"][0]["path"].as_str().unwrap().to_owned()
    }

    /// Waits until somebody is behind a path.
    pub fn open(&self, path: &str) {
        let opened = wait::until(PATIENCE, "an open door", || {
            let answer = http::get(&(self.landfall.url() + path)).ok()?;
            (answer.status == 405).then_some(())
        });
        opened.unwrap_or_else(|error| panic!("{error}\n{}", self.end_of_log()));
    }

    /// Posts what Docker Hub posts of a push.
    pub fn post(&self, path: &str, repository: &str, tag: &str) -> Response {
        post(&(self.landfall.url() + path), repository, tag)
    }

    /// Posts a push that has to be taken, for so many Warehouses. Returns the delivery's id.
    pub fn pushed(&self, path: &str, repository: &str, tag: &str, matched: usize) -> String {
        let answer = self.post(path, repository, tag);
        let expected = format!("{{\"msg\":\"refreshed {matched} warehouse(s)\"}}\n");
        assert_eq!((answer.status, answer.text()), (200, expected), "{}", self.end_of_log());
        crate::world::delivery_id(&answer)
    }

    /// Posts pushes until one is for so many Warehouses: a watch may take a moment. Returns the delivery's id.
    pub fn matched(&self, path: &str, repository: &str, matched: usize) -> String {
        static NEXT: AtomicU32 = AtomicU32::new(1);
        let expected = format!("refreshed {matched} warehouse(s)");
        let found = wait::until(PATIENCE, &expected, || {
            let tag = format!("1.1.{}", NEXT.fetch_add(1, Ordering::Relaxed));
            let answer = self.post(path, repository, &tag);
            answer
                .text()
                .contains(&expected)
                .then(|| crate::world::delivery_id(&answer))
        });
        found.unwrap_or_else(|error| panic!("{error}\n{}", self.end_of_log()))
    }

    /// Waits until so many Warehouses are known to subscribe to a repository, by pushes that none of them wants.
    pub fn known(&self, path: &str, repository: &str, subscribed: usize) {
        static NEXT: AtomicU32 = AtomicU32::new(1);
        let found = wait::until(PATIENCE, "all Warehouses to be known", || {
            let tag = format!("2.0.{}", NEXT.fetch_add(1, Ordering::Relaxed));
            let id = crate::world::delivery_id(&self.post(path, repository, &tag));
            let explain = ["deliveries", "explain", &id, "-o", "json"];
            let delivery = self.landfall.cli_json(&explain).ok()?;
            let lines = delivery["explanations"][0]["lines"].as_array()?;
            let targets = lines.iter().filter_map(|line| line["targets"].as_array());
            (targets.map(Vec::len).sum::<usize>() == subscribed).then_some(())
        });
        found.unwrap_or_else(|error| panic!("{error}\n{}", self.end_of_log()));
    }

    /// All that is known of a delivery, once it is as `wanted`.
    pub fn delivery_when(&self, id: &str, what: &str, wanted: impl Fn(&Value) -> bool) -> Value {
        let mut last = Value::Null;
        let found = wait::until(PATIENCE, what, || {
            last = self
                .landfall
                .cli_json(&["deliveries", "explain", id, "-o", "json"])
                .ok()?;
            wanted(&last).then(|| last.clone())
        });
        found.unwrap_or_else(|error| panic!("{error}; delivery {id} is {last:#}\n{}", self.end_of_log()))
    }

    /// Waits until every Warehouse's work of a delivery is done.
    pub fn done(&self, id: &str) -> Value {
        self.delivery_when(id, "a delivery to be done", |delivery| {
            let states = crate::world::states(delivery);
            !delivery["matched"].is_null() && states.iter().all(|state| *state == "done")
        })
    }

    /// All deliveries that the journal has.
    fn deliveries(&self) -> Vec<Value> {
        let list = ["deliveries", "list", "--limit", "100000", "-o", "json"];
        self.landfall.cli_json(&list).unwrap().as_array().unwrap().clone()
    }

    /// Waits until every delivery is matched, and every work is done.
    pub fn settled(&self) {
        let mut last = Vec::new();
        let found = wait::until(PATIENCE, "all deliveries to be done", || {
            last = self.deliveries();
            last.retain(|delivery| {
                let states = delivery["targets"].as_object().unwrap();
                // Of a repetition nothing follows.
                let is_matched = !delivery["matched"].is_null() || delivery["verdict"] == "duplicate";
                !is_matched || states.keys().any(|state| state != "done")
            });
            last.is_empty().then_some(())
        });
        found.unwrap_or_else(|error| panic!("{error}; there are {last:#?}\n{}", self.end_of_log()));
    }

    /// How many of these deliveries the journal has.
    pub fn deliveries_of(&self, ids: &[String]) -> usize {
        let known = self.deliveries();
        let known: BTreeSet<&str> = known.iter().filter_map(|delivery| delivery["id"].as_str()).collect();
        ids.iter()
            .collect::<BTreeSet<_>>()
            .iter()
            .filter(|id| known.contains(id.as_str()))
            .count()
    }

    /// Waits until landfall has said something.
    pub fn says(&self, words: &str) {
        let said = wait::until(PATIENCE, words, || self.log().contains(words).then_some(()));
        said.unwrap_or_else(|error| panic!("{error}\n{}", self.end_of_log()));
    }

    /// What landfall wrote to its log.
    pub fn log(&self) -> String {
        std::fs::read_to_string(self.landfall.log()).unwrap_or_default()
    }

    fn end_of_log(&self) -> String {
        let log = self.log();
        let lines: Vec<&str> = log.lines().collect();
        lines[lines.len().saturating_sub(40)..].join("\n")
    }
}

/// Posts what Docker Hub posts of a push.
pub fn post(url: &str, repository: &str, tag: &str) -> Response {
    let body = json!({ "push_data": { "tag": tag }, "repository": { "repo_name": repository } });
    http::post(
        url,
        &[("Content-Type", "application/json")],
        body.to_string().as_bytes(),
    )
    .unwrap()
}

/// Whether a status says that everything is well.
pub fn is_ready(status: &Value) -> bool {
    crate::world::conditions(status).contains("Ready=True (Synced)")
}

/// A `ProjectConfig` of one receiver.
pub fn hub(project: &str) -> String {
    config(project, "[{name: hub, dockerhub: {secretRef: {name: hook}}}]")
}

/// A `ProjectConfig` of the receivers.
pub fn config(project: &str, receivers: &str) -> String {
    format!(
        "---\napiVersion: kargo.akuity.io/v1alpha1\nkind: ProjectConfig\nmetadata: {{name: {project}, namespace: {project}}}\n\
         spec:\n  webhookReceivers: {receivers}\n"
    )
}

/// The Secret of that receiver.
pub fn secret(project: &str, value: &str) -> String {
    format!(
        "---\napiVersion: v1\nkind: Secret\nmetadata: {{name: hook, namespace: {project}}}\nstringData: {{secret: {value}}}\n"
    )
}

/// A Warehouse that subscribes to one image.
pub fn warehouse(project: &str, name: &str, image: &str) -> String {
    format!(
        "---\napiVersion: kargo.akuity.io/v1alpha1\nkind: Warehouse\nmetadata: {{name: {name}, namespace: {project}}}\n\
         spec:\n  interval: 5m0s\n  subscriptions: [{{image: {{repoURL: {image}, constraint: ^1.0.0}}}}]\n"
    )
}
