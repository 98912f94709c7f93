//! Cuts the source of a template into items, as Go does; it must not know what they mean together.

mod action;
mod number;

use std::borrow::Cow;
use std::sync::LazyLock;

use super::item::{Item, Kind};
use crate::go::regexp::Regexp;

const LEFT: &str = "{{";
const RIGHT: &str = "}}";
const SPACES: [char; 4] = [' ', '\t', '\r', '\n'];

pub(super) struct Lexer<'s> {
    source: &'s str,
    at: usize,
    /// Where the item began that is being read, and on which line.
    start: usize,
    line: usize,
    parentheses: usize,
    inside_action: bool,
}

impl<'s> Lexer<'s> {
    pub(super) fn new(source: &'s str) -> Self {
        Self {
            source,
            at: 0,
            start: 0,
            line: 1,
            parentheses: 0,
            inside_action: false,
        }
    }

    /// The next item; after the end, the end again.
    pub(super) fn next_item(&mut self) -> Item<'s> {
        match self.inside_action {
            true => self.action(),
            false => self.text(),
        }
    }

    fn rest(&self) -> &'s str {
        &self.source[self.at..]
    }

    fn peek(&self) -> Option<char> {
        self.rest().chars().next()
    }

    fn take(&mut self) -> Option<char> {
        let next = self.peek()?;
        self.at += next.len_utf8();
        Some(next)
    }

    fn take_while(&mut self, wanted: impl Fn(char) -> bool) {
        let rest = self.rest();
        self.at += rest.len() - rest.trim_start_matches(wanted).len();
    }

    fn take_one_of(&mut self, wanted: &str) -> bool {
        let found = self.peek().is_some_and(|next| wanted.contains(next));
        self.at += usize::from(found);
        found
    }

    fn item(&mut self, kind: Kind) -> Item<'s> {
        let item = Item {
            kind,
            at: self.start,
            line: self.line,
            text: Cow::Borrowed(&self.source[self.start..self.at]),
        };
        self.skip();
        item
    }

    /// What has been read is no item.
    fn skip(&mut self) {
        self.line += self.source[self.start..self.at].matches('\n').count();
        self.start = self.at;
    }

    /// Nothing is read after an error.
    fn error(&mut self, problem: String) -> Item<'s> {
        let item = Item {
            kind: Kind::Error,
            at: self.start,
            line: self.line,
            text: Cow::Owned(problem),
        };
        self.source = "";
        (self.at, self.start, self.inside_action) = (0, 0, false);
        item
    }

    fn text(&mut self) -> Item<'s> {
        while let Some(before) = self.rest().find(LEFT) {
            let opening = self.at + before;
            let text = &self.source[self.at..opening];
            let kept = match trims_before(&self.source[opening + LEFT.len()..]) {
                true => text.trim_end_matches(SPACES),
                false => text,
            };
            self.at += kept.len();
            let item = self.item(Kind::Text);
            self.at = opening;
            self.skip();
            if !item.text.is_empty() {
                return item;
            }
            if let Some(item) = self.left_delimiter() {
                return item;
            }
        }
        self.at = self.source.len();
        match self.at > self.start {
            true => self.item(Kind::Text),
            false => self.item(Kind::EndOfFile),
        }
    }

    /// The beginning of an action; nothing for a comment that has been passed.
    fn left_delimiter(&mut self) -> Option<Item<'s>> {
        self.at += LEFT.len();
        let marker = match trims_before(self.rest()) {
            true => "- ".len(),
            false => 0,
        };
        if self.rest()[marker..].starts_with("/*") {
            self.at += marker;
            self.skip();
            return self.comment();
        }
        let item = self.item(Kind::LeftDelimiter);
        self.inside_action = true;
        self.parentheses = 0;
        self.at += marker;
        self.skip();
        Some(item)
    }

    fn comment(&mut self) -> Option<Item<'s>> {
        self.at += "/*".len();
        let Some(length) = self.rest().find("*/") else {
            return Some(self.error("unclosed comment".to_owned()));
        };
        self.at += length + "*/".len();
        let Some(trims) = self.right_delimiter_ahead() else {
            return Some(self.error("comment ends before closing delimiter".to_owned()));
        };
        self.pass_right_delimiter(trims);
        self.pass_trimmed(trims);
        None
    }

    /// Whether an action ends here, and whether the spaces behind it do not count.
    fn right_delimiter_ahead(&self) -> Option<bool> {
        let rest = self.rest();
        if trims_after(rest) && rest[" -".len()..].starts_with(RIGHT) {
            return Some(true);
        }
        rest.starts_with(RIGHT).then_some(false)
    }

    fn pass_right_delimiter(&mut self, trims: bool) {
        if trims {
            self.at += " -".len();
            self.skip();
        }
        self.at += RIGHT.len();
    }

    fn pass_trimmed(&mut self, trims: bool) {
        if trims {
            self.take_while(is_space);
        }
        self.skip();
    }

    fn right_delimiter(&mut self, trims: bool) -> Item<'s> {
        self.pass_right_delimiter(trims);
        let item = self.item(Kind::RightDelimiter);
        self.pass_trimmed(trims);
        self.inside_action = false;
        item
    }
}

fn is_space(letter: char) -> bool {
    SPACES.contains(&letter)
}

fn is_alphanumeric(letter: char) -> bool {
    // Rust's own tables count more as letters, and those of another version of Unicode.
    static ALPHANUMERIC: LazyLock<Option<Regexp>> = LazyLock::new(|| Regexp::compile(r"[\pL\p{Nd}]").ok());
    if letter.is_ascii() {
        return letter == '_' || letter.is_ascii_alphanumeric();
    }
    let mut bytes = [0; 4];
    let text = letter.encode_utf8(&mut bytes);
    ALPHANUMERIC.as_ref().is_some_and(|class| class.is_match(text))
}

/// Whether what follows `{{` says that the spaces before it do not count.
fn trims_before(text: &str) -> bool {
    text.strip_prefix('-').is_some_and(|text| text.starts_with(SPACES))
}

/// Whether a space and a minus stand here, as they do before `}}` if the spaces behind it do not count.
fn trims_after(text: &str) -> bool {
    text.strip_prefix(SPACES).is_some_and(|text| text.starts_with('-'))
}
