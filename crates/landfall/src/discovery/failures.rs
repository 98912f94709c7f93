//! Remembers which repositories could not be looked at a moment ago, and how long it took to find out: a registry that does not
//! answer is not asked again for the sake of a push to another one.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use landfall_core::repository::ImageRepository;

/// A failure is remembered for so many times as long as it took, and never longer than this.
const TIMES: u32 = 4;
const LONGEST: Duration = Duration::from_mins(5);
/// From so many on, those that are over are forgotten.
const MANY: usize = 1000;

/// The latest failures, by repository and access.
#[derive(Default)]
pub struct Failures(Mutex<HashMap<Key, Failure>>);

type Key = (ImageRepository, String);

struct Failure {
    until: Instant,
    problem: String,
}

impl Failures {
    /// Why a look failed so short a time ago that another can wait.
    pub fn lately(&self, repository: &ImageRepository, access: &str) -> Option<String> {
        let failures = self.all();
        let failure = failures.get(&(repository.clone(), access.to_owned()))?;
        (failure.until > Instant::now()).then(|| failure.problem.clone())
    }

    /// A look that took so long has failed, or has not.
    pub fn note(&self, repository: &ImageRepository, access: &str, took: Duration, problem: Option<String>) {
        let now = Instant::now();
        let key = (repository.clone(), access.to_owned());
        let mut failures = self.all();
        let Some(problem) = problem else {
            failures.remove(&key);
            return;
        };
        if failures.len() >= MANY {
            failures.retain(|_, failure| failure.until > now);
        }
        let until = now + took.saturating_mul(TIMES).min(LONGEST);
        failures.insert(key, Failure { until, problem });
    }

    fn all(&self) -> MutexGuard<'_, HashMap<Key, Failure>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failure_is_remembered_for_a_while_that_is_longer_the_longer_it_took() {
        let failures = Failures::default();
        let name = |text: &str| ImageRepository::parse(text).unwrap();
        let (slow, quick) = (name("slow.example/app"), name("quick.example/app"));
        let hour = Duration::from_hours(1);
        failures.note(&slow, "anonymous", hour, Some("no answer".to_owned()));
        failures.note(&quick, "anonymous", Duration::ZERO, Some("refused".to_owned()));
        assert_eq!(failures.lately(&slow, "anonymous").as_deref(), Some("no answer"));
        assert_eq!(failures.lately(&slow, "Secret shop/a"), None);
        assert_eq!(failures.lately(&quick, "anonymous"), None);
        failures.note(&slow, "anonymous", hour, None);
        assert_eq!(failures.lately(&slow, "anonymous"), None);
    }
}
