//! Against the distribution project's registry, run on a free port of this machine.

use std::fmt::Write as _;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use tempfile::TempDir;

use super::super::digest::sha256_of;
use super::super::error::{Missing, RegistryError};
use super::super::repository::RequestCount;
use super::super::{Access, Priority, RepositoryAddress, TlsVerification};
use super::wire::{basic, client, kind, repository};

const OCI_MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
/// `bob` with the password `hunter22`, at the lowest cost that bcrypt has.
const HTPASSWD: &str = "bob:$2y$04$.m1GKSBygQfixlLhgogqp.AQIiyPPQ7kaKXv0Ywke9yXcvg57EpmG\n";

/// How a registry is to be run.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Open,
    WithPassword,
    WithSelfSignedCertificate,
}

/// A registry that ends, with all it holds, when dropped.
struct Registry {
    process: Child,
    port: u16,
    pusher: reqwest::Client,
    _folder: TempDir,
}

impl Registry {
    async fn start(kind: Kind) -> Self {
        // The port could be taken between here and there; then the registry ends at once, and another is tried.
        for _ in 0..10 {
            let port = std::net::TcpListener::bind("127.0.0.1:0")
                .unwrap()
                .local_addr()
                .unwrap()
                .port();
            let folder = TempDir::new().unwrap();
            let config = folder.path().join("config.yml");
            std::fs::write(&config, configuration(kind, port, &folder)).unwrap();
            let process = Command::new("docker-registry")
                .arg("serve")
                .arg(&config)
                .stdout(Stdio::null())
                .stderr(Stdio::null())
                .spawn()
                .expect("docker-registry is installed");
            let mut registry = Self {
                process,
                port,
                pusher: reqwest::Client::new(),
                _folder: folder,
            };
            if registry.is_up().await {
                return registry;
            }
        }
        panic!("no registry came up");
    }

