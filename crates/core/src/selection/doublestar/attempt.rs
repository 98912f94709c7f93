//! Compares one path with one reading of a glob; which reading comes next is not its concern.

use super::position_unescaped;

/// What Go reads past the end of a text.
const NO_CHARACTER: char = char::REPLACEMENT_CHARACTER;

/// What an attempt came to.
pub(super) enum Outcome {
    Matched,
    Failed,
    BadPattern,
    OutOfSteps,
    /// The pattern goes on with one of several texts; each attempt goes on with one of them.
    Alternatives(Vec<Attempt>),
}

/// Where to go on when nothing else fits.
#[derive(Clone, Copy)]
struct Retry {
    pattern: usize,
    name: usize,
}

/// One way to read the pattern, as far as it has come.
pub(super) struct Attempt {
    pub(super) pattern: Vec<char>,
    pattern_at: usize,
    name_at: usize,
    last_star: Option<Retry>,
    last_doublestar: Option<Retry>,
    /// Whether the pattern stands at its beginning or after a slash, where `**` has its meaning.
    at_element_start: bool,
    /// Whether the name has been read to its end, so that the rest of the pattern must match nothing.
    name_ended: bool,
}

/// What to do after one character of the pattern.
enum Step {
    Advanced,
    Mismatch,
    End(Outcome),
}

impl Attempt {
    pub(super) fn new(pattern: Vec<char>) -> Self {
        Self {
            pattern,
            pattern_at: 0,
            name_at: 0,
            last_star: None,
            last_doublestar: None,
            at_element_start: true,
            name_ended: false,
        }
    }

    /// Goes on until the attempt ends or the pattern branches; each comparison takes one of `steps`.
    pub(super) fn run(mut self, name: &[char], steps: &mut u32) -> Outcome {
        while !self.name_ended && self.name_at < name.len() {
            let Some(left) = steps.checked_sub(1) else {
                return Outcome::OutOfSteps;
            };
            *steps = left;
            match self.step(name) {
                Step::Advanced => {}
                Step::Mismatch if self.retry(name) => {}
                Step::Mismatch => return Outcome::Failed,
                Step::End(outcome) => return outcome,
            }
        }
        self.name_ended = true;
        self.match_nothing()
    }

    /// Compares the next of the pattern with the next of the name, which there is.
    fn step(&mut self, name: &[char]) -> Step {
        let Some(letter) = self.pattern.get(self.pattern_at).copied() else {
            return Step::Mismatch;
        };
        let next_in_name = name[self.name_at];
        match letter {
            '*' => return self.star(),
            '{' => return Step::End(self.alternatives(self.pattern_at)),
            '[' => return self.class(next_in_name),
            '?' => {
                self.at_element_start = false;
                if next_in_name == '/' {
                    return Step::Mismatch;
                }
                self.pattern_at += 1;
            }
            _ => {
                let escape = usize::from(letter == '\\');
                let Some(literal) = self.pattern.get(self.pattern_at + escape).copied() else {
                    return Step::End(Outcome::BadPattern);
                };
                if literal != next_in_name {
                    return Step::Mismatch;
                }
                self.pattern_at += escape + 1;
                self.at_element_start = literal == '/';
            }
        }
        self.name_at += 1;
        Step::Advanced
    }

    fn star(&mut self) -> Step {
        self.pattern_at += 1;
        if self.pattern.get(self.pattern_at) == Some(&'*') {
            self.pattern_at += 1;
            if self.at_element_start {
                match self.pattern.get(self.pattern_at) {
                    None => return Step::End(Outcome::Matched),
                    Some('/') => {
                        self.pattern_at += 1;
                        self.last_doublestar = Some(Retry {
                            pattern: self.pattern_at,
                            name: self.name_at,
                        });
                        self.last_star = None;
                        return Step::Advanced;
                    }
                    Some(_) => {}
                }
            }
        }
        self.at_element_start = false;
        self.last_star = Some(Retry {
            pattern: self.pattern_at,
            name: self.name_at,
        });
        Step::Advanced
    }

