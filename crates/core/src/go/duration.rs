//! Reads and writes durations as Go's `time` does; it does not know what is timed.

/// Nanoseconds in each unit that Go knows.
const UNITS: [(&str, u64); 8] = [
    ("ns", 1),
    ("us", 1_000),
    ("µs", 1_000), // U+00B5, the micro sign
    ("μs", 1_000), // U+03BC, the Greek letter mu
    ("ms", 1_000_000),
    ("s", SECOND),
    ("m", MINUTE),
    ("h", HOUR),
];
const SECOND: u64 = 1_000_000_000;
const MINUTE: u64 = 60 * SECOND;
const HOUR: u64 = 60 * MINUTE;
/// The magnitude of the smallest `i64`, which only a negative duration can have.
const MOST_NANOS: u64 = 1 << 63;

/// Why a text is no duration, in Go's words.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DurationError {
    /// The text has not the form of a duration, or is out of range.
    #[error("time: invalid duration {}", quoted(.text))]
    Invalid {
        /// The whole text.
        text: String,
    },
    /// A number has no unit.
    #[error("time: missing unit in duration {}", quoted(.text))]
    MissingUnit {
        /// The whole text.
        text: String,
    },
    /// A number has a unit that Go does not know, such as `d`.
    #[error("time: unknown unit {} in duration {}", quoted(.unit), quoted(.text))]
    UnknownUnit {
        /// The unit as written.
        unit: String,
        /// The whole text.
        text: String,
    },
}

/// Parses a duration such as `1h30m` or `-1.5s` into nanoseconds, as Go's `time.ParseDuration` does.
///
/// # Errors
/// Whenever Go refuses the text; the error has Go's words.
pub fn parse_duration(text: &str) -> Result<i64, DurationError> {
    let invalid = || DurationError::Invalid { text: text.to_owned() };
    let (negative, mut rest) = match text.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, text.strip_prefix('+').unwrap_or(text)),
    };
    if rest == "0" {
        return Ok(0);
    }
    if rest.is_empty() {
        return Err(invalid());
    }
    let mut nanos: u64 = 0;
    while !rest.is_empty() {
        let (part, after) = parse_part(rest, text)?;
        // Go's sum wraps around where twice 2^63 meet, and so does this one.
        nanos = Some(nanos.wrapping_add(part))
            .filter(|sum| *sum <= MOST_NANOS)
            .ok_or_else(invalid)?;
        rest = after;
    }
    if negative {
        0i64.checked_sub_unsigned(nanos)
    } else {
        i64::try_from(nanos).ok()
    }
    .ok_or_else(invalid)
}

/// Reads one number with its unit: its nanoseconds, and what follows.
fn parse_part<'t>(rest: &'t str, text: &str) -> Result<(u64, &'t str), DurationError> {
    let invalid = || DurationError::Invalid { text: text.to_owned() };
    let (whole_digits, rest) = split_digits(rest);
    let (fraction_digits, rest) = rest.strip_prefix('.').map_or(("", rest), split_digits);
    if whole_digits.is_empty() && fraction_digits.is_empty() {
        return Err(invalid());
    }
    let whole = whole_number(whole_digits).ok_or_else(invalid)?;
    let unit_length = rest
        .find(|letter: char| letter == '.' || letter.is_ascii_digit())
        .unwrap_or(rest.len());
    let (unit, rest) = rest.split_at(unit_length);
    if unit.is_empty() {
        return Err(DurationError::MissingUnit { text: text.to_owned() });
    }
    let Some((_, unit_nanos)) = UNITS.iter().find(|(name, _)| *name == unit) else {
        return Err(DurationError::UnknownUnit {
            unit: unit.to_owned(),
            text: text.to_owned(),
        });
    };
    let nanos = whole
        .checked_mul(*unit_nanos)
        .filter(|nanos| *nanos <= MOST_NANOS)
        .ok_or_else(invalid)?;
    let nanos = nanos + fraction_nanos(fraction_digits, *unit_nanos);
    if nanos > MOST_NANOS {
        return Err(invalid());
    }
    Ok((nanos, rest))
}

fn split_digits(text: &str) -> (&str, &str) {
    text.split_at(text.bytes().take_while(u8::is_ascii_digit).count())
}

/// The number, or `None` if it is out of range; no digits are zero.
fn whole_number(digits: &str) -> Option<u64> {
    if digits.is_empty() {
        return Some(0);
    }
    digits.parse().ok().filter(|number| *number <= MOST_NANOS)
}

/// The nanoseconds of a fraction of a unit, rounded as Go rounds: digits beyond 63 bits are dropped, and the product is
/// computed in floating point and cut.
fn fraction_nanos(digits: &str, unit_nanos: u64) -> u64 {
    let mut value: u64 = 0;
    let mut scale = 1f64;
    for digit in digits.bytes().map(|byte| u64::from(byte - b'0')) {
        if value > i64::MAX as u64 / 10 {
            break;
        }
        let next = value * 10 + digit;
        if next > MOST_NANOS {
            break;
        }
        value = next;
        scale *= 10.0;
    }
    (value as f64 * (unit_nanos as f64 / scale)) as u64
}

