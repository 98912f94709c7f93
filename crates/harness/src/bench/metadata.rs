//! Reads what a watch of metadata sends in the API server's binary form: which object changed, and its annotations. What else there is in
//! it, nobody here wants to know.

use std::collections::HashMap;
use std::io::Read;

use anyhow::{Context as _, Result, bail, ensure};
use prost::Message;

/// What each object begins with.
const MAGIC: &[u8] = b"k8s\0";
/// No object of an etcd is larger by far. In bytes.
const LARGEST: usize = 16 << 20;

/// An object that is new, or another one now, or no more.
#[derive(Debug, PartialEq)]
pub struct Event {
    pub name: String,
    pub version: String,
    pub annotations: HashMap<String, String>,
}

/// The messages of `k8s.io/apimachinery`, as far as they are read here: its `pkg/runtime/generated.proto`.
#[derive(Message)]
struct Unknown {
    #[prost(bytes = "vec", tag = "2")]
    raw: Vec<u8>,
}

/// `pkg/apis/meta/v1/generated.proto`; so are the others.
#[derive(Message)]
struct WatchEvent {
    #[prost(string, tag = "1")]
    kind: String,
    #[prost(message, optional, tag = "2")]
    object: Option<RawExtension>,
}

#[derive(Message)]
struct RawExtension {
    #[prost(bytes = "vec", tag = "1")]
    raw: Vec<u8>,
}

#[derive(Message)]
struct PartialObjectMetadata {
    #[prost(message, optional, tag = "1")]
    metadata: Option<ObjectMeta>,
}

#[derive(Message)]
struct ObjectMeta {
    #[prost(string, tag = "1")]
    name: String,
    #[prost(string, tag = "6")]
    resource_version: String,
    #[prost(map = "string, string", tag = "12")]
    annotations: HashMap<String, String>,
}

/// What comes instead of an object where a watch goes wrong.
#[derive(Message)]
struct Status {
    #[prost(string, tag = "3")]
    message: String,
}

/// The next event; nothing at the end.
pub fn read(stream: &mut impl Read) -> Result<Option<Event>> {
    let mut length = Vec::new();
    stream.by_ref().take(4).read_to_end(&mut length)?;
    if length.is_empty() {
        return Ok(None);
    }
    let length = length.try_into().ok().context("the watch ended within an event")?;
    let length = usize::try_from(u32::from_be_bytes(length))?;
    ensure!(length <= LARGEST, "an event of {length} bytes");
    let mut frame = vec![0; length];
    stream
        .read_exact(&mut frame)
        .context("the watch ended within an event")?;
    event(&frame).map(Some)
}

fn event(frame: &[u8]) -> Result<Event> {
    let WatchEvent { kind, object } = WatchEvent::decode(frame)?;
    let object = object.unwrap_or_default().raw;
    let object = object.strip_prefix(MAGIC).context("an event without an object")?;
    let object = Unknown::decode(object)?.raw;
    if kind == "ERROR" {
        bail!("the watch says: {}", Status::decode(&*object)?.message);
    }
    let metadata = PartialObjectMetadata::decode(&*object)?.metadata;
    let metadata = metadata.context("an event without metadata")?;
    Ok(Event {
        name: metadata.name,
        version: metadata.resource_version,
        annotations: metadata.annotations,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn framed(kind: &str, content: &impl Message) -> Vec<u8> {
        let object = Unknown {
            raw: content.encode_to_vec(),
        };
        let event = WatchEvent {
            kind: kind.to_owned(),
            object: Some(RawExtension {
                raw: [MAGIC, &object.encode_to_vec()].concat(),
            }),
        };
        let event = event.encode_to_vec();
        let length = u32::try_from(event.len()).unwrap();
        [&length.to_be_bytes()[..], &event].concat()
    }

    fn warehouse() -> PartialObjectMetadata {
        PartialObjectMetadata {
            metadata: Some(ObjectMeta {
                name: "w-00001".to_owned(),
                resource_version: "7".to_owned(),
                annotations: HashMap::from([("kargo.akuity.io/refresh".to_owned(), "now".to_owned())]),
            }),
        }
    }

    #[test]
    fn events_are_read_one_after_the_other() {
        let stream = framed("MODIFIED", &warehouse()).repeat(2);
        let mut stream = &*stream;
        for _ in 0..2 {
            let event = read(&mut stream).unwrap().unwrap();
            assert_eq!((&*event.name, &*event.version), ("w-00001", "7"));
            assert_eq!(event.annotations["kargo.akuity.io/refresh"], "now");
        }
        assert_eq!(read(&mut stream).unwrap(), None);
    }

    #[test]
    fn an_error_of_the_watch_is_told() {
        let status = Status {
            message: "too old resource version".to_owned(),
        };
        let error = read(&mut &*framed("ERROR", &status)).unwrap_err();
        assert_eq!(error.to_string(), "the watch says: too old resource version");
    }

    #[test]
    fn an_event_that_ends_early_is_an_error() {
        let stream = framed("MODIFIED", &warehouse());
        for end in [2, 4, stream.len() - 1] {
            assert!(read(&mut &stream[..end]).is_err(), "{end}");
        }
    }
}
