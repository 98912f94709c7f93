//! Writes texts between quotes as Go's `strconv.Quote` does, for errors in Go's words; it must not know what is wrong with them.

use super::printable::is_print;

/// What is left as it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Plain {
    /// Whatever can be printed.
    Printable,
    /// What can be printed and is ASCII.
    Ascii,
}

/// The text in quotes, with everything escaped that cannot be seen.
pub fn quote(text: &str) -> String {
    quote_bytes(text.as_bytes(), Plain::Printable)
}

/// The same for a text of Go, which can have bytes that are no characters.
pub fn quote_bytes(text: &[u8], plain: Plain) -> String {
    let mut quoted = String::with_capacity(text.len() + 2);
    quoted.push('"');
    for (letter, bytes) in letters(text) {
        match letter {
            Some(letter) => push_escaped(&mut quoted, letter, '"', plain),
            None => bytes.iter().for_each(|byte| quoted.push_str(&format!("\\x{byte:02x}"))),
        }
    }
    quoted.push('"');
    quoted
}

/// A character between apostrophes.
pub fn quote_char(letter: char, plain: Plain) -> String {
    let mut quoted = String::from('\'');
    push_escaped(&mut quoted, letter, '\'', plain);
    quoted.push('\'');
    quoted
}

/// The characters of a text of Go with their bytes. A byte that belongs to none stands alone.
pub fn letters(text: &[u8]) -> impl Iterator<Item = (Option<char>, &[u8])> {
    text.utf8_chunks().flat_map(|chunk| {
        let valid = chunk.valid();
        let characters = valid.char_indices().map(move |(start, letter)| {
            let bytes = &valid.as_bytes()[start..start + letter.len_utf8()];
            (Some(letter), bytes)
        });
        characters.chain(chunk.invalid().chunks(1).map(|byte| (None, byte)))
    })
}

fn push_escaped(quoted: &mut String, letter: char, quote: char, plain: Plain) {
    match letter {
        '\\' => quoted.push_str("\\\\"),
        _ if letter == quote => quoted.extend(['\\', letter]),
        '\u{7}' => quoted.push_str("\\a"),
        '\u{8}' => quoted.push_str("\\b"),
        '\u{c}' => quoted.push_str("\\f"),
        '\n' => quoted.push_str("\\n"),
        '\r' => quoted.push_str("\\r"),
        '\t' => quoted.push_str("\\t"),
        '\u{b}' => quoted.push_str("\\v"),
        _ if is_print(letter) && (plain == Plain::Printable || letter.is_ascii()) => quoted.push(letter),
        ..' ' | '\u{7f}' => quoted.push_str(&format!("\\x{:02x}", u32::from(letter))),
        ..'\u{10000}' => quoted.push_str(&format!("\\u{:04x}", u32::from(letter))),
        _ => quoted.push_str(&format!("\\U{:08x}", u32::from(letter))),
    }
}

#[cfg(test)]
mod tests {
    use super::quote;

    #[test]
    fn what_cannot_be_seen_is_escaped() {
        for (text, expected) in [
            ("", r#""""#),
            ("a b", r#""a b""#),
            ("\"\\", r#""\"\\""#),
            ("\u{7}\u{8}\u{c}\n\r\t\u{b}", r#""\a\b\f\n\r\t\v""#),
            ("\0\u{7f}", r#""\x00\x7f""#),
            ("É\u{200b}\u{feff}", r#""É\u200b\ufeff""#),
            ("\u{e0001}", r#""\U000e0001""#),
        ] {
            assert_eq!(quote(text), expected, "{text:?}");
        }
    }
}
