//! A delivery as GitLab makes it: <https://docs.gitlab.com/user/project/integrations/webhook_events/>.

use serde_json::json;

use super::git::commit;
use super::{Delivery, Subject, What, new_id};
use crate::cli::UsageError;

pub(super) fn delivery(what: &What) -> Result<Delivery, UsageError> {
    let repository = what.git_repository()?;
    let subject = what.subject()?;
    let (before, after) = (commit(), commit());
    let project = json!({
        "name": repository.name,
        "path_with_namespace": repository.path,
        "web_url": repository.page,
        "git_http_url": format!("{}.git", repository.page),
        "git_ssh_url": repository.ssh,
        "default_branch": "main",
    });
    let (kind, body) = match (&subject, subject.reference()) {
        (Subject::PullRequest(url), _) => (
            "Merge Request Hook",
            json!({
                "object_kind": "merge_request",
                "project": project,
                "object_attributes": { "action": "merge", "state": "merged", "url": url },
            }),
        ),
        (subject, reference) => {
            let (hook, kind) = match subject {
                Subject::Tag(_) => ("Tag Push Hook", "tag_push"),
                _ => ("Push Hook", "push"),
            };
            let body = json!({
                "object_kind": kind,
                "ref": reference,
                "before": before,
                "after": after,
                "project": project,
                "repository": { "git_http_url": project["git_http_url"], "git_ssh_url": project["git_ssh_url"] },
                "total_commits_count": 1,
                "commits": [{ "id": after, "message": "landfall send" }],
            });
            (hook, body)
        }
    };
    let mut headers = what.headers_with_secret("x-gitlab-token");
    headers.push(("x-gitlab-event", kind.to_owned()));
    headers.push(("idempotency-key", new_id()));
    Ok(Delivery {
        url: what.url()?,
        headers,
        body: body.to_string(),
    })
}
