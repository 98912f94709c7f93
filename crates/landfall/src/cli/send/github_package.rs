//! A delivery as GitHub makes it of a package:
//! <https://docs.github.com/en/webhooks/webhook-events-and-payloads#package>.

use serde_json::json;

use super::{Delivery, What, new_id};
use crate::cli::UsageError;
use crate::clock::now;

pub(super) fn delivery(what: &What) -> Result<Delivery, UsageError> {
    let (_, repository) = what.registry_and_repository()?;
    let (owner, name) = repository
        .split_once('/')
        .ok_or_else(|| UsageError("--repo needs an owner, for example ghcr.io/shop/api".to_owned()))?;
    let at = now().to_string();
    let digest = what.digest.as_deref().unwrap_or_default();
    let body = json!({
        "action": "published",
        "package": {
            "id": 1,
            "name": name,
            "namespace": owner,
            "ecosystem": "CONTAINER",
            "package_type": "CONTAINER",
            "created_at": at,
            "updated_at": at,
            "owner": { "login": owner },
            "package_version": {
                "id": 1,
                "version": digest,
                "name": digest,
                "created_at": at,
                "updated_at": at,
                "container_metadata": { "tag": { "name": what.tag, "digest": digest } },
                "package_url": format!("{}:{}", what.repo, what.tag),
            },
            "registry": null,
        },
        "sender": { "login": owner },
    });
    let body = body.to_string();
    let headers = [
        ("x-github-event", "package".to_owned()),
        ("x-github-delivery", new_id()),
    ];
    Ok(Delivery {
        url: what.url()?,
        headers: what.signed(&body, "x-hub-signature-256", "sha256=", headers),
        body,
    })
}