    fn class(&mut self, letter: char) -> Step {
        self.at_element_start = false;
        self.pattern_at += 1;
        let negated = matches!(self.pattern.get(self.pattern_at), Some('!' | '^'));
        if negated {
            self.pattern_at += 1;
        }
        if matches!(self.pattern.get(self.pattern_at), None | Some(']')) {
            return Step::End(Outcome::BadPattern);
        }
        if self.class_lists(letter) == negated {
            return match self.pattern_at >= self.pattern.len() {
                true => Step::End(Outcome::BadPattern),
                false => Step::Mismatch,
            };
        }
        let rest = self.pattern.get(self.pattern_at..).unwrap_or_default();
        let Some(closing) = position_unescaped(rest, ']') else {
            return Step::End(Outcome::BadPattern);
        };
        self.pattern_at += closing + 1;
        self.name_at += 1;
        Step::Advanced
    }

    /// Reads the class until it lists `letter` or ends.
    fn class_lists(&mut self, letter: char) -> bool {
        // What a `-` would make a range of.
        let mut low = None;
        while self.pattern.get(self.pattern_at).is_some_and(|next| *next != ']') {
            let mut listed = self.take_pattern();
            let closes = matches!(self.pattern.get(self.pattern_at), None | Some(']'));
            if let Some(low_end) = low
                && listed == '-'
                && !closes
            {
                if self.pattern.get(self.pattern_at) == Some(&'\\') {
                    self.pattern_at += 1;
                }
                let high_end = self.take_pattern();
                if (low_end..=high_end).contains(&letter) {
                    return true;
                }
                low = None;
                continue;
            }
            if listed == '\\' {
                listed = self.take_pattern();
            }
            if listed == letter {
                return true;
            }
            low = Some(listed).filter(|low| *low != char::MAX);
        }
        false
    }

    fn take_pattern(&mut self) -> char {
        let next = self.pattern.get(self.pattern_at).copied();
        self.pattern_at += usize::from(next.is_some());
        next.unwrap_or(NO_CHARACTER)
    }

    /// Lets the last `*` take one character more, or else the last `**/` one path element more; `false` if neither can.
    fn retry(&mut self, name: &[char]) -> bool {
        if let Some(star) = &mut self.last_star
            && name.get(star.name).is_some_and(|letter| *letter != '/')
        {
            star.name += 1;
            self.pattern_at = star.pattern;
            self.name_at = star.name;
            self.at_element_start = false;
            return true;
        }
        let Some(doublestar) = &mut self.last_doublestar else {
            return false;
        };
        let Some(length) = name[doublestar.name..].iter().position(|letter| *letter == '/') else {
            return false;
        };
        doublestar.name += length + 1;
        self.pattern_at = doublestar.pattern;
        self.name_at = doublestar.name;
        self.at_element_start = true;
        true
    }

    /// One attempt for each alternative of the braces at `opening`, its text put in their place.
    fn alternatives(&self, opening: usize) -> Outcome {
        let Some(texts) = alternative_texts(&self.pattern[opening + 1..]) else {
            return Outcome::BadPattern;
        };
        let after = opening + 1 + texts.iter().map(|text| text.len() + 1).sum::<usize>();
        let attempt = |text: &&[char]| Self {
            pattern: [&self.pattern[..opening], text, &self.pattern[after..]].concat(),
            pattern_at: opening,
            // Go forgets where it stands here, so `a{**/b}` crosses slashes and `a**/b` does not.
            at_element_start: true,
            ..*self
        };
        Outcome::Alternatives(texts.iter().map(attempt).collect())
    }

    /// Whether the rest of the pattern can match the end of the name. `a/**` matches `a`, which may be a directory.
    fn match_nothing(&self) -> Outcome {
        match self.pattern.get(self.pattern_at..).unwrap_or_default() {
            [] | ['*'] | ['*', '*'] | ['/', '*', '*'] | ['*', '*', '/'] | ['/', '*', '*', '/'] => Outcome::Matched,
            ['{', ..] => self.alternatives(self.pattern_at),
            _ => Outcome::Failed,
        }
    }
}

/// The texts between `{`, its commas and its `}`; `None` if it does not close. Brackets are no concern here.
fn alternative_texts(after_brace: &[char]) -> Option<Vec<&[char]>> {
    let mut texts = Vec::new();
    let mut open_braces: u32 = 0;
    let (mut start, mut at) = (0, 0);
    loop {
        match after_brace.get(at)? {
            '\\' => at += 1,
            '{' => open_braces += 1,
            '}' if open_braces > 0 => open_braces -= 1,
            '}' => {
                texts.push(&after_brace[start..at]);
                return Some(texts);
            }
            ',' if open_braces == 0 => {
                texts.push(&after_brace[start..at]);
                start = at + 1;
            }
            _ => {}
        }
        at += 1;
    }
}
