//! Reads Harbor's webhooks, in the default format and as CloudEvents; the receiver of CloudEvents reads the latter here too.
//! Shape: <https://goharbor.io/docs/main/working-with-projects/project-configuration/configure-webhooks/>.

use jiff::Timestamp;

use super::cloudevents::{self, Attributes};
use super::payload::{Object, parse};
use super::push::{NAME_IT, Part, Push, gathered};
use super::{Contents, Malformed, host, insist_on_content_type};
use crate::delivery::{Delivery, Entrance};

/// Harbor reports every resource of a push. The registry is the host of each resource's URL; where there is none and the
/// receiver's URL names none either, the delivery cannot be used: Image Updater's `harbor` in its place matches nothing.
pub(super) fn read(delivery: &Delivery) -> Result<Contents, Malformed> {
    insist_on_content_type(delivery, &["application/json", "application/cloudevents+json"])?;
    let payload = parse(delivery.body())?;
    let payload = Object::root(&payload)?;
    if payload.has("specversion") {
        return cloudevents::read(delivery);
    }
    match payload.text("type")? {
        "" => return Err(Malformed::Missing("type")),
        "PUSH_ARTIFACT" => {}
        other => return Ok(Contents::nothing(format!("unsupported event type: {other}"))),
    }
    let occurred_at = payload
        .integer("occur_at")?
        .and_then(|at| Timestamp::from_second(at).ok());
    let data = payload.object("event_data")?;
    let pushed = Pushed {
        occurred_at,
        sender_id: None,
    };
    match data {
        Some(data) => gathered(parts(delivery, &data, &pushed)?),
        None => gathered(no_resources(delivery)?),
    }
}

/// Reads the event `harbor.artifact.pushed`; other events of Harbor's are none of ours.
pub(super) fn cloud_event(
    delivery: &Delivery,
    event: &Attributes<'_>,
    data: &Object<'_>,
) -> Result<Vec<Part>, Malformed> {
    if event.kind != "harbor.artifact.pushed" {
        return Ok(vec![Part::NotOurs(event.unsupported())]);
    }
    let pushed = Pushed {
        occurred_at: event.time,
        sender_id: event.sender_id(),
    };
    parts(delivery, data, &pushed)
}

/// What all resources of a push share.
struct Pushed {
    occurred_at: Option<Timestamp>,
    sender_id: Option<String>,
}

fn parts(delivery: &Delivery, data: &Object<'_>, pushed: &Pushed) -> Result<Vec<Part>, Malformed> {
    let resources = data.objects("resources")?;
    if resources.is_empty() {
        return no_resources(delivery);
    }
    let repository = match data.object("repository")? {
        Some(repository) => repository_name(&repository)?,
        None => String::new(),
    };
    resources
        .iter()
        .map(|resource| part(delivery, resource, &repository, pushed))
        .collect()
}

fn part(delivery: &Delivery, resource: &Object<'_>, repository: &str, pushed: &Pushed) -> Result<Part, Malformed> {
    let url = resource.text("resource_url")?;
    let (tag, digest) = (resource.text("tag")?, resource.text("digest")?);
    let (url_host, url_repository) = host::split_url(url);
    let repository = if repository.is_empty() {
        url_repository
    } else {
        repository
    };
    if repository.is_empty() {
        return Err(Malformed::Missing("repository name"));
    }
    let host = delivery.registry().unwrap_or(url_host);
    if host.is_empty() {
        return Ok(Part::Unusable(format!("resource_url names no registry; {NAME_IT}")));
    }
    // One event of several resources has one id, and each of them counts for itself.
    let sender_id = pushed.sender_id.as_ref().map(|id| format!("{id} {tag} {digest}"));
    Ok(Push {
        host,
        repository,
        tag,
        digest,
        occurred_at: pushed.occurred_at,
        sender_id,
        ..Push::default()
    }
    .part())
}

/// `repo_full_name`, else `namespace/name`, else `name`.
fn repository_name(repository: &Object<'_>) -> Result<String, Malformed> {
    let (full, namespace, name) = (
        repository.text("repo_full_name")?,
        repository.text("namespace")?,
        repository.text("name")?,
    );
    Ok(match (full, namespace, name) {
        ("", "", name) => name.to_owned(),
        ("", _, "") => String::new(),
        ("", namespace, name) => format!("{namespace}/{name}"),
        (full, ..) => full.to_owned(),
    })
}

/// Kargo takes a push without resources for one that nobody wants.
fn no_resources(delivery: &Delivery) -> Result<Vec<Part>, Malformed> {
    let words = "no resources found in webhook payload".to_owned();
    match delivery.entrance() {
        Entrance::Type => Err(Malformed::Unusable(words)),
        Entrance::Path => Ok(vec![Part::NotOurs(words)]),
    }
}
