//! Repairs escapes of JSON that stand for half a character, as Go's decoder does: programs that cut texts by their UTF-16 units
//! write such. It must not know what is JSON.

/// The same text with `\ufffd` for each escape of a surrogate that has no partner; `None` where there is none.
pub fn repaired(text: &str) -> Option<String> {
    let mut repaired = String::with_capacity(text.len());
    let (mut rest, mut changed) = (text, false);
    while let Some(place) = rest.find('\\') {
        let (before, escape) = rest.split_at(place);
        repaired.push_str(before);
        let (length, is_lone) = match unit(escape) {
            Some(0xd800..=0xdbff) => match escape.get(6..).and_then(unit) {
                Some(0xdc00..=0xdfff) => (12, false),
                _ => (6, true),
            },
            Some(0xdc00..=0xdfff) => (6, true),
            Some(_) => (6, false),
            // Another escape, or none at all, which the parser tells.
            None => (1 + escape[1..].chars().next().map_or(0, char::len_utf8), false),
        };
        changed |= is_lone;
        repaired.push_str(if is_lone { "\\ufffd" } else { &escape[..length] });
        rest = &escape[length..];
    }
    repaired.push_str(rest);
    changed.then_some(repaired)
}

/// The UTF-16 unit of an escape that the text begins with.
fn unit(text: &str) -> Option<u16> {
    let digits = text.strip_prefix("\\u")?.get(..4)?;
    let is_hexadecimal = digits.bytes().all(|byte| byte.is_ascii_hexdigit());
    is_hexadecimal.then(|| u16::from_str_radix(digits, 16).ok()).flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As Go 1.26 decodes them.
    #[test]
    fn half_a_character_is_the_one_that_stands_for_none() {
        for (text, expected) in [
            (r#""\ud83d cut""#, Some(r#""\ufffd cut""#)),
            (r#""\udc80""#, Some(r#""\ufffd""#)),
            (r#""\ud83d\ud83d\ude00""#, Some(r#""\ufffd\ud83d\ude00""#)),
            (r#""\uD83D\n""#, Some(r#""\ufffd\n""#)),
            (r#""\ud83d\ude00 é \u00e9 \\ud83d""#, None),
            (r#""\ud83"#, None),
            ("\"\\", None),
            ("\"\\é", None),
            (r#""\ud83d\u00e""#, Some(r#""\ufffd\u00e""#)),
        ] {
            assert_eq!(repaired(text).as_deref(), expected, "{text}");
        }
    }
}
