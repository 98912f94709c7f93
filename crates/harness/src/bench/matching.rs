//! The time to match one event, with few subscriptions and with many, in the core itself.

use std::hint::black_box;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};
use landfall_core::artifact::Tag;
use landfall_core::event::{ArtifactKind, ArtifactPushed, Event};
use landfall_core::matcher::Index;
use landfall_core::receiver::Reach;
use landfall_core::repository::ImageRepository;
use landfall_core::resource::{ImageSubscription, Source, SubscriptionSpec};
use landfall_core::target::Target;

use crate::report::{Bound, Report, median};

const FEW: usize = 10;
const MANY: usize = 100_000;
const EQUALS: usize = 10_000;
const ROUNDS: usize = 31;
/// Events of one round: enough for a clock.
const EVENTS: usize = 20_000;
/// How much longer an event may take with many subscriptions than with few.
const RATIO: f64 = 1.5;

/// Runs the benchmark.
pub fn run(report: &mut Report) -> Result<()> {
    report.heading(&format!(
        "matching: time for one event in the core, {ROUNDS} rounds of {EVENTS} events each in turn, medians"
    ))?;
    let (few, many) = (distinct(FEW), distinct(MANY));
    let events = (0..FEW).map(event).collect::<Result<Vec<_>>>()?;
    let reach = Reach::Everywhere;
    let counted = |index: &Index, event: &Event| {
        black_box(index.count(black_box(event), &reach));
    };
    let explained = |index: &Index, event: &Event| {
        black_box(index.explain(black_box(event), &reach));
    };
    for (name, work) in [
        ("counting", &counted as &dyn Fn(&Index, &Event)),
        ("explaining", &explained),
    ] {
        let [few, many] = in_turn(&[(&few, &events), (&many, &events)], work);
        report.figure(&format!("{name}, {FEW} subscriptions"), &nanos(few))?;
        report.figure(&format!("{name}, {MANY} subscriptions"), &nanos(many))?;
        report.bounded(&format!("{name}: {MANY} / {FEW}"), many / few, "", Bound::AtMost(RATIO))?;
    }
    let everyones = (0..MANY).step_by(MANY / 1_000).map(event).collect::<Result<Vec<_>>>()?;
    let [all] = in_turn(&[(&many, &everyones)], &counted);
    report.figure(
        &format!("counting, {MANY} subscriptions, events all over them"),
        &nanos(all),
    )?;
    let (one, equals) = (equal(1), equal(EQUALS));
    let [one, equals] = in_turn(&[(&one, &events[..1]), (&equals, &events[..1])], &counted);
    report.figure("counting, 1 target of one repository", &nanos(one))?;
    report.figure(
        &format!("counting, {EQUALS} targets with the same wish for it"),
        &nanos(equals),
    )?;
    report.bounded(
        &format!("counting: {EQUALS} targets / 1"),
        equals / one,
        "",
        Bound::AtMost(RATIO),
    )
}

/// Nanoseconds for one event with each index, measured in turn.
fn in_turn<const N: usize>(sides: &[(&Index, &[Event]); N], work: &dyn Fn(&Index, &Event)) -> [f64; N] {
    let mut times: [Vec<f64>; N] = std::array::from_fn(|_| Vec::new());
    for _ in 0..ROUNDS {
        for ((index, events), times) in sides.iter().zip(&mut times) {
            let began = Instant::now();
            events.iter().cycle().take(EVENTS).for_each(|event| work(index, event));
            times.push(per_event(began.elapsed()));
        }
    }
    times.map(|times| median(times).unwrap_or_default())
}

#[expect(clippy::cast_precision_loss, reason = "a constant far below 2^52")]
fn per_event(time: Duration) -> f64 {
    time.as_secs_f64() * 1e9 / EVENTS as f64
}

fn nanos(value: f64) -> String {
    format!("{value:.0} ns")
}

/// An index of so many Warehouses, each with a repository of its own.
fn distinct(count: usize) -> Index {
    index((0..count).map(|number| (number, repository(number))))
}

/// An index of so many Warehouses that all want the same.
fn equal(count: usize) -> Index {
    index((0..count).map(|number| (number, repository(0))))
}

fn index(wishes: impl Iterator<Item = (usize, String)>) -> Index {
    let targets: Vec<(Target, [SubscriptionSpec; 1])> = wishes
        .map(|(number, repo_url)| {
            let (namespace, name) = (format!("project-{}", number % 100), format!("app-{number}"));
            (Target::Warehouse { namespace, name }, [subscription(repo_url)])
        })
        .collect();
    Index::of(
        targets
            .iter()
            .map(|(target, subscriptions)| (target, &subscriptions[..])),
    )
}

fn repository(number: usize) -> String {
    format!("registry.example.com/team-{}/app-{number}", number % 100)
}

fn event(number: usize) -> Result<Event> {
    Ok(Event::ArtifactPushed(ArtifactPushed {
        repository: ImageRepository::parse(&repository(number))
            .ok()
            .context("a name that is none")?,
        kind: ArtifactKind::Image,
        tag: Some(Tag::parse("1.2.3").ok().context("a tag that is none")?),
        digest: None,
        occurred_at: None,
    }))
}

fn subscription(repo_url: String) -> SubscriptionSpec {
    SubscriptionSpec {
        name: None,
        source: Source::Image(ImageSubscription {
            repo_url,
            image_selection_strategy: "SemVer".to_owned(),
            constraint: "^1.0.0".to_owned(),
            strict_semvers: true,
            allow_tags_regexes: Vec::new(),
            ignore_tags_regexes: Vec::new(),
            allow_tags: String::new(),
            ignore_tags: Vec::new(),
            platform: String::new(),
            discovery_limit: 20,
            insecure_skip_tls_verify: false,
            cache_by_tag: false,
        }),
    }
}
