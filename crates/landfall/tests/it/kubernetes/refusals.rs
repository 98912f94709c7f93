//! An API server that forgets history, refuses what comes second, and asks for patience, by way of a proxy that says so in its
//! place: whatever it refuses, it has in the end, and nothing is unpublished meanwhile.

use std::ops::Deref;

use landfall_harness::http::{Connection, Request, Response};
use landfall_harness::{ApiProxy, ApiServer, Forgetting, Rule};
use serde_json::{Value, json};

use super::cluster::{Cluster, config, hub, is_ready, secret, shared};
use crate::world::{PATIENCE, attempts, define};

const TWO: &str = "[{name: hub, dockerhub: {secretRef: {name: hook}}}, {name: more, quay: {secretRef: {name: hook}}}]";

/// What is in the path of a watch that wants to know first what there is, and not in that of one that goes on.
const FROM_THE_BEGINNING: &str = "sendInitialEvents=true";
/// What is in the path of a request for a page of Warehouses.
const PAGES: &str = "/warehouses?&limit=";

/// A project with one receiver, followed by way of a proxy.
pub fn start() -> (ApiProxy, Cluster) {
    start_at(shared())
}

fn start_at<S: Deref<Target = ApiServer>>(server: S) -> (ApiProxy, Cluster<S>) {
    let proxy = server.proxy().unwrap();
    let project = server.namespace().unwrap();
    let cluster = Cluster::of(server, &project, proxy.kubeconfig(), |landfall| landfall);
    cluster.apply(&(secret(&project, "s3cret") + &hub(&project)));
    (proxy, cluster)
}

/// How often a kind of request was answered so.
fn count(proxy: &ApiProxy, method: &str, path: &str, status: u16) -> usize {
    let requests = proxy.take_requests().into_iter();
    let fits = requests.filter(|line| line.method == method && line.path.contains(path) && line.status == status);
    fits.count()
}

/// Everything changes while nothing can be told by a watch: what is new, what is no more, and what is another one now. Before and
/// after, `forget` makes the API server forget what happened until then.
fn a_history_is_forgotten<S>((proxy, mut cluster): (ApiProxy, Cluster<S>), forget: impl Fn(&ApiProxy, &mut S))
where
    S: Deref<Target = ApiServer>,
{
    let project = &cluster.project.clone();
    cluster.warehouses(&["api", "gone", "other"], "shop/api");
    let path = cluster.path();
    cluster.known(&path, "shop/api", 3);

    let held = proxy.hold("GET", "");
    forget(&proxy, &mut cluster.server);
    // Four kinds and a Secret.
    held.arrived(5, PATIENCE).unwrap();
    cluster.apply(&config(project, TWO));
    cluster.warehouses(&["late"], "shop/api");
    cluster.warehouses(&["other"], "shop/other");
    let delete = ["delete", "warehouses.kargo.akuity.io", "gone", "--namespace", project];
    cluster.server.kubectl(&delete).unwrap();
    // What the watches would have told is forgotten as well. Until it is known, what was known is in force.
    forget(&proxy, &mut cluster.server);
    let meanwhile = cluster.pushed(&path, "shop/api", "1.0.0", 3);
    drop(held);

    let status = cluster.status_when("the second receiver", |status| {
        is_ready(status) && status["observedGeneration"] == 2
    });
    assert_eq!(status["webhookReceivers"][0]["path"], path);
    assert_eq!(status["webhookReceivers"][1]["name"], "more");
    cluster.done(&meanwhile);
    cluster.known(&path, "shop/api", 2);
    let after = cluster.matched(&path, "shop/api", 2);
    cluster.done(&after);
    cluster.refreshed(&["api", "late", "other"]);
    let told = ["events.events.k8s.io", "--namespace", project];
    let told = cluster.server.get(&told).unwrap().to_string();
    assert!(
        told.contains("ReceiverPublished") && !told.contains("ReceiverWithdrawn"),
        "{told}"
    );
    // It goes on by watches, and does not only list again and again.
    assert!(count(&proxy, "GET", FROM_THE_BEGINNING, 200) > 0);
    cluster.warehouses(&["last"], "shop/api");
    cluster.matched(&path, "shop/api", 3);
    assert_eq!(count(&proxy, "GET", FROM_THE_BEGINNING, 200), 0);
}

fn says(forgetting: Forgetting) -> impl Fn(&ApiProxy, &mut &'static ApiServer) {
    move |proxy, server| proxy.forget(server.revision().unwrap(), forgetting)
}

