//! Measures landfall's binary as it ships and the core's matcher, each against something measured in the same run, and prints the
//! ratios; what is measured is in `benches/README.md`. It decides nothing about landfall.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context as _, Result, bail};

#[path = "../bench/api.rs"]
mod api;
#[path = "../bench/cluster.rs"]
mod cluster;
#[path = "../bench/effects.rs"]
mod effects;
#[path = "../bench/footprint.rs"]
mod footprint;
#[path = "../bench/journal.rs"]
mod journal;
#[path = "../bench/kubernetes.rs"]
mod kubernetes;
#[path = "../bench/load.rs"]
mod load;
#[path = "../bench/matching.rs"]
mod matching;
#[path = "../bench/metadata.rs"]
mod metadata;
#[path = "../bench/nginx.rs"]
mod nginx;
#[path = "../bench/process.rs"]
mod process;
#[path = "../bench/report.rs"]
mod report;
#[path = "../bench/requests.rs"]
mod requests;
#[path = "../bench/rounds.rs"]
mod rounds;
#[path = "../bench/secure.rs"]
mod secure;
#[path = "../bench/senders.rs"]
mod senders;
#[path = "../bench/tls.rs"]
mod tls;

use kubernetes::Sizes;
use report::Report;

const USAGE: &str =
    "usage: bench [--check] [--small] [--binary PATH] [journal] [matching] [requests] [footprint] [tls] [kubernetes]";

/// A benchmark, as it is named on the command line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Part {
    Journal,
    Matching,
    Requests,
    Footprint,
    Tls,
    Kubernetes,
}

const PARTS: [(&str, Part); 6] = [
    ("matching", Part::Matching),
    ("requests", Part::Requests),
    ("footprint", Part::Footprint),
    ("journal", Part::Journal),
    ("tls", Part::Tls),
    ("kubernetes", Part::Kubernetes),
];

struct Arguments {
    binary: PathBuf,
    parts: Vec<Part>,
    /// Whether a missed bound is a failure of the run.
    check: bool,
    /// Of what is large and takes long to make.
    sizes: Sizes,
}

fn main() -> Result<ExitCode> {
    let Some(arguments) = arguments()? else {
        report::say(USAGE)?;
        return Ok(ExitCode::SUCCESS);
    };
    if !arguments.binary.is_file() {
        bail!(
            "{} does not exist: cargo build --profile dist -p landfall",
            arguments.binary.display()
        );
    }
    let mut report = Report::start(&arguments.binary)?;
    for part in &arguments.parts {
        match part {
            Part::Journal => journal::run(&arguments.binary, &mut report)?,
            Part::Matching => matching::run(&mut report)?,
            Part::Requests => requests::run(&arguments.binary, &mut report)?,
            Part::Footprint => footprint::run(&arguments.binary, &mut report)?,
            Part::Tls => tls::run(&arguments.binary, &mut report)?,
            Part::Kubernetes => kubernetes::run(&arguments.binary, arguments.sizes, &mut report)?,
        }
    }
    let missed = report.finish()?;
    Ok(if arguments.check && missed > 0 {
        ExitCode::FAILURE
    } else {
        ExitCode::SUCCESS
    })
}

/// What was typed; `None` where help was wanted.
fn arguments() -> Result<Option<Arguments>> {
    let own = std::env::current_exe().context("the path of this program is not known")?;
    let (mut binary, mut parts, mut check) = (own.with_file_name("landfall"), Vec::new(), false);
    let mut sizes = Sizes::FULL;
    let mut words = std::env::args().skip(1);
    while let Some(word) = words.next() {
        match word.as_str() {
            "--help" | "-h" => return Ok(None),
            "--check" => check = true,
            "--small" => sizes = Sizes::SMALL,
            "--binary" => binary = words.next().context("--binary needs a path")?.into(),
            name => match PARTS.iter().find(|(known, _)| *known == name) {
                Some((_, part)) => parts.push(*part),
                None => bail!("{name:?} is no benchmark; {USAGE}"),
            },
        }
    }
    if parts.is_empty() {
        parts = PARTS.iter().map(|(_, part)| *part).collect();
    }
    Ok(Some(Arguments {
        binary,
        parts,
        check,
        sizes,
    }))
}
