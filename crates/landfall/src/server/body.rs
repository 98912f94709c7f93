//! Reads bodies within their limits of size, time and memory, and makes requests of them.

use std::time::Duration;

use axum::body::Body;
use axum::http::header::CONTENT_LENGTH;
use axum::http::{HeaderMap, Request, Uri};
use http_body_util::{BodyExt as _, LengthLimitError, Limited};
use landfall_core::delivery::Unverified;
use tokio::sync::{Semaphore, SemaphorePermit};

use super::Door;
use super::answer::Answer;

/// The grain in which memory for bodies is handed out.
pub(super) const UNIT: usize = 4096;
/// How long a request may wait for memory before it is told to come back.
const WAIT: Duration = Duration::from_millis(500);

impl Door {
    /// Reads a request whole, up to `limit` bytes of body.
    pub(super) async fn read(&self, request: Request<Body>, limit: usize) -> Result<Unverified, Answer> {
        let (parts, body) = request.into_parts();
        let declared = declared_length(&parts.headers);
        if declared.is_some_and(|length| length > limit as u64) {
            return Err(Answer::TooLarge(limit));
        }
        let body = match tokio::time::timeout(self.limits.body, self.collect(body, limit)).await {
            Err(_elapsed) => return Err(Answer::TooSlow),
            Ok(body) => body?,
        };
        Ok(Unverified {
            headers: headers(&parts.headers),
            query: query(&parts.uri),
            body,
        })
    }

    /// Memory is handed out as bytes come, not as they are announced: whoever announces much and sends little takes nothing
    /// from others.
    async fn collect(&self, body: Body, limit: usize) -> Result<Vec<u8>, Answer> {
        let mut body = Limited::new(body, limit);
        let mut bytes = Vec::new();
        let mut memory = Memory {
            all: &self.bodies,
            held: None,
            units: 0,
        };
        while let Some(frame) = body.frame().await {
            let frame = frame.map_err(|error| match error.is::<LengthLimitError>() {
                true => Answer::TooLarge(limit),
                false => Answer::Broken,
            })?;
            if let Ok(data) = frame.into_data() {
                memory.hold(bytes.len() + data.len()).await?;
                bytes.extend_from_slice(&data);
            }
        }
        Ok(bytes)
    }
}

/// The memory that a body takes while it is read.
struct Memory<'a> {
    all: &'a Semaphore,
    held: Option<SemaphorePermit<'a>>,
    units: usize,
}

impl Memory<'_> {
    /// Takes what is missing to so many bytes.
    async fn hold(&mut self, bytes: usize) -> Result<(), Answer> {
        let units = bytes.div_ceil(UNIT);
        let missing = u32::try_from(units.saturating_sub(self.units)).unwrap_or(u32::MAX);
        let more = match self.all.try_acquire_many(missing) {
            Ok(more) => more,
            Err(_) => match tokio::time::timeout(WAIT, self.all.acquire_many(missing)).await {
                Ok(Ok(more)) => more,
                _ => return Err(Answer::Busy),
            },
        };
        match &mut self.held {
            Some(held) => held.merge(more),
            held => *held = Some(more),
        }
        self.units = self.units.max(units);
        Ok(())
    }
}

fn declared_length(headers: &HeaderMap) -> Option<u64> {
    headers.get(CONTENT_LENGTH)?.to_str().ok()?.parse().ok()
}

fn headers(headers: &HeaderMap) -> Vec<(String, Vec<u8>)> {
    headers
        .iter()
        .map(|(name, value)| (name.as_str().to_owned(), value.as_bytes().to_vec()))
        .collect()
}

/// The parameters of a query. As with Go, one that holds a `;` or a bad escape is dropped.
pub(super) fn query(uri: &Uri) -> Vec<(String, String)> {
    let pairs = uri
        .query()
        .unwrap_or_default()
        .split('&')
        .filter(|pair| !pair.is_empty() && !pair.contains(';'));
    pairs
        .filter_map(|pair| {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            Some((unescape(name)?, unescape(value)?))
        })
        .collect()
}

fn unescape(text: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((first, tail)) = rest.split_first() {
        rest = match first {
            b'+' => {
                bytes.push(b' ');
                tail
            }
            b'%' => {
                let (digits, tail) = tail.split_at_checked(2)?;
                let digits = std::str::from_utf8(digits)
                    .ok()
                    .filter(|digits| !digits.starts_with('+'))?;
                bytes.push(u8::from_str_radix(digits, 16).ok()?);
                tail
            }
            other => {
                bytes.push(*other);
                tail
            }
        };
    }
    String::from_utf8(bytes).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn queries_are_read_as_go_reads_them() {
        for (text, expected) in [
            (
                "/webhook?type=docker.io&secret=a%2Bb+c",
                vec![("type", "docker.io"), ("secret", "a+b c")],
            ),
            (
                "/webhook?type=&type=docker.io",
                vec![("type", ""), ("type", "docker.io")],
            ),
            ("/webhook?a=1;b=2&c=3", vec![("c", "3")]),
            ("/webhook?a=%zz&b=%2&c=%+1&d", vec![("d", "")]),
            ("/webhook?a=%ff", vec![]),
            ("/webhook", vec![]),
        ] {
            let uri: Uri = text.parse().unwrap();
            let expected: Vec<_> = expected
                .into_iter()
                .map(|(a, b)| (a.to_owned(), b.to_owned()))
                .collect();
            assert_eq!(query(&uri), expected, "{text}");
        }
    }
}
