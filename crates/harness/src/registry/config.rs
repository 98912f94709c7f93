//! What a registry is started with, and the files that say so to `docker-registry`; it starts nothing but `htpasswd`.

use std::fmt;
use std::fs;
use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use anyhow::{Context, Result, bail};
use serde_json::{Value, json};

use super::storage_folder;
use crate::child::spawn_error;
use crate::credentials::Credentials;

pub(super) const PASSWORD_FILE: &str = "htpasswd";

/// What a registry keeps its content in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Storage {
    /// Memory: gone after a stop.
    Memory,
    /// A temporary folder: there again after a restart.
    #[default]
    Filesystem,
}

/// What a registry is started with. The default: a free port, storage in a folder, no auth, no notifications.
#[derive(Debug, Clone, Default)]
pub struct RegistryConfig {
    /// The port on 127.0.0.1; a free one if `None`.
    pub port: Option<u16>,
    /// What it keeps its content in.
    pub storage: Storage,
    /// The one user it lets in; everyone if `None`.
    pub credentials: Option<Credentials>,
    /// Whom it notifies of pushes, pulls and deletions.
    pub notifications: Vec<NotificationEndpoint>,
}

/// Whom a registry notifies. `Debug` leaves header values out.
#[derive(Clone)]
pub struct NotificationEndpoint {
    /// Its name in the registry's log.
    pub name: String,
    /// Where the events are posted.
    pub url: String,
    /// Headers of each post, such as `Authorization`.
    pub headers: Vec<(String, String)>,
    /// How long one post may take.
    pub timeout: Duration,
    /// After so many failures it pauses.
    pub threshold: u32,
    /// How long it pauses.
    pub backoff: Duration,
}

impl NotificationEndpoint {
    /// Posts to `url` within 500 ms, pauses for a second after three failures.
    pub fn new(name: &str, url: &str) -> Self {
        Self {
            name: name.to_owned(),
            url: url.to_owned(),
            headers: Vec::new(),
            timeout: Duration::from_millis(500),
            threshold: 3,
            backoff: Duration::from_secs(1),
        }
    }

    /// The same endpoint with one header more.
    #[must_use]
    pub fn header(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }

    fn render(&self) -> Value {
        let headers: serde_json::Map<_, _> = self
            .headers
            .iter()
            .map(|(name, value)| (name.clone(), json!([value])))
            .collect();
        json!({
            "name": self.name,
            "url": self.url,
            "headers": headers,
            "timeout": format!("{}ms", self.timeout.as_millis()),
            "threshold": self.threshold,
            "backoff": format!("{}ms", self.backoff.as_millis()),
        })
    }
}

impl fmt::Debug for NotificationEndpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let headers: Vec<_> = self.headers.iter().map(|(name, _)| name).collect();
        f.debug_struct("NotificationEndpoint")
            .field("name", &self.name)
            .field("headers", &headers)
            .field("timeout", &self.timeout)
            .field("threshold", &self.threshold)
            .field("backoff", &self.backoff)
            .finish_non_exhaustive()
    }
}

impl RegistryConfig {
    /// The configuration file of a registry whose files are in `folder`: JSON, which is YAML as well.
    pub(super) fn render(&self, folder: &Path, port: u16) -> Result<String> {
        let driver = match self.storage {
            Storage::Memory => ("inmemory", json!({})),
            Storage::Filesystem => ("filesystem", json!({"rootdirectory": storage_folder(folder)})),
        };
        let mut config = json!({
            "version": "0.1",
            "log": {"level": "info", "accesslog": {"disabled": false}},
            "storage": {driver.0: driver.1, "delete": {"enabled": true}},
            // Relative, so that uploads work through a proxy; a secret, so that they survive a restart.
            "http": {"addr": format!("127.0.0.1:{port}"), "relativeurls": true, "secret": "landfall-harness"},
        });
        if self.credentials.is_some() {
            config["auth"] = json!({"htpasswd": {"realm": "harness", "path": folder.join(PASSWORD_FILE)}});
        }
        if !self.notifications.is_empty() {
            let endpoints: Vec<_> = self.notifications.iter().map(NotificationEndpoint::render).collect();
            config["notifications"] = json!({"endpoints": endpoints});
        }
        serde_json::to_string_pretty(&config).context("the registry's configuration cannot be written as JSON")
    }
}

/// Writes a password file with one user.
pub(super) fn write_password_file(path: &Path, credentials: &Credentials) -> Result<()> {
    let line = match credentials.fixed_line() {
        Some(line) => line.to_owned(),
        None => hash(credentials)?,
    };
    fs::write(path, line + "\n").with_context(|| format!("cannot write {}", path.display()))
}

/// Asks `htpasswd` for the line; the password goes through its standard input, so that no process list shows it.
fn hash(credentials: &Credentials) -> Result<String> {
    let mut child = Command::new("htpasswd")
        .args(["-B", "-C", "4", "-n", "-i", &credentials.username])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .map_err(|error| spawn_error("htpasswd", error))?;
    let written = child
        .stdin
        .take()
        .map(|mut stdin| writeln!(stdin, "{}", credentials.password));
    let output = child.wait_with_output().context("cannot wait for htpasswd")?;
    let line = String::from_utf8_lossy(&output.stdout).trim().to_owned();
    if !output.status.success() || !matches!(written, Some(Ok(()))) || !line.contains(':') {
        bail!(
            "htpasswd failed, {}: {}",
            output.status,
            String::from_utf8_lossy(&output.stderr).trim()
        );
    }
    Ok(line)
}
