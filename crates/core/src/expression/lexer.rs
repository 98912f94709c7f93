//! Decides what the words of a source are; it must not know what they mean together.

use std::iter::Peekable;
use std::str::CharIndices;

use super::ExpressionError;

/// A word of a source.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Token {
    Int(i64),
    Float(f64),
    Text(String),
    /// A name that is no word of the language.
    Name(String),
    /// An operator, a bracket or a word of the language.
    Sign(&'static str),
    End,
}

/// A word and its place in the source, in bytes.
pub(super) type Placed = (Token, usize);

/// Names that are signs.
const WORDS: [&str; 11] = [
    "not",
    "and",
    "or",
    "in",
    "matches",
    "contains",
    "startsWith",
    "endsWith",
    "let",
    "if",
    "else",
];

/// Signs of more than a letter, the longer first where one begins another.
const SIGNS: [&str; 33] = [
    "**", "==", "!=", "<=", ">=", "&&", "||", "??", "?.", "..", "+", "-", "*", "/", "%", "^", "<", ">", "!", "?", ":",
    ".", "|", "(", ")", "[", "]", "{", "}", ",", ";", "#", "=",
];

/// The words of a source, ending with [`Token::End`].
pub(super) fn tokens(source: &str) -> Result<Vec<Placed>, ExpressionError> {
    let mut lexer = Lexer {
        source,
        chars: source.char_indices().peekable(),
    };
    let mut tokens = Vec::new();
    while let Some(token) = lexer.next()? {
        tokens.push(token);
    }
    tokens.push((Token::End, source.len()));
    Ok(tokens)
}

/// An error at a place, which is in bytes.
pub(super) fn refused(source: &str, at: usize, problem: impl Into<String>) -> ExpressionError {
    let before = source.get(..at).unwrap_or(source);
    ExpressionError::Syntax {
        column: before.chars().count() + 1,
        problem: problem.into(),
    }
}

struct Lexer<'a> {
    source: &'a str,
    chars: Peekable<CharIndices<'a>>,
}

