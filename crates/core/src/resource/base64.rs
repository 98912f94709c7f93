//! Decodes standard base64 (RFC 4648 section 4), strictly; it must not know what the bytes are.

/// Text that is not standard base64. It says nothing of the text, which may be a secret.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("is not valid base64 (standard alphabet, with padding)")]
pub struct InvalidBase64;

/// The bytes that `text` encodes. Padding is required and unused bits must be zero, so that no two texts mean the same
/// bytes; line breaks are skipped, as Kubernetes does, because encoders wrap their lines.
pub fn decode(text: &str) -> Result<Vec<u8>, InvalidBase64> {
    let mut bytes = Vec::with_capacity(text.len() / 4 * 3);
    let mut quantum = [0u8; 4];
    let mut filled = 0;
    let mut padding = 0;
    for byte in text.bytes().filter(|byte| !matches!(byte, b'\r' | b'\n')) {
        // A full group with padding is the last one.
        if padding > 0 && filled == 0 {
            return Err(InvalidBase64);
        }
        match byte {
            b'=' if filled >= 2 => padding += 1,
            b'=' => return Err(InvalidBase64),
            _ if padding > 0 => return Err(InvalidBase64),
            _ => {}
        }
        quantum[filled] = if byte == b'=' {
            0
        } else {
            digit(byte).ok_or(InvalidBase64)?
        };
        filled += 1;
        if filled == 4 {
            flush(quantum, padding, &mut bytes)?;
            filled = 0;
        }
    }
    if filled == 0 { Ok(bytes) } else { Err(InvalidBase64) }
}

fn flush(quantum: [u8; 4], padding: usize, bytes: &mut Vec<u8>) -> Result<(), InvalidBase64> {
    let [a, b, c, d] = quantum;
    let decoded = [a << 2 | b >> 4, b << 4 | c >> 2, c << 6 | d];
    let (used, unused) = decoded.split_at(3 - padding);
    if unused.iter().any(|byte| *byte != 0) {
        return Err(InvalidBase64);
    }
    bytes.extend_from_slice(used);
    Ok(())
}

fn digit(byte: u8) -> Option<u8> {
    match byte {
        b'A'..=b'Z' => Some(byte - b'A'),
        b'a'..=b'z' => Some(byte - b'a' + 26),
        b'0'..=b'9' => Some(byte - b'0' + 52),
        b'+' => Some(62),
        b'/' => Some(63),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn decodes_the_vectors_of_the_rfc() {
        let rows: [(&str, Option<&[u8]>); 24] = [
            ("", Some(b"")),
            ("Zg==", Some(b"f")),
            ("Zm8=", Some(b"fo")),
            ("Zm9v", Some(b"foo")),
            ("Zm9vYg==", Some(b"foob")),
            ("Zm9vYmE=", Some(b"fooba")),
            ("Zm9vYmFy", Some(b"foobar")),
            ("+/+/", Some(&[0xfb, 0xff, 0xbf])),
            ("AAAA", Some(&[0, 0, 0])),
            ("Zm9v\nYmFy\r\n", Some(b"foobar")),
            ("Zg=\n=", Some(b"f")),
            ("Zg", None),
            ("Zg=", None),
            ("Zg===", None),
            ("Zh==", None),
            ("Zm9=", None),
            ("Z===", None),
            ("====", None),
            ("=", None),
            ("Zg==Zg==", None),
            ("Zg=v", None),
            ("Zm9 v", None),
            ("-_-_", None),
            ("Zm9é", None),
        ];
        for (text, expected) in rows {
            assert_eq!(decode(text).ok().as_deref(), expected, "{text:?}");
        }
    }
}
