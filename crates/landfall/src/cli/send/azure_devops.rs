//! A delivery as Azure DevOps makes it: <https://learn.microsoft.com/azure/devops/service-hooks/events#git.push>.

use serde_json::json;

use super::git::commit;
use super::{Delivery, Subject, What, new_id};
use crate::cli::UsageError;

pub(super) fn delivery(what: &What) -> Result<Delivery, UsageError> {
    let repository = what.git_repository()?;
    let subject = what.subject()?;
    let (kind, resource) = match (&subject, subject.reference()) {
        (Subject::PullRequest(url), _) => (
            "git.pullrequest.updated",
            json!({ "status": "completed", "_links": { "web": { "href": url } } }),
        ),
        (_, reference) => (
            "git.push",
            json!({
                "refUpdates": [{ "name": reference, "oldObjectId": commit(), "newObjectId": commit() }],
                "repository": {
                    "name": repository.name,
                    "remoteUrl": repository.page,
                    "defaultBranch": "refs/heads/main",
                },
            }),
        ),
    };
    let body = json!({ "id": new_id(), "eventType": kind, "publisherId": "tfs", "resource": resource });
    let mut headers = what.headers_with_secret("authorization");
    headers.push(("user-agent", "VSServices/20.1".to_owned()));
    Ok(Delivery {
        url: what.url()?,
        headers,
        body: body.to_string(),
    })
}
