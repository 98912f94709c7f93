//! One watch: events that are passed on whole, in the form in which they come, so that it can be ended between two of them. It must not
//! know what they say.

use std::io::{self, BufRead, Write};
use std::net::{Shutdown, TcpStream};
use std::sync::Mutex;

use crate::counting_proxy::lock;
use crate::wire;

/// In which form the events come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Form {
    /// A line of JSON for each.
    Lines,
    /// Protocol Buffers, each after its length in four bytes.
    Frames,
}

impl Form {
    pub(super) fn of(content_type: &str) -> Self {
        match content_type.starts_with("application/vnd.kubernetes.protobuf") {
            true => Self::Frames,
            false => Self::Lines,
        }
    }

    /// What precedes the events.
    pub(super) fn head(self) -> String {
        let content_type = match self {
            Self::Lines => "application/json",
            Self::Frames => "application/vnd.kubernetes.protobuf;stream=watch",
        };
        format!("HTTP/1.1 200 OK\r\nContent-Type: {content_type}\r\nTransfer-Encoding: chunked\r\n\r\n")
    }

    /// How many of these bytes are whole events.
    fn whole(self, bytes: &[u8]) -> usize {
        match self {
            Self::Lines => bytes.iter().rposition(|byte| *byte == b'\n').map_or(0, |end| end + 1),
            Self::Frames => {
                let mut rest = bytes;
                while let Some((length, more)) = rest.split_first_chunk::<4>()
                    && let Some(more) = more.get(u32::from_be_bytes(*length) as usize..)
                {
                    rest = more;
                }
                bytes.len() - rest.len()
            }
        }
    }
}

/// The chunk that ends a body.
const END: &[u8] = b"0\r\n\r\n";

/// A watch that is going on.
#[derive(Debug)]
pub(super) struct Watch {
    form: Form,
    /// Who watches; `None` when he has been told that it is over.
    client: Mutex<Option<TcpStream>>,
    upstream: TcpStream,
}

impl Watch {
    pub(super) fn new(form: Form, client: TcpStream, upstream: TcpStream) -> Self {
        let client = Mutex::new(Some(client));
        Self { form, client, upstream }
    }

    pub(super) fn form(&self) -> Form {
        self.form
    }

    /// Passes on each event until there are no more.
    pub(super) fn pass(&self, upstream: &mut impl BufRead) -> io::Result<()> {
        let mut waiting = Vec::new();
        // An API server that is gone in the midst of a chunk has ended the watch as well.
        while wire::read_chunk(upstream, &mut waiting).unwrap_or(false) {
            let whole = self.form.whole(&waiting);
            if whole == 0 {
                continue;
            }
            let rest = waiting.split_off(whole);
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_are_cut_between_two_of_them() {
        let frames = [0, 0, 0, 1, b'a', 0, 0, 0, 0, 0, 0, 0, 2, b'b'];
        for (form, bytes, expected) in [
            (Form::Lines, &b"{}\n{}\n{"[..], 6),
            (Form::Lines, b"{", 0),
            (Form::Frames, &frames, 9),
            (Form::Frames, &frames[..9], 9),
            (Form::Frames, &frames[..4], 0),
            (Form::Frames, &frames[..2], 0),
        ] {
            assert_eq!(form.whole(bytes), expected, "{form:?} {bytes:?}");
        }
    }
}
