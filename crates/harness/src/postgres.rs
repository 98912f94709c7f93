//! Runs a real PostgreSQL server for the length of a test, or of a test binary; it knows no table.

use std::fs;
use std::os::unix::fs::chown;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, OnceLock, PoisonError};
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use tempfile::TempDir;

use crate::child::{self, Running};
use crate::port::free_port;
use crate::wait;

/// A server is ready within a second; a busy machine may need much longer.
const START_TIMEOUT: Duration = Duration::from_secs(60);
/// Another process may take a free port before the server does.
const START_ATTEMPTS: usize = 5;
/// Debian keeps the programs of each version in a folder of their own.
const DEBIAN: &str = "/usr/lib/postgresql";
/// Whom the server runs as where the tests run as root, which it refuses to be.
const ACCOUNTS: [&str; 2] = ["postgres", "nobody"];

/// Whether what is committed is on the disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Syncs {
    Never,
    Always,
}

/// A running server in a temporary folder. Dropping it ends it and removes what it stored.
#[derive(Debug)]
pub struct Postgres {
    // Dropped before its folder.
    server: Option<Running>,
    programs: PathBuf,
    account: Option<Account>,
    port: u16,
    syncs: Syncs,
    databases: AtomicUsize,
    folder: TempDir,
}

#[derive(Clone, Debug)]
struct Account {
    user: u32,
    group: u32,
}

impl Postgres {
    /// Starts a server of the caller's own and waits until it is ready. It commits to the disk, as one does that is to keep
    /// something.
    ///
    /// # Errors
    /// When its programs are not there, or it does not get ready: then with the end of its log.
    pub fn start() -> Result<Self> {
        Self::start_that(Syncs::Always)
    }

