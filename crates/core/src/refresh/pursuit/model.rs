//! Lets two processes ask for refreshes of one Warehouse, and serve it by turns, through many schedules, and holds that in the
//! end nothing was missed: whoever wrote the status has looked at what each event points at after it came, at everything that a person or
//! a spec asked for, has answered the last token, and rests. It must not know Kubernetes.
//!
//! A schedule is a seed: watches are late, writers see what is no more, answers to them are lost, people ask by tokens of their
//! own and by one that they used before, looks fail, leaders change, processes end at any point, specs change, some to one of
//! which a part can never work, the Warehouse is made again under its name. That it bites was tried out; each of these changes fails within the default number of schedules:
//!
//! | What is broken | What fails |
//! |---|---|
//! | annotations are written whatever they say now | missed |
//! | what was not answered is left out of the next handover | missed |
//! | a token that was answered asks for nothing, whatever the chain says | missed |
//! | what is made again is taken for what was there before | missed |
//! | a look that failed answers | missed |
//! | whoever leads after others takes their looks for its own | missed |
//! | who ends before it has caught up with others forgets that it had to | missed |
//! | what failed for others is not taken up | missed |
//! | an event was heard of whenever its tag was | missed |
//! | what was answered is no less urgent than before, and is not written | restless |
//! | a request for everything is content with what was seen before it was heard of | missed |

use std::collections::HashMap;

use super::super::{Ask, HINTS_ANNOTATION, Pointer, hand_over};
use super::*;
use crate::artifact::Tag;
use crate::repository::{ImageRepository, Repository};

const SEEDS: u64 = 2_000;
const STEPS: u32 = 120;
/// So long that nothing is found by it.
const INTERVAL: Duration = Duration::from_secs(1_000_000_000);
/// Looks of one who has nothing more to hear.
const LAST_LOOKS: u32 = 40;

/// SplitMix64: the same seed, the same schedule.
struct Chance(u64);

impl Chance {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ (mixed >> 31)) % bound
    }

    fn one_in(&mut self, of: u64) -> bool {
        self.below(of) == 0
    }
}

/// What must have been looked at in the end.
#[derive(Debug)]
enum Duty {
    /// A tag, since this time.
    Tag(Pointer, Timestamp),
    /// Everything, by a spec of at least this generation, since this time.
    All(i64, Timestamp),
}

/// One process: asks for refreshes, and serves while it leads.
#[derive(Default)]
struct Process {
    /// How much of the history its watch has told, and what it knows, which is more where it has written itself.
    told: usize,
    view: Progress,
    /// Events that it has still to ask for.
    waiting: Vec<Pointer>,
    pursuit: Pursuit,
    noticed: Noticed,
    looking: Option<(Task, Timestamp)>,
    /// When it looked at each tag last, and at everything, by which spec of which object. The disk keeps it.
    tags: HashMap<Hint, Timestamp>,
    /// Everything is two parts, of which one may fail and the other not.
    all: [Vec<(String, i64, Timestamp)>; 2],
    /// Whether others may have seen since what it did not, as far as the disk tells.
    is_behind: bool,
}

struct World {
    chance: Chance,
    now: Timestamp,
    /// What the object said, the last first to be so.
    history: Vec<Progress>,
    processes: [Process; 2],
    leader: usize,
    /// Who wrote last what it had found.
    writer: usize,
    duties: Vec<Duty>,
    names: u32,
    calm: bool,
}

impl World {
    fn new(seed: u64) -> Self {
        let mut world = Self {
            chance: Chance(seed),
            now: Timestamp::UNIX_EPOCH,
            history: Vec::new(),
            processes: [Process::default(), Process::default()],
            leader: 0,
            writer: 0,
            duties: Vec::new(),
            names: 0,
            calm: false,
        };
        world.make();
        for process in &mut world.processes {
            process.view = world.history[0].clone();
        }
        world
    }

    fn name(&mut self) -> String {
        self.names += 1;
        self.names.to_string()
    }

    fn object(&self) -> Progress {
        self.history.last().cloned().unwrap_or_default()
    }

    /// The Warehouse is made, perhaps again. What was asked of one before is nobody's business any more.
    fn make(&mut self) {
        let uid = self.name();
        self.history.push(Progress {
            uid,
            generation: 1,
            ..Progress::default()
        });
        self.duties = vec![Duty::All(1, self.now)];
        for process in &mut self.processes {
            process.waiting.clear();
        }
    }

    fn step(&mut self) {
        self.now = later(self.now, Duration::from_secs(1));
        let place = self.chance.below(2) as usize;
        match self.chance.below(100) {
            0..15 => self.event(place),
            15..18 => self.person(),
            18..20 => self.change(),
            20 => self.make(),
            21..24 => self.end(place),
            24..27 => self.lead(1 - self.leader),
            27..50 => self.tell(place),
            50..70 => self.ask(place),
            _ => self.serve(),
        }
    }

