//! Reads the metadata of objects in the API server's binary form, which costs it less than JSON: most of them is who has
//! changed which field, and that is copied there instead of written anew. What comes is handed on as the JSON that the client library
//! reads, with what is read here and no more.

use std::collections::BTreeMap;
use std::io;

use bytes::Bytes;
use futures_util::{Stream, StreamExt as _, TryStreamExt as _};
use http::header::{CONTENT_LENGTH, CONTENT_TYPE};
use http::{HeaderValue, Response};
use http_body::Frame;
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt as _, Full, StreamBody};
use kube::client::Body;
use prost::Message;
use serde::Serialize;
use tokio_util::codec::{FramedRead, LengthDelimitedCodec};
use tokio_util::io::StreamReader;
use tower::BoxError;

/// How one asks for the metadata of an object alone. What has no binary form, the API server sends as JSON.
pub(super) const METADATA: &str = "application/vnd.kubernetes.protobuf;as=PartialObjectMetadata;g=meta.k8s.io;v=v1, \
                                   application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1";
const BINARY: &str = "application/vnd.kubernetes.protobuf";
const JSON: &str = "application/json";
/// What each object begins with. What a watch frames does not.
const MAGIC: &[u8] = b"k8s\0";
const METADATA_KIND: &str = "PartialObjectMetadata";
/// No object of an etcd is larger by far. In bytes.
const LARGEST: usize = 16 << 20;

/// A body of JSON.
pub(super) type Json = UnsyncBoxBody<Bytes, BoxError>;

