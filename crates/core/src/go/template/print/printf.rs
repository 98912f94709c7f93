//! Reads the formats of `printf`, and says what is wrong with them where Go does: in the output.

use super::{Flags, Printer};
use crate::go::template::value::Value;

/// No width or precision that is given as a number or an argument may be larger.
const MAX_NUMBER: usize = 1_000_000;

/// The values as the first of them, a format, wants them.
pub(in crate::go::template) fn printf(values: &[Value], room: usize) -> Result<Vec<u8>, String> {
    let Some((Value::Text(format), values)) = values.split_first() else {
        return Err("there is no format".to_owned());
    };
    let mut reader = Reader {
        format,
        at: 0,
        values,
        next: 0,
        reordered: false,
        good_index: true,
        after_index: false,
        printer: Printer::new(room),
    };
    while reader.step() {}
    reader.extra();
    reader.printer.finish()
}

struct Reader<'f> {
    format: &'f [u8],
    at: usize,
    values: &'f [Value],
    /// The value of the next verb.
    next: usize,
    /// Whether a verb has chosen its value by an index.
    reordered: bool,
    /// Whether the indices of this verb are values there are.
    good_index: bool,
    /// Whether an index has just been read.
    after_index: bool,
    printer: Printer,
}

impl Reader<'_> {
    fn peek(&self) -> Option<u8> {
        self.format.get(self.at).copied()
    }

    fn take_if(&mut self, wanted: u8) -> bool {
        let found = self.peek() == Some(wanted);
        self.at += usize::from(found);
        found
    }

    /// Writes up to the next verb, and the verb's value; whether there may be more.
    fn step(&mut self) -> bool {
        if self.printer.failure.is_some() {
            return false;
        }
        let rest = self.format.get(self.at..).unwrap_or_default();
        let plain = rest.iter().position(|byte| *byte == b'%').unwrap_or(rest.len());
        self.printer.write(rest.get(..plain).unwrap_or_default());
        self.at += plain;
        if !self.take_if(b'%') {
            return false;
        }
        self.good_index = true;
        self.flags();
        self.index();
        self.width();
        self.precision();
        if !self.after_index {
            self.index();
        }
        self.verb()
    }

    fn flags(&mut self) {
        let mut flags = Flags::default();
        while let Some(byte) = self.peek() {
            match byte {
                b'#' => flags.sharp = true,
                b'0' => flags.zero = true,
                b'+' => flags.plus = true,
                b'-' => flags.minus = true,
                b' ' => flags.space = true,
                _ => break,
            }
            self.at += 1;
        }
        self.printer.flags = flags;
    }

    /// Reads `[n]`: which value comes next, counted from 1.
    fn index(&mut self) {
        self.after_index = false;
        if self.peek() != Some(b'[') {
            return;
        }
        self.reordered = true;
        let rest = self.format.get(self.at..).unwrap_or_default();
        let closing = match rest.len() {
            0..3 => None,
            _ => rest.iter().position(|byte| *byte == b']'),
        };
        let Some(closing) = closing else {
            self.at += 1;
            self.good_index = false;
            return;
        };
        let digits = rest.get(1..closing).unwrap_or_default();
        let index = match digits.iter().all(u8::is_ascii_digit) {
            true => number(digits),
            false => None,
        };
        self.at += closing + 1;
        self.after_index = index.is_some();
        match index
            .and_then(|index| index.checked_sub(1))
            .filter(|index| *index < self.values.len())
        {
            Some(index) => self.next = index,
            None => self.good_index = false,
        }
    }

    fn width(&mut self) {
        if self.take_if(b'*') {
            match self.number_argument() {
                Some(width) => {
                    if width < 0 {
                        self.printer.flags.minus = true;
                        // There are no zeros on the right.
                        self.printer.flags.zero = false;
                    }
                    self.printer.flags.width = usize::try_from(width.unsigned_abs()).ok();
                }
                None => self.printer.write(b"%!(BADWIDTH)"),
            }
            self.after_index = false;
            return;
        }
        self.printer.flags.width = self.number();
        if self.after_index && self.printer.flags.width.is_some() {
            self.good_index = false;
        }
    }

    fn precision(&mut self) {
        // A point at the very end is a verb.
        if self.at + 1 >= self.format.len() || !self.take_if(b'.') {
            return;
        }
        if self.after_index {
            self.good_index = false;
        }
        self.index();
        if self.take_if(b'*') {
            let precision = self
                .number_argument()
                .and_then(|precision| usize::try_from(precision).ok());
            self.printer.flags.precision = precision;
            if precision.is_none() {
                self.printer.write(b"%!(BADPREC)");
            }
            self.after_index = false;
            return;
        }
        self.printer.flags.precision = Some(self.number().unwrap_or(0));
    }

    /// A number in the format. One that is much too large swallows the rest.
    fn number(&mut self) -> Option<usize> {
        let rest = self.format.get(self.at..).unwrap_or_default();
        let digits = rest.iter().take_while(|byte| byte.is_ascii_digit()).count();
        if digits == 0 {
            return None;
        }
        let number = number(rest.get(..digits).unwrap_or_default());
        self.at = match number {
            Some(_) => self.at + digits,
            None => self.format.len(),
        };
        number
    }

    /// The next value, if it is a number that may be a width.
    fn number_argument(&mut self) -> Option<i64> {
        let value = self.values.get(self.next)?;
        self.next += 1;
        let number = match value {
            Value::Int(number) => *number,
            Value::Byte(number) => i64::from(*number),
            _ => return None,
        };
        (number.unsigned_abs() <= MAX_NUMBER as u64).then_some(number)
    }

    fn verb(&mut self) -> bool {
        let rest = self.format.get(self.at..).unwrap_or_default();
        let Some((letter, bytes)) = crate::go::quote::letters(rest).next() else {
            self.printer.write(b"%!(NOVERB)");
            return false;
        };
        self.at += bytes.len();
        let verb = letter.unwrap_or(char::REPLACEMENT_CHARACTER);
        let value = self.values.get(self.next);
        match (verb, value) {
            ('%', _) => self.printer.write(b"%"),
            _ if !self.good_index => self.problem(verb, b"(BADINDEX)"),
            (_, None) => self.problem(verb, b"(MISSING)"),
            (_, Some(value)) => {
                let flags = &mut self.printer.flags;
                if matches!(verb, 'v' | 'w') {
                    flags.source = std::mem::take(&mut flags.sharp);
                    flags.named = std::mem::take(&mut flags.plus);
                }
                self.printer.value(value, verb);
                self.next += 1;
            }
        }
        true
    }

    fn problem(&mut self, verb: char, problem: &[u8]) {
        self.printer.write(b"%!");
        self.printer.write_char(verb);
        self.printer.write(problem);
    }

    /// Values without a verb. Where verbs choose theirs, Go does not look for them.
    fn extra(&mut self) {
        let left = self.values.get(self.next..).unwrap_or_default();
        if self.reordered || left.is_empty() {
            return;
        }
        self.printer.flags = Flags::default();
        self.printer.write(b"%!(EXTRA ");
        for (index, value) in left.iter().enumerate() {
            if index > 0 {
                self.printer.write(b", ");
            }
            match value {
                Value::Nil => self.printer.write(super::NIL),
                value => self.printer.typed(value),
            }
        }
        self.printer.write(b")");
    }
}

/// A decimal number, unless it is much too large.
fn number(digits: &[u8]) -> Option<usize> {
    let mut number = 0usize;
    for digit in digits {
        if number > MAX_NUMBER {
            return None;
        }
        number = number * 10 + usize::from(digit - b'0');
    }
    (!digits.is_empty()).then_some(number)
}
