//! Deliveries byte for byte with what they must yield, and what must hold for every body and every header.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use proptest::prelude::*;
use serde_json::{Map, Value, json};

use super::*;
use crate::door::{BaseUrl, PathDoor};
use crate::secret::{SecretAge, SecretBytes};

/// What every fixture's receiver was configured with; `fixtures/receivers/README.md` says so too.
const SECRET: &str = "only-for-fixtures";
const PROJECT: &str = "shop";

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fixtures/receivers")
}

fn names_in(folder: &Path) -> Vec<String> {
    let mut names: Vec<String> = std::fs::read_dir(folder)
        .unwrap_or_else(|error| panic!("{}: {error}", folder.display()))
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}

/// One request as it went over the wire.
struct Recorded {
    path: String,
    request: Unverified,
}

impl Recorded {
    fn parse(bytes: &[u8]) -> Result<Self, String> {
        let end = bytes
            .windows(4)
            .position(|window| window == b"\r\n\r\n")
            .ok_or("no blank line behind the headers")?;
        let head = std::str::from_utf8(&bytes[..end]).map_err(|_| "the head is not UTF-8")?;
        let body = bytes[end + 4..].to_vec();
        let mut lines = head.split("\r\n");
        let target = lines
            .next()
            .and_then(|line| line.strip_prefix("POST "))
            .and_then(|line| line.strip_suffix(" HTTP/1.1"))
            .ok_or("the first line is not POST … HTTP/1.1")?;
        let headers = lines
            .map(|line| {
                let (name, value) = line.split_once(": ").ok_or(format!("{line:?} is no header"))?;
                Ok((name.to_ascii_lowercase(), value.as_bytes().to_vec()))
            })
            .collect::<Result<Vec<_>, String>>()?;
        let (path, query) = target.split_once('?').unwrap_or((target, ""));
        if query.contains(['%', '+']) {
            return Err("the query is escaped, which is the server's business".to_owned());
        }
        let query = query
            .split('&')
            .filter(|pair| !pair.is_empty())
            .map(|pair| pair.split_once('=').unwrap_or((pair, "")))
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .collect();
        let request = Unverified { headers, query, body };
        let length = request.body.len().to_string();
        if request.header("content-length") != Some(length.as_bytes()) {
            return Err(format!("Content-Length is not {length}, the length of the body"));
        }
        Ok(Self {
            path: path.to_owned(),
            request,
        })
    }
}

/// The receiver of a fixture, after checking that the request is addressed to it.
fn receiver(sender: Sender, entrance: &str, recorded: &Recorded) -> Result<Receiver, String> {
    let secret = SecretBytes::from(SECRET);
    match entrance {
        "path" => {
            let name = match sender {
                Sender::DockerHub => "hub",
                Sender::Distribution => "registry",
                Sender::GitHub => "packages",
                Sender::Harbor => "harbor",
                Sender::Quay => "quay",
                Sender::AliyunAcr => "aliyun",
                Sender::Azure => "azure",
                Sender::CloudEvents => "events",
                Sender::EventBridge => "ecr",
                Sender::Gitea => "gitea",
                Sender::GitLab => "gitlab",
                Sender::Bitbucket => "bitbucket",
                Sender::Artifactory => "artifactory",
            };
            let base = BaseUrl::parse("https://hooks.example.com").unwrap();
            let door = PathDoor::derive(&base, sender, PROJECT, name, &secret);
            let expected = door.url().strip_prefix("https://hooks.example.com").unwrap();
            if recorded.path != expected {
                return Err(format!("the path must be {expected}"));
            }
            let name = ReceiverName(format!("ProjectConfig {PROJECT}/{name}"));
            let reach = Reach::Project(PROJECT.to_owned());
            Ok(Receiver::by_path(name, sender, reach, secret.into()))
        }
        "type" => {
            let named = recorded.request.parameter("type").and_then(Sender::from_type_name);
            if recorded.path != "/webhook" || named != Some(sender) {
                return Err(format!("the target must be /webhook?type={:?}", sender.type_name()));
            }
            Ok(Receiver::by_type(sender, secret.into()))
        }
        other => Err(format!("{other:?} is no entrance")),
    }
}

