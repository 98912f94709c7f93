//! Reads and writes HTTP/1.1 messages on a stream, bounded in size; it knows neither clients nor servers.

use std::io::{self, BufRead, Read};

/// A start line and headers larger than this are refused.
const HEAD_LIMIT: u64 = 64 * 1024;
/// A body larger than this is refused; the largest catalogs and logs in tests are far smaller.
const BODY_LIMIT: u64 = 256 * 1024 * 1024;

/// Headers in the order they came.
pub(crate) type Headers = Vec<(String, String)>;

/// What precedes a body: a request line or status line, and headers.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Head {
    pub(crate) start_line: String,
    pub(crate) headers: Headers,
}

/// How the end of a body is found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Framing {
    Length(u64),
    Chunked,
    UntilClose,
}

impl Framing {
    /// What the headers declare; `otherwise` if they declare nothing.
    pub(crate) fn declared(headers: &Headers, otherwise: Self) -> io::Result<Self> {
        if header(headers, "transfer-encoding").is_some_and(|value| value.eq_ignore_ascii_case("chunked")) {
            return Ok(Self::Chunked);
        }
        match header(headers, "content-length") {
            None => Ok(otherwise),
            Some(value) => value
                .parse()
                .map(Self::Length)
                .map_err(|_| invalid("a Content-Length that is no number")),
        }
    }
}

/// The value of the first header of that name, in whatever case.
pub(crate) fn header<'a>(headers: &'a Headers, name: &str) -> Option<&'a str> {
    headers
        .iter()
        .find(|(key, _)| key.eq_ignore_ascii_case(name))
        .map(|(_, value)| value.as_str())
}

/// Reads up to the empty line; `None` if the stream ends before a first byte.
pub(crate) fn read_head(stream: &mut impl BufRead) -> io::Result<Option<Head>> {
    let mut stream = stream.take(HEAD_LIMIT);
    let Some(start_line) = read_line(&mut stream)? else {
        return Ok(None);
    };
    let mut headers = Headers::new();
    loop {
        let line = read_line(&mut stream)?.ok_or_else(|| invalid("headers that end or exceed 64 KiB"))?;
        if line.is_empty() {
            return Ok(Some(Head { start_line, headers }));
        }
        let (name, value) = line
            .split_once(':')
            .ok_or_else(|| invalid("a header line without a colon"))?;
        headers.push((name.to_owned(), value.trim().to_owned()));
    }
}

/// Reads a body to its end.
pub(crate) fn read_body(stream: &mut impl BufRead, framing: Framing) -> io::Result<Vec<u8>> {
    let mut body = Vec::new();
    match framing {
        Framing::Length(length) => read_exactly(stream, length, &mut body)?,
        Framing::UntilClose => {
            stream.take(BODY_LIMIT + 1).read_to_end(&mut body)?;
            within_limit(body.len() as u64)?;
        }
        Framing::Chunked => while read_chunk(stream, &mut body)? {},
    }
    Ok(body)
}

/// `body` in chunks of `size` bytes, with the chunk that ends it.
pub(crate) fn chunked(body: &[u8], size: usize) -> Vec<u8> {
    let mut encoded = Vec::with_capacity(body.len() + body.len() / size.max(1) * 8 + 8);
    for chunk in body.chunks(size.max(1)) {
        encoded.extend_from_slice(format!("{:x}\r\n", chunk.len()).as_bytes());
        encoded.extend_from_slice(chunk);
        encoded.extend_from_slice(b"\r\n");
    }
    encoded.extend_from_slice(b"0\r\n\r\n");
    encoded
}

/// Reads one chunk; false after the last.
pub(crate) fn read_chunk(stream: &mut impl BufRead, body: &mut Vec<u8>) -> io::Result<bool> {
    let ended = || invalid("a chunked body that ends early");
    let line = read_line(&mut stream.take(HEAD_LIMIT))?.ok_or_else(ended)?;
    let size = line.split(';').next().unwrap_or_default().trim();
    let size = u64::from_str_radix(size, 16).map_err(|_| invalid("a chunk size that is no number"))?;
    if size > 0 {
        read_exactly(stream, size, body)?;
    }
    // A chunk ends with an empty line, and so do the trailers after the last.
    while !read_line(&mut stream.take(HEAD_LIMIT))?.ok_or_else(ended)?.is_empty() {}
    Ok(size > 0)
}

