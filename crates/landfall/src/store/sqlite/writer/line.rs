//! Who waits to be written, and who writes next: the desk lies on the table while nobody writes, and whoever takes it has a turn.
//! What a delivery waits for goes before what is only done once more, and takes as much of that along as it does not notice.

use std::collections::VecDeque;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use super::desk::Desk;
use super::{By, Job, Jobs, Promise};

/// At most this many writes share a commit; more would make the first of them wait.
const BATCH: usize = 256;
/// So many rows of what nobody was promised anything of share a commit with what a delivery waits for: a millisecond's work.
pub(in super::super) const ROWS: usize = 64;
/// At most this many writes of either kind wait. Beyond it, saying no at once is kinder than an answer that comes too late.
const WAITING: usize = 4096;

/// Who comes so soon after another is not alone: with one sync for both, the disk has half as much to do.
const ALONE: Duration = Duration::from_millis(5);

/// The writes that wait, and the desk.
pub(super) struct Line {
    state: Mutex<State>,
    /// Something has come, or the desk is back.
    changed: Condvar,
}

struct State {
    waiting: Waiting,
    /// Absent during a turn.
    desk: Option<Box<Desk>>,
    /// When somebody who waits for the disk last joined.
    joined: Option<Instant>,
    /// The thread waits to be woken, which costs a system call.
    is_asleep: bool,
    is_open: bool,
}

impl State {
    /// Whether somebody who waits for the disk has just joined, so that others may be about to.
    fn is_busy(&self) -> bool {
        self.joined.is_some_and(|joined| joined.elapsed() < ALONE)
    }
}

/// What became of a write that joined.
pub(super) enum Joined<'a> {
    /// It is written with others.
    Waiting,
    /// Whoever brought it is to write it.
    Alone(Turn<'a>),
    /// Too many wait.
    Full,
    /// Nothing is written any more.
    Closed,
}

impl Line {
    pub(super) fn with(desk: Desk) -> Self {
        Self {
            state: Mutex::new(State {
                waiting: Waiting::default(),
                desk: Some(Box::new(desk)),
                joined: None,
                is_asleep: false,
                is_open: true,
            }),
            changed: Condvar::new(),
        }
    }

    /// Joins the line; or gets the desk at once, where nobody writes and nobody else is about to. While a sync is on its way somebody
    /// is: those whom it has answered.
    pub(super) fn join(&self, job: Box<dyn Job>, by: By) -> Joined<'_> {
        let mut state = self.state();
        if !state.is_open {
            return Joined::Closed;
        }
        let is_alone = !state.is_busy() && by == By::Bringer && state.waiting.durable.is_empty();
        if job.promise() == Promise::Durable {
            state.joined = Some(Instant::now());
        }
        if let Some(desk) = state.desk.take_if(|desk| is_alone && !desk.syncer.is_awaited()) {
            return Joined::Alone(Turn::of(self, desk, vec![job]));
        }
        if !state.waiting.add(job) {
            return Joined::Full;
        }
        if state.desk.is_some() {
            self.wake(&mut state);
        }
        Joined::Waiting
    }

    /// Nobody joins any more. What waits is written.
    pub(super) fn close(&self) {
        let mut state = self.state();
        state.is_open = false;
        self.wake(&mut state);
    }

    /// Writes what waits, until the line is closed and empty.
    pub(super) fn serve(&self) {
        // If it ends by a bug, nobody is left waiting for it.
        let _closing = Closing(self);
        while let Some(turn) = self.next() {
            turn.write();
        }
    }

    fn next(&self) -> Option<Turn<'_>> {
        let mut has_let_others_come = false;
        let mut state = self.state();
        loop {
            if state.waiting.is_empty() && !state.is_open {
                return None;
            }
            if state.waiting.is_empty() || state.desk.is_none() {
                state.is_asleep = true;
                state = self.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
            } else if state.is_busy() && state.waiting.repeatable.is_empty() && !has_let_others_come {
                // Whoever is about to write as well goes first: a commit costs about as much for many as for one.
                drop(state);
                thread::yield_now();
                has_let_others_come = true;
                state = self.state();
            } else if let Some(desk) = state.desk.take() {
                return Some(Turn::of(self, desk, state.waiting.together()));
            }
        }
    }

    /// Wakes the thread, unless it is awake: then it sees for itself.
    fn wake(&self, state: &mut State) {
        if std::mem::take(&mut state.is_asleep) {
            self.changed.notify_one();
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The line is closed, and whoever waits in it is sent away.
struct Closing<'a>(&'a Line);

impl Drop for Closing<'_> {
    fn drop(&mut self) {
        let left = {
            let mut state = self.0.state();
            state.is_open = false;
            std::mem::take(&mut state.waiting)
        };
        // Outside the lock: what they hold may be the last entrance to this line.
        drop(left);
    }
}

