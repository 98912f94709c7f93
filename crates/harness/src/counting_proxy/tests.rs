use std::time::{Duration, Instant};

use super::*;
use crate::http;
use crate::image::{ImageSpec, MANIFEST};
use crate::oci_layout;
use crate::push::{Uploader, skopeo_copy};
use crate::registry::{Registry, RegistryConfig};

fn behind_proxy() -> (Registry, CountingProxy) {
    let registry = Registry::start(RegistryConfig::default()).unwrap();
    let proxy = CountingProxy::start(registry.host()).unwrap();
    (registry, proxy)
}

fn summary(requests: Vec<RequestLine>) -> Vec<(String, String, u16)> {
    requests
        .into_iter()
        .map(|line| (line.method, line.path, line.status))
        .collect()
}

fn row(method: &str, path: &str, status: u16) -> (String, String, u16) {
    (method.to_owned(), path.to_owned(), status)
}

#[test]
fn requests_pass_and_are_counted() {
    let (registry, proxy) = behind_proxy();
    let layout = tempfile::tempdir().unwrap();
    let one = oci_layout::image(layout.path(), "v1", &ImageSpec::new("one")).unwrap();
    assert_eq!(
        skopeo_copy(layout.path(), "v1", &format!("{}/app:v1", proxy.host()), None).unwrap(),
        one
    );
    let two = Uploader::new(proxy.host())
        .put_image("app", "v2", &ImageSpec::new("two"))
        .unwrap();
    let seen = proxy.take_requests();
    assert!(seen.iter().any(|line| line.user_agent.contains("skopeo")), "{seen:?}");
    assert_eq!(seen.len(), registry.requests(|_| true).unwrap().len());

    let connections = proxy.connections();
    let mut connection = Connection::open(&proxy.host(), TIMEOUT).unwrap();
    for (tag, digest) in [("v1", &one), ("v2", &two)] {
        let request = Request::new("HEAD", format!("/v2/app/manifests/{tag}")).header("Accept", MANIFEST);
        let response = connection.send(&request).unwrap();
        assert_eq!(response.header("docker-content-digest"), Some(digest.as_str()));
        assert_ne!(response.header("content-length"), Some("0"));
    }
    let seen = summary(proxy.take_requests());
    assert_eq!(
        seen,
        [
            row("HEAD", "/v2/app/manifests/v1", 200),
            row("HEAD", "/v2/app/manifests/v2", 200)
        ]
    );
    assert_eq!(proxy.connections(), connections + 1);
    assert_eq!(proxy.take_requests(), []);
}

#[test]
fn rules_spoil_requests() {
    let (_registry, proxy) = behind_proxy();
    proxy.rule(Rule::on("/v2/missing").answer(404).first(2));
    proxy.rule(Rule::on("/v2/").method("HEAD").answer(503));
    proxy.rule(Rule::on("/limited").too_many_requests(Duration::from_secs(7)));
    proxy.rule(Rule::on("/gone").hang_up().first(1));
    let ask = |method, path| http::send(&proxy.host(), &Request::new(method, path));
    assert_eq!(
        ask("GET", "/v2/missing").unwrap().json().unwrap()["errors"][0]["code"],
        "MANIFEST_UNKNOWN"
    );
    assert_eq!(ask("HEAD", "/v2/missing").unwrap().status, 404);
    assert_eq!(ask("HEAD", "/v2/missing").unwrap().status, 503);
    let limited = ask("GET", "/limited").unwrap();
    assert_eq!((limited.status, limited.header("retry-after")), (429, Some("7")));
    assert!(ask("GET", "/gone").is_err());
    assert_eq!(ask("GET", "/v2/").unwrap().text(), "{}");
    proxy.clear_rules();
    assert_eq!(ask("HEAD", "/v2/").unwrap().status, 200);
    let expected = [
        row("GET", "/v2/missing", 404),
        row("HEAD", "/v2/missing", 404),
        row("HEAD", "/v2/missing", 503),
        row("GET", "/limited", 429),
        row("GET", "/gone", 0),
        row("GET", "/v2/", 200),
        row("HEAD", "/v2/", 200),
    ];
    assert_eq!(summary(proxy.take_requests()), expected);
}

#[test]
fn a_delay_holds_up_only_its_own_request() {
    let (_registry, proxy) = behind_proxy();
    proxy.rule(Rule::on("/v2/slow").delay(Duration::from_millis(300)));
    let started = Instant::now();
    thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| http::get(&format!("{}/v2/slow", proxy.url())).unwrap());
        }
        assert_eq!(http::get(&format!("{}/v2/", proxy.url())).unwrap().status, 200);
        assert_eq!(proxy.take_requests()[0].path, "/v2/");
    });
    assert!(started.elapsed() >= Duration::from_millis(300));
    assert!((4..=5).contains(&proxy.take_peak_in_flight()));
    assert_eq!(proxy.take_peak_in_flight(), 0);
}

#[test]
fn the_end_of_either_side() {
    let (mut registry, proxy) = behind_proxy();
    let mut connection = Connection::open(&proxy.host(), TIMEOUT).unwrap();
    let request = Request::new("GET", "/v2/");
    assert_eq!(connection.send(&request).unwrap().status, 200);
    registry.stop();
    assert_eq!(connection.send(&request).unwrap().status, 502);
    registry.restart().unwrap();
    assert_eq!(connection.send(&request).unwrap().status, 200);
    drop(proxy);
    assert!(connection.send(&request).is_err());
}
