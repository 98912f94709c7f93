//! A delivery as Artifactory makes it: <https://jfrog.com/help/r/jfrog-platform-administration-documentation/event-types>.

use serde_json::json;

use super::{Delivery, What};
use crate::cli::UsageError;

/// The repository is `HOST/REPOSITORY-KEY/IMAGE`.
pub(super) fn delivery(what: &What) -> Result<Delivery, UsageError> {
    let (host, repository) = what.registry_and_repository()?;
    let (key, image) = repository.split_once('/').ok_or_else(|| {
        UsageError("--repo needs the repository key, for example artifactory.example.com/docker/shop/api".to_owned())
    })?;
    let digest = what.digest.as_deref().unwrap_or_default();
    let body = json!({
        "domain": "docker",
        "event_type": "pushed",
        "data": {
            "repo_key": key,
            "path": format!("{image}/{}/manifest.json", what.tag),
            "name": "manifest.json",
            "sha256": digest.trim_start_matches("sha256:"),
            "size": 0,
            "image_name": image,
            "tag": what.tag,
            "image_type": "oci",
        },
        "subscription_key": "landfall send",
        "jpd_origin": format!("https://{host}"),
    });
    let body = body.to_string();
    Ok(Delivery {
        url: what.url()?,
        headers: what.signed(&body, "x-jfrog-event-auth", "", []),
        body,
    })
}
