//! Shows the two doors bad input, against the running binary: each request gets the answer that its table says, the next good
//! delivery works, and no secret is found anywhere afterwards.

use std::fs;
use std::io::Read as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::{Command, Output, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use landfall_harness::http::{self, Connection, Request, Response, Sending};
use landfall_harness::manifests::{self, Receiver};
use landfall_harness::process::Builder;
use landfall_harness::{Landfall, free_port, wait};
use serde_json::{Value, json};
use tempfile::TempDir;

const BINARY: &str = env!("CARGO_BIN_EXE_landfall");
/// The secrets of this file, each of a text that stands for nothing else.
const PATH_SECRET: &str = "path-secret-of-the-door-tests";
const QUERY_SECRET: &str = "query-secret-of-the-door-tests";
const HEADER_SECRET: &str = "Bearer header-secret-of-the-door-tests";
const CREDENTIALS_PASSWORD: &str = "password-of-the-door-tests";

const PATH_LIMIT: usize = 2 << 20;
const TYPE_LIMIT: usize = 1 << 20;
const SUPPORTED: &str = "Supported types: distribution, docker.io";

/// landfall with a receiver behind a path and both behind types, and a Warehouse that wants `example/app`, whose registry
/// nobody reaches.
struct Door {
    landfall: Landfall,
    folder: TempDir,
}

impl Door {
    fn open() -> Self {
        Self::open_with(|builder| builder)
    }

    fn open_with(configure: impl FnOnce(Builder) -> Builder) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let manifests = folder.path().join("manifests");
        let project = manifests::dockerhub_project("shop", "hub", PATH_SECRET);
        manifests::write(&manifests, "project.yaml", &project).unwrap();
        manifests::write(&manifests, "app.yaml", &warehouse("app", "shop", "example/app")).unwrap();
        let builder = Landfall::builder(BINARY)
            .manifests(manifests)
            .data_dir(folder.path().join("data"))
            .log(folder.path().join("log"))
            .env("DOCKER_WEBHOOK_SECRET", QUERY_SECRET)
            .env("DISTRIBUTION_WEBHOOK_SECRET", HEADER_SECRET)
            .arg("--registry-mirror=docker.io=http://127.0.0.1:1");
        let landfall = configure(builder).start().unwrap();
        Self { landfall, folder }
    }

    fn send(&self, request: &Request) -> Response {
        http::send(&self.landfall.host(), request).unwrap()
    }

    fn connect(&self) -> Connection {
        Connection::open(&self.landfall.host(), Duration::from_secs(20)).unwrap()
    }

    fn log(&self) -> String {
        fs::read_to_string(self.landfall.log()).unwrap()
    }

    /// A good delivery still works, at both doors.
    fn works(&self) {
        for (request, expected) in [
            (by_path(), "{\"msg\":\"refreshed 1 warehouse(s)\"}\n"),
            (by_type(), "Webhook received and processing"),
        ] {
            let response = self.send(&request.body(hub_push("example/app")));
            assert_eq!((response.status, response.text().as_str()), (200, expected));
        }
    }
}

fn warehouse(name: &str, namespace: &str, repository: &str) -> String {
    manifests::warehouse(name, namespace, "10m", &manifests::image_subscription(repository, ""))
}

fn path() -> String {
    manifests::receiver_path("dockerhub", "shop", "hub", PATH_SECRET)
}

fn by_path() -> Request {
    Request::new("POST", path())
}

fn by_type() -> Request {
    Request::new("POST", format!("/webhook?type=docker.io&secret={QUERY_SECRET}"))
}

fn by_distribution() -> Request {
    Request::new("POST", "/webhook?type=distribution").header("Authorization", HEADER_SECRET)
}

/// A push of a tag that no other call returns, so that it is no repetition.
fn hub_push(repository: &str) -> String {
    static PUSHES: AtomicU32 = AtomicU32::new(0);
    let tag = format!("1.0.{}", PUSHES.fetch_add(1, Ordering::Relaxed));
    json!({"push_data": {"tag": tag}, "repository": {"repo_name": repository}}).to_string()
}

