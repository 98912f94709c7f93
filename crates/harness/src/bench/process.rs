//! Starts landfall so that its start can be timed, and reads what the system counts of it; it knows nothing within.

use std::fs;
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};
use landfall_harness::free_port;
use landfall_harness::http::{Connection, Request};

/// How long landfall may take to answer, and to become quiet.
const PATIENCE: Duration = Duration::from_secs(300);
/// A process that used no processor time for so long is quiet.
const QUIET: Duration = Duration::from_secs(2);

/// In what the system counts processor time, on all machines of today.
const TICK: Duration = Duration::from_millis(10);

/// A running `landfall serve`; dropping it kills it.
pub struct Server {
    child: Child,
    /// `127.0.0.1:PORT`.
    pub host: String,
    log: PathBuf,
    /// From its start to its first answer.
    pub ready: Duration,
}

impl Server {
    /// Starts it, and waits for the first answer of `/healthz`, looking every millisecond.
    pub fn start(binary: &Path, manifests: &Path, data: &Path, args: &[String]) -> Result<Self> {
        let args = [&["--manifests".to_owned(), manifests.display().to_string()], args].concat();
        Self::start_until(|host| answers(host, "/healthz"), binary, data, &args)
    }

    /// Starts it, and waits until `answers` says of the address that it does, asking every millisecond.
    pub fn start_until(answers: impl Fn(&str) -> bool, binary: &Path, data: &Path, args: &[String]) -> Result<Self> {
        let host = format!("127.0.0.1:{}", free_port()?);
        let log = data.with_extension("log");
        let output = fs::File::create(&log)?;
        let mut command = Command::new(binary);
        command
            .args(["serve", "--listen", &host, "--data-dir"])
            .arg(data)
            .args(args);
        let began = Instant::now();
        let child = command
            .env_clear()
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(output)
            .spawn()?;
        let mut server = Self {
            child,
            host,
            log,
            ready: Duration::ZERO,
        };
        while !answers(&server.host) {
            if let Some(status) = server.child.try_wait()? {
                let said = fs::read_to_string(&server.log).unwrap_or_default();
                bail!("landfall ended, {status}: {said}");
            }
            if began.elapsed() > PATIENCE {
                bail!("landfall does not answer");
            }
            thread::sleep(Duration::from_millis(1));
        }
        server.ready = began.elapsed();
        Ok(server)
    }

    /// Waits until its log has these words.
    pub fn says(&self, words: &str) -> Result<()> {
        let began = Instant::now();
        while !fs::read_to_string(&self.log)?.contains(words) {
            if began.elapsed() > PATIENCE {
                bail!("landfall does not say {words}; see {}", self.log.display());
            }
            thread::sleep(Duration::from_millis(10));
        }
        Ok(())
    }

    /// Its process id.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Its resident memory, in MiB.
    pub fn resident(&self) -> Result<f64> {
        self.memory("VmRSS:")
    }

    /// The most that its resident memory has been, in MiB.
    pub fn most_resident(&self) -> Result<f64> {
        self.memory("VmHWM:")
    }

    /// What of that is its own, in MiB: all but the pages of files, of its program most of all, which the system drops when it needs
    /// the memory.
    pub fn own(&self) -> Result<f64> {
        self.memory("RssAnon:")
    }

    fn memory(&self, name: &str) -> Result<f64> {
        let status = fs::read_to_string(format!("/proc/{}/status", self.child.id()))?;
        let line = status.lines().find_map(|line| line.strip_prefix(name));
        let kib: Option<f64> = line.and_then(|rest| rest.trim().trim_end_matches(" kB").parse().ok());
        Ok(kib.context("the system does not tell the resident memory")? / 1024.0)
    }

    /// Waits until it has nothing to do for a while.
    pub fn quiet(&self) -> Result<()> {
        quiet(self.child.id(), QUIET)
    }

    /// Ends it as a service manager does, and waits.
    pub fn terminate(mut self) -> Result<()> {
        let pid = self.child.id().to_string();
        Command::new("sh")
            .args(["-c", "kill -TERM \"$1\"", "sh", &pid])
            .status()?;
        self.child.wait()?;
        Ok(())
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Whether `host` answers a GET of `path` with 200.
pub fn answers(host: &str, path: &str) -> bool {
    let reachable = host
        .parse()
        .is_ok_and(|address| TcpStream::connect_timeout(&address, QUIET).is_ok());
    reachable
        && Connection::open(host, QUIET)
            .and_then(|mut connection| connection.send(&Request::new("GET", path)))
            .is_ok_and(|response| response.status == 200)
}

/// Waits until a process has used no processor time for `rest`; a tick or two of timers is nothing.
pub fn quiet(pid: u32, rest: Duration) -> Result<()> {
    let began = Instant::now();
    while began.elapsed() < PATIENCE {
        let before = processor_time(pid)?;
        thread::sleep(rest);
        if processor_time(pid)?.saturating_sub(before) <= TICK {
            return Ok(());
        }
    }
    bail!("landfall does not become quiet")
}

/// Processor time that a process has used, in steps of 10 ms.
pub fn processor_time(pid: u32) -> Result<Duration> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat"))?;
    // The name in parentheses may hold anything; what follows are numbers: utime and stime are the 12th and 13th.
    let rest = stat.rsplit_once(") ").map_or("", |(_, rest)| rest);
    let numbers = rest
        .split(' ')
        .skip(11)
        .take(2)
        .map(|number| Ok(number.parse::<u64>()?));
    Ok(TICK * u32::try_from(numbers.sum::<Result<u64>>()?)?)
}
