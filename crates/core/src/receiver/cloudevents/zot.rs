//! Reads the events of Zot, which come in binary mode and name no registry.
//! Shape: <https://zotregistry.dev/latest/articles/events/>.

use super::Attributes;
use crate::delivery::Delivery;
use crate::receiver::Malformed;
use crate::receiver::payload::Object;
use crate::receiver::push::{NAME_IT, Part, Push};

/// The prefix of the types can be configured, and then their end and the data's shape tell them.
pub(super) fn is_sender_of(event: &Attributes<'_>, data: &Object<'_>) -> bool {
    event.kind.starts_with("zotregistry.") || (event.kind.ends_with(".image.updated") && data.has("reference"))
}

/// An image that was pushed is `updated`. The registry has to be named in the receiver's URL.
pub(super) fn part(delivery: &Delivery, event: &Attributes<'_>, data: &Object<'_>) -> Result<Part, Malformed> {
    if !event.kind.ends_with(".image.updated") {
        return Ok(Part::NotOurs(event.unsupported()));
    }
    let (repository, reference) = (data.text("name")?, data.text("reference")?);
    let missing = |what: &str| Err(Malformed::Unusable(format!("{what} not found in CloudEvents payload")));
    if repository.is_empty() {
        return missing("repository name");
    }
    if reference.is_empty() {
        return missing("tag");
    }
    let Some(host) = delivery.registry() else {
        return Err(Malformed::Unusable(format!(
            "registry URL not found in CloudEvents payload: Zot never tells it; {NAME_IT}"
        )));
    };
    let push = Push {
        host,
        repository,
        tag: reference,
        digest: data.text("digest")?,
        media_type: data.text("mediaType")?,
        occurred_at: event.time,
        sender_id: event.sender_id(),
    };
    Ok(push.part())
}
