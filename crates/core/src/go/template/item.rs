//! The items that a template is made of, and how errors show them; it must not know where they end.

use std::borrow::Cow;

use crate::go::printable::is_print;
use crate::go::quote::quote;

/// What an item is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// There is no item here; the text says why.
    Error,
    EndOfFile,
    /// What stands outside of actions.
    Text,
    LeftDelimiter,
    RightDelimiter,
    LeftParenthesis,
    RightParenthesis,
    Pipe,
    /// `=`
    Assign,
    /// `:=`
    Declare,
    Space,
    /// Any other ASCII character.
    Character,
    Bool,
    CharacterConstant,
    Complex,
    Number,
    QuotedText,
    RawText,
    /// A name behind a dot, the dot included.
    Field,
    /// A name behind a `$`, or that alone.
    Variable,
    /// A name that is no keyword.
    Identifier,
    Keyword(Keyword),
}

/// The names that are no functions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Keyword {
    Block,
    Break,
    Continue,
    Define,
    Dot,
    Else,
    End,
    If,
    Nil,
    Range,
    Template,
    With,
}

impl Keyword {
    pub(super) fn of(word: &str) -> Option<Self> {
        Some(match word {
            "block" => Self::Block,
            "break" => Self::Break,
            "continue" => Self::Continue,
            "define" => Self::Define,
            "else" => Self::Else,
            "end" => Self::End,
            "if" => Self::If,
            "nil" => Self::Nil,
            "range" => Self::Range,
            "template" => Self::Template,
            "with" => Self::With,
            _ => return None,
        })
    }
}

#[derive(Clone, Debug)]
pub(super) struct Item<'s> {
    pub(super) kind: Kind,
    /// Byte offset in the source.
    pub(super) at: usize,
    /// The line it begins on.
    pub(super) line: usize,
    pub(super) text: Cow<'s, str>,
}

impl Item<'_> {
    /// The item as errors name it.
    pub(super) fn shown(&self) -> String {
        match self.kind {
            Kind::EndOfFile => "EOF".to_owned(),
            Kind::Error => self.text.clone().into_owned(),
            Kind::Keyword(_) => format!("<{}>", self.text),
            _ if self.text.len() > 10 => format!("{}...", quote(&self.text.chars().take(10).collect::<String>())),
            _ => quote(&self.text),
        }
    }
}

/// A character as Go's `%#U` shows it.
pub(super) fn code_point(letter: char) -> String {
    match is_print(letter) {
        true => format!("U+{:04X} '{letter}'", u32::from(letter)),
        false => format!("U+{:04X}", u32::from(letter)),
    }
}
