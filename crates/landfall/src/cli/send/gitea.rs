//! A delivery as Gitea makes it: <https://docs.gitea.com/usage/webhooks>.

use serde_json::json;

use super::git::commit;
use super::{Delivery, Subject, What, new_id};
use crate::cli::UsageError;

pub(super) fn delivery(what: &What) -> Result<Delivery, UsageError> {
    let repository = what.git_repository()?;
    let subject = what.subject()?;
    let (before, after) = (commit(), commit());
    let told = json!({
        "name": repository.name,
        "full_name": repository.path,
        "html_url": repository.page,
        "clone_url": format!("{}.git", repository.page),
        "ssh_url": repository.ssh,
        "default_branch": "main",
    });
    let (kind, body) = match (&subject, subject.reference()) {
        (Subject::PullRequest(url), _) => (
            "pull_request",
            json!({ "action": "closed", "pull_request": { "html_url": url, "merged": true }, "repository": told }),
        ),
        (_, reference) => (
            "push",
            json!({
                "ref": reference,
                "before": before,
                "after": after,
                "total_commits": 1,
                "commits": [{ "id": after, "message": "landfall send" }],
                "repository": told,
            }),
        ),
    };
    let body = body.to_string();
    let headers = [("x-gitea-event", kind.to_owned()), ("x-gitea-delivery", new_id())];
    Ok(Delivery {
        url: what.url()?,
        headers: what.signed(&body, "x-hub-signature-256", "sha256=", headers),
        body,
    })
}
