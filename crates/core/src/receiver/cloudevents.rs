//! Reads CloudEvents over HTTP, one by one in structured and in binary mode, and in batches; what they carry decides which
//! file reads it.
//! Shape: <https://github.com/cloudevents/spec/blob/main/cloudevents/bindings/http-protocol-binding.md>.

mod attributes;
mod generic;
mod zot;

pub(super) use attributes::Attributes;

use super::payload::{Object, Value, items, parse, parse_any};
use super::push::{Part, gathered};
use super::{Contents, Malformed, azure, harbor, insist_on_content_type};
use crate::delivery::Delivery;

/// Content types that are understood as an event, or a list of them, as a whole.
const STRUCTURED: [&str; 2] = ["application/json", "application/cloudevents"];

/// The content type decides about the mode, as the specification says; plain JSON without the headers of the binary mode is
/// taken for the structured one, as with Image Updater.
pub(super) fn read(delivery: &Delivery) -> Result<Contents, Malformed> {
    let content_type = delivery.header("content-type").to_ascii_lowercase();
    let is_structured = content_type.contains("application/cloudevents");
    let is_binary = ["ce-specversion", "ce-type", "ce-id"]
        .iter()
        .any(|name| !delivery.header(name).is_empty());
    if is_binary && !is_structured {
        return binary(delivery);
    }
    insist_on_content_type(delivery, &STRUCTURED)?;
    match parse_any(delivery.body())? {
        Value::Array(list) if list.is_empty() => Ok(Contents::nothing("the batch holds no events")),
        Value::Array(list) => gathered(items(&list).flat_map(|event| {
            let parts = event.and_then(|event| structured(delivery, &event));
            // Each stands for itself: the others are not sent again.
            parts.unwrap_or_else(|malformed| vec![Part::Unusable(malformed.to_string())])
        })),
        single => gathered(structured(delivery, &Object::root(&single)?)?),
    }
}

/// The attributes are headers, and the body is the data.
fn binary(delivery: &Delivery) -> Result<Contents, Malformed> {
    let attributes = Attributes::of_headers(delivery)?;
    let data = parse(delivery.body())?;
    gathered(parts(delivery, &attributes, &Object::root(&data)?)?)
}

/// The attributes are fields, and one of them is the data.
fn structured(delivery: &Delivery, event: &Object<'_>) -> Result<Vec<Part>, Malformed> {
    let attributes = Attributes::of_fields(event)?;
    let data = event.object("data")?.unwrap_or_else(Object::empty);
    parts(delivery, &attributes, &data)
}

fn parts(delivery: &Delivery, event: &Attributes<'_>, data: &Object<'_>) -> Result<Vec<Part>, Malformed> {
    if event.kind.starts_with("harbor.") {
        return harbor::cloud_event(delivery, event, data);
    }
    let part = if event.kind.starts_with("Microsoft.ContainerRegistry.") {
        azure::cloud_event(delivery, event, data)?
    } else if zot::is_sender_of(event, data) {
        zot::part(delivery, event, data)?
    } else if generic::is_push(event) {
        generic::part(delivery, event, data)?
    } else {
        Part::NotOurs(event.unsupported())
    };
    Ok(vec![part])
}
