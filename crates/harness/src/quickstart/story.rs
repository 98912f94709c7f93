//! Waits for the delivery of a push, follows it to its end, and tells what happened when; it does not judge it.

use std::time::Duration;

use anyhow::{Context as _, Result};
use jiff::Timestamp;
use landfall_harness::{Landfall, wait};
use serde::de::DeserializeOwned;

use super::delivery::{Attempt, State, Story, Summary, TargetWork};
use super::page::Page;
use super::stop::Stop;

/// A registry notifies within milliseconds; a busy machine may need much longer.
const ARRIVAL: Duration = Duration::from_secs(20);
/// Retries included, work that has not ended by then will not end soon.
const END: Duration = Duration::from_secs(30);

/// How a story ended.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Told {
    /// The delivery came, and everything that it was for was done.
    Well,
    /// It did not come, or something was not done.
    Broken,
}

/// Tells of one delivery after another.
pub struct Narrator<'a> {
    landfall: &'a Landfall,
    page: &'a Page,
    stop: &'a Stop,
    /// The id of the last delivery that was told of: the next one is a later one.
    last: String,
}

impl<'a> Narrator<'a> {
    /// Begins before the first delivery.
    pub fn new(landfall: &'a Landfall, page: &'a Page, stop: &'a Stop) -> Self {
        let last = String::new();
        Self {
            landfall,
            page,
            stop,
            last,
        }
    }

    /// Tells of the next delivery that names this repository and tag. One that does not come is told of as well.
    pub fn tell(&mut self, repository: &str, tag: &str) -> Result<Told> {
        let Some(id) = self.wait_for(ARRIVAL, || self.find(repository, tag))? else {
            let text = format!("no delivery of {repository}:{tag} came within {ARRIVAL:?}");
            self.page.step("", "missing", &text);
            return Ok(Told::Broken);
        };
        let over = || Ok(Some(self.story(&id)?).filter(Story::is_over));
        let story = match self.wait_for(END, over)? {
            Some(story) => story,
            None => self.story(&id)?,
        };
        self.print(&story);
        self.last = id;
        Ok(if story.ended_well() { Told::Well } else { Told::Broken })
    }

    fn find(&self, repository: &str, tag: &str) -> Result<Option<String>> {
        let deliveries: Vec<Summary> = self.ask(&["deliveries", "list", "--limit", "200", "-o", "json"])?;
        let found = deliveries.into_iter().find(|delivery| {
            let names =
                |event: &super::delivery::Pushed| event.repository == repository && event.tag.as_deref() == Some(tag);
            delivery.id > self.last && delivery.verdict == "accepted" && delivery.events.iter().any(names)
        });
        Ok(found.map(|delivery| delivery.id))
    }

    fn story(&self, id: &str) -> Result<Story> {
        self.ask(&["deliveries", "explain", id, "-o", "json"])
    }

    fn ask<T: DeserializeOwned>(&self, command: &[&str]) -> Result<T> {
        let answer = self.landfall.cli_json(command)?;
        serde_json::from_value(answer)
            .with_context(|| format!("landfall {} printed something unexpected", command.join(" ")))
    }

    /// Looks until there is something; `None` if there is nothing in time. An error ends the waiting, and so does a wish
    /// to stop.
    fn wait_for<T>(&self, timeout: Duration, look: impl Fn() -> Result<Option<T>>) -> Result<Option<T>> {
        let found = wait::until(timeout, "a delivery", || match self.stop.check() {
            Err(stopped) => Some(Err(stopped.into())),
            Ok(()) => look().transpose(),
        });
        found.ok().transpose()
    }

    fn print(&self, story: &Story) {
        let accepted = format!("delivery {} through {}, and on the disk", story.id, story.receiver);
        self.page.step("+0 ms", "accepted", &accepted);
        self.print_verdicts(story);
        for work in &story.work {
            self.print_work(story.received, work);
        }
    }

    fn print_verdicts(&self, story: &Story) {
        let Some(matched) = story.matched else {
            self.page.step("", "matched", "not yet");
            return;
        };
        let when = since(story.received, matched);
        let mut lines: Vec<_> = story.explanations.iter().flat_map(|event| &event.lines).collect();
        if lines.is_empty() {
            self.page.step(&when, "matched", "nobody subscribed to this repository");
        }
        lines.sort_by_key(|line| !line.wanted);
        for line in lines {
            let word = if line.wanted { "matched" } else { "left out" };
            let text = format!("{}: {}", line.targets.join(", "), line.reason);
            self.page.step(&when, word, &text);
        }
    }

    fn print_work(&self, received: Timestamp, work: &TargetWork) {
        for attempt in &work.attempts {
            self.print_attempt(received, attempt);
        }
        match &work.work {
            State::Waiting {} => self.page.step("", "waits", &format!("{} is tried again", work.target)),
            State::Done { at } => {
                let text = format!("in the status of {}", work.target);
                self.page.step(&since(received, *at), "recorded", &text);
            }
            State::Dead { at } => self.page.step(&since(received, *at), "given up", &work.target),
        }
    }

    fn print_attempt(&self, received: Timestamp, attempt: &Attempt) {
        let requests = match attempt.requests {
            1 => "1 request to the registry".to_owned(),
            n => format!("{n} requests to the registry"),
        };
        self.page.step(&since(received, attempt.asked), "asked", &requests);
        let chose = since(received, attempt.chose);
        if let Some(what) = attempt.outcome.strip_prefix("not visible yet: ") {
            // A registry tells of a manifest before its tag points to it, so landfall can be there first.
            let text = format!("{what} (registries tell of a push just before the tag is there); landfall looks again");
            self.page.step(&chose, "not yet", &text);
            return;
        }
        if attempt.outcome != "done" {
            let text = attempt.outcome.strip_prefix("failed: ").unwrap_or(&attempt.outcome);
            self.page
                .step(&chose, "failed", &format!("{text}; landfall tries again"));
            return;
        }
        for choice in &attempt.choices {
            // Which subscription it is for goes without saying: there is one in each Warehouse here.
            let choice = choice.split_once("): ").map_or(choice.as_str(), |(_, choice)| choice);
            self.page.step(&chose, "chose", choice);
        }
    }
}

/// The time since a delivery was received; clocks that were set back count as no time.
fn since(received: Timestamp, at: Timestamp) -> String {
    format!("+{} ms", at.duration_since(received).as_millis().max(0))
}
