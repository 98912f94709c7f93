//! One watch: events that are passed on whole, so that it can be ended between two of them. It must not know what they say.

use std::io::{self, BufRead, Write};
use std::net::{Shutdown, TcpStream};
use std::sync::Mutex;

use crate::counting_proxy::lock;
use crate::wire;

/// What precedes the events.
pub(super) const HEAD: &[u8] =
    b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n";

/// The chunk that ends a body.
const END: &[u8] = b"0\r\n\r\n";

/// A watch that is going on.
#[derive(Debug)]
pub(super) struct Watch {
    /// Who watches; `None` when he has been told that it is over.
    client: Mutex<Option<TcpStream>>,
    upstream: TcpStream,
}

impl Watch {
    pub(super) fn new(client: TcpStream, upstream: TcpStream) -> Self {
        let client = Mutex::new(Some(client));
        Self { client, upstream }
    }

    /// Passes on each event, which is a line, until there are no more.
    pub(super) fn pass(&self, upstream: &mut impl BufRead) -> io::Result<()> {
        let mut waiting = Vec::new();
        // An API server that is gone in the midst of a chunk has ended the watch as well.
        while wire::read_chunk(upstream, &mut waiting).unwrap_or(false) {
            let Some(end) = waiting.iter().rposition(|byte| *byte == b'\n') else {
                continue;
            };
            let rest = waiting.split_off(end + 1);
            if !self.send(&std::mem::replace(&mut waiting, rest))? {
                return Ok(());
            }
        }
        self.finish(None)
    }

    /// Ends it, after one event more.
    pub(super) fn end(&self, last: Option<&[u8]>) {
        // Who has hung up need not be told.
        let _ = self.finish(last);
        let _ = self.upstream.shutdown(Shutdown::Both);
    }

    /// Sends events; false where it is over already.
    fn send(&self, events: &[u8]) -> io::Result<bool> {
        let mut client = lock(&self.client);
        let Some(client) = client.as_mut() else {
            return Ok(false);
        };
        client.write_all(&chunk(events))?;
        Ok(true)
    }

    fn finish(&self, last: Option<&[u8]>) -> io::Result<()> {
        let Some(mut client) = lock(&self.client).take() else {
            return Ok(());
        };
        client.write_all(&[last.map(chunk).unwrap_or_default().as_slice(), END].concat())
    }
}

fn chunk(bytes: &[u8]) -> Vec<u8> {
    [format!("{:x}\r\n", bytes.len()).as_bytes(), bytes, b"\r\n"].concat()
}
