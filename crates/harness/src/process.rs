//! Runs landfall's binary as a process that tests start, kill and ask; it knows the binary's flags and nothing within.

use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus, Output};
use std::time::Duration;

use anyhow::{Context, Result, bail};

use crate::child::{self, Running};
use crate::http::{Connection, Request, Response};
use crate::port::free_port;
use crate::wait;

/// landfall starts in well under a second; a busy machine may need much longer.
const START_TIMEOUT: Duration = Duration::from_secs(30);
/// landfall drains its requests and its work before it ends.
const TERMINATE_TIMEOUT: Duration = Duration::from_secs(40);
/// Another process may take a free port before landfall does.
const START_ATTEMPTS: usize = 5;

/// How to start landfall.
#[derive(Clone)]
pub struct Builder {
    binary: PathBuf,
    manifests: Option<PathBuf>,
    data_dir: Option<PathBuf>,
    port: u16,
    log: Option<PathBuf>,
    env: Vec<(String, String)>,
    args: Vec<String>,
}

/// A running `landfall serve`. Dropping it ends it; its folders stay.
pub struct Landfall {
    builder: Builder,
    data_dir: PathBuf,
    log: PathBuf,
    port: u16,
    running: Option<Running>,
}

impl Landfall {
    /// landfall from the binary at that path, with a free port on 127.0.0.1. The data folder has to be said.
    pub fn builder(binary: impl Into<PathBuf>) -> Builder {
        let (env, args) = (Vec::new(), Vec::new());
        Builder {
            binary: binary.into(),
            manifests: None,
            data_dir: None,
            port: 0,
            log: None,
            env,
            args,
        }
    }

    /// `http://127.0.0.1:PORT`, where the webhook door is.
    pub fn url(&self) -> String {
        format!("http://{}", self.host())
    }

    /// `127.0.0.1:PORT`.
    pub fn host(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }

    /// The data folder.
    pub fn data_dir(&self) -> &Path {
        &self.data_dir
    }

    /// The file with what it wrote to standard error, over all its starts.
    pub fn log(&self) -> &Path {
        &self.log
    }

    /// The process id, while it runs.
    pub fn process_id(&self) -> Option<u32> {
        self.running.as_ref().map(Running::id)
    }

    /// Ends it with SIGKILL, as a crash does.
    ///
    /// # Errors
    /// When it does not run.
    pub fn kill9(&mut self) -> Result<()> {
        self.running.take().context("landfall does not run")?.kill().map(drop)
    }

    /// Ends it with SIGTERM, and waits until it has finished what it does.
    ///
    /// # Errors
    /// When it does not run, or not end within 40 seconds; then it is killed.
    pub fn terminate(&mut self) -> Result<ExitStatus> {
        let mut running = self.running.take().context("landfall does not run")?;
        running
            .terminate(TERMINATE_TIMEOUT)
            .with_context(|| child::tail(&self.log))
    }

    /// Starts it again on the same port and folders, killing it first if it runs, and waits until it is healthy.
    ///
    /// # Errors
    /// When it does not become healthy: then with the end of its log.
    pub fn restart(&mut self) -> Result<()> {
        self.running = None;
        let mut command = self.builder.command();
        command
            .arg("serve")
            .args(["--listen", &self.host()])
            .arg("--data-dir")
            .arg(&self.data_dir);
        if let Some(manifests) = &self.builder.manifests {
            command.arg("--manifests").arg(manifests);
        }
        command.args(&self.builder.args);
        let mut running = Running::spawn(&mut command, &self.log, &self.log)?;
        let ended = wait::until(START_TIMEOUT, "landfall to answer /healthz", || {
            match running.exited() {
                Some(status) => Some(Some(status)),
                None => self.is_healthy().then_some(None),
            }
        });
        match ended
            .with_context(|| child::tail(&self.log))?
            .or_else(|| running.exited())
        {
            Some(status) => bail!("landfall ended at once, {status}: {}", child::tail(&self.log)),
            None => self.running = Some(running),
        }
        Ok(())
    }

