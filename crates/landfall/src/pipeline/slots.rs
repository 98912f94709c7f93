//! Bounds how many refreshes run side by side for one registry host, so that a thousand that are due at once cost the memory
//! of a few, and a host that does not answer holds up nobody but those who need it.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// Refreshes that nobody waits for.
const BACKGROUND: usize = 16;
/// Refreshes that an event or a person asked for; they do not queue behind the others.
const AWAITED: usize = 64;

/// From so many hosts on, those that are not in use are forgotten.
const MANY: usize = 1000;

/// Slots by host.
#[derive(Default)]
pub struct Slots(Mutex<HashMap<(String, Queue), Arc<Semaphore>>>);

#[derive(Clone, Copy, PartialEq, Eq, Hash)]
enum Queue {
    Background,
    Awaited,
}

impl Slots {
    /// A slot, if one is free.
    pub fn take(&self, host: String, is_awaited: bool) -> Option<OwnedSemaphorePermit> {
        let (queue, size) = match is_awaited {
            true => (Queue::Awaited, AWAITED),
            false => (Queue::Background, BACKGROUND),
        };
        let mut hosts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if hosts.len() >= MANY {
            // Slots that are all free are not in use; they are made again when they are.
            hosts.retain(|_, slots| Arc::strong_count(slots) > 1);
        }
        let slots = hosts
            .entry((host, queue))
            .or_insert_with(|| Arc::new(Semaphore::new(size)));
        slots.clone().try_acquire_owned().ok()
    }
}
