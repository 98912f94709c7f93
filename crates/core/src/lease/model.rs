//! Lets two or three candidates live with one Lease through many schedules, and holds that never two of them believe to lead
//! at once, that terms grow, and that in quiet times somebody leads. It must not know Kubernetes.
//!
//! A schedule is a seed: requests and answers are late or lost, processes stand still, die and come back under another name,
//! resign, somebody touches the Lease, and each clock runs at a speed of its own, up to 16 % off. That it bites was tried
//! out; each of these changes fails within the default number of schedules:
//!
//! | What is broken | What fails |
//! |---|---|
//! | the deadline counts from the answer and not from the request | two lead |
//! | the deadline is as long as the lease | two lead |
//! | the time of a holder counts from the first look, not from the last change | two lead |
//! | `leads` ignores the deadline | two lead |
//! | a renewal that changes nothing is sent as it is, and a clock stands still | two lead |
//! | a new holder does not count itself | terms |
//! | a failed request is not followed by a look | quiet |

use super::*;

const SEEDS: u64 = 1_000;
/// Steps of the world, in milliseconds.
const TICK: u64 = 50;

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

/// The API server, as far as one Lease goes.
#[derive(Default)]
struct Server {
    lease: Option<Stored>,
    versions: u64,
}

enum Answer {
    Found(Option<Stored>),
    Wrote(Stored),
    Failed,
}

impl Server {
    fn serve(&mut self, request: &Step) -> Answer {
        let (expected, record) = match request {
            Step::Create(record) => (None, record),
            Step::Replace { version, record } => (Some(version), record),
            _ => return Answer::Found(self.lease.clone()),
        };
        let current = self.lease.as_ref();
        if current.map(|lease| &lease.version) != expected {
            return Answer::Failed;
        }
        // What changes nothing is nothing.
        if let Some(same) = current.filter(|lease| lease.record == *record) {
            return Answer::Wrote(same.clone());
        }
        Answer::Wrote(self.put(record.clone()))
    }

    fn put(&mut self, record: Record) -> Stored {
        self.versions += 1;
        let stored = Stored {
            record,
            version: self.versions.to_string(),
            created: Timestamp::UNIX_EPOCH,
        };
        self.lease = Some(stored.clone());
        stored
    }
}

struct Pending {
    request: Step,
    sent: Moment,
    /// When the server has it, and when the answer is back, in milliseconds of the world; `None` is never.
    arrives: Option<u64>,
    returns: Option<u64>,
    answer: Option<Answer>,
}

struct Process {
    candidate: Candidate,
    /// The speed of its clock in thousandths, and whether its time of day stands still.
    speed: u64,
    stopped_wall: bool,
    pending: Option<Pending>,
    /// It stands still until then.
    frozen_until: u64,
}

struct World {
    chance: Chance,
    now: u64,
    server: Server,
    processes: Vec<Process>,
    /// Requests that nobody waits for any more, and that the server may still get.
    strays: Vec<(u64, Step)>,
    names: u32,
    /// The greatest term that anybody led in, and who.
    last: Option<(Term, String)>,
    calm: bool,
}

impl World {
    fn new(seed: u64) -> Self {
        let mut world = Self {
            chance: Chance(seed),
            now: 0,
            server: Server::default(),
            processes: Vec::new(),
            strays: Vec::new(),
            names: 0,
            last: None,
            calm: false,
        };
        for _ in 0..2 + world.chance.below(2) {
            let process = world.process();
            world.processes.push(process);
        }
        world
    }

    fn process(&mut self) -> Process {
        self.names += 1;
        Process {
            candidate: Candidate::new(format!("process-{}", self.names), Timing::default()),
            speed: 840 + self.chance.below(321),
            stopped_wall: self.chance.one_in(4),
            pending: None,
            frozen_until: 0,
        }
    }

    /// One tick: what is due arrives, processes do what they would, misfortune happens.
    fn tick(&mut self) -> Result<(), String> {
        self.now += TICK;
        let now = self.now;
        let due = self.strays.extract_if(.., |(at, _)| *at <= now);
        for (_, request) in due {
            self.server.serve(&request);
        }
        for place in 0..self.processes.len() {
            self.advance(place);
        }
        if !self.calm {
            self.misfortune();
        }
        self.hold()
    }

