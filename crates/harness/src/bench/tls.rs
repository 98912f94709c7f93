//! Authenticated deliveries that are journaled in a second over TLS, against nginx that answers a constant to the same requests
//! over the same version and cipher suite; and what landfall with TLS needs when there is nothing to do.

use std::path::Path;
use std::thread;
use std::time::Duration;

use anyhow::Result;
use landfall_harness::http::Request;
use serde_json::json;

use crate::load::{CONNECTIONS, Load, NUMBER, Template, receive};
use crate::nginx::Nginx;
use crate::process::{Server, processor_time, quiet};
use crate::report::{Bound, Report, median};
use crate::secure::{Certificate, Secured};

const SECRET: &str = "a-secret-of-the-benchmark";
/// What landfall answers, and nginx as well.
const ANSWER: &str = "Webhook received and processing";
const WINDOW: Duration = Duration::from_secs(2);
const WARM_UP: Duration = Duration::from_millis(500);
const ROUNDS: usize = 7;
const STARTS: usize = 5;
/// The share of nginx's rate that the journal is to reach.
const RATIO: f64 = 0.4;

/// Runs the benchmark.
pub fn run(binary: &Path, report: &mut Report) -> Result<()> {
    report.heading(&format!(
        "tls: requests in a second, {CONNECTIONS} kept connections, {ROUNDS} windows of {WINDOW:?} each in turn, medians"
    ))?;
    let folder = tempfile::tempdir()?;
    let certificate = Certificate::make(folder.path())?;
    idle(binary, folder.path(), &certificate, report)?;
    let landfall = start(binary, folder.path(), &certificate)?;
    // landfall has a thread for each core as well.
    let workers = thread::available_parallelism()?.get();
    let nginx = Nginx::start(folder.path(), &certificate, workers, ANSWER)?;
    report.figure("nginx", &format!("{}, {workers} workers", nginx.version))?;
    let mut sides = [
        Side::connect(
            "nginx: a constant answer",
            (&nginx.host, nginx.workers()?),
            &certificate,
        )?,
        Side::connect(
            "landfall: deliveries on the disk",
            (&landfall.host, vec![landfall.id()]),
            &certificate,
        )?,
    ];
    for side in &sides {
        report.figure(&format!("{}, agreed on", side.name), &side.agreed)?;
    }
    for _ in 0..ROUNDS {
        for side in &mut sides {
            // What an earlier window left to be matched must not slow the next one.
            quiet(landfall.id(), Duration::from_millis(300))?;
            side.measure()?;
        }
    }
    let [constant, journaled] = sides.map(|side| side.show(report));
    report.bounded(
        "journaled over TLS / nginx",
        journaled? / constant?,
        "",
        Bound::AtLeast(RATIO),
    )
}

/// One server and what was measured of it.
struct Side {
    name: &'static str,
    /// The version and the suite that all connections have.
    agreed: String,
    load: Load<Secured>,
    template: Template,
    processes: Vec<u32>,
    /// Requests in a second.
    rates: Vec<f64>,
    /// What 99 of 100 requests took at most, in milliseconds.
    slowest: Vec<f64>,
    /// The server's processor time for one request, in microseconds, with what follows from it.
    costs: Vec<f64>,
}

impl Side {
    fn connect(name: &'static str, (host, processes): (&str, Vec<u32>), certificate: &Certificate) -> Result<Self> {
        let (connections, agreed) = certificate.connect_all(host)?;
        let (rates, slowest, costs) = (Vec::new(), Vec::new(), Vec::new());
        Ok(Self {
            name,
            agreed,
            load: Load::over(connections),
            template: Template::new("localhost", &request())?,
            processes,
            rates,
            slowest,
            costs,
        })
    }

