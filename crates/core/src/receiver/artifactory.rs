//! Reads JFrog Artifactory's webhooks of Docker repositories, which also hold Helm charts and other OCI artifacts.
//! Shape: <https://jfrog.com/help/r/jfrog-platform-administration-documentation/event-types>.

use super::payload::{Object, parse};
use super::push::{NAME_IT, Push, gathered};
use super::{Contents, Malformed, host};
use crate::delivery::Delivery;

/// The registry is the one that the receiver's URL names, or else the host of `jpd_origin`, which is empty where an
/// installation has no base URL of its own. Images are known by the path method: `HOST/REPOSITORY-KEY/IMAGE`.
pub(super) fn read(delivery: &Delivery) -> Result<Contents, Malformed> {
    let payload = parse(delivery.body())?;
    let payload = Object::root(&payload)?;
    let (domain, kind) = (payload.text("domain")?, payload.text("event_type")?);
    if (domain, kind) == ("", "") {
        return Err(Malformed::Missing("event_type"));
    }
    if (domain, kind) != ("docker", "pushed") {
        return Ok(Contents::nothing(format!("unsupported event type: {domain} {kind}")));
    }
    let Some(data) = payload.object("data")? else {
        return Err(Malformed::Missing("data"));
    };
    let media_type = match data.text("image_type")? {
        "docker" => "application/vnd.docker.distribution.manifest.v2+json",
        // Such a manifest may be of a chart as well as of an image, and older versions tell no type at all.
        "oci" | "" => "",
        other => return Ok(Contents::nothing(format!("unsupported image type: {other}"))),
    };
    let repository = repository(delivery, &data)?;
    let host = delivery
        .registry()
        .unwrap_or(host::authority(payload.text("jpd_origin")?));
    if host.is_empty() {
        let words = format!("jpd_origin names no registry; set the platform's base URL, or {NAME_IT}");
        return Err(Malformed::Unusable(words));
    }
    let sha256 = data.text_if_any("sha256");
    let push = Push {
        host,
        repository: &repository,
        tag: data.text("tag")?,
        digest: &format!("sha256:{sha256}"),
        media_type,
        ..Push::default()
    };
    gathered([push.part()])
}

/// The key of the repository, or the name that stands for it, and the path of the image: that of its manifest
/// (`shop/api/1.4.0/manifest.json`) without the folder of the tag.
fn repository(delivery: &Delivery, data: &Object<'_>) -> Result<String, Malformed> {
    let key = delivery.virtual_repository().unwrap_or(data.text("repo_key")?);
    let path = data.text("path")?;
    let mut segments: Vec<&str> = path.split('/').collect();
    if segments.len() < 2 {
        return Err(Malformed::Unusable(format!(
            "invalid value {path:?} in payload's data.path field"
        )));
    }
    segments.truncate(segments.len() - 2);
    segments.insert(0, key);
    segments.retain(|segment| !segment.is_empty());
    Ok(segments.join("/"))
}
