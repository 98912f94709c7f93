//! All ten receivers by path at a real API server, of a project and of the cluster: each sender's own delivery, posted to the
//! URL that the status says, becomes the annotation of whoever subscribed; with a wrong proof it becomes nothing.

use std::collections::BTreeMap;

use landfall_harness::http::{self, Request, Response};
use landfall_harness::{ApiServer, Landfall, wait};
use serde_json::{Value, json};

use super::cluster::is_ready;
use crate::world::{BINARY, PATIENCE, define, delivery_id, fixtures, request, states};

/// The secret that all fixtures are signed with.
const SECRET: &str = "only-for-fixtures";
const BASE: &str = "https://hooks.example.com/in";

/// The types of receivers. The generic one has an action more in its own entry.
const RECEIVERS: [&str; 10] = [
    "artifactory",
    "azure",
    "bitbucket",
    "dockerhub",
    "generic",
    "gitea",
    "github",
    "gitlab",
    "harbor",
    "quay",
];

/// A delivery, the header that proves who sent it, if there is one, and the subscription that wants it.
const DELIVERIES: [(&str, Option<&str>, &str); 13] = [
    (
        "artifactory/push-of-an-image",
        Some("X-JFrog-Event-Auth"),
        "image: {repoURL: artifactory.example.com/docker-local/shop/api}",
    ),
    ("azure/push-by-path", None, "image: {repoURL: shop.azurecr.io/shop/api}"),
    (
        "azure/devops-push-of-a-branch",
        None,
        "git: {repoURL: 'https://dev.azure.com/Org/Shop/_git/API'}",
    ),
    (
        "bitbucket/cloud-push-of-a-branch",
        Some("X-Hub-Signature"),
        "git: {repoURL: 'https://bitbucket.org/Shop/API.git', branch: main}",
    ),
    (
        "bitbucket/data-center-push-of-a-branch",
        Some("X-Hub-Signature"),
        "git: {repoURL: 'https://git.example.com/scm/SHOP/api.git'}",
    ),
    (
        "dockerhub/push-by-path",
        None,
        "image: {repoURL: docker.io/shop/api, constraint: ^1.0.0}",
    ),
    ("generic/pushed", None, "image: {repoURL: nginx}"),
    (
        "gitea/push-of-a-branch",
        Some("X-Hub-Signature-256"),
        "git: {repoURL: 'https://git.example.com/Shop/API.git', includePaths: [apps/api]}",
    ),
    (
        "github/package-published-by-path",
        Some("X-Hub-Signature-256"),
        "image: {repoURL: ghcr.io/shop/api}",
    ),
    (
        "github/push-of-a-branch-by-path",
        Some("X-Hub-Signature-256"),
        "git: {repoURL: 'https://github.com/Shop/API'}",
    ),
    (
        "gitlab/push-of-a-branch",
        Some("X-Gitlab-Token"),
        "git: {repoURL: 'https://gitlab.example.com/Shop/API.git'}",
    ),
    (
        "harbor/push-by-path",
        Some("Authorization"),
        "image: {repoURL: harbor.example.com/library/api}",
    ),
    ("quay/push-by-path", None, "image: {repoURL: quay.io/shop/api}"),
];

fn object(kind: &str, name: &str, namespace: Option<&str>, spec: &Value) -> String {
    let metadata = json!({ "name": name, "namespace": namespace });
    json!({ "apiVersion": "kargo.akuity.io/v1alpha1", "kind": kind, "metadata": metadata, "spec": spec }).to_string()
}

/// All receivers, each named as its type.
fn receivers() -> Value {
    let actions = json!([{
        "action": "Refresh",
        "whenExpression": "request.header('X-Event') == 'pushed'",
        "targetSelectionCriteria": [{ "kind": "Warehouse", "indexSelector": { "matchIndices": [{
            "key": "subscribedURLs", "operator": "Equals", "value": "${{ normalizeImage(request.body.image) }}",
        }] } }],
    }]);
    let receiver = |kind: &str| {
        let mut of = json!({ "secretRef": { "name": "hook" } });
        if kind == "generic" {
            of["actions"] = actions.clone();
        }
        json!({ "name": kind, kind: of })
    };
    json!({ "webhookReceivers": RECEIVERS.map(receiver) })
}