impl Lexer<'_> {
    fn next(&mut self) -> Result<Option<Placed>, ExpressionError> {
        self.skip_blanks()?;
        let Some(&(at, first)) = self.chars.peek() else {
            return Ok(None);
        };
        let rest = self.rest(at);
        let begins_number =
            first.is_ascii_digit() || (first == '.' && rest[1..].starts_with(|next: char| next.is_ascii_digit()));
        let token = match first {
            _ if begins_number => self.number(at)?,
            '"' | '\'' => self.text(at, first)?,
            '`' => self.raw_text(at)?,
            'b' | 'B' if rest[1..].starts_with(['"', '\'']) => {
                return Err(refused(self.source, at, "bytes are not offered"));
            }
            _ if is_name_start(first) => self.name(at),
            _ => self.sign(at)?,
        };
        Ok(Some((token, at)))
    }

    fn rest(&self, at: usize) -> &str {
        self.source.get(at..).unwrap_or_default()
    }

    /// Goes on behind so many bytes from `at`.
    fn go_to(&mut self, end: usize) {
        while self.chars.next_if(|(at, _)| *at < end).is_some() {}
    }

    fn skip_blanks(&mut self) -> Result<(), ExpressionError> {
        while let Some(&(at, next)) = self.chars.peek() {
            let rest = self.source.get(at..).unwrap_or_default();
            let end = if next.is_whitespace() {
                at + next.len_utf8()
            } else if rest.starts_with("//") {
                at + rest.find('\n').unwrap_or(rest.len())
            } else if rest.starts_with("/*") {
                let closed = rest.get(2..).and_then(|inner| inner.find("*/"));
                let closed = closed.ok_or_else(|| refused(self.source, at, "a comment is not closed"))?;
                at + closed + 4
            } else {
                return Ok(());
            };
            self.go_to(end);
        }
        Ok(())
    }

    fn name(&mut self, at: usize) -> Token {
        let rest = self.rest(at);
        let length = rest.find(|c: char| !is_name_part(c)).unwrap_or(rest.len());
        let name = rest.get(..length).unwrap_or_default().to_owned();
        self.go_to(at + length);
        match WORDS.into_iter().find(|word| *word == name) {
            Some(word) => Token::Sign(word),
            None => Token::Name(name),
        }
    }

    fn sign(&mut self, at: usize) -> Result<Token, ExpressionError> {
        let rest = self.rest(at);
        let is_condition = rest.starts_with("?.") && rest[2..].starts_with(|next: char| next.is_ascii_digit());
        let found = SIGNS
            .into_iter()
            .find(|sign| rest.starts_with(sign) && !(is_condition && *sign == "?."));
        let Some(sign) = found else {
            let first: String = rest.chars().take(1).collect();
            return Err(refused(self.source, at, format!("{first:?} has no meaning here")));
        };
        self.go_to(at + sign.len());
        Ok(Token::Sign(sign))
    }

    fn number(&mut self, at: usize) -> Result<Token, ExpressionError> {
        let rest = self.rest(at);
        let length = number_length(rest);
        let digits: String = rest
            .get(..length)
            .unwrap_or_default()
            .chars()
            .filter(|c| *c != '_')
            .collect();
        let followed = rest.get(length..).unwrap_or_default();
        let number = if followed.starts_with(is_name_part) {
            None
        } else {
            parse_number(&digits)
        };
        self.go_to(at + length);
        number.ok_or_else(|| refused(self.source, at, "this is no number that fits"))
    }

    fn raw_text(&mut self, at: usize) -> Result<Token, ExpressionError> {
        let inner = self.source.get(at + 1..).unwrap_or_default();
        let end = inner.find('`');
        let end = end.ok_or_else(|| refused(self.source, at, "a string is not closed"))?;
        let text = inner.get(..end).unwrap_or_default().to_owned();
        self.go_to(at + end + 2);
        Ok(Token::Text(text))
    }

    fn text(&mut self, at: usize, quote: char) -> Result<Token, ExpressionError> {
        self.chars.next();
        let mut text = String::new();
        while let Some((place, next)) = self.chars.next() {
            match next {
                '\n' => break,
                '\\' => {
                    let escaped = self.escape();
                    text.push(escaped.ok_or_else(|| refused(self.source, place, "this is no escape"))?);
                }
                _ if next == quote => return Ok(Token::Text(text)),
                _ => text.push(next),
            }
        }
        Err(refused(self.source, at, "a string is not closed"))
    }

    /// What stands behind a backslash. Escapes of bytes stand for the character of that number below 128.
    fn escape(&mut self) -> Option<char> {
        let (_, kind) = self.chars.next()?;
        Some(match kind {
            'a' => '\u{7}',
            'b' => '\u{8}',
            'f' => '\u{c}',
            'n' => '\n',
            'r' => '\r',
            't' => '\t',
            'v' => '\u{b}',
            '\\' | '\'' | '"' | '`' => kind,
            'x' => self.digits(2, 16, 0).filter(char::is_ascii)?,
            'u' => self.digits(4, 16, 0)?,
            'U' => self.digits(8, 16, 0)?,
            '0'..='3' => self.digits(2, 8, kind.to_digit(8)?).filter(char::is_ascii)?,
            _ => return None,
        })
    }

    fn digits(&mut self, count: usize, radix: u32, first: u32) -> Option<char> {
        let mut number = first;
        for _ in 0..count {
            let (_, digit) = self.chars.next()?;
            number = number.checked_mul(radix)?.checked_add(digit.to_digit(radix)?)?;
        }
        char::from_u32(number)
    }
}

fn is_name_start(c: char) -> bool {
    c.is_alphabetic() || c == '_' || c == '$'
}

fn is_name_part(c: char) -> bool {
    is_name_start(c) || c.is_alphanumeric()
}

/// How many bytes of a text that begins like a number belong to it. `1..3` is a range, no fraction.
fn number_length(text: &str) -> usize {
    let bytes = text.as_bytes();
    let at = |index: usize| bytes.get(index).copied().unwrap_or_default();
    let run = |mut index: usize, wanted: fn(&u8) -> bool| {
        while bytes.get(index).is_some_and(|byte| wanted(byte) || *byte == b'_') {
            index += 1;
        }
        index
    };
    if at(0) == b'0' && matches!(at(1), b'x' | b'X' | b'o' | b'O' | b'b' | b'B') {
        return run(2, u8::is_ascii_alphanumeric);
    }
    let mut end = run(0, u8::is_ascii_digit);
    if at(end) == b'.' && at(end + 1) != b'.' {
        end = run(end + 1, u8::is_ascii_digit);
    }
    if matches!(at(end), b'e' | b'E') {
        let signed = end + 1 + usize::from(matches!(at(end + 1), b'+' | b'-'));
        if at(signed).is_ascii_digit() {
            end = run(signed, u8::is_ascii_digit);
        }
    }
    end
}

fn parse_number(digits: &str) -> Option<Token> {
    for (prefix, radix) in [("0x", 16), ("0X", 16), ("0o", 8), ("0O", 8), ("0b", 2), ("0B", 2)] {
        if let Some(digits) = digits.strip_prefix(prefix) {
            return i64::from_str_radix(digits, radix).ok().map(Token::Int);
        }
    }
    if digits.contains(['.', 'e', 'E']) {
        let float: f64 = digits.parse().ok()?;
        return float.is_finite().then_some(Token::Float(float));
    }
    digits.parse().ok().map(Token::Int)
}
