//! Decides when each target is refreshed: at most one refresh of a target at a time, wishes that meet become one. It must
//! not know what a refresh does, nor how many registries there are.

mod handover;
mod hint;
mod noticed;
mod progress;
mod pursuit;

use std::collections::{BTreeSet, HashMap};

use jiff::{SignedDuration, Timestamp};

pub use self::handover::{Ask, HINTS_ANNOTATION, Request, Seen, asked, hand_over};
pub use self::hint::{Hint, Pointer};
pub use self::noticed::Noticed;
pub use self::progress::{Progress, Wanted};
pub use self::pursuit::{Conclusion, Found, Pursuit, Task};
use crate::target::Target;

/// How much a refresh looks at.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Extent {
    /// What events pointed at, and nothing else.
    Hinted,
    /// Everything the target subscribes to, listings included.
    Full(Occasion),
}

impl Extent {
    /// Whether it is one that an event or somebody waits for.
    pub fn is_awaited(self) -> bool {
        match self {
            Self::Hinted | Self::Full(Occasion::Requested) => true,
            Self::Full(Occasion::Interval | Occasion::SpecChanged) => false,
        }
    }
}

/// Why a full refresh is due, the more thorough the later in this list.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Occasion {
    /// The target's interval has passed.
    Interval,
    /// The target is new, or what it asks for has changed.
    SpecChanged,
    /// A person or a program asked for it.
    Requested,
}

/// Wishes for refreshes, by target.
#[derive(Debug, Default)]
pub struct Plan {
    slots: HashMap<Target, Slot>,
    queue: BTreeSet<(Timestamp, Target)>,
    seen: Option<Timestamp>,
}

#[derive(Debug, Default)]
struct Slot {
    hinted: Option<Timestamp>,
    full: Option<(Timestamp, Occasion)>,
    running: bool,
}

impl Slot {
    fn due(&self) -> Option<Timestamp> {
        if self.running {
            return None;
        }
        [self.hinted, self.full.map(|(due, _)| due)].into_iter().flatten().min()
    }
}

impl Slot {
    /// What is due, the most thorough first.
    fn extents(&self, now: Timestamp) -> [Option<Extent>; 2] {
        let full = self
            .full
            .filter(|(due, _)| *due <= now)
            .map(|(_, occasion)| Extent::Full(occasion));
        [full, self.hinted.filter(|due| *due <= now).map(|_| Extent::Hinted)]
    }

    /// A full refresh takes all hints along, a hinted one those that are due.
    fn begin(&mut self, extent: Extent, now: Timestamp) {
        match extent {
            Extent::Full(_) => {
                self.full = None;
                self.hinted = None;
            }
            Extent::Hinted => self.hinted = self.hinted.filter(|due| *due > now),
        }
        self.running = true;
    }
}

impl Plan {
    /// Wishes for a refresh of `target` at `due`. An earlier wish of the same extent stands; a full refresh that is due by
    /// then takes the hints along.
    pub fn wish(&mut self, target: &Target, extent: Extent, due: Timestamp) {
        self.change(target, |slot| match extent {
            Extent::Hinted => slot.hinted = Some(slot.hinted.map_or(due, |earlier| earlier.min(due))),
            Extent::Full(occasion) => {
                slot.full = Some(match slot.full {
                    Some((earlier, known)) => (earlier.min(due), known.max(occasion)),
                    None => (due, occasion),
                });
            }
        });
    }

    /// Takes the targets whose time has come; each counts as running until [`Plan::finished`].
    pub fn begin_due(&mut self, now: Timestamp) -> Vec<(Target, Extent)> {
        self.begin_admitted(now, |_, _| true)
    }

    /// Takes the targets whose time has come and that `admit` lets begin. The others stay as they are, and are offered
    /// again; a target that may not begin a full refresh is offered the hinted one that is due as well.
    pub fn begin_admitted(
        &mut self,
        now: Timestamp,
        mut admit: impl FnMut(&Target, Extent) -> bool,
    ) -> Vec<(Target, Extent)> {
        self.follow_the_clock(now);
        let due: Vec<Target> = self
            .queue
            .iter()
            .take_while(|(due, _)| *due <= now)
            .map(|(_, target)| target.clone())
            .collect();
        let mut begun = Vec::new();
        for target in due {
            let Some(extents) = self.slots.get(&target).map(|slot| slot.extents(now)) else {
                continue;
            };
            if let Some(extent) = extents.into_iter().flatten().find(|extent| admit(&target, *extent)) {
                self.change(&target, |slot| slot.begin(extent, now));
                begun.push((target, extent));
            }
        }
        begun
    }

