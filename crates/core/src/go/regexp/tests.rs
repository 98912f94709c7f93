use serde_json::Value;

use super::{MAX_PATTERN_BYTES, Regexp, RegexpError};

/// The rows of a vector file, each with its line number.
fn rows() -> Vec<(usize, Value)> {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../fixtures/vectors/go_regexp.jsonl");
    let text = std::fs::read_to_string(path).expect("the vector file is readable");
    let parse = |(index, line)| {
        (
            index + 1,
            serde_json::from_str(line).expect("each line is a JSON object"),
        )
    };
    let rows: Vec<_> = text
        .split('\n')
        .filter(|line| !line.is_empty())
        .enumerate()
        .map(parse)
        .collect();
    assert!(!rows.is_empty(), "the vector file has rows");
    rows
}

#[test]
fn accepts_and_matches_what_go_does() {
    let mut failures = Vec::new();
    for (line, row) in rows() {
        let pattern = row["regex"].as_str().expect("regex is a text");
        let compiled = Regexp::compile(pattern);
        if compiled.is_ok() != (row["ok"] == true) {
            failures.push(format!(
                "line {line}: {pattern:?} compiled to {compiled:?}, Go says {}",
                row["ok"]
            ));
            continue;
        }
        match &compiled {
            Err(error) if row["error"].as_str() != Some(&error.to_string()) => {
                failures.push(format!(
                    "line {line}: {pattern:?} gives {error}, Go says {}",
                    row["error"]
                ));
            }
            Err(_) => {}
            Ok(regexp) => {
                for (text, expected) in row["matches"].as_object().expect("matches is an object") {
                    if regexp.is_match(text) != (*expected == true) {
                        failures.push(format!("line {line}: {pattern:?} on {text:?}, Go says {expected}"));
                    }
                }
            }
        }
    }
    assert!(
        failures.is_empty(),
        "{} differ:\n{}",
        failures.len(),
        failures.join("\n")
    );
}

/// Rows that the vectors leave out: the expression, a text, and whether it matches, or `None` if Go refuses the expression.
#[test]
fn agrees_with_go_in_rare_places() {
    let rows: &[(&str, &str, Option<bool>)] = &[
        ("a*(?i)*", "b", Some(true)),
        (r"a+\Q\E?", "b", Some(true)),
        (r"\Q\E*", "", None),
        ("(?i)*", "", None),
        ("a(?i)*", "", Some(true)),
        ("ab(?i)c|d", "D", Some(true)),
        ("(?:(?i)a)b", "AB", Some(false)),
        ("(?:(?i)a)b", "Ab", Some(true)),
        ("a{0}b", "b", Some(true)),
        ("(a{0}){1000}", "", Some(true)),
        ("((a{1000}){0}){2}", "", Some(true)),
        ("(a{20}){51}", "", None),
        ("a{01}", "a{01}", Some(true)),
        ("a{99999999999999999999}", "", None),
        ("a{99999999999999999999,", "a{99999999999999999999,", Some(true)),
        ("(?P<", "", None),
        ("(?<", "", None),
        ("(?", "", None),
        (r"\p{^Lu}", "a", Some(true)),
        (r"\P{^Lu}", "a", Some(false)),
        (r"\pl", "a", Some(true)),
        (r"\p{ uppercase-LETTER_}", "A", Some(true)),
        (r"\p{Old_Italic}", "", None),
        (r"\x{d800}", "a", Some(false)),
        (r"[^\x{d800}]", "a", Some(true)),
        (r"[\x{d7ff}-\x{e000}]", "\u{e000}", Some(true)),
        (r"\p{Cs}", "a", Some(false)),
        (r"\P{Cs}", "a", Some(true)),
        (r"[[:foo:]]", "", None),
        (r"[[:alpha]", ":", Some(true)),
        (r"[b-\d]", "", None),
        (r"[\d-a]", "-", Some(true)),
        (r"[a-\pL]", "", None),
        (r"(?i)[^\W]", "\u{17f}", Some(true)),
        (r"(?i)\W", "\u{212a}", Some(false)),
        (r"\xzz", "", None),
        (r"\x{110000}", "", None),
        (r"\777", "\u{1ff}", Some(true)),
        ("a)", "", None),
        ("\\", "", None),
    ];
    let differing: Vec<_> = rows
        .iter()
        .map(|(pattern, text, expected)| {
            (
                pattern,
                Regexp::compile(pattern).ok().map(|regexp| regexp.is_match(text)),
                expected,
            )
        })
        .filter(|(_, found, expected)| found != *expected)
        .collect();
    assert!(differing.is_empty(), "{differing:#?}");
}

#[test]
fn the_length_of_an_expression_is_bounded() {
    assert!(Regexp::compile(&"a".repeat(MAX_PATTERN_BYTES)).is_ok());
    let bytes = MAX_PATTERN_BYTES + 1;
    assert_eq!(Regexp::compile(&"a".repeat(bytes)), Err(RegexpError::TooLong { bytes }));
}

#[test]
fn the_depth_of_an_expression_is_bounded() {
    let nested = |open: &str, close: &str, depth| format!("{}a{}", open.repeat(depth), close.repeat(depth));
    let rows = [
        (nested("(", ")", 999), true),
        (nested("(", ")", 1000), false),
        (nested("(?:", ")", 1000), true),
        (nested("(?:", "*)", 99), true),
        (nested("(?:", "*)", 100), false),
        (nested("(", ")+", 99), true),
        (nested("(", ")+", 100), false),
        (nested("(?:b", ")*", 49), true),
        (nested("(?:b|", ")*c", 33), true),
        (nested("(?:b|", ")*c", 34), false),
        ("(".repeat(MAX_PATTERN_BYTES), false),
    ];
    let differing: Vec<_> = rows
        .iter()
        .filter(|(pattern, ok)| Regexp::compile(pattern).is_ok() != *ok)
        .collect();
    assert!(differing.is_empty(), "{differing:#?}");
}

#[test]
fn what_takes_too_much_memory_or_time_is_refused() {
    let rows = [
        (r"(\pL{100}){10}(\pN{100})".to_owned(), false),
        (r"\pL{1000}".repeat(400), false),
        (r"[\pL\pN]{1000}".to_owned(), false),
        (r"\pL".repeat(257), false),
        (format!("(?i){}", r"\pL".repeat(64)), true),
        (format!("(?i){}", r"\pL".repeat(65)), false),
        ("[^a]{1000}".repeat(40), false),
        ("(a{100}){10}".repeat(300), true),
        ("a{1000,}".repeat(400), false),
        (r"((\pL{1000}){0}){5}".to_owned(), true),
        ("(((a{10}){10}){10}b){1}".repeat(150), true),
    ];
    let differing: Vec<_> = rows
        .iter()
        .map(|(pattern, ok)| (&pattern[..pattern.len().min(40)], Regexp::compile(pattern), ok))
        .filter(|(_, compiled, ok)| match compiled {
            Ok(_) => !**ok,
            Err(error) => **ok || *error != RegexpError::TooLarge,
        })
        .collect();
    assert!(differing.is_empty(), "{differing:#?}");
}