    /// Runs a command of the same binary on the same data folder, `landfall get warehouses -o json` for instance, and
    /// waits for its end, whatever that is.
    ///
    /// # Errors
    /// When the binary cannot be started.
    pub fn cli(&self, args: &[&str]) -> Result<Output> {
        let mut command = self.builder.command();
        command.args(args).arg("--data-dir").arg(&self.data_dir);
        command
            .output()
            .map_err(|error| child::spawn_error(&self.builder.binary.to_string_lossy(), error))
    }

    /// Runs a command as [`cli`](Self::cli) does, and reads its output as JSON.
    ///
    /// # Errors
    /// When the command fails or writes something else: then with what it wrote.
    pub fn cli_json(&self, args: &[&str]) -> Result<serde_json::Value> {
        let output = self.cli(args)?;
        let command = args.join(" ");
        if !output.status.success() {
            let said = String::from_utf8_lossy(&output.stderr);
            bail!("landfall {command} failed, {}: {}", output.status, said.trim());
        }
        let text = String::from_utf8_lossy(&output.stdout);
        serde_json::from_str(&text).with_context(|| format!("landfall {command} wrote no JSON: {text}"))
    }

    fn is_healthy(&self) -> bool {
        let request = Request::new("GET", "/healthz");
        let response = Connection::open(&self.host(), Duration::from_secs(1)).and_then(|mut c| c.send(&request));
        matches!(response, Ok(Response { status: 200, .. }))
    }
}

impl Builder {
    /// The folder of manifests that it watches.
    #[must_use]
    pub fn manifests(self, folder: impl Into<PathBuf>) -> Self {
        Self {
            manifests: Some(folder.into()),
            ..self
        }
    }

    /// The folder for its journal and catalog; made if need be.
    #[must_use]
    pub fn data_dir(self, folder: impl Into<PathBuf>) -> Self {
        Self {
            data_dir: Some(folder.into()),
            ..self
        }
    }

    /// The port on 127.0.0.1; 0, as without this call, for a free one.
    #[must_use]
    pub fn listen(self, port: u16) -> Self {
        Self { port, ..self }
    }

    /// The file for its log; `landfall.log` beside the data folder's content if not said.
    #[must_use]
    pub fn log(self, file: impl Into<PathBuf>) -> Self {
        Self {
            log: Some(file.into()),
            ..self
        }
    }

    /// One environment variable more, for the server and for [`Landfall::cli`].
    #[must_use]
    pub fn env(mut self, name: &str, value: &str) -> Self {
        self.env.push((name.to_owned(), value.to_owned()));
        self
    }

    /// One argument of `serve` more.
    #[must_use]
    pub fn arg(mut self, arg: &str) -> Self {
        self.args.push(arg.to_owned());
        self
    }

    /// Starts landfall and waits until it is healthy.
    ///
    /// # Errors
    /// When no data folder was said, the binary is not there, or it does not become healthy: then with the end of its
    /// log.
    pub fn start(self) -> Result<Landfall> {
        let data_dir = self
            .data_dir
            .clone()
            .context("landfall needs a data folder: call data_dir")?;
        std::fs::create_dir_all(&data_dir).with_context(|| format!("cannot make {}", data_dir.display()))?;
        let log = self.log.clone().unwrap_or_else(|| data_dir.join("landfall.log"));
        let port = self.port;
        let attempts = if port == 0 { START_ATTEMPTS } else { 1 };
        let mut landfall = Landfall {
            builder: self,
            data_dir,
            log,
            port,
            running: None,
        };
        for attempt in 1..=attempts {
            if port == 0 {
                landfall.port = free_port()?;
            }
            match landfall.restart() {
                Err(error) if attempt < attempts && error.to_string().to_lowercase().contains("in use") => {}
                outcome => return outcome.map(|()| landfall),
            }
        }
        bail!("landfall found no free port in {START_ATTEMPTS} attempts")
    }

    /// The binary with its environment: none of the caller's `LANDFALL_…`, so that a test runs the same everywhere.
    fn command(&self) -> Command {
        let mut command = Command::new(&self.binary);
        for (name, _) in std::env::vars_os() {
            if name.to_string_lossy().starts_with("LANDFALL_") {
                command.env_remove(name);
            }
        }
        command.envs(self.env.iter().map(|(name, value)| (name, value)));
        command
    }
}

#[cfg(test)]
mod tests;
