//! Restates a refresh in three steps, between which anything may happen: what waits is read, the registry is asked, the end is
//! written. It must not know what is checked.

use std::collections::{BTreeMap, BTreeSet};

use jiff::{SignedDuration, Timestamp};

use super::World;
use super::ledger::{Ending, Row};
use super::surroundings::{Hint, Nature, REPOSITORIES, TAGS, TARGETS, TargetNo};
use super::witness::Broken;
use crate::journal::{EntryId, Outcome, Setback};
use crate::receiver::Reach;
use crate::refresh::{Extent, Occasion};

#[derive(Debug)]
pub(super) struct Refresh {
    pub target: TargetNo,
    extent: Extent,
    stage: Stage,
}

#[derive(Debug)]
enum Stage {
    Begun,
    Read(Read),
    Looked(Read, Look),
}

#[derive(Debug)]
struct Read {
    began: Timestamp,
    waiting: Vec<(EntryId, Row)>,
    /// The target did not exist any more.
    gone: bool,
}

/// What the registry said.
#[derive(Debug, Default)]
struct Look {
    seen: BTreeMap<Hint, u32>,
    absent: BTreeSet<Hint>,
    failed: Option<Setback>,
}

impl Look {
    fn outcome(&self, hints: &[Hint]) -> Outcome {
        match &self.failed {
            Some(setback) => Outcome::Setback(setback.clone()),
            None if hints.iter().any(|hint| self.absent.contains(hint)) => {
                Outcome::Setback(Setback::NotVisible("no such tag".to_owned()))
            }
            None => Outcome::Effected,
        }
    }
}

/// Whose refresh it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Place {
    /// The process's, which hears of its end.
    InCharge,
    /// That of a process that was replaced, of which nobody hears.
    Replaced,
}

/// A refresh goes on, or is over and wishes for something.
enum Step {
    On(Refresh),
    Over(Vec<(Extent, Timestamp)>),
}

impl Refresh {
    pub fn begun(target: TargetNo, extent: Extent) -> Self {
        Self {
            target,
            extent,
            stage: Stage::Begun,
        }
    }
}

impl World {
    /// One step of a refresh of the process.
    pub fn advance(&mut self, place: usize) -> Result<(), Broken> {
        let Some(process) = &mut self.process else {
            return Ok(());
        };
        let refresh = process.refreshes.swap_remove(place);
        let target = refresh.target;
        match (self.step(refresh, Place::InCharge)?, &mut self.process) {
            (Step::On(refresh), Some(process)) => process.refreshes.push(refresh),
            (Step::Over(next), _) => {
                let next = next.into_iter().map(|(extent, due)| (target, extent, due));
                self.after_commit(Some(target), next.collect());
            }
            (Step::On(_), None) => {}
        }
        Ok(())
    }

    /// One step of a refresh of a process that was replaced.
    pub fn advance_zombie(&mut self, place: usize) -> Result<(), Broken> {
        let refresh = self.zombies.swap_remove(place);
        if let Step::On(refresh) = self.step(refresh, Place::Replaced)? {
            self.zombies.push(refresh);
        }
        Ok(())
    }

    fn step(&mut self, refresh: Refresh, place: Place) -> Result<Step, Broken> {
        let Refresh { target, extent, stage } = refresh;
        let stage = match stage {
            Stage::Begun => {
                let (began, waiting) = (self.now(), self.ledger.waiting(target));
                let gone = !self.around.living.contains_key(&target);
                if waiting.is_empty() && (gone || extent == Extent::Hinted) {
                    return Ok(Step::Over(Vec::new()));
                }
                Stage::Read(Read { began, waiting, gone })
            }
            Stage::Read(read) => {
                let look = self.look(target, extent, &read);
                Stage::Looked(read, look)
            }
            Stage::Looked(read, look) if self.commit_fails() => Stage::Looked(read, look),
            Stage::Looked(read, look) => return Ok(Step::Over(self.settle(target, extent, &read, &look, place)?)),
        };
        Ok(Step::On(Refresh { target, extent, stage }))
    }

