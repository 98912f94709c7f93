//! Sends as many requests as a server answers, over connections that are kept. It costs little itself: request bytes are
//! prepared, and a thread waits for the oldest request of its connections, by when the others have their answers as well.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};
use landfall_harness::http::Request;

/// Connections, as many as there are requests in flight.
pub const CONNECTIONS: usize = 64;
const THREADS: usize = 2;
/// What a request holds in place of a number that makes its content differ from all others'.
pub const NUMBER: &str = "100000000000";
/// No answer is longer than this, in bytes.
const ANSWER: usize = 2048;

/// Requests that differ in one number.
pub struct Template {
    bytes: Vec<u8>,
    number: usize,
}

impl Template {
    /// A request to `host` that holds [`NUMBER`] once.
    pub fn new(host: &str, request: &Request) -> Result<Self> {
        let bytes = request.to_bytes(host);
        let position = bytes
            .windows(NUMBER.len())
            .position(|window| window == NUMBER.as_bytes());
        let number = position.context("the request has no place for a number")?;
        Ok(Self { bytes, number })
    }
}

/// Connections to one server.
pub struct Load<S = TcpStream> {
    connections: Vec<S>,
    /// Numbers given out so far; none is given twice.
    numbers: AtomicU64,
}

/// What came of a window.
pub struct Window {
    /// Requests that were answered with 200 in a second.
    pub rate: f64,
    /// How long each of them took. An answer may have come earlier than it was read, so this is the most that it took.
    pub waits: Vec<Duration>,
}

/// A connection of TCP to a server.
pub fn dial(host: &str) -> Result<TcpStream> {
    let stream = TcpStream::connect(host).with_context(|| format!("cannot connect to {host}"))?;
    stream.set_nodelay(true)?;
    stream.set_read_timeout(Some(Duration::from_secs(20)))?;
    Ok(stream)
}

impl Load {
    /// Opens the connections.
    pub fn connect(host: &str) -> Result<Self> {
        let connections = (0..CONNECTIONS).map(|_| dial(host));
        Ok(Self::over(connections.collect::<Result<_>>()?))
    }
}

impl<S: Read + Write + Send> Load<S> {
    /// Sends over these connections.
    pub fn over(connections: Vec<S>) -> Self {
        Self {
            connections,
            numbers: AtomicU64::new(100_000_000_000),
        }
    }

    /// Sends requests for `window`, and returns how many were answered with 200 in a second.
    pub fn window(&mut self, template: &Template, window: Duration) -> Result<f64> {
        Ok(self.measure(template, window)?.rate)
    }

    /// Sends requests for `window`.
    pub fn measure(&mut self, template: &Template, window: Duration) -> Result<Window> {
        let began = Instant::now();
        let share = self.connections.len().div_ceil(THREADS);
        let numbers = &self.numbers;
        let waits: Result<Vec<Vec<Duration>>> = thread::scope(|scope| {
            let threads: Vec<_> = self
                .connections
                .chunks_mut(share)
                .map(|connections| scope.spawn(move || drive(connections, template, numbers, began + window)))
                .collect();
            let ended = threads.into_iter().map(|thread| match thread.join() {
                Ok(waits) => waits,
                Err(_) => bail!("a thread of the load ended in the middle"),
            });
            ended.collect()
        });
        let waits = waits?.concat();
        #[expect(clippy::cast_precision_loss, reason = "counts are far below 2^52")]
        let rate = waits.len() as f64 / window.as_secs_f64();
        Ok(Window { rate, waits })
    }
}

/// Keeps one request in flight on each connection until `end`. Returns how long those took that were answered by then.
fn drive<S: Read + Write>(
    connections: &mut [S],
    template: &Template,
    numbers: &AtomicU64,
    end: Instant,
) -> Result<Vec<Duration>> {
    let mut request = template.bytes.clone();
    let mut send = |stream: &mut S| -> Result<Instant> {
        let number = numbers.fetch_add(1, Ordering::Relaxed).to_string();
        request[template.number..template.number + NUMBER.len()].copy_from_slice(number.as_bytes());
        let sent = Instant::now();
        stream.write_all(&request)?;
        Ok(sent)
    };
    let mut sent = connections.iter_mut().map(&mut send).collect::<Result<Vec<_>>>()?;
    let mut waits = Vec::new();
    let mut oldest = 0;
    while Instant::now() < end {
        let stream = &mut connections[oldest];
        receive(stream)?;
        waits.push(sent[oldest].elapsed());
        sent[oldest] = send(stream)?;
        oldest = (oldest + 1) % connections.len();
    }
    connections.iter_mut().try_for_each(receive)?;
    Ok(waits)
}

/// Reads an answer, which is to be a 200.
pub fn receive(stream: &mut impl Read) -> Result<()> {
    read(stream, &mut [0; ANSWER]).map(drop)
}

/// Reads an answer as text, head and body, which is to be a 200.
pub fn answer(stream: &mut impl Read) -> Result<String> {
    let mut buffer = [0; ANSWER];
    let length = read(stream, &mut buffer)?;
    Ok(String::from_utf8_lossy(&buffer[..length]).into_owned())
}

/// Fills the buffer with an answer, and returns how long it is.
fn read(stream: &mut impl Read, buffer: &mut [u8; ANSWER]) -> Result<usize> {
    let mut filled = 0;
    loop {
        let read = stream.read(&mut buffer[filled..]).context("no answer")?;
        if read == 0 {
            bail!("the server hung up: {}", String::from_utf8_lossy(&buffer[..filled]));
        }
        filled += read;
        if let Some(whole) = length(&buffer[..filled])
            && filled >= whole
        {
            break;
        }
    }
    if !buffer.starts_with(b"HTTP/1.1 200 ") {
        bail!("the server answered {}", String::from_utf8_lossy(&buffer[..filled]));
    }
    Ok(filled)
}

/// How long an answer is, head and body, once its head is there.
fn length(answer: &[u8]) -> Option<usize> {
    const NAME: &[u8] = b"content-length: ";
    let head = answer.windows(4).position(|four| four == b"\r\n\r\n")? + 4;
    let mut windows = answer[..head].windows(NAME.len());
    let value = windows.position(|window| window.eq_ignore_ascii_case(NAME))? + NAME.len();
    let digits = answer[value..head].iter().take_while(|byte| byte.is_ascii_digit());
    Some(digits.fold(head, |length, digit| length + digit_value(*digit, length, head)))
}

/// What a further digit adds to a length that begins at `head`.
fn digit_value(digit: u8, length: usize, head: usize) -> usize {
    (length - head) * 9 + usize::from(digit - b'0')
}
