//! Reads GitLab's webhooks: pushes of branches and tags, and merge requests that are merged or closed.
//! Shape: <https://docs.gitlab.com/user/project/integrations/webhook_events/>, and of an instance's own hooks
//! <https://docs.gitlab.com/administration/system_hooks/>.

use super::forge::{RefPush, changed_files, is_nothing, pull_request_closed};
use super::payload::{Object, parse};
use super::{Contents, Malformed};
use crate::delivery::Delivery;

enum Kind {
    Push,
    MergeRequest,
}

pub(super) fn read(delivery: &Delivery) -> Result<Contents, Malformed> {
    let header = delivery.header("x-gitlab-event");
    let known = match header {
        "" => return Err(Malformed::Unusable("missing X-Gitlab-Event header".to_owned())),
        "Push Hook" | "Tag Push Hook" => Some(Kind::Push),
        "Merge Request Hook" => Some(Kind::MergeRequest),
        // What the hook of an instance tells of is in the payload.
        "System Hook" => None,
        other => return Ok(Contents::nothing(format!("unsupported event type: {other}"))),
    };
    let payload = parse(delivery.body())?;
    let payload = Object::root(&payload)?;
    let kind = match (known, system_event(&payload)) {
        (Some(kind), _) => kind,
        (None, "push" | "tag_push") => Kind::Push,
        (None, "merge_request") => Kind::MergeRequest,
        (None, other) => return Ok(Contents::nothing(format!("unsupported event type: {header} {other}"))),
    };
    match kind {
        Kind::Push => push(delivery, &payload),
        Kind::MergeRequest => merge_request(delivery, &payload),
    }
}

fn system_event<'a>(payload: &Object<'a>) -> &'a str {
    match payload.text_if_any("object_kind") {
        "" => payload.text_if_any("event_name"),
        kind => kind,
    }
}

fn push(delivery: &Delivery, payload: &Object<'_>) -> Result<Contents, Malformed> {
    let reference = payload.text("ref")?;
    if reference.is_empty() {
        return Err(Malformed::Missing("ref"));
    }
    let (project, repository) = (payload.object("project")?, payload.object("repository")?);
    let mut names = Vec::new();
    for field in ["git_http_url", "git_ssh_url"] {
        for object in [&repository, &project].into_iter().flatten() {
            names.push(object.text(field)?.to_owned());
        }
    }
    RefPush {
        names,
        changed_files: files(payload, reference)?,
        default_branch: project
            .map_or("", |project| project.text_if_any("default_branch"))
            .to_owned(),
        sender_id: Some(delivery.header("idempotency-key").to_owned()),
        ..RefPush::of(reference, is_nothing(payload.text_if_any("after")))
    }
    .contents()
}

/// None, where not all of them are told: a payload has 20 commits at most, and says how many there were. What a tag changes
/// is told by nobody.
fn files(payload: &Object<'_>, reference: &str) -> Result<Vec<String>, Malformed> {
    let commits = payload.objects("commits")?;
    let total = payload.integer("total_commits_count")?.unwrap_or_default();
    let told = commits.len();
    let is_cut = told < payload.count("commits") || i64::try_from(told).unwrap_or(i64::MAX) < total;
    if is_cut || reference.starts_with("refs/tags/") {
        return Ok(Vec::new());
    }
    changed_files(&commits)
}

fn merge_request(delivery: &Delivery, payload: &Object<'_>) -> Result<Contents, Malformed> {
    let Some(attributes) = payload.object("object_attributes")? else {
        return Err(Malformed::Missing("object_attributes"));
    };
    match attributes.text("action")? {
        "close" | "merge" => pull_request_closed(attributes.text("url")?, delivery.header("idempotency-key")),
        other => Ok(Contents::nothing(format!("ignoring action: {other}"))),
    }
}