fn yields(entrance: &str, receiver: &Receiver, request: Unverified) -> Value {
    let Ok(delivery) = receiver.authenticate(request) else {
        return json!({ "entrance": entrance, "rejected": true });
    };
    match read(&delivery) {
        Err(malformed) => json!({ "entrance": entrance, "malformed": malformed.to_string() }),
        Ok(contents) => {
            let reports: Vec<Value> = contents.reports.iter().map(report).collect();
            json!({ "entrance": entrance, "reports": reports, "setAside": contents.set_aside })
        }
    }
}

/// The event as it is kept, with the sender's id where there is one.
fn report(report: &Report) -> Value {
    let mut value = serde_json::to_value(&report.event).unwrap();
    if let Some(id) = &report.sender_id {
        value["senderId"] = json!(id);
    }
    value
}

fn check(sender: Sender, http: &Path, expected: &Path) -> Result<(), String> {
    let bytes = std::fs::read(http).map_err(|error| error.to_string())?;
    let expected = std::fs::read(expected).map_err(|error| format!("its .yields.json: {error}"))?;
    let expected: Value = serde_json::from_slice(&expected).map_err(|error| format!("its .yields.json: {error}"))?;
    let recorded = Recorded::parse(&bytes)?;
    let entrance = expected["entrance"]
        .as_str()
        .ok_or("its .yields.json has no entrance")?;
    let receiver = receiver(sender, entrance, &recorded)?;
    let found = yields(entrance, &receiver, recorded.request);
    if found == expected {
        Ok(())
    } else {
        Err(format!("yields {found:#}\nand not {expected:#}"))
    }
}

#[test]
fn every_sender_has_a_folder_and_every_folder_a_sender() {
    let folders: BTreeSet<String> = names_in(&folder())
        .into_iter()
        .filter(|name| name != "README.md")
        .collect();
    let senders: BTreeSet<String> = Sender::ALL.iter().map(ToString::to_string).collect();
    assert_eq!(folders, senders);
}

#[test]
fn deliveries_yield_what_their_fixtures_say() {
    let mut failures = Vec::new();
    for sender in Sender::ALL {
        let folder = folder().join(sender.path_segment());
        let names = names_in(&folder);
        let mut entrances = BTreeSet::new();
        for name in &names {
            let expected = match (name.strip_suffix(".http"), name.strip_suffix(".yields.json")) {
                (Some(stem), _) => folder.join(format!("{stem}.yields.json")),
                (_, Some(stem)) if names.contains(&format!("{stem}.http")) => continue,
                _ => {
                    failures.push(format!("{sender}/{name}: belongs to no delivery"));
                    continue;
                }
            };
            if let Err(problem) = check(sender, &folder.join(name), &expected) {
                failures.push(format!("{sender}/{name}: {problem}"));
            }
            let text = std::fs::read_to_string(expected).unwrap_or_default();
            let value: Value = serde_json::from_str(&text).unwrap_or_default();
            entrances.extend(value["entrance"].as_str().map(str::to_owned));
        }
        let by_type = sender.type_name().map(|_| "type".to_owned());
        let doors: BTreeSet<String> = by_type.into_iter().chain(["path".to_owned()]).collect();
        assert_eq!(entrances, doors, "{sender} needs deliveries at each of its doors");
    }
    assert!(
        failures.is_empty(),
        "{} failures:\n{}",
        failures.len(),
        failures.join("\n")
    );
}

/// What was kept as an event must come back as the same event.
#[test]
fn events_come_back_from_the_journal_as_they_were() {
    let mut events = 0;
    for sender in Sender::ALL {
        let folder = folder().join(sender.path_segment());
        for name in names_in(&folder).iter().filter(|name| name.ends_with(".yields.json")) {
            let text = std::fs::read_to_string(folder.join(name)).unwrap();
            let value: Value = serde_json::from_str(&text).unwrap();
            for kept in value["reports"].as_array().into_iter().flatten() {
                let mut kept = kept.clone();
                kept.as_object_mut().unwrap().remove("senderId");
                let event: Event = serde_json::from_value(kept.clone()).unwrap();
                assert_eq!(serde_json::to_value(&event).unwrap(), kept, "{sender}/{name}");
                events += 1;
            }
        }
    }
    assert!(events > 0);
}

/// Receivers of every sender at both doors.
fn receivers() -> Vec<Receiver> {
    let secrets = || Secrets::only(SECRET.into());
    let by_path = Sender::ALL.into_iter().map(|sender| by_path(sender, secrets()));
    let by_type = Sender::by_type().map(|(sender, _)| Receiver::by_type(sender, secrets()));
    by_path.chain(by_type).collect()
}

