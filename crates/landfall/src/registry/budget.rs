//! Decides when the next request may go to a host, and who goes first; must not know what the request asks.

use std::collections::{BTreeMap, HashMap};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::Instant;

/// Which work goes first when a host's budget is short.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Priority {
    /// Something happened, and somebody waits for it.
    Event,
    /// A routine look; it gives way, though never for good.
    Poll,
}

impl Priority {
    /// That of work that somebody waits for, or nobody.
    pub fn of(is_awaited: bool) -> Self {
        match is_awaited {
            true => Self::Event,
            false => Self::Poll,
        }
    }
}

/// The longest a host's own `Retry-After` can stop us; a longer one is most likely a mistake.
pub(super) const MAX_PAUSE: Duration = Duration::from_secs(15 * 60);
/// After so many events in a row a waiting poll goes, so that a flood of events cannot stop polling.
const EVENTS_BEFORE_A_POLL: u32 = 7;
/// Waiters a host may have; beyond that, waiting would outlast every deadline anyway.
const MAX_WAITERS: usize = 10_000;
/// Hosts remembered; idle ones are forgotten first.
const MAX_HOSTS: usize = 4_096;

/// What the budget of every host allows.
#[derive(Debug, Clone, Copy)]
pub(super) struct Allowance {
    pub(super) requests_per_second: u32,
    pub(super) concurrency: usize,
}

/// Why a request did not get its turn before its deadline.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct OutOfBudget {
    /// When it is worth asking again, where known.
    pub(super) retry_after: Option<Duration>,
}

/// What a host was asked so far, and what is left of its budget.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HostUse {
    /// `host:port`.
    pub host: String,
    /// Requests that were sent.
    pub requests: u64,
    /// Those that it did not answer, or answered that it could not.
    pub failed: u64,
    /// Requests that may go at once now.
    pub left: u32,
}

/// The budgets of all hosts, by `host:port`.
#[derive(Debug)]
pub(super) struct Budgets {
    allowance: Allowance,
    hosts: Mutex<HashMap<String, Arc<HostBudget>>>,
}

impl Budgets {
    pub(super) fn new(allowance: Allowance) -> Self {
        Self {
            allowance,
            hosts: Mutex::new(HashMap::new()),
        }
    }

    /// The budget of a host, made on first use.
    pub(super) fn of(&self, host: &str) -> Arc<HostBudget> {
        let mut hosts = self.hosts.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(budget) = hosts.get(host) {
            return Arc::clone(budget);
        }
        if hosts.len() >= MAX_HOSTS {
            hosts.retain(|_, budget| Arc::strong_count(budget) > 1 || !budget.is_idle());
        }
        let budget = Arc::new(HostBudget::new(self.allowance));
        hosts.insert(host.to_owned(), Arc::clone(&budget));
        budget
    }

    /// What each remembered host was asked.
    pub(super) fn uses(&self) -> Vec<HostUse> {
        let hosts = self.hosts.lock().unwrap_or_else(PoisonError::into_inner);
        let lines = hosts.iter().map(|(host, budget)| HostUse {
            host: host.clone(),
            requests: budget.requests.load(Ordering::Relaxed),
            failed: budget.failed.load(Ordering::Relaxed),
            left: budget.left(),
        });
        lines.collect()
    }
}

/// One host's budget: a rate with a small burst, a number of requests at once, and pauses the host asks for.
#[derive(Debug)]
pub(super) struct HostBudget {
    interval: Duration,
    burst_allowance: Duration,
    concurrency: usize,
    state: Mutex<State>,
    requests: AtomicU64,
    failed: AtomicU64,
}

#[derive(Debug)]
struct State {
    /// When the bucket would be full again: the generic cell rate algorithm's theoretical arrival time.
    full_at: Instant,
    paused_until: Option<Instant>,
    in_flight: usize,
    waiters: BTreeMap<(Priority, u64), Arc<Notify>>,
    next_number: u64,
    events_in_a_row: u32,
}

impl State {
    /// Who goes next.
    fn head(&self) -> Option<(Priority, u64)> {
        let first = self.waiters.keys().next().copied()?;
        if first.0 == Priority::Event && self.events_in_a_row >= EVENTS_BEFORE_A_POLL {
            let first_poll = self
                .waiters
                .range((Priority::Poll, 0)..)
                .next()
                .map(|(place, _)| *place);
            return Some(first_poll.unwrap_or(first));
        }
        Some(first)
    }

    fn wake_head(&self) {
        if let Some(waiter) = self.head().and_then(|place| self.waiters.get(&place)) {
            waiter.notify_one();
        }
    }
}

/// What a waiter learns when it looks.
enum Turn {
    Granted,
    /// It is first, and may go at this time at the earliest.
    At(Instant),
    /// Somebody else, or a request in flight, must finish first.
    Later,
}

