//! Reads the webhooks of Gitea and Forgejo: pushes and closed pull requests.
//! Shape: <https://docs.gitea.com/usage/webhooks> and <https://forgejo.org/docs/latest/user/webhooks/>.

use super::forge::{RefPush, changed_files, is_nothing, pull_request_closed, refuse_form};
use super::payload::{Object, parse};
use super::{Contents, Malformed};
use crate::delivery::Delivery;

pub(super) fn read(delivery: &Delivery) -> Result<Contents, Malformed> {
    let kind = match (delivery.header("x-gitea-event"), delivery.header("x-forgejo-event")) {
        ("", "") => return Err(Malformed::Unusable("missing X-Gitea-Event header".to_owned())),
        ("", kind) | (kind, _) => kind,
    };
    if !matches!(kind, "push" | "pull_request") {
        return Ok(Contents::nothing(format!("unsupported event type: {kind}")));
    }
    refuse_form(delivery)?;
    let payload = parse(delivery.body())?;
    let payload = Object::root(&payload)?;
    if kind == "push" {
        push(delivery, &payload)
    } else {
        pull_request(delivery, &payload)
    }
}

fn push(delivery: &Delivery, payload: &Object<'_>) -> Result<Contents, Malformed> {
    let reference = payload.text("ref")?;
    if reference.is_empty() {
        return Err(Malformed::Missing("ref"));
    }
    let Some(repository) = payload.object("repository")? else {
        return Err(Malformed::Missing("repository URL"));
    };
    let names = [repository.text("clone_url")?, repository.text("ssh_url")?];
    RefPush {
        names: names.map(str::to_owned).into(),
        changed_files: files(payload)?,
        default_branch: repository.text_if_any("default_branch").to_owned(),
        sender_id: Some(id(delivery).to_owned()),
        ..RefPush::of(reference, is_nothing(payload.text_if_any("after")))
    }
    .contents()
}

/// None, where not all of them are told: of few commits a payload has all (by default five), and says how many there were.
fn files(payload: &Object<'_>) -> Result<Vec<String>, Malformed> {
    let commits = payload.objects("commits")?;
    let total = payload.integer("total_commits")?.unwrap_or_default();
    let told = commits.len();
    if told < payload.count("commits") || i64::try_from(told).unwrap_or(i64::MAX) < total {
        return Ok(Vec::new());
    }
    changed_files(&commits)
}

fn pull_request(delivery: &Delivery, payload: &Object<'_>) -> Result<Contents, Malformed> {
    match payload.text("action")? {
        "closed" => {}
        other => return Ok(Contents::nothing(format!("ignoring action: {other}"))),
    }
    let url = match payload.object("pull_request")? {
        Some(pull_request) => pull_request.text("html_url")?,
        None => "",
    };
    pull_request_closed(url, id(delivery))
}

/// The id of this attempt; a delivery that is made again by hand has another one.
fn id(delivery: &Delivery) -> &str {
    match delivery.header("x-gitea-delivery") {
        "" => delivery.header("x-forgejo-delivery"),
        id => id,
    }
}
