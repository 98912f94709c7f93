//! Matches entries that were not matched in their requests, and writes down the work that comes of it. What wants what says the core's
//! index.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use landfall_core::event::Event;
use landfall_core::matcher::{Explanation, Line};
use landfall_core::refresh::{Extent, Hint};
use landfall_core::repository::Repository;
use landfall_core::target::Target;

use super::{PATROL, Pipeline};
use crate::clock::{now, until};
use crate::live::Live;
use crate::store::{Matched, Unmatched};

/// Entries that are matched and written together.
const BATCH: u32 = 256;
/// Entries and their work that are handed to the store together, unless one entry alone has more: so much is written at once.
const PIECE: usize = 64;
/// When it is tried again to match what is for Promotions while nobody can tell which there are.
const UNTOLD: Duration = Duration::from_secs(1);

impl Pipeline {
    pub(super) async fn match_arrivals(self: Arc<Self>) {
        // Those at the beginning that wait until it can be told for whom they are.
        let mut waiting = 0;
        loop {
            // Asked for before the look, so that what arrives during the look is not slept through.
            let arrival = self.arrivals.notified();
            let by = self.turns_until();
            let unmatched = self
                .persist("entries to be matched", || self.store.unmatched(BATCH, by, waiting))
                .await;
            if unmatched.is_empty() {
                // A wake-up is not all there is to rely on.
                let pause = match std::mem::take(&mut waiting) {
                    0 => self.next_turn().await.map_or(PATROL, |next| until(next).min(PATROL)),
                    _ => UNTOLD,
                };
                let _ = tokio::time::timeout(pause, arrival).await;
                continue;
            }
            let live = self.live.load_full();
            let is_untold = |entry: &Unmatched| entry.events.iter().any(|event| live.cannot_tell(event));
            let (untold, told): (Vec<_>, Vec<_>) = unmatched.into_iter().partition(is_untold);
            waiting += u32::try_from(untold.len()).unwrap_or(BATCH);
            self.match_batch(&live, told).await;
        }
    }

    async fn match_batch(&self, live: &Live, unmatched: Vec<Unmatched>) {
        let now = now();
        let match_one = |entry: &Unmatched| {
            let explain = |event: &Event| live.index.explain(event, &entry.reach);
            let explanations: Vec<Explanation> = entry.events.iter().map(explain).collect();
            let work = hints_by_target(&entry.events, &explanations);
            Matched {
                id: entry.id,
                explanations,
                work,
            }
        };
        let planned: Vec<Matched> = unmatched.iter().map(match_one).collect();
        for together in in_pieces(planned) {
            // A target of an entry with many is refreshed while the work of others is still written.
            let written = |target: &Target| self.wish(target, Extent::Hinted, now);
            self.persist("what matching found", || {
                self.store.plan(together.clone(), now, written)
            })
            .await;
        }
    }
}

/// What is written together: one entry, and as many more as there is room for beside it.
fn in_pieces(planned: Vec<Matched>) -> impl Iterator<Item = Vec<Matched>> {
    let mut planned = planned.into_iter().peekable();
    std::iter::from_fn(move || {
        let mut together = vec![planned.next()?];
        let mut size = rows(&together[0]);
        while let Some(next) = planned.next_if(|next| size + rows(next) <= PIECE) {
            size += rows(&next);
            together.push(next);
        }
        Some(together)
    })
}

fn rows(matched: &Matched) -> usize {
    1 + matched.work.len()
}

/// Where each target that wants any of the events has to look.
pub fn hints_by_target(events: &[Event], explanations: &[Explanation]) -> Vec<(Target, Vec<Hint>)> {
    let mut targets: BTreeMap<&Target, Vec<Hint>> = BTreeMap::new();
    for (event, explanation) in events.iter().zip(explanations) {
        for line in explanation.lines.iter().filter(|line| line.wanted) {
            let hint = hint(event, line);
            for target in &line.targets {
                let hints = targets.entry(target).or_default();
                hints.extend(hint.clone().filter(|hint| !hints.contains(hint)));
            }
        }
    }
    targets
        .into_iter()
        .map(|(target, hints)| (target.clone(), hints))
        .collect()
}

/// Where to look because of an event, by the name that the wish has for the repository; nowhere in particular because of
/// a pull request, or of a request for all of a target.
fn hint(event: &Event, line: &Line) -> Option<Hint> {
    match event {
        Event::ArtifactPushed(pushed) => Some(Hint {
            repository: Repository::Image(pushed.repository.clone()),
            tag: pushed.tag.clone(),
            claimed: pushed.digest.clone(),
        }),
        Event::GitRefPushed(pushed) => Some(Hint {
            repository: Repository::Git(line.named.as_ref().unwrap_or(&pushed.repository).clone()),
            tag: None,
            claimed: None,
        }),
        Event::PullRequestClosed { .. } | Event::RefreshRequested(_) => None,
    }
}