/// Older API servers refuse to send what there is by a watch, and are asked for it in pages.
#[test]
fn what_there_is_is_read_in_pages_where_no_watch_tells_it() {
    let server = shared();
    let proxy = server.proxy().unwrap();
    let project = server.namespace().unwrap();
    let why = "ListOptions.meta.k8s.io \"\" is invalid: sendInitialEvents: Forbidden: sendInitialEvents is forbidden for \
               watch unless the WatchList feature gate is enabled";
    proxy.rule(Rule::on(FROM_THE_BEGINNING).respond(refusal(422, "Invalid", why)));
    let cluster = Cluster::of(server, &project, proxy.kubeconfig(), |landfall| landfall);
    cluster.apply(&(secret(&project, "s3cret") + &hub(&project)));
    cluster.warehouses(&["api"], "shop/api");
    let path = cluster.path();
    cluster.known(&path, "shop/api", 1);
    // Four kinds and a Secret, each of which is asked for so once; and Warehouses whole, and then by their metadata.
    let requests = proxy.take_requests();
    let asked = |what: &str| requests.iter().filter(|line| line.path.contains(what)).count();
    assert_eq!((asked(FROM_THE_BEGINNING), asked(PAGES)), (5, 2));
    cluster.warehouses(&["late"], "shop/api");
    let delivery = cluster.matched(&path, "shop/api", 2);
    cluster.done(&delivery);
    cluster.refreshed(&["api", "late"]);
}

#[test]
fn a_watch_whose_history_is_gone_begins_anew() {
    a_history_is_forgotten(start(), says(Forgetting::InTheStream));
}

#[test]
fn a_watch_that_is_refused_for_its_history_begins_anew() {
    a_history_is_forgotten(start(), says(Forgetting::AsTheAnswer));
}

/// An API server that has just started remembers nothing of what happened before.
#[test]
fn what_changes_while_the_api_server_restarts_is_seen() {
    let server = Box::new(ApiServer::start().unwrap());
    define(&server);
    a_history_is_forgotten(start_at(server), |_, server| server.restart().unwrap());
}

/// Warehouses are watched by their metadata: of one whose spec has changed the rest is asked for, and of one that is annotated or
/// labelled by others, or whose status is written, nothing.
#[test]
fn one_warehouse_is_read_when_its_spec_changes_and_all_are_where_it_cannot_be() {
    let (proxy, cluster) = start();
    cluster.warehouses(&["api", "web"], "shop/api");
    let path = cluster.path();
    cluster.known(&path, "shop/api", 2);
    let project = &cluster.project;
    let single = format!("/namespaces/{project}/warehouses/api");
    proxy.take_requests();

    // What asks for refreshes comes back by the watch, and so does a status.
    let delivery = cluster.matched(&path, "shop/api", 2);
    cluster.done(&delivery);
    let status = json!({ "status": { "lastHandledRefresh": "t" } }).to_string();
    let patch = [
        "patch",
        "warehouses.kargo.akuity.io",
        "api",
        "--namespace",
        project,
        "--subresource=status",
    ];
    cluster
        .server
        .kubectl(&[&patch[..], &["--type=merge", "--patch", &status]].concat())
        .unwrap();
    // After these, it is told of this one.
    cluster.warehouses(&["web"], "shop/web");
    cluster.known(&path, "shop/web", 1);
    assert_eq!(count(&proxy, "GET", &single, 200), 0);
    // The watch of Warehouses alone, which costs the API server less so.
    assert_eq!(proxy.binary_watches(), 1);

    cluster.warehouses(&["api"], "shop/web");
    cluster.known(&path, "shop/web", 2);
    let requests = proxy.take_requests();
    let asked = |path: &str| {
        requests
            .iter()
            .filter(|line| line.method == "GET" && line.path.contains(path))
            .count()
    };
    assert_eq!((asked(&single), asked(FROM_THE_BEGINNING)), (1, 0), "{requests:?}");

    let why = "warehouses.kargo.akuity.io \"api\" is forbidden: User \"landfall\" cannot get resource \"warehouses\"";
    proxy.rule(Rule::on(&single).method("GET").respond(refusal(403, "Forbidden", why)));
    cluster.warehouses(&["api"], "shop/third");
    cluster.known(&path, "shop/third", 1);
    cluster.says("cannot get resource");
    cluster.known(&path, "shop/web", 1);
}

/// As the API server says it whose queues are full, and as something says it that stands before it.
fn too_many_requests() -> Response {
    Response {
        status: 429,
        headers: vec![("Retry-After".to_owned(), "1".to_owned())],
        body: b"Too many requests, please try again later.\n".to_vec(),
    }
}