fn by_path(sender: Sender, secrets: Secrets) -> Receiver {
    Receiver::by_path(ReceiverName("r".to_owned()), sender, Reach::Everywhere, secrets)
}

/// A request that proves itself to every receiver, and brings what some want to know before they read the body.
fn proving(body: &[u8]) -> Unverified {
    let header = |name: &str, value: &str| (name.to_owned(), value.as_bytes().to_vec());
    Unverified {
        headers: vec![
            header("authorization", SECRET),
            header("x-hub-signature-256", &signature(SECRET, body)),
            header("content-type", "application/json"),
            header("x-github-event", "package"),
            header("x-hub-signature", &signature(SECRET, body)),
            header(
                "x-jfrog-event-auth",
                signature(SECRET, body).trim_start_matches("sha256="),
            ),
            header("x-gitlab-token", SECRET),
            header("x-gitea-event", "push"),
            header("x-gitlab-event", "Push Hook"),
            header("x-event-key", "repo:push"),
        ],
        query: vec![("secret".to_owned(), SECRET.to_owned())],
        body: body.to_vec(),
    }
}

/// As GitHub signs; that it is the HMAC is tested where it is made.
fn signature(secret: &str, body: &[u8]) -> String {
    let signature = SecretBytes::from(secret).sign(body);
    let digits: String = signature.iter().map(|byte| format!("{byte:02x}")).collect();
    format!("sha256={digits}")
}

fn read_everywhere(body: &[u8]) -> Vec<Result<Contents, Malformed>> {
    receivers()
        .into_iter()
        .map(|receiver| read(&receiver.authenticate(proving(body)).unwrap()))
        .collect()
}

/// Fields that senders know, so that arbitrary JSON comes far enough to matter.
const FIELDS: [&str; 77] = [
    "events",
    "action",
    "target",
    "mediaType",
    "tag",
    "digest",
    "repository",
    "url",
    "request",
    "host",
    "id",
    "timestamp",
    "push_data",
    "repo_name",
    "namespace",
    "name",
    "media_type",
    "EVENTS",
    "Tag",
    "callback_url",
    "package",
    "registry_package",
    "package_type",
    "package_version",
    "package_url",
    "container_metadata",
    "owner",
    "login",
    "type",
    "event_data",
    "resources",
    "resource_url",
    "repo_full_name",
    "occur_at",
    "updated_tags",
    "docker_url",
    "region",
    "specversion",
    "source",
    "subject",
    "data",
    "repositoryName",
    "imageTag",
    "registryUrl",
    "registryId",
    "reference",
    "eventType",
    "detail",
    "detail-type",
    "repository-name",
    "image-tag",
    "action-type",
    "result",
    "account",
    "manifest",
    "ref",
    "after",
    "commits",
    "head_commit",
    "added",
    "clone_url",
    "default_branch",
    "pull_request",
    "html_url",
    "total_commits",
    "project",
    "git_http_url",
    "object_attributes",
    "push",
    "changes",
    "new",
    "links",
    "html",
    "href",
    "domain",
    "event_type",
    "path",
];

fn any_json() -> impl Strategy<Value = Value> {
    let texts = prop_oneof![
        ".{0,12}",
        Just("push".to_owned()),
        Just("application/vnd.oci.image.index.v1+json".to_owned()),
        Just("shop/api".to_owned()),
        Just("registry.example.com:5000".to_owned()),
        Just("http://x/".to_owned()),
        proptest::sample::select(vec![
            "1.0",
            "published",
            "container",
            "PUSH_ARTIFACT",
            "SUCCESS",
            "PUSH",
            "aws.ecr",
            "ECR Image Action",
            "eu-central-1",
            "123456789012",
            "com.amazon.ecr.image.push",
            "harbor.artifact.pushed",
            "zotregistry.image.updated",
            "Microsoft.ContainerRegistry.ImagePushed",
            "example.image.pushed",
            "urn:aws:ecr:eu-central-1:1:repository/a/b",
            "refs/heads/main",
            "https://git.example.com/shop/api.git",
            "git.push",
            "git.pullrequest.updated",
            "completed",
            "docker",
            "pushed",
            "closed",
        ])
        .prop_map(str::to_owned),
    ];
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        texts.prop_map(Value::from),
    ];
    leaf.prop_recursive(6, 64, 6, |inner| {
        let key = prop_oneof![8 => proptest::sample::select(&FIELDS[..]).prop_map(str::to_owned), 1 => ".{0,6}"];
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..5).prop_map(Value::from),
            proptest::collection::vec((key, inner), 0..8)
                .prop_map(|fields| Value::Object(fields.into_iter().collect::<Map<_, _>>())),
        ]
    })
}

