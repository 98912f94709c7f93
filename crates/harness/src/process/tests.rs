use std::io::{BufReader, Write};
use std::net::TcpListener;

use super::*;
use crate::{http, wire};

/// Stands in for landfall: a script that runs this test binary's [`stand_in`], or plays a command.
const SCRIPT: &str = r#"#!/bin/sh
case "$1 $STAND_IN" in
"serve broken") echo "the manifests folder is missing" >&2; exit 3 ;;
serve*) echo "starting with $*" >&2
    STAND_IN_LISTEN=$3 exec "$TEST_BINARY" --exact process::tests::stand_in --include-ignored --nocapture ;;
*) printf '{"args": "%s", "home": "%s"}' "$*" "$LANDFALL_HOME" ;;
esac
"#;

/// Serves `/healthz`; run by [`SCRIPT`], and empty as a test of its own.
#[test]
#[ignore = "a server that the other tests start"]
fn stand_in() {
    let Ok(host) = std::env::var("STAND_IN_LISTEN") else {
        return;
    };
    let listener = TcpListener::bind(host).unwrap();
    for stream in listener.incoming() {
        let mut stream = BufReader::new(stream.unwrap());
        if let Ok(Some(head)) = wire::read_head(&mut stream) {
            let status = if head.start_line.starts_with("GET /healthz ") {
                "200 OK"
            } else {
                "404 Not Found"
            };
            let answer = format!("HTTP/1.1 {status}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
            stream.get_mut().write_all(answer.as_bytes()).unwrap();
        }
    }
}

fn builder(folder: &Path) -> Builder {
    let (source, binary) = (folder.join("script"), folder.join("landfall"));
    std::fs::write(&source, SCRIPT).unwrap();
    // Copied by another process: a file that this one holds open for writing in any thread could not be run.
    let copied = Command::new("install")
        .args(["-m", "755"])
        .arg(&source)
        .arg(&binary)
        .status()
        .unwrap();
    assert!(copied.success());
    Landfall::builder(binary)
        .data_dir(folder.join("data"))
        .env("TEST_BINARY", std::env::current_exe().unwrap().to_str().unwrap())
}

#[test]
fn it_starts_dies_and_comes_back() {
    let folder = tempfile::tempdir().unwrap();
    let manifests = folder.path().join("manifests");
    let mut landfall = builder(folder.path())
        .manifests(&manifests)
        .arg("--extra")
        .start()
        .unwrap();
    let url = landfall.url();
    assert_eq!(http::get(&format!("{url}/healthz")).unwrap().status, 200);
    let first = landfall.process_id().unwrap();
    landfall.kill9().unwrap();
    assert!(http::get(&url).is_err());
    assert_eq!(landfall.process_id(), None);
    assert!(landfall.kill9().is_err());
    landfall.restart().unwrap();
    assert_eq!(landfall.url(), url);
    assert_ne!(landfall.process_id(), Some(first));
    // The stand-in does not handle SIGTERM, so it ends by the signal and without a code.
    assert_eq!(landfall.terminate().unwrap().code(), None);
    assert!(http::get(&url).is_err());
    let log = std::fs::read_to_string(landfall.log()).unwrap();
    let data = folder.path().join("data");
    let line = format!(
        "starting with serve --listen {} --data-dir {} --manifests {} --extra",
        landfall.host(),
        data.display(),
        manifests.display()
    );
    assert_eq!(log.matches(&line).count(), 2, "{log}");
}

#[test]
fn commands_run_on_the_same_data() {
    let folder = tempfile::tempdir().unwrap();
    let landfall = builder(folder.path()).env("LANDFALL_HOME", "here").start().unwrap();
    let data = folder.path().join("data");
    let expected = serde_json::json!({
        "args": format!("get warehouses -o json --data-dir {}", data.display()),
        "home": "here",
    });
    assert_eq!(
        landfall.cli_json(&["get", "warehouses", "-o", "json"]).unwrap(),
        expected
    );
}

#[test]
fn a_failed_start_shows_the_log() {
    let folder = tempfile::tempdir().unwrap();
    let error = builder(folder.path())
        .env("STAND_IN", "broken")
        .start()
        .err()
        .unwrap()
        .to_string();
    assert!(
        error.starts_with("landfall ended at once, exit status: 3: the end of "),
        "{error}"
    );
    assert!(error.ends_with("the manifests folder is missing"), "{error}");
    let error = Landfall::builder("/nowhere/landfall")
        .data_dir(folder.path())
        .start()
        .err()
        .unwrap();
    assert_eq!(error.to_string(), "/nowhere/landfall does not exist: build it first");
    assert!(Landfall::builder("/nowhere/landfall").start().is_err());
}