fn overloaded() -> Response {
    Response {
        status: 503,
        headers: vec![("Content-Type".to_owned(), "application/json".to_owned())],
        body: b"{\"error\":\"overloaded\"}".to_vec(),
    }
}

/// What an API server says with a status of its own.
pub fn refusal(status: u16, reason: &str, message: &str) -> Response {
    let body = json!({
        "kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure", "reason": reason, "code": status,
        "message": message,
    });
    Response {
        status,
        headers: vec![("Content-Type".to_owned(), "application/json".to_owned())],
        body: body.to_string().into_bytes(),
    }
}

fn conflict() -> Response {
    refusal(
        409,
        "Conflict",
        "please apply your changes to the latest version and try again",
    )
}

/// Who else writes there comes between reading and writing: his condition stays, and ours is there as well.
#[test]
fn a_status_that_somebody_else_changes_meanwhile_is_written_on_top_of_his() {
    let (proxy, cluster) = start();
    let project = &cluster.project;
    cluster.path();
    let held = proxy.hold("PATCH", "/status");
    cluster.apply(&config(project, TWO));
    held.arrived(1, PATIENCE).unwrap();
    let his = json!([{ "op": "add", "path": "/status/conditions/-", "value": {
        "type": "Audited", "status": "True", "reason": "Looked", "message": "", "lastTransitionTime": "2026-01-02T03:04:05Z",
    } }]);
    let patch = [
        "patch",
        "projectconfigs.kargo.akuity.io",
        project,
        "--namespace",
        project,
        "--subresource=status",
        "--type=json",
        "--patch",
        &his.to_string(),
    ];
    cluster.server.kubectl(&patch).unwrap();
    proxy.take_requests();
    drop(held);
    let published =
        |status: &Value| is_ready(status) && status["webhookReceivers"].as_array().is_some_and(|all| all.len() == 2);
    let status = cluster.status_when("both receivers", |status| {
        published(status) && status["observedGeneration"] == 2
    });
    assert!(
        crate::world::conditions(&status).contains("Audited=True (Looked)"),
        "{status:#}"
    );
    // The API server itself has refused it once.
    assert_eq!(count(&proxy, "PATCH", "/status", 409), 1);

    // However often somebody else comes first.
    proxy.rule(Rule::on("/status").method("PATCH").first(12).respond(conflict()));
    cluster.apply(&hub(project));
    cluster.status_when("one receiver", |status| status["observedGeneration"] == 3);
    assert_eq!(count(&proxy, "PATCH", "/status", 409), 12);
    cluster.says("a status cannot be written; it is tried again until it works");
}

/// As many as are annotated by one delivery.
const WAREHOUSES: usize = 40;
const REFUSALS: usize = 120;

#[test]
fn an_api_server_that_asks_for_patience_has_every_annotation_in_the_end() {
    let (proxy, cluster) = start();
    let names: Vec<String> = (0..WAREHOUSES).map(|number| format!("w-{number:02}")).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    cluster.warehouses(&names, "shop/api");
    let path = cluster.path();
    cluster.known(&path, "shop/api", WAREHOUSES);
    proxy.take_requests();
    let patches = || Rule::on("/warehouses/").method("PATCH");
    proxy.rule(patches().first(REFUSALS).respond(too_many_requests()));
    proxy.rule(patches().first(REFUSALS / 10).respond(overloaded()));

    let deliveries = ["1.2.0", "1.2.1", "1.2.2"].map(|tag| cluster.pushed(&path, "shop/api", tag, WAREHOUSES));
    for delivery in &deliveries {
        let delivery = cluster.done(delivery);
        let work = delivery["work"].as_array().unwrap();
        assert_eq!(work.len(), WAREHOUSES);
        for work in work {
            // To be asked for patience is no attempt: no patience is too long.
            let attempts = work["attempts"].as_array().unwrap();
            let outcome = attempts[0]["outcome"].as_str().unwrap_or_default();
            assert!(
                attempts.len() == 1 && outcome.starts_with("done: the API server has the token "),
                "{work:#}"
            );
        }
    }
    let last = cluster.done(&deliveries[2]);
    let tokens = cluster.refreshed(&names);
    for token in &tokens {
        assert!(last["work"].to_string().contains(token), "{token}: {last:#}");
    }
    let requests = proxy.take_requests();
    let patched = |status| {
        let patches = requests
            .iter()
            .filter(|line| line.method == "PATCH" && line.path.contains("/warehouses/"));
        patches.filter(|line| line.status == status).count()
    };
    // Deliveries that wait meanwhile share an annotation.
    assert_eq!((patched(429), patched(503)), (REFUSALS, REFUSALS / 10));
    assert!(
        (WAREHOUSES..=3 * WAREHOUSES).contains(&patched(200)),
        "{}",
        patched(200)
    );
}

