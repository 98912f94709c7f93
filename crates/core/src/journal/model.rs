//! Lives the life of journal entries and of each target's attempts through thousands of schedules, and holds what must hold
//! after every step. It must not know how the store, the registry client or the pipeline work.
//!
//! A schedule is a seed: some hundred steps in which the process dies at any point or is replaced, commits fail, the clock
//! jumps, the registry is down or late, senders try again, people replay, targets go and come; then a calm in which
//! everything must come to its end. [`witness`] holds the invariants, and each failure begins with the number of one:
//!
//! 1. what was answered with a 2xx is in the journal, or was finished and let go by retention;
//! 2. in the end every living target shows what it was promised, or the work is dead with a reason; nothing waits forever;
//! 3. a status shows only what the registry has, and without a full look only what was delivered;
//! 4. ids increase in the order of commits;
//! 5. a late answer changes nothing, and only a replay changes what is done;
//! 6. an event with its sender's id is followed up once while that is neither forgotten nor given up;
//! 7. no target waits for another one, and one refresh of a target runs at a time;
//! 8. attempts are as many as the policy says and come when it says, also when the clock was set back;
//! 9. retention removes nothing unfinished and nothing that is neither too old nor too much.
//!
//! Ids, keys, states, dues, plans, matching and retention's limits are the core's. What effects do between and in commits is
//! restated, as little as it takes: in [`ledger`] the store, in [`process`] and [`mod@refresh`] the pipeline. The model holds
//! for the real ones only as far as they do the same.
//!
//! That it bites was tried out. Each of these changes fails within the default number of schedules:
//!
//! | What is broken | Invariant |
//! |---|---|
//! | `Work::after` ignores which attempt ended | 5 |
//! | `Work::after` does not carry the count of failures on | 5 |
//! | `Work::replayed` does not count the replay | 5 |
//! | `Work::due` ignores that the clock was set back | 8 |
//! | `Backoff` allows one attempt more | 5 |
//! | `Backoff` is not bounded by its longest delay | 8 |
//! | `Plan::wish` drops wishes while a refresh runs | 7 |
//! | `Plan::finished` drops the wishes that came meanwhile | 2, 7 |
//! | `Plan::begin_due` does not mark what runs | 7 |
//! | `Plan::begin_due` takes the full refresh along with hints | 2 |
//! | `Plan` does not follow the clock back | 7 |
//! | `EntryIds` follow the clock back | 4 |
//! | `Retention` lets go at half the age, or one entry too many | 9 |
//! | `Index` ignores a receiver's reach | 3 |
//! | restated: the answer leaves before the commit | 1 |
//! | restated: the work is done without its status | 2 |
//! | restated: work that came after the look is settled by it | 2 |
//! | restated: retention lets the newest entry go, and its id is given again | 4 |
//! | restated: deduplication forgets everything, or counts what was given up | 6 |
//! | restated: a new process takes dues as they are written, or takes nothing up | 7 |
//! | restated: an attempt before its time counts | 8 |
//! | restated: retention removes waiting or unmatched entries | 9 |

mod calm;
mod chance;
mod ledger;
mod process;
mod refresh;
mod steps;
mod surroundings;
mod witness;

use std::sync::OnceLock;
use std::time::Duration;

use jiff::Timestamp;

use self::chance::Chance;
use self::ledger::Ledger;
use self::process::Process;
use self::refresh::Refresh;
use self::surroundings::{Surroundings, TARGETS, TargetNo};
use self::witness::{Broken, Witness};
use super::{Backoff, Retention, RetryPolicy};
use crate::matcher::{Index, IndexBuilder};
use crate::target::Target;

/// Schedules of a run that nobody asked to be longer.
const SEEDS: u64 = 2_000;
/// For so many milliseconds after the calm began, the registry may still hide what was pushed.
const HIDDEN: i64 = 30_000;

struct World {
    chance: Chance,
    around: Surroundings,
    ledger: Ledger,
    witness: Witness,
    process: Option<Process>,
    /// Refreshes of processes that were replaced.
    zombies: Vec<Refresh>,
    targets: Vec<Target>,
    policy: RetryPolicy,
    retention: Retention,
    /// Nothing bad happens any more.
    calm: bool,
}

impl World {
    fn new(seed: u64) -> Self {
        let mut chance = Chance::of(seed);
        let (policy, retention) = (policy(&mut chance), retention(&mut chance));
        Self {
            around: Surroundings::new(&mut chance),
            ledger: Ledger::default(),
            witness: Witness::new(policy),
            process: None,
            zombies: Vec::new(),
            targets: TARGETS.iter().map(surroundings::Cast::target).collect(),
            policy,
            retention,
            calm: false,
            chance,
        }
    }

    fn now(&self) -> Timestamp {
        self.around.clock.now()
    }

