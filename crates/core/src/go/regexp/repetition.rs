//! Parses repetitions by the rules of Go's `regexp`; what is repeated has been translated before.

use super::shape::Shape;
use super::translate::Translator;
use super::{RegexpError, SyntaxProblem};

/// How often a part may be repeated in Go, also after multiplying nested counts.
const MAX_REPEAT: u32 = 1000;

/// How often something repeats; `most` is `None` where there is no end.
#[derive(Clone, Copy)]
struct Count {
    least: u32,
    most: Option<u32>,
}

impl Count {
    fn is_valid(self) -> bool {
        self.least <= MAX_REPEAT && self.most.is_none_or(|most| self.least <= most && most <= MAX_REPEAT)
    }

    fn suffix(self) -> String {
        match self.most {
            None => format!("{{{},}}", self.least),
            Some(most) => format!("{{{},{most}}}", self.least),
        }
    }
}

/// Go multiplies nested counts in braces only.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Spelling {
    Sign,
    Counted,
}

impl Translator<'_> {
    /// Reads `*`, `+`, `?` or `{n,m}`; a `{` that begins no count is a character like others.
    pub(super) fn repetition(&mut self, operator: char) -> Result<Option<usize>, RegexpError> {
        let start = self.at;
        self.at += 1;
        let count = match operator {
            '*' => Count { least: 0, most: None },
            '+' => Count { least: 1, most: None },
            '?' => Count {
                least: 0,
                most: Some(1),
            },
            _ => match self.count() {
                Some(count) => count,
                None => {
                    self.push_literal(u32::from('{'));
                    return Ok(None);
                }
            },
        };
        if !count.is_valid() {
            return Err(self.error_since(start, SyntaxProblem::InvalidRepeatSize));
        }
        self.take_if('?');
        if let Some(before) = self.last_repeat {
            return Err(self.error_since(before, SyntaxProblem::InvalidRepeatOp));
        }
        let spelling = if operator == '{' {
            Spelling::Counted
        } else {
            Spelling::Sign
        };
        self.repeat_last(start, count, spelling)?;
        Ok(Some(start))
    }

    /// Reads `n}`, `n,}` or `n,m}`, or nothing at all. Leading zeros make it no count.
    fn count(&mut self) -> Option<Count> {
        let (least, rest) = leading_number(self.rest())?;
        let (most, rest) = match rest.strip_prefix(',') {
            None => (Some(least), rest),
            Some(rest) if rest.starts_with('}') => (None, rest),
            Some(rest) => leading_number(rest).map(|(most, rest)| (Some(most), rest))?,
        };
        let rest = rest.strip_prefix('}')?;
        self.at = self.pattern.len() - rest.len();
        Some(Count { least, most })
    }

    /// Repeats the last thing read, whose translation is one unit unless it is itself a repetition.
    fn repeat_last(&mut self, start: usize, count: Count, spelling: Spelling) -> Result<(), RegexpError> {
        let missing = self.error_since(start, SyntaxProblem::MissingRepeatArgument);
        let Some(last) = self.group.last_mut() else {
            return Err(missing);
        };
        let times = if spelling == Spelling::Counted {
            count.most.unwrap_or(count.least)
        } else {
            1
        };
        // What is repeated zero times has no size.
        let repeats = if count.most == Some(0) {
            1
        } else {
            times.max(1).saturating_mul(last.shape.repeats)
        };
        // Where there is no end, the last copy goes round.
        let copies = count.most.unwrap_or(count.least.max(1));
        last.shape = Shape {
            repeats,
            weight: last.shape.weight.saturating_mul(copies.into()),
            ..last.shape.one_level_up()
        };
        let atom = *last;
        if atom.shape.repeats > MAX_REPEAT {
            return Err(self.error_since(start, SyntaxProblem::InvalidRepeatSize));
        }
        self.check_height(atom.shape)?;
        self.output.insert_str(atom.start, "(?:");
        self.output.push_str(&count.suffix());
        self.output.push(')');
        Ok(())
    }
}

/// Reads a decimal number without leading zeros. Anything over the limit is told apart no further.
fn leading_number(text: &str) -> Option<(u32, &str)> {
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let (number, rest) = text.split_at(digits);
    if number.is_empty() || (number.len() > 1 && number.starts_with('0')) {
        return None;
    }
    Some((number.parse().unwrap_or(u32::MAX), rest))
}
