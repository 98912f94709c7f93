//! Bounds what one address may cost: requests, and guesses at secrets. Both are off unless somebody sets them, since behind a
//! proxy all senders have one address.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Arc, Mutex, PoisonError};

use jiff::{SignedDuration, Timestamp};
use landfall_core::pace::Pace;

/// Addresses that are remembered. Beyond it the quiet ones are forgotten; if all are busy, a further one is not bounded:
/// senders must not suffer from somebody who has many addresses.
const ADDRESSES: usize = 10_000;

/// How often one address may do something; cheap to clone.
#[derive(Clone)]
pub struct Throttle {
    pace: Option<Pace>,
    allowed: u32,
    last: Arc<Mutex<HashMap<IpAddr, Timestamp>>>,
}

impl Throttle {
    /// So often in a minute, half of it at once; 0 is no bound.
    pub fn per_minute(allowed: u32) -> Self {
        Self {
            pace: Pace::new(allowed, SignedDuration::from_mins(1), allowed.div_ceil(2)),
            allowed,
            last: Arc::default(),
        }
    }

    /// Whether the address may do it once more.
    pub(super) fn allows(&self, address: IpAddr, now: Timestamp) -> bool {
        let Some(pace) = self.pace else { return true };
        let last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        pace.slot(self.last(&last, network(address), now), now) <= now
    }

    /// The address has done it.
    pub(super) fn count(&self, address: IpAddr, now: Timestamp) {
        let Some(pace) = self.pace else { return };
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        let address = network(address);
        if last.len() >= ADDRESSES && !last.contains_key(&address) {
            // Whoever has no more to wait for than a newcomer is one.
            let newcomer = pace.slot(None, now);
            last.retain(|_, slot| pace.slot(Some(*slot), now) > newcomer);
            if last.len() >= ADDRESSES {
                return;
            }
        }
        let slot = pace.slot(self.last(&last, address, now), now);
        last.insert(address, slot);
    }

    /// The last slot of an address. What comes at once on many connections may run ahead of the clock, by no more than a
    /// minute's share; what is further ahead is of a clock that has been set back since, and must shut nobody out.
    fn last(&self, known: &HashMap<IpAddr, Timestamp>, address: IpAddr, now: Timestamp) -> Option<Timestamp> {
        let (pace, slot) = (self.pace?, known.get(&address).copied()?);
        (pace.credible(slot, self.allowed, now) == slot).then_some(slot)
    }
}

/// Who has one address of IPv6 has a whole network of them.
fn network(address: IpAddr) -> IpAddr {
    match address {
        IpAddr::V4(_) => address,
        IpAddr::V6(v6) => match v6.to_ipv4_mapped() {
            Some(v4) => IpAddr::V4(v4),
            None => IpAddr::V6(Ipv6Addr::from_bits(v6.to_bits() & !u128::from(u64::MAX))),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(1_800_000_000 + second).unwrap()
    }

    /// How many of `times` attempts are allowed.
    fn allowed(throttle: &Throttle, address: &str, second: i64, times: usize) -> usize {
        let address: IpAddr = address.parse().unwrap();
        let attempts = (0..times).filter(|_| {
            let allowed = throttle.allows(address, at(second));
            if allowed {
                throttle.count(address, at(second));
            }
            allowed
        });
        attempts.count()
    }

    #[test]
    fn each_address_has_its_own_bound() {
        let throttle = Throttle::per_minute(60);
        for (address, second, times, expected) in [
            ("192.0.2.1", 0, 100, 30),
            ("192.0.2.1", 1, 100, 1),
            ("::ffff:192.0.2.1", 1, 100, 0),
            ("192.0.2.2", 1, 100, 30),
            ("2001:db8::1", 1, 20, 20),
            ("2001:db8::2", 1, 20, 10),
            ("2001:db8:0:1::1", 1, 20, 20),
            ("192.0.2.1", 1000, 100, 30),
        ] {
            assert_eq!(
                allowed(&throttle, address, second, times),
                expected,
                "{address} at {second}"
            );
        }
        assert_eq!(allowed(&Throttle::per_minute(0), "192.0.2.1", 0, 1000), 1000);
    }

    #[test]
    fn a_clock_that_is_set_back_shuts_nobody_out_for_more_than_a_minute() {
        let throttle = Throttle::per_minute(60);
        for (second, expected) in [(7200, 30), (7170, 0), (3600, 30), (3600, 0), (3601, 1)] {
            assert_eq!(allowed(&throttle, "192.0.2.1", second, 100), expected, "at {second}");
        }
    }

    #[test]
    fn memory_is_bounded_and_the_busy_are_remembered() {
        let throttle = Throttle::per_minute(2);
        assert_eq!(allowed(&throttle, "192.0.2.1", 0, 5), 1);
        for number in 0..2 * ADDRESSES {
            let address = IpAddr::from([10, 0, (number >> 8) as u8, number as u8]);
            throttle.count(address, at(0));
        }
        assert_eq!(throttle.last.lock().unwrap().len(), ADDRESSES);
        assert_eq!(allowed(&throttle, "192.0.2.1", 1, 5), 0);
        // An hour later they are all forgotten for the first newcomer.
        throttle.count("192.0.2.9".parse().unwrap(), at(3600));
        assert_eq!(throttle.last.lock().unwrap().len(), 1);
    }
}