    /// Who subscribes to what, as targets exist now. Compiling patterns takes longer than a schedule, so it is done once.
    fn index(&self) -> &'static Index {
        static INDEXES: [OnceLock<Index>; 1 << TARGETS.len()] = [const { OnceLock::new() }; 1 << TARGETS.len()];
        let place = self.around.living.keys().fold(0, |place, target| place | 1 << target);
        INDEXES[place].get_or_init(|| {
            let mut builder = IndexBuilder::default();
            for target in self.around.living.keys() {
                builder.add(&self.targets[*target], &TARGETS[*target].subscriptions());
            }
            builder.build()
        })
    }
}

/// Patience as it is by default, or so little that it often runs out.
fn policy(chance: &mut Chance) -> RetryPolicy {
    if chance.one_in(2) {
        return RetryPolicy::default();
    }
    let mut backoff = || {
        let first = Duration::from_millis(50 + chance.below(2_000) as u64);
        Backoff {
            first,
            most: first * (1 + u32::try_from(chance.below(30)).expect("a small number")),
            attempts: 1 + u32::try_from(chance.below(6)).expect("a small number"),
        }
    };
    RetryPolicy {
        failed: backoff(),
        not_visible: backoff(),
        is_endless: false,
    }
}

/// A journal that forgets nothing within the schedule, or a small one.
fn retention(chance: &mut Chance) -> Retention {
    if chance.one_in(3) {
        return Retention::default();
    }
    Retention {
        age: Duration::from_secs(30 + chance.below(7_200) as u64),
        count: 3 + chance.below(30) as u64,
    }
}

impl World {
    fn live(&mut self, steps: usize, mut tell: impl FnMut(&Self, &str)) -> Result<(), Broken> {
        self.start()?;
        for _ in 0..steps {
            let what = self.happen()?;
            tell(self, what);
            self.check()?;
        }
        self.calm = true;
        self.around.calm(HIDDEN);
        tell(self, "calm");
        self.come_to_rest()?;
        tell(self, "at rest");
        self.around.clock.elapsed += HIDDEN;
        self.replay_the_dead();
        self.come_to_rest()?;
        self.witness.check_calm(&self.ledger, &self.around)?;
        self.prune()?;
        self.check()
    }

    /// What holds at any time is looked at after every step that wrote something; else it holds as it did.
    fn check(&mut self) -> Result<(), Broken> {
        match std::mem::take(&mut self.ledger.written) {
            true => self.witness.check(&self.ledger, &self.around),
            false => Ok(()),
        }
    }

    /// The state in a line.
    fn line(&self) -> String {
        let waiting = self.ledger.work.iter().filter_map(|((entry, target), row)| {
            let attempt = row.work.next_attempt()?;
            Some(format!("{entry}→{target} {}.{}", attempt.replay, attempt.number))
        });
        let waiting: Vec<String> = waiting.take(8).collect();
        let alive = self.process.as_ref();
        let busy: Vec<TargetNo> = alive.map_or(Vec::new(), |it| it.refreshes.iter().map(|it| it.target).collect());
        let (now, passed, alive) = (
            self.now(),
            self.around.clock.elapsed,
            if alive.is_some() { "alive" } else { "down" },
        );
        format!(
            "{now} after {passed} ms, {alive}, refreshing {busy:?}, waiting {}",
            waiting.join(", ")
        )
    }
}

fn run(seed: u64, tell: impl FnMut(&World, &str)) -> Result<(), Broken> {
    let mut world = World::new(seed);
    let steps = 50 + world.chance.below(300);
    world.live(steps, tell)
}

fn number_from(variable: &str) -> Option<u64> {
    std::env::var(variable).ok()?.parse().ok()
}

/// `LANDFALL_MODEL_SEEDS` runs more schedules than by default; `LANDFALL_MODEL_SEED` runs one again.
#[test]
fn everything_holds_through_any_schedule() {
    let seeds = match number_from("LANDFALL_MODEL_SEED") {
        Some(seed) => seed..seed + 1,
        None => 0..number_from("LANDFALL_MODEL_SEEDS").unwrap_or(SEEDS),
    };
    let workers = std::thread::available_parallelism().map_or(1, usize::from);
    std::thread::scope(|scope| {
        for worker in 0..workers {
            let seeds = seeds.clone().skip(worker).step_by(workers);
            scope.spawn(move || seeds.for_each(hold_through));
        }
    });
}

/// Runs a schedule and, if an invariant is broken, runs it again to tell how.
fn hold_through(seed: u64) {
    let Err(broken) = run(seed, |_, _| ()) else { return };
    let (mut steps, mut count) = (std::collections::VecDeque::new(), 0);
    let _ = run(seed, |world, what| {
        count += 1;
        if what == "nothing" {
            return;
        }
        steps.push_back(format!("{count:4} {what}: {}", world.line()));
        steps.drain(..steps.len().saturating_sub(30));
    });
    let steps = steps.make_contiguous().join("\n");
    panic!("invariant {broken}\n\nthe last steps before it:\n{steps}\n\nagain with LANDFALL_MODEL_SEED={seed}");
}
