//! The verbs of texts: `%s %q %x %X %v`.

use super::Printer;
use crate::go::quote::{Plain, letters, quote_bytes};

pub(super) fn is_verb(verb: char) -> bool {
    matches!(verb, 'v' | 's' | 'x' | 'X' | 'q')
}

impl Printer {
    pub(super) fn text(&mut self, text: &[u8], verb: char) {
        match verb {
            'x' => self.hexadecimal(text, b"0123456789abcdef", b"0x"),
            'X' => self.hexadecimal(text, b"0123456789ABCDEF", b"0X"),
            'q' => self.quoted(text),
            'v' if self.flags.source => self.quoted(text),
            _ => self.padded(self.cut(text)),
        }
    }

    /// As many characters as the precision allows.
    fn cut<'t>(&self, text: &'t [u8]) -> &'t [u8] {
        match self.flags.precision {
            Some(count) => {
                let end: usize = letters(text).take(count).map(|(_, bytes)| bytes.len()).sum();
                text.get(..end).unwrap_or(text)
            }
            None => text,
        }
    }

    fn quoted(&mut self, text: &[u8]) {
        let text = self.cut(text);
        // What is escaped can take ten bytes for one.
        if !self.fits(text.len()) {
            return;
        }
        if self.flags.sharp && can_backquote(text) {
            return self.padded(&[b"`", text, b"`"].concat());
        }
        let plain = if self.flags.plus {
            Plain::Ascii
        } else {
            Plain::Printable
        };
        self.padded(quote_bytes(text, plain).as_bytes());
    }

    fn hexadecimal(&mut self, text: &[u8], digits: &[u8; 16], prefix: &[u8]) {
        let bytes = &text[..self
            .flags
            .precision
            .map_or(text.len(), |precision| precision.min(text.len()))];
        if !self.fits(bytes.len()) {
            return;
        }
        let mut shown = Vec::with_capacity(bytes.len() * 2);
        for (index, byte) in bytes.iter().enumerate() {
            if self.flags.space && index > 0 {
                shown.push(b' ');
            }
            if self.flags.sharp && (index == 0 || self.flags.space) {
                shown.extend(prefix);
            }
            shown.extend([digits[usize::from(byte >> 4)], digits[usize::from(byte & 15)]]);
        }
        self.padded(&shown);
    }
}

/// Whether the text can stand between backquotes as it is: no control characters but tabs, no backquote, no mark.
fn can_backquote(text: &[u8]) -> bool {
    letters(text).all(|(letter, _)| match letter {
        None | Some('\u{feff}' | '`' | '\u{7f}') => false,
        Some(letter) => letter == '\t' || letter >= ' ',
    })
}
