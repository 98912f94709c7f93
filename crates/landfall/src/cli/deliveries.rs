//! `landfall deliveries`: what came in, what was made of it and why, and taking it up again.

use anyhow::Context as _;
use clap::{Args, Subcommand};
use landfall_core::event::Event;
use landfall_core::journal::{EntryId, Verdict, Work, WorkSummary};

use super::Server;
use super::output::{Format, ago, print, print_json, print_table};
use crate::admin::client::Client;
use crate::admin::types::{DeliveryDetail, DeliverySummary, Replayed};
use crate::clock::now;
use crate::store::{AttemptRecord, WorkRecord};

#[derive(Debug, Subcommand)]
pub(super) enum DeliveriesCommand {
    /// List deliveries, the newest first.
    List(ListArgs),
    /// Show one delivery as it came in.
    Show(OneArgs),
    /// Tell the story of one delivery: who wanted it and why, what was asked, chosen and recorded, and when.
    Explain(OneArgs),
    /// Take a delivery up again: what was given up or, if nothing was, all of it.
    Replay(OneArgs),
}

/// List deliveries, the newest first.
#[derive(Debug, Args)]
pub(super) struct ListArgs {
    /// Only those with a target that was given up.
    #[arg(long)]
    dead: bool,
    /// Only those that are not done yet: still to be matched, or with a target that is still to be refreshed.
    #[arg(long, conflicts_with = "dead")]
    waiting: bool,
    /// At most this many.
    #[arg(long, default_value_t = 50)]
    limit: usize,
    /// How to print.
    #[arg(short, long, value_enum, default_value = "table")]
    output: Format,
    #[command(flatten)]
    server: Server,
}

/// One delivery.
#[derive(Debug, Args)]
pub(super) struct OneArgs {
    /// Its id, as `landfall deliveries list` shows it.
    id: String,
    /// How to print.
    #[arg(short, long, value_enum, default_value = "table")]
    output: Format,
    #[command(flatten)]
    server: Server,
}

impl OneArgs {
    /// The id, which becomes part of a path: whatever else is typed must not name another one.
    fn id(&self) -> anyhow::Result<EntryId> {
        self.id.parse().with_context(|| format!("{:?}", self.id))
    }
}

impl DeliveriesCommand {
    pub(super) async fn run(self) -> anyhow::Result<()> {
        match self {
            Self::List(args) => list(args).await,
            Self::Show(args) => show(args).await,
            Self::Explain(args) => explain(args).await,
            Self::Replay(args) => replay(args).await,
        }
    }
}

async fn list(args: ListArgs) -> anyhow::Result<()> {
    let client = Client::new(&args.server.data_dir)?;
    let state = match (args.dead, args.waiting) {
        (true, _) => "dead",
        (_, true) => "waiting",
        (false, false) => "any",
    };
    let path = format!("/v1/deliveries?state={state}&limit={}", args.limit);
    let deliveries: Vec<DeliverySummary> = client.get(&path).await?;
    if args.output != Format::Table {
        return print_json(&deliveries);
    }
    let now = now();
    let rows = deliveries.into_iter().map(|delivery| {
        let entry = delivery.entry;
        let events: Vec<String> = entry.events.iter().map(event).collect();
        let waits = entry.waits_until.map(|turn| format!("waits until {turn:.0}"));
        let counts = delivery.targets.iter().map(|(state, count)| format!("{count} {state}"));
        let is_unmatched = entry.verdict == Verdict::Accepted && entry.matched.is_none();
        let unmatched = (is_unmatched && waits.is_none()).then(|| "not matched yet".to_owned());
        let targets: Vec<String> = counts.chain(waits).chain(unmatched).collect();
        let what = if events.is_empty() {
            entry.reason
        } else {
            events.join(", ")
        };
        vec![
            entry.id.to_string(),
            ago(entry.received, now),
            entry.receiver,
            entry.verdict.as_str().to_owned(),
            targets.join(", "),
            what,
        ]
    });
    print_table(
        &["DELIVERY", "AGE", "RECEIVER", "VERDICT", "TARGETS", "WHAT"],
        rows.collect(),
    )
}

async fn detail(args: &OneArgs) -> anyhow::Result<DeliveryDetail> {
    let id = args.id()?;
    Client::new(&args.server.data_dir)?
        .get(&format!("/v1/deliveries/{id}"))
        .await
}

async fn show(args: OneArgs) -> anyhow::Result<()> {
    let delivery = detail(&args).await?;
    if args.output != Format::Table {
        return print_json(&delivery);
    }
    let mut text = heading(&delivery);
    text.push('\n');
    for (name, value) in &delivery.headers {
        text.push_str(&format!("{name}: {value}\n"));
    }
    text.push_str(&format!("\n{}\n", delivery.body.trim_end()));
    print(&text)
}

