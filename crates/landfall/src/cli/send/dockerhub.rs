//! A delivery as Docker Hub makes it: <https://docs.docker.com/docker-hub/repos/manage/webhooks/>.

use serde_json::json;

use super::{Delivery, What};
use crate::cli::UsageError;
use crate::clock::now;

pub(super) fn delivery(what: &What) -> Result<Delivery, UsageError> {
    let (namespace, name) = what.repo.rsplit_once('/').unwrap_or(("library", &what.repo));
    let at = now().as_second();
    let body = json!({
        "callback_url": format!("https://registry.hub.docker.com/u/{namespace}/{name}/hook/1/"),
        "push_data": { "pushed_at": at, "pusher": namespace, "tag": what.tag },
        "repository": {
            "comment_count": 0,
            "date_created": at,
            "description": "",
            "is_official": namespace == "library",
            "is_private": false,
            "is_trusted": false,
            "name": name,
            "namespace": namespace,
            "owner": namespace,
            "repo_name": what.repo,
            "repo_url": format!("https://hub.docker.com/r/{}", what.repo),
            "star_count": 0,
            "status": "Active",
        },
    });
    let headers = vec![("content-type", "application/json".to_owned())];
    Ok(Delivery {
        url: what.url_with_secret()?,
        headers,
        body: body.to_string(),
    })
}
