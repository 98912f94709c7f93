//! What an API server takes with landfall and without it, in turn: deliveries until the annotations that they ask for are there, against the
//! same patches that somebody else sends.

use std::time::{Duration, Instant};

use anyhow::Result;

use crate::cluster::{Cluster, warehouses};
use crate::effects::Effects;
use crate::kubernetes::{count, megabytes};
use crate::load::{CONNECTIONS, dial};
use crate::process::{Server, processor_time};
use crate::report::{Bound, Report};
use crate::senders::{Posted, connect};

/// The share of the API server's own rate that deliveries are to reach.
const RATE: f64 = 0.9;
/// What annotations because of one delivery may take, of what as many patches take.
const FAN_OUT: f64 = 1.25;
/// Deliveries that open landfall's connections to the API server.
const WARM_UP: usize = 256;

/// How long is measured. An API server collects its garbage once in some 3,400 patches, and one collection takes it as long as 800 of them. So
/// a window begins after a collection and holds two more and a part: it would show else how many it happened to hold.
#[derive(Clone, Copy)]
pub struct Windows {
    rounds: usize,
    /// How often each Warehouse gets a delivery of its own, or a patch.
    turns: usize,
    /// How often one delivery, or as many patches, concern as many Warehouses as there are for one.
    fan_outs: usize,
    /// How long there are patches before anything is measured. An API server keeps the changes of 75 seconds for watches that come back; while
    /// it has less than that, each patch costs it a little more than the one before.
    history: Duration,
}

impl Windows {
    pub const FULL: Self = Self {
        rounds: 8,
        turns: 4,
        fan_outs: 8,
        history: Duration::from_secs(75),
    };
    pub const SMALL: Self = Self {
        rounds: 2,
        turns: 1,
        fan_outs: 1,
        history: Duration::ZERO,
    };
}

/// Rounds of one benchmark.
pub struct Rounds<'a> {
    /// Starts landfall, with the data folder of the round before.
    pub start: &'a dyn Fn(&Cluster) -> Result<Server>,
    /// How many there are.
    pub warehouses: usize,
    /// How many one delivery concerns.
    pub most: usize,
    pub windows: Windows,
}

/// Seconds that something took with one after the other: patches without landfall, and deliveries between them.
#[derive(Default)]
struct Turns {
    patches: Vec<f64>,
    deliveries: Vec<f64>,
}

/// What rounds have shown.
#[derive(Default)]
struct Seen {
    /// One for each Warehouse.
    own: Turns,
    /// One for many.
    one: Turns,
    /// landfall's processor time.
    used: Duration,
    /// MB after the deliveries of each round.
    resident: Vec<f64>,
}

