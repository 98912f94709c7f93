//! Finds where a number ends; it must not know which number it is.

use super::{Lexer, is_alphanumeric};
use crate::go::quote::quote;
use crate::go::template::item::{Item, Kind};

impl<'s> Lexer<'s> {
    pub(super) fn number(&mut self) -> Item<'s> {
        let bad = |lexer: &mut Self| {
            let text = quote(&lexer.source[lexer.start..lexer.at]);
            lexer.error(format!("bad number syntax: {text}"))
        };
        if !self.scan_number() {
            return bad(self);
        }
        if !matches!(self.peek(), Some('+' | '-')) {
            return self.item(Kind::Number);
        }
        match self.scan_number() && self.source[..self.at].ends_with('i') {
            true => self.item(Kind::Complex),
            false => bad(self),
        }
    }

    /// Passes what has the looks of a number; whether it ends where a number may end.
    fn scan_number(&mut self) -> bool {
        self.take_one_of("+-");
        let mut digits = "0123456789_";
        if self.take_one_of("0") {
            if self.take_one_of("xX") {
                digits = "0123456789abcdefABCDEF_";
            } else if self.take_one_of("oO") {
                digits = "01234567_";
            } else if self.take_one_of("bB") {
                digits = "01_";
            }
        }
        let is_digit = |next: char| digits.contains(next);
        self.take_while(is_digit);
        if self.take_one_of(".") {
            self.take_while(is_digit);
        }
        let exponent = match digits.len() {
            11 => "eE",
            23 => "pP",
            _ => "",
        };
        if self.take_one_of(exponent) {
            self.take_one_of("+-");
            self.take_while(|next| next.is_ascii_digit() || next == '_');
        }
        self.take_one_of("i");
        match self.peek() {
            Some(next) if is_alphanumeric(next) => {
                self.at += next.len_utf8();
                false
            }
            _ => true,
        }
    }
}
