//! landfall in front of a real API server, against what that API server takes without it: annotations in a second, one delivery
//! for a thousand Warehouses, memory and start.

use std::io::Write as _;
use std::net::TcpStream;
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Result, ensure};

use crate::cluster::{Cluster, delivery, own, shared, spread, warehouses};
use crate::effects::Effects;
use crate::load::{CONNECTIONS, answer, dial};
use crate::process::{Server, answers, processor_time};
use crate::report::{Bound, Report, median};

/// The share of the API server's own rate that deliveries are to reach.
const RATE: f64 = 0.9;
/// What annotations because of one delivery may take, of what as many patches take.
const FAN_OUT: f64 = 1.25;
/// Milliseconds within which 99 of 100 deliveries are answered.
const ANSWER: f64 = 10.0;
/// MB, which are millions of bytes.
const MEMORY: f64 = 20.0;
/// MiB, with many Warehouses whose statuses are large.
const LARGE_MEMORY: f64 = 150.0;
/// Milliseconds from exec to readiness.
const READY: f64 = 100.0;
const STARTS: usize = 5;
/// Deliveries that open landfall's connections to the API server.
const WARM_UP: usize = 256;
/// Between two deliveries for many Warehouses: the next comes while the annotations of the one before are on their way.
const PAUSE: Duration = Duration::from_millis(250);

/// How much there is of everything.
#[derive(Clone, Copy)]
pub struct Sizes {
    warehouses: usize,
    /// The Warehouses that one delivery concerns.
    fan_outs: [usize; 3],
    rounds: usize,
    /// Deliveries of each fan-out, to know what 99 of 100 take.
    answers: usize,
    /// Warehouses with large statuses.
    large: usize,
}

impl Sizes {
    pub const FULL: Self = Self {
        warehouses: 2_000,
        fan_outs: [1, 100, 1_000],
        // What else the host does shows in single rounds.
        rounds: 15,
        answers: 100,
        large: 10_000,
    };
    /// Enough to see whether it works; the bounds mean nothing then.
    pub const SMALL: Self = Self {
        warehouses: 300,
        fan_outs: [1, 10, 100],
        rounds: 2,
        answers: 30,
        large: 600,
    };

    fn most(&self) -> usize {
        self.fan_outs.into_iter().max().unwrap_or_default()
    }
}

/// Runs the benchmark.
pub fn run(binary: &Path, sizes: Sizes, report: &mut Report) -> Result<()> {
    let (all, rounds) = (sizes.warehouses, sizes.rounds);
    report.heading(&format!(
        "kubernetes: a real API server, {all} Warehouses, {CONNECTIONS} connections; {rounds} rounds with and without landfall in turn, medians"
    ))?;
    let mut cluster = Cluster::start()?;
    cluster.fill(all, &sizes.fan_outs)?;
    let folder = tempfile::tempdir()?;
    let bench = Bench {
        binary,
        folder: folder.path(),
    };
    bench.starts(&cluster, report)?;
    bench.rounds(&mut cluster, sizes, report)?;
    bench.answers(&cluster, sizes, report)?;
    cluster.fill(sizes.large, &[])?;
    let bytes = cluster.enlarge()?;
    bench.large(&cluster, (sizes.large, bytes), report)
}

struct Bench<'a> {
    binary: &'a Path,
    folder: &'a Path,
}

/// What rounds have shown.
#[derive(Default)]
struct Rounds {
    /// Patches in a second.
    patched: Vec<f64>,
    /// Deliveries in a second, until their annotations are there.
    delivered: Vec<f64>,
    rates: Vec<f64>,
    /// Seconds for the annotations of one delivery, and for as many patches.
    one: Vec<f64>,
    as_many: Vec<f64>,
    times: Vec<f64>,
    /// Microseconds of landfall's processor time for a delivery and its annotation.
    costs: Vec<f64>,
    /// MB after the deliveries.
    resident: Vec<f64>,
}

