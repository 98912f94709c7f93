//! The verbs of whole numbers: `%d %b %o %O %x %X %c %q %U %v`.

use super::Printer;
use crate::go::printable::is_print;
use crate::go::quote::{Plain, quote_char};

/// What a number looks like, before it is padded.
struct Number {
    negative: bool,
    magnitude: u64,
}

impl Printer {
    /// Writes a number with a sign; whether it has this verb.
    pub(super) fn signed(&mut self, number: i64, verb: char) -> bool {
        // Go makes a huge character of a negative number, which is none.
        let letter = u32::try_from(number).ok();
        let shown = Number {
            negative: number < 0,
            magnitude: number.unsigned_abs(),
        };
        self.whole(shown, letter, verb)
    }

    /// Writes a place of a text; whether it has this verb.
    pub(super) fn unsigned(&mut self, number: u8, verb: char) -> bool {
        let shown = Number {
            negative: false,
            magnitude: number.into(),
        };
        if verb == 'v' && self.flags.source {
            let sharp = std::mem::replace(&mut self.flags.sharp, true);
            self.in_base(&shown, 'x');
            self.flags.sharp = sharp;
            return true;
        }
        self.whole(shown, Some(number.into()), verb)
    }

    fn whole(&mut self, number: Number, letter: Option<u32>, verb: char) -> bool {
        let letter = letter.and_then(char::from_u32).unwrap_or(char::REPLACEMENT_CHARACTER);
        match verb {
            'v' | 'd' | 'b' | 'o' | 'O' | 'x' | 'X' => self.in_base(&number, verb),
            'c' => self.padded(letter.encode_utf8(&mut [0; 4]).as_bytes()),
            'q' => {
                let plain = if self.flags.plus {
                    Plain::Ascii
                } else {
                    Plain::Printable
                };
                self.padded(quote_char(letter, plain).as_bytes());
            }
            'U' => self.code_point(&number),
            _ => return false,
        }
        true
    }

    fn in_base(&mut self, number: &Number, verb: char) {
        let Number { negative, magnitude } = number;
        let signed = *negative || self.flags.plus || self.flags.space;
        let least = match (self.flags.precision, self.flags.width) {
            // No digits at all.
            (Some(0), width) if *magnitude == 0 => {
                let zero = std::mem::replace(&mut self.flags.zero, false);
                self.padding(width.unwrap_or(0));
                self.flags.zero = zero;
                return;
            }
            (Some(precision), _) => precision,
            (None, Some(width)) if self.flags.zero && !self.flags.minus => width.saturating_sub(usize::from(signed)),
            (None, _) => 0,
        };
        let digits = match verb {
            'b' => format!("{magnitude:b}"),
            'o' | 'O' => format!("{magnitude:o}"),
            'x' => format!("{magnitude:x}"),
            'X' => format!("{magnitude:X}"),
            _ => magnitude.to_string(),
        };
        let zeros = least.saturating_sub(digits.len());
        if !self.fits(zeros) {
            return;
        }
        let digits = "0".repeat(zeros) + &digits;
        let sign = match negative {
            true => "-",
            false if self.flags.plus => "+",
            false if self.flags.space => " ",
            false => "",
        };
        let prefix = match verb {
            'O' if self.flags.sharp && !digits.starts_with('0') => "0o0",
            'O' => "0o",
            'b' if self.flags.sharp => "0b",
            'o' if self.flags.sharp && !digits.starts_with('0') => "0",
            'x' if self.flags.sharp => "0x",
            'X' if self.flags.sharp => "0X",
            _ => "",
        };
        self.padded_with_spaces(format!("{sign}{prefix}{digits}").as_bytes());
    }

    /// `U+0041`, and with `#` the character too.
    fn code_point(&mut self, number: &Number) {
        let code = match number.negative {
            true => number.magnitude.wrapping_neg(),
            false => number.magnitude,
        };
        let digits = format!("{code:X}");
        let zeros = self.flags.precision.unwrap_or(4).max(4).saturating_sub(digits.len());
        if !self.fits(zeros) {
            return;
        }
        let letter = u32::try_from(code).ok().and_then(char::from_u32);
        let character = match letter.filter(|letter| self.flags.sharp && is_print(*letter)) {
            Some(letter) => format!(" '{letter}'"),
            None => String::new(),
        };
        self.padded_with_spaces(format!("U+{}{digits}{character}", "0".repeat(zeros)).as_bytes());
    }
}
