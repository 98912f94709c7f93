//! A delivery as Alibaba Cloud's Container Registry makes it:
//! <https://www.alibabacloud.com/help/en/acr/user-guide/manage-triggers>.

use serde_json::json;

use super::{Delivery, What};
use crate::cli::UsageError;

/// A region's public registry is told by the region. Any other is not, so that the receiver's URL has to name it.
pub(super) fn delivery(what: &What) -> Result<Delivery, UsageError> {
    let (host, repository) = what.registry_and_repository()?;
    let (namespace, name) = repository.split_once('/').unwrap_or(("library", repository));
    let region = host
        .strip_prefix("registry.")
        .and_then(|rest| rest.strip_suffix(".aliyuncs.com"));
    let mut url = what.url_with_secret()?;
    if region.is_none() {
        url.query_pairs_mut().append_pair("registry_url", host);
    }
    let body = json!({
        "push_data": {
            "digest": what.digest.as_deref().unwrap_or_default(),
            "pushed_at": "2026-01-01 00:00:00",
            "tag": what.tag,
        },
        "repository": {
            "date_created": "2026-01-01 00:00:00",
            "name": name,
            "namespace": namespace,
            "region": region.unwrap_or("cn-hangzhou"),
            "repo_full_name": repository,
            "repo_type": "PRIVATE",
        },
    });
    Ok(Delivery {
        url,
        headers: vec![("content-type", "application/json".to_owned())],
        body: body.to_string(),
    })
}
