//! Reads the events of Amazon's Elastic Container Registry as EventBridge delivers them to an API destination, untransformed.
//! Shape: <https://docs.aws.amazon.com/AmazonECR/latest/userguide/ecr-eventbridge.html>.

use super::payload::{Object, parse};
use super::push::{self, NAME_IT, Push, gathered};
use super::{Contents, Malformed, ecr};
use crate::delivery::Delivery;

/// An image comes into a registry by a push, by replication, or through the cache of another registry.
pub(super) fn read(delivery: &Delivery) -> Result<Contents, Malformed> {
    let payload = parse(delivery.body())?;
    let event = Object::root(&payload)?;
    let (source, kind) = (event.text("source")?, event.text("detail-type")?);
    let result = match (source, kind) {
        ("", _) => return Err(Malformed::Missing("source")),
        (_, "") => return Err(Malformed::Missing("detail-type")),
        ("aws.ecr", "ECR Image Action" | "ECR Replication Action") => "result",
        ("aws.ecr", "ECR Pull Through Cache Action") => "sync-status",
        ("aws.ecr", other) => return Ok(Contents::nothing(format!("ignoring {other:?}"))),
        (other, _) => return Ok(Contents::nothing(format!("source {other:?} is not aws.ecr"))),
    };
    let Some(detail) = event.object("detail")? else {
        return Err(Malformed::Missing("detail"));
    };
    match detail.text(result)? {
        "SUCCESS" => {}
        other => return Ok(Contents::nothing(format!("{result} {other:?} is no success"))),
    }
    match detail.text("action-type")? {
        "PUSH" | "REPLICATE" => {}
        "" if result == "sync-status" => {}
        other => return Ok(Contents::nothing(format!("action-type {other:?} is not a push"))),
    }
    pushed(delivery, &event, &detail)
}

/// The registry is that of the event's account and region.
fn pushed(delivery: &Delivery, event: &Object<'_>, detail: &Object<'_>) -> Result<Contents, Malformed> {
    let repository = detail.text("repository-name")?;
    if repository.is_empty() {
        return Err(Malformed::Missing("repository name"));
    }
    let (region, account) = (event.text("region")?, event.text("account")?);
    let host = match delivery.registry() {
        Some(host) => host.to_owned(),
        None => ecr::host(region, account).ok_or_else(|| {
            Malformed::Unusable(format!(
                "account {account:?} and region {region:?} make no known registry; {NAME_IT}"
            ))
        })?,
    };
    let push = Push {
        host: &host,
        repository,
        tag: detail.text("image-tag")?,
        digest: detail.text("image-digest")?,
        media_type: media_type(detail),
        occurred_at: push::time(event.text_if_any("time")),
        sender_id: Some(event.text("id")?.to_owned()),
    };
    gathered([push.part()])
}

/// What a manifest is of tells charts from images; without it, its own type tells indexes.
fn media_type<'a>(detail: &Object<'a>) -> &'a str {
    let (artifact, manifest) = (
        detail.text_if_any("artifact-media-type"),
        detail.text_if_any("manifest-media-type"),
    );
    if artifact.is_empty() { manifest } else { artifact }
}
