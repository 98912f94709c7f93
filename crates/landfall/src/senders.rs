//! Remembers when each sender was heard of, and says so when one has been silent for too long. What is too long is decided in
//! the core.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use landfall_core::receiver::Sender;
use landfall_core::silence::Rhythm;

use crate::clock::now;
use crate::store::Store;

/// How often silence is listened to.
const LISTEN: Duration = Duration::from_secs(15);
/// How far back is looked for what came to other processes: a few times as far as has to be.
const LOOK_BACK: SignedDuration = SignedDuration::from_secs(60);

/// When senders were heard of; cheap to clone.
#[derive(Clone)]
pub struct Senders {
    rhythms: Arc<Mutex<BTreeMap<Sender, Rhythm>>>,
    factor: u32,
}

impl Senders {
    /// None heard of yet. Silence of `factor` times what is usual is too long; 0 is never.
    pub fn new(factor: u32) -> Self {
        Self {
            rhythms: Arc::default(),
            factor,
        }
    }

    /// A sender has proved itself just now.
    pub fn heard(&self, sender: Sender) {
        let now = now();
        let mut rhythms = self.rhythms();
        let rhythm = rhythms
            .get(&sender)
            .map_or(Rhythm::begun(now), |rhythm| rhythm.heard(now));
        rhythms.insert(sender, rhythm);
    }

    /// Each sender that was heard of, and whether it has been silent for too long.
    pub fn lines(&self) -> Vec<(Sender, Rhythm, bool)> {
        let now = now();
        let rhythms = self.rhythms();
        let lines = rhythms
            .iter()
            .map(|(sender, rhythm)| (*sender, *rhythm, rhythm.silent(now, self.factor).is_some()));
        lines.collect()
    }

    /// Learns from the journal what was before this process, and then says in the log who falls silent, and who is back.
    pub async fn listen(self, store: Store) {
        self.learn(&store).await;
        let mut silent = BTreeMap::new();
        loop {
            tokio::time::sleep(LISTEN).await;
            self.hear_from_others(&store).await;
            for (sender, rhythm, is_silent) in self.lines() {
                let was = silent.insert(sender, is_silent).unwrap_or_default();
                let (last, usual) = (rhythm.last(), rhythm.silent(now(), self.factor));
                match (was, usual) {
                    (false, Some(usual)) => tracing::warn!(
                        %sender, %last, "a sender is silent; lately it was for {} at most. Look at its webhook's settings and history there", whole(usual)
                    ),
                    (true, None) => tracing::info!(%sender, %last, "a sender is heard of again"),
                    _ => {}
                }
            }
        }
    }

    /// What came to other processes on the same store was heard as well.
    async fn hear_from_others(&self, store: &Store) {
        let since = now().checked_sub(LOOK_BACK).unwrap_or(Timestamp::MIN);
        let heard = match store.heard(since).await {
            Ok(heard) => heard,
            // It is asked again in a moment; whoever depends on the store says what is wrong with it.
            Err(error) => return tracing::debug!(%error, "what came to other processes is not known"),
        };
        let mut rhythms = self.rhythms();
        for sender in Sender::ALL {
            let last = heard.iter().find(|(name, _)| name == sender.path_segment());
            let Some((_, last)) = last else { continue };
            let known = rhythms.get(&sender).copied();
            match known {
                Some(known) if known.last() >= *last => {}
                Some(known) => drop(rhythms.insert(sender, known.heard(*last))),
                None => drop(rhythms.insert(sender, Rhythm::begun(*last))),
            }
        }
    }

    async fn learn(&self, store: &Store) {
        let known = match store.rhythms().await {
            Ok(known) => known,
            Err(error) => {
                tracing::warn!(%error, "what the journal tells of senders cannot be read; their silence is noticed later");
                return;
            }
        };
        let mut rhythms = self.rhythms();
        for sender in Sender::ALL {
            let name = sender.path_segment();
            if let Some((_, before)) = known.iter().find(|(known, _)| known == name) {
                let rhythm = rhythms.get(&sender).map_or(*before, |since| before.heard(since.last()));
                rhythms.insert(sender, rhythm);
            }
        }
    }

    fn rhythms(&self) -> MutexGuard<'_, BTreeMap<Sender, Rhythm>> {
        self.rhythms.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A time as people say it.
fn whole(time: jiff::SignedDuration) -> String {
    let minutes = time.as_mins();
    match (minutes / 60, minutes % 60) {
        (0, 0) => format!("{} s", time.as_secs()),
        (0, minutes) => format!("{minutes} min"),
        (hours, minutes) => format!("{hours} h {minutes} min"),
    }
}