    fn advance(&mut self, place: usize) {
        let now = self.now;
        let process = &mut self.processes[place];
        if let Some(pending) = &mut process.pending
            && pending.arrives.is_some_and(|at| at <= now)
        {
            pending.arrives = None;
            pending.answer = Some(self.server.serve(&pending.request));
        }
        if now < process.frozen_until {
            return;
        }
        let local = process.local(now);
        if let Some(pending) = process.pending.take() {
            let timed_out = local >= pending.sent + process.candidate.timing.request();
            if pending.returns.is_some_and(|at| at <= now) {
                process.answered(pending, local);
            } else if timed_out {
                process.candidate.failed(Failure::Unanswered, pending.sent, local);
                self.strays.extend(pending.arrives.map(|at| (at, pending.request)));
            } else {
                process.pending = Some(pending);
            }
            return;
        }
        let wall = Timestamp::from_millisecond(if process.stopped_wall { 0 } else { now as i64 }).unwrap();
        match process.candidate.step(local, wall) {
            Step::Wait { .. } => {}
            Step::Done => self.processes[place] = self.process(),
            request => {
                let pending = self.send(request, local);
                self.processes[place].pending = Some(pending);
            }
        }
    }

    fn send(&mut self, request: Step, sent: Moment) -> Pending {
        let (lost, late) = if self.calm { (u64::MAX, 100) } else { (6, 4_000) };
        let arrives = self.now + self.chance.below(late);
        let arrives = (!self.chance.one_in(lost)).then_some(arrives);
        let returns = arrives.map(|at| at + self.chance.below(late));
        Pending {
            request,
            sent,
            returns: returns.filter(|_| !self.chance.one_in(lost)),
            arrives,
            answer: None,
        }
    }

    fn misfortune(&mut self) {
        let place = self.chance.below(self.processes.len() as u64) as usize;
        match self.chance.below(1_000) {
            0..4 => self.processes[place].frozen_until = self.now + self.chance.below(20_000),
            4..6 => self.processes[place] = self.process(),
            6..8 => {
                let local = self.processes[place].local(self.now);
                self.processes[place].candidate.resign(local);
            }
            // An annotation: the version changes, and what it says does not.
            8..11 => {
                if let Some(record) = self.server.lease.as_ref().map(|lease| lease.record.clone()) {
                    self.server.put(record);
                }
            }
            _ => {}
        }
    }

    fn leaders(&self) -> Vec<(Term, String)> {
        let leads = |process: &Process| {
            let (term, _) = process.candidate.leads(process.local(self.now))?;
            Some((term, process.candidate.identity.clone()))
        };
        self.processes.iter().filter_map(leads).collect()
    }

    fn hold(&mut self) -> Result<(), String> {
        let leaders = self.leaders();
        if leaders.len() > 1 {
            return Err(format!("two lead: {leaders:?}"));
        }
        for (term, name) in leaders {
            if let Some((last, before)) = &self.last
                && (term < *last || (term == *last && name != *before))
            {
                return Err(format!("terms: {name} leads in {term} after {before} in {last}"));
            }
            self.last = Some((term, name));
        }
        Ok(())
    }
}

impl Process {
    fn local(&self, now: u64) -> Moment {
        Moment::from_millis(now * self.speed / 1_000)
    }

    fn answered(&mut self, pending: Pending, local: Moment) {
        match pending.answer {
            Some(Answer::Found(found)) => self.candidate.looked(found, local),
            Some(Answer::Wrote(stored)) => self.candidate.wrote(stored, pending.sent, local),
            Some(Answer::Failed) => self.candidate.failed(Failure::Outdated, pending.sent, local),
            None => self.candidate.failed(Failure::Unanswered, pending.sent, local),
        }
    }
}

/// Lives through one schedule; returns how often somebody new led.
fn live(seed: u64) -> Result<i32, String> {
    let mut world = World::new(seed);
    for _ in 0..2_400 {
        world.tick()?;
    }
    world.calm = true;
    for process in &mut world.processes {
        process.frozen_until = 0;
    }
    // A Lease by the slowest clock, with the looks and late requests around it; then whoever leads goes on.
    for _ in 0..30_000 / TICK {
        world.tick()?;
    }
    let leader = world.leaders();
    for _ in 0..20_000 / TICK {
        world.tick()?;
        if leader.is_empty() || world.leaders() != leader {
            return Err(format!("quiet: after {leader:?} came {:?}", world.leaders()));
        }
    }
    Ok(world.server.lease.map_or(0, |lease| lease.record.transitions))
}

#[test]
fn never_two_lead_and_in_quiet_times_one_does() {
    let mut transitions = 0;
    for seed in 0..SEEDS {
        transitions += live(seed).unwrap_or_else(|broken| panic!("seed {seed}: {broken}"));
    }
    assert!(transitions > 1_000, "hardly anything happened: {transitions}");
}