fn read_exactly(stream: &mut impl BufRead, length: u64, body: &mut Vec<u8>) -> io::Result<()> {
    within_limit(length.saturating_add(body.len() as u64))?;
    // Not allocated ahead: a peer that declares much and sends little must not cost much.
    let read = stream.take(length).read_to_end(body)?;
    if read as u64 == length {
        Ok(())
    } else {
        Err(io::ErrorKind::UnexpectedEof.into())
    }
}

fn read_line(stream: &mut impl BufRead) -> io::Result<Option<String>> {
    let mut line = Vec::new();
    if stream.read_until(b'\n', &mut line)? == 0 {
        return Ok(None);
    }
    if line.pop() != Some(b'\n') {
        return Err(invalid("a line that does not end"));
    }
    if line.last() == Some(&b'\r') {
        line.pop();
    }
    String::from_utf8(line)
        .map(Some)
        .map_err(|_| invalid("a line that is not UTF-8"))
}

fn within_limit(length: u64) -> io::Result<()> {
    if length > BODY_LIMIT {
        Err(invalid("a body over 256 MiB"))
    } else {
        Ok(())
    }
}

fn invalid(what: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, format!("the HTTP message has {what}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn heads() {
        let head = read_head(&mut &b"GET / HTTP/1.1\r\nA: 1\r\nb:2:3\r\n\r\nrest"[..])
            .unwrap()
            .unwrap();
        let pairs = [("A", "1"), ("b", "2:3")].map(|(key, value)| (key.to_owned(), value.to_owned()));
        assert_eq!(
            head,
            Head {
                start_line: "GET / HTTP/1.1".to_owned(),
                headers: pairs.to_vec()
            }
        );
        assert_eq!(header(&head.headers, "B"), Some("2:3"));
        assert_eq!(read_head(&mut &b""[..]).unwrap(), None);
        for broken in [
            &b"GET"[..],
            b"GET /\r\nA: 1\r\n",
            b"GET /\r\nno colon\r\n\r\n",
            &[b'a'; 70_000],
        ] {
            assert!(
                read_head(&mut &broken[..]).is_err(),
                "{:?}",
                String::from_utf8_lossy(broken)
            );
        }
    }

    #[test]
    fn bodies() {
        for (input, framing, expected) in [
            ("abcdef", Framing::Length(3), Some("abc")),
            ("ab", Framing::Length(3), None),
            ("ab", Framing::Length(u64::MAX), None),
            ("abc", Framing::UntilClose, Some("abc")),
            ("2\r\nab\r\n1;x=y\r\nc\r\n0\r\n\r\n", Framing::Chunked, Some("abc")),
            ("1\r\na\r\n0\r\nTrailer: 1\r\n\r\n", Framing::Chunked, Some("a")),
            ("ffffffffffffffff\r\na\r\n0\r\n\r\n", Framing::Chunked, None),
            ("2\r\nab\r\n", Framing::Chunked, None),
            ("x\r\n", Framing::Chunked, None),
        ] {
            let body = read_body(&mut input.as_bytes(), framing).ok();
            assert_eq!(body.as_deref(), expected.map(str::as_bytes), "{input:?} {framing:?}");
        }
    }

    #[test]
    fn chunks_read_back() {
        for (body, size) in [("", 3), ("abcdefg", 3), ("abc", 0), ("abc", 100)] {
            let encoded = chunked(body.as_bytes(), size);
            assert_eq!(
                read_body(&mut &encoded[..], Framing::Chunked).unwrap(),
                body.as_bytes(),
                "{body:?} {size}"
            );
        }
    }
}
