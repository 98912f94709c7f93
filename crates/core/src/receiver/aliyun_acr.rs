//! Reads the triggers of Alibaba Cloud's Container Registry.
//! Shape: <https://www.alibabacloud.com/help/en/acr/user-guide/manage-triggers>. They have no event type, id or signature.

use super::payload::{Object, parse};
use super::push::{NAME_IT, Push, gathered};
use super::{Contents, Malformed};
use crate::delivery::Delivery;

/// The registry is the one that the receiver's URL names, which an enterprise instance needs; else the region's public one.
pub(super) fn read(delivery: &Delivery) -> Result<Contents, Malformed> {
    let payload = parse(delivery.body())?;
    let payload = Object::root(&payload)?;
    let Some(repository) = payload.object("repository")? else {
        return Err(Malformed::Missing("repository name"));
    };
    let name = name(&repository)?;
    let push = payload.object("push_data")?;
    let text = |name| push.as_ref().map_or(Ok(""), |push| push.text(name));
    let (tag, digest) = (text("tag")?, text("digest")?);
    if tag.is_empty() {
        return Err(Malformed::Missing("tag"));
    }
    let host = match delivery.registry() {
        Some(host) => host.to_owned(),
        None => regional_host(repository.text("region")?)?,
    };
    // `pushed_at` has no time zone, so it is no time.
    let push = Push {
        host: &host,
        repository: &name,
        tag,
        digest,
        ..Push::default()
    };
    gathered([push.part()])
}

/// `repo_full_name`, else `namespace/name`, else `name`.
fn name(repository: &Object<'_>) -> Result<String, Malformed> {
    let (full, namespace, name) = (
        repository.text("repo_full_name")?,
        repository.text("namespace")?,
        repository.text("name")?,
    );
    match (full, namespace, name) {
        ("", _, "") => Err(Malformed::Missing("repository name")),
        ("", "", name) => Ok(name.to_owned()),
        ("", namespace, name) => Ok(format!("{namespace}/{name}")),
        (full, ..) => Ok(full.to_owned()),
    }
}

fn regional_host(region: &str) -> Result<String, Malformed> {
    let is_region = region.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-');
    if region.is_empty() || !is_region {
        return Err(Malformed::Unusable(format!(
            "repository.region names no region, so the registry is unknown; {NAME_IT}"
        )));
    }
    Ok(format!("registry.{region}.aliyuncs.com"))
}
