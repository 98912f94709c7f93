//! A delivery as CNCF Distribution makes it: <https://distribution.github.io/distribution/about/notifications/>.

use serde_json::json;
use sha2::{Digest as _, Sha256};

use super::{Delivery, What};
use crate::cli::UsageError;
use crate::clock::now;

pub(super) fn delivery(what: &What) -> Result<Delivery, UsageError> {
    let (host, repository) = what.repo.split_once('/').ok_or_else(|| {
        UsageError("--repo needs the registry's host in front, for example 127.0.0.1:5000/shop/api".to_owned())
    })?;
    let at = now();
    // A registry gives every event an id of its own; this one is as good, and new with every call.
    let unique = format!("{at}{}", fastrand::u64(..));
    let id: String = Sha256::digest(unique)
        .iter()
        .take(16)
        .map(|byte| format!("{byte:02x}"))
        .collect();
    let media_type = "application/vnd.oci.image.manifest.v1+json";
    let mut target = json!({
        "mediaType": media_type,
        "repository": repository,
        "tag": what.tag,
        "url": format!("https://{host}/v2/{repository}/manifests/{}", what.digest.as_deref().unwrap_or(&what.tag)),
    });
    if let Some(digest) = &what.digest {
        target["digest"] = json!(digest);
    }
    let body = json!({ "events": [{
        "id": id,
        "timestamp": at.to_string(),
        "action": "push",
        "target": target,
        "request": { "id": id, "addr": "127.0.0.1", "host": host, "method": "PUT", "useragent": "landfall send" },
        "actor": {},
        "source": { "addr": host, "instanceID": id },
    }] });
    let mut headers = vec![(
        "content-type",
        "application/vnd.docker.distribution.events.v2+json".to_owned(),
    )];
    headers.extend(what.secret.clone().map(|secret| ("authorization", secret)));
    Ok(Delivery {
        url: what.url()?,
        headers,
        body: body.to_string(),
    })
}
