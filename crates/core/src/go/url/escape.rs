//! Says which bytes Go's `net/url` escapes in which part of a URL, and does and undoes it; it must not know URLs.

use super::UrlError;

/// A part of a URL, by what must be escaped in it.
#[derive(Clone, Copy, PartialEq)]
pub(super) enum Part {
    Path,
    Host,
    /// The zone of an IPv6 address.
    Zone,
    /// A user's name or a password.
    Userinfo,
    /// A key or a value of the query; only ever undone here.
    Query,
    Fragment,
}

fn must_escape(byte: u8, part: Part) -> bool {
    if byte.is_ascii_alphanumeric() || b"-_.~".contains(&byte) {
        return false;
    }
    let allowed: &[u8] = match part {
        Part::Path => b"$&+,/:;=@",
        Part::Host | Part::Zone => b"!$&'()*+,;=:[]<>\"",
        Part::Userinfo => b"$&+,;=",
        Part::Query => b"",
        Part::Fragment => b"$&+,/:;=?@!()*",
    };
    !allowed.contains(&byte)
}

/// Writes every byte that the part does not allow as `%XX`, in upper case.
pub(super) fn escape(bytes: &[u8], part: Part) -> String {
    const HEX: &[u8; 16] = b"0123456789ABCDEF";
    let mut escaped = String::with_capacity(bytes.len());
    for &byte in bytes {
        if must_escape(byte, part) {
            escaped.push('%');
            escaped.push(char::from(HEX[usize::from(byte >> 4)]));
            escaped.push(char::from(HEX[usize::from(byte & 15)]));
        } else {
            escaped.push(char::from(byte));
        }
    }
    escaped
}

/// Undoes `%XX`. A `+` stays a `+`: nobody here reads a query's values.
pub(super) fn unescape(text: &str, part: Part) -> Result<Vec<u8>, UrlError> {
    let mut decoded = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&byte, after)) = rest.split_first() {
        rest = after;
        if byte != b'%' {
            if matches!(part, Part::Host | Part::Zone) && byte.is_ascii() && must_escape(byte, part) {
                return Err(UrlError::HostCharacter);
            }
            decoded.push(byte);
            continue;
        }
        let [high, low, after @ ..] = rest else {
            return Err(UrlError::Escape);
        };
        let value = hex(*high)
            .zip(hex(*low))
            .map(|(high, low)| high << 4 | low)
            .ok_or(UrlError::Escape)?;
        if !may_be_escaped(value, part) {
            return Err(UrlError::Escape);
        }
        decoded.push(value);
        rest = after;
    }
    Ok(decoded)
}

/// RFC 3986 has escapes in a host for bytes beyond ASCII only, RFC 6874 adds `%25` before a zone; Go lets a zone escape
/// what it could also write, and spaces, which Windows puts there.
fn may_be_escaped(value: u8, part: Part) -> bool {
    match part {
        Part::Host => !value.is_ascii() || value == b'%',
        Part::Zone => value == b'%' || value == b' ' || !must_escape(value, Part::Host),
        Part::Path | Part::Userinfo | Part::Query | Part::Fragment => true,
    }
}

fn hex(digit: u8) -> Option<u8> {
    char::from(digit)
        .to_digit(16)
        .and_then(|value| u8::try_from(value).ok())
}

/// Whether the text could stand in the URL as it is. Go allows a few more characters here than it writes itself.
pub(super) fn is_valid_escaping(text: &str, part: Part) -> bool {
    text.bytes()
        .all(|byte| b"!$&'()*+,;=:@[]%".contains(&byte) || !must_escape(byte, part))
}