impl Bench<'_> {
    /// It is ready before it knows who subscribes; this waits for neither.
    fn start(&self, cluster: &Cluster, data: &str) -> Result<Server> {
        let args = [
            "--kubernetes".to_owned(),
            format!("--kubeconfig={}", cluster.server.kubeconfig().display()),
        ];
        let ready = |host: &str| answers(host, "/readyz");
        Server::start_until(ready, self.binary, &self.folder.join(data), &args)
    }

    fn starts(&self, cluster: &Cluster, report: &mut Report) -> Result<()> {
        let (mut ready, mut resident, mut own) = (Vec::new(), Vec::new(), Vec::new());
        for number in 0..STARTS {
            let landfall = self.start(cluster, &format!("data-{number}"))?;
            ready.push(landfall.ready.as_secs_f64() * 1e3);
            cluster.known(&landfall)?;
            landfall.quiet()?;
            resident.push(megabytes(landfall.resident()?));
            own.push(megabytes(landfall.own()?));
            landfall.terminate()?;
        }
        report.bounded(
            &format!("from exec to /readyz, without a data folder, median of {STARTS}"),
            middle(ready),
            " ms",
            Bound::Below(READY),
        )?;
        report.bounded(
            &format!("resident when idle, median of {STARTS}"),
            middle(resident),
            " MB",
            Bound::AtMost(MEMORY),
        )?;
        report.figure(
            "  of these its own, the rest is pages of the program",
            &format!("{:.1} MB", middle(own)),
        )
    }

    fn rounds(&self, cluster: &mut Cluster, sizes: Sizes, report: &mut Report) -> Result<()> {
        let effects = Effects::watch(&cluster.api, &warehouses())?;
        let mut seen = Rounds::default();
        let mut posted = Posted::default();
        cluster.patch(WARM_UP.min(sizes.warehouses))?;
        for _ in 0..sizes.rounds {
            cluster.connect()?;
            let patching = timed(&effects, sizes.warehouses, || cluster.patch(sizes.warehouses))?;
            let as_many = timed(&effects, sizes.most(), || cluster.patch(sizes.most()))?;
            let landfall = self.start(cluster, "data")?;
            cluster.known(&landfall)?;
            let mut connections = connect(&landfall)?;
            timed(&effects, WARM_UP.min(sizes.warehouses), || {
                posted.own(&landfall, &mut connections, WARM_UP.min(sizes.warehouses))
            })?;
            landfall.quiet()?;
            // Those that nobody used for a while are closed.
            let mut connections = connect(&landfall)?;
            let before = processor_time(landfall.id())?;
            let delivering = timed(&effects, sizes.warehouses, || {
                posted.own(&landfall, &mut connections, sizes.warehouses)
            })?;
            let used = processor_time(landfall.id())?.saturating_sub(before);
            landfall.quiet()?;
            let mut connection = dial(&landfall.host)?;
            let one = timed(&effects, sizes.most(), || {
                posted.one(&landfall, &mut connection, sizes.most()).map(drop)
            })?;
            landfall.quiet()?;
            seen.resident.push(megabytes(landfall.resident()?));
            landfall.terminate()?;
            let all = count(sizes.warehouses);
            seen.patched.push(all / patching);
            seen.delivered.push(all / delivering);
            seen.rates.push(patching / delivering);
            seen.one.push(one);
            seen.as_many.push(as_many);
            seen.times.push(one / as_many);
            seen.costs.push(used.as_secs_f64() * 1e6 / all);
        }
        seen.show(sizes.most(), report)
    }

    /// What deliveries wait for their answers, while annotations of those before are on their way.
    fn answers(&self, cluster: &Cluster, sizes: Sizes, report: &mut Report) -> Result<()> {
        let landfall = self.start(cluster, "data")?;
        cluster.known(&landfall)?;
        let mut posted = Posted { number: 1_000_000 };
        for fan_out in sizes.fan_outs {
            landfall.quiet()?;
            let mut connection = dial(&landfall.host)?;
            let mut waits = Vec::new();
            for _ in 0..sizes.answers {
                let wait = posted.one(&landfall, &mut connection, fan_out)?;
                waits.push(wait.as_secs_f64() * 1e3);
                thread::sleep(PAUSE);
            }
            waits.sort_by(f64::total_cmp);
            report.figure(
                &format!("answer to one of {} deliveries for {fan_out}, median", waits.len()),
                &format!("{:.2} ms", waits[waits.len() / 2]),
            )?;
            report.bounded(
                &format!("answers to {} deliveries for {fan_out}: 99 of 100 within", waits.len()),
                waits[(waits.len() * 99).div_ceil(100) - 1],
                " ms",
                Bound::AtMost(ANSWER),
            )?;
        }
        landfall.terminate()
    }

    fn large(&self, cluster: &Cluster, (warehouses, bytes): (usize, usize), report: &mut Report) -> Result<()> {
        report.figure(
            &format!("{warehouses} Warehouses, the status of each"),
            &format!("{:.0} KB", count(bytes) / 1e3),
        )?;
        let landfall = self.start(cluster, "data-large")?;
        report.figure(
            "  from exec to /readyz",
            &format!("{:.0} ms", landfall.ready.as_secs_f64() * 1e3),
        )?;
        cluster.known(&landfall)?;
        landfall.quiet()?;
        report.bounded(
            "  resident when idle",
            landfall.resident()?,
            " MiB",
            Bound::Below(LARGE_MEMORY),
        )?;
        report.bounded(
            "  resident at its highest",
            landfall.most_resident()?,
            " MiB",
            Bound::Below(LARGE_MEMORY),
        )?;
        landfall.terminate()
    }
}

