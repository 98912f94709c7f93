//! Stands between landfall and a registry: passes requests on, records them, and spoils those it is told to. It must
//! not know what the requests mean.

use std::collections::HashMap;
use std::io::{self, BufReader, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};

use anyhow::{Context, Result};

use crate::access_log::RequestLine;
use crate::http::{Connection, Request, Response, TIMEOUT};
use crate::wire::{self, Framing};

mod rule;

pub(crate) use rule::Outcome;
pub use rule::Rule;

/// A proxy on a free port of 127.0.0.1. Dropping it ends it and hangs up on everyone.
#[derive(Debug)]
pub struct CountingProxy {
    address: SocketAddr,
    state: Arc<State>,
    accepting: Option<JoinHandle<()>>,
}

#[derive(Debug)]
struct State {
    upstream: String,
    ending: AtomicBool,
    requests: Mutex<Vec<RequestLine>>,
    rules: Mutex<Vec<Rule>>,
    /// Open connections by number, so that the end of the proxy can hang up on them.
    clients: Mutex<HashMap<u64, TcpStream>>,
    connections: AtomicU64,
    in_flight: AtomicUsize,
    peak: AtomicUsize,
}

impl CountingProxy {
    /// Starts a proxy in front of `upstream`, such as `127.0.0.1:5000`, which need not answer yet.
    ///
    /// # Errors
    /// When no port is free.
    pub fn start(upstream: impl Into<String>) -> Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").context("the proxy found no free port")?;
        let address = listener.local_addr().context("a listener without an address")?;
        let state = Arc::new(State {
            upstream: upstream.into(),
            ending: AtomicBool::new(false),
            requests: Mutex::default(),
            rules: Mutex::default(),
            clients: Mutex::default(),
            connections: AtomicU64::new(0),
            in_flight: AtomicUsize::new(0),
            peak: AtomicUsize::new(0),
        });
        let accepting = thread::spawn({
            let state = Arc::clone(&state);
            move || state.accept(&listener)
        });
        Ok(Self {
            address,
            state,
            accepting: Some(accepting),
        })
    }

    /// `127.0.0.1:PORT`, as in image names.
    pub fn host(&self) -> String {
        self.address.to_string()
    }

    /// `http://127.0.0.1:PORT`.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Adds a rule after those there are. The first that fits a request and is not used up applies to it, alone.
    pub fn rule(&self, rule: Rule) {
        lock(&self.state.rules).push(rule);
    }

    /// Removes all rules.
    pub fn clear_rules(&self) {
        lock(&self.state.rules).clear();
    }

    /// The requests that were answered since the last call, in the order of the answers. A client that has its answer
    /// finds its request here.
    pub fn take_requests(&self) -> Vec<RequestLine> {
        std::mem::take(&mut *lock(&self.state.requests))
    }

    /// How many connections were opened to the proxy so far.
    pub fn connections(&self) -> u64 {
        self.state.connections.load(Ordering::SeqCst)
    }

    /// The highest number of requests that were in flight at once since the last call.
    pub fn take_peak_in_flight(&self) -> usize {
        self.state
            .peak
            .swap(self.state.in_flight.load(Ordering::SeqCst), Ordering::SeqCst)
    }
}

impl Drop for CountingProxy {
    fn drop(&mut self) {
        self.state.ending.store(true, Ordering::SeqCst);
        // Wakes the accepting thread, which then sees that it is to end.
        let _ = TcpStream::connect(self.address);
        if let Some(accepting) = self.accepting.take() {
            let _ = accepting.join();
        }
        for client in lock(&self.state.clients).values() {
            let _ = client.shutdown(Shutdown::Both);
        }
    }
}

impl State {
    fn accept(self: &Arc<Self>, listener: &TcpListener) {
        for client in listener.incoming() {
            if self.ending.load(Ordering::SeqCst) {
                return;
            }
            let Ok(client) = client else { continue };
            let number = self.connections.fetch_add(1, Ordering::SeqCst);
            let Ok(clone) = client.try_clone() else { continue };
            lock(&self.clients).insert(number, clone);
            let state = Arc::clone(self);
            thread::spawn(move || {
                // A client that hangs up, or sends no HTTP, is no concern of the proxy's.
                let _ = state.serve(client);
                if let Some(client) = lock(&state.clients).remove(&number) {
                    let _ = client.shutdown(Shutdown::Both);
                }
            });
        }
    }

