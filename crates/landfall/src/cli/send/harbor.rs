//! A delivery as Harbor makes it:
//! <https://goharbor.io/docs/main/working-with-projects/project-configuration/configure-webhooks/>.

use serde_json::json;

use super::{Delivery, What};
use crate::cli::UsageError;
use crate::clock::now;

pub(super) fn delivery(what: &What) -> Result<Delivery, UsageError> {
    let (_, repository) = what.registry_and_repository()?;
    let (namespace, name) = repository.split_once('/').unwrap_or(("library", repository));
    let at = now().as_second();
    let body = json!({
        "type": "PUSH_ARTIFACT",
        "occur_at": at,
        "operator": "landfall send",
        "event_data": {
            "resources": [{
                "digest": what.digest.as_deref().unwrap_or_default(),
                "tag": what.tag,
                "resource_url": format!("{}:{}", what.repo, what.tag),
            }],
            "repository": {
                "date_created": at,
                "name": name,
                "namespace": namespace,
                "repo_full_name": repository,
                "repo_type": "private",
            },
        },
    });
    Ok(Delivery {
        url: what.url()?,
        headers: what.headers_with_secret("authorization"),
        body: body.to_string(),
    })
}
