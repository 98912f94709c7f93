//! landfall in front of a real API server, against what that API server takes without it: annotations in a second, one delivery
//! for a thousand Warehouses, memory and start.

use std::path::Path;
use std::thread;
use std::time::Duration;

use anyhow::Result;

use crate::cluster::Cluster;
use crate::load::{CONNECTIONS, dial};
use crate::process::{Server, answers};
use crate::report::{Bound, Report, median};
use crate::rounds::{Rounds, Windows};
use crate::senders::Posted;

/// Milliseconds within which 99 of 100 deliveries are answered.
const ANSWER: f64 = 10.0;
/// MB, which are millions of bytes.
const MEMORY: f64 = 20.0;
/// MiB, with many Warehouses whose statuses are large.
const LARGE_MEMORY: f64 = 150.0;
/// Milliseconds from exec to readiness.
const READY: f64 = 100.0;
const STARTS: usize = 5;
/// Between two deliveries for many Warehouses: the next comes while the annotations of the one before are on their way.
const PAUSE: Duration = Duration::from_millis(250);

/// How much there is of everything.
#[derive(Clone, Copy)]
pub struct Sizes {
    warehouses: usize,
    /// The Warehouses that one delivery concerns.
    fan_outs: [usize; 3],
    windows: Windows,
    /// Deliveries of each fan-out, to know what 99 of 100 take.
    answers: usize,
    /// Warehouses with large statuses.
    large: usize,
}

impl Sizes {
    pub const FULL: Self = Self {
        warehouses: 2_000,
        fan_outs: [1, 100, 1_000],
        windows: Windows::FULL,
        answers: 100,
        large: 10_000,
    };
    /// Enough to see whether it works; the bounds mean nothing then.
    pub const SMALL: Self = Self {
        warehouses: 300,
        fan_outs: [1, 10, 100],
        windows: Windows::SMALL,
        answers: 30,
        large: 600,
    };

    fn most(&self) -> usize {
        self.fan_outs.into_iter().max().unwrap_or_default()
    }
}

/// Runs the benchmark.
pub fn run(binary: &Path, sizes: Sizes, report: &mut Report) -> Result<()> {
    let all = sizes.warehouses;
    report.heading(&format!(
        "kubernetes: a real API server, {all} Warehouses, {CONNECTIONS} connections, with and without landfall in turn"
    ))?;
    let mut cluster = Cluster::start(binary)?;
    cluster.fill(all, &sizes.fan_outs)?;
    let folder = tempfile::tempdir()?;
    let bench = Bench {
        binary,
        folder: folder.path(),
    };
    bench.starts(&cluster, report)?;
    let rounds = Rounds {
        start: &|cluster| bench.start(cluster, "data"),
        warehouses: all,
        most: sizes.most(),
        windows: sizes.windows,
    };
    rounds.run(&mut cluster, report)?;
    bench.answers(&cluster, sizes, report)?;
    cluster.fill(sizes.large, &[])?;
    let bytes = cluster.enlarge()?;
    bench.large(&cluster, (sizes.large, bytes), report)
}

struct Bench<'a> {
    binary: &'a Path,
    folder: &'a Path,
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

    /// What deliveries wait for their answers, while annotations of those before are on their way.
    fn answers(&self, cluster: &Cluster, sizes: Sizes, report: &mut Report) -> Result<()> {
        let landfall = self.start(cluster, "data")?;
        cluster.known(&landfall)?;
        let mut posted = Posted::from(1_000_000);
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

/// Millions of bytes.
pub fn megabytes(mebibytes: f64) -> f64 {
    mebibytes * 1.048_576
}

fn middle(values: Vec<f64>) -> f64 {
    median(values).unwrap_or_default()
}

#[expect(clippy::cast_precision_loss, reason = "counts are far below 2^52")]
pub fn count(number: usize) -> f64 {
    number as f64
}