impl Rounds<'_> {
    /// Measures, and shows.
    pub fn run(&self, cluster: &mut Cluster, report: &mut Report) -> Result<()> {
        let effects = Effects::watch(&cluster.api, &warehouses())?;
        let mut seen = Seen::default();
        let mut posted = Posted::default();
        let began = Instant::now();
        while began.elapsed() < self.windows.history {
            cluster.patch(self.warehouses)?;
        }
        self.without(cluster, &effects, &mut seen)?;
        for _ in 0..self.windows.rounds {
            self.with(cluster, &effects, &mut posted, &mut seen)?;
            self.without(cluster, &effects, &mut seen)?;
        }
        self.show(&seen, report)
    }

    fn without(&self, cluster: &mut Cluster, effects: &Effects, seen: &mut Seen) -> Result<()> {
        // The API server closes connections that nobody used for a while.
        cluster.connect()?;
        cluster.api.connect()?.collect()?;
        let own = repeated(self.windows.turns, || {
            timed(effects, self.warehouses, || cluster.patch(self.warehouses))
        });
        seen.own.patches.push(own?);
        cluster.api.connect()?.collect()?;
        let one = repeated(self.windows.fan_outs, || {
            timed(effects, self.most, || cluster.patch(self.most))
        });
        seen.one.patches.push(one?);
        Ok(())
    }

    fn with(&self, cluster: &Cluster, effects: &Effects, posted: &mut Posted, seen: &mut Seen) -> Result<()> {
        let landfall = (self.start)(cluster)?;
        cluster.known(&landfall)?;
        let warm_up = WARM_UP.min(self.warehouses);
        let mut connections = connect(&landfall)?;
        timed(effects, warm_up, || posted.own(&landfall, &mut connections, warm_up))?;
        landfall.quiet()?;
        // So does landfall.
        let mut connections = connect(&landfall)?;
        cluster.api.connect()?.collect()?;
        let before = processor_time(landfall.id())?;
        let own = repeated(self.windows.turns, || {
            timed(effects, self.warehouses, || {
                posted.own(&landfall, &mut connections, self.warehouses)
            })
        });
        seen.own.deliveries.push(own?);
        seen.used += processor_time(landfall.id())?.saturating_sub(before);
        landfall.quiet()?;
        let mut connection = dial(&landfall.host)?;
        cluster.api.connect()?.collect()?;
        let one = repeated(self.windows.fan_outs, || {
            timed(effects, self.most, || {
                posted.one(&landfall, &mut connection, self.most).map(drop)
            })
        });
        seen.one.deliveries.push(one?);
        landfall.quiet()?;
        seen.resident.push(megabytes(landfall.resident()?));
        landfall.terminate()
    }

    fn show(&self, seen: &Seen, report: &mut Report) -> Result<()> {
        let turns = count(self.warehouses * self.windows.turns);
        report.figure(
            &format!("patches without landfall, {CONNECTIONS} at once"),
            &format!("{:.0}/s", turns / mean(&seen.own.patches)),
        )?;
        report.figure(
            "deliveries for one Warehouse each, until the last annotation is there",
            &format!("{:.0}/s", turns / mean(&seen.own.deliveries)),
        )?;
        let deliveries = turns * count(self.windows.rounds);
        report.figure(
            "  landfall's processor time for one of these",
            &format!("{:.0} µs", seen.used.as_secs_f64() * 1e6 / deliveries),
        )?;
        let rates = seen.own.ratios(|patches, deliveries| patches / deliveries);
        report.bounded(
            "deliveries / patches",
            seen.own.between() / seen.own.deliveries.iter().sum::<f64>(),
            "",
            Bound::AtLeast(RATE),
        )?;
        report.figure(&format!("  in {} rounds", rates.len()), &range(&rates))?;
        let most = self.most;
        let each = |seconds: &[f64]| format!("{:.0} ms", mean(seconds) * 1e3 / count(self.windows.fan_outs));
        report.figure(&format!("{most} patches without landfall"), &each(&seen.one.patches))?;
        report.figure(
            &format!("{most} annotations because of one delivery"),
            &each(&seen.one.deliveries),
        )?;
        let times = seen.one.ratios(|patches, deliveries| deliveries / patches);
        report.bounded(
            "annotations / patches",
            seen.one.deliveries.iter().sum::<f64>() / seen.one.between(),
            "",
            Bound::AtMost(FAN_OUT),
        )?;
        report.figure(&format!("  in {} rounds", times.len()), &range(&times))?;
        report.figure(
            "resident after these deliveries",
            &format!("{:.1} MB", mean(&seen.resident)),
        )
    }
}

impl Turns {
    /// Each deliveries with the patches before and after them, so that what changes slowly is the same for both.
    fn pairs(&self) -> impl Iterator<Item = (f64, f64)> {
        let between = self
            .patches
            .windows(2)
            .map(|around| f64::midpoint(around[0], around[1]));
        between.zip(self.deliveries.iter().copied())
    }

    /// Seconds that the patches take which stand for all deliveries.
    fn between(&self) -> f64 {
        self.pairs().map(|(patches, _)| patches).sum()
    }

    fn ratios(&self, ratio: impl Fn(f64, f64) -> f64) -> Vec<f64> {
        self.pairs()
            .map(|(patches, deliveries)| ratio(patches, deliveries))
            .collect()
    }
}

/// The seconds that something takes so many times.
fn repeated(times: usize, mut each: impl FnMut() -> Result<f64>) -> Result<f64> {
    (0..times).map(|_| each()).sum()
}

/// The seconds from the beginning of something until so many Warehouses are seen to have changed.
fn timed(effects: &Effects, count: usize, begin: impl FnOnce() -> Result<()>) -> Result<f64> {
    effects.forget();
    let began = Instant::now();
    begin()?;
    let last = effects.all(count)?;
    Ok(last.saturating_duration_since(began).as_secs_f64())
}

fn mean(values: &[f64]) -> f64 {
    values.iter().sum::<f64>() / count(values.len())
}

/// From the lowest to the highest.
fn range(values: &[f64]) -> String {
    let values = || values.iter().copied();
    let (lowest, highest) = (values().fold(f64::MAX, f64::min), values().fold(f64::MIN, f64::max));
    format!("{lowest:.2} to {highest:.2}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn deliveries_stand_against_the_patches_around_them() {
        // It becomes slower by a tenth of a second each time, and deliveries take no longer than patches.
        let turns = Turns {
            patches: vec![1.0, 1.2, 1.4],
            deliveries: vec![1.1, 1.3],
        };
        assert!((turns.between() - 2.4).abs() < 1e-9);
        let ratios = turns.ratios(|patches, deliveries| patches / deliveries);
        assert_eq!(range(&ratios), "1.00 to 1.00");
    }
}