    /// Takes targets whose time has come, the earliest first, for as long as `admit` lets another begin: where one target is
    /// as good as another, those behind the first that may not begin need not be asked about.
    pub fn begin_while(&mut self, now: Timestamp, mut admit: impl FnMut() -> bool) -> Vec<(Target, Extent)> {
        self.follow_the_clock(now);
        let mut begun = Vec::new();
        while let Some((due, target)) = self.queue.first().cloned()
            && due <= now
            && let Some(extent) = self
                .slots
                .get(&target)
                .and_then(|slot| slot.extents(now).into_iter().flatten().next())
            && admit()
        {
            self.change(&target, |slot| slot.begin(extent, now));
            begun.push((target, extent));
        }
        begun
    }

    /// A refresh of `target` is over. Wishes that came meanwhile are due when they say.
    pub fn finished(&mut self, target: &Target) {
        self.change(target, |slot| slot.running = false);
    }

    /// The target exists no more; what runs for it may run on.
    pub fn forget(&mut self, target: &Target) {
        self.change(target, |slot| {
            slot.hinted = None;
            slot.full = None;
        });
    }

    /// When the next refresh is due; `None` while there are no wishes, or only for targets that are running.
    pub fn next_due(&self) -> Option<Timestamp> {
        self.queue.first().map(|(due, _)| *due)
    }

    /// When the first of those is due that are not due yet. What is due and was not admitted does not hide it.
    pub fn next_after(&self, now: Timestamp) -> Option<Timestamp> {
        let first = Target::Warehouse {
            namespace: String::new(),
            name: String::new(),
        };
        let later = now.checked_add(SignedDuration::from_nanos(1)).ok()?;
        self.queue.range((later, first)..).next().map(|(due, _)| *due)
    }

    /// Whether a refresh of `target` is wished for or running.
    pub fn is_about(&self, target: &Target) -> bool {
        self.slots.contains_key(target)
    }

    /// How many targets have a refresh running.
    pub fn running(&self) -> usize {
        self.slots.values().filter(|slot| slot.running).count()
    }

    fn change(&mut self, target: &Target, change: impl FnOnce(&mut Slot)) {
        let slot = self.slots.entry(target.clone()).or_default();
        if let Some(due) = slot.due() {
            self.queue.remove(&(due, target.clone()));
        }
        change(slot);
        match slot.due() {
            Some(due) => {
                self.queue.insert((due, target.clone()));
            }
            None if !slot.running && slot.full.is_none() && slot.hinted.is_none() => {
                self.slots.remove(target);
            }
            None => {}
        }
    }