    fn measure(&mut self) -> Result<()> {
        self.load.window(&self.template, WARM_UP)?;
        let before = self.used()?;
        let window = self.load.measure(&self.template, WINDOW)?;
        let used = self.used()?.saturating_sub(before);
        let mut waits: Vec<f64> = window.waits.iter().map(|wait| wait.as_secs_f64() * 1e3).collect();
        waits.sort_by(f64::total_cmp);
        self.slowest.extend(waits.get(waits.len() * 99 / 100));
        self.costs
            .push(used.as_secs_f64() * 1e6 / (window.rate * WINDOW.as_secs_f64()));
        self.rates.push(window.rate);
        Ok(())
    }

    fn used(&self) -> Result<Duration> {
        self.processes.iter().map(|process| processor_time(*process)).sum()
    }

    /// Prints the medians, and returns the rate.
    fn show(self, report: &mut Report) -> Result<f64> {
        let [rate, slowest, cost] = [self.rates, self.slowest, self.costs].map(|of| median(of).unwrap_or_default());
        report.figure(self.name, &format!("{rate:.0}/s"))?;
        report.figure("  99 of 100 within", &format!("{slowest:.1} ms"))?;
        report.figure("  the server's processor time for one", &format!("{cost:.0} µs"))?;
        Ok(rate)
    }
}

/// landfall with nothing to do, over a journal that is empty at first.
fn idle(binary: &Path, folder: &Path, certificate: &Certificate, report: &mut Report) -> Result<()> {
    let (mut ready, mut resident) = (Vec::new(), Vec::new());
    for _ in 0..STARTS {
        let landfall = start(binary, folder, certificate)?;
        ready.push(landfall.ready.as_secs_f64() * 1e3);
        landfall.quiet()?;
        resident.push(landfall.resident()?);
        landfall.terminate()?;
    }
    let [ready, resident] = [ready, resident].map(|of| median(of).unwrap_or_default());
    report.figure(
        &format!("landfall: from exec to /healthz over TLS, median of {STARTS}"),
        &format!("{ready:.0} ms"),
    )?;
    report.figure(
        &format!("landfall: resident when idle, median of {STARTS}"),
        &format!("{resident:.1} MiB"),
    )
}

fn start(binary: &Path, folder: &Path, certificate: &Certificate) -> Result<Server> {
    let (manifests, data) = (folder.join("manifests"), folder.join("data"));
    std::fs::create_dir_all(&manifests)?;
    let args = [
        format!("--manifests={}", manifests.display()),
        format!("--docker-webhook-secret={SECRET}"),
        format!("--tls-cert={}", certificate.certificate.display()),
        format!("--tls-key={}", certificate.key.display()),
    ];
    let answers = |host: &str| healthy(certificate, host).is_ok();
    Server::start_until(answers, binary, &data, &args)
}

fn healthy(certificate: &Certificate, host: &str) -> Result<()> {
    use std::io::Write as _;
    let mut stream = certificate.connect(host)?;
    stream.write_all(&Request::new("GET", "/healthz").to_bytes("localhost"))?;
    receive(&mut stream)
}

/// A delivery of Docker Hub with its secret, whose time makes it differ from all others. Nobody subscribes to it.
fn request() -> Request {
    let body = json!({
        "callback_url": "https://registry.hub.docker.com/u/example/nobodys/hook/1/",
        "push_data": { "pushed_at": NUMBER, "pusher": "example", "tag": "1.0.0" },
        "repository": {
            "comment_count": 0, "date_created": 1_790_000_000, "description": "", "is_official": false,
            "is_private": false, "is_trusted": false, "name": "nobodys", "namespace": "example", "owner": "example",
            "repo_name": "example/nobodys", "repo_url": "https://hub.docker.com/r/example/nobodys", "star_count": 0,
            "status": "Active",
        },
    });
    Request::new("POST", format!("/webhook?type=docker.io&secret={SECRET}"))
        .header("User-Agent", "Go-http-client/1.1")
        .header("Content-Type", "application/json")
        .body(body.to_string())
}
