//! Reads an answer within bounds, and the headers that say how a host wants to be treated; must not know what was asked.

use std::time::Duration;

use bytes::{Bytes, BytesMut};
use jiff::Timestamp;
use reqwest::header::{HeaderMap, RETRY_AFTER};
use reqwest::{Method, StatusCode, Url};

use super::connections::innermost;
use super::endpoint::authority;
use super::error::RegistryError;
use super::http_time::retry_after;

/// How much of an error's body is read.
const MAX_ERROR_BODY: usize = 8 * 1024;
/// How much of a successful answer is read, and what to call it when it is more.
#[derive(Debug, Clone, Copy)]
pub(super) struct BodyLimit {
    pub(super) what: &'static str,
    pub(super) bytes: usize,
}

/// What came back: any status but a `429`, or a `503` that names a time, from a host with a budget.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) status: StatusCode,
    pub(super) headers: HeaderMap,
    pub(super) url: Url,
    /// The whole body of a success; the beginning of any other.
    pub(super) body: Bytes,
}

impl Answer {
    /// A header's text, if it is there once or more and is ASCII.
    pub(super) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).and_then(|value| value.to_str().ok())
    }

    /// All values of a header that are ASCII.
    pub(super) fn header_values(&self, name: &str) -> impl Iterator<Item = &str> {
        self.headers
            .get_all(name)
            .iter()
            .filter_map(|value| value.to_str().ok())
    }

    /// How long it asks to wait, where it does.
    pub(super) fn retry_after(&self) -> Option<Duration> {
        self.header(RETRY_AFTER.as_str())
            .and_then(|value| retry_after(value, Timestamp::now()))
    }

    /// Whether it says that nothing is left of its host's quota: `ratelimit-remaining: 0;w=21600`.
    pub(super) fn is_last_within_quota(&self) -> bool {
        let remaining = self
            .header("ratelimit-remaining")
            .and_then(|header| header.split(';').next());
        remaining.is_some_and(|remaining| remaining.trim() == "0")
    }

    /// Reads an answer, never more of it than the limit. An error's body is only there to explain: what came of it will do.
    pub(super) async fn read(
        mut response: reqwest::Response,
        method: &Method,
        url: &Url,
        limit: BodyLimit,
    ) -> Result<Self, RegistryError> {
        let status = response.status();
        let headers = std::mem::take(response.headers_mut());
        let body = match (method, status.is_success()) {
            (&Method::HEAD, _) => Bytes::new(),
            (_, true) => whole_body(&mut response, &authority(url), limit).await?,
            (_, false) => beginning_of_body(&mut response).await,
        };
        Ok(Self {
            status,
            headers,
            url: url.clone(),
            body,
        })
    }
}

async fn whole_body(response: &mut reqwest::Response, host: &str, limit: BodyLimit) -> Result<Bytes, RegistryError> {
    let too_large = || RegistryError::too_large_bytes(format!("{} from {host}", limit.what), limit.bytes);
    let announced = response.content_length().unwrap_or_default();
    if usize::try_from(announced).map_or(true, |announced| announced > limit.bytes) {
        return Err(too_large());
    }
    let mut body = BytesMut::new();
    loop {
        match response.chunk().await {
            Ok(Some(chunk)) if chunk.len() > limit.bytes - body.len() => return Err(too_large()),
            Ok(Some(chunk)) => body.extend_from_slice(&chunk),
            Ok(None) => return Ok(body.freeze()),
            Err(error) => {
                let detail = format!("the answer broke off: {}", innermost(&error.without_url()));
                return Err(RegistryError::unavailable(host, detail));
            }
        }
    }
}

async fn beginning_of_body(response: &mut reqwest::Response) -> Bytes {
    let mut body = BytesMut::new();
    while let Ok(Some(chunk)) = response.chunk().await {
        let room = MAX_ERROR_BODY - body.len();
        body.extend_from_slice(&chunk[..chunk.len().min(room)]);
        if body.len() == MAX_ERROR_BODY {
            break;
        }
    }
    body.freeze()
}