impl Rounds {
    fn show(self, most: usize, report: &mut Report) -> Result<()> {
        report.figure(
            &format!("patches without landfall, {CONNECTIONS} at once"),
            &format!("{:.0}/s", middle(self.patched)),
        )?;
        report.figure(
            "deliveries for one Warehouse each, until the last annotation is there",
            &format!("{:.0}/s", middle(self.delivered)),
        )?;
        report.figure(
            "  landfall's processor time for one of these",
            &format!("{:.0} µs", middle(self.costs)),
        )?;
        report.bounded("deliveries / patches", middle(self.rates), "", Bound::AtLeast(RATE))?;
        report.figure(
            &format!("{most} patches without landfall"),
            &format!("{:.0} ms", middle(self.as_many) * 1e3),
        )?;
        report.figure(
            &format!("{most} annotations because of one delivery"),
            &format!("{:.0} ms", middle(self.one) * 1e3),
        )?;
        report.bounded("annotations / patches", middle(self.times), "", Bound::AtMost(FAN_OUT))?;
        report.figure(
            "resident after these deliveries",
            &format!("{:.1} MB", middle(self.resident)),
        )
    }
}

/// Deliveries, of which none is like another.
#[derive(Default)]
struct Posted {
    number: usize,
}

impl Posted {
    /// One for each of so many Warehouses.
    fn own(&mut self, landfall: &Server, connections: &mut [TcpStream], count: usize) -> Result<()> {
        let first = self.number;
        self.number += count;
        spread(connections, count, |connection, number| {
            exchange(connection, &delivery(&landfall.host, &own(number), first + number), 1)
        })
    }

    /// One that concerns so many Warehouses. Returns how long its answer took.
    fn one(&mut self, landfall: &Server, connection: &mut TcpStream, fan_out: usize) -> Result<Duration> {
        self.number += 1;
        let repository = if fan_out == 1 { own(0) } else { shared(fan_out) };
        let request = delivery(&landfall.host, &repository, self.number);
        let began = Instant::now();
        exchange(connection, &request, fan_out)?;
        Ok(began.elapsed())
    }
}

/// Connections over which senders post.
fn connect(landfall: &Server) -> Result<Vec<TcpStream>> {
    (0..CONNECTIONS).map(|_| dial(&landfall.host)).collect()
}

/// The seconds from the beginning of something until so many Warehouses are seen to have changed.
fn timed(effects: &Effects, count: usize, begin: impl FnOnce() -> Result<()>) -> Result<f64> {
    effects.forget();
    let began = Instant::now();
    begin()?;
    let last = effects.all(count)?;
    Ok(last.saturating_duration_since(began).as_secs_f64())
}

/// Sends a delivery, which so many Warehouses are to want.
fn exchange(connection: &mut TcpStream, request: &[u8], wanted: usize) -> Result<()> {
    connection.write_all(request)?;
    let answer = answer(connection)?;
    ensure!(
        answer.ends_with(&format!("{{\"msg\":\"refreshed {wanted} warehouse(s)\"}}\n")),
        "a delivery was answered {answer}"
    );
    Ok(())
}

fn megabytes(mebibytes: f64) -> f64 {
    mebibytes * 1.048_576
}

fn middle(values: Vec<f64>) -> f64 {
    median(values).unwrap_or_default()
}

#[expect(clippy::cast_precision_loss, reason = "counts are far below 2^52")]
fn count(number: usize) -> f64 {
    number as f64
}