/// The desk, and what is to be written at it. However a turn ends, the desk is there for the next.
pub(super) struct Turn<'a> {
    line: &'a Line,
    desk: Option<Box<Desk>>,
    jobs: Jobs,
}

impl<'a> Turn<'a> {
    fn of(line: &'a Line, desk: Box<Desk>, jobs: Jobs) -> Self {
        Self {
            line,
            desk: Some(desk),
            jobs,
        }
    }

    /// Writes, and leaves to others what takes long.
    fn write(mut self) {
        let jobs = std::mem::take(&mut self.jobs);
        if let Some(desk) = &mut self.desk {
            if let Some(committed) = desk.commit(jobs) {
                desk.syncer.hand_over(committed);
            }
            desk.checkpoints.look(&desk.connection);
        }
    }

    /// Writes, and waits for the disk; others may write meanwhile. A checkpoint that is due comes first: it is rare, and whoever has
    /// the desk next would wait for it.
    pub(super) fn write_and_wait(mut self) {
        let jobs = std::mem::take(&mut self.jobs);
        let Some(desk) = &mut self.desk else { return };
        let committed = desk.commit(jobs);
        desk.checkpoints.look(&desk.connection);
        drop(self);
        if let Some(committed) = committed {
            committed.finish_here();
        }
    }
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        let mut state = self.line.state();
        state.desk = self.desk.take();
        if !state.waiting.is_empty() || !state.is_open {
            self.line.wake(&mut state);
        }
    }
}

/// Writes in their order, of each kind.
#[derive(Default)]
struct Waiting {
    durable: VecDeque<Box<dyn Job>>,
    repeatable: VecDeque<Repeatable>,
}

struct Repeatable {
    rows: usize,
    /// A delivery went before it, because it is more than a delivery takes along. That happens once.
    was_passed: bool,
    job: Box<dyn Job>,
}

impl Waiting {
    fn is_empty(&self) -> bool {
        self.durable.is_empty() && self.repeatable.is_empty()
    }

    /// Whether there is a place for it.
    fn add(&mut self, job: Box<dyn Job>) -> bool {
        match job.promise() {
            Promise::Durable if self.durable.len() < WAITING => self.durable.push_back(job),
            Promise::Repeatable { rows } if self.repeatable.len() < WAITING => {
                self.repeatable.push_back(Repeatable {
                    rows: rows.max(1),
                    was_passed: false,
                    job,
                });
            }
            Promise::Durable | Promise::Repeatable { .. } => return false,
        }
        true
    }

    /// What is to be committed now.
    fn together(&mut self) -> Jobs {
        let deliveries = self.durable.len().min(BATCH);
        let mut together: Jobs = self.durable.drain(..deliveries).collect();
        let goes_first = |next: &mut Repeatable| {
            let is_passed = deliveries > 0 && next.rows > ROWS && !next.was_passed;
            next.was_passed |= is_passed;
            is_passed
        };
        if self.repeatable.front_mut().is_some_and(goes_first) {
            return together;
        }
        let mut all = 0;
        while let Some(next) = self.repeatable.pop_front_if(|next| all == 0 || all + next.rows <= ROWS) {
            all += next.rows;
            together.push(next.job);
        }
        together
    }
}

#[cfg(test)]
mod tests {
    use super::super::{StoreError, Writing};
    use super::*;

    struct Of(Promise);

    impl Job for Of {
        fn promise(&self) -> Promise {
            self.0
        }

        fn run(&mut self, _: &mut Writing<'_>) -> rusqlite::Result<()> {
            Ok(())
        }

        fn answer(self: Box<Self>, _: Result<(), StoreError>) {}
    }

    #[test]
    fn a_delivery_goes_before_what_is_done_once_more_and_takes_little_of_it_along() {
        let (durable, repeatable) = (Promise::Durable, |rows| Promise::Repeatable { rows });
        let mut waiting = Waiting::default();
        for (come, expected) in [
            (
                vec![repeatable(40), durable, repeatable(30), repeatable(10), durable],
                vec![durable, durable, repeatable(40)],
            ),
            (vec![durable], vec![durable, repeatable(30), repeatable(10)]),
            // What is more than fits is alone, and nothing but one commit of deliveries overtakes it.
            (vec![repeatable(500), repeatable(1)], vec![repeatable(500)]),
            (vec![durable], vec![durable, repeatable(1)]),
            (vec![repeatable(500), repeatable(1), durable], vec![durable]),
            (vec![durable], vec![durable, repeatable(500)]),
            (vec![], vec![repeatable(1)]),
            (vec![], vec![]),
        ] {
            for promise in come {
                assert!(waiting.add(Box::new(Of(promise))));
            }
            let together: Vec<_> = waiting.together().iter().map(|job| job.promise()).collect();
            assert_eq!(together, expected);
        }
        assert!((0..=WAITING).any(|_| !waiting.add(Box::new(Of(durable)))));
    }
}