    fn event(&mut self, place: usize) {
        let tag = Tag::parse(&format!("1.0.{}", self.chance.below(3))).unwrap();
        let pointer = Pointer {
            hint: Hint {
                repository: Repository::Image(ImageRepository::parse("ghcr.io/shop/api").unwrap()),
                tag: Some(tag),
                claimed: None,
            },
            event: self.name(),
        };
        self.duties.push(Duty::Tag(pointer.clone(), self.now));
        self.processes[place].waiting.push(pointer);
    }

    /// Somebody asks by a token of his own, or by one that may have been used before, which asks for nothing more than it did.
    fn person(&mut self) {
        let mut object = self.object();
        object.token = Some(match self.chance.one_in(2) {
            true => {
                // Nobody can tell what stood there before, which was a person's own.
                if object.token.is_some_and(|before| before.starts_with('p')) {
                    self.duties.retain(|duty| !matches!(duty, Duty::All(0, _)));
                }
                "now".to_owned()
            }
            false => {
                self.duties.push(Duty::All(0, self.now));
                format!("p{}", self.name())
            }
        });
        self.history.push(object);
    }

    fn change(&mut self) {
        let mut object = self.object();
        object.generation += 1;
        self.duties.push(Duty::All(object.generation, self.now));
        self.history.push(object);
    }

    /// A watch tells more, of what may be no more.
    fn tell(&mut self, place: usize) {
        let process = &mut self.processes[place];
        let behind = (self.history.len() - 1 - process.told) as u64;
        process.told += match self.calm {
            true => behind as usize,
            false => self.chance.below(behind + 1) as usize,
        };
        process.view = self.history[process.told].clone();
    }

    /// A process asks for what it waits for, if the object still says what it believes; else it reads what the object says.
    fn ask(&mut self, place: usize) {
        let token = format!("t{}", self.name());
        let mut object = self.object();
        let process = &mut self.processes[place];
        if process.waiting.is_empty() {
            return;
        }
        let seen = process.view.seen();
        if (seen.token, seen.hints) == (object.token.as_deref(), object.hints.as_deref()) {
            let ask = Ask {
                everything: false,
                at: process.waiting.clone(),
            };
            object.hints = Some(hand_over(seen, &token, &ask));
            object.token = Some(token.clone());
            process.view.token = Some(token);
            process.view.hints.clone_from(&object.hints);
        } else if !self.calm && self.chance.one_in(6) {
            object.hints = None;
            object.token = Some(token);
        } else {
            process.view = object;
            return;
        }
        self.history.push(object);
        // That it worked may be lost: then it asks again.
        if self.calm || !self.chance.one_in(8) {
            process.waiting.clear();
        }
    }

    /// Whoever leads begins a look, or ends one.
    fn serve(&mut self) {
        let (now, policy) = (self.now, RetryPolicy::default());
        let process = &mut self.processes[self.leader];
        let Some((task, began)) = process.looking.take() else {
            let (pursuit, view) = (&mut process.pursuit, &process.view);
            let task = pursuit.begin(view, INTERVAL, &policy, &mut process.noticed, now);
            process.looking = task.map(|task| (task, now));
            return;
        };
        let fails = !self.calm && self.chance.one_in(3);
        let is_full = matches!(task.extent, Extent::Full(_));
        let works = is_workable(task.generation);
        if is_full {
            let parts = if fails { 1 } else { 2 };
            for all in &mut process.all[..parts] {
                // One does not look again at what went well since everything is being looked at.
                let known = all.iter().rfind(|(uid, generation, at)| {
                    (uid, *generation) == (&task.uid, task.generation) && *at >= task.since
                });
                let known = known.map_or(began, |(_, _, at)| *at);
                all.push((task.uid.clone(), task.generation, known));
            }
        }
        let found = match fails {
            true => Found {
                outcome: Outcome::Setback(Setback::Failed("503".to_owned())),
                complete_since: None,
                unseen: task.hints.keys().cloned().collect(),
            },
            false => {
                for (hint, since) in &task.hints {
                    // A look that others made since then will do.
                    let known = process.tags.get(hint).filter(|known| *known >= since);
                    let known = known.copied().unwrap_or(began);
                    process.tags.insert(hint.clone(), known);
                }
                if is_full {
                    // That is noted so much later that the watch has told of everything before.
                    let spec = self.history.last().map(|object| object.generation);
                    process.is_behind &= spec != Some(task.generation);
                }
                Found {
                    outcome: match works {
                        true => Outcome::Effected,
                        false => Outcome::Setback(Setback::Hopeless("bad regex".to_owned())),
                    },
                    complete_since: Some(began).filter(|_| is_full),
                    unseen: Vec::new(),
                }
            }
        };
        let conclusion = process.pursuit.end(&task, found, now, 0.5, &policy);
        // It may end before it writes, and has to write to the object that it looked at.
        let mut object = self.object();
        if !self.calm && self.chance.one_in(10) {
            return self.end(self.leader);
        }
        if object.uid != task.uid {
            return;
        }
        // Of a newer spec another one has written.
        if object.observed_generation > task.generation {
            return;
        }
        object.observed_generation = task.generation;
        object.is_unfinished = fails;
        if is_full && !fails && works {
            object.discovered_at = Some(now);
        }
        if let Conclusion::Answered(Some(token)) = conclusion {
            object.handled = token;
        }
        if !fails {
            self.writer = self.leader;
        }
        let view = &mut self.processes[self.leader].view;
        if view.uid == object.uid {
            view.handled.clone_from(&object.handled);
            view.observed_generation = object.observed_generation;
            view.discovered_at = object.discovered_at;
            view.is_unfinished = object.is_unfinished;
        }
        self.history.push(object);
    }

