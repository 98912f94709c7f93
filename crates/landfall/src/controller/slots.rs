//! Bounds how many refreshes run side by side for one registry host, so that a thousand that are due at once cost the memory
//! of a few, and a host that does not answer holds up nobody but those who need it.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::{Notify, OwnedSemaphorePermit, Semaphore};

/// Refreshes that nobody waits for.
const BACKGROUND: usize = 16;
/// Refreshes that an event or a person asked for; they do not queue behind the others.
const AWAITED: usize = 64;

/// From so many hosts on, those that are not in use are forgotten.
const MANY: usize = 1000;

/// Slots by host.
pub struct Slots {
    hosts: Mutex<HashMap<(String, Queue), Arc<Semaphore>>>,
    freed: Arc<Notify>,
}

#[derive(Clone, Copy, PartialEq, Eq, Hash)]
enum Queue {
    Background,
    Awaited,
}

/// One slot at one host; whoever waits for one is told when it is free again.
pub struct Slot {
    permit: Option<OwnedSemaphorePermit>,
    freed: Arc<Notify>,
}

/// Slots, at most one for each host, that are kept for one who waits for another host as well, while those behind it are asked.
/// Else it would be passed over for as long as both are busy.
#[derive(Default)]
pub struct Kept(HashMap<(String, bool), OwnedSemaphorePermit>);

/// What one refresh needs to begin: a slot at each host that it will ask.
pub struct Places(HashMap<String, Slot>);

impl Slots {
    /// Slots that are all free. Whenever one is free again, `freed` is signalled.
    pub fn new(freed: Arc<Notify>) -> Self {
        Self {
            hosts: Mutex::default(),
            freed,
        }
    }

    /// A slot at each of these hosts, or none: who has to wait for one host keeps nobody from another, but for one slot that is
    /// `kept` for it from those behind it. Who asks no host at all has its turn among its like.
    pub fn take(&self, hosts: &[String], is_awaited: bool, kept: &mut Kept) -> Option<Places> {
        let nowhere = [String::new()];
        let hosts = if hosts.is_empty() { &nowhere } else { hosts };
        let permits: Vec<_> = hosts.iter().map(|host| (host, self.permit(host, is_awaited))).collect();
        if permits.iter().any(|(_, permit)| permit.is_none()) {
            for (host, permit) in permits {
                let Some(permit) = permit else { continue };
                kept.0.entry((host.clone(), is_awaited)).or_insert(permit);
            }
            return None;
        }
        let slot = |(host, permit): (&String, _)| {
            let freed = self.freed.clone();
            (host.clone(), Slot { permit, freed })
        };
        Some(Places(permits.into_iter().map(slot).collect()))
    }

    fn permit(&self, host: &str, is_awaited: bool) -> Option<OwnedSemaphorePermit> {
        let (queue, size) = match is_awaited {
            true => (Queue::Awaited, AWAITED),
            false => (Queue::Background, BACKGROUND),
        };
        let mut hosts = self.hosts.lock().unwrap_or_else(PoisonError::into_inner);
        if hosts.len() >= MANY {
            // Slots that are all free are not in use; they are made again when they are.
            hosts.retain(|_, slots| Arc::strong_count(slots) > 1);
        }
        let slots = hosts
            .entry((host.to_owned(), queue))
            .or_insert_with(|| Arc::new(Semaphore::new(size)));
        slots.clone().try_acquire_owned().ok()
    }
}

impl Places {
    /// Whether it was taken for these hosts.
    pub fn are_at(&self, hosts: &[String]) -> bool {
        hosts.iter().all(|host| self.0.contains_key(host))
    }

    /// The slot at a host; none where that was not known to be asked.
    pub fn at(&mut self, host: &str) -> Option<Slot> {
        self.0.remove(host)
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        // Free first: whoever is told finds it so.
        drop(self.permit.take());
        self.freed.notify_one();
    }
}

#[cfg(test)]
mod tests {
    use tokio::time::timeout;

    use super::*;

    const NOW: std::time::Duration = std::time::Duration::ZERO;

    fn hosts(names: &[&str]) -> Vec<String> {
        names.iter().map(|name| (*name).to_owned()).collect()
    }

    /// As many as like wait for a host that does not answer: those that ask another as well take no slot of that one.
    #[tokio::test]
    async fn who_waits_for_one_host_takes_no_slot_of_another() {
        let freed = Arc::new(Notify::new());
        let slots = Slots::new(freed.clone());
        let (both, fast) = (hosts(&["fast", "slow"]), hosts(&["fast"]));
        let mut waiting: Vec<Places> = (0..BACKGROUND)
            .map(|_| slots.take(&both, false, &mut Kept::default()).unwrap())
            .collect();
        assert!(slots.take(&fast, false, &mut Kept::default()).is_none());
        // What is done at one host frees the slot there, whatever goes on at the other.
        for places in &mut waiting {
            drop(places.at("fast"));
        }
        assert!(timeout(NOW, freed.notified()).await.is_ok());
        let others: Vec<Places> = (0..BACKGROUND)
            .map(|_| slots.take(&fast, false, &mut Kept::default()).unwrap())
            .collect();
        drop(others);
        let _ = timeout(NOW, freed.notified()).await;
        // Who cannot have all has none, and that is no news to anybody.
        for _ in 0..2 * BACKGROUND {
            assert!(slots.take(&both, false, &mut Kept::default()).is_none());
        }
        assert!(timeout(NOW, freed.notified()).await.is_err());
        assert!(slots.take(&fast, false, &mut Kept::default()).is_some());
        assert!(
            slots.take(&both, true, &mut Kept::default()).is_some(),
            "what is awaited has slots of its own"
        );
        drop(waiting);
        assert!(slots.take(&both, false, &mut Kept::default()).is_some());
    }

    /// Two that both wait for two busy hosts: the one that waits longer has the next slot at each.
    #[test]
    fn who_waits_for_two_hosts_is_not_passed_over() {
        let slots = Slots::new(Arc::default());
        let (both, fast) = (hosts(&["fast", "slow"]), hosts(&["fast"]));
        let take = |hosts: &[String]| slots.take(hosts, false, &mut Kept::default());
        let mut busy: Vec<Places> = (0..BACKGROUND).map(|_| take(&both).unwrap()).collect();
        drop(busy[0].at("fast"));
        let mut kept = Kept::default();
        assert!(slots.take(&both, false, &mut kept).is_none());
        assert!(slots.take(&fast, false, &mut kept).is_none());
        drop(busy[1].at("fast"));
        assert!(
            slots.take(&fast, false, &mut kept).is_some(),
            "one is kept, and no more"
        );
        drop((kept, busy.remove(0)));
        assert!(take(&both).is_some());
    }

    #[test]
    fn who_asks_no_host_has_a_turn_as_well() {
        let slots = Slots::new(Arc::default());
        let turns: Vec<Option<Places>> = (0..=BACKGROUND)
            .map(|_| slots.take(&[], false, &mut Kept::default()))
            .collect();
        assert!(turns[BACKGROUND - 1].is_some() && turns[BACKGROUND].is_none());
    }
}
