//! Restates what effects do between two commits: intake, matching, resuming, refreshes and their settlement. It must not know
//! what is checked; whatever it does is told to the witness.
//!
//! The originals are `intake.rs`, `pipeline.rs`, `pipeline/settle.rs` and `reconfigure.rs` of the binary. Ids, dedupe keys,
//! states, dues, plans, matching and retention are the core's own.

use std::collections::BTreeMap;

use jiff::Timestamp;

use super::World;
use super::refresh::Refresh;
use super::surroundings::{Hint, Sent, TargetNo};
use super::witness::Broken;
use crate::journal::{EntryId, EntryIds};
use crate::refresh::{Extent, Occasion, Plan};
use crate::target::Target;

/// What dies with the process.
#[derive(Debug)]
pub(super) struct Process {
    pub ids: EntryIds,
    pub plan: Plan,
    pub refreshes: Vec<Refresh>,
    pub connections: Vec<Connection>,
    pub matching: Option<Batch>,
}

#[derive(Debug)]
pub(super) struct Connection {
    /// Its place among the messages.
    pub message: usize,
    pub committed: bool,
    pub peer: Peer,
}

/// Whether the sender still waits for the answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Peer {
    There,
    Gone,
}

/// Entries that were matched and are to be written: each with its work.
#[derive(Debug)]
pub(super) struct Batch {
    planned: Vec<(EntryId, Vec<(TargetNo, Vec<Hint>)>)>,
    /// The targets that there were.
    living: BTreeMap<TargetNo, u32>,
}

/// How a process ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum End {
    Died,
    /// Another one took over while it was cut off.
    TakenOver,
}

impl World {
    /// `app.rs` and `Pipeline::resume`: a new process, up to its first look at the plan.
    pub fn start(&mut self) -> Result<(), Broken> {
        self.ledger.reread();
        let (now, mut plan) = (self.now(), Plan::default());
        // Dues as the core says them, not as they are written: a clock may have been set back since.
        for (target, due) in self.ledger.waiting_targets(now, &self.policy) {
            plan.wish(&self.targets[target], Extent::Hinted, due);
        }
        for target in self.around.living.keys() {
            if !self.ledger.kept.get(target).is_some_and(|kept| kept.complete) {
                plan.wish(&self.targets[*target], Extent::Full(Occasion::SpecChanged), now);
            }
        }
        let ids = EntryIds::after(self.ledger.last_id());
        let (refreshes, connections, matching) = (Vec::new(), Vec::new(), None);
        self.process = Some(Process {
            ids,
            plan,
            refreshes,
            connections,
            matching,
        });
        self.witness.restarted(&self.ledger, self.around.clock.elapsed, now)?;
        self.tick()
    }

    /// The process dies. Where another one merely took over, its refreshes go on and end too late.
    pub fn kill(&mut self, end: End) {
        let Some(process) = self.process.take() else { return };
        for connection in process
            .connections
            .iter()
            .filter(|connection| connection.peer == Peer::There)
        {
            self.around.messages[connection.message].sent = Sent::Pending;
        }
        if end == End::TakenOver {
            self.zombies.extend(process.refreshes);
        }
    }

    /// `begin_refreshes`: one look at the plan.
    pub fn tick(&mut self) -> Result<(), Broken> {
        let now = self.now();
        let Some(process) = &mut self.process else {
            return Ok(());
        };
        for (target, extent) in process.plan.begin_due(now) {
            let target = number(&self.targets, &target);
            process.refreshes.push(Refresh::begun(target, extent));
        }
        let busy: Vec<TargetNo> = process.refreshes.iter().map(|refresh| refresh.target).collect();
        self.witness.ticked(&self.ledger, &busy, self.around.clock.elapsed)
    }

    /// A sender posts.
    pub fn post(&mut self, message: usize) {
        let Some(process) = &mut self.process else { return };
        self.around.messages[message].sent = Sent::Open;
        process.connections.push(Connection {
            message,
            committed: false,
            peer: Peer::There,
        });
    }