    /// The registry's answer at this moment. A target that is gone asks nothing.
    fn look(&self, target: TargetNo, extent: Extent, read: &Read) -> Look {
        let mut look = Look::default();
        if read.gone {
            return look;
        }
        look.failed = match TARGETS[target].nature {
            Nature::Hopeless => Some(Setback::Hopeless("its spec cannot work".to_owned())),
            Nature::Refused => Some(Setback::Failed("the registry refuses".to_owned())),
            Nature::Healthy if self.around.registry.down => Some(Setback::Failed("the registry is down".to_owned())),
            Nature::Healthy => None,
        };
        if look.failed.is_some() {
            return look;
        }
        let mut hints: BTreeSet<Hint> = read.waiting.iter().flat_map(|(_, row)| row.hints.clone()).collect();
        if let Extent::Full(_) = extent {
            let all = (0..REPOSITORIES.len()).flat_map(|repository| (0..TAGS.len()).map(move |tag| (repository, tag)));
            let visible = |hint: &Hint| self.around.registry.visible(*hint, self.around.clock.elapsed).is_some();
            hints.extend(all.filter(|hint| TARGETS[target].wants(*hint, &Reach::Everywhere) && visible(hint)));
        }
        for hint in hints {
            match self.around.registry.visible(hint, self.around.clock.elapsed) {
                Some(version) => drop(look.seen.insert(hint, version)),
                None => drop(look.absent.insert(hint)),
            }
        }
        look
    }

    /// `settle` and `settle_for_nobody`: status and work are written together. Returns what is wished for next.
    fn settle(
        &mut self,
        target: TargetNo,
        extent: Extent,
        read: &Read,
        look: &Look,
        place: Place,
    ) -> Result<Vec<(Extent, Timestamp)>, Broken> {
        let ended = self.now();
        let mut endings = Vec::new();
        for (entry, row) in &read.waiting {
            let (Some(attempt), Some(due)) = (row.work.next_attempt(), row.work.due(read.began, &self.policy)) else {
                continue;
            };
            let outcome = look.outcome(&row.hints);
            // What was taken along before its time loses nothing by it: else a burst of events for one tag would use up the
            // patience that is there for another.
            if due > read.began && outcome != Outcome::Effected {
                let more = row
                    .work
                    .due(ended, &self.policy)
                    .map_or(0, |due| due.duration_since(ended).as_millis());
                self.witness.taken_along(
                    *entry,
                    target,
                    self.around.clock.elapsed + i64::try_from(more).unwrap_or(0),
                );
                continue;
            }
            let jitter = self.chance.unit();
            endings.push(Ending {
                entry: *entry,
                attempt,
                began: read.began,
                outcome,
                jitter,
            });
        }
        self.show(target, extent, read, look)?;
        self.ledger.settle(target, &endings, ended, &self.policy);
        for ending in &endings {
            self.witness
                .settled(&self.ledger, target, ending, &self.around.clock, place)?;
        }
        // The dues are those that are in the journal now, which a process that took over may have written.
        let rows = read
            .waiting
            .iter()
            .filter_map(|(entry, _)| self.ledger.work.get(&(*entry, target)));
        let dues = rows.filter_map(|row| row.work.due(ended, &self.policy));
        let mut next: Vec<_> = dues.map(|due| (Extent::Hinted, due)).collect();
        if let (Extent::Full(occasion), Some(Setback::Failed(_))) = (extent, &look.failed) {
            let delay = SignedDuration::try_from(self.policy.failed.most).expect("a short time");
            next.push((Extent::Full(occasion), ended + delay));
        }
        Ok(next)
    }

    fn show(&mut self, target: TargetNo, extent: Extent, read: &Read, look: &Look) -> Result<(), Broken> {
        if read.gone || !self.around.living.contains_key(&target) {
            return Ok(());
        }
        let kept = self.ledger.kept.entry(target).or_default();
        let before = kept.clone();
        for (hint, version) in &look.seen {
            let shown = kept.status.entry(*hint).or_default();
            *shown = (*version).max(*shown);
        }
        let listed = matches!(
            extent,
            Extent::Full(Occasion::Interval | Occasion::SpecChanged | Occasion::Requested)
        );
        kept.complete |= listed && look.failed.is_none();
        self.witness.shown(&before, kept, &self.around, listed)
    }
}