    /// Serves one connection until either side hangs up.
    fn serve(&self, client: TcpStream) -> io::Result<()> {
        client.set_nodelay(true)?;
        let mut client = BufReader::new(client);
        let mut upstream = None;
        while let Some(head) = wire::read_head(&mut client)? {
            let body = wire::read_body(&mut client, Framing::declared(&head.headers, Framing::Length(0))?)?;
            let mut words = head.start_line.split(' ');
            let (method, path) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
            let request = Request {
                headers: end_to_end(&head.headers),
                ..Request::new(method, path).body(body)
            };
            let answer = self.in_flight(|| self.answer(&request, &mut upstream));
            self.record(&request, answer.as_ref().map_or(0, |response| response.status));
            let Some(answer) = answer else { return Ok(()) };
            client.get_mut().write_all(&response_bytes(method, &answer))?;
        }
        Ok(())
    }

    /// What the rules or else upstream answer; `None` to hang up.
    fn answer(&self, request: &Request, upstream: &mut Option<Connection>) -> Option<Response> {
        // The lock must not be held through a delay, which is for one request only.
        let applied = lock(&self.rules)
            .iter_mut()
            .find_map(|rule| rule.apply(&request.method, &request.path));
        let (delay, outcome) = applied.unwrap_or_default();
        thread::sleep(delay);
        match outcome {
            Outcome::Forward => Some(self.forward(request, upstream)),
            Outcome::Answer(response) => Some(response),
            Outcome::HangUp => None,
        }
    }

    /// What upstream answers; 502 if it does not.
    fn forward(&self, request: &Request, upstream: &mut Option<Connection>) -> Response {
        if let Some(mut kept) = upstream.take().filter(Connection::is_reusable)
            && let Ok(response) = kept.send(request)
        {
            *upstream = Some(kept);
            return response;
        }
        let fresh = Connection::open(&self.upstream, TIMEOUT).and_then(|mut fresh| {
            let response = fresh.send(request)?;
            *upstream = Some(fresh);
            Ok(response)
        });
        fresh.unwrap_or_else(|error| {
            let body = format!("{error:#}\n").into_bytes();
            Response {
                status: 502,
                headers: Vec::new(),
                body,
            }
        })
    }

    fn in_flight<T>(&self, work: impl FnOnce() -> T) -> T {
        let now = self.in_flight.fetch_add(1, Ordering::SeqCst) + 1;
        self.peak.fetch_max(now, Ordering::SeqCst);
        let done = work();
        self.in_flight.fetch_sub(1, Ordering::SeqCst);
        done
    }

    fn record(&self, request: &Request, status: u16) {
        let user_agent = wire::header(&request.headers, "user-agent")
            .unwrap_or_default()
            .to_owned();
        let (method, path) = (request.method.clone(), request.path.clone());
        lock(&self.requests).push(RequestLine {
            method,
            path,
            status,
            user_agent,
        });
    }
}

/// The headers without those that are about one connection; the body's length is said anew.
pub(crate) fn end_to_end(headers: &[(String, String)]) -> Vec<(String, String)> {
    const OF_ONE_CONNECTION: [&str; 4] = ["connection", "keep-alive", "transfer-encoding", "content-length"];
    let passes = |name: &str| !OF_ONE_CONNECTION.iter().any(|other| name.eq_ignore_ascii_case(other));
    headers.iter().filter(|(name, _)| passes(name)).cloned().collect()
}

pub(crate) fn response_bytes(method: &str, response: &Response) -> Vec<u8> {
    let mut head = format!("HTTP/1.1 {} {}\r\n", response.status, reason(response.status));
    for (name, value) in end_to_end(&response.headers) {
        head.push_str(&format!("{name}: {value}\r\n"));
    }
    // The answer to HEAD says the length of a body that does not come.
    let length = match method {
        "HEAD" => response.header("content-length").map(str::to_owned),
        _ if matches!(response.status, 204 | 304) => None,
        _ => Some(response.body.len().to_string()),
    };
    if let Some(length) = length {
        head.push_str(&format!("Content-Length: {length}\r\n"));
    }
    head.push_str("\r\n");
    let mut bytes = head.into_bytes();
    if method != "HEAD" {
        bytes.extend_from_slice(&response.body);
    }
    bytes
}

/// What clients show beside the codes that a registry or a rule gives; the rest need no words.
fn reason(status: u16) -> &'static str {
    match status {
        200 => "OK",
        401 => "Unauthorized",
        404 => "Not Found",
        409 => "Conflict",
        410 => "Gone",
        429 => "Too Many Requests",
        500 => "Internal Server Error",
        502 => "Bad Gateway",
        503 => "Service Unavailable",
        _ => "Other",
    }
}

/// What a thread that panicked left behind is still a list.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests;
