//! Decides whether a request was sent by whom it claims: the only way from bytes to a delivery. It must not know sockets.

use crate::receiver::{Receiver, ReceiverName, Sender};

/// What a request brought before anyone vouched for it.
#[derive(Clone)]
pub struct Unverified {
    /// Header names in lower case, each with its value.
    pub headers: Vec<(String, Vec<u8>)>,
    /// Parameters of the query, decoded, in order.
    pub query: Vec<(String, String)>,
    /// The body, within the door's limit.
    pub body: Vec<u8>,
}

impl Unverified {
    /// The first value of a header; `name` in lower case.
    pub fn header(&self, name: &str) -> Option<&[u8]> {
        self.headers
            .iter()
            .find(|(given, _)| given == name)
            .map(|(_, value)| value.as_slice())
    }

    /// The first value of a query parameter.
    pub fn parameter(&self, name: &str) -> Option<&str> {
        self.query
            .iter()
            .find(|(given, _)| given == name)
            .map(|(_, value)| value.as_str())
    }
}

/// The request did not prove that it comes from the receiver's sender. It says no more on purpose: whoever guesses
/// learns nothing from the answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rejected;

/// A message whose sender has proved itself. It can be made by [`Receiver::authenticate`] alone.
#[derive(Clone, Debug)]
pub struct Delivery {
    receiver: ReceiverName,
    sender: Sender,
    entrance: Entrance,
    headers: Vec<(String, String)>,
    body: Vec<u8>,
}

/// Which of the two doors a delivery came through; the peers differ in what they insist on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Entrance {
    /// `<base path>/<receiver type>/<hash>`, Kargo's way.
    Path,
    /// `/webhook?type=…`, Image Updater's way.
    Type,
}

impl Delivery {
    pub(crate) fn proved(receiver: &Receiver, request: Unverified) -> Self {
        Self {
            receiver: receiver.name().clone(),
            sender: receiver.sender(),
            entrance: receiver.entrance(),
            headers: request.headers.into_iter().map(presentable).collect(),
            body: request.body,
        }
    }

    /// The receiver that took it.
    pub fn receiver(&self) -> &ReceiverName {
        &self.receiver
    }

    /// Who sent it.
    pub fn sender(&self) -> Sender {
        self.sender
    }

    /// The door it came through.
    pub fn entrance(&self) -> Entrance {
        self.entrance
    }

    /// Headers fit to be kept and shown: a value that could be a secret is replaced.
    pub fn headers(&self) -> &[(String, String)] {
        &self.headers
    }

    /// The body, byte for byte.
    pub fn body(&self) -> &[u8] {
        &self.body
    }
}

/// Headers that carry no secret with any sender. A list of what may be kept rather than of what may not: a header that
/// nobody thought of stays out.
const KEPT_HEADERS: [&str; 18] = [
    "accept",
    "accept-encoding",
    "ce-id",
    "ce-source",
    "ce-specversion",
    "ce-subject",
    "ce-time",
    "ce-type",
    "content-length",
    "content-type",
    "date",
    "host",
    "transfer-encoding",
    "user-agent",
    "x-event-key",
    "x-github-delivery",
    "x-github-event",
    "x-registry-type",
];

fn presentable((name, value): (String, Vec<u8>)) -> (String, String) {
    let kept = KEPT_HEADERS.contains(&name.as_str());
    let value = if kept {
        String::from_utf8_lossy(&value).into_owned()
    } else {
        "[removed]".to_owned()
    };
    (name, value)
}
