//! Holds requests up until it is told to let them go; it sends nothing.

use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::Duration;

use anyhow::{Result, bail};

use crate::counting_proxy::lock;
use crate::http::Request;

/// Which requests are held up, and how many are.
#[derive(Debug)]
pub(super) struct Hold {
    method: String,
    path: String,
    so_far: Mutex<SoFar>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct SoFar {
    arrived: usize,
    released: bool,
}

/// Requests that are held up; dropping it lets them go, and holds no more.
#[derive(Debug)]
pub struct Held(Arc<Hold>);

impl Hold {
    pub(super) fn new(method: &str, path: &str) -> Self {
        Self {
            method: method.to_owned(),
            path: path.to_owned(),
            so_far: Mutex::default(),
            changed: Condvar::new(),
        }
    }

    pub(super) fn fits(&self, request: &Request) -> bool {
        request.method == self.method && request.path.contains(&self.path) && !lock(&self.so_far).released
    }

    /// Waits until requests may go.
    pub(super) fn wait(&self) {
        let mut so_far = lock(&self.so_far);
        so_far.arrived += 1;
        self.changed.notify_all();
        let let_go = self.changed.wait_while(so_far, |so_far| !so_far.released);
        drop(let_go.unwrap_or_else(PoisonError::into_inner));
    }

    pub(super) fn release(&self) {
        lock(&self.so_far).released = true;
        self.changed.notify_all();
    }
}

impl Held {
    pub(super) fn new(hold: Arc<Hold>) -> Self {
        Self(hold)
    }

    /// Waits until `count` requests have been held up.
    ///
    /// # Errors
    /// When fewer come within `timeout`.
    pub fn arrived(&self, count: usize, timeout: Duration) -> Result<()> {
        let so_far = lock(&self.0.so_far);
        let waited = self
            .0
            .changed
            .wait_timeout_while(so_far, timeout, |so_far| so_far.arrived < count);
        let (so_far, _) = waited.unwrap_or_else(PoisonError::into_inner);
        if so_far.arrived < count {
            bail!("{} of {count} requests came within {timeout:?}", so_far.arrived);
        }
        Ok(())
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        self.0.release();
    }
}
