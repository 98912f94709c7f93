//! Parses an expression by the rules of Go's `regexp` and writes it in the syntax of the crate `regex`; it never matches.
//!
//! Only whether there is a match will be asked, so groups lose their names and numbers, and laziness is dropped.

use super::class::{Case, Class, Polarity, single};
use super::shape::{Atom, Group, Shape};
use super::{RegexpError, SyntaxProblem};

/// How deep groups and repetitions may nest in Go.
const MAX_HEIGHT: u32 = 1000;
/// How deep repetitions, sequences and alternations may nest here. The crate `regex` compiles them by recursion, and a
/// thread of 2 MiB must suffice for that in a build without optimization.
const MAX_DEPTH: u32 = 100;
/// How many states an expression may take by our estimate: a thousand copies of a large Unicode class. Compiling it takes
/// time by that number, and whoever subscribes decides it.
const MAX_WEIGHT: u64 = 320_000;
/// About how many states a Unicode class takes, a large one as `\pL`.
const TABLE_WEIGHT: u64 = 300;
/// About how many a few ranges take, most of whose characters have several bytes.
const RANGES_WEIGHT: u64 = 10;
/// How many Unicode classes an expression may name. Each is computed anew, repeated or not.
const MAX_TABLES: usize = 256;
/// How many times as long that takes where upper and lower case are the same.
const CASE_FACTOR: usize = 4;

/// The translation of `pattern`.
pub(super) fn translate(pattern: &str) -> Result<String, RegexpError> {
    let mut translator = Translator {
        pattern,
        at: 0,
        flags: Flags {
            case: Case::Sensitive,
            multi_line: false,
            dot_matches_newline: false,
        },
        group: Group::default(),
        outer: Vec::new(),
        last_repeat: None,
        tables: 0,
        output: String::with_capacity(pattern.len() * 2),
    };
    while let Some(next) = translator.peek() {
        translator.last_repeat = translator.step(next)?;
    }
    if !translator.outer.is_empty() {
        return Err(syntax(SyntaxProblem::MissingParen, pattern));
    }
    let whole = std::mem::take(&mut translator.group).finish();
    translator.check_height(whole)?;
    match whole.weight > MAX_WEIGHT || translator.tables > MAX_TABLES {
        true => Err(RegexpError::TooLarge),
        false => Ok(translator.output),
    }
}

pub(super) fn syntax(problem: SyntaxProblem, fragment: &str) -> RegexpError {
    RegexpError::Syntax {
        problem,
        fragment: fragment.to_owned(),
    }
}

/// What `(?…)` can change. Laziness (`U`) plays no part in whether there is a match.
#[derive(Clone, Copy)]
pub(super) struct Flags {
    pub(super) case: Case,
    multi_line: bool,
    dot_matches_newline: bool,
}

impl Flags {
    /// Sets or clears the flag of this letter; `None` if there is none.
    fn apply(&mut self, letter: char, on: bool) -> Option<()> {
        match letter {
            'i' if on => self.case = Case::Insensitive,
            'i' => self.case = Case::Sensitive,
            'm' => self.multi_line = on,
            's' => self.dot_matches_newline = on,
            'U' => {}
            _ => return None,
        }
        Some(())
    }
}

/// What holds again when a group closes, and where it began in the output.
struct Outer {
    group: Group,
    flags: Flags,
    start: usize,
    capture: Capture,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Capture {
    Yes,
    No,
}

pub(super) struct Translator<'p> {
    pub(super) pattern: &'p str,
    /// Byte offset of what comes next.
    pub(super) at: usize,
    pub(super) flags: Flags,
    pub(super) group: Group,
    outer: Vec<Outer>,
    /// Where the repetition began that was read just before, if it was one.
    pub(super) last_repeat: Option<usize>,
    /// Unicode classes so far, by what they cost.
    tables: usize,
    pub(super) output: String,
}

