//! Reads GitHub's webhooks: pushes, closed pull requests, and packages.
//! Shape: <https://docs.github.com/en/webhooks/webhook-events-and-payloads#push> and `#pull_request`.

use super::forge::{RefPush, changed_files, pull_request_closed, refuse_form};
use super::payload::{Object, parse};
use super::{Contents, Malformed, PING, github_package};
use crate::delivery::Delivery;

/// GitHub tells of this many commits at most.
const MOST_COMMITS: usize = 2048;

pub(super) fn read(delivery: &Delivery) -> Result<Contents, Malformed> {
    let kind = delivery.header("x-github-event");
    match kind {
        "" => return Err(Malformed::Unusable("missing X-GitHub-Event header".to_owned())),
        "package" | "registry_package" | "push" | "pull_request" => {}
        // Whoever is told that all is well would find out with the first push.
        "ping" => return refuse_form(delivery).map(|()| Contents::nothing(PING)),
        other => return Ok(Contents::nothing(format!("unsupported event type: {other}"))),
    }
    refuse_form(delivery)?;
    let payload = parse(delivery.body())?;
    let payload = Object::root(&payload)?;
    match kind {
        "push" => push(delivery, &payload),
        "pull_request" => pull_request(delivery, &payload),
        package => github_package::read(delivery, &payload, package),
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
        // The id stays the same when a delivery is made again by hand.
        sender_id: Some(delivery.header("x-github-delivery").to_owned()),
        ..RefPush::of(reference, payload.flag("deleted")?)
    }
    .contents()
}

/// None, where not all of them are told: of a long push, of one that took commits away, and where a commit is missing.
fn files(payload: &Object<'_>) -> Result<Vec<String>, Malformed> {
    let commits = payload.objects("commits")?;
    let told = payload.count("commits");
    if told >= MOST_COMMITS || commits.len() < told || payload.flag("forced")? {
        return Ok(Vec::new());
    }
    let head = payload.object("head_commit")?;
    changed_files(commits.iter().chain(&head))
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
    pull_request_closed(url, delivery.header("x-github-delivery"))
}
