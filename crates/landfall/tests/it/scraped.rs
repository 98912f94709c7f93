//! Metrics over HTTPS, as Image Updater serves them: what is negotiated, with which certificate, and how it is switched off. Who may
//! read them is in `kubernetes/readers.rs`.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use landfall_harness::http::{self, Request};
use landfall_harness::{free_port, wait};
use rustls::ProtocolVersion;
use tempfile::TempDir;

use crate::secured::{Client, Tls, ecdsa, mount, openssl, tls};
use crate::world::{BINARY, PATIENCE};

/// A running `landfall run` or `landfall webhook` whose metrics are served. Dropping it is SIGKILL.
pub struct Scraped {
    process: Child,
    /// Where they are.
    pub metrics: String,
    folder: TempDir,
}

impl Drop for Scraped {
    fn drop(&mut self) {
        // One that has ended already is as dead.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

impl Scraped {
    /// Starts `landfall run` in a folder, with the arguments that `prepare` returns for that, and waits until it is ready.
    pub fn start(prepare: impl FnOnce(&Path) -> Vec<String>) -> Self {
        Self::command("run", prepare)
    }

    /// Starts one of the two commands in that way.
    pub fn command(name: &str, prepare: impl FnOnce(&Path) -> Vec<String>) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let [metrics, probes] = [(); 2].map(|()| format!("127.0.0.1:{}", free_port().unwrap()));
        fs::create_dir(folder.path().join("manifests")).unwrap();
        let process = Command::new(BINARY)
            .env_clear()
            // Nobody's kubeconfig.
            .env("HOME", folder.path())
            // The flag before the command is how Image Updater's Deployment has it.
            .arg(format!("--metrics-bind-address={metrics}"))
            .arg(name)
            .arg(format!("--health-probe-bind-address={probes}"))
            .arg(format!("--manifests={}", folder.path().join("manifests").display()))
            .arg(format!("--data-dir={}", folder.path().join("data").display()))
            .args(prepare(folder.path()))
            .stdin(Stdio::null())
            .stderr(fs::File::create(folder.path().join("log")).unwrap())
            .spawn()
            .unwrap();
        let scraped = Self {
            process,
            metrics,
            folder,
        };
        let ready = wait::until(PATIENCE, "landfall to be ready", || {
            let answer = http::send(&probes, &Request::new("GET", "/readyz")).ok()?;
            (answer.status == 200).then_some(())
        });
        ready.unwrap_or_else(|error| panic!("{error}: {}", scraped.log()));
        scraped
    }

    /// What it wrote to its log.
    pub fn log(&self) -> String {
        fs::read_to_string(self.folder.path().join("log")).unwrap()
    }

    /// Scrapes over a connection of its own. Returns it, with the certificate that it was shown.
    fn scrape(&self) -> Client<Tls> {
        let mut client = Client {
            stream: tls(&self.metrics, &[]),
        };
        let (status, page) = client.ask(&Request::new("GET", "/metrics"));
        assert!(status == 200 && page.contains("# EOF"), "{status} {page}");
        client
    }
}

/// Where no API server can be asked who may read them.
const TO_ALL: &str = "--metrics-authorization=false";

#[test]
fn metrics_are_secure_unless_somebody_says_otherwise() {
    for (arguments, secure) in [
        (&[TO_ALL][..], true),
        (&[TO_ALL, "--metrics-secure"], true),
        (&["--metrics-secure=false"], false),
    ] {
        let scraped = Scraped::start(|_| arguments.iter().map(ToString::to_string).collect());
        let plainly = http::send(&scraped.metrics, &Request::new("GET", "/metrics")).unwrap();
        if secure {
            assert_eq!(
                (plainly.status, plainly.text().as_str()),
                (400, "Client sent an HTTP request to an HTTPS server.\n")
            );
            let client = scraped.scrape();
            assert_eq!(client.subject(), "O=Argo CD Image Updater");
            assert_eq!(client.stream.conn.protocol_version(), Some(ProtocolVersion::TLSv1_3));
            let older = ["s_client", "-connect", &scraped.metrics, "-tls1_2"];
            let older = openssl(scraped.folder.path(), &older);
            assert!(
                String::from_utf8_lossy(&older.stdout).contains("New, TLSv1.2"),
                "{older:?}"
            );
        } else {
            assert_eq!(plainly.status, 200);
        }
        assert!(!scraped.log().contains("no effect"), "{}", scraped.log());
    }
}

#[test]
fn a_certificate_for_metrics_is_followed() {
    let volume = |folder: &Path| -> PathBuf { folder.join("certificates") };
    let scraped = Scraped::start(|folder| {
        mount(&volume(folder), "first", |folder| ecdsa(folder, "first.example.com"));
        let certificates = format!("--metrics-cert-path={}", volume(folder).display());
        vec![TO_ALL.to_owned(), certificates]
    });
    assert_eq!(scraped.scrape().subject(), "CN=first.example.com");
    mount(&volume(scraped.folder.path()), "second", |folder| {
        ecdsa(folder, "second.example.com")
    });
    let found = wait::until(PATIENCE, "the second certificate", || {
        (scraped.scrape().subject() == "CN=second.example.com").then_some(())
    });
    found.unwrap_or_else(|error| panic!("{error}: {}", scraped.log()));
}

/// Why metrics that cannot be served as they are wanted keep landfall from starting.
fn refused(folder: &Path, arguments: &[&str], surroundings: (&str, &str)) -> String {
    fs::create_dir_all(folder.join("manifests")).unwrap();
    let ended = Command::new(BINARY)
        .env_clear()
        // Nobody's kubeconfig.
        .env("HOME", folder)
        .env(surroundings.0, surroundings.1)
        .args([
            "run",
            "--health-probe-bind-address=0",
            "--metrics-bind-address=127.0.0.1:0",
        ])
        .args(arguments)
        .arg(format!("--manifests={}", folder.join("manifests").display()))
        .arg(format!("--data-dir={}", folder.join("data").display()))
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&ended.stderr).into_owned();
    assert_eq!(ended.status.code(), Some(1), "{said}");
    said
}

