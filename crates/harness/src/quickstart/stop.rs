//! Hears the signals that end the quick start, so that it can end what it started; it ends nothing itself.

use std::fmt;
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use anyhow::{Context as _, Result};
use tokio::signal::unix::{SignalKind, signal};

/// Whether somebody asked the quick start to stop: with Ctrl-C, SIGTERM, or by closing the terminal.
pub struct Stop {
    asked: Arc<(Mutex<bool>, Condvar)>,
}

/// The quick start was asked to stop, and so did not come to its end.
#[derive(Debug)]
pub struct Stopped;

impl fmt::Display for Stopped {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the quick start was asked to stop")
    }
}

impl std::error::Error for Stopped {}

impl Stop {
    /// Listens from now on. Signals after the first one change nothing: stopping is under way.
    pub fn on_signals() -> Result<Self> {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_io()
            .build()
            .context("cannot listen to signals")?;
        let entered = runtime.enter();
        let listen = |kind| signal(kind).context("cannot listen to signals");
        let mut interrupt = listen(SignalKind::interrupt())?;
        let mut terminate = listen(SignalKind::terminate())?;
        let mut hang_up = listen(SignalKind::hangup())?;
        drop(entered);
        let asked = Arc::new((Mutex::new(false), Condvar::new()));
        let told = asked.clone();
        thread::spawn(move || {
            runtime.block_on(async {
                tokio::select! {
                    _ = interrupt.recv() => {}
                    _ = terminate.recv() => {}
                    _ = hang_up.recv() => {}
                }
            });
            *told.0.lock().unwrap_or_else(PoisonError::into_inner) = true;
            told.1.notify_all();
        });
        Ok(Self { asked })
    }

    /// Waits until it is asked to stop, at most for `timeout`, and says whether it was.
    pub fn asked_within(&self, timeout: Duration) -> bool {
        let asked = self.asked.0.lock().unwrap_or_else(PoisonError::into_inner);
        let waited = self.asked.1.wait_timeout_while(asked, timeout, |asked| !*asked);
        *waited.unwrap_or_else(PoisonError::into_inner).0
    }

    /// An error if it was asked to stop.
    pub fn check(&self) -> Result<(), Stopped> {
        if self.asked_within(Duration::ZERO) {
            return Err(Stopped);
        }
        Ok(())
    }
}