/// A Secret with the same secret under each key that a receiver may look for.
fn secret(namespace: &str) -> String {
    let data = ["secret", "secret-token", "auth-header"].map(|key| (key.to_owned(), json!(SECRET)));
    json!({
        "apiVersion": "v1", "kind": "Secret", "metadata": { "name": "hook", "namespace": namespace },
        "stringData": serde_json::Map::from_iter(data),
    })
    .to_string()
}

/// An API server with two projects that want everything, and receivers of the first one and of the cluster. Whoever shares an
/// API server shares its ClusterConfig.
struct Story {
    landfall: Landfall,
    server: ApiServer,
    project: String,
    other: String,
    _folder: tempfile::TempDir,
}

impl Story {
    fn begin() -> Self {
        let server = ApiServer::start().unwrap();
        define(&server);
        let [project, other, system] = [(), (), ()].map(|()| server.namespace().unwrap());
        let mut objects = vec![
            secret(&project),
            secret(&system),
            object("ProjectConfig", &project, Some(&project), &receivers()),
            object("ClusterConfig", "cluster", None, &receivers()),
        ];
        for namespace in [&project, &other] {
            objects.extend(DELIVERIES.iter().enumerate().map(|(place, (_, _, subscription))| {
                format!(
                    "apiVersion: kargo.akuity.io/v1alpha1\nkind: Warehouse\nmetadata: {{name: {}, namespace: {namespace}}}\n\
                     spec: {{interval: 5m0s, subscriptions: [{{{subscription}}}]}}",
                    name(place)
                )
            }));
        }
        server.apply(&objects.join("\n---\n")).unwrap();
        let folder = tempfile::tempdir().unwrap();
        let landfall = Landfall::builder(BINARY)
            .data_dir(folder.path().join("data"))
            .arg("--kubernetes")
            .arg("--kubeconfig")
            .arg(&server.kubeconfig().to_string_lossy())
            .arg("--system-resources-namespace")
            .arg(&system)
            .arg(&format!("--base-url={BASE}"))
            .start()
            .unwrap();
        Self {
            landfall,
            server,
            project,
            other,
            _folder: folder,
        }
    }

    /// The paths of all receivers of a resource, by type, once its status says them.
    fn paths(&self, resource: &[&str]) -> BTreeMap<String, String> {
        let mut last = Value::Null;
        let found = wait::until(PATIENCE, "all receivers to be published", || {
            last = self.server.get(resource).ok()?["status"].clone();
            let published = last["webhookReceivers"].as_array()?;
            (is_ready(&last) && published.len() == RECEIVERS.len()).then(|| {
                let published = published.iter();
                let published = published.map(|one| (one["name"].as_str().unwrap(), one["url"].as_str().unwrap()));
                published.map(|(name, url)| (name.to_owned(), url.to_owned())).collect()
            })
        });
        let urls: BTreeMap<String, String> = found.unwrap_or_else(|error| panic!("{error}: {last:#}"));
        let path = |(name, url): (String, String)| {
            let path = url.strip_prefix("https://hooks.example.com").unwrap();
            assert!(path.starts_with(&format!("/in/{name}/")), "{url}");
            (name, path.to_owned())
        };
        urls.into_iter().map(path).collect()
    }

    fn send(&self, request: &Request) -> Response {
        http::send(&self.landfall.host(), request).unwrap()
    }

    /// The tokens of a project's Warehouses, by their place in the table; only of those that have one.
    fn tokens(&self, namespace: &str) -> BTreeMap<String, String> {
        let list = ["warehouses.kargo.akuity.io", "--namespace", namespace];
        let list = self.server.get(&list).unwrap();
        let token = |item: &Value| {
            let metadata = &item["metadata"];
            let token = metadata["annotations"]["kargo.akuity.io/refresh"].as_str()?;
            Some((metadata["name"].as_str().unwrap().to_owned(), token.to_owned()))
        };
        list["items"].as_array().unwrap().iter().filter_map(token).collect()
    }

    /// The tokens that a delivery gave, by namespace and name, once all of them are there.
    fn given(&self, id: &str) -> BTreeMap<String, String> {
        let mut last = Value::Null;
        let done = wait::until(PATIENCE, "a delivery to be done", || {
            last = self
                .landfall
                .cli_json(&["deliveries", "explain", id, "-o", "json"])
                .ok()?;
            let is_done = !last["matched"].is_null() && states(&last).iter().all(|state| *state == "done");
            is_done.then_some(())
        });
        done.unwrap_or_else(|error| panic!("{error}: {last:#}"));
        let work = last["work"].as_array().unwrap().iter();
        work.map(|work| {
            let attempts = work["attempts"].as_array().unwrap();
            let outcome = attempts.last().unwrap()["outcome"].as_str().unwrap();
            let token = outcome
                .strip_prefix("done: the API server has the token ")
                .unwrap_or_default();
            (work["target"].as_str().unwrap().to_owned(), token.to_owned())
        })
        .collect()
    }
}

