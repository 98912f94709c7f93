//! Reads Quay's notifications, of quay.io and of installations of one's own.
//! Shape: <https://docs.quay.io/guides/notifications.html>. They have no event type, id, digest or time.

use super::payload::{Object, parse};
use super::push::{NAME_IT, Push, gathered};
use super::{Contents, Malformed, host};
use crate::delivery::{Delivery, Entrance};

/// For payloads that do not say where they come from.
const QUAY_IO: &str = "quay.io";

/// Only a push has `updated_tags`. What else Quay tells of a repository is of no interest, but for a mirror: how its
/// synchronisation went is a `message` without tags, and by path, as with Kargo, a reason to look at the whole repository.
pub(super) fn read(delivery: &Delivery) -> Result<Contents, Malformed> {
    let payload = parse(delivery.body())?;
    let payload = Object::root(&payload)?;
    let tags = payload.texts("updated_tags")?;
    let url = payload.text("docker_url")?;
    let (url_host, url_repository) = host::split_url(url);
    let repository = repository(&payload, url_repository)?;
    let host = match delivery.registry() {
        Some(host) => host,
        None if url.is_empty() => QUAY_IO,
        None if host::can_lead(url_host) => url_host,
        None => return Err(Malformed::Unusable(format!("docker_url names no registry; {NAME_IT}"))),
    };
    let push = |tag| Push {
        host,
        repository: &repository,
        tag,
        ..Push::default()
    };
    match (tags.is_empty(), delivery.entrance()) {
        (false, _) => gathered(tags.into_iter().map(|tag| push(tag).part())),
        (true, Entrance::Path) if payload.has("message") => gathered([push("").part_of_any_tag()]),
        (true, Entrance::Path | Entrance::Type) => Ok(Contents::nothing("no tags in the payload")),
    }
}

/// `repository`, else `namespace/name`, else what `docker_url` says.
fn repository(payload: &Object<'_>, url_repository: &str) -> Result<String, Malformed> {
    let (repository, namespace, name) = (
        payload.text("repository")?,
        payload.text("namespace")?,
        payload.text("name")?,
    );
    let written = match (repository, namespace, name) {
        ("", "", _) | ("", _, "") => url_repository.to_owned(),
        ("", namespace, name) => format!("{namespace}/{name}"),
        (repository, ..) => repository.to_owned(),
    };
    if written.is_empty() {
        Err(Malformed::Missing("repository name"))
    } else {
        Ok(written)
    }
}