    /// The one server that all tests of this process share, each with a [`database`](Self::database) of its own. It starts with
    /// the first that asks, ends with the process, and is fast because it would not survive a power cut.
    ///
    /// # Errors
    /// As for [`start`](Self::start); whoever asks next tries again.
    pub fn shared() -> Result<&'static Self> {
        static SHARED: OnceLock<Postgres> = OnceLock::new();
        static STARTING: Mutex<()> = Mutex::new(());
        let _one_at_a_time = STARTING.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(server) = SHARED.get() {
            return Ok(server);
        }
        let server = Self::start_that(Syncs::Never)?;
        Ok(SHARED.get_or_init(|| server))
    }

    fn start_that(syncs: Syncs) -> Result<Self> {
        let folder = tempfile::tempdir().context("cannot make a temporary folder for PostgreSQL")?;
        let mut postgres = Self {
            server: None,
            programs: programs()?,
            account: account()?,
            port: 0,
            syncs,
            databases: AtomicUsize::new(0),
            folder,
        };
        postgres.initialize()?;
        for attempt in 1..=START_ATTEMPTS {
            postgres.port = free_port()?;
            match postgres.restart() {
                Err(error) if attempt < START_ATTEMPTS && format!("{error:#}").contains("in use") => {}
                outcome => return outcome.map(|()| postgres),
            }
        }
        bail!("PostgreSQL found no free port in {START_ATTEMPTS} attempts")
    }

    /// The URL of an empty database that nobody else uses.
    ///
    /// # Errors
    /// When it cannot be made.
    pub fn database(&self) -> Result<String> {
        let name = format!("test_{}", self.databases.fetch_add(1, Ordering::Relaxed));
        self.sql("postgres", &format!("CREATE DATABASE {name}"))?;
        Ok(format!(
            "postgres://landfall:s3cret@127.0.0.1:{}/{name}?sslmode=disable",
            self.port
        ))
    }

    /// Runs statements in a database, named or by its URL, and returns what they print.
    ///
    /// # Errors
    /// When one fails: then with what the server says.
    pub fn sql(&self, database: &str, statements: &str) -> Result<String> {
        let name = database.rsplit('/').next().unwrap_or(database);
        let name = name.split('?').next().unwrap_or(name);
        let port = self.port.to_string();
        let mut psql = Command::new(self.programs.join("psql"));
        psql.args([
            "-X",
            "-A",
            "-t",
            "-q",
            "-v",
            "ON_ERROR_STOP=1",
            "-h",
            "127.0.0.1",
            "-U",
            "landfall",
        ]);
        psql.args(["-p", &port, "-d", name, "-c", statements]);
        let output = psql.output().map_err(|error| child::spawn_error("psql", error))?;
        let said = String::from_utf8_lossy(&output.stderr);
        ensure!(output.status.success(), "{statements}: {}", said.trim());
        Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned())
    }

    /// Ends the server at once, as a crash does: it has to recover when it starts again.
    ///
    /// # Errors
    /// When it does not end.
    pub fn crash(&mut self) -> Result<()> {
        let Some(mut server) = self.server.take() else {
            return Ok(());
        };
        end(&mut server).map(drop)
    }

    /// Starts the server again on the same port, ending it first if it runs, and waits until it is ready.
    ///
    /// # Errors
    /// When it does not get ready: then with the end of its log.
    pub fn restart(&mut self) -> Result<()> {
        self.crash()?;
        let (data, log) = (self.data(), self.log());
        let port = self.port.to_string();
        let mut command = self.command("postgres");
        command
            .arg("-D")
            .arg(&data)
            .args(["-p", &port, "-h", "127.0.0.1", "-k", ""]);
        let on_disk = if self.syncs == Syncs::Always { "on" } else { "off" };
        for setting in [
            &format!("fsync={on_disk}"),
            "max_connections=400",
            "shared_buffers=32MB",
            "dynamic_shared_memory_type=mmap",
            "log_min_messages=warning",
            "timezone=UTC",
        ] {
            command.args(["-c", setting]);
        }
        let mut server = Running::spawn_bound_with_folder(&command, &log, &log, self.folder.path())?;
        let ended = wait::until(START_TIMEOUT, "PostgreSQL to be ready", || match server.exited() {
            Some(status) => Some(Some(status)),
            None => self.is_ready().then_some(None),
        });
        if let Some(status) = ended.with_context(|| child::tail(&log))? {
            bail!("PostgreSQL ended at once, {status}: {}", child::tail(&log));
        }
        self.server = Some(server);
        Ok(())
    }

    /// Stops the server from doing anything until [`thaw`](Self::thaw): it is there and does not answer.
    ///
    /// # Errors
    /// When it does not run.
    pub fn freeze(&self) -> Result<()> {
        self.signal_all("STOP")
    }

    /// Lets the server go on.
    ///
    /// # Errors
    /// When it does not run.
    pub fn thaw(&self) -> Result<()> {
        self.signal_all("CONT")
    }

    /// The server's processes are its own and those that it made for connections.
    fn signal_all(&self, name: &str) -> Result<()> {
        let server = self.server.as_ref().context("PostgreSQL does not run")?;
        let script = "for child in $(cat /proc/\"$1\"/task/\"$1\"/children); do kill -\"$2\" \"$child\"; done; kill -\"$2\" \"$1\"";
        let id = server.id().to_string();
        let status = Command::new("sh").args(["-c", script, "sh", &id, name]).status();
        ensure!(
            status.context("cannot run sh to send a signal")?.success(),
            "SIG{name} could not be sent"
        );
        Ok(())
    }

    fn initialize(&self) -> Result<()> {
        let folder = self.folder.path();
        if let Some(Account { user, group }) = self.account {
            chown(folder, Some(user), Some(group)).context("cannot give the folder to PostgreSQL's account")?;
        }
        let mut command = self.command("initdb");
        command.arg("-D").arg(self.data());
        command.args([
            "-U",
            "landfall",
            "--auth=trust",
            "--encoding=UTF8",
            "--locale=C",
            "--no-sync",
        ]);
        let output = command.output().map_err(|error| child::spawn_error("initdb", error))?;
        let said = String::from_utf8_lossy(&output.stderr);
        ensure!(
            output.status.success(),
            "initdb failed, {}: {}",
            output.status,
            said.trim()
        );
        Ok(())
    }

    /// One of PostgreSQL's programs, as whoever may run it.
    fn command(&self, program: &str) -> Command {
        let program = self.programs.join(program);
        let mut command = match &self.account {
            Some(Account { user, group }) => {
                let mut command = Command::new("setpriv");
                let (user, group) = (format!("--reuid={user}"), format!("--regid={group}"));
                command.args([&user, &group, "--clear-groups"]).arg(program);
                command
            }
            None => Command::new(program),
        };
        command.current_dir(self.folder.path()).env("LC_ALL", "C");
        command
    }

    fn is_ready(&self) -> bool {
        let port = self.port.to_string();
        let mut ready = Command::new(self.programs.join("pg_isready"));
        ready.args(["-q", "-h", "127.0.0.1", "-p", &port, "-U", "landfall", "-d", "postgres"]);
        ready.status().is_ok_and(|status| status.success())
    }

    fn data(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    fn log(&self) -> PathBuf {
        self.folder.path().join("log")
    }
}

