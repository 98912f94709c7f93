//! A delivery as Azure Container Registry makes it:
//! <https://learn.microsoft.com/azure/container-registry/container-registry-webhook-reference>.

use serde_json::json;

use super::{Delivery, What, new_id};
use crate::cli::UsageError;
use crate::clock::now;

pub(super) fn delivery(what: &What) -> Result<Delivery, UsageError> {
    let (host, repository) = what.registry_and_repository()?;
    let body = json!({
        "id": new_id(),
        "timestamp": now().to_string(),
        "action": "push",
        "target": {
            "mediaType": "application/vnd.oci.image.manifest.v1+json",
            "digest": what.digest.as_deref().unwrap_or_default(),
            "repository": repository,
            "tag": what.tag,
        },
        "request": { "id": new_id(), "host": host, "method": "PUT", "useragent": "landfall send" },
    });
    let mut headers = what.headers_with_secret("authorization");
    headers.push(("user-agent", "AzureContainerRegistry/1.0".to_owned()));
    Ok(Delivery {
        url: what.url()?,
        headers,
        body: body.to_string(),
    })
}