#[test]
fn a_certificate_that_cannot_be_served_is_said_with_its_flag() {
    let folder = tempfile::tempdir().unwrap();
    for name in ["tls.crt", "tls.key"] {
        fs::write(folder.path().join(name), "no certificate").unwrap();
    }
    let certificates = format!("--metrics-cert-path={}", folder.path().display());
    let said = refused(folder.path(), &[TO_ALL, &certificates], ("X", ""));
    let expected = format!(
        "--metrics-cert-path: failed to load TLS certificate from {}: the file holds no certificate in PEM",
        folder.path().join("tls.crt").display()
    );
    assert!(said.contains(&expected), "{said}");
}

/// Outside of Kubernetes there is nobody to ask, which must not keep the door closed.
#[test]
fn without_kubernetes_everybody_may_read_and_that_is_said() {
    let scraped = Scraped::start(|_| Vec::new());
    scraped.scrape();
    let log = scraped.log();
    for words in ["--metrics-secure: there is no API server", TO_ALL] {
        assert!(log.contains(words), "{words}: {log}");
    }
}

/// Nobody is let in because whoever is to be asked cannot be, and who wants that is told how to say so.
#[test]
fn an_api_server_that_cannot_be_found_lets_nobody_in() {
    let folder = tempfile::tempdir().unwrap();
    for (arguments, surroundings, problem) in [
        (
            &[][..],
            ("KUBERNETES_SERVICE_HOST", "127.0.0.1"),
            "no API server was found",
        ),
        (&[], ("KUBECONFIG", "/nowhere"), "no API server was found"),
        (
            &["--kubeconfig=/nowhere"],
            ("X", ""),
            "the kubeconfig /nowhere cannot be used",
        ),
    ] {
        let said = refused(folder.path(), arguments, surroundings);
        for words in ["--metrics-secure: ", TO_ALL, "--metrics-secure=false", problem] {
            assert!(said.contains(words), "{words}: {said}");
        }
    }
}
