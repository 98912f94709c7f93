//! A delivery as GitHub makes it of a Git repository: <https://docs.github.com/en/webhooks/webhook-events-and-payloads#push>.

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
        (_, reference) => {
            let pushed = json!({ "id": after, "message": "landfall send", "added": [], "modified": [], "removed": [] });
            let body = json!({
                "ref": reference,
                "before": before,
                "after": after,
                "created": false,
                "deleted": false,
                "forced": false,
                "commits": [pushed],
                "head_commit": pushed,
                "repository": told,
            });
            ("push", body)
        }
    };
    let body = body.to_string();
    let headers = [("x-github-event", kind.to_owned()), ("x-github-delivery", new_id())];
    Ok(Delivery {
        url: what.url()?,
        headers: what.signed(&body, "x-hub-signature-256", "sha256=", headers),
        body,
    })
}
