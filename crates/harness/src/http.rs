//! A small blocking HTTP/1.1 client for deliveries and registries, plain text only; it can also misbehave on purpose.
//! It must not know what it sends.

use std::io::{BufRead, BufReader, Write};
use std::net::{Shutdown, TcpStream, ToSocketAddrs};
use std::time::Duration;

use anyhow::{Context, Result, anyhow, bail};

use crate::wire::{self, Framing, Head};

/// How long to wait for a connection, and for each piece of an answer, where nothing else is said.
pub const TIMEOUT: Duration = Duration::from_secs(30);

/// How a body is sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Sending {
    /// With `Content-Length`.
    #[default]
    WithLength,
    /// In chunks of so many bytes, without `Content-Length`.
    Chunked(usize),
}

/// A request. `Host`, `Content-Length` and `Transfer-Encoding` are added when it is sent, unless a header says them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Request {
    /// `GET`, `POST`, …
    pub method: String,
    /// Path and query, beginning with `/`.
    pub path: String,
    /// Headers in order.
    pub headers: Vec<(String, String)>,
    /// The body; empty for none.
    pub body: Vec<u8>,
    /// How the body is sent.
    pub sending: Sending,
}

impl Request {
    /// A request without headers and body.
    pub fn new(method: &str, path: impl Into<String>) -> Self {
        let (headers, body) = (Vec::new(), Vec::new());
        Self {
            method: method.to_owned(),
            path: path.into(),
            headers,
            body,
            sending: Sending::WithLength,
        }
    }

    /// The same request with one header more.
    #[must_use]
    pub fn header(mut self, name: &str, value: impl Into<String>) -> Self {
        self.headers.push((name.to_owned(), value.into()));
        self
    }

    /// The same request with this body.
    #[must_use]
    pub fn body(self, body: impl Into<Vec<u8>>) -> Self {
        Self {
            body: body.into(),
            ..self
        }
    }

    /// The same request, its body sent this way.
    #[must_use]
    pub fn sending(self, sending: Sending) -> Self {
        Self { sending, ..self }
    }

    /// The request as it goes over the wire to `host`, for tests that cut it, slow it or spoil it.
    pub fn to_bytes(&self, host: &str) -> Vec<u8> {
        let mut bytes = format!("{} {} HTTP/1.1\r\n", self.method, self.path);
        let mut line = |name: &str, value: &str| {
            bytes.push_str(&format!("{name}: {value}\r\n"));
        };
        let said = |name| wire::header(&self.headers, name).is_some();
        if !said("host") {
            line("Host", host);
        }
        for (name, value) in &self.headers {
            line(name, value);
        }
        let has_body = !self.body.is_empty() || matches!(self.method.as_str(), "POST" | "PUT" | "PATCH");
        match self.sending {
            Sending::WithLength if has_body && !said("content-length") => {
                line("Content-Length", &self.body.len().to_string());
            }
            Sending::Chunked(_) => line("Transfer-Encoding", "chunked"),
            Sending::WithLength => {}
        }
        bytes.push_str("\r\n");
        let mut bytes = bytes.into_bytes();
        match self.sending {
            Sending::WithLength => bytes.extend_from_slice(&self.body),
            Sending::Chunked(size) => bytes.extend(wire::chunked(&self.body, size)),
        }
        bytes
    }
}

/// An answer, read to its end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Response {
    /// The status code.
    pub status: u16,
    /// Headers in the order they came.
    pub headers: Vec<(String, String)>,
    /// The body, out of its chunks.
    pub body: Vec<u8>,
}

impl Response {
    /// The value of the first header of that name, in whatever case.
    pub fn header(&self, name: &str) -> Option<&str> {
        wire::header(&self.headers, name)
    }

    /// The body as text; bytes that are not UTF-8 are replaced.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// The body as JSON.
    ///
    /// # Errors
    /// When it is none; the error quotes it.
    pub fn json(&self) -> Result<serde_json::Value> {
        serde_json::from_slice(&self.body).with_context(|| format!("no JSON in the answer {}", self.text()))
    }
}

/// A connection to one server, which is kept for further requests.
#[derive(Debug)]
pub struct Connection {
    stream: BufReader<TcpStream>,
    host: String,
    reusable: bool,
}

