//! Reads the notifications of CNCF Distribution: envelopes of events, of which pushes of tagged manifests are ours.
//! Shape: <https://distribution.github.io/distribution/about/notifications/>; media types
//! `application/vnd.docker.distribution.events.v1+json` and `…v2+json`, which differ in nothing that is read here.

use jiff::Timestamp;

use super::payload::{Object, parse};
use super::push::{Part, gathered, no_version};
use super::{Contents, Malformed, Report};
use crate::artifact::{Digest, Tag};
use crate::delivery::Delivery;
use crate::event::{ArtifactKind, ArtifactPushed, Event};
use crate::repository::ImageRepository;

/// The registry sends an envelope again until it gets a 2xx, and sends nothing else meanwhile. So an event that cannot be
/// used is set aside with its reason, and the envelope is refused only if nothing else is in it.
pub(super) fn read(delivery: &Delivery) -> Result<Contents, Malformed> {
    let payload = parse(delivery.body())?;
    let payload = Object::root(&payload)?;
    let events = payload.objects("events")?;
    if events.is_empty() {
        return Ok(Contents::nothing("the envelope holds no events"));
    }
    gathered(events.iter().map(report).collect::<Result<Vec<Part>, _>>()?)
}

fn report(event: &Object<'_>) -> Result<Part, Malformed> {
    let action = event.text("action")?;
    if action != "push" {
        return Ok(Part::NotOurs(format!("action {action:?} is not a push")));
    }
    let Some(target) = event.object("target")? else {
        return Ok(Part::Unusable("target not found".to_owned()));
    };
    let media_type = target.text("mediaType")?;
    if !is_manifest(media_type) {
        return Ok(Part::NotOurs(
            "a blob was pushed, which is part of a push and not its end".to_owned(),
        ));
    }
    let tag = target.text("tag")?;
    if let Some(reason) = no_version(tag) {
        return Ok(Part::NotOurs(reason.to_owned()));
    }
    Ok(match pushed(event, &target, tag)? {
        Ok(pushed) => Part::Report(Report {
            sender_id: Some(event.text("id")?).filter(|id| !id.is_empty()).map(str::to_owned),
            event: Event::ArtifactPushed(pushed),
        }),
        Err(problem) => Part::Unusable(problem),
    })
}

fn pushed(event: &Object<'_>, target: &Object<'_>, tag: &str) -> Result<Result<ArtifactPushed, String>, Malformed> {
    let host = host(event, target)?;
    if host.is_empty() {
        return Ok(Err("neither request.host nor target.url names the registry".to_owned()));
    }
    let written = format!("{host}/{}", target.text("repository")?);
    let repository = match ImageRepository::parse(&written) {
        Ok(repository) => repository,
        Err(error) => return Ok(Err(format!("target.repository: {error}"))),
    };
    let tag = match Tag::parse(tag) {
        Ok(tag) => tag,
        Err(error) => return Ok(Err(format!("target.tag: {error}"))),
    };
    Ok(Ok(ArtifactPushed {
        repository,
        kind: ArtifactKind::from_media_type(target.text("mediaType")?),
        tag: Some(tag),
        // What it claims and when are for people; a registry that writes them oddly has pushed all the same.
        digest: Digest::parse(target.text("digest")?).ok(),
        occurred_at: event.text("timestamp")?.parse::<Timestamp>().ok(),
    }))
}

/// The registry as the pushing client addressed it; the host of the manifest's URL where that is missing.
fn host<'a>(event: &Object<'a>, target: &Object<'a>) -> Result<&'a str, Malformed> {
    let request_host = match event.object("request")? {
        Some(request) => request.text("host")?,
        None => "",
    };
    if !request_host.is_empty() {
        return Ok(request_host);
    }
    let url = target.text("url")?;
    let after_scheme = url.split_once("://").map_or("", |(_, rest)| rest);
    Ok(after_scheme.split('/').next().unwrap_or_default())
}

/// Manifests and indexes, of images, charts and other artifacts; blobs are `application/octet-stream` or a layer's type.
fn is_manifest(media_type: &str) -> bool {
    media_type.starts_with("application/vnd.docker.distribution.manifest.")
        || media_type.starts_with("application/vnd.oci.image.manifest.")
        || media_type.starts_with("application/vnd.oci.image.index.")
}