    /// `Intake::take`: every delivery that waits is written in one commit, or none is and each is answered with 503.
    pub fn commit_arrivals(&mut self) -> Result<(), Broken> {
        let now = self.now();
        let fails = self.commit_fails();
        let Some(process) = &mut self.process else {
            return Ok(());
        };
        if fails {
            for connection in process.connections.extract_if(.., |connection| !connection.committed) {
                // The id is lost with the transaction.
                process.ids.next(now);
                if connection.peer == Peer::There {
                    self.around.messages[connection.message].sent = Sent::Pending;
                }
            }
        }
        for connection in process
            .connections
            .iter_mut()
            .filter(|connection| !connection.committed)
        {
            let message = &self.around.messages[connection.message];
            let expected = self.witness.expects(&self.ledger, message);
            let id = self.ledger.accept(message, &mut process.ids, now);
            self.witness.accepted(&self.ledger, id, &expected)?;
            connection.committed = true;
        }
        Ok(())
    }

    /// The sender hangs up and will send again. What it sent is written all the same.
    pub fn hang_up(&mut self, place: usize) {
        let Some(process) = &mut self.process else { return };
        let connection = &mut process.connections[place];
        if connection.peer == Peer::There {
            connection.peer = Peer::Gone;
            self.around.messages[connection.message].sent = Sent::Pending;
        }
    }

    /// Whoever waits for what was committed sees a 2xx.
    pub fn answer(&mut self) -> Result<(), Broken> {
        let Some(process) = &mut self.process else {
            return Ok(());
        };
        for connection in process.connections.extract_if(.., |connection| connection.committed) {
            if connection.peer == Peer::There {
                let message = &mut self.around.messages[connection.message];
                message.sent = Sent::Answered;
                self.witness.answered(message)?;
            }
        }
        Ok(())
    }

    /// `match_batch`, its first half: who wants what came in.
    pub fn match_arrivals(&mut self) {
        if self.process.as_ref().is_none_or(|process| process.matching.is_some()) {
            return;
        }
        let (mut planned, index) = (Vec::new(), self.index());
        for id in self.ledger.unmatched(4) {
            let entry = &self.ledger.entries[&id];
            let mut work: BTreeMap<TargetNo, Vec<Hint>> = BTreeMap::new();
            for push in &entry.pushes {
                for target in index.explain(&push.report.event, &entry.reach).wanted_by() {
                    let hints = work.entry(number(&self.targets, target)).or_default();
                    if !hints.contains(&push.hint) {
                        hints.push(push.hint);
                    }
                }
            }
            planned.push((id, work.into_iter().collect()));
        }
        let living = self.around.living.clone();
        if let (Some(process), false) = (&mut self.process, planned.is_empty()) {
            process.matching = Some(Batch { planned, living });
        }
    }

    /// `match_batch`, its second half: the work is written, and then wished for.
    pub fn commit_matched(&mut self) -> Result<(), Broken> {
        if self.commit_fails() {
            return Ok(());
        }
        let now = self.now();
        let Some(batch) = self.process.as_mut().and_then(|process| process.matching.take()) else {
            return Ok(());
        };
        let mut wishes = Vec::new();
        for (id, work) in &batch.planned {
            let rows = self.ledger.plan(*id, work, now);
            self.witness
                .matched(&self.ledger, *id, &batch.living, &self.around.clock)?;
            wishes.extend(rows.into_iter().map(|(_, target)| (target, Extent::Hinted, now)));
        }
        self.after_commit(None, wishes);
        Ok(())
    }

    /// A person takes an entry up again.
    pub fn replay(&mut self, entry: EntryId) {
        if self.process.is_none() || self.commit_fails() {
            return;
        }
        let now = self.now();
        let targets = self.ledger.replay(entry, now);
        self.witness.replayed(entry, &targets, &self.around.clock);
        let wishes = targets
            .into_iter()
            .map(|target| (target, Extent::Hinted, now))
            .collect();
        self.after_commit(None, wishes);
    }

    /// What follows a commit, unless the process dies right after it: a target is free again, and wishes are made.
    pub fn after_commit(&mut self, finished: Option<TargetNo>, wishes: Vec<(TargetNo, Extent, Timestamp)>) {
        if !self.calm && self.chance.one_in(40) {
            return self.kill(End::Died);
        }
        let Some(process) = &mut self.process else { return };
        if let Some(target) = finished {
            process.plan.finished(&self.targets[target]);
        }
        for (target, extent, due) in wishes {
            process.plan.wish(&self.targets[target], extent, due);
        }
    }
}

/// A target's place in the cast.
fn number(targets: &[Target], target: &Target) -> TargetNo {
    targets
        .iter()
        .position(|known| known == target)
        .expect("a target of the cast")
}
