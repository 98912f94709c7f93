//! Reads truth values as Go's `strconv` does; it must not know what is true or false.

use super::strconv::{Fault, NumError};

/// Parses one of the twelve spellings that Go's `strconv.ParseBool` knows.
///
/// # Errors
/// For every other text, `yes` and `tRUE` among them; the error has Go's words.
pub fn parse_bool(text: &str) -> Result<bool, NumError> {
    match text {
        "1" | "t" | "T" | "TRUE" | "true" | "True" => Ok(true),
        "0" | "f" | "F" | "FALSE" | "false" | "False" => Ok(false),
        _ => Err(NumError::new("ParseBool", text, Fault::Syntax)),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::parse_bool;

    #[test]
    fn reads_what_go_reads() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../fixtures/vectors/go_bool.jsonl");
        let file = std::fs::read_to_string(path).expect("the vector file is readable");
        let rows: Vec<Value> = file
            .lines()
            .map(|line| serde_json::from_str(line).expect("each line is a JSON object"))
            .collect();
        assert!(!rows.is_empty(), "the vector file has rows");
        for row in rows {
            let text = row["in"].as_str().expect("in is a text");
            let found = match parse_bool(text) {
                Ok(value) => json!([true, value, null]),
                Err(error) => json!([false, null, error.to_string()]),
            };
            assert_eq!(found, json!([row["ok"], row["value"], row["error"]]), "{text:?}");
        }
    }
}
