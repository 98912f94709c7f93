//! Reads whole numbers as Go's `strconv` does, with the prefixes and underscores of its source code; it must not know what is
//! counted.

use super::strconv::{Fault, NumError};

/// Parses `8082`, `0x1f92`, `0o17`, `017`, `0b101` or `1_000`, with or without a sign, as `strconv.ParseInt` does with base 0.
///
/// # Errors
/// Whenever Go refuses the text; the error has Go's words.
pub fn parse_int(text: &str) -> Result<i64, NumError> {
    let syntax = || NumError::new("ParseInt", text, Fault::Syntax);
    let range = || NumError::new("ParseInt", text, Fault::Range);
    let (negative, unsigned) = match text.strip_prefix('-') {
        Some(unsigned) => (true, unsigned),
        None => (false, text.strip_prefix('+').unwrap_or(text)),
    };
    let (radix, digits) = radix(unsigned);
    let mut magnitude: Option<u64> = Some(0);
    // An underscore stands between two digits, or between the prefix and a digit.
    let mut may_underscore = radix != 10;
    for letter in digits.chars() {
        if letter == '_' && may_underscore {
            may_underscore = false;
            continue;
        }
        let digit = letter.to_digit(radix).ok_or_else(syntax)?;
        magnitude = magnitude.and_then(|sum| sum.checked_mul(radix.into())?.checked_add(digit.into()));
        may_underscore = true;
    }
    if !digits.ends_with(|letter: char| letter.is_digit(radix)) {
        return Err(syntax());
    }
    let magnitude = magnitude.ok_or_else(range)?;
    if negative {
        0i64.checked_sub_unsigned(magnitude)
    } else {
        i64::try_from(magnitude).ok()
    }
    .ok_or_else(range)
}

/// The base that a number's prefix names, and what follows the prefix.
fn radix(unsigned: &str) -> (u32, &str) {
    let mut letters = unsigned.chars();
    match (letters.next(), letters.next()) {
        (Some('0'), Some('x' | 'X')) => (16, &unsigned[2..]),
        (Some('0'), Some('o' | 'O')) => (8, &unsigned[2..]),
        (Some('0'), Some('b' | 'B')) => (2, &unsigned[2..]),
        (Some('0'), Some(_)) => (8, &unsigned[1..]),
        _ => (10, unsigned),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::parse_int;

    #[test]
    fn reads_what_go_reads() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../fixtures/vectors/go_int.jsonl");
        let file = std::fs::read_to_string(path).expect("the vector file is readable");
        let rows: Vec<Value> = file
            .lines()
            .map(|line| serde_json::from_str(line).expect("each line is a JSON object"))
            .collect();
        assert!(!rows.is_empty(), "the vector file has rows");
        for row in rows {
            let text = row["in"].as_str().expect("in is a text");
            let found = match parse_int(text) {
                Ok(value) => json!([true, value, null]),
                Err(error) => json!([false, null, error.to_string()]),
            };
            assert_eq!(found, json!([row["ok"], row["value"], row["error"]]), "{text:?}");
        }
    }
}
