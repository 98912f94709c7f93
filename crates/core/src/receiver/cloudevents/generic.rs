//! Reads events of ECR as EventBridge's input transformer makes them for Image Updater, and any other that tells of an
//! image in the same fields.
//! Shape: <https://argocd-image-updater.readthedocs.io/en/latest/configuration/webhook/>.

use super::Attributes;
use crate::delivery::Delivery;
use crate::receiver::payload::Object;
use crate::receiver::push::{NAME_IT, Part, Push};
use crate::receiver::{Malformed, ecr, host};

/// What an event may tell of an image besides a push, as types spell it.
const NO_PUSH: [&str; 6] = ["delet", "remov", "scan", "pulled", "untag", "lint"];

/// Types of ECR's, and those with `image` or `container` in them, unless they say that it is something else than a push.
pub(super) fn is_push(event: &Attributes<'_>) -> bool {
    let kind = event.kind.to_ascii_lowercase();
    let is_ours = is_ecr(event) || kind.contains("image") || kind.contains("container");
    is_ours && !NO_PUSH.iter().any(|word| kind.contains(word))
}

fn is_ecr(event: &Attributes<'_>) -> bool {
    event.kind.starts_with("com.amazon.ecr.")
}

/// Data that is not of the expected type is taken for absent, as with the peer: nobody has specified it.
pub(super) fn part(delivery: &Delivery, event: &Attributes<'_>, data: &Object<'_>) -> Result<Part, Malformed> {
    let names: (&[&str], &[&str]) = if is_ecr(event) {
        (&["repositoryName"], &["imageTag"])
    } else {
        (&["repositoryName", "repository"], &["imageTag", "tag"])
    };
    let source = ecr::resource(event.source);
    let explicit = delivery.registry().or(registry(data));
    let reads = |name| on(name, is_ecr(event), explicit);
    let (named_host, named) = reads(first(data, names.0).unwrap_or_default());
    let (subject, subject_tag) = host::split_tag(event.subject);
    let (subject_host, subject) = reads(subject);
    let source_repository = source.map_or("", |(.., repository)| repository);
    let mut repositories = [named, subject, source_repository].into_iter();
    let Some(repository) = repositories.find(|repository| !repository.is_empty()) else {
        return missing("repository name", "");
    };
    let tag = first(data, names.1).unwrap_or(subject_tag);
    let digest = first(data, &["imageDigest", "digest"]).unwrap_or_default();
    if tag.is_empty() && digest.is_empty() {
        return missing("tag", "");
    }
    let registry = match (delivery.registry(), is_ecr(event)) {
        (None, true) => source.and_then(|(region, account, _)| {
            let account = first(data, &["registryId"]).unwrap_or(account);
            ecr::host(region, account)
        }),
        _ => explicit
            .or(named_host)
            .or(subject_host)
            .or(source_host(event.source))
            .map(str::to_owned),
    };
    let Some(registry) = registry else {
        return missing("registry URL", &format!("; {NAME_IT}"));
    };
    let push = Push {
        host: &registry,
        repository,
        tag,
        digest,
        media_type: data.text_if_any("mediaType"),
        occurred_at: event.time,
        sender_id: event.sender_id(),
    };
    Ok(push.part())
}

/// The first of these fields that holds a text.
fn first<'a>(data: &Object<'a>, names: &[&str]) -> Option<&'a str> {
    let texts = names.iter().map(|name| data.text_if_any(name));
    texts.into_iter().find(|text| !text.is_empty())
}

fn registry<'a>(data: &Object<'a>) -> Option<&'a str> {
    first(data, &["registryUrl", "registry"]).map(host::authority)
}

/// Host and path of a repository's name. Where the registry is known, a first segment that looks like another host is a
/// part of the path; and so it is with ECR, which allows dots.
fn on<'a>(name: &'a str, is_ecr: bool, registry: Option<&str>) -> (Option<&'a str>, &'a str) {
    match host::split(name) {
        (Some(host), path) if !is_ecr && registry.is_none_or(|known| known.eq_ignore_ascii_case(host)) => {
            (Some(host), path)
        }
        _ => (None, name),
    }
}

/// The host of a source that is a URL, or begins with one.
fn source_host(source: &str) -> Option<&str> {
    let host = host::authority(source);
    let begins_with_one = !source.starts_with(['/', ':']) && !source.starts_with("urn:") && !source.starts_with("arn:");
    (begins_with_one && host::can_lead(host)).then_some(host)
}

fn missing(what: &str, hint: &str) -> Result<Part, Malformed> {
    Err(Malformed::Unusable(format!(
        "{what} not found in CloudEvents payload{hint}"
    )))
}