impl Connection {
    /// Connects to `host`, such as `127.0.0.1:8080`. `timeout` bounds connecting, and each read and write.
    ///
    /// # Errors
    /// When nobody listens there.
    pub fn open(host: &str, timeout: Duration) -> Result<Self> {
        let address = host.to_socket_addrs().ok().and_then(|mut addresses| addresses.next());
        let address = address.with_context(|| format!("{host:?} is no address such as 127.0.0.1:8080"))?;
        let stream =
            TcpStream::connect_timeout(&address, timeout).with_context(|| format!("cannot connect to {host}"))?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(timeout))?;
        stream.set_write_timeout(Some(timeout))?;
        Ok(Self {
            stream: BufReader::new(stream),
            host: host.to_owned(),
            reusable: true,
        })
    }

    /// Sends the request and reads the answer.
    ///
    /// # Errors
    /// When the connection breaks, or the answer does not come in time or is no HTTP/1.1.
    pub fn send(&mut self, request: &Request) -> Result<Response> {
        let sent = self.send_raw(&request.to_bytes(&self.host));
        // A server may answer, say 413, and hang up before it has read everything: its answer counts then.
        match (sent, self.receive(&request.method)) {
            (_, Ok(response)) => Ok(response),
            (Ok(()), Err(error)) | (Err(error), Err(_)) => Err(error),
        }
    }

    /// Sends bytes as they are: half a request, an odd one, one byte now and then.
    ///
    /// # Errors
    /// When the connection breaks.
    pub fn send_raw(&mut self, bytes: &[u8]) -> Result<()> {
        self.stream
            .get_mut()
            .write_all(bytes)
            .with_context(|| format!("cannot send to {}", self.host))
    }

    /// Reads one answer to a request of that method.
    ///
    /// # Errors
    /// When it does not come in time or is no HTTP/1.1.
    pub fn receive(&mut self, method: &str) -> Result<Response> {
        let response = self
            .read_response(method)
            .with_context(|| format!("no answer from {}", self.host));
        self.reusable &= response.as_ref().is_ok_and(|response| {
            !response
                .header("connection")
                .is_some_and(|v| v.eq_ignore_ascii_case("close"))
        });
        response
    }

    /// Says that nothing more will be sent, as a client does that hangs up in the middle; answers can still be read.
    pub fn finish_sending(&self) {
        // A connection that is gone already is finished as well.
        let _ = self.stream.get_ref().shutdown(Shutdown::Write);
    }

    /// Whether another request can be sent, as far as is known: the server may hang up at any time.
    pub fn is_reusable(&self) -> bool {
        self.reusable
    }

    fn read_response(&mut self, method: &str) -> Result<Response> {
        let (response, framing) = read_response(&mut self.stream, method)?;
        self.reusable &= framing != Framing::UntilClose;
        Ok(response)
    }
}

/// Reads one answer to a request of that method, and says how its end was found.
pub(crate) fn read_response(stream: &mut impl BufRead, method: &str) -> Result<(Response, Framing)> {
    loop {
        let head = wire::read_head(stream)?.context("the server hung up without an answer")?;
        let status = status_of(&head)?;
        if status == 100 {
            continue;
        }
        let framing = if method == "HEAD" || matches!(status, 101 | 204 | 304) {
            Framing::Length(0)
        } else {
            Framing::declared(&head.headers, Framing::UntilClose)?
        };
        let body = wire::read_body(stream, framing)?;
        let headers = head.headers;
        return Ok((Response { status, headers, body }, framing));
    }
}

/// Sends one request to `host` over a connection of its own, with [`TIMEOUT`].
///
/// # Errors
/// As for [`Connection::open`] and [`Connection::send`].
pub fn send(host: &str, request: &Request) -> Result<Response> {
    Connection::open(host, TIMEOUT)?.send(request)
}

/// Gets `url`, which begins with `http://`.
///
/// # Errors
/// As for [`send`], and when the URL is not one of plain HTTP.
pub fn get(url: &str) -> Result<Response> {
    let (host, path) = split_url(url)?;
    send(host, &Request::new("GET", path))
}

/// Posts `body` to `url`, which begins with `http://`.
///
/// # Errors
/// As for [`get`].
pub fn post(url: &str, headers: &[(&str, &str)], body: &[u8]) -> Result<Response> {
    let (host, path) = split_url(url)?;
    let request = Request::new("POST", path).body(body);
    send(
        host,
        &headers
            .iter()
            .fold(request, |request, (name, value)| request.header(name, *value)),
    )
}

/// `http://host:port/path?query` → (`host:port`, `/path?query`).
///
/// # Errors
/// When the URL does not begin with `http://`.
pub fn split_url(url: &str) -> Result<(&str, &str)> {
    let rest = url
        .strip_prefix("http://")
        .ok_or_else(|| anyhow!("{url:?} does not begin with http://"))?;
    Ok(rest.find('/').map_or((rest, "/"), |slash| rest.split_at(slash)))
}

pub(crate) fn status_of(head: &Head) -> Result<u16> {
    let mut words = head.start_line.split(' ');
    match (words.next(), words.next().map(str::parse)) {
        (Some(version), Some(Ok(status))) if version.starts_with("HTTP/1.") => Ok(status),
        _ => bail!("{:?} is no status line", head.start_line),
    }
}

#[cfg(test)]
mod tests;
