//! Decides whether a request was sent by whom it claims: the only way from bytes to a delivery. It must not know sockets.

use crate::receiver::host::authority;
use crate::receiver::{Receiver, ReceiverName, Sender};
use crate::secret::SecretAge;

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
    secret: Option<SecretAge>,
    headers: Vec<(String, String)>,
    registry: Option<String>,
    virtual_repository: Option<String>,
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
    pub(crate) fn proved(receiver: &Receiver, secret: Option<SecretAge>, request: Unverified) -> Self {
        // Of the query, which may hold the secret, nothing else is taken along; and of this, neither user nor path.
        let registry = request.parameter("registry_url").map(authority);
        let registry = registry.filter(|host| !host.is_empty()).map(str::to_owned);
        Self {
            receiver: receiver.name().clone(),
            sender: receiver.sender(),
            entrance: receiver.entrance(),
            secret,
            registry,
            virtual_repository: receiver.virtual_repository().map(str::to_owned),
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

    /// Which secret its sender has shown, be it by the path alone; none where none is asked for. Where the path and the proof
    /// are of different age, it is the previous one.
    pub fn secret(&self) -> Option<SecretAge> {
        self.secret
    }

    /// The host of the registry, with its port if need be, where whoever configured the sender wrote it into the receiver's
    /// URL as `registry_url`. It stands above whatever the sender itself says.
    pub fn registry(&self) -> Option<&str> {
        self.registry.as_deref()
    }

    /// The name that the receiver has for the repository key of Artifactory's payloads, where it has one.
    pub fn virtual_repository(&self) -> Option<&str> {
        self.virtual_repository.as_deref()
    }

    /// The first value of a header that is fit to be kept, empty where there is none; `name` in lower case.
    pub fn header(&self, name: &str) -> &str {
        let kept = |given: &str| given == name && KEPT_HEADERS.contains(&given);
        let value = self.headers.iter().find(|(given, _)| kept(given));
        value.map(|(_, value)| value.as_str()).unwrap_or_default()
    }

    /// Headers fit to be kept and shown: a value that could be a secret is replaced.
    pub fn headers(&self) -> &[(String, String)] {
        &self.headers
    }

    /// The body, byte for byte.
    pub fn body(&self) -> &[u8] {
        &self.body
    }

    /// What the journal keeps of it, for whoever needs it no more.
    pub fn into_kept(self) -> Kept {
        let Self {
            receiver,
            headers,
            body,
            ..
        } = self;
        Kept {
            receiver,
            headers,
            body,
        }
    }
}

/// What of a delivery is kept as it came.
#[derive(Debug)]
pub struct Kept {
    /// The receiver that took it.
    pub receiver: ReceiverName,
    /// Headers fit to be kept and shown.
    pub headers: Vec<(String, String)>,
    /// The body, byte for byte.
    pub body: Vec<u8>,
}

/// Headers that carry no secret with any sender. A list of what may be kept rather than of what may not: a header that
/// nobody thought of stays out.
const KEPT_HEADERS: [&str; 28] = [
    "accept",
    "accept-encoding",
    "aeg-event-type",
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
    "idempotency-key",
    "transfer-encoding",
    "user-agent",
    "x-event-key",
    "x-forgejo-delivery",
    "x-forgejo-event",
    "x-gitea-delivery",
    "x-gitea-event",
    "x-github-delivery",
    "x-github-enterprise-host",
    "x-github-event",
    "x-gitlab-event",
    "x-registry-type",
    "x-request-id",
    "x-request-uuid",
];

fn presentable((name, value): (String, Vec<u8>)) -> (String, String) {
    let kept = KEPT_HEADERS.contains(&name.as_str());
    let value = if kept {
        String::from_utf8(value).unwrap_or_else(|broken| String::from_utf8_lossy(broken.as_bytes()).into_owned())
    } else {
        "[removed]".to_owned()
    };
    (name, value)
}
