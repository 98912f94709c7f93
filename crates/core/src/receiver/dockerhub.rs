//! Reads Docker Hub's repository webhook.
//! Shape: <https://docs.docker.com/docker-hub/repos/manage/webhooks/>. It has no event type, id, digest or signature.

use std::borrow::Cow;

use super::payload::{Object, parse};
use super::push::no_version;
use super::{Contents, Malformed, Report};
use crate::artifact::Tag;
use crate::delivery::{Delivery, Entrance};
use crate::event::{ArtifactKind, ArtifactPushed, Event};
use crate::repository::ImageRepository;

/// `callback_url` is not looked at: whoever knows the receiver's URL writes it, and we call nobody on such word.
pub(super) fn read(delivery: &Delivery) -> Result<Contents, Malformed> {
    let payload = parse(delivery.body())?;
    let payload = Object::root(&payload)?;
    let repository = repository(&payload)?;
    let push = payload.object("push_data")?;
    let (tag, media_type) = match &push {
        Some(push) => (push.text("tag")?, push.text("media_type")?),
        None => ("", ""),
    };
    if let Some(reason) = no_version(tag).filter(|_| !tag.is_empty()) {
        return Ok(Contents::nothing(reason));
    }
    let tag = match (tag, delivery.entrance()) {
        ("", Entrance::Type) => return Err(Malformed::Missing("tag")),
        ("", Entrance::Path) => None,
        (text, _) => Some(Tag::parse(text).map_err(|error| Malformed::Unusable(format!("push_data.tag: {error}")))?),
    };
    let event = Event::ArtifactPushed(ArtifactPushed {
        repository,
        kind: ArtifactKind::from_media_type(media_type),
        tag,
        digest: None,
        occurred_at: None,
    });
    Ok(Contents {
        reports: vec![Report { sender_id: None, event }],
        set_aside: Vec::new(),
    })
}

/// `repo_name`, else `namespace/name`, else `name`.
fn repository(payload: &Object<'_>) -> Result<ImageRepository, Malformed> {
    let Some(repository) = payload.object("repository")? else {
        return Err(Malformed::Missing("repository name"));
    };
    let (repo_name, namespace, name) = (
        repository.text("repo_name")?,
        repository.text("namespace")?,
        repository.text("name")?,
    );
    let written = match (repo_name, namespace, name) {
        ("", _, "") => return Err(Malformed::Missing("repository name")),
        ("", "", name) => Cow::Borrowed(name),
        ("", namespace, name) => Cow::Owned(format!("{namespace}/{name}")),
        (repo_name, ..) => Cow::Borrowed(repo_name),
    };
    ImageRepository::parse(&written).map_err(|error| Malformed::Unusable(format!("repository.repo_name: {error}")))
}