/// Something that is no such message.
#[derive(Debug, thiserror::Error)]
pub(super) enum Malformed {
    #[error("what the API server sends does not begin as its binary form does")]
    Magic,
    #[error("the API server sends something else than metadata: {0}")]
    Kind(String),
    #[error("what the API server sends cannot be read: {0}")]
    Message(#[from] prost::DecodeError),
    #[error("what the API server sends cannot be handed on: {0}")]
    Json(#[from] serde_json::Error),
}

/// Around every object: `k8s.io/apimachinery/pkg/runtime/generated.proto`, as far as it is read here.
#[derive(Clone, PartialEq, Message)]
struct Unknown {
    #[prost(message, optional, tag = "1")]
    type_meta: Option<TypeMeta>,
    #[prost(bytes = "bytes", tag = "2")]
    raw: Bytes,
}

#[derive(Clone, PartialEq, Message)]
struct TypeMeta {
    #[prost(string, tag = "2")]
    kind: String,
}

/// `k8s.io/apimachinery/pkg/apis/meta/v1/generated.proto`, as far as it is read here; so are the others.
#[derive(Clone, PartialEq, Message)]
struct WatchEvent {
    #[prost(string, tag = "1")]
    kind: String,
    #[prost(message, optional, tag = "2")]
    object: Option<RawExtension>,
}

#[derive(Clone, PartialEq, Message)]
struct RawExtension {
    #[prost(bytes = "bytes", tag = "1")]
    raw: Bytes,
}

#[derive(Clone, PartialEq, Message, Serialize)]
struct PartialObjectMetadata {
    #[prost(message, optional, tag = "1")]
    metadata: Option<ObjectMeta>,
}

/// What an object does not have comes empty, or as 0.
#[derive(Clone, PartialEq, Message, Serialize)]
#[serde(rename_all = "camelCase")]
struct ObjectMeta {
    #[prost(string, tag = "1")]
    #[serde(skip_serializing_if = "String::is_empty")]
    name: String,
    #[prost(string, tag = "3")]
    #[serde(skip_serializing_if = "String::is_empty")]
    namespace: String,
    #[prost(string, tag = "5")]
    #[serde(skip_serializing_if = "String::is_empty")]
    uid: String,
    #[prost(string, tag = "6")]
    #[serde(skip_serializing_if = "String::is_empty")]
    resource_version: String,
    #[prost(int64, tag = "7")]
    #[serde(skip_serializing_if = "is_absent")]
    generation: i64,
    #[prost(btree_map = "string, string", tag = "11")]
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    labels: BTreeMap<String, String>,
    #[prost(btree_map = "string, string", tag = "12")]
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    annotations: BTreeMap<String, String>,
}

/// A refusal.
#[derive(Clone, PartialEq, Message, Serialize)]
struct Status {
    #[prost(string, tag = "2")]
    #[serde(skip_serializing_if = "String::is_empty")]
    status: String,
    #[prost(string, tag = "3")]
    message: String,
    #[prost(string, tag = "4")]
    reason: String,
    #[prost(int32, tag = "6")]
    code: i32,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde hands it over so")]
fn is_absent(number: &i64) -> bool {
    *number == 0
}

#[derive(Serialize)]
struct Event {
    #[serde(rename = "type")]
    kind: String,
    object: Object,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Object {
    kind: &'static str,
    api_version: &'static str,
    #[serde(flatten)]
    content: Content,
}

#[derive(Serialize)]
#[serde(untagged)]
enum Content {
    Metadata(PartialObjectMetadata),
    Status(Status),
}

/// As little of an object's metadata as tells which it is.
#[derive(Clone, PartialEq, Message)]
struct Named {
    #[prost(message, optional, tag = "1")]
    metadata: Option<Name>,
}

#[derive(Clone, PartialEq, Message)]
struct Name {
    #[prost(string, tag = "1")]
    name: String,
}

/// Whether an answer came in the binary form.
pub(super) fn is_binary(answer: &Response<Body>) -> bool {
    content_type(answer).starts_with(BINARY)
}

/// The name of the object whose metadata these are, in the binary form.
pub(super) fn named(bytes: Bytes) -> Result<String, Malformed> {
    let (kind, raw) = unwrapped(bytes)?;
    match kind.as_str() {
        METADATA_KIND => Ok(Named::decode(raw)?.metadata.unwrap_or_default().name),
        _ => Err(Malformed::Kind(kind)),
    }
}

fn content_type(answer: &Response<Body>) -> &str {
    let content_type = answer.headers().get(CONTENT_TYPE);
    content_type.and_then(|value| value.to_str().ok()).unwrap_or_default()
}

/// An answer with a body of JSON, whichever of the two it came in: an object, or the events of a watch, one on each line.
pub(super) async fn as_json(answer: Response<Body>) -> kube::Result<Response<Json>> {
    if !is_binary(&answer) {
        return Ok(answer.map(|body| Json::new(body.map_err(BoxError::from))));
    }
    let is_watch = content_type(&answer).contains("stream=watch");
    let (mut head, body) = answer.into_parts();
    head.headers.insert(CONTENT_TYPE, HeaderValue::from_static(JSON));
    head.headers.remove(CONTENT_LENGTH);
    let body = match is_watch {
        true => Json::new(StreamBody::new(
            events(body).map_ok(Frame::data).map_err(BoxError::from),
        )),
        false => {
            let bytes = body.collect().await?.to_bytes();
            let json = object(bytes).and_then(|object| Ok(serde_json::to_vec(&object)?));
            let json = Full::from(json.map_err(|error| kube::Error::Service(error.into()))?);
            Json::new(json.map_err(|never| match never {}))
        }
    };
    Ok(Response::from_parts(head, body))
}

/// The lines of a watch. What cannot be read ends it.
fn events(body: Body) -> impl Stream<Item = io::Result<Bytes>> + Send + 'static {
    let frames = LengthDelimitedCodec::builder().max_frame_length(LARGEST).new_codec();
    let bytes = StreamReader::new(body.into_data_stream().map_err(io::Error::other));
    FramedRead::new(bytes, frames).map(|frame| {
        let line = line(frame?.freeze()).map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error));
        line.map(Bytes::from)
    })
}

fn line(frame: Bytes) -> Result<Vec<u8>, Malformed> {
    let event = WatchEvent::decode(frame)?;
    let object = object(event.object.unwrap_or_default().raw)?;
    let mut line = serde_json::to_vec(&Event {
        kind: event.kind,
        object,
    })?;
    line.push(b'\n');
    Ok(line)
}

fn object(bytes: Bytes) -> Result<Object, Malformed> {
    let (kind, raw) = unwrapped(bytes)?;
    let (kind, api_version, content) = match kind.as_str() {
        METADATA_KIND => (
            METADATA_KIND,
            "meta.k8s.io/v1",
            Content::Metadata(PartialObjectMetadata::decode(raw)?),
        ),
        "Status" => ("Status", "v1", Content::Status(Status::decode(raw)?)),
        _ => return Err(Malformed::Kind(kind)),
    };
    Ok(Object {
        kind,
        api_version,
        content,
    })
}

/// The kind of an object, and the message that it is.
fn unwrapped(bytes: Bytes) -> Result<(String, Bytes), Malformed> {
    if !bytes.starts_with(MAGIC) {
        return Err(Malformed::Magic);
    }
    let Unknown { type_meta, raw } = Unknown::decode(bytes.slice(MAGIC.len()..))?;
    Ok((type_meta.unwrap_or_default().kind, raw))
}

#[cfg(test)]
mod tests;
