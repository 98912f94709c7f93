//! Prints figures, and holds them to their bounds; it does not know how they were measured.

use std::io::{self, Write as _};
use std::path::Path;
use std::process::Command;

use anyhow::Result;

/// What a figure is to be.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Bound {
    /// This much or more.
    AtLeast(f64),
    /// This much or less.
    AtMost(f64),
    /// Less than this.
    Below(f64),
}

/// Figures, printed as they come.
pub struct Report {
    passed: usize,
    missed: usize,
}

impl Report {
    /// Says what is measured and on what machine.
    pub fn start(binary: &Path) -> Result<Self> {
        let version = Command::new(binary).arg("version").output()?;
        let cores = std::thread::available_parallelism()?;
        let version = String::from_utf8_lossy(&version.stdout).trim().to_owned();
        say(&format!("{version}, {cores} cores, {}", processor()))?;
        Ok(Self { passed: 0, missed: 0 })
    }

    /// Begins a benchmark.
    pub fn heading(&mut self, text: &str) -> Result<()> {
        say(&format!("\n{text}"))
    }

    /// A figure that is only shown.
    pub fn figure(&mut self, name: &str, value: &str) -> Result<()> {
        say(&format!("  {name:<66} {value:>14}"))
    }

    /// A figure with a bound.
    pub fn bounded(&mut self, name: &str, value: f64, unit: &str, bound: Bound) -> Result<()> {
        let (held, words) = match bound {
            Bound::AtLeast(least) => (value >= least, format!("at least {least}{unit}")),
            Bound::AtMost(most) => (value <= most, format!("at most {most}{unit}")),
            Bound::Below(limit) => (value < limit, format!("below {limit}{unit}")),
        };
        let verdict = if held { "PASS" } else { "FAIL" };
        *(if held { &mut self.passed } else { &mut self.missed }) += 1;
        say(&format!(
            "  {name:<66} {:>14}  {verdict}: {words}",
            format!("{value:.2}{unit}")
        ))
    }

    /// Sums up; returns how many bounds were missed.
    pub fn finish(self) -> Result<usize> {
        say(&format!("\n{} bounds held, {} missed", self.passed, self.missed))?;
        Ok(self.missed)
    }
}

/// Writes a line to standard output, at once.
pub fn say(line: &str) -> Result<()> {
    let mut out = io::stdout().lock();
    writeln!(out, "{line}")?;
    Ok(out.flush()?)
}

/// The value in the middle; of an even number, the lower one of the two. `None` of nothing.
pub fn median(mut values: Vec<f64>) -> Option<f64> {
    values.sort_by(f64::total_cmp);
    values.get(values.len().checked_sub(1)? / 2).copied()
}

/// The processor's name, as far as the system tells.
fn processor() -> String {
    let text = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let name = text
        .lines()
        .find_map(|line| line.strip_prefix("model name")?.split_once(": "));
    name.map_or("an unknown processor", |(_, name)| name).to_owned()
}
