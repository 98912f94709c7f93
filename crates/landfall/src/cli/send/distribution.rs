//! A delivery as CNCF Distribution makes it: <https://distribution.github.io/distribution/about/notifications/>.

use serde_json::json;

use super::{Delivery, What, new_id};
use crate::cli::UsageError;
use crate::clock::now;

pub(super) fn delivery(what: &What) -> Result<Delivery, UsageError> {
    let (host, repository) = what.registry_and_repository()?;
    let (at, id) = (now(), new_id());
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
