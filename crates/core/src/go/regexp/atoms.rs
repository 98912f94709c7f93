//! Parses escapes and character classes by the rules of Go's `regexp`; what stands around them is not its concern.

use super::class::{Class, Polarity};
use super::translate::{Translator, syntax};
use super::{RegexpError, SyntaxProblem};

impl Translator<'_> {
    /// Reads what begins with a backslash outside of brackets.
    pub(super) fn escape(&mut self) -> Result<(), RegexpError> {
        let letter = self.rest().chars().nth(1);
        let assertion = match letter {
            Some('A') => Some(r"\A"),
            Some('z') => Some(r"\z"),
            Some('b') => Some(r"(?-u:\b)"),
            Some('B') => Some(r"(?-u:\B)"),
            _ => None,
        };
        if let Some(assertion) = assertion {
            self.at += 2;
            self.push_unit(assertion);
            return Ok(());
        }
        if letter == Some('Q') {
            self.quotation();
            return Ok(());
        }
        let mut class = Class::default();
        if self.named_escape(&mut class)? {
            self.push_class(class, Polarity::Listed);
            return Ok(());
        }
        let code_point = self.character_escape()?;
        self.push_literal(code_point);
        Ok(())
    }

    /// Reads `\Q…\E`, or to the end of the expression where `\E` is missing.
    fn quotation(&mut self) {
        self.at += r"\Q".len();
        let end = self
            .rest()
            .find(r"\E")
            .map_or(self.pattern.len(), |length| self.at + length);
        while self.at < end
            && let Some(letter) = self.take()
        {
            self.push_literal(u32::from(letter));
        }
        if self.rest().starts_with(r"\E") {
            self.at += r"\E".len();
        }
    }

    /// Reads `\pL`, `\p{Greek}`, `\d` and their like into `class`; `false`, with nothing read, if none comes next.
    fn named_escape(&mut self, class: &mut Class) -> Result<bool, RegexpError> {
        let mut ahead = self.rest().chars();
        let (Some('\\'), Some(letter)) = (ahead.next(), ahead.next()) else {
            return Ok(false);
        };
        if matches!(letter, 'p' | 'P') {
            let polarity = if letter == 'p' {
                Polarity::Listed
            } else {
                Polarity::Others
            };
            self.unicode_class(polarity, class)?;
            return Ok(true);
        }
        let found = class.add_perl(letter).is_some();
        if found {
            self.at += 2;
        }
        Ok(found)
    }

    fn unicode_class(&mut self, mut polarity: Polarity, class: &mut Class) -> Result<(), RegexpError> {
        let start = self.at;
        self.at += 2;
        let mut name_start = self.at;
        let mut name_end = self.at;
        match self.take() {
            Some('{') => {
                name_start = self.at;
                let Some(length) = self.rest().find('}') else {
                    self.at = self.pattern.len();
                    return Err(self.error_since(start, SyntaxProblem::InvalidCharRange));
                };
                name_end = name_start + length;
                self.at = name_end + 1;
            }
            Some(letter) => name_end += letter.len_utf8(),
            None => {}
        }
        let mut name = &self.pattern[name_start..name_end];
        if let Some(negated) = name.strip_prefix('^') {
            polarity = polarity.flipped();
            name = negated;
        }
        class
            .add_unicode(polarity, name)
            .ok_or_else(|| self.error_since(start, SyntaxProblem::InvalidCharRange))
    }

    /// Reads `[…]`.
    pub(super) fn bracket_class(&mut self) -> Result<(), RegexpError> {
        let start = self.at;
        self.at += 1;
        let polarity = if self.take_if('^') {
            Polarity::Others
        } else {
            Polarity::Listed
        };
        let mut class = Class::default();
        let mut first = true;
        // The first `]` is a character, since a class cannot be empty.
        while first || self.peek() != Some(']') {
            first = false;
            if !self.posix_class(&mut class)? && !self.named_escape(&mut class)? {
                self.range(start, &mut class)?;
            }
        }
        self.at += 1;
        self.push_class(class, polarity);
        Ok(())
    }

    /// Reads `[:alpha:]` and its like into `class`; `false`, with nothing read, if none comes next.
    fn posix_class(&mut self, class: &mut Class) -> Result<bool, RegexpError> {
        let Some(after) = self.rest().strip_prefix("[:") else {
            return Ok(false);
        };
        let Some(length) = after.find(":]") else {
            return Ok(false);
        };
        let known = class.add_posix(&after[..length]).is_some();
        let start = self.at;
        self.at += "[:".len() + length + ":]".len();
        match known {
            true => Ok(true),
            false => Err(self.error_since(start, SyntaxProblem::InvalidCharRange)),
        }
    }

    /// Reads one character or a range such as `a-z`; a `-` before the closing bracket is a character.
    fn range(&mut self, class_start: usize, class: &mut Class) -> Result<(), RegexpError> {
        let start = self.at;
        let low = self.class_character(class_start)?;
        let mut high = low;
        let mut ahead = self.rest().chars();
        if ahead.next() == Some('-') && ahead.next().is_some_and(|after| after != ']') {
            self.at += 1;
            high = self.class_character(class_start)?;
        }
        if high < low {
            return Err(self.error_since(start, SyntaxProblem::InvalidCharRange));
        }
        class.add_range(low, high);
        Ok(())
    }

    fn class_character(&mut self, class_start: usize) -> Result<u32, RegexpError> {
        match self.peek() {
            Some('\\') => self.character_escape(),
            Some(letter) => {
                self.at += letter.len_utf8();
                Ok(u32::from(letter))
            }
            None => Err(syntax(SyntaxProblem::MissingBracket, &self.pattern[class_start..])),
        }
    }

    /// Reads an escape that stands for one code point.
    fn character_escape(&mut self) -> Result<u32, RegexpError> {
        let start = self.at;
        self.at += 1;
        let Some(letter) = self.take() else {
            return Err(syntax(SyntaxProblem::TrailingBackslash, ""));
        };
        let octal_follows = self.peek().is_some_and(|next| next.is_digit(8));
        let code_point = match letter {
            'a' => Some(0x07),
            'f' => Some(0x0C),
            'n' => Some(0x0A),
            'r' => Some(0x0D),
            't' => Some(0x09),
            'v' => Some(0x0B),
            'x' => self.hexadecimal(),
            '0' => Some(self.octal(letter)),
            // A lone digit would be a back reference, which Go does not have.
            '1'..='7' if octal_follows => Some(self.octal(letter)),
            punctuation if punctuation.is_ascii() && !punctuation.is_ascii_alphanumeric() => Some(u32::from(letter)),
            _ => None,
        };
        code_point.ok_or_else(|| self.error_since(start, SyntaxProblem::InvalidEscape))
    }

    /// Reads up to two more octal digits.
    fn octal(&mut self, first: char) -> u32 {
        let mut value = first.to_digit(8).unwrap_or(0);
        for _ in 0..2 {
            let Some(digit) = self.peek().and_then(|next| next.to_digit(8)) else {
                break;
            };
            self.at += 1;
            value = value * 8 + digit;
        }
        value
    }

    /// Reads two hexadecimal digits, or any number of them in braces up to the last code point.
    fn hexadecimal(&mut self) -> Option<u32> {
        if !self.take_if('{') {
            let high = self.take()?.to_digit(16);
            let low = self.take()?.to_digit(16);
            return Some(high? * 16 + low?);
        }
        let mut value = None;
        loop {
            match self.take()? {
                '}' => return value,
                letter => {
                    let digit = letter.to_digit(16)?;
                    value = Some(value.unwrap_or(0) * 16 + digit).filter(|value| *value <= 0x10_FFFF);
                    value?;
                }
            }
        }
    }
}
