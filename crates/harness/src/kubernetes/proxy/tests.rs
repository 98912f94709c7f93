use std::thread;
use std::time::Duration;

use serde_json::Value;

use super::*;
use crate::http::Connection;
use crate::{ApiServer, wait};

const PATIENCE: Duration = Duration::from_secs(60);

fn config_map(namespace: &str, name: &str) -> String {
    format!("apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: {name}, namespace: {namespace}}}\n")
}

fn ask(proxy: &ApiProxy, method: &str, path: &str) -> Request {
    let kubeconfig: Value = serde_json::from_slice(&std::fs::read(proxy.kubeconfig()).unwrap()).unwrap();
    let token = kubeconfig["users"][0]["user"]["token"].as_str().unwrap();
    Request::new(method, path).header("Authorization", format!("Bearer {token}"))
}

fn events(response: &Response) -> Vec<(String, Value)> {
    let lines = response.text();
    let lines = lines.lines().map(|line| serde_json::from_str(line).unwrap());
    lines
        .map(|event: Value| (event["type"].as_str().unwrap().to_owned(), event["object"].clone()))
        .collect()
}

/// Begins a watch, and waits until it is there.
fn watch(proxy: &ApiProxy, path: &str) -> thread::JoinHandle<Response> {
    let (request, host) = (ask(proxy, "GET", path), proxy.address.to_string());
    let before = lock(&proxy.state.watches).len();
    let watching = thread::spawn(move || Connection::open(&host, PATIENCE).unwrap().send(&request).unwrap());
    wait::until(PATIENCE, "a watch", || {
        (lock(&proxy.state.watches).len() > before).then_some(())
    })
    .unwrap();
    watching
}

#[test]
fn events_pass_until_history_is_forgotten() {
    let server = ApiServer::shared().unwrap();
    let namespace = server.namespace().unwrap();
    let proxy = server.proxy().unwrap();
    let host = proxy.address.to_string();
    let old = server.revision().unwrap();
    let path = format!("/api/v1/namespaces/{namespace}/configmaps?watch=true&resourceVersion={old}");
    let watching = watch(&proxy, &path);
    server.apply(&config_map(&namespace, "one")).unwrap();
    // What the API server has sent is sent on by then, or comes before the end.
    let now = server.revision().unwrap();
    assert!(now > old);
    let seen = watch(&proxy, &path);
    for forgetting in [Forgetting::InTheStream, Forgetting::AsTheAnswer] {
        proxy.forget(now, forgetting);
        let answer = http::send(&host, &ask(&proxy, "GET", &path)).unwrap();
        match forgetting {
            Forgetting::InTheStream => {
                assert_eq!(answer.status, 200);
                assert_eq!(events(&answer)[0].1["code"], 410);
            }
            Forgetting::AsTheAnswer => assert_eq!((answer.status, &answer.json().unwrap()["code"]), (410, &410.into())),
        }
    }
    for ended in [watching, seen].map(|thread| thread.join().unwrap()) {
        let events = events(&ended);
        let (kind, status) = events.last().unwrap();
        assert_eq!((kind.as_str(), &status["code"]), ("ERROR", &410.into()));
    }
    // From where nothing is forgotten it goes on.
    let path = format!("/api/v1/namespaces/{namespace}/configmaps?watch=true&resourceVersion={now}&timeoutSeconds=1");
    let answer = http::send(&host, &ask(&proxy, "GET", &path)).unwrap();
    assert_eq!((answer.status, events(&answer)), (200, vec![]));
}

#[test]
fn requests_are_held_up_refused_and_counted() {
    let server = ApiServer::shared().unwrap();
    let namespace = server.namespace().unwrap();
    let proxy = server.proxy().unwrap();
    let host = proxy.address.to_string();
    let path = format!("/api/v1/namespaces/{namespace}");
    proxy.rule(Rule::on(&namespace).first(1).too_many_requests(Duration::from_secs(7)));
    let held = proxy.hold("GET", &namespace);
    let asking = thread::spawn({
        let request = ask(&proxy, "GET", &path);
        move || http::send(&host, &request).unwrap()
    });
    held.arrived(1, PATIENCE).unwrap();
    assert_eq!(proxy.take_requests(), []);
    assert!(held.arrived(2, Duration::ZERO).is_err());
    drop(held);
    let refused = asking.join().unwrap();
    assert_eq!((refused.status, refused.header("retry-after")), (429, Some("7")));
    let answer = http::send(&proxy.address.to_string(), &ask(&proxy, "GET", &path)).unwrap();
    assert_eq!(answer.json().unwrap()["metadata"]["name"], *namespace);
    let seen: Vec<_> = proxy
        .take_requests()
        .iter()
        .map(|line| (line.path.clone(), line.status))
        .collect();
    assert_eq!(seen, [(path.clone(), 429), (path, 200)]);
}