fn name(place: usize) -> String {
    format!("w-{place:02}")
}

fn delivery(fixture: &str, path: &str) -> Request {
    let bytes = std::fs::read(fixtures().join(format!("{fixture}.http"))).unwrap();
    Request {
        path: path.to_owned(),
        ..request(&bytes)
    }
}

/// The same text but for its last letter.
fn spoiled(text: &str) -> String {
    let (most, last) = text.split_at(text.len() - 1);
    format!("{most}{}", if last == "0" { "1" } else { "0" })
}

/// What is refused: another proof, no proof, and where the path is the only proof, another path.
fn refused(delivery: &Request, proof: Option<&str>) -> Vec<(Request, (u16, &'static str))> {
    let Some(header) = proof else {
        let path = spoiled(&delivery.path);
        return vec![(
            Request {
                path,
                ..delivery.clone()
            },
            (404, "{}\n"),
        )];
    };
    let mut wrong = delivery.clone();
    let value = wrong.headers.iter_mut().find(|(name, _)| name == header).unwrap();
    value.1 = spoiled(&value.1);
    let mut missing = delivery.clone();
    missing.headers.retain(|(name, _)| name != header);
    let answer = (401, "{\"error\":\"unauthorized\"}\n");
    vec![(wrong, answer), (missing, answer)]
}

#[test]
fn each_of_the_ten_receivers_makes_its_senders_delivery_an_annotation() {
    let story = Story::begin();
    let of_project = [
        "projectconfigs.kargo.akuity.io",
        &story.project,
        "--namespace",
        &story.project,
    ];
    let of_project = story.paths(&of_project);
    let of_cluster = story.paths(&["clusterconfigs.kargo.akuity.io", "cluster"]);
    let (project, other) = (&story.project, &story.other);
    let mut asked = 0;
    for (paths, reached) in [(&of_project, vec![project]), (&of_cluster, vec![project, other])] {
        let mut taken = Vec::new();
        for (place, (fixture, proof, _)) in DELIVERIES.iter().enumerate() {
            let (sender, _) = fixture.split_once('/').unwrap();
            let delivery = delivery(fixture, &paths[sender]);
            for (request, expected) in refused(&delivery, *proof) {
                let answer = story.send(&request);
                assert_eq!((answer.status, answer.text().as_str()), expected, "{fixture}");
            }
            let answer = story.send(&delivery);
            assert_eq!(answer.status, 200, "{fixture}: {}", answer.text());
            let count = reached.len();
            if sender == "generic" {
                let summary = format!("Refreshed {count} of {count} selected resources");
                assert_eq!(answer.json().unwrap()["results"][0]["summary"], summary, "{fixture}");
            } else {
                let expected = format!("{{\"msg\":\"refreshed {count} warehouse(s)\"}}\n");
                assert_eq!(answer.text(), expected, "{fixture}");
            }
            taken.push((place, delivery_id(&answer)));
        }
        let mut expected: BTreeMap<&str, BTreeMap<String, String>> = BTreeMap::new();
        for (place, id) in taken {
            let given = story.given(&id);
            let targets: Vec<String> = reached
                .iter()
                .map(|project| format!("Warehouse {project}/{}", name(place)))
                .collect();
            assert!(given.keys().eq(&targets), "{}: {given:?}", DELIVERIES[place].0);
            for (project, token) in reached.iter().zip(given.into_values()) {
                expected.entry(project.as_str()).or_default().insert(name(place), token);
            }
            asked += reached.len();
        }
        // What the journal says of each delivery is what the API server has, and nobody else has anything.
        for namespace in [project, other] {
            let expected = expected.remove(namespace.as_str()).unwrap_or_default();
            assert_eq!(story.tokens(namespace), expected, "{namespace}");
        }
    }
    // Nor was anything asked for that another request has covered since.
    let log = std::fs::read_to_string(story.landfall.log()).unwrap();
    assert_eq!(log.matches("asked for a refresh").count(), asked);
    assert!(!log.contains(SECRET));
}
