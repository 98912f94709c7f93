//! Runs a real Kubernetes API server with its etcd for the length of a test, or of a test binary; it has no nodes and no
//! controllers, and knows nothing of who asks it.

use std::fs;
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicUsize;
use std::sync::{Mutex, OnceLock, PoisonError};
use std::time::Duration;

use anyhow::{Context, Result, bail};
use tempfile::TempDir;

use crate::child::{self, Running};
use crate::port::free_port;
use crate::{http, wait};

mod kubectl;
mod programs;
mod proxy;
mod setup;

use programs::Programs;
pub use proxy::{ApiProxy, Forgetting};
use setup::Files;

/// The two are ready within three seconds; a busy machine may need much longer.
const START_TIMEOUT: Duration = Duration::from_secs(120);
/// Another process may take a free port before they do.
const START_ATTEMPTS: usize = 5;

/// Whose definitions of resources an API server has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Definitions {
    /// Those of the programs that landfall stands in for.
    Peers,
    /// Those that landfall prints.
    Own,
}

/// A running API server in a temporary folder. Dropping it ends it and removes what it stored.
#[derive(Debug)]
pub struct ApiServer {
    // Dropped in this order: the API server before its etcd, and both before their folder.
    api: Option<Running>,
    etcd: Running,
    etcd_port: u16,
    port: u16,
    files: Files,
    programs: Programs,
    namespaces: AtomicUsize,
    crds: OnceLock<Definitions>,
    folder: TempDir,
}

impl ApiServer {
    /// Starts an API server of the caller's own and waits until it is ready.
    ///
    /// # Errors
    /// When its programs are not there, or do not get ready: then with the end of their logs.
    pub fn start() -> Result<Self> {
        let programs = Programs::find()?;
        let folder = tempfile::tempdir().context("cannot make a temporary folder for the API server")?;
        let files = Files::write(folder.path())?;
        let (etcd, etcd_port) = start_etcd(&files, &programs)?;
        let mut server = Self {
            api: None,
            etcd,
            etcd_port,
            port: 0,
            files,
            programs,
            namespaces: AtomicUsize::new(0),
            crds: OnceLock::new(),
            folder,
        };
        on_a_free_port("kube-apiserver", &server.files.api_log(), |port| {
            server.port = port;
            server.restart()
        })?;
        Ok(server)
    }

    /// The one API server that all tests of this process share, each in a [`namespace`](Self::namespace) of its own. It
    /// starts with the first that asks and ends with the process.
    ///
    /// # Errors
    /// As for [`start`](Self::start); whoever asks next tries again.
    pub fn shared() -> Result<&'static Self> {
        static SHARED: OnceLock<ApiServer> = OnceLock::new();
        static STARTING: Mutex<()> = Mutex::new(());
        let _one_at_a_time = STARTING.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(server) = SHARED.get() {
            return Ok(server);
        }
        let server = Self::start()?;
        Ok(SHARED.get_or_init(|| server))
    }

    /// Ends the API server, as a crash does. etcd goes on, so that [`restart`](Self::restart) finds everything again.
    pub fn stop(&mut self) {
        self.api = None;
    }

    /// Starts the API server again on the same port, ending it first if it runs, and waits until it is ready.
    ///
    /// # Errors
    /// When it does not get ready: then with the end of its log.
    pub fn restart(&mut self) -> Result<()> {
        self.api = None;
        let log = self.files.api_log();
        let mut api = Running::spawn_bound(
            &self.files.kube_apiserver(&self.programs, self.port, self.etcd_port),
            &log,
            &log,
        )?;
        self.files.write_admin_kubeconfig(self.port)?;
        let ended = wait::until(START_TIMEOUT, "kube-apiserver to be ready", || match api.exited() {
            Some(status) => Some(Some(status)),
            None => self.is_ready().then_some(None),
        });
        if let Some(status) = ended.with_context(|| child::tail(&log))? {
            bail!("kube-apiserver ended at once, {status}: {}", child::tail(&log));
        }
        self.api = Some(api);
        Ok(())
    }

    /// `https://127.0.0.1:PORT`.
    pub fn url(&self) -> String {
        format!("https://127.0.0.1:{}", self.port)
    }

    /// The kubeconfig of a user who may do everything.
    pub fn kubeconfig(&self) -> PathBuf {
        self.files.admin_kubeconfig()
    }

    /// A proxy in front of it, for the user who may do everything. It goes on when the API server is restarted.
    ///
    /// # Errors
    /// When no port is free, or its kubeconfig cannot be written.
    pub fn proxy(&self) -> Result<ApiProxy> {
        let proxy = ApiProxy::start(
            format!("127.0.0.1:{}", self.port),
            &self.files.certificate(),
            self.folder.path(),
        )?;
        self.files
            .write_admin_kubeconfig_for(proxy.kubeconfig(), &proxy.url())?;
        Ok(proxy)
    }

    /// The API server's log.
    pub fn log(&self) -> PathBuf {
        self.files.api_log()
    }

    /// The process id of the API server, while it runs.
    pub fn process_id(&self) -> Option<u32> {
        self.api.as_ref().map(Running::id)
    }

    /// The process id of its etcd.
    pub fn etcd_process_id(&self) -> u32 {
        self.etcd.id()
    }

    fn is_ready(&self) -> bool {
        // Asking the port first spares kubectl, which costs more than the whole rest of a look.
        let address = std::net::SocketAddr::from(([127, 0, 0, 1], self.port));
        TcpStream::connect_timeout(&address, Duration::from_secs(1)).is_ok()
            && self.kubectl(&["get", "--raw", "/readyz"]).is_ok()
    }
}

fn start_etcd(files: &Files, programs: &Programs) -> Result<(Running, u16)> {
    let log = files.etcd_log();
    on_a_free_port("etcd", &log, |port| {
        let mut etcd = Running::spawn_bound(&files.etcd(programs, port), &log, &log)?;
        let health = format!("http://127.0.0.1:{port}/health");
        let ended = wait::until(START_TIMEOUT, "etcd to be healthy", || match etcd.exited() {
            Some(status) => Some(Some(status)),
            None => http::get(&health)
                .is_ok_and(|response| response.status == 200)
                .then_some(None),
        });
        match ended.with_context(|| child::tail(&log))? {
            Some(status) => bail!("etcd ended at once, {status}: {}", child::tail(&log)),
            None => Ok((etcd, port)),
        }
    })
}

/// Starts something that may find its port taken, on other ports then.
fn on_a_free_port<T>(program: &str, log: &Path, mut start: impl FnMut(u16) -> Result<T>) -> Result<T> {
    for attempt in 1..=START_ATTEMPTS {
        match start(free_port()?) {
            Err(error) if attempt < START_ATTEMPTS && error.to_string().contains("address already in use") => {
                fs::remove_file(log).context("cannot remove the log of a failed start")?;
            }
            outcome => return outcome,
        }
    }
    bail!("{program} found no free port in {START_ATTEMPTS} attempts")
}

#[cfg(test)]
mod tests;