/// A push whose payload has exactly so many bytes.
fn hub_push_of(bytes: usize) -> String {
    let push = hub_push("example/app");
    let filler = "x".repeat(bytes - push.len() - r#"{"filler":"",}"#.len() + 2);
    let push = format!(r#"{{"filler":"{filler}",{}"#, &push[1..]);
    assert_eq!(push.len(), bytes);
    push
}

fn hub(tag: Value, repository: Value) -> String {
    json!({"push_data": {"tag": tag}, "repository": repository}).to_string()
}

/// Runs the binary without any of the environment's settings.
fn run(args: &[&str], env: &[(&str, &str)]) -> Output {
    let mut command = Command::new(BINARY);
    command
        .args(args)
        .env_clear()
        .envs(env.iter().copied())
        .stdin(Stdio::null());
    command.output().unwrap()
}

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o777
}

/// Status, body and content type.
fn whole(response: &Response) -> (u16, String, String) {
    let content_type = response.header("content-type").unwrap_or_default().to_owned();
    (response.status, response.text(), content_type)
}

#[test]
fn good_deliveries_get_their_doors_answer() {
    let door = Door::open();
    let nobodys = hub_push("example/nobodys");
    let ping = json!({"events": [{"id": "1", "action": "pull"}]}).to_string();
    for (name, request, body, content_type) in [
        (
            "by path",
            by_path().body(hub_push("example/app")),
            "{\"msg\":\"refreshed 1 warehouse(s)\"}\n",
            "application/json",
        ),
        (
            "by path, wanted by nobody",
            by_path().body(nobodys.clone()),
            "{\"msg\":\"refreshed 0 warehouse(s)\"}\n",
            "application/json",
        ),
        (
            "by type",
            by_type().body(hub_push("example/app")),
            "Webhook received and processing",
            "text/plain; charset=utf-8",
        ),
        (
            "by type, of no interest",
            by_distribution().body(ping),
            "Webhook ignored: action \"pull\" is not a push",
            "text/plain; charset=utf-8",
        ),
        (
            "the type as a header",
            Request::new("POST", format!("/webhook?secret={QUERY_SECRET}"))
                .header("X-Registry-Type", "docker.io")
                .body(hub_push("example/app")),
            "Webhook received and processing",
            "text/plain; charset=utf-8",
        ),
        (
            "an empty type before another gives way to the header",
            Request::new("POST", "/webhook?type=&type=docker.io")
                .header("X-Registry-Type", "distribution")
                .header("Authorization", HEADER_SECRET)
                .body(r#"{"events":[]}"#),
            "Webhook ignored: the envelope holds no events",
            "text/plain; charset=utf-8",
        ),
        (
            "the first type counts",
            Request::new(
                "POST",
                format!("/webhook?type=docker.io&type=nonsense&secret={QUERY_SECRET}"),
            )
            .body(hub_push("example/app")),
            "Webhook received and processing",
            "text/plain; charset=utf-8",
        ),
        (
            "in chunks",
            by_path().body(hub_push("example/app")).sending(Sending::Chunked(7)),
            "{\"msg\":\"refreshed 1 warehouse(s)\"}\n",
            "application/json",
        ),
    ] {
        let response = door.send(&request);
        assert_eq!(
            whole(&response),
            (200, body.to_owned(), content_type.to_owned()),
            "{name}"
        );
        let id = response.header("x-landfall-delivery").unwrap_or_default();
        assert_eq!(id.len(), 13, "{name}: {id:?}");
        let shown = door
            .landfall
            .cli_json(&["deliveries", "show", id, "-o", "json"])
            .unwrap();
        assert_eq!(shown["id"], id, "{name}");
    }
    let again = door.send(&by_path().body(nobodys));
    let first = door.landfall.cli_json(&["deliveries", "list", "-o", "json"]).unwrap();
    assert_eq!(first[0]["verdict"], "duplicate");
    let of = first[0]["duplicateOf"].as_str().unwrap();
    assert_eq!(
        (again.status, again.text()),
        (200, format!("{{\"msg\":\"duplicate of delivery {of}\"}}\n"))
    );
    for method in ["GET", "POST"] {
        let response = door.send(&Request::new(method, "/healthz"));
        assert_eq!((response.status, response.text().as_str()), (200, "OK"));
    }
}

#[test]
fn who_is_not_expected_is_refused() {
    let door = Door::open();
    let push = hub_push("example/app");
    let json_type = "application/json";
    let text_type = "text/plain; charset=utf-8";
    let typed = |query: &str| Request::new("POST", format!("/webhook{query}")).body(push.clone());
    let at = |path: &str| Request::new("POST", path).body(push.clone());
    let other_path = path().replace("/dockerhub/", "/quay/");
    let shorter_path = path()[..path().len() - 1].to_owned();
    let unknown_type = |named: &str| format!("invalid registry type: {named}. {SUPPORTED}\n");
    let long = "x".repeat(1_000);
    for (name, request, status, body, content_type) in [
        ("an unknown path", at("/nowhere"), 404, "{}\n".to_owned(), json_type),
        ("the root", at("/"), 404, "{}\n".to_owned(), json_type),
        (
            "another sender's path",
            at(&other_path),
            404,
            "{}\n".to_owned(),
            json_type,
        ),
        ("half a path", at(&shorter_path), 404, "{}\n".to_owned(), json_type),
        (
            "more than a path",
            at(&format!("{}/", path())),
            404,
            "{}\n".to_owned(),
            json_type,
        ),
        (
            "a path with two slashes",
            at(&format!("/{}", path())),
            404,
            "{}\n".to_owned(),
            json_type,
        ),
        (
            "an unknown path to read",
            Request::new("GET", "/nowhere"),
            404,
            "{}\n".to_owned(),
            json_type,
        ),
        (
            "the wrong method by path",
            Request::new("GET", path()),
            405,
            "{\"error\":\"method not allowed: use POST\"}\n".to_owned(),
            json_type,
        ),
        (
            "the wrong method by type",
            Request::new("PUT", by_type().path).body(push.clone()),
            405,
            "method not allowed: use POST\n".to_owned(),
            text_type,
        ),
        (
            "no secret",
            typed("?type=docker.io"),
            401,
            "unauthorized\n".to_owned(),
            text_type,
        ),
        (
            "an empty secret",
            typed("?type=docker.io&secret="),
            401,
            "unauthorized\n".to_owned(),
            text_type,
        ),
        (
            "a wrong secret",
            typed("?type=docker.io&secret=wrong"),
            401,
            "unauthorized\n".to_owned(),
            text_type,
        ),
        (
            "a wrong secret first",
            typed(&format!("?type=docker.io&secret=wrong&secret={QUERY_SECRET}")),
            401,
            "unauthorized\n".to_owned(),
            text_type,
        ),
        (
            "no header",
            typed("?type=distribution"),
            401,
            "unauthorized\n".to_owned(),
            text_type,
        ),
        (
            "half a header",
            typed("?type=distribution").header("Authorization", "Bearer"),
            401,
            "unauthorized\n".to_owned(),
            text_type,
        ),
        (
            "a secret in the wrong place",
            typed("?type=docker.io").header("Authorization", QUERY_SECRET),
            401,
            "unauthorized\n".to_owned(),
            text_type,
        ),
        (
            "no type",
            typed(""),
            400,
            format!("missing registry type parameter. {SUPPORTED}\n"),
            text_type,
        ),
        (
            "an unknown type",
            typed("?type=nexus"),
            400,
            unknown_type("nexus"),
            text_type,
        ),
        (
            "a type in another case",
            typed("?type=Docker.io"),
            400,
            unknown_type("Docker.io"),
            text_type,
        ),
        (
            "a sender without a secret",
            typed("?type=quay.io"),
            400,
            unknown_type("quay.io"),
            text_type,
        ),
        (
            "a long type",
            typed(&format!("?type={long}")),
            400,
            unknown_type(&long[..64]),
            text_type,
        ),
    ] {
        let response = door.send(&request);
        assert_eq!(whole(&response), (status, body, content_type.to_owned()), "{name}");
        let allow = (status == 405).then_some("POST");
        assert_eq!(response.header("allow"), allow, "{name}");
        let nosniff = (content_type == text_type).then_some("nosniff");
        assert_eq!(response.header("x-content-type-options"), nosniff, "{name}");
        assert_eq!(response.header("x-landfall-delivery"), None, "{name}");
    }
    let kept = door.landfall.cli_json(&["deliveries", "list", "-o", "json"]).unwrap();
    assert_eq!(kept, json!([]), "nothing that proved nothing is kept");
    door.works();
}

/// What proved itself and cannot be read is kept, so that its sender and we speak of the same.
#[test]
fn what_cannot_be_read_has_an_id() {
    let door = Door::open();
    let response = door.send(&by_type().body("{"));
    assert_eq!(response.status, 400, "{}", response.text());
    let id = response.header("x-landfall-delivery").unwrap();
    let shown = door
        .landfall
        .cli_json(&["deliveries", "show", id, "-o", "json"])
        .unwrap();
    assert_eq!(shown["verdict"], "malformed", "{shown:#}");
    let log = fs::read_to_string(door.landfall.log()).unwrap();
    assert!(
        log.contains(&format!("a delivery cannot be read delivery={id}")),
        "{log}"
    );
}

#[test]
fn without_secrets_there_are_no_types() {
    let folder = tempfile::tempdir().unwrap();
    let manifests = folder.path().join("manifests");
    fs::create_dir(&manifests).unwrap();
    let data = folder.path().join("data");
    let landfall = Landfall::builder(BINARY)
        .manifests(manifests)
        .data_dir(data)
        .start()
        .unwrap();
    let response = http::send(&landfall.host(), &by_type().body(hub_push("example/app"))).unwrap();
    assert_eq!(response.status, 400);
    assert!(
        response.text().starts_with("no webhook handlers are registered; "),
        "{}",
        response.text()
    );
}

#[test]
fn bodies_have_a_limit() {
    let door = Door::open();
    let path_words = "{\"error\":\"content exceeds limit of 2097152 bytes\"}\n";
    for (request, limit, ok, too_large) in [
        (
            by_path(),
            PATH_LIMIT,
            "{\"msg\":\"refreshed 1 warehouse(s)\"}\n",
            path_words,
        ),
        (
            by_type(),
            TYPE_LIMIT,
            "Webhook received and processing",
            "request body too large\n",
        ),
    ] {
        for sending in [Sending::WithLength, Sending::Chunked(60_000)] {
            for (bytes, expected) in [(limit, (200, ok)), (limit + 1, (413, too_large))] {
                let response = door.send(&request.clone().body(hub_push_of(bytes)).sending(sending));
                assert_eq!(
                    (response.status, response.text().as_str()),
                    expected,
                    "{bytes} bytes, {sending:?}"
                );
            }
        }
        // Only the length is sent: the refusal must not wait for what it refuses.
        let mut connection = door.connect();
        let declared = request.clone().header("Content-Length", (limit + 1).to_string());
        connection.send_raw(&declared.to_bytes(&door.landfall.host())).unwrap();
        assert_eq!(connection.receive("POST").unwrap().status, 413);
        for length in ["18446744073709551615", "99999999999999999999999", "-1", "x"] {
            let mut connection = door.connect();
            let declared = request.clone().header("Content-Length", length);
            connection.send_raw(&declared.to_bytes(&door.landfall.host())).unwrap();
            let status = connection.receive("POST").unwrap().status;
            assert!(matches!(status, 400 | 413 | 431), "length {length}: {status}");
        }
    }
    door.works();
}

#[test]
fn slow_clients_are_cut_off() {
    let timeout = Duration::from_secs(1);
    let door = Door::open_with(|builder| builder.arg("--client-timeout=1s"));
    let good = by_path().body(hub_push("example/app")).to_bytes(&door.landfall.host());
    let head = good.windows(4).position(|four| four == b"\r\n\r\n").unwrap() + 4;
    for (name, sent, answer) in [
        ("nothing", &good[..0], None),
        ("half a head", &good[..head / 2], None),
        ("a head", &good[..head], Some(408)),
        ("half a body", &good[..head + 20], Some(408)),
    ] {
        let began = Instant::now();
        let mut connection = door.connect();
        connection.send_raw(sent).unwrap();
        let response = connection.receive("POST").map(|response| response.status).ok();
        let took = began.elapsed();
        assert!(
            took > timeout / 2 && took < Duration::from_secs(10),
            "{name} held on for {took:?}"
        );
        // A server that knows what the client wants says that it took too long; one that does not may just hang up.
        assert!(
            response == answer || (answer.is_none() && response == Some(408)),
            "{name}: {response:?}"
        );
    }
    // A byte now and then is no life sign: the time is for the whole.
    for (name, start) in [("a head", 10), ("a body", head + 5)] {
        let (began, mut connection) = (Instant::now(), door.connect());
        connection.send_raw(&good[..start]).unwrap();
        let rest = good[start..good.len() - 1].chunks(1);
        let cut = rest.take(60).any(|byte| {
            std::thread::sleep(Duration::from_millis(100));
            connection.send_raw(byte).is_err()
        });
        let took = began.elapsed();
        assert!(
            cut && took < Duration::from_secs(5),
            "{name} that drips held on for {took:?}"
        );
    }
    // A connection that has done its work is not kept for ever either.
    let mut connection = door.connect();
    let response = connection.send(&by_path().body(hub_push("example/app"))).unwrap();
    assert_eq!(response.status, 200);
    let began = Instant::now();
    assert!(
        connection.receive("POST").is_err(),
        "an idle connection brought an answer"
    );
    assert!(
        began.elapsed() < Duration::from_secs(10),
        "idle for {:?}",
        began.elapsed()
    );
    door.works();
}

#[test]
fn who_hangs_up_in_the_middle_harms_nobody() {
    let door = Door::open();
    let good = by_path().body(hub_push("example/app")).to_bytes(&door.landfall.host());
    for cut in (1..good.len()).step_by(9) {
        door.connect().send_raw(&good[..cut]).unwrap();
    }
    let mut connection = door.connect();
    connection.send_raw(&good[..good.len() - 5]).unwrap();
    connection.finish_sending();
    let answer = connection.receive("POST").map(|response| response.status);
    assert!(answer.is_err() || matches!(answer, Ok(400)), "{answer:?}");
    assert_eq!(
        door.landfall.cli_json(&["deliveries", "list", "-o", "json"]).unwrap(),
        json!([])
    );
    door.works();
}

#[test]
fn what_is_no_http_is_refused() {
    let door = Door::open();
    let host = door.landfall.host();
    let huge_head = format!(
        "POST {} HTTP/1.1\r\nHost: {host}\r\nX-Huge: {}\r\n\r\n",
        path(),
        "x".repeat(100_000)
    );
    let many = format!(
        "GET /healthz HTTP/1.1\r\nHost: {host}\r\n{}\r\n",
        "X: y\r\n".repeat(1_000)
    );
    for (name, bytes, statuses) in [
        (
            "noise",
            b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n".to_vec(),
            vec![400],
        ),
        ("no version", b"POST /\r\n\r\n".to_vec(), vec![400]),
        ("a huge head", huge_head.into_bytes(), vec![400, 431]),
        ("many headers", many.into_bytes(), vec![400, 431]),
        (
            "both lengths",
            format!(
                "POST {} HTTP/1.1\r\nHost: {host}\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
                path()
            )
            .into_bytes(),
            vec![400],
        ),
        (
            "two lengths",
            format!(
                "POST {} HTTP/1.1\r\nHost: {host}\r\nContent-Length: 3\r\nContent-Length: 4\r\n\r\nabcd",
                path()
            )
            .into_bytes(),
            vec![400],
        ),
        (
            "a chunk without a size",
            format!(
                "POST {} HTTP/1.1\r\nHost: {host}\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n\r\n",
                path()
            )
            .into_bytes(),
            vec![400],
        ),
    ] {
        let mut connection = door.connect();
        connection.send_raw(&bytes).unwrap();
        let answer = connection.receive("POST").map(|response| response.status);
        assert!(
            answer.as_ref().is_ok_and(|status| statuses.contains(status)),
            "{name}: {answer:?}"
        );
    }
    door.works();
}

/// What is wrong with a payload, and words of the answer.
fn broken_payloads() -> Vec<(&'static str, Vec<u8>, &'static str)> {
    let repository = json!({"repo_name": "example/app"});
    let deep =
        |open: &str, close: &str| format!("{{\"a\":{}1{}}}", open.repeat(10_000), close.repeat(10_000)).into_bytes();
    vec![
        ("empty", vec![], "EOF"),
        ("white space", b"  \n".to_vec(), "EOF"),
        ("no JSON", b"tag=1.0.0".to_vec(), "expected"),
        ("half a payload", br#"{"push_data":{"tag":"1.0"#.to_vec(), "EOF"),
        (
            "two payloads",
            format!("{}{{}}", hub_push("example/app")).into_bytes(),
            "trailing",
        ),
        (
            "no UTF-8",
            b"{\"repository\":{\"repo_name\":\"\xff\xfe\"}}".to_vec(),
            "unicode",
        ),
        (
            "half a surrogate, which is the character that stands for none",
            br#"{"repository":{"repo_name":"\ud800"}}"#.to_vec(),
            "this is no image repository",
        ),
        (
            "a byte order mark",
            [&b"\xef\xbb\xbf"[..], hub_push("a/b").as_bytes()].concat(),
            "expected",
        ),
        ("a list", b"[]".to_vec(), "must be a JSON object, not a list"),
        ("null", b"null".to_vec(), "must be a JSON object, not null"),
        ("a number beyond all", br#"{"a":1e999999999}"#.to_vec(), "number"),
        ("10,000 lists", deep("[", "]"), "recursion"),
        ("10,000 objects", deep("{\"a\":", "}"), "recursion"),
        (
            "an empty object",
            b"{}".to_vec(),
            "repository name not found in webhook payload",
        ),
        (
            "no repository but null",
            hub(json!("1"), Value::Null).into(),
            "repository name not found",
        ),
        (
            "a repository of nulls",
            hub(json!("1"), json!({"repo_name": null})).into(),
            "repository name not found",
        ),
        (
            "a repository in a list",
            hub(json!("1"), json!(["example/app"])).into(),
            "repository must be an object",
        ),
        (
            "a name that is a number",
            hub(json!("1"), json!({"repo_name": 7})).into(),
            "repository.repo_name must be a string",
        ),
        (
            "a tag that is a number",
            hub(json!(1.5), repository.clone()).into(),
            "push_data.tag must be a string, not a number",
        ),
        (
            "a tag that is a list",
            hub(json!([]), repository.clone()).into(),
            "push_data.tag must be a string, not a list",
        ),
        (
            "a tag with a slash",
            hub(json!("../etc"), repository.clone()).into(),
            "push_data.tag: the tag",
        ),
        (
            "a tag with a line end",
            hub(json!("1\n2"), repository.clone()).into(),
            "push_data.tag: the tag",
        ),
        (
            "a tag of 129",
            hub(json!("x".repeat(129)), repository).into(),
            "longer than 128",
        ),
        (
            "a name with spaces",
            hub(json!("1"), json!({"repo_name": "not a name"})).into(),
            "repository.repo_name",
        ),
        (
            "a name with dots",
            hub(json!("1"), json!({"repo_name": "../../etc/passwd"})).into(),
            "repository.repo_name",
        ),
        (
            "a name beyond all",
            hub(json!("1"), json!({"repo_name": "x/".repeat(5_000)})).into(),
            "repository.repo_name",
        ),
    ]
}

#[test]
fn payloads_that_cannot_be_read_are_said_to_be() {
    let door = Door::open();
    for (name, body, words) in broken_payloads() {
        let by_path = door.send(&by_path().body(body.clone()));
        let error = by_path.json().unwrap()["error"].as_str().unwrap_or_default().to_owned();
        assert!(
            by_path.status == 400 && error.starts_with("invalid request body: ") && error.contains(words),
            "{name} by path: {} {error}",
            by_path.status
        );
        let by_type = door.send(&by_type().body(body));
        let error = by_type.text();
        assert!(
            by_type.status == 400 && error.contains(words) && error.ends_with('\n'),
            "{name} by type: {} {error}",
            by_type.status
        );
    }
    let no_tag = door.send(&by_type().body(hub(Value::Null, json!({"repo_name": "example/app"}))));
    assert_eq!(
        (no_tag.status, no_tag.text().as_str()),
        (400, "tag not found in webhook payload\n")
    );
    for (name, body, words) in [
        ("events that are no list", r#"{"events":{}}"#, "events must be a list"),
        (
            "an event that is a text",
            r#"{"events":["push"]}"#,
            "events[0] must be an object",
        ),
        (
            "an action that is a number",
            r#"{"events":[{"action":1}]}"#,
            "events[0].action must be a string",
        ),
        (
            "a push of nothing",
            r#"{"events":[{"action":"push"}]}"#,
            "target not found",
        ),
    ] {
        let response = door.send(&by_distribution().body(body));
        assert!(
            response.status == 400 && response.text().contains(words),
            "{name}: {}",
            response.text()
        );
    }
    let kept = door.landfall.cli_json(&["deliveries", "list", "-o", "json"]).unwrap();
    assert!(
        kept.as_array()
            .unwrap()
            .iter()
            .all(|delivery| delivery["verdict"] == "malformed")
    );
    assert!(!door.log().contains("panicked"), "{}", door.log());
    door.works();
}

#[test]
fn connections_are_kept_and_requests_may_come_ahead() {
    let door = Door::open();
    let mut connection = door.connect();
    for _ in 0..20 {
        assert_eq!(
            connection
                .send(&by_path().body(hub_push("example/app")))
                .unwrap()
                .status,
            200
        );
        assert_eq!(
            connection
                .send(&Request::new("POST", "/nowhere").body("x"))
                .unwrap()
                .status,
            404
        );
        assert!(connection.is_reusable());
    }
    let requests: Vec<Request> = (0..5)
        .flat_map(|_| {
            let unproved = Request::new("POST", "/webhook?type=docker.io").body("{}");
            let chunked = by_type().body(hub_push("example/app")).sending(Sending::Chunked(10));
            [by_path().body(hub_push("example/app")), unproved, chunked]
        })
        .collect();
    let bytes: Vec<u8> = requests
        .iter()
        .flat_map(|request| request.to_bytes(&door.landfall.host()))
        .collect();
    connection.send_raw(&bytes).unwrap();
    let statuses: Vec<u16> = requests
        .iter()
        .map(|_| connection.receive("POST").unwrap().status)
        .collect();
    assert_eq!(statuses, [200, 401, 200].repeat(5));
}

#[test]
fn a_base_path_may_be_stripped_or_not() {
    let door = Door::open_with(|builder| builder.arg("--base-url=https://hooks.example.com/in/here/"));
    for (path, status) in [
        (format!("/in/here{}", path()), 200),
        (path(), 200),
        (format!("/in{}", path()), 404),
    ] {
        let response = door.send(&Request::new("POST", path.clone()).body(hub_push("example/app")));
        assert_eq!(response.status, status, "{path}");
    }
    let receivers = door.landfall.cli_json(&["receivers", "-o", "json"]).unwrap();
    assert_eq!(
        receivers[0]["url"],
        format!("https://hooks.example.com/in/here{}", path())
    );
}

#[test]
fn a_path_that_two_receivers_claim_is_nobodys() {
    let folder = tempfile::tempdir().unwrap();
    let manifests = folder.path().join("manifests");
    for (project, receiver) in [("foo", "bar"), ("foob", "ar")] {
        let text = manifests::dockerhub_project(project, receiver, PATH_SECRET);
        manifests::write(&manifests, &format!("{project}.yaml"), &text).unwrap();
        let app = warehouse("app", project, "example/app");
        manifests::write(&manifests, &format!("{project}-app.yaml"), &app).unwrap();
    }
    let landfall = Landfall::builder(BINARY)
        .manifests(manifests)
        .data_dir(folder.path().join("data"))
        .arg("--registry-mirror=docker.io=http://127.0.0.1:1")
        .start()
        .unwrap();
    let path = manifests::receiver_path("dockerhub", "foo", "bar", PATH_SECRET);
    let request = Request::new("POST", path).body(hub_push("example/app"));
    let response = http::send(&landfall.host(), &request).unwrap();
    assert_eq!((response.status, response.text().as_str()), (404, "{}\n"));
    let receivers = landfall.cli_json(&["receivers", "-o", "json"]).unwrap();
    let problems: Vec<String> = receivers
        .as_array()
        .unwrap()
        .iter()
        .map(|one| format!("{}: {} {}", one["receiver"], one["url"], one["problem"]))
        .collect();
    let remedy = "so none of them is served; give one of them another name or another secret";
    assert_eq!(
        problems,
        [("foo/bar", "foob/ar"), ("foob/ar", "foo/bar")].map(|(one, other)| format!(
            "\"ProjectConfig {one}\": null \"its path is also that of ProjectConfig {other}, {remedy}\""
        ))
    );
    let configs = landfall.cli_json(&["get", "projectconfigs", "-o", "json"]).unwrap();
    for config in configs.as_array().unwrap() {
        assert_eq!(config["status"]["webhookReceivers"], Value::Null);
        assert_eq!(
            config["status"]["conditions"][0]["reason"],
            "SyncWebhookReceiversFailed"
        );
    }
}

#[test]
fn secrets_are_found_nowhere() {
    let cluster_secret = "cluster-secret-of-the-door-tests";
    let folder = tempfile::tempdir().unwrap();
    let manifests_folder = folder.path().join("manifests");
    let credentials = landfall_harness::Credentials {
        username: "robot".to_owned(),
        password: CREDENTIALS_PASSWORD.to_owned(),
    };
    for (name, text) in [
        ("project.yaml", manifests::dockerhub_project("shop", "hub", PATH_SECRET)),
        ("app.yaml", warehouse("app", "shop", "example/app")),
        (
            "credentials.yaml",
            manifests::image_credentials("robot", "shop", "example/app", &credentials),
        ),
        (
            "cluster.yaml",
            manifests::cluster_config(&[Receiver::new("hub", "dockerhub", "hub-secret")]),
        ),
        (
            "cluster-secret.yaml",
            manifests::receiver_secret("hub-secret", "kargo-system-resources", &[("secret", cluster_secret)]),
        ),
    ] {
        manifests::write(&manifests_folder, name, &text).unwrap();
    }
    let mut landfall = Landfall::builder(BINARY)
        .manifests(manifests_folder)
        .data_dir(folder.path().join("data"))
        .log(folder.path().join("log"))
        .env("DOCKER_WEBHOOK_SECRET", QUERY_SECRET)
        .env("DISTRIBUTION_WEBHOOK_SECRET", HEADER_SECRET)
        .arg("--registry-mirror=docker.io=http://127.0.0.1:1")
        .arg("--log-level=trace")
        .start()
        .unwrap();
    let cluster_path = manifests::receiver_path("dockerhub", "", "hub", cluster_secret);
    let (tried, spoiled) = ("tried-secret-of-the-door-tests", format!("{}0", path()));
    let mut shown = String::new();
    for request in [
        by_path().body(hub_push("example/app")),
        by_path()
            .header("Authorization", HEADER_SECRET)
            .header("Cookie", QUERY_SECRET)
            .body(hub_push("example/app")),
        Request::new("POST", format!("{}?secret={QUERY_SECRET}", path())).body(hub_push("example/app")),
        Request::new("POST", cluster_path.clone()).body(hub_push("example/app")),
        by_type().body(hub_push("example/app")),
        by_type().body("{"),
        by_distribution().body(r#"{"events":[]}"#),
        by_distribution().body("{"),
        Request::new("POST", format!("/webhook?type=docker.io&secret={tried}")).body("{}"),
        Request::new("POST", format!("/webhook?type=distribution&secret={tried}"))
            .header("Authorization", tried)
            .body("{}"),
        Request::new("POST", spoiled).body("{}"),
        Request::new("GET", path()),
    ] {
        let response = http::send(&landfall.host(), &request).unwrap();
        shown.push_str(&format!("{:?} {}\n", response.headers, response.text()));
    }
    let list = landfall.cli_json(&["deliveries", "list", "-o", "json"]).unwrap();
    let list = list.as_array().unwrap().clone();
    assert_eq!(list.len(), 8, "{list:#?}");
    wait::until(Duration::from_secs(20), "a failed look to be noted", || {
        let log = fs::read_to_string(landfall.log()).ok()?;
        log.contains("a refresh failed in part").then_some(())
    })
    .unwrap();
    for one in &list {
        for command in ["show", "explain"] {
            for output in ["json", "table"] {
                let id = one["id"].as_str().unwrap();
                let output = landfall.cli(&["deliveries", command, id, "-o", output]).unwrap();
                assert!(output.status.success());
                shown.push_str(&String::from_utf8_lossy(&output.stdout));
            }
        }
    }
    let warehouses = landfall.cli(&["get", "warehouses", "-o", "json"]).unwrap();
    shown.push_str(&String::from_utf8_lossy(&warehouses.stdout));
    let mut places = vec![("answers and commands".to_owned(), shown.into_bytes())];
    // The write-ahead log first, then what it is merged into at the end.
    places.extend(files(&folder.path().join("data")));
    landfall.terminate().unwrap();
    places.extend(files(&folder.path().join("data")));
    places.push(("log".to_owned(), fs::read(folder.path().join("log")).unwrap()));
    let hash = |path: &str| path.rsplit('/').next().unwrap().to_owned();
    let bare = HEADER_SECRET.trim_start_matches("Bearer ").to_owned();
    let (path_hash, cluster_hash) = (hash(&path()), hash(&cluster_path));
    let mut found = Vec::new();
    for (place, bytes) in &places {
        for (what, secret) in [
            ("the secret of a path", PATH_SECRET),
            ("the secret of the cluster's path", cluster_secret),
            ("the secret of a query", QUERY_SECRET),
            ("the secret of a header", &bare),
            ("a secret that was tried", tried),
            ("a password", CREDENTIALS_PASSWORD),
            ("the hash of a path", &path_hash),
            ("the hash of the cluster's path", &cluster_hash),
        ] {
            if bytes.windows(secret.len()).any(|window| window == secret.as_bytes()) {
                found.push(format!("{what} is in {place}"));
            }
        }
    }
    assert!(found.is_empty(), "{found:#?}");
}

fn files(folder: &Path) -> Vec<(String, Vec<u8>)> {
    let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let files = entries.filter(|path| path.is_file());
    files
        .map(|path| (path.display().to_string(), fs::read(&path).unwrap()))
        .collect()
}

#[test]
fn help_shows_no_secret_of_the_environment() {
    let secrets = [
        ("DOCKER_WEBHOOK_SECRET", QUERY_SECRET),
        ("DISTRIBUTION_WEBHOOK_SECRET", HEADER_SECRET),
        ("LANDFALL_SEND_SECRET", PATH_SECRET),
    ];
    for args in [
        &["serve", "--help"][..],
        &["send", "dockerhub", "--help"],
        &["send", "distribution", "-h"],
        &["--help"],
    ] {
        let output = run(args, &secrets);
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        assert!(output.status.success() && text.contains("Usage"), "{args:?}: {text}");
        assert!(!text.contains("of-the-door-tests"), "{args:?}: {text}");
    }
}

#[test]
fn what_cannot_be_meant_is_a_usage_error() {
    let empty = tempfile::tempdir().unwrap();
    let folder = empty.path().to_str().unwrap();
    for (args, words) in [
        (
            &["--listen=:0", "--tlsminversion=1.0"][..],
            "failed to configure TLS: invalid --tlsminversion: unsupported TLS version: \"1.0\" (supported: 1.1, 1.2, 1.3)",
        ),
        (
            &["--tlsmaxversion=1.2"],
            "--tlsminversion 1.3 is higher than --tlsmaxversion 1.2",
        ),
        (
            &["--tlsminversion=1.1", "--tlsmaxversion=1.1"],
            "invalid --tlsmaxversion: TLS 1.1 is not secure and landfall does not have it",
        ),
        (
            &["--tlsminversion=1.2", "--tlsciphers=TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA"],
            "is not secure and landfall does not have it; those with GCM and CHACHA20 can be chosen",
        ),
        (&["--disable-tls=perhaps"], "--disable-tls"),
        (&["--health-probe-bind-address=off"], "--health-probe-bind-address"),
        (&["--max-connections=0"], "--max-connections"),
        (&["--listen=nowhere"], "--listen"),
        (&["--no-such-flag"], "--no-such-flag"),
        (&["--base-url=hooks.example.com"], "http://"),
        (&["--docker-webhook-secret="], "an empty secret proves nothing"),
        (&["--registry-mirror=docker.io"], "HOST=URL"),
        (
            &["--registry-mirror=docker.io=http://robot:hunter2@127.0.0.1"],
            "credentials belong into a Secret",
        ),
        (&["--registry-rate-limit=0"], "--registry-rate-limit"),
        (&["--registry-timeout=30"], "30s"),
        (&["--retry-attempts=0"], "--retry-attempts"),
        (&["--dedupe-window=-1s"], "negative"),
        (&["--client-timeout=0s"], "--client-timeout"),
        (&["--registry-timeout=0s"], "longer than nothing"),
        (&["--log-level=loud,,=x"], "--log-level"),
        (&["--log-format=xml"], "--log-format"),
    ] {
        let all = [&["serve", "--manifests", folder, "--data-dir", folder], args].concat();
        let output = run(&all, &[]);
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(2), "{args:?}: {said}");
        assert!(said.contains(words) && !said.contains("hunter2"), "{args:?}: {said}");
    }
    for args in [&[][..], &["no-such-command"], &["get", "no-such-kind"], &["deliveries"]] {
        assert_eq!(run(args, &[]).status.code(), Some(2), "{args:?}");
    }
}

#[test]
fn what_is_not_there_is_a_failure_with_advice() {
    let empty = tempfile::tempdir().unwrap();
    let folder = empty.path().to_str().unwrap();
    let gone = empty.path().join("gone");
    let gone = gone.to_str().unwrap();
    let long = empty.path().join("long".repeat(30));
    let long = long.to_str().unwrap();
    let file = empty.path().join("file");
    fs::write(&file, "").unwrap();
    let file = file.to_str().unwrap();
    for (args, words) in [
        (&["get", "warehouses", "--data-dir", folder][..], "landfall serve"),
        (&["receivers", "--data-dir", gone], "landfall serve"),
        (&["deliveries", "list", "--data-dir", folder], "landfall serve"),
        (
            &["deliveries", "replay", "0000000000000", "--data-dir", folder],
            "landfall serve",
        ),
        (
            &[
                "serve",
                "--manifests",
                gone,
                "--data-dir",
                folder,
                "--listen=127.0.0.1:0",
            ],
            "does not exist",
        ),
        (
            &[
                "serve",
                "--manifests",
                file,
                "--data-dir",
                folder,
                "--listen=127.0.0.1:0",
            ],
            "file cannot be read: Not a directory (os error 20)\n",
        ),
        (
            &[
                "serve",
                "--manifests",
                folder,
                "--data-dir",
                long,
                "--listen=127.0.0.1:0",
            ],
            "too long for a socket; choose a folder with a shorter one by --data-dir",
        ),
    ] {
        let output = run(args, &[]);
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(1), "{args:?}: {said}");
        assert!(said.contains(words), "{args:?}: {said}");
    }
    let door = Door::open();
    let data = door.landfall.data_dir().to_str().unwrap().to_owned();
    let manifests = door.folder.path().join("manifests");
    let second = run(
        &[
            "serve",
            "--listen=127.0.0.1:0",
            "--data-dir",
            &data,
            "--manifests",
            manifests.to_str().unwrap(),
        ],
        &[],
    );
    let said = String::from_utf8_lossy(&second.stderr).into_owned();
    assert_eq!(second.status.code(), Some(1), "{said}");
    assert!(said.contains("another landfall is using the data folder"), "{said}");
    let taken = run(
        &[
            "serve",
            "--listen",
            &door.landfall.host(),
            "--data-dir",
            folder,
            "--manifests",
            folder,
        ],
        &[],
    );
    let said = String::from_utf8_lossy(&taken.stderr).into_owned();
    assert_eq!(taken.status.code(), Some(1), "{said}");
    assert!(said.contains("--listen") && said.contains("in use"), "{said}");
    let no_id = "a delivery's id has 13 characters";
    for (args, words) in [
        (&["deliveries", "show", "0000000000000"][..], "there is no delivery"),
        (&["deliveries", "replay", "0000000000000"], "there is no delivery"),
        (&["deliveries", "explain", "x"], no_id),
        (&["deliveries", "show", ""], no_id),
        // What would be another path of the API.
        (&["deliveries", "explain", ".."], no_id),
        (&["deliveries", "replay", "../problems?"], no_id),
        (&["get", "warehouses", "gone"], "there is no gone among the warehouses"),
    ] {
        let output = door.landfall.cli(args).unwrap();
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(1), "{args:?}: {said}");
        assert!(said.contains(words), "{args:?}: {said}");
    }
}

#[test]
fn the_data_folder_is_its_owners() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("a/data");
    fs::create_dir(folder.path().join("manifests")).unwrap();
    let host = format!("127.0.0.1:{}", free_port().unwrap());
    let mut serve = Command::new(BINARY);
    serve
        .args(["serve", "--listen", &host, "--data-dir"])
        .arg(&data)
        .arg("--manifests")
        .arg(folder.path().join("manifests"));
    let mut child = serve
        .env_clear()
        .stdin(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let up = wait::until(Duration::from_secs(20), "landfall to answer", || {
        let mut connection = Connection::open(&host, Duration::from_secs(1)).ok()?;
        connection.send(&Request::new("GET", "/healthz")).ok()
    });
    let modes = up.map(|_| (mode(&data), mode(&data.join("admin.sock"))));
    child.kill().unwrap();
    child.wait().unwrap();
    assert_eq!(modes.unwrap(), (0o700, 0o600));
}

#[test]
fn who_reads_no_further_is_no_error() {
    let door = Door::open();
    for _ in 0..200 {
        assert_eq!(door.send(&by_path().body(hub_push("example/app"))).status, 200);
    }
    for args in [
        &["deliveries", "list", "-o", "json", "--limit=10000"][..],
        &["deliveries", "list", "--limit=10000"],
        &["get", "warehouses"],
        &["version"],
        &["serve", "--help"],
    ] {
        let mut command = Command::new(BINARY);
        command.args(args);
        if !matches!(args[0], "version" | "serve") {
            command.arg("--data-dir").arg(door.landfall.data_dir());
        }
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        drop(child.stdout.take());
        let mut said = String::new();
        child.stderr.take().unwrap().read_to_string(&mut said).unwrap();
        let status = child.wait().unwrap();
        assert_eq!((status.code(), said.as_str()), (Some(0), ""), "{args:?}");
    }
}