    /// When the clock is set back, every time in the plan lies too far ahead by as much: move them along.
    fn follow_the_clock(&mut self, now: Timestamp) {
        let back = self.seen.map_or(SignedDuration::ZERO, |seen| seen.duration_since(now));
        self.seen = Some(now);
        if back <= SignedDuration::ZERO {
            return;
        }
        let earlier = |due: Timestamp| due.checked_sub(back).unwrap_or(Timestamp::MIN);
        self.queue.clear();
        for (target, slot) in &mut self.slots {
            slot.hinted = slot.hinted.map(earlier);
            slot.full = slot.full.map(|(due, occasion)| (earlier(due), occasion));
            if let Some(due) = slot.due() {
                self.queue.insert((due, target.clone()));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    fn target(name: &str) -> Target {
        Target::Warehouse {
            namespace: "shop".into(),
            name: name.into(),
        }
    }

    const INTERVAL: Extent = Extent::Full(Occasion::Interval);

    #[test]
    fn wishes_that_meet_become_one() {
        let (mut plan, api) = (Plan::default(), target("api"));
        for due in [5, 3, 4] {
            plan.wish(&api, Extent::Hinted, at(due));
        }
        assert_eq!(plan.next_due(), Some(at(3)));
        assert_eq!(plan.begin_due(at(2)), []);
        assert_eq!(plan.begin_due(at(5)), [(api.clone(), Extent::Hinted)]);
        assert!(plan.is_about(&api));
        plan.finished(&api);
        assert_eq!((plan.next_due(), plan.is_about(&api)), (None, false));
    }

    #[test]
    fn a_hint_does_not_bring_a_listing_forward_and_a_listing_takes_the_hints_along() {
        let (mut plan, api) = (Plan::default(), target("api"));
        plan.wish(&api, INTERVAL, at(300));
        plan.wish(&api, Extent::Hinted, at(1));
        assert_eq!(plan.begin_due(at(1)), [(api.clone(), Extent::Hinted)]);
        plan.finished(&api);
        plan.wish(&api, Extent::Hinted, at(299));
        assert_eq!(plan.begin_due(at(300)), [(api.clone(), INTERVAL)]);
        plan.finished(&api);
        assert_eq!(plan.next_due(), None);
    }

    #[test]
    fn one_refresh_of_a_target_at_a_time_and_nobody_waits_for_a_neighbour() {
        let (mut plan, api, web) = (Plan::default(), target("api"), target("web"));
        plan.wish(&api, Extent::Hinted, at(0));
        assert_eq!(plan.begin_due(at(0)).len(), 1);
        plan.wish(&api, Extent::Hinted, at(0));
        plan.wish(&web, Extent::Hinted, at(0));
        assert_eq!(plan.begin_due(at(1)), [(web, Extent::Hinted)]);
        plan.finished(&api);
        assert_eq!(plan.begin_due(at(1)), [(api, Extent::Hinted)]);
        assert_eq!(plan.running(), 2);
    }

    #[test]
    fn the_most_thorough_occasion_counts() {
        let (mut plan, api) = (Plan::default(), target("api"));
        plan.wish(&api, Extent::Full(Occasion::Requested), at(0));
        plan.wish(&api, INTERVAL, at(0));
        assert_eq!(plan.begin_due(at(0)), [(api, Extent::Full(Occasion::Requested))]);
    }

    #[test]
    fn a_clock_that_is_set_back_moves_the_plan_along() {
        let (mut plan, api) = (Plan::default(), target("api"));
        plan.wish(&api, INTERVAL, at(1_000));
        assert_eq!(plan.begin_due(at(900)), []);
        assert_eq!(plan.begin_due(at(100)), []);
        assert_eq!(plan.next_due(), Some(at(200)));
        assert_eq!(plan.begin_due(at(200)), [(api, INTERVAL)]);
    }

    #[test]
    fn a_target_that_is_not_admitted_keeps_its_wishes_and_hints_do_not_wait_for_listings() {
        let (mut plan, api) = (Plan::default(), target("api"));
        plan.wish(&api, INTERVAL, at(0));
        assert_eq!(plan.begin_admitted(at(1), |_, _| false), []);
        plan.wish(&api, Extent::Hinted, at(1));
        let hinted_only = |_: &Target, extent: Extent| extent == Extent::Hinted;
        assert_eq!(plan.begin_admitted(at(1), hinted_only), [(api.clone(), Extent::Hinted)]);
        plan.finished(&api);
        assert_eq!(plan.begin_due(at(1)), [(api, INTERVAL)]);
    }

    /// Many that wait for a place do not keep one from its time.
    #[test]
    fn what_waits_does_not_hide_what_is_due_later() {
        let mut plan = Plan::default();
        for (name, due) in [("api", 1), ("web", 5), ("db", 7)] {
            plan.wish(&target(name), Extent::Hinted, at(due));
        }
        assert_eq!(plan.begin_admitted(at(2), |_, _| false), []);
        assert_eq!((plan.next_due(), plan.next_after(at(2))), (Some(at(1)), Some(at(5))));
        assert_eq!(plan.next_after(at(5)), Some(at(7)));
        assert_eq!(plan.next_after(at(7)), None);
    }

    #[test]
    fn as_many_begin_as_may_and_the_earliest_first() {
        let mut plan = Plan::default();
        for (name, due) in [("api", 2), ("web", 1), ("db", 3), ("later", 9)] {
            plan.wish(&target(name), Extent::Hinted, at(due));
        }
        let mut left = 2;
        let mut admit = || {
            left -= 1;
            left >= 0
        };
        let begun = plan.begin_while(at(5), &mut admit);
        assert_eq!(
            begun,
            [(target("web"), Extent::Hinted), (target("api"), Extent::Hinted)]
        );
        assert_eq!(plan.begin_while(at(5), || true), [(target("db"), Extent::Hinted)]);
        assert_eq!(plan.begin_while(at(5), || true), []);
    }

    #[test]
    fn a_forgotten_target_is_not_begun() {
        let (mut plan, api) = (Plan::default(), target("api"));
        plan.wish(&api, Extent::Hinted, at(0));
        plan.forget(&api);
        assert_eq!((plan.begin_due(at(1)), plan.slots.len()), (vec![], 0));
    }
}