/// Headers as a server hands them over: names in lower case.
fn any_header_name() -> impl Strategy<Value = String> {
    prop_oneof![
        proptest::sample::select(vec![
            "authorization",
            "proxy-authorization",
            "cookie",
            "x-api-key",
            "x-gitlab-token",
            "x-hub-signature-256",
            "x-jfrog-event-auth",
            "x-webhook-secret",
            "x-forwarded-authorization",
            "referer",
            "x-github-token",
        ])
        .prop_map(str::to_owned),
        "[a-z0-9-]{1,20}",
    ]
}

/// Every sender's receiver while its secret is changed, asked with either secret, with another one, and with none.
#[test]
fn deliveries_say_which_secret_was_shown() {
    let secrets = Secrets::rotating("new".into(), "old".into());
    for (sender, _) in Sender::by_type() {
        let receiver = Receiver::by_type(sender, secrets.clone());
        for (secret, expected) in [
            (Some("new"), Ok(Some(SecretAge::Current))),
            (Some("old"), Ok(Some(SecretAge::Previous))),
            (Some("older"), Err(Rejected)),
            (Some(""), Err(Rejected)),
            (None, Err(Rejected)),
        ] {
            let shown = receiver.authenticate(showing(secret)).map(|delivery| delivery.secret());
            assert_eq!(shown, expected, "{sender} {secret:?}");
        }
        let open = Receiver::open_by_type(sender);
        let shown = open.authenticate(showing(None)).map(|delivery| delivery.secret());
        assert_eq!(shown, Ok(None), "{sender}");
        assert_eq!((open.name(), open.entrance()), (receiver.name(), receiver.entrance()));
    }
}

/// A request that shows a secret in every way that a sender has.
fn showing(secret: Option<&str>) -> Unverified {
    let mut request = proving(b"{}");
    let shown = [
        "authorization",
        "x-gitlab-token",
        "x-hub-signature",
        "x-hub-signature-256",
        "x-jfrog-event-auth",
    ];
    request.headers.retain(|(name, _)| !shown.contains(&name.as_str()));
    request.query.clear();
    if let Some(secret) = secret {
        let signature = signature(secret, &request.body);
        let digits = signature.trim_start_matches("sha256=");
        for (name, value) in shown.into_iter().zip([secret, secret, &signature, &signature, digits]) {
            request.headers.push((name.to_owned(), value.into()));
        }
        request.query.push(("secret".to_owned(), secret.to_owned()));
    }
    request
}

/// Behind a path, the path tells a secret and what the sender shows tells another: whoever brings the old one in either way
/// has still something to change. Some senders can show nothing but the path.
#[test]
fn deliveries_by_path_say_whether_anything_about_them_is_old() {
    let secrets = Secrets::rotating("new".into(), "old".into());
    let showing_nothing = [
        Sender::DockerHub,
        Sender::Distribution,
        Sender::Quay,
        Sender::AliyunAcr,
        Sender::Azure,
        Sender::CloudEvents,
        Sender::EventBridge,
    ];
    let (current, previous) = (Ok(Some(SecretAge::Current)), Ok(Some(SecretAge::Previous)));
    for sender in Sender::ALL {
        let at_current = by_path(sender, secrets.clone());
        let at_previous = by_path(sender, secrets.clone()).at_its_previous_path();
        let shows = !showing_nothing.contains(&sender);
        for (secret, proved, by_path_alone) in [
            (Some("new"), [current, previous], [current, previous]),
            (Some("old"), [previous, previous], [current, previous]),
            (Some("older"), [Err(Rejected), Err(Rejected)], [current, previous]),
            (Some(""), [Err(Rejected), Err(Rejected)], [current, previous]),
            (None, [Err(Rejected), Err(Rejected)], [current, previous]),
        ] {
            let found = [&at_current, &at_previous].map(|receiver| {
                let delivery = receiver.authenticate(showing(secret));
                delivery.map(|delivery| delivery.secret())
            });
            let expected = if shows { proved } else { by_path_alone };
            assert_eq!(found, expected, "{sender} {secret:?}");
        }
    }
}