    async fn is_up(&mut self) -> bool {
        for _ in 0..500 {
            if self.process.try_wait().unwrap().is_some() {
                return false;
            }
            if tokio::net::TcpStream::connect(("127.0.0.1", self.port)).await.is_ok() {
                return true;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        false
    }

    fn host(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }

    /// Uploads a blob and gives its digest.
    async fn push_blob(&self, path: &str, blob: &'static [u8], password: Option<&str>) -> String {
        let http = &self.pusher;
        let digest = sha256_of(blob);
        let start = format!("http://{}/v2/{path}/blobs/uploads/", self.host());
        let begun = http.post(start).basic_auth("bob", password).send().await.unwrap();
        assert_eq!(begun.status(), 202);
        let place = begun.headers()["location"].to_str().unwrap();
        let mut place = reqwest::Url::parse(place).unwrap();
        place.query_pairs_mut().append_pair("digest", &digest);
        let done = http
            .put(place)
            .basic_auth("bob", password)
            .body(blob)
            .send()
            .await
            .unwrap();
        assert_eq!(done.status(), 201);
        digest
    }

    /// Pushes a small image under some tags and gives the digests of its manifest and its configuration.
    async fn push_image(&self, path: &str, tags: &[String], password: Option<&str>) -> (String, String) {
        let config = self
            .push_blob(path, br#"{"architecture":"amd64","os":"linux"}"#, password)
            .await;
        let manifest = serde_json::json!({
            "schemaVersion": 2,
            "mediaType": OCI_MANIFEST,
            "config": {"mediaType": "application/vnd.oci.image.config.v1+json", "digest": config, "size": 37},
            "layers": [],
        })
        .to_string();
        for tag in tags {
            let done = self
                .pusher
                .put(format!("http://{}/v2/{path}/manifests/{tag}", self.host()))
                .basic_auth("bob", password)
                .header("content-type", OCI_MANIFEST)
                .body(manifest.clone())
                .send()
                .await
                .unwrap();
            assert_eq!(done.status(), 201);
        }
        (sha256_of(manifest.as_bytes()), config)
    }
}

impl Drop for Registry {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

fn configuration(kind: Kind, port: u16, folder: &TempDir) -> String {
    let at = |name: &str| folder.path().join(name).display().to_string();
    let mut config = format!(
        "version: 0.1\nlog: {{level: error}}\nstorage:\n  filesystem: {{rootdirectory: {}}}\nhttp:\n  addr: 127.0.0.1:{port}\n",
        at("data")
    );
    match kind {
        Kind::Open => {}
        Kind::WithPassword => {
            std::fs::write(at("htpasswd"), HTPASSWD).unwrap();
            writeln!(config, "auth:\n  htpasswd: {{realm: test, path: {}}}", at("htpasswd")).unwrap();
        }
        Kind::WithSelfSignedCertificate => {
            let made = Command::new("openssl")
                .args([
                    "req",
                    "-x509",
                    "-newkey",
                    "ec",
                    "-pkeyopt",
                    "ec_paramgen_curve:P-256",
                    "-nodes",
                    "-days",
                    "2",
                ])
                .args(["-subj", "/CN=127.0.0.1", "-addext", "subjectAltName=IP:127.0.0.1"])
                .args(["-keyout", &at("key.pem"), "-out", &at("cert.pem")])
                .output()
                .expect("openssl is installed");
            assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
            writeln!(
                config,
                "  tls: {{certificate: {}, key: {}}}",
                at("cert.pem"),
                at("key.pem")
            )
            .unwrap();
        }
    }
    config
}

#[tokio::test]
async fn a_pushed_image_is_found() {
    let registry = Registry::start(Kind::Open).await;
    let tags: Vec<String> = (0..251).map(|number| format!("v1.0.{number:03}")).collect();
    let (manifest, config) = registry.push_image("team/app", &tags, None).await;
    let app = repository(&client(), &registry.host(), "team/app", Access::Anonymous);

    let listing = app.tags().await.unwrap();
    assert_eq!((listing.tags, listing.requests), (tags, 1));
    let by_tag = app.manifest_by_tag("v1.0.000").await.unwrap();
    assert_eq!(
        (by_tag.digest.as_str(), by_tag.media_type.as_str()),
        (manifest.as_str(), OCI_MANIFEST)
    );
    assert_eq!(app.manifest_by_digest(&manifest).await.unwrap(), by_tag);
    let head = app.head_manifest("v1.0.000").await.unwrap();
    assert_eq!(
        (head.digest, head.media_type),
        (Some(manifest), Some(OCI_MANIFEST.into()))
    );
    assert_eq!(
        app.blob(&config, 100).await.unwrap().as_ref(),
        br#"{"architecture":"amd64","os":"linux"}"#
    );
    assert_eq!(app.requests(), RequestCount { registry: 5, token: 0 });
}

#[tokio::test]
async fn what_is_not_there() {
    let registry = Registry::start(Kind::Open).await;
    registry.push_image("team/app", &["v1".to_owned()], None).await;
    let client = client();
    let app = repository(&client, &registry.host(), "team/app", Access::Anonymous);
    let other = repository(&client, &registry.host(), "team/other", Access::Anonymous);
    let absent = sha256_of(b"absent");
    let not_found = |what, name: String| RegistryError::NotFound {
        what,
        name: format!("{}/{name}", registry.host()),
    };

    assert_eq!(
        other.tags().await.unwrap_err(),
        not_found(Missing::Repository, "team/other".into())
    );
    assert_eq!(
        app.manifest_by_tag("v2").await.unwrap_err(),
        not_found(Missing::Manifest, "team/app:v2".into())
    );
    assert_eq!(
        app.head_manifest("v2").await.unwrap_err(),
        not_found(Missing::Manifest, "team/app:v2".into())
    );
    let name = format!("team/app@{absent}");
    assert_eq!(
        app.manifest_by_digest(&absent).await.unwrap_err(),
        not_found(Missing::Manifest, name.clone())
    );
    assert_eq!(app.blob(&absent, 10).await.unwrap_err(), not_found(Missing::Blob, name));
}

#[tokio::test]
async fn passwords_are_each_tenants_own() {
    let registry = Registry::start(Kind::WithPassword).await;
    let tags = ["v1".to_owned()];
    registry.push_image("team/app", &tags, Some("hunter22")).await;
    let wrong_first = [
        (basic("bob", "wrong"), false),
        (basic("bob", "hunter22"), true),
        (Access::Anonymous, false),
    ];
    let right_first = [
        (basic("bob", "hunter22"), true),
        (basic("bob", "wrong"), false),
        (Access::Anonymous, false),
    ];
    for turns in [wrong_first, right_first] {
        let client = client();
        for (access, allowed) in turns {
            let result = repository(&client, &registry.host(), "team/app", access).tags().await;
            let expected = if allowed {
                Ok(tags.to_vec())
            } else {
                Err("unauthorized")
            };
            assert_eq!(
                result.map(|listing| listing.tags).map_err(|error| kind(&error)),
                expected
            );
        }
    }
}

#[tokio::test]
async fn an_untrusted_certificate_is_not_worked_around() {
    let registry = Registry::start(Kind::WithSelfSignedCertificate).await;
    let client = client();
    let address = RepositoryAddress {
        host: registry.host(),
        path: "team/app".into(),
    };
    let ask = async |tls| {
        let repository = client
            .repository(address.clone(), Access::Anonymous, tls, Priority::Poll)
            .unwrap();
        (repository.tags().await.unwrap_err(), repository.requests().registry)
    };
    let (error, requests) = ask(TlsVerification::Verify).await;
    assert!(error.to_string().contains("certificate"), "{error}");
    assert_eq!(
        (kind(&error), requests),
        ("unavailable", 0),
        "neither trusted nor asked in the clear"
    );
    let (error, requests) = ask(TlsVerification::Skip).await;
    assert_eq!(
        (kind(&error), requests),
        ("not found", 1),
        "an empty registry, reached: {error}"
    );
    let (error, _) = ask(TlsVerification::Verify).await;
    assert_eq!(kind(&error), "unavailable", "another tenant's choice changes nothing");
}
