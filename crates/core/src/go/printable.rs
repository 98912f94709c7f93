//! Says which characters Go calls printable and what their lower case is; it must not know the texts that are asked
//! about.
//!
//! Both answers are those of Unicode 15.0.0 in every build, whatever version Rust's own tables have.

use std::borrow::Cow;

use super::tables::{LOWER, PRINTABLE};

/// Go's `unicode.IsPrint`: letters, marks, numbers, punctuation, symbols, and of all spaces only the ASCII one.
pub fn is_print(character: char) -> bool {
    let code = u32::from(character);
    if code < 0x7f {
        return code >= 0x20;
    }
    let after = PRINTABLE.partition_point(|&(first, _)| first <= code);
    PRINTABLE[..after].last().is_some_and(|&(_, last)| code <= last)
}

/// Go's `unicode.ToLower`: one character for one, so `İ` becomes `i` where Rust's mapping adds a combining dot.
pub fn to_lower(character: char) -> char {
    if character.is_ascii() {
        return character.to_ascii_lowercase();
    }
    let code = u32::from(character);
    let after = LOWER.partition_point(|&(first, ..)| first <= code);
    let Some(&(first, last, stride, delta)) = LOWER[..after].last() else {
        return character;
    };
    if code > last || (code - first) % stride != 0 {
        return character;
    }
    code.checked_add_signed(delta)
        .and_then(char::from_u32)
        .unwrap_or(character)
}

/// Go's `strings.ToLower`: every character by itself, so a sigma at the end of a word is `σ` like any other.
pub fn to_lower_text(text: &str) -> Cow<'_, str> {
    match text.is_ascii() {
        true if text.bytes().any(|byte| byte.is_ascii_uppercase()) => Cow::Owned(text.to_ascii_lowercase()),
        true => Cow::Borrowed(text),
        false => Cow::Owned(text.chars().map(to_lower).collect()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::go::tables::FINGERPRINT;

    /// The generator hashes what Go answers for every character; this hashes what we answer.
    #[test]
    fn every_character_has_gos_answers() {
        let mut hash = 0xcbf2_9ce4_8422_2325_u64;
        for character in '\0'..=char::MAX {
            let lower = u32::from(to_lower(character)).to_le_bytes();
            for byte in [u8::from(is_print(character)), lower[0], lower[1], lower[2]] {
                hash = (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
            }
        }
        assert_eq!(hash, FINGERPRINT);
    }

    #[test]
    fn lower_case_goes_character_by_character() {
        let rows = [
            ("GHCR.io", "ghcr.io"),
            ("İ", "i"),
            ("ΟΔΟΣ", "οδοσ"),
            ("ẞ", "ß"),
            ("K8s", "k8s"),
            ("ſ", "ſ"),
            ("", ""),
        ];
        for (text, expected) in rows {
            assert_eq!(to_lower_text(text), expected, "{text}");
        }
    }

    #[test]
    fn printable_is_what_go_prints() {
        for character in ['a', ' ', '~', 'é', '\u{3164}', '\u{fffd}', '🧿', '\u{1fae8}'] {
            assert!(is_print(character), "{character:?}");
        }
        for character in [
            '\0',
            '\n',
            '\u{7f}',
            '\u{a0}',
            '\u{ad}',
            '\u{200b}',
            '\u{feff}',
            '\u{1fadf}',
            '\u{10fffd}',
        ] {
            assert!(!is_print(character), "{character:?}");
        }
    }
}