/// An API server that cannot ask its etcd, or an admission webhook, says so as it likes, and a right may be missing: no outage is too
/// long, and each attempt for want of a right is told.
#[test]
fn what_somebody_has_to_mend_is_never_given_up() {
    let proxy = shared().proxy().unwrap();
    let project = shared().namespace().unwrap();
    let cluster = Cluster::of(shared(), &project, proxy.kubeconfig(), |landfall| {
        landfall.arg("--retry-attempts=1")
    });
    cluster.apply(&(secret(&project, "s3cret") + &hub(&project)));
    cluster.warehouses(&["api"], "shop/api");
    let path = cluster.path();
    cluster.known(&path, "shop/api", 1);
    let unable = refusal(500, "InternalError", "failed calling webhook: connection refused");
    proxy.rule(Rule::on("/warehouses/").method("PATCH").first(3).respond(unable));
    let delivery = cluster.done(&cluster.pushed(&path, "shop/api", "1.2.0", 1));
    assert_eq!(
        delivery["work"][0]["attempts"].as_array().unwrap().len(),
        1,
        "{delivery:#}"
    );
    cluster.says("refreshes are put off until the API server can take them");
    let forbidden = refusal(403, "Forbidden", "no right to patch warehouses");
    proxy.rule(Rule::on("/warehouses/").method("PATCH").first(2).respond(forbidden));
    let delivery = cluster.done(&cluster.pushed(&path, "shop/api", "1.2.1", 1));
    assert_eq!(
        delivery["work"][0]["attempts"].as_array().unwrap().len(),
        3,
        "{delivery:#}"
    );
}

/// Annotations that take for ever keep nobody waiting, and those of a sender that does not wait for his answer are asked for as
/// well.
#[test]
fn the_answer_waits_for_no_annotation_and_who_hangs_up_ends_none() {
    let (proxy, cluster) = start();
    let names = ["api", "web", "worker"];
    cluster.warehouses(&names, "shop/api");
    cluster.warehouses(&["other"], "shop/other");
    let path = cluster.path();
    cluster.known(&path, "shop/api", names.len());
    let held = proxy.hold("PATCH", "/warehouses/");
    let answered = cluster.pushed(&path, "shop/api", "1.2.0", names.len());
    held.arrived(names.len(), PATIENCE).unwrap();

    let host = cluster.landfall.host();
    let push = json!({ "push_data": { "tag": "1.0.0" }, "repository": { "repo_name": "shop/other" } });
    let push = Request::new("POST", path.as_str()).body(push.to_string());
    let mut hurried = Connection::open(&host, PATIENCE).unwrap();
    hurried.send_raw(&push.to_bytes(&host)).unwrap();
    drop(hurried);
    held.arrived(names.len() + 1, PATIENCE).unwrap();
    assert!(cluster.tokens().iter().all(|(_, token)| token.is_empty()));
    drop(held);
    cluster.done(&answered);
    cluster.settled();
    cluster.refreshed(&["api", "other", "web", "worker"]);
}

/// What no patience mends is an attempt, and is tried again: a conflict within the API server, or what a webhook of its own forbids.
#[test]
fn a_patch_that_is_refused_is_tried_again() {
    let (proxy, cluster) = start();
    cluster.warehouses(&["api"], "shop/api");
    let path = cluster.path();
    cluster.known(&path, "shop/api", 1);
    let fault = refusal(422, "Invalid", "denied by a webhook");
    proxy.rule(Rule::on("/warehouses/api").method("PATCH").first(1).respond(conflict()));
    proxy.rule(Rule::on("/warehouses/api").method("PATCH").first(1).respond(fault));
    proxy.rule(Rule::on("/warehouses/api").method("PATCH").first(1).hang_up());
    let delivery = cluster.pushed(&path, "shop/api", "1.2.0", 1);
    let delivery = cluster.done(&delivery);
    let outcomes: Vec<&str> = attempts(&delivery)
        .iter()
        .map(|outcome| outcome.split(':').next().unwrap())
        .collect();
    assert_eq!(outcomes, ["failed", "failed", "done"], "{delivery:#}");
    cluster.refreshed(&["api"]);
}