impl Drop for Postgres {
    fn drop(&mut self) {
        // One that cannot be ended this way is killed with what is dropped next.
        let _ = self.crash();
    }
}

/// SIGQUIT ends it at once, with what it has made for connections; SIGKILL would leave them behind.
fn end(server: &mut Running) -> Result<ExitStatus> {
    if let Some(status) = server.exited() {
        return Ok(status);
    }
    server.signal("QUIT")?;
    wait::until(Duration::from_secs(30), "PostgreSQL to end", || server.exited())
}

/// The folder with the newest version's programs.
fn programs() -> Result<PathBuf> {
    let versions = fs::read_dir(DEBIAN).into_iter().flatten().flatten();
    let version = |path: &Path| path.file_name()?.to_str()?.parse::<u32>().ok();
    let newest = versions
        .filter_map(|entry| Some((version(&entry.path())?, entry.path().join("bin"))))
        .filter(|(_, programs)| programs.join("postgres").exists())
        .max();
    if let Some((_, programs)) = newest {
        return Ok(programs);
    }
    let elsewhere = Command::new("pg_config").arg("--bindir").output();
    match elsewhere {
        Ok(output) if output.status.success() => Ok(String::from_utf8_lossy(&output.stdout).trim().into()),
        _ => bail!("PostgreSQL is not installed: run `make deps`"),
    }
}

/// Whom to become, where this is root.
fn account() -> Result<Option<Account>> {
    let number = |of: &[&str]| -> Option<u32> {
        let output = Command::new("id").args(of).output().ok()?;
        String::from_utf8_lossy(&output.stdout).trim().parse().ok()
    };
    if number(&["-u"]) != Some(0) {
        return Ok(None);
    }
    let mut accounts = ACCOUNTS.iter().filter_map(|name| {
        let (user, group) = (number(&["-u", name])?, number(&["-g", name])?);
        Some(Account { user, group })
    });
    let account = accounts.next();
    account.map(Some).context("there is no account to run PostgreSQL as")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_committed_survives_a_crash_and_nothing_is_left_behind() {
        let mut postgres = Postgres::start().unwrap();
        let database = postgres.database().unwrap();
        postgres
            .sql(
                &database,
                "CREATE TABLE kept (number INTEGER); INSERT INTO kept VALUES (7)",
            )
            .unwrap();
        postgres.crash().unwrap();
        assert!(postgres.sql(&database, "SELECT 1").is_err());
        postgres.restart().unwrap();
        assert_eq!(postgres.sql(&database, "SELECT number FROM kept").unwrap(), "7");
        let folder = postgres.folder.path().to_owned();
        drop(postgres);
        assert!(!folder.exists());
    }
}
