//! A child process whose output goes to files and which does not outlive its owner; it knows no program.

use std::fs::{self, OpenOptions};
use std::io;
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::Duration;

use anyhow::{Context, Result, bail};

use crate::wait;

/// Becomes the program that it is given, and leaves a watcher behind which kills that program as soon as the standard
/// input closes, which happens when the harness's process ends, in whatever way. The watcher looks first whether its
/// parent still is that program: its number may have gone to another process since.
const BOUND: &str = r#"
exec 3<&0 </dev/null
sh -c 'cat >/dev/null; read -r _ _ _ parent _ </proc/self/stat; [ "$parent" = "$1" ] && kill -9 "$1"' sh $$ <&3 >/dev/null 2>&1 &
exec 3<&-
exec "$@"
"#;

/// The same for a program that leaves something in the system when it is killed, which it is therefore asked to end; then its
/// folder goes, which nobody else removes.
const BOUND_WITH_FOLDER: &str = r#"
exec 3<&0 </dev/null
folder=$1
shift
sh -c '
  cat >/dev/null
  read -r _ _ _ parent _ </proc/self/stat
  [ "$parent" = "$1" ] && kill -QUIT "$1" || exit
  tries=100
  while [ -d "/proc/$1" ] && [ $((tries -= 1)) -gt 0 ]; do sleep 0.1; done
  rm -rf "$2"
' sh $$ "$folder" <&3 >/dev/null 2>&1 &
exec 3<&-
exec "$@"
"#;

/// How much of a log an error shows.
const TAIL_LINES: usize = 30;

/// A running process; dropping it kills it and waits for its end.
#[derive(Debug)]
pub(crate) struct Running(Child);

impl Running {
    /// Starts `command` without input; standard output and standard error are appended to these files.
    pub(crate) fn spawn(command: &mut Command, stdout: &Path, stderr: &Path) -> Result<Self> {
        let program = command.get_program().to_string_lossy().into_owned();
        let child = command
            .stdin(Stdio::null())
            .stdout(append(stdout)?)
            .stderr(append(stderr)?)
            .spawn();
        child.map(Self).map_err(|error| spawn_error(&program, error))
    }

    /// Starts `command` as [`spawn`](Self::spawn) does, and sees to it that it ends with the harness's process, even if
    /// nothing is dropped: for what all tests of a process share.
    pub(crate) fn spawn_bound(command: &Command, stdout: &Path, stderr: &Path) -> Result<Self> {
        Self::bound(Command::new("sh").args(["-c", BOUND, "sh"]), command, stdout, stderr)
    }

    /// Starts `command` as [`spawn_bound`](Self::spawn_bound) does; its end is asked for with SIGQUIT, and `folder` goes with it.
    pub(crate) fn spawn_bound_with_folder(
        command: &Command,
        stdout: &Path,
        stderr: &Path,
        folder: &Path,
    ) -> Result<Self> {
        let mut shell = Command::new("sh");
        shell.args(["-c", BOUND_WITH_FOLDER, "sh"]).arg(folder);
        Self::bound(&mut shell, command, stdout, stderr)
    }

    fn bound(shell: &mut Command, command: &Command, stdout: &Path, stderr: &Path) -> Result<Self> {
        let program = command.get_program().to_string_lossy().into_owned();
        let child = shell
            .arg(command.get_program())
            .args(command.get_args())
            .envs(command.get_envs().filter_map(|(name, value)| Some((name, value?))))
            .stdin(Stdio::piped())
            .stdout(append(stdout)?)
            .stderr(append(stderr)?)
            .spawn();
        child
            .map(Self)
            .with_context(|| format!("cannot run sh to start {program}"))
    }

    /// The process id.
    pub(crate) fn id(&self) -> u32 {
        self.0.id()
    }

    /// How it ended, if it did.
    pub(crate) fn exited(&mut self) -> Option<ExitStatus> {
        self.0.try_wait().ok().flatten()
    }

    /// Ends it with SIGKILL and waits.
    pub(crate) fn kill(&mut self) -> Result<ExitStatus> {
        // Killing a process that has ended already is no error; any other failure shows in the wait.
        let _ = self.0.kill();
        self.0.wait().context("cannot wait for a killed process")
    }

    /// Asks it to end with SIGTERM and waits for `timeout`.
    pub(crate) fn terminate(&mut self, timeout: Duration) -> Result<ExitStatus> {
        if let Some(status) = self.exited() {
            return Ok(status);
        }
        self.signal("TERM")?;
        wait::until(timeout, "a process to end after SIGTERM", || self.exited())
    }

