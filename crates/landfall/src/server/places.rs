//! Decides who may be connected: so many at once. Where all places are taken, whoever has waited the longest without a request
//! has to leave, so that clients who say nothing cannot keep out those who do. It must not know what is said.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::{Notify, OwnedSemaphorePermit, Semaphore};
use tokio::time::Instant;

/// When places are needed, one out of so many is vacated at once: to look for those who have waited the longest costs a look
/// at everyone.
const SHARE: usize = 64;

/// The places of one listener.
#[derive(Clone)]
pub(super) struct Places {
    free: Arc<Semaphore>,
    all: usize,
    crowd: Arc<Crowd>,
}

/// Everyone who has a place.
#[derive(Default)]
struct Crowd {
    guests: Mutex<HashMap<u64, Arc<Presence>>>,
    next: AtomicU64,
    /// Somebody is at the door and there is no place.
    is_full: AtomicBool,
    /// While somebody was at the door, a request has ended, or whoever was asked to leave had one and stayed.
    at_ease: Notify,
}

/// What is known of one connection.
struct Presence {
    leave: Notify,
    state: Mutex<State>,
}

struct State {
    /// Since when there has been no request.
    waiting: Instant,
    /// When the requests that are being answered began.
    requests: Vec<(u64, Instant)>,
    next: u64,
}

/// A place, for as long as this lives.
pub(super) struct Guest {
    id: u64,
    presence: Arc<Presence>,
    crowd: Arc<Crowd>,
    _place: OwnedSemaphorePermit,
}

/// A request that is being answered, until its answer has been handed over.
pub(super) struct Busy {
    id: u64,
    presence: Arc<Presence>,
    crowd: Arc<Crowd>,
}

/// How long connections may wait for a request, and requests for their answers.
#[derive(Clone, Copy, Debug)]
pub(super) struct Patience {
    pub waiting: Duration,
    pub answering: Duration,
}

impl Places {
    pub(super) fn new(all: usize) -> Self {
        Self {
            free: Arc::new(Semaphore::new(all)),
            all,
            crowd: Arc::new(Crowd::default()),
        }
    }

    /// A place, once there is one.
    pub(super) async fn take(&self) -> Guest {
        loop {
            if let Ok(place) = self.free.clone().try_acquire_owned() {
                return self.seat(place);
            }
            self.crowd.is_full.store(true, Ordering::SeqCst);
            self.crowd.make_room((self.all / SHARE).max(1));
            let place = tokio::select! {
                place = self.free.clone().acquire_owned() => place.ok(),
                () = self.crowd.at_ease.notified() => None,
            };
            if let Some(place) = place {
                self.crowd.is_full.store(false, Ordering::SeqCst);
                return self.seat(place);
            }
        }
    }

    /// Ends when everyone has left.
    pub(super) async fn empty(&self) {
        let all = u32::try_from(self.all).unwrap_or(u32::MAX);
        // The semaphore is never closed; if it were, there would be nobody to wait for.
        let _ = self.free.acquire_many(all).await;
    }

    fn seat(&self, place: OwnedSemaphorePermit) -> Guest {
        let id = self.crowd.next.fetch_add(1, Ordering::Relaxed);
        let presence = Arc::new(Presence {
            leave: Notify::new(),
            state: Mutex::new(State {
                waiting: Instant::now(),
                requests: Vec::new(),
                next: 0,
            }),
        });
        self.crowd.guests().insert(id, presence.clone());
        Guest {
            id,
            presence,
            crowd: self.crowd.clone(),
            _place: place,
        }
    }
}

impl Crowd {
    fn guests(&self) -> MutexGuard<'_, HashMap<u64, Arc<Presence>>> {
        self.guests.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Asks the `count` who have waited the longest to leave.
    fn make_room(&self, count: usize) {
        let mut waiting: Vec<_> = self
            .guests()
            .values()
            .filter_map(|presence| Some((presence.waiting()?, presence.clone())))
            .collect();
        if waiting.len() > count {
            waiting.select_nth_unstable_by_key(count, |(since, _)| *since);
            waiting.truncate(count);
        }
        for (_, presence) in waiting {
            presence.leave.notify_one();
        }
    }
}

impl Presence {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Since when there has been no request; `None` while there is one.
    fn waiting(&self) -> Option<Instant> {
        let state = self.state();
        state.requests.is_empty().then_some(state.waiting)
    }

    /// When patience ends, if nothing changes until then.
    fn deadline(&self, patience: Patience) -> Instant {
        let state = self.state();
        match state.requests.iter().map(|(_, began)| *began).min() {
            Some(began) => began + patience.answering,
            None => state.waiting + patience.waiting,
        }
    }
}

impl Guest {
    /// A request has begun.
    pub(super) fn begins(&self) -> Busy {
        let mut state = self.presence.state();
        let id = state.next;
        state.next += 1;
        state.requests.push((id, Instant::now()));
        Busy {
            id,
            presence: self.presence.clone(),
            crowd: self.crowd.clone(),
        }
    }

    /// What was waited for has come, and the next thing is waited for.
    pub(super) fn waits_anew(&self) {
        self.presence.state().waiting = Instant::now();
    }

    /// Ends when this guest has to leave: out of patience, or because the place is needed.
    pub(super) async fn overstays(&self, patience: Patience) {
        loop {
            // A request that ends brings the deadline nearer, but never nearer than this, so that nobody has to tell us.
            let nearest = Instant::now() + patience.waiting;
            tokio::select! {
                () = tokio::time::sleep_until(nearest.min(self.presence.deadline(patience))) => {
                    if self.presence.deadline(patience) <= Instant::now() {
                        return;
                    }
                }
                () = self.presence.leave.notified() => {
                    if self.presence.waiting().is_some() {
                        return;
                    }
                    // A request has begun since it was asked, so it stays; somebody else is to be asked.
                    self.crowd.at_ease.notify_one();
                }
            }
        }
    }
}

impl Drop for Guest {
    fn drop(&mut self) {
        self.crowd.guests().remove(&self.id);
    }
}

impl Drop for Busy {
    fn drop(&mut self) {
        let mut state = self.presence.state();
        state.requests.retain(|(id, _)| *id != self.id);
        state.waiting = Instant::now();
        drop(state);
        if self.crowd.is_full.load(Ordering::SeqCst) {
            self.crowd.at_ease.notify_one();
        }
    }
}

#[cfg(test)]
mod tests;