/// An event that nobody reads is no way to learn whether a secret is right.
#[test]
fn what_a_stranger_is_told_does_not_depend_on_the_event() {
    for sender in [
        Sender::GitHub,
        Sender::Gitea,
        Sender::GitLab,
        Sender::Bitbucket,
        Sender::Harbor,
        Sender::Artifactory,
    ] {
        let receiver = by_path(sender, Secrets::only(SECRET.into()));
        for body in ["{}", "not json", "{\"ref\": \"refs/heads/main\"}"] {
            let mut request = showing(Some("wrong"));
            request.body = body.into();
            let of_no_interest = |(name, _): &(String, Vec<u8>)| name.ends_with("-event") || name == "x-event-key";
            let without = Unverified {
                headers: request
                    .headers
                    .iter()
                    .filter(|header| !of_no_interest(header))
                    .cloned()
                    .collect(),
                ..request.clone()
            };
            for request in [request, without] {
                assert_eq!(receiver.authenticate(request).err(), Some(Rejected), "{sender} {body}");
            }
        }
    }
}

proptest! {
    #[test]
    fn any_bytes_are_read_without_a_panic(body in proptest::collection::vec(any::<u8>(), 0..256)) {
        read_everywhere(&body);
    }

    #[test]
    fn any_json_is_read_without_a_panic(value in any_json()) {
        for contents in read_everywhere(value.to_string().as_bytes()).into_iter().flatten() {
            prop_assert!(!contents.reports.is_empty() || !contents.set_aside.is_empty(), "nothing, and no reason why");
        }
    }

    /// A body cut anywhere is malformed, never half of what it says.
    #[test]
    fn half_a_delivery_is_none(cut in 1_usize..100) {
        let whole = json!({ "events": [], "repository": { "repo_name": "shop/api" }, "push_data": { "tag": "1.4.0" } });
        let whole = whole.to_string();
        let cut = whole.len() - cut.min(whole.len());
        for read in read_everywhere(&whole.as_bytes()[..cut]) {
            prop_assert!(matches!(read, Err(Malformed::Payload(_))));
        }
    }

    #[test]
    fn headers_that_may_hold_a_secret_are_kept_without_their_value(
        names in proptest::collection::vec(any_header_name(), 0..6),
        before in "[ -~]{0,8}",
    ) {
        // Of these, nobody shows a secret in the value.
        let harmless = |name: &str| {
            ["accept", "date", "host"].contains(&name)
                || name.starts_with("ce-")
                || ["accept-encoding", "content-length", "content-type", "transfer-encoding", "user-agent"].contains(&name)
                || ["x-event-key", "x-github-delivery", "x-github-event", "x-registry-type"].contains(&name)
                || ["x-gitea-delivery", "x-gitea-event", "x-gitlab-event", "idempotency-key"].contains(&name)
                || ["x-forgejo-delivery", "x-forgejo-event", "x-request-id", "x-request-uuid"].contains(&name)
                || ["aeg-event-type", "x-github-enterprise-host"].contains(&name)
        };
        let marked = format!("{before}hunter2");
        let offered: Vec<(String, Vec<u8>)> =
            names.iter().filter(|name| !harmless(name)).map(|name| (name.clone(), marked.clone().into_bytes())).collect();
        for receiver in receivers() {
            let mut request = proving(b"{}");
            request.headers.extend(offered.clone());
            request.query.push(("token".to_owned(), marked.clone()));
            request.query.push(("registry_url".to_owned(), "https://user:hunter2@registry.example.com/hunter2".to_owned()));
            let delivery = receiver.authenticate(request).unwrap();
            prop_assert_eq!(delivery.registry(), Some("registry.example.com"));
            let kept: Vec<&str> = delivery.headers().iter().skip(proving(b"{}").headers.len()).map(|(name, _)| name.as_str()).collect();
            let given: Vec<&str> = offered.iter().map(|(name, _)| name.as_str()).collect();
            prop_assert_eq!(kept, given);
            let shown = format!("{delivery:?} {:?} {:?}", delivery.headers(), receiver);
            prop_assert!(!shown.contains("hunter2") && !shown.contains(SECRET), "{}", shown);
        }
    }
}
