//! A delivery as Quay makes it: <https://docs.quay.io/guides/notifications.html>.

use serde_json::json;

use super::{Delivery, What};
use crate::cli::UsageError;

pub(super) fn delivery(what: &What) -> Result<Delivery, UsageError> {
    let (host, repository) = what.registry_and_repository()?;
    let (namespace, name) = repository.split_once('/').unwrap_or(("library", repository));
    let body = json!({
        "name": name,
        "namespace": namespace,
        "repository": repository,
        "docker_url": what.repo,
        "homepage": format!("https://{host}/repository/{repository}"),
        "updated_tags": [what.tag],
    });
    Ok(Delivery {
        url: what.url_with_secret()?,
        headers: vec![("content-type", "application/json".to_owned())],
        body: body.to_string(),
    })
}
