//! Prints for people, with colours on a terminal alone; it does not know what it tells of.

use std::fmt;
use std::io::{self, IsTerminal as _, Write as _};

/// Where the quick start writes.
pub struct Page {
    coloured: bool,
}

const BOLD: &str = "1";
const DIM: &str = "2";
const GREEN: &str = "32";
const RED: &str = "31";

impl Page {
    /// Standard output; coloured if it is a terminal and `NO_COLOR` is not set.
    pub fn of_the_terminal() -> Self {
        let plain = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
        Self {
            coloured: io::stdout().is_terminal() && !plain,
        }
    }

    /// A line as it is.
    pub fn line(&self, text: &str) {
        write(format_args!("{text}\n"));
    }

    /// A heading, with a note where it comes from.
    pub fn heading(&self, text: &str, note: &str) {
        let (text, note) = (self.in_colour(BOLD, text), self.in_colour(DIM, note));
        write(format_args!("\n{text}  {note}\n"));
    }

    /// The heading of a numbered scene.
    pub fn scene(&self, number: usize, title: &str) {
        let title = self.in_colour(BOLD, &format!("{number}. {title}"));
        write(format_args!("\n{title}\n"));
    }

    /// What a part is, and where.
    pub fn part(&self, name: &str, place: &str, note: &str) {
        let note = self.in_colour(DIM, note);
        write(format_args!("  {name:<10} {place:<24} {note}\n"));
    }

    /// What happened, when, in a word and at length.
    pub fn step(&self, when: &str, word: &str, text: &str) {
        let when = self.in_colour(DIM, &format!("{when:>10}"));
        let word = match word {
            "recorded" => self.in_colour(GREEN, &format!("{word:<9}")),
            "failed" | "given up" | "missing" => self.in_colour(RED, &format!("{word:<9}")),
            _ => format!("{word:<9}"),
        };
        write(format_args!("{when}  {word} {text}\n"));
    }

    /// Text of somebody else's, indented.
    pub fn block(&self, text: &str) {
        for line in text.trim_end().lines() {
            write(format_args!("  {line}\n"));
        }
    }

    /// A command to try, and what it does.
    pub fn command(&self, what: &str, command: &str) {
        let command = self.in_colour(BOLD, command);
        write(format_args!("\n  {what}\n    {command}\n"));
    }

    /// Good news.
    pub fn good(&self, text: &str) {
        let text = self.in_colour(GREEN, text);
        write(format_args!("\n{text}\n"));
    }

    /// Bad news, on standard output as well, so that it stands where it happened.
    pub fn problem(&self, text: &str) {
        let text = self.in_colour(RED, text);
        write(format_args!("\nquick start: {text}\n"));
    }

    fn in_colour(&self, colour: &str, text: &str) -> String {
        match self.coloured {
            true => format!("\x1b[{colour}m{text}\x1b[0m"),
            false => text.to_owned(),
        }
    }
}

/// The first characters of a digest, enough for people.
pub fn short(digest: &str) -> &str {
    digest.get(..19).unwrap_or(digest)
}

/// If nobody reads any more, the quick start goes on all the same: how it ends still counts.
fn write(text: fmt::Arguments<'_>) {
    let mut out = io::stdout().lock();
    let _ = out.write_fmt(text).and_then(|()| out.flush());
}