    /// Sends it a signal, such as `TERM`.
    pub(crate) fn signal(&self, name: &str) -> Result<()> {
        // The standard library sends no other signal than SIGKILL; the shell's `kill` is always there.
        let pid = self.0.id().to_string();
        let sent = Command::new("sh")
            .args(["-c", "kill -\"$2\" \"$1\"", "sh", &pid, name])
            .status();
        if !sent
            .with_context(|| format!("cannot run sh to send SIG{name}"))?
            .success()
        {
            bail!("SIG{name} could not be sent to process {pid}");
        }
        Ok(())
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.kill();
    }
}

/// Says which program could not be started, and what to do where it is not installed.
pub(crate) fn spawn_error(program: &str, error: io::Error) -> anyhow::Error {
    if error.kind() == io::ErrorKind::NotFound {
        let is_path = program.contains('/');
        let advice = if is_path {
            "does not exist: build it first"
        } else {
            "is not installed: run `make deps`"
        };
        return anyhow::anyhow!("{program} {advice}");
    }
    anyhow::Error::new(error).context(format!("cannot start {program}"))
}

/// The last lines of a log, for an error.
pub(crate) fn tail(log: &Path) -> String {
    let text = fs::read(log)
        .map(|bytes| String::from_utf8_lossy(&bytes).into_owned())
        .unwrap_or_default();
    let lines: Vec<_> = text.lines().collect();
    match lines.len() {
        0 => format!("{} is empty", log.display()),
        n => format!(
            "the end of {}:\n{}",
            log.display(),
            lines[n.saturating_sub(TAIL_LINES)..].join("\n")
        ),
    }
}

fn append(path: &Path) -> Result<Stdio> {
    let file = OpenOptions::new().create(true).append(true).open(path);
    Ok(file.with_context(|| format!("cannot open {}", path.display()))?.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn output_ends_in_files_and_the_process_with_its_owner() {
        let folder = tempfile::tempdir().unwrap();
        let (out, err) = (folder.path().join("out"), folder.path().join("err"));
        let script = "echo out; echo err >&2; exec sleep 600";
        let mut running = Running::spawn(Command::new("sh").args(["-c", script]), &out, &err).unwrap();
        wait::until(Duration::from_secs(10), "output", || {
            fs::read(&err).ok().filter(|text| !text.is_empty())
        })
        .unwrap();
        assert_eq!(
            (fs::read(&out).unwrap(), fs::read(&err).unwrap()),
            (b"out\n".to_vec(), b"err\n".to_vec())
        );
        assert_eq!(running.exited(), None);
        let id = running.id();
        drop(running);
        assert!(!Path::new(&format!("/proc/{id}")).exists());
    }

    #[test]
    fn what_is_bound_ends_with_the_process_that_started_it() {
        let folder = tempfile::tempdir().unwrap();
        let log = folder.path().join("log");
        let script = "echo ready; exec sleep 600";
        let mut running = Running::spawn_bound(Command::new("sh").args(["-c", script]), &log, &log).unwrap();
        wait::until(Duration::from_secs(10), "output", || {
            fs::read(&log).ok().filter(|text| !text.is_empty())
        })
        .unwrap();
        assert_eq!(running.exited(), None);
        // What the end of a process does to its side of the pipe.
        drop(running.0.stdin.take());
        let status = wait::until(Duration::from_secs(10), "the end", || running.exited()).unwrap();
        assert_eq!(std::os::unix::process::ExitStatusExt::signal(&status), Some(9));
    }

    #[test]
    fn sigterm_can_be_handled() {
        let folder = tempfile::tempdir().unwrap();
        let log = folder.path().join("log");
        let script = "trap 'exit 7' TERM; echo ready; while :; do sleep 0.01; done";
        let mut running = Running::spawn(Command::new("sh").args(["-c", script]), &log, &log).unwrap();
        wait::until(Duration::from_secs(10), "output", || {
            fs::read(&log).ok().filter(|text| !text.is_empty())
        })
        .unwrap();
        assert_eq!(running.terminate(Duration::from_secs(10)).unwrap().code(), Some(7));
        assert_eq!(running.terminate(Duration::ZERO).unwrap().code(), Some(7));
    }

    #[test]
    fn what_is_missing_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let log = folder.path().join("log");
        for (program, expected) in [
            (
                "landfall-no-such-program",
                "landfall-no-such-program is not installed: run `make deps`",
            ),
            ("/nowhere/landfall", "/nowhere/landfall does not exist: build it first"),
        ] {
            let error = Running::spawn(&mut Command::new(program), &log, &log).unwrap_err();
            assert_eq!(error.to_string(), expected);
        }
    }
}
