//! Reads numbers, characters and texts as Go's source code has them; it must not know what they are for.

use super::{ParseError, Parser};
use crate::go::integer::parse_int;
use crate::go::quote::quote;
use crate::go::strconv::Fault;
use crate::go::template::item::{Item, Kind};
use crate::go::template::node::Number;

impl Parser<'_> {
    pub(super) fn number(&self, item: &Item<'_>) -> Result<Number, ParseError> {
        let text = item.text.as_ref();
        if item.kind == Kind::CharacterConstant {
            return self.character(text);
        }
        if item.kind == Kind::Complex || text.ends_with('i') {
            return Err(self.error(format!("complex numbers cannot be used here: {}", quote(text))));
        }
        match parse_int(text) {
            Ok(number) => return Ok(Number::Int(number)),
            Err(error) if error.fault == Fault::Range && fits_unsigned(text) => return Ok(Number::TooLarge),
            Err(_) => {}
        }
        match float(text) {
            Some(_) if !text.contains(['.', 'e', 'E']) => Err(self.error(format!("integer overflow: {}", quote(text)))),
            Some(number) => Ok(Number::Float(number)),
            None => Err(self.error(format!("illegal number syntax: {}", quote(text)))),
        }
    }

    /// A character between apostrophes, which is a number.
    fn character(&self, text: &str) -> Result<Number, ParseError> {
        let inner = text.strip_prefix('\'').unwrap_or(text);
        let mut letters = Unquoter {
            rest: inner,
            quote: '\'',
        };
        let letter = letters.next_letter().ok_or_else(|| self.error("invalid syntax"))?;
        if letters.rest != "'" {
            return Err(self.error(format!("malformed character constant: {text}")));
        }
        Ok(Number::Int(match letter {
            Letter::Char(letter) => i64::from(u32::from(letter)),
            Letter::Byte(byte) => i64::from(byte),
        }))
    }

    /// What a text between quotes means.
    pub(super) fn unquoted(&self, item: &Item<'_>) -> Result<Vec<u8>, ParseError> {
        let text = item.text.as_ref();
        let inner = text.get(1..text.len() - 1).unwrap_or_default();
        if item.kind == Kind::RawText {
            return Ok(inner.bytes().filter(|byte| *byte != b'\r').collect());
        }
        let mut letters = Unquoter {
            rest: inner,
            quote: '"',
        };
        let mut bytes = Vec::with_capacity(inner.len());
        while !letters.rest.is_empty() {
            match letters.next_letter().ok_or_else(|| self.error("invalid syntax"))? {
                Letter::Char(letter) => bytes.extend(letter.encode_utf8(&mut [0; 4]).as_bytes()),
                Letter::Byte(byte) => bytes.push(byte),
            }
        }
        Ok(bytes)
    }
}

/// Whether a number is one of 64 bits without a sign.
fn fits_unsigned(text: &str) -> bool {
    let digits: String = text.to_ascii_lowercase().replace('_', "");
    let (radix, digits) = match digits.as_bytes() {
        [b'0', b'x', ..] => (16, &digits[2..]),
        [b'0', b'o', ..] => (8, &digits[2..]),
        [b'0', b'b', ..] => (2, &digits[2..]),
        [b'0', ..] => (8, &digits[1..]),
        // Neither may it have a plus.
        [b'+' | b'-', ..] => return false,
        _ => (10, digits.as_str()),
    };
    u64::from_str_radix(digits, radix).is_ok()
}

/// A decimal number with a point or an exponent, or a whole one that is too large for other kinds.
fn float(text: &str) -> Option<f64> {
    let digits_around = |index: usize| {
        let around = [index.checked_sub(1), index.checked_add(1)];
        let digit = |at: Option<usize>| {
            at.and_then(|at| text.as_bytes().get(at))
                .is_some_and(u8::is_ascii_digit)
        };
        around.into_iter().all(digit)
    };
    if text.contains(['x', 'X']) || !text.match_indices('_').all(|(index, _)| digits_around(index)) {
        return None;
    }
    let number: f64 = text.replace('_', "").parse().ok()?;
    number.is_finite().then_some(number)
}

/// Texts can have bytes that are no characters.
enum Letter {
    Char(char),
    Byte(u8),
}

struct Unquoter<'s> {
    rest: &'s str,
    quote: char,
}

impl Unquoter<'_> {
    fn take(&mut self) -> Option<char> {
        let next = self.rest.chars().next()?;
        self.rest = &self.rest[next.len_utf8()..];
        Some(next)
    }

    fn next_letter(&mut self) -> Option<Letter> {
        match self.take()? {
            letter if letter == self.quote => None,
            '\\' => self.escaped(),
            letter => Some(Letter::Char(letter)),
        }
    }

    fn escaped(&mut self) -> Option<Letter> {
        Some(Letter::Char(match self.take()? {
            'a' => '\u{7}',
            'b' => '\u{8}',
            'f' => '\u{c}',
            'n' => '\n',
            'r' => '\r',
            't' => '\t',
            'v' => '\u{b}',
            '\\' => '\\',
            letter if letter == self.quote => letter,
            'x' => return self.digits(2, 16).and_then(byte),
            'u' => char::from_u32(self.digits(4, 16)?)?,
            'U' => char::from_u32(self.digits(8, 16)?)?,
            first @ '0'..='7' => {
                let more = self.digits(2, 8)?;
                return byte(first.to_digit(8)? * 64 + more);
            }
            _ => return None,
        }))
    }

    fn digits(&mut self, count: usize, radix: u32) -> Option<u32> {
        (0..count).try_fold(0u32, |number, _| {
            let digit = self.take()?.to_digit(radix)?;
            number.checked_mul(radix)?.checked_add(digit)
        })
    }
}

fn byte(number: u32) -> Option<Letter> {
    u8::try_from(number).ok().map(Letter::Byte)
}
