//! A sender that posts all the time until it is told to stop, and remembers what it was told. It must not know what it posts.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};
use std::thread;

use landfall_harness::http::Response;
use landfall_harness::wait;

use crate::world::PATIENCE;

/// How many deliveries are some.
const SOME: usize = 15;
/// How many it posts unasked, so that a slow machine is not the slower for it.
const UNASKED: usize = 1000;

/// One sender.
#[derive(Default)]
pub struct Load {
    answers: Mutex<Vec<Response>>,
    asked: AtomicUsize,
    is_over: AtomicBool,
}

impl Load {
    /// Posts until it is over, each time with another tag, which `name` makes its own.
    pub fn posts(&self, name: usize, post: impl Fn(&str) -> Response) {
        let mut number = 0;
        while !self.is_over.load(Ordering::SeqCst) {
            if number >= UNASKED.max(self.asked.load(Ordering::SeqCst)) {
                thread::park_timeout(wait::POLL_INTERVAL);
                continue;
            }
            let answer = post(&format!("1.{name}.{number}"));
            self.answers().push(answer);
            number += 1;
        }
    }

    /// Waits until it has been answered some more times.
    pub fn goes_on(&self) {
        let wanted = self.answers().len() + SOME;
        self.asked.store(wanted, Ordering::SeqCst);
        let answered = wait::until(PATIENCE, "more deliveries", || {
            (self.answers().len() >= wanted).then_some(())
        });
        answered.unwrap();
    }

    /// Ends it after the delivery that it is posting.
    pub fn ends(&self) {
        self.is_over.store(true, Ordering::SeqCst);
    }

    /// What it was told.
    pub fn told(self) -> Vec<Response> {
        self.answers.into_inner().unwrap_or_else(PoisonError::into_inner)
    }

    fn answers(&self) -> std::sync::MutexGuard<'_, Vec<Response>> {
        self.answers.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
