//! Writes the log from a thread of its own, many lines at once, so that no request waits for whoever reads it. It must not know
//! what is logged.

use std::io::{self, Write};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use tracing_subscriber::fmt::MakeWriter;

/// So many bytes may wait to be written. Beyond it, whoever logs waits for room: a reader that is slow for long must cost
/// neither lines nor memory.
const ROOM: usize = 1 << 20;
/// So much memory is kept for the next lines when all are written.
const KEPT: usize = 64 << 10;
/// A line that comes alone is written at once, and those that follow it within so long together: where each delivery logs a line, the
/// thread would be woken for each, which costs as much as the line.
const GATHER: Duration = Duration::from_millis(10);

/// Takes lines; cheap to clone.
#[derive(Clone)]
pub(super) struct Lines(Arc<Shared>);

struct Shared {
    state: Mutex<State>,
    /// Something is to be written.
    come: Condvar,
    /// Something was written.
    gone: Condvar,
}

#[derive(Default)]
struct State {
    waiting: Vec<u8>,
    /// The thread has nothing to write, and is to be told when it has.
    is_idle: bool,
    is_writing: bool,
}

impl Lines {
    /// Starts the thread, which writes to `output`. It ends with the process: [`Lines::flush`] comes before that.
    pub(super) fn start(output: impl Write + Send + 'static) -> io::Result<Self> {
        Self::pausing(output, GATHER)
    }

    /// The same, with so long from the end of one write to the next.
    fn pausing(output: impl Write + Send + 'static, pause: Duration) -> io::Result<Self> {
        let shared = Arc::new(Shared {
            state: Mutex::default(),
            come: Condvar::new(),
            gone: Condvar::new(),
        });
        let lines = shared.clone();
        thread::Builder::new()
            .name("log".to_owned())
            .spawn(move || lines.write(output, pause))?;
        Ok(Self(shared))
    }

    /// Waits until everything is written that was logged so far.
    pub(super) fn flush(&self) {
        let state = self.0.state();
        let unwritten = |state: &mut State| state.is_writing || !state.waiting.is_empty();
        drop(self.0.gone.wait_while(state, unwritten));
    }
}

impl Shared {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self, mut output: impl Write, pause: Duration) {
        let mut lines = Vec::new();
        let mut last: Option<Instant> = None;
        loop {
            self.wait_for_lines();
            if let Some(last) = last {
                thread::sleep(pause.saturating_sub(last.elapsed()));
            }
            let mut state = self.state();
            std::mem::swap(&mut lines, &mut state.waiting);
            state.is_writing = true;
            drop(state);
            // There is nobody to tell that the log cannot be written, for example to a full disk.
            let _ = output.write_all(&lines).and_then(|()| output.flush());
            lines.clear();
            lines.shrink_to(KEPT);
            last = Some(Instant::now());
            self.state().is_writing = false;
            self.gone.notify_all();
        }
    }

    fn wait_for_lines(&self) {
        let nothing = |state: &mut State| {
            state.is_idle = state.waiting.is_empty();
            state.is_idle
        };
        drop(self.come.wait_while(self.state(), nothing));
    }
}

impl<'a> MakeWriter<'a> for Lines {
    type Writer = Line<'a>;

    fn make_writer(&'a self) -> Line<'a> {
        Line(&self.0)
    }
}

/// Takes a line, which comes as a whole.
pub(super) struct Line<'a>(&'a Shared);

impl Write for Line<'_> {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        let is_full = |state: &mut State| state.waiting.len() > ROOM;
        let state = self.0.gone.wait_while(self.0.state(), is_full);
        let mut state = state.unwrap_or_else(PoisonError::into_inner);
        let is_awaited = std::mem::take(&mut state.is_idle);
        state.waiting.extend_from_slice(line);
        drop(state);
        if is_awaited {
            self.0.come.notify_one();
        }
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::{Receiver, Sender, channel};

    use super::*;

    /// An output that tells what it is given, and then waits until it may go on.
    struct Slow {
        told: Sender<Vec<u8>>,
        may_go_on: Receiver<()>,
    }

    impl Write for Slow {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            let _ = self.told.send(bytes.to_vec());
            let _ = self.may_go_on.recv();
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn lines_that_come_meanwhile_are_written_at_once_and_nobody_waits() {
        let ((told, written), (go_on, may_go_on)) = (channel(), channel());
        let lines = Lines::start(Slow { told, may_go_on }).unwrap();
        lines.make_writer().write_all(b"one\n").unwrap();
        assert_eq!(written.recv().unwrap(), b"one\n");
        lines.make_writer().write_all(b"two\n").unwrap();
        lines.make_writer().write_all(b"three\n").unwrap();
        go_on.send(()).unwrap();
        assert_eq!(written.recv().unwrap(), b"two\nthree\n");
        go_on.send(()).unwrap();
        lines.flush();
    }

    #[test]
    fn a_line_is_written_at_once_and_what_follows_it_soon_waits() {
        let ((told, written), (go_on, may_go_on)) = (channel(), channel());
        let lines = Lines::pausing(Slow { told, may_go_on }, Duration::from_secs(3600)).unwrap();
        lines.make_writer().write_all(b"one\n").unwrap();
        assert_eq!(written.recv().unwrap(), b"one\n");
        go_on.send(()).unwrap();
        lines.make_writer().write_all(b"two\n").unwrap();
        let second = written.recv_timeout(Duration::from_millis(50));
        assert!(second.is_err(), "{second:?}");
    }

    #[test]
    fn where_there_is_no_room_whoever_logs_waits_and_nothing_is_lost() {
        let ((told, written), (go_on, may_go_on)) = (channel(), channel());
        let lines = Lines::start(Slow { told, may_go_on }).unwrap();
        let line = vec![b'x'; ROOM / 4];
        let length = line.len();
        let all = 32;
        let logging = {
            let (lines, line) = (lines.clone(), line.clone());
            thread::spawn(move || (0..all).for_each(|_| lines.make_writer().write_all(&line).unwrap()))
        };
        let mut total = 0;
        while total < all * length {
            let most = ROOM + length;
            let piece = written.recv().unwrap().len();
            assert!(piece <= most, "{piece} bytes waited, and {most} may");
            total += piece;
            go_on.send(()).unwrap();
        }
        logging.join().unwrap();
        lines.flush();
        assert_eq!(total, all * length);
    }
}
