//! Reads GitHub's events of container packages: GHCR's, and those of GitHub Enterprise.
//! Shape: <https://docs.github.com/en/webhooks/webhook-events-and-payloads#package> and `#registry_package`.

use super::payload::Object;
use super::push::{self, NAME_IT, Push, gathered};
use super::{Contents, Malformed, host};
use crate::delivery::{Delivery, Entrance};

/// Where packages of github.com are, for payloads that do not say.
const GHCR: &str = "ghcr.io";

/// The package is in the field that is named like the event.
pub(super) fn read(delivery: &Delivery, payload: &Object<'_>, field: &str) -> Result<Contents, Malformed> {
    let action = payload.text("action")?;
    if !matches!(action, "published" | "updated") {
        return Ok(Contents::nothing(format!("ignoring action: {action}")));
    }
    let Some(package) = payload.object(field)? else {
        return Err(Malformed::Missing("package name"));
    };
    let package_type = package.text("package_type")?;
    if !["container", "docker"]
        .iter()
        .any(|ours| package_type.eq_ignore_ascii_case(ours))
    {
        return Ok(Contents::nothing(format!("unsupported package type: {package_type}")));
    }
    version(delivery, &package)
}

fn version(delivery: &Delivery, package: &Object<'_>) -> Result<Contents, Malformed> {
    let version = package.object("package_version")?;
    let version = version.as_ref();
    let text = |name: &str| version.map_or(Ok(""), |version| version.text(name));
    let (url_host, url_repository) = host::split_url(text("package_url")?.trim_end_matches(':'));
    let url_host = Some(url_host).filter(|host| host::can_lead(host));
    let repository = match (
        package.text("package_type")?.to_ascii_lowercase().as_str(),
        url_repository,
    ) {
        // GitHub's old registry has the Git repository in its paths, which the URL alone tells.
        ("docker", url_repository) if !url_repository.is_empty() => url_repository.to_owned(),
        _ => repository(package, url_repository)?,
    };
    let container = match version {
        Some(version) => version.object("container_metadata")?,
        None => None,
    };
    let tag = match &container {
        Some(container) => container.object("tag")?,
        None => None,
    };
    let tag_text = |name: &str| tag.as_ref().map_or(Ok(""), |tag| tag.text(name));
    // A version without a tag is named by its digest.
    let name = first([tag_text("name")?, text("name")?, text("version")?]);
    if name.is_empty() && delivery.entrance() == Entrance::Type {
        return Err(Malformed::Missing("tag"));
    }
    let host = match delivery.registry().or(url_host).or(registry_host(package)) {
        Some(host) => host,
        None if delivery.header("x-github-enterprise-host").is_empty() => GHCR,
        None => {
            let words = format!("the package names no registry, and is none of github.com; {NAME_IT}");
            return Err(Malformed::Unusable(words));
        }
    };
    let stamp = |name: &str| version.map_or("", |version| version.text_if_any(name));
    let push = Push {
        host,
        repository: &repository,
        tag: name,
        digest: first([tag_text("digest")?, text("version")?]),
        media_type: container.as_ref().map_or("", media_type),
        occurred_at: push::time(first([stamp("updated_at"), stamp("created_at")])),
        // The id stays the same when a delivery is made again by hand.
        sender_id: Some(delivery.header("x-github-delivery").to_owned()),
    };
    gathered([push.part()])
}

/// `owner.login` and `name`, as Image Updater reads them; what the package's URL says where one is missing, which is all
/// that Kargo reads.
fn repository(package: &Object<'_>, url_repository: &str) -> Result<String, Malformed> {
    let name = package.text("name")?;
    let owner = match package.object("owner")? {
        Some(owner) => owner.text("login")?,
        None => "",
    };
    match (owner, name, url_repository) {
        ("", _, "") if !name.is_empty() => Err(Malformed::Missing("package owner")),
        (_, "", "") => Err(Malformed::Missing("package name")),
        ("", ..) | (_, "", _) => Ok(url_repository.to_owned()),
        (owner, name, _) => Ok(format!("{owner}/{name}")),
    }
}

/// The registry's own URL names its host on GitHub Enterprise; on github.com it names one that serves no images.
fn registry_host<'a>(package: &Object<'a>) -> Option<&'a str> {
    let registry = package.object("registry").ok().flatten()?;
    let host = host::authority(registry.text_if_any("url"));
    (host::can_lead(host) && !host.to_ascii_lowercase().ends_with(".pkg.github.com")).then_some(host)
}

/// The configuration's type tells charts from images; an index has none.
fn media_type<'a>(container: &Object<'a>) -> &'a str {
    let manifest = container.object("manifest").ok().flatten();
    let config = manifest
        .as_ref()
        .and_then(|manifest| manifest.object("config").ok().flatten());
    let text = |object: &Option<Object<'a>>| object.as_ref().map_or("", |object| object.text_if_any("media_type"));
    first([text(&config), text(&manifest)])
}

/// The first text that is not empty.
fn first<const N: usize>(texts: [&str; N]) -> &str {
    texts.into_iter().find(|text| !text.is_empty()).unwrap_or_default()
}