    /// A process ends, and begins again: what it has in memory is lost, what it has on the disk is not. Nobody leads between.
    fn end(&mut self, place: usize) {
        let object = self.object();
        let told = self.history.len() - 1;
        let process = &mut self.processes[place];
        process.looking = None;
        process.pursuit = match process.is_behind {
            true => Pursuit::after_others(),
            false => Pursuit::default(),
        };
        process.noticed = Noticed::default();
        (process.view, process.told) = (object, told);
    }

    /// The other one leads, who does not know what this one saw.
    fn lead(&mut self, place: usize) {
        self.processes[self.leader].looking = None;
        self.leader = place;
        self.processes[place].is_behind = true;
        self.processes[place].pursuit = Pursuit::after_others();
    }

    /// Nothing more happens, and nothing fails.
    fn rest(&mut self) -> Result<(), String> {
        self.calm = true;
        if !is_workable(self.object().generation) {
            self.change();
        }
        for _ in 0..3 {
            for place in 0..2 {
                self.tell(place);
                self.ask(place);
            }
        }
        for _ in 0..2 * LAST_LOOKS {
            self.tell(self.leader);
            // The longest that anything waits.
            self.now = later(self.now, RetryPolicy::default().longest_delay());
            self.serve();
        }
        let leader = &self.processes[self.leader];
        let (extent, due) = leader
            .pursuit
            .next(&leader.view, INTERVAL, &RetryPolicy::default(), self.now);
        match due > self.now && leader.looking.is_none() {
            true => Ok(()),
            false => Err(format!("restless: {extent:?} is due at {due}")),
        }
    }

    fn hold(&self) -> Result<(), String> {
        let (object, writer) = (self.object(), &self.processes[self.writer]);
        let all = |generation: i64, since: Timestamp| {
            let is_it = |(uid, by, began): &(String, i64, Timestamp)| {
                *uid == object.uid && *by >= generation && *began >= since
            };
            writer.all.iter().all(|all| all.iter().any(is_it))
        };
        for duty in &self.duties {
            let is_done = match duty {
                Duty::All(generation, since) => all(*generation, *since),
                Duty::Tag(pointer, since) => {
                    let looked = writer.tags.get(&pointer.hint);
                    looked.is_some_and(|looked| looked >= since) || all(0, *since)
                }
            };
            if !is_done {
                return Err(format!("missed: {duty:?}, and the object says {object:?}"));
            }
        }
        match object.token.as_deref().unwrap_or(&object.handled) == object.handled {
            true => Ok(()),
            false => Err(format!("unanswered: {object:?}")),
        }
    }
}

/// Whether all of a spec can work.
fn is_workable(generation: i64) -> bool {
    generation % 3 != 0
}

/// Lives through one schedule; returns how much was handed over as hints.
fn live(seed: u64) -> Result<usize, String> {
    let mut world = World::new(seed);
    for _ in 0..STEPS {
        world.step();
    }
    world.rest()?;
    world.hold()?;
    let hinted = world.history.iter().filter(|object| object.hints.is_some());
    Ok(hinted.count())
}

#[test]
fn nothing_is_missed_and_in_the_end_everybody_rests() {
    let mut hinted = 0;
    for seed in 0..SEEDS {
        hinted += live(seed).unwrap_or_else(|broken| panic!("seed {seed}: {broken}"));
    }
    assert!(hinted > 10_000, "hardly any {HINTS_ANNOTATION}: {hinted}");
}
