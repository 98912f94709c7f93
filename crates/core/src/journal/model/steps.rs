//! What can happen in a schedule, one thing at a time. It must not know what must hold afterwards.

use super::World;
use super::process::End;
use super::surroundings::{Sent, TARGETS};
use super::witness::Broken;
use crate::refresh::{Extent, Occasion};

impl World {
    /// The disk is full.
    pub(super) fn commit_fails(&mut self) -> bool {
        !self.calm && self.chance.one_in(10)
    }

    /// Anything that can happen, once. Returns what it was.
    pub(super) fn happen(&mut self) -> Result<&'static str, Broken> {
        if self.process.is_none() && self.chance.one_in(8) {
            self.start()?;
            return Ok("a process begins");
        }
        match self.chance.below(100) {
            what @ 0..39 => self.delivery_happens(what),
            what @ (39..81 | 97..100) => self.work_happens(what),
            what => self.world_happens(what),
        }
    }

    /// Pushes, and what becomes of the deliveries that tell of them.
    fn delivery_happens(&mut self, what: usize) -> Result<&'static str, Broken> {
        let messages = self.around.messages.len();
        let connections = self.process.as_ref().map_or(0, |process| process.connections.len());
        Ok(match what {
            0..10 => {
                self.around.announce(&mut self.chance);
                "a push is announced"
            }
            10 => {
                self.around.push_silently(&mut self.chance);
                "a push is not announced"
            }
            11..25 if messages > 0 => {
                let message = self.chance.below(messages);
                let again = self.around.messages[message].sent == Sent::Answered && self.chance.one_in(4);
                if self.around.messages[message].sent == Sent::Pending || again {
                    self.post(message);
                }
                "a sender posts"
            }
            25..32 => {
                self.commit_arrivals()?;
                "arrivals are written"
            }
            32..38 => {
                self.answer()?;
                "answers are sent"
            }
            38 if connections > 0 => {
                let place = self.chance.below(connections);
                self.hang_up(place);
                "a sender hangs up"
            }
            _ => "nothing",
        })
    }

    /// What the process does with what it has accepted.
    fn work_happens(&mut self, what: usize) -> Result<&'static str, Broken> {
        let refreshes = self.process.as_ref().map_or(0, |process| process.refreshes.len());
        Ok(match what {
            39..45 => {
                self.match_arrivals();
                "arrivals are matched"
            }
            45..50 => {
                self.commit_matched()?;
                "matches are written"
            }
            50..58 => {
                self.tick()?;
                "the plan is looked at"
            }
            58..81 if refreshes > 0 => {
                let place = self.chance.below(refreshes);
                self.advance(place)?;
                "a refresh goes on"
            }
            97..100 if !self.zombies.is_empty() => {
                let place = self.chance.below(self.zombies.len());
                self.advance_zombie(place)?;
                "a refresh of an earlier process goes on"
            }
            _ => "nothing",
        })
    }

    /// What befalls the process: time, people, the registry, its end.
    fn world_happens(&mut self, what: usize) -> Result<&'static str, Broken> {
        let entries = self.ledger.entries.len();
        Ok(match what {
            81..90 => self.pass_time()?,
            90 if entries > 0 => {
                let entry = *self
                    .ledger
                    .entries
                    .keys()
                    .nth(self.chance.below(entries))
                    .expect("an entry");
                self.replay(entry);
                "an entry is replayed"
            }
            91 => {
                self.around.registry.down = !self.around.registry.down;
                "the registry goes down or comes up"
            }
            92..94 => {
                self.create_or_delete();
                "a target is created or deleted"
            }
            94 => {
                self.prune()?;
                "old entries are let go"
            }
            95 => {
                self.request();
                "a refresh is asked for"
            }
            96 => {
                let end = if self.chance.one_in(2) {
                    End::Died
                } else {
                    End::TakenOver
                };
                self.kill(end);
                "the process ends"
            }
            _ => "nothing",
        })
    }

    fn pass_time(&mut self) -> Result<&'static str, Broken> {
        const HOUR: i64 = 3_600_000;
        let what = self.chance.below(20);
        if what < 2 {
            // Every wish wakes the loop that looks at the plan, so it has looked when the clock jumps.
            self.tick()?;
        }
        let clock = &mut self.around.clock;
        Ok(match what {
            0 => {
                clock.offset += self.chance.millis(1, 5 * HOUR);
                "the clock jumps forward"
            }
            1 => {
                self.witness.clock_set_back();
                let most = if self.chance.one_in(2) { 5 * HOUR } else { 600_000 };
                clock.offset -= self.chance.millis(1, most);
                self.ledger.written = true;
                "the clock jumps back"
            }
            2..8 => {
                clock.elapsed += self.chance.millis(1_000, 120_000);
                "minutes pass"
            }
            _ => {
                clock.elapsed += self.chance.millis(1, 3_000);
                "a moment passes"
            }
        })
    }

    /// `reconfigure.rs`: a target comes, or goes with its status.
    fn create_or_delete(&mut self) {
        let (target, now) = (self.chance.below(TARGETS.len()), self.now());
        let deleted = self.around.living.remove(&target).is_some();
        if deleted {
            self.ledger.kept.remove(&target);
        } else {
            self.around.create(target);
        }
        let Some(process) = &mut self.process else { return };
        let name = &self.targets[target];
        if deleted {
            process.plan.forget(name);
            process.plan.wish(name, Extent::Hinted, now);
        } else {
            process.plan.wish(name, Extent::Full(Occasion::SpecChanged), now);
        }
    }

    fn request(&mut self) {
        let (target, now) = (self.chance.below(TARGETS.len()), self.now());
        if let (Some(process), true) = (&mut self.process, self.around.living.contains_key(&target)) {
            process
                .plan
                .wish(&self.targets[target], Extent::Full(Occasion::Requested), now);
        }
    }

    pub(super) fn prune(&mut self) -> Result<(), Broken> {
        if self.process.is_none() || self.commit_fails() {
            return Ok(());
        }
        let (before, now) = (self.ledger.clone(), self.now());
        self.ledger.prune(&self.retention, now);
        self.witness.pruned(&before, &self.ledger, &self.retention, now)
    }
}