impl HostBudget {
    fn new(allowance: Allowance) -> Self {
        let rate = allowance.requests_per_second.max(1);
        let interval = Duration::from_secs(1) / rate;
        Self {
            interval,
            // A quarter of a second's requests may go at once: a look at one tag needs two or three.
            burst_allowance: interval * (rate / 4).saturating_sub(1),
            concurrency: allowance.concurrency.max(1),
            requests: AtomicU64::new(0),
            failed: AtomicU64::new(0),
            state: Mutex::new(State {
                full_at: Instant::now(),
                paused_until: None,
                in_flight: 0,
                waiters: BTreeMap::new(),
                next_number: 0,
                events_in_a_row: 0,
            }),
        }
    }

    /// Waits for a turn until `deadline`; dropping the future gives the place up, dropping the permit ends the request.
    pub(super) async fn acquire(
        self: &Arc<Self>,
        priority: Priority,
        deadline: Instant,
    ) -> Result<Permit, OutOfBudget> {
        let place = Place::join(self, priority)?;
        loop {
            let wake_at = match self.look(place.key) {
                Turn::Granted => {
                    return Ok(Permit {
                        budget: Arc::clone(self),
                    });
                }
                Turn::At(time) => time.min(deadline),
                Turn::Later => deadline,
            };
            let pause = self.pause_left();
            let now = Instant::now();
            if now >= deadline || pause.is_some_and(|pause| now + pause > deadline) {
                return Err(OutOfBudget { retry_after: pause });
            }
            tokio::select! {
                () = place.woken.notified() => {}
                () = tokio::time::sleep_until(wake_at) => {}
            }
        }
    }

    /// Stops all requests to the host for a while; a pause is never shortened.
    pub(super) fn pause_for(&self, wait: Duration) {
        let until = Instant::now() + wait.min(MAX_PAUSE);
        let mut state = self.state();
        state.paused_until = Some(state.paused_until.map_or(until, |earlier| earlier.max(until)));
    }

    /// A request was sent, and either answered or not.
    pub(super) fn count(&self, answered: bool) {
        self.requests.fetch_add(1, Ordering::Relaxed);
        if !answered {
            self.failed.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Requests that may go at once now.
    fn left(&self) -> u32 {
        if self.pause_left().is_some() {
            return 0;
        }
        let state = self.state();
        let ahead = state.full_at.saturating_duration_since(Instant::now());
        let Some(slack) = self.burst_allowance.checked_sub(ahead) else {
            return 0;
        };
        let by_rate = slack.as_nanos() / self.interval.as_nanos().max(1) + 1;
        let by_concurrency = self.concurrency.saturating_sub(state.in_flight);
        u32::try_from(by_rate)
            .unwrap_or(u32::MAX)
            .min(u32::try_from(by_concurrency).unwrap_or(u32::MAX))
    }

    fn look(&self, key: (Priority, u64)) -> Turn {
        let now = Instant::now();
        let mut state = self.state();
        if state.head() != Some(key) || state.in_flight >= self.concurrency {
            return Turn::Later;
        }
        let by_rate = state.full_at.checked_sub(self.burst_allowance).unwrap_or(now);
        let earliest = state.paused_until.map_or(by_rate, |until| until.max(by_rate));
        if earliest > now {
            return Turn::At(earliest);
        }
        state.full_at = state.full_at.max(now) + self.interval;
        state.in_flight += 1;
        state.events_in_a_row = if key.0 == Priority::Event {
            state.events_in_a_row.saturating_add(1)
        } else {
            0
        };
        Turn::Granted
    }

    fn pause_left(&self) -> Option<Duration> {
        let until = self.state().paused_until?;
        until
            .checked_duration_since(Instant::now())
            .filter(|left| !left.is_zero())
    }

    fn is_idle(&self) -> bool {
        let now = Instant::now();
        let state = self.state();
        state.in_flight == 0
            && state.waiters.is_empty()
            && state.full_at <= now
            && state.paused_until.is_none_or(|until| until <= now)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A place in a host's queue; leaving it, by turn or by cancellation, wakes whoever is first then.
struct Place<'b> {
    budget: &'b HostBudget,
    key: (Priority, u64),
    woken: Arc<Notify>,
}

impl<'b> Place<'b> {
    fn join(budget: &'b HostBudget, priority: Priority) -> Result<Self, OutOfBudget> {
        let mut state = budget.state();
        if state.waiters.len() >= MAX_WAITERS {
            return Err(OutOfBudget { retry_after: None });
        }
        let key = (priority, state.next_number);
        state.next_number += 1;
        let woken = Arc::new(Notify::new());
        state.waiters.insert(key, Arc::clone(&woken));
        Ok(Self { budget, key, woken })
    }
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        let mut state = self.budget.state();
        state.waiters.remove(&self.key);
        state.wake_head();
    }
}

/// The right to one request; dropping it ends the request.
#[derive(Debug)]
pub(super) struct Permit {
    budget: Arc<HostBudget>,
}

impl Drop for Permit {
    fn drop(&mut self) {
        let mut state = self.budget.state();
        state.in_flight = state.in_flight.saturating_sub(1);
        state.wake_head();
    }
}

#[cfg(test)]
#[path = "tests/budget.rs"]
mod tests;
