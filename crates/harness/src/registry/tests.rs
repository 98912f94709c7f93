use std::io::BufReader;
use std::net::TcpListener;

use super::*;
use crate::image::ImageSpec;
use crate::push::Uploader;
use crate::{http, wire};

fn tags(registry: &Registry) -> Vec<String> {
    let response = http::get(&format!("{}/v2/app/tags/list", registry.url())).unwrap();
    let tags = response.json().unwrap()["tags"].as_array().cloned().unwrap_or_default();
    tags.iter().map(|tag| tag.as_str().unwrap().to_owned()).collect()
}

#[test]
fn what_is_in_a_folder_survives_a_restart() {
    for (storage, left) in [(Storage::Filesystem, &["v1"][..]), (Storage::Memory, &[])] {
        let mut registry = Registry::start(RegistryConfig {
            storage,
            ..RegistryConfig::default()
        })
        .unwrap();
        let host = registry.host();
        Uploader::new(&host)
            .put_image("app", "v1", &ImageSpec::new("one"))
            .unwrap();
        assert_eq!(tags(&registry), ["v1"]);
        registry.stop();
        assert_eq!(registry.process_id(), None);
        assert!(http::get(&registry.url()).is_err());
        registry.restart().unwrap();
        assert_eq!(
            (tags(&registry), registry.host()),
            (left.iter().map(ToString::to_string).collect(), host),
            "{storage:?}"
        );
    }
}

#[test]
fn requests_are_counted_at_the_registry() {
    let registry = Registry::start(RegistryConfig::default()).unwrap();
    assert_eq!(registry.requests(|_| true).unwrap(), []);
    Uploader::new(registry.host())
        .put_image("app", "v1", &ImageSpec::new("one"))
        .unwrap();
    registry.forget_requests().unwrap();
    let mut connection = Connection::open(&registry.host(), http::TIMEOUT).unwrap();
    let accept = crate::image::MANIFEST;
    for (method, path) in [
        ("GET", "/v2/app/tags/list?n=5"),
        ("HEAD", "/v2/app/manifests/v1"),
        ("GET", "/v2/app/manifests/v2"),
    ] {
        let request = Request::new(method, path)
            .header("User-Agent", "counter/1")
            .header("Accept", accept);
        connection.send(&request).unwrap();
    }
    let line = |method: &str, path: &str, status| RequestLine {
        method: method.to_owned(),
        path: path.to_owned(),
        status,
        user_agent: "counter/1".to_owned(),
    };
    let expected = [
        line("GET", "/v2/app/tags/list?n=5", 200),
        line("HEAD", "/v2/app/manifests/v1", 200),
        line("GET", "/v2/app/manifests/v2", 404),
    ];
    assert_eq!(registry.requests(|_| true).unwrap(), expected);
    assert_eq!(registry.requests(|line| line.method == "HEAD").unwrap(), expected[1..2]);
}

#[test]
fn a_push_is_notified() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/webhook", listener.local_addr().unwrap());
    let endpoint = NotificationEndpoint::new("landfall", &url).header("Authorization", "Bearer s3cret");
    assert!(!format!("{endpoint:?}").contains("s3cret"));
    let config = RegistryConfig {
        notifications: vec![endpoint],
        ..RegistryConfig::default()
    };
    let registry = Registry::start(config).unwrap();
    let digest = Uploader::new(registry.host())
        .put_image("app", "v1", &ImageSpec::new("one"))
        .unwrap();
    let (authorization, target) = receive_until_tagged(&listener);
    assert_eq!(authorization, "Bearer s3cret");
    assert_eq!((&target["repository"], &target["tag"]), (&"app".into(), &"v1".into()));
    assert_eq!(target["digest"], digest.as_str());
}

/// Answers notifications until one names a tag; returns its `Authorization` header and target.
fn receive_until_tagged(listener: &TcpListener) -> (String, serde_json::Value) {
    use std::io::Write;
    loop {
        let mut stream = BufReader::new(listener.accept().unwrap().0);
        while let Some(head) = wire::read_head(&mut stream).unwrap() {
            let framing = wire::Framing::declared(&head.headers, wire::Framing::Length(0)).unwrap();
            let body = wire::read_body(&mut stream, framing).unwrap();
            stream
                .get_mut()
                .write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
                .unwrap();
            let envelope: serde_json::Value = serde_json::from_slice(&body).unwrap();
            let mut events = envelope["events"].as_array().unwrap().iter();
            if let Some(event) = events.find(|event| event["target"]["tag"].is_string()) {
                let authorization = wire::header(&head.headers, "authorization").unwrap().to_owned();
                return (authorization, event["target"].clone());
            }
        }
    }
}

#[test]
fn a_taken_port_shows_the_log() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let error = Registry::start(RegistryConfig {
        port: Some(port),
        ..RegistryConfig::default()
    })
    .unwrap_err();
    assert!(error.to_string().contains("address already in use"), "{error}");
}