async fn explain(args: OneArgs) -> anyhow::Result<()> {
    let delivery = detail(&args).await?;
    if args.output != Format::Table {
        return print_json(&delivery);
    }
    let mut text = heading(&delivery);
    for (event_of_it, explanation) in delivery.entry.events.iter().zip(&delivery.explanations) {
        text.push_str(&match event_of_it {
            Event::RefreshRequested(request) => format!("\naction {} asks for a refresh\n", request.action),
            Event::PullRequestClosed { url } => format!("\npull request {url} was closed\n"),
            Event::ArtifactPushed(_) | Event::GitRefPushed(_) => format!("\n{} was pushed\n", event(event_of_it)),
        });
        if explanation.lines.is_empty() {
            text.push_str("  no subscription within the receiver's reach names this repository\n");
        }
        for line in &explanation.lines {
            let verdict = if line.wanted { "wanted" } else { "not wanted" };
            let targets: Vec<String> = line.targets.iter().map(ToString::to_string).collect();
            let targets = match targets.as_slice() {
                [] => "nobody".to_owned(),
                some => some.join(", "),
            };
            text.push_str(&format!(
                "  {verdict} by {targets} ({}): {}\n",
                line.subscription, line.reason
            ));
        }
    }
    for work in &delivery.work {
        text.push_str(&story(work, &delivery));
    }
    print(&text)
}

async fn replay(args: OneArgs) -> anyhow::Result<()> {
    let id = args.id()?;
    let client = Client::new(&args.server.data_dir)?;
    let replayed: Replayed = client.post(&format!("/v1/deliveries/{id}/replay")).await?;
    if args.output != Format::Table {
        return print_json(&replayed);
    }
    if replayed.matched_again {
        let id = replayed.id;
        return print(&format!(
            "nobody wanted delivery {id}; it is matched again, and `landfall deliveries explain {id}` tells the outcome\n"
        ));
    }
    if replayed.targets.is_empty() {
        return print(&format!(
            "nothing follows from delivery {}; nothing to do\n",
            replayed.id
        ));
    }
    let targets: Vec<String> = replayed.targets.iter().map(ToString::to_string).collect();
    print(&format!(
        "delivery {} is taken up again for {}\n",
        replayed.id,
        targets.join(", ")
    ))
}

fn heading(delivery: &DeliveryDetail) -> String {
    let entry = &delivery.entry;
    let mut text = format!("delivery  {}\nreceived  {}\n", entry.id, entry.received);
    text.push_str(&format!(
        "sender    {} at {}, through {}\n",
        entry.sender, entry.peer, entry.receiver
    ));
    if entry.secret.as_deref() == Some("previous") {
        text.push_str("proof     the previous secret: its sender is still to be told the new one\n");
    }
    let reason = if entry.reason.is_empty() {
        String::new()
    } else {
        format!(": {}", entry.reason)
    };
    text.push_str(&format!("verdict   {}{reason}\n", entry.verdict.as_str()));
    match (entry.verdict, entry.matched) {
        (Verdict::Accepted, Some(matched)) => {
            text.push_str(&format!(
                "matched   {} after it was received\n",
                span(entry.received, matched)
            ));
        }
        (Verdict::Accepted, None) => match entry.waits_until {
            Some(turn) => text.push_str(&format!(
                "matched   not yet: the rate limit makes it wait until {turn}\n"
            )),
            None => text.push_str("matched   not yet\n"),
        },
        _ => {}
    }
    text
}

fn story(work: &WorkRecord, delivery: &DeliveryDetail) -> String {
    let state = match &work.work {
        Work::Waiting { due, .. } => format!("{}, next at {due}", work.work.summary().as_str()),
        Work::Done { at, .. } => format!("done {} after it was received", span(delivery.entry.received, *at)),
        Work::Dead { setback, .. } => format!("given up: {}", setback.reason()),
    };
    let mut text = format!("\n{}: {state}\n", work.target);
    for attempt in &work.attempts {
        text.push_str(&attempt_story(attempt));
    }
    if work.work.summary() == WorkSummary::Dead {
        text.push_str(&format!(
            "  take it up again with: landfall deliveries replay {}\n",
            delivery.entry.id
        ));
    }
    text
}

fn attempt_story(attempt: &AttemptRecord) -> String {
    let replay = if attempt.attempt.replay > 0 {
        format!(" of replay {}", attempt.attempt.replay)
    } else {
        String::new()
    };
    let mut text = format!(
        "  attempt {}{replay} began at {}: {}\n",
        attempt.attempt.number, attempt.began, attempt.outcome
    );
    let tokens = if attempt.token_requests > 0 {
        format!(" and {} for tokens", attempt.token_requests)
    } else {
        String::new()
    };
    if attempt.requests + attempt.token_requests > 0 {
        let asked = span(attempt.began, attempt.asked);
        text.push_str(&format!(
            "    asked the registry with {} request(s){tokens}, {asked}\n",
            attempt.requests
        ));
    }
    for choice in &attempt.choices {
        text.push_str(&format!("    chose for {choice}\n"));
    }
    if attempt.served > 1 {
        text.push_str(&format!("    one refresh for {} deliveries\n", attempt.served));
    }
    text
}

fn event(event: &Event) -> String {
    match event.subject() {
        subject if subject.is_empty() => event.repository().to_owned(),
        subject if event.repository().is_empty() => subject,
        subject => format!("{}:{subject}", event.repository()),
    }
}

fn span(from: jiff::Timestamp, to: jiff::Timestamp) -> String {
    let millis = to.duration_since(from).as_millis();
    if millis < 10_000 {
        format!("{millis} ms")
    } else {
        format!("{} s", millis / 1000)
    }
}
