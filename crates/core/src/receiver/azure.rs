//! Reads Azure Container Registry's webhooks, and its events as Event Grid delivers them in a schema of its own or as
//! CloudEvents, which the receiver of CloudEvents reads here too. What Azure DevOps sends is read elsewhere.
//! Shape: <https://learn.microsoft.com/azure/container-registry/container-registry-webhook-reference> and
//! <https://learn.microsoft.com/azure/event-grid/event-schema-container-registry>.

use super::cloudevents::Attributes;
use super::payload::{Object, Value, items, parse_any};
use super::push::{self, NAME_IT, Part, Push, gathered};
use super::{Contents, Malformed, PING, azure_devops, insist_on_content_type};
use crate::delivery::Delivery;

/// Event Grid's name of a push.
const IMAGE_PUSHED: &str = "Microsoft.ContainerRegistry.ImagePushed";

/// A webhook is an object, and what Event Grid sends is a list.
pub(super) fn read(delivery: &Delivery) -> Result<Contents, Malformed> {
    insist_on_content_type(delivery, &["application/json"])?;
    let payload = parse_any(delivery.body())?;
    if let Value::Array(list) = &payload {
        if list.is_empty() {
            return Ok(Contents::nothing("the list holds no events"));
        }
        return gathered(items(list).map(|event| {
            let part = event.and_then(|event| grid_event(delivery, &event));
            // Each stands for itself: the others are not sent again.
            part.unwrap_or_else(|malformed| Part::Unusable(malformed.to_string()))
        }));
    }
    let payload = Object::root(&payload)?;
    if delivery.header("user-agent").starts_with("VSServices") || payload.has("eventType") {
        return azure_devops::read(&payload);
    }
    match payload.text("action")? {
        "" => Err(Malformed::Missing("action")),
        "push" => {
            let id = payload.text("id")?;
            gathered([part(delivery, &payload, Some(id.to_owned()))?])
        }
        "ping" => Ok(Contents::nothing(PING)),
        other => Ok(Contents::nothing(format!("ignoring action: {other}"))),
    }
}

/// One event in Event Grid's schema.
fn grid_event(delivery: &Delivery, event: &Object<'_>) -> Result<Part, Malformed> {
    let kind = event.text("eventType")?;
    match event.object("data")? {
        _ if kind.is_empty() => Ok(Part::Unusable("eventType not found in webhook payload".to_owned())),
        Some(data) if kind == IMAGE_PUSHED => part(delivery, &data, Some(event.text("id")?.to_owned())),
        None if kind == IMAGE_PUSHED => Err(Malformed::Missing("data")),
        _ => Ok(Part::NotOurs(format!("ignoring event type: {kind}"))),
    }
}

/// One event as a CloudEvent.
pub(super) fn cloud_event(delivery: &Delivery, event: &Attributes<'_>, data: &Object<'_>) -> Result<Part, Malformed> {
    if event.kind == IMAGE_PUSHED {
        part(delivery, data, event.sender_id())
    } else {
        Ok(Part::NotOurs(event.unsupported()))
    }
}

/// The part that all three have in common. The registry is the host that was pushed to; Image Updater goes on without one,
/// which matches nothing.
fn part(delivery: &Delivery, pushed: &Object<'_>, sender_id: Option<String>) -> Result<Part, Malformed> {
    let Some(target) = pushed.object("target")? else {
        return Err(Malformed::Missing("repository name"));
    };
    let repository = target.text("repository")?;
    if repository.is_empty() {
        return Err(Malformed::Missing("repository name"));
    }
    let request = pushed.object("request")?;
    let requested = request.as_ref().map_or(Ok(""), |request| request.text("host"))?;
    let host = delivery.registry().unwrap_or(requested);
    if host.is_empty() {
        return Ok(Part::Unusable(format!("request.host names no registry; {NAME_IT}")));
    }
    let push = Push {
        host,
        repository,
        tag: target.text("tag")?,
        digest: target.text("digest")?,
        media_type: target.text("mediaType")?,
        occurred_at: push::time(pushed.text_if_any("timestamp")),
        sender_id,
    };
    Ok(push.part())
}
