//! Runs a real registry, Debian's `docker-registry`, for the length of a test; it knows nothing of who asks it.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use anyhow::{Context, Result, bail};
use tempfile::TempDir;

use crate::access_log::RequestLine;
use crate::child::{self, Running};
use crate::credentials::Credentials;
use crate::http::{Connection, Request, Response};
use crate::port::free_port;
use crate::wait;

mod config;

pub use config::{NotificationEndpoint, RegistryConfig, Storage};

/// `docker-registry` starts within a tenth of a second; a busy machine may need much longer.
const START_TIMEOUT: Duration = Duration::from_secs(30);
/// Another process may take a free port before the registry does.
const START_ATTEMPTS: usize = 5;
/// Marks the harness's own looks, which are no requests that a test wants to count.
const PROBE_USER_AGENT: &str = "landfall-harness-probe";

/// A running registry in a temporary folder. Dropping it ends it and removes what it stored.
#[derive(Debug)]
pub struct Registry {
    config: RegistryConfig,
    folder: TempDir,
    port: u16,
    running: Option<Running>,
    forgotten: AtomicUsize,
}

impl Registry {
    /// Starts a registry and waits until it answers.
    ///
    /// # Errors
    /// When `docker-registry` is not installed, or does not answer: then with the end of its log.
    pub fn start(config: RegistryConfig) -> Result<Self> {
        let folder = tempfile::tempdir().context("cannot make a temporary folder for the registry")?;
        if let Some(credentials) = &config.credentials {
            config::write_password_file(&folder.path().join(config::PASSWORD_FILE), credentials)?;
        }
        let attempts = if config.port.is_some() { 1 } else { START_ATTEMPTS };
        let mut registry = Self {
            config,
            folder,
            port: 0,
            running: None,
            forgotten: AtomicUsize::new(0),
        };
        for attempt in 1..=attempts {
            registry.port = registry.config.port.map_or_else(free_port, Ok)?;
            match registry.restart() {
                Err(error) if attempt < attempts && error.to_string().contains("address already in use") => {
                    fs::remove_file(registry.log()).context("cannot remove the log of a failed start")?;
                }
                outcome => return outcome.map(|()| registry),
            }
        }
        bail!("docker-registry found no free port in {START_ATTEMPTS} attempts")
    }

    /// Ends it. What it stored stays for [`restart`](Self::restart), if it is on [`Storage::Filesystem`].
    pub fn stop(&mut self) {
        self.running = None;
    }

    /// Starts it again on the same port, ending it first if it runs, and waits until it answers.
    ///
    /// # Errors
    /// As for [`start`](Self::start).
    pub fn restart(&mut self) -> Result<()> {
        self.stop();
        let path = self.folder.path().join("config.yml");
        let text = self.config.render(self.folder.path(), self.port)?;
        fs::write(&path, text).with_context(|| format!("cannot write {}", path.display()))?;
        let mut command = Command::new("docker-registry");
        command.arg("serve").arg(&path);
        let mut running = Running::spawn(&mut command, &self.access_log(), &self.log())?;
        let ended = wait::until(START_TIMEOUT, "docker-registry to answer /v2/", || {
            match running.exited() {
                Some(status) => Some(Some(status)),
                None => self.answers().then_some(None),
            }
        });
        // An answer may also be another process's, which had the port first: then this one has ended, or is about to.
        match ended
            .with_context(|| child::tail(&self.log()))?
            .or_else(|| running.exited())
        {
            Some(status) => bail!("docker-registry ended at once, {status}: {}", child::tail(&self.log())),
            None => self.running = Some(running),
        }
        Ok(())
    }

    /// `127.0.0.1:PORT`, as in image names.
    pub fn host(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }

    /// `http://127.0.0.1:PORT`.
    pub fn url(&self) -> String {
        format!("http://{}", self.host())
    }

    /// The credentials that it asks for, if it does.
    pub fn credentials(&self) -> Option<&Credentials> {
        self.config.credentials.as_ref()
    }

    /// The process id, while it runs.
    pub fn process_id(&self) -> Option<u32> {
        self.running.as_ref().map(Running::id)
    }

    /// The file with its log, which says among other things how notifications fared.
    pub fn log(&self) -> PathBuf {
        self.folder.path().join("registry.log")
    }

    /// The requests in its access log that `filter` accepts, in the order they were answered, without the harness's
    /// own looks and those forgotten. The line of an answer over 2 KiB may come a moment after the answer, so wait for
    /// such lines with [`wait::until`].
    ///
    /// # Errors
    /// When the log cannot be read.
    pub fn requests(&self, filter: impl Fn(&RequestLine) -> bool) -> Result<Vec<RequestLine>> {
        let lines = self
            .request_lines()?
            .into_iter()
            .skip(self.forgotten.load(Ordering::Relaxed));
        Ok(lines.filter(|line| filter(line)).collect())
    }

    /// Leaves the requests so far out of what [`requests`](Self::requests) returns from now on.
    ///
    /// # Errors
    /// When the log cannot be read.
    pub fn forget_requests(&self) -> Result<()> {
        self.forgotten.store(self.request_lines()?.len(), Ordering::Relaxed);
        Ok(())
    }

    fn request_lines(&self) -> Result<Vec<RequestLine>> {
        let path = self.access_log();
        let text = fs::read(&path).with_context(|| format!("cannot read {}", path.display()))?;
        let text = String::from_utf8_lossy(&text);
        let lines = text.lines().filter_map(RequestLine::from_combined_log);
        Ok(lines.filter(|line| line.user_agent != PROBE_USER_AGENT).collect())
    }

    fn access_log(&self) -> PathBuf {
        self.folder.path().join("access.log")
    }

    fn answers(&self) -> bool {
        let request = Request::new("GET", "/v2/").header("User-Agent", PROBE_USER_AGENT);
        let response = Connection::open(&self.host(), Duration::from_secs(1)).and_then(|mut c| c.send(&request));
        matches!(response, Ok(Response { status: 200 | 401, .. }))
    }
}

/// The folder inside `folder` that a registry on [`Storage::Filesystem`] stores in.
fn storage_folder(folder: &Path) -> PathBuf {
    folder.join("storage")
}

#[cfg(test)]
mod tests;