/// Go's quoting in these errors: quotes and backslashes are escaped, and so is each byte that is not printable ASCII.
fn quoted(text: &str) -> String {
    let mut quoted = String::with_capacity(text.len() + 2);
    quoted.push('"');
    for letter in text.chars() {
        match letter {
            '"' | '\\' => quoted.extend(['\\', letter]),
            ' '..='\u{7f}' => quoted.push(letter),
            _ => {
                let mut buffer = [0; 4];
                let bytes = letter.encode_utf8(&mut buffer).bytes();
                quoted.extend(bytes.map(|byte| format!("\\x{byte:02x}")));
            }
        }
    }
    quoted.push('"');
    quoted
}

/// Writes nanoseconds as Go's `Duration.String` does: `1h30m0s`, `1.5s`, `2µs`, `0s`.
pub fn format_duration(nanos: i64) -> String {
    let magnitude = nanos.unsigned_abs();
    let sign = if nanos < 0 { "-" } else { "" };
    let text = match magnitude {
        0 => "0s".to_owned(),
        1..1_000 => format!("{magnitude}ns"),
        1_000..1_000_000 => decimal(magnitude, 1_000, "µs"),
        1_000_000..SECOND => decimal(magnitude, 1_000_000, "ms"),
        _ => {
            let (hours, minutes) = (magnitude / HOUR, magnitude / MINUTE % 60);
            let seconds = decimal(magnitude % MINUTE, SECOND, "s");
            match (hours, minutes) {
                (0, 0) => seconds,
                (0, _) => format!("{minutes}m{seconds}"),
                _ => format!("{hours}h{minutes}m{seconds}"),
            }
        }
    };
    format!("{sign}{text}")
}

/// `nanos` in a unit of `unit_nanos` (a power of ten), with as many decimals as needed.
fn decimal(nanos: u64, unit_nanos: u64, unit: &str) -> String {
    let width = unit_nanos.ilog10() as usize;
    let fraction = format!("{:0width$}", nanos % unit_nanos);
    let fraction = fraction.trim_end_matches('0');
    let point = if fraction.is_empty() { "" } else { "." };
    format!("{}{point}{fraction}{unit}", nanos / unit_nanos)
}

/// Whether the text fits `^([0-9]+(\.[0-9]+)?(s|m|h))+$`, the pattern that the Warehouse's schema sets for intervals.
pub fn is_interval(text: &str) -> bool {
    let mut rest = text;
    while !rest.is_empty() {
        match interval_part(rest) {
            Some(after) => rest = after,
            None => return false,
        }
    }
    !text.is_empty()
}

fn interval_part(text: &str) -> Option<&str> {
    let (whole, mut rest) = split_digits(text);
    if whole.is_empty() {
        return None;
    }
    if let Some(after) = rest.strip_prefix('.') {
        let (fraction, after) = split_digits(after);
        if fraction.is_empty() {
            return None;
        }
        rest = after;
    }
    rest.strip_prefix(['s', 'm', 'h'])
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::{format_duration, is_interval, parse_duration};

    #[test]
    fn reads_and_writes_what_go_does() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../fixtures/vectors/go_duration.jsonl");
        let file = std::fs::read_to_string(path).expect("the vector file is readable");
        let mut rows = 0;
        let mut failures = Vec::new();
        for line in file.split('\n').filter(|line| !line.is_empty()) {
            rows += 1;
            let row: Value = serde_json::from_str(line).expect("each line is a JSON object");
            let text = row["in"].as_str().expect("in is a text");
            let (nanos, string, error) = match parse_duration(text) {
                Ok(nanos) => (Value::from(nanos), Value::from(format_duration(nanos)), Value::Null),
                Err(error) => (Value::Null, Value::Null, Value::from(error.to_string())),
            };
            let found = [
                Value::from(error.is_null()),
                nanos,
                string,
                error,
                Value::from(is_interval(text)),
            ];
            let expected = ["ok", "nanos", "string", "error", "interval_pattern"].map(|field| row[field].clone());
            if found != expected {
                failures.push(format!("line {rows}: {text:?} gives {found:?}, Go says {expected:?}"));
            }
        }
        assert!(rows > 0, "the vector file has rows");
        assert!(
            failures.is_empty(),
            "{} differ:\n{}",
            failures.len(),
            failures.join("\n")
        );
    }

    #[test]
    fn the_ends_of_the_range_survive() {
        for nanos in [i64::MIN, i64::MIN + 1, -1, 0, 1, i64::MAX - 1, i64::MAX] {
            assert_eq!(parse_duration(&format!("{nanos}ns")), Ok(nanos));
        }
        assert_eq!(format_duration(i64::MIN), "-2562047h47m16.854775808s");
        assert!(parse_duration("9223372036854775808ns").is_err());
        assert_eq!(parse_duration("9223372036854775808ns9223372036854775808ns"), Ok(0));
    }
}
