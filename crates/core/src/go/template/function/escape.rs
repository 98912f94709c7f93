//! Escapes texts for HTML, JavaScript and queries of URLs, as `html`, `js` and `urlquery` do.

use std::fmt::Write as _;

use super::{Value, print};
use crate::go::printable::is_print;
use crate::go::quote::letters;

/// The text that is escaped: the arguments as `print` shows them.
pub(super) fn plain(arguments: &[Value], room: usize) -> Result<Vec<u8>, String> {
    if let [Value::Text(text)] = arguments {
        return Ok(text.to_vec());
    }
    let printable = |value: &Value| match value {
        Value::Nil => Value::text("<no value>"),
        value => value.clone(),
    };
    print::print(&arguments.iter().map(printable).collect::<Vec<_>>(), room)
}

pub(super) fn html(text: &[u8]) -> Vec<u8> {
    let mut escaped = Vec::with_capacity(text.len());
    for byte in text {
        match byte {
            0 => escaped.extend("\u{fffd}".bytes()),
            b'"' => escaped.extend(b"&#34;"),
            b'\'' => escaped.extend(b"&#39;"),
            b'&' => escaped.extend(b"&amp;"),
            b'<' => escaped.extend(b"&lt;"),
            b'>' => escaped.extend(b"&gt;"),
            byte => escaped.push(*byte),
        }
    }
    escaped
}

pub(super) fn js(text: &[u8]) -> Vec<u8> {
    let mut escaped = Vec::with_capacity(text.len());
    for (letter, bytes) in letters(text) {
        match letter {
            Some(letter @ ('\\' | '\'' | '"')) => escaped.extend(format!("\\{letter}").bytes()),
            Some(letter) if letter < ' ' || matches!(letter, '<' | '>' | '&' | '=') || !is_printable(letter) => {
                escaped.extend(format!("\\u{:04X}", u32::from(letter)).bytes());
            }
            _ => escaped.extend(bytes),
        }
    }
    escaped
}

/// Go asks of characters beyond ASCII alone.
fn is_printable(letter: char) -> bool {
    letter.is_ascii() || is_print(letter)
}

pub(super) fn url_query(text: &[u8]) -> String {
    let mut escaped = String::with_capacity(text.len());
    for byte in text {
        match byte {
            b' ' => escaped.push('+'),
            b'-' | b'_' | b'.' | b'~' => escaped.push(char::from(*byte)),
            byte if byte.is_ascii_alphanumeric() => escaped.push(char::from(*byte)),
            // Writing to a String cannot fail.
            byte => drop(write!(escaped, "%{byte:02X}")),
        }
    }
    escaped
}
