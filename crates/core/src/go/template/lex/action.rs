//! Cuts what stands between `{{` and `}}`: signs, names and quoted texts.

use super::{Lexer, RIGHT, is_alphanumeric, is_space, trims_after};
use crate::go::printable::is_print;
use crate::go::template::item::{Item, Keyword, Kind, code_point};

impl<'s> Lexer<'s> {
    pub(super) fn action(&mut self) -> Item<'s> {
        match self.right_delimiter_ahead() {
            Some(trims) if self.parentheses == 0 => return self.right_delimiter(trims),
            Some(_) => return self.error("unclosed left paren".to_owned()),
            None => {}
        }
        let Some(next) = self.peek() else {
            return self.error("unclosed action".to_owned());
        };
        match next {
            _ if is_space(next) => self.space(),
            '+' | '-' | '0'..='9' => self.number(),
            '.' if self.rest()[1..].starts_with(|next: char| next.is_ascii_digit()) => self.number(),
            // A dot at the very end is the beginning of a number that does not come.
            '.' if self.rest().len() == 1 => self.number(),
            _ if is_alphanumeric(next) => self.identifier(),
            _ => {
                self.at += next.len_utf8();
                self.sign(next)
            }
        }
    }

    /// What begins with a sign, which has been read.
    fn sign(&mut self, sign: char) -> Item<'s> {
        match sign {
            '=' => self.item(Kind::Assign),
            ':' if self.take_one_of("=") => self.item(Kind::Declare),
            ':' => self.error("expected :=".to_owned()),
            '|' => self.item(Kind::Pipe),
            '"' => self.quoted('"', Kind::QuotedText, "unterminated quoted string"),
            '\'' => self.quoted('\'', Kind::CharacterConstant, "unterminated character constant"),
            '`' => match self.rest().find('`') {
                Some(length) => {
                    self.at += length + 1;
                    self.item(Kind::RawText)
                }
                None => self.error("unterminated raw quoted string".to_owned()),
            },
            '$' => self.named(Kind::Variable, Kind::Variable),
            '.' => self.named(Kind::Field, Kind::Keyword(Keyword::Dot)),
            '(' => {
                self.parentheses += 1;
                self.item(Kind::LeftParenthesis)
            }
            ')' => match self.parentheses.checked_sub(1) {
                Some(outer) => {
                    self.parentheses = outer;
                    self.item(Kind::RightParenthesis)
                }
                None => self.error("unexpected right paren".to_owned()),
            },
            _ if sign.is_ascii() && is_print(sign) => self.item(Kind::Character),
            _ => self.error(format!("unrecognized character in action: {}", code_point(sign))),
        }
    }

    /// Spaces, unless the last of them belongs to `-}}`.
    fn space(&mut self) -> Item<'s> {
        self.take_while(is_space);
        let last = self.at - 1;
        // That it is not the only one was found out before.
        if trims_after(&self.source[last..]) && self.source[last + " -".len()..].starts_with(RIGHT) {
            self.at = last;
        }
        self.item(Kind::Space)
    }

    /// A name behind a sign that has been read, or the sign alone.
    fn named(&mut self, named: Kind, alone: Kind) -> Item<'s> {
        if self.at_terminator() {
            return self.item(alone);
        }
        self.take_while(is_alphanumeric);
        self.terminated(named)
    }

    fn identifier(&mut self) -> Item<'s> {
        self.take_while(is_alphanumeric);
        let word = &self.source[self.start..self.at];
        self.terminated(match (word, Keyword::of(word)) {
            (_, Some(keyword)) => Kind::Keyword(keyword),
            ("true" | "false", None) => Kind::Bool,
            _ => Kind::Identifier,
        })
    }

    /// A name, if what follows may follow a name.
    fn terminated(&mut self, kind: Kind) -> Item<'s> {
        match self.peek() {
            Some(next) if !self.at_terminator() => self.error(format!("bad character {}", code_point(next))),
            _ => self.item(kind),
        }
    }

    fn at_terminator(&self) -> bool {
        let Some(next) = self.peek() else {
            return true;
        };
        is_space(next) || matches!(next, '.' | ',' | '|' | ':' | ')' | '(') || self.rest().starts_with(RIGHT)
    }

    fn quoted(&mut self, end: char, kind: Kind, problem: &str) -> Item<'s> {
        loop {
            match self.take() {
                Some('\\') if !matches!(self.peek(), None | Some('\n')) => drop(self.take()),
                None | Some('\\' | '\n') => return self.error(problem.to_owned()),
                Some(next) if next == end => return self.item(kind),
                Some(_) => {}
            }
        }
    }
}