impl Translator<'_> {
    pub(super) fn rest(&self) -> &str {
        &self.pattern[self.at..]
    }

    pub(super) fn peek(&self) -> Option<char> {
        self.rest().chars().next()
    }

    pub(super) fn take(&mut self) -> Option<char> {
        let next = self.peek()?;
        self.at += next.len_utf8();
        Some(next)
    }

    pub(super) fn take_if(&mut self, expected: char) -> bool {
        let found = self.peek() == Some(expected);
        if found {
            self.at += expected.len_utf8();
        }
        found
    }

    /// The error for what stands between `start` and the present place.
    pub(super) fn error_since(&self, start: usize, problem: SyntaxProblem) -> RegexpError {
        syntax(problem, &self.pattern[start..self.at])
    }

    /// Translates one thing; the place where it began if it was a repetition.
    fn step(&mut self, next: char) -> Result<Option<usize>, RegexpError> {
        match next {
            '*' | '+' | '?' | '{' => return self.repetition(next),
            '(' if self.rest().starts_with("(?") => self.perl_group()?,
            '[' => self.bracket_class()?,
            '\\' => self.escape()?,
            _ => {
                self.at += next.len_utf8();
                match next {
                    '(' => self.open_group(Capture::Yes, self.flags),
                    ')' => self.close_group()?,
                    '|' => {
                        self.group.end_branch();
                        self.output.push('|');
                    }
                    '^' if self.flags.multi_line => self.push_unit("(?m:^)"),
                    '^' => self.push_unit(r"\A"),
                    '$' if self.flags.multi_line => self.push_unit("(?m:$)"),
                    '$' => self.push_unit(r"\z"),
                    '.' if self.flags.dot_matches_newline => self.push_unit("(?s:.)"),
                    '.' => self.push_unit(r"[^\x{A}]"),
                    literal => self.push_literal(u32::from(literal)),
                }
            }
        }
        Ok(None)
    }

    fn push_atom(&mut self, text: &str, literal: Option<Case>, weight: u64) {
        let start = self.output.len();
        self.output.push_str(text);
        self.group.push(Atom {
            start,
            shape: Shape::leaf(literal, weight),
        });
    }

    pub(super) fn push_unit(&mut self, text: &str) {
        self.push_atom(text, None, RANGES_WEIGHT);
    }

    pub(super) fn push_literal(&mut self, code_point: u32) {
        let text = self.flags.case.wrap(single(code_point));
        self.push_atom(&text, Some(self.flags.case), 1);
    }

    pub(super) fn push_class(&mut self, class: Class, polarity: Polarity) {
        let text = self.flags.case.wrap(class.finish(polarity));
        let tables = text.matches(r"\p{gc=").count() + text.matches(r"\p{sc=").count();
        let weight = RANGES_WEIGHT.saturating_add(TABLE_WEIGHT.saturating_mul(tables as u64));
        self.tables = self.tables.saturating_add(match self.flags.case {
            Case::Sensitive => tables,
            Case::Insensitive => tables.saturating_mul(CASE_FACTOR),
        });
        self.push_atom(&text, None, weight);
    }

    fn open_group(&mut self, capture: Capture, inner: Flags) {
        let group = std::mem::take(&mut self.group);
        self.outer.push(Outer {
            group,
            flags: self.flags,
            start: self.output.len(),
            capture,
        });
        self.flags = inner;
        self.output.push_str("(?:");
    }

    fn close_group(&mut self) -> Result<(), RegexpError> {
        let Some(outer) = self.outer.pop() else {
            return Err(syntax(SyntaxProblem::UnexpectedParen, self.pattern));
        };
        self.output.push(')');
        self.flags = outer.flags;
        let mut shape = std::mem::replace(&mut self.group, outer.group).finish();
        if outer.capture == Capture::Yes {
            shape = shape.captured();
        }
        self.check_height(shape)?;
        self.group.push(Atom {
            start: outer.start,
            shape,
        });
        Ok(())
    }

    pub(super) fn check_height(&self, shape: Shape) -> Result<(), RegexpError> {
        match shape.height > MAX_HEIGHT || shape.depth > MAX_DEPTH {
            true => Err(syntax(SyntaxProblem::NestingDepth, self.pattern)),
            false => Ok(()),
        }
    }

    /// Reads what begins with `(?`: a named group, or flags with or without a group.
    fn perl_group(&mut self) -> Result<(), RegexpError> {
        let start = self.at;
        let named = ["(?P<", "(?<"].into_iter().find(|opening| {
            // Go takes the bare opening at the very end for unknown flags.
            self.rest().len() > opening.len() && self.rest().starts_with(opening)
        });
        if let Some(opening) = named {
            return self.named_group(opening);
        }
        self.at += "(?".len();
        let mut flags = self.flags;
        let mut on = true;
        let mut flag_follows_minus = true;
        while let Some(letter) = self.take() {
            match letter {
                '-' if on => {
                    on = false;
                    flag_follows_minus = false;
                }
                ':' if flag_follows_minus => {
                    self.open_group(Capture::No, flags);
                    return Ok(());
                }
                ')' if flag_follows_minus => {
                    self.flags = flags;
                    return Ok(());
                }
                _ if flags.apply(letter, on).is_some() => flag_follows_minus = true,
                _ => break,
            }
        }
        Err(self.error_since(start, SyntaxProblem::InvalidPerlOp))
    }

    fn named_group(&mut self, opening: &str) -> Result<(), RegexpError> {
        let Some(end) = self.rest().find('>') else {
            return Err(syntax(SyntaxProblem::InvalidNamedCapture, self.rest()));
        };
        let name = &self.rest()[opening.len()..end];
        let valid = !name.is_empty() && name.bytes().all(|byte| byte == b'_' || byte.is_ascii_alphanumeric());
        if !valid {
            return Err(syntax(SyntaxProblem::InvalidNamedCapture, &self.rest()[..=end]));
        }
        self.at += end + 1;
        self.open_group(Capture::Yes, self.flags);
        Ok(())
    }
}
