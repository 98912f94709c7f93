//! Reads the webhooks of Bitbucket Cloud and of Bitbucket Data Center, which have their events' names and shapes each for itself.
//! Shape: <https://support.atlassian.com/bitbucket-cloud/docs/event-payloads/> and
//! <https://confluence.atlassian.com/bitbucketserver/event-payload-938025882.html>.

use super::forge::{RefPush, pull_request_closed};
use super::payload::{Object, parse};
use super::{Contents, Malformed, PING, host};
use crate::delivery::Delivery;

/// The host of Bitbucket Cloud, where https and ssh have the same paths.
const CLOUD: &str = "bitbucket.org";

pub(super) fn read(delivery: &Delivery) -> Result<Contents, Malformed> {
    let kind = delivery.header("x-event-key");
    let read: fn(&Object<'_>, &str) -> Result<Contents, Malformed> = match kind {
        "" => return Err(Malformed::Unusable("missing X-Event-Key header".to_owned())),
        "repo:push" => cloud_push,
        "repo:refs_changed" => data_center_push,
        "pullrequest:fulfilled" | "pullrequest:rejected" => cloud_pull_request,
        "pr:merged" | "pr:declined" => data_center_pull_request,
        "diagnostics:ping" => return Ok(Contents::nothing(PING)),
        other => return Ok(Contents::nothing(format!("unsupported event type: {other}"))),
    };
    let payload = parse(delivery.body())?;
    let id = match delivery.header("x-request-uuid") {
        "" => delivery.header("x-request-id"),
        id => id,
    };
    read(&Object::root(&payload)?, id)
}

fn cloud_push(payload: &Object<'_>, id: &str) -> Result<Contents, Malformed> {
    let Some(repository) = payload.object("repository")? else {
        return Err(Malformed::Missing("repository URL"));
    };
    let html = link(&repository, "html")?;
    let (mut moved, mut deleted) = (Vec::new(), Vec::new());
    let changes = match payload.object("push")? {
        Some(push) => push.objects("changes")?,
        None => Vec::new(),
    };
    for change in &changes {
        match (change.object("new")?, change.object("old")?) {
            (Some(new), _) => moved.push(cloud_ref(&new)?),
            (None, Some(old)) => deleted.push(cloud_ref(&old)?),
            (None, None) => {}
        }
    }
    let main = repository.object("mainbranch").ok().flatten();
    RefPush {
        names: vec![html.to_owned(), cloud_ssh(html)],
        moved,
        deleted,
        changed_files: Vec::new(),
        default_branch: main.map_or("", |branch| branch.text_if_any("name")).to_owned(),
        sender_id: Some(id.to_owned()),
    }
    .contents()
}

/// The full name of a ref that is told as type and name; empty where it has no name. What is no tag is a branch.
fn cloud_ref(told: &Object<'_>) -> Result<String, Malformed> {
    Ok(match (told.text("type")?, told.text("name")?) {
        (_, "") => String::new(),
        ("tag", name) => format!("refs/tags/{name}"),
        (_, name) => format!("refs/heads/{name}"),
    })
}

/// The name by ssh of a repository on Bitbucket Cloud, whose payloads have the one by https alone.
fn cloud_ssh(html: &str) -> String {
    let (host, path) = host::split_url(html);
    if host.eq_ignore_ascii_case(CLOUD) && !path.is_empty() {
        format!("git@{CLOUD}:{path}")
    } else {
        String::new()
    }
}

fn data_center_push(payload: &Object<'_>, id: &str) -> Result<Contents, Malformed> {
    let Some(repository) = payload.object("repository")? else {
        return Err(Malformed::Missing("repository URL"));
    };
    let clone = match repository.object("links")? {
        Some(links) => links.objects("clone")?,
        None => Vec::new(),
    };
    let names = clone.iter().map(|link| Ok(link.text("href")?.to_owned()));
    let names = names.collect::<Result<Vec<_>, Malformed>>()?;
    let (mut moved, mut deleted) = (Vec::new(), Vec::new());
    for change in payload.objects("changes")? {
        let Some(reference) = change.object("ref")? else {
            continue;
        };
        let name = reference.text("id")?.to_owned();
        let is_deleted = change.text("type")? == "DELETE";
        if is_deleted { &mut deleted } else { &mut moved }.push(name);
    }
    RefPush {
        names,
        moved,
        deleted,
        sender_id: Some(id.to_owned()),
        ..RefPush::default()
    }
    .contents()
}

fn cloud_pull_request(payload: &Object<'_>, id: &str) -> Result<Contents, Malformed> {
    let url = match payload.object("pullrequest")? {
        Some(pull_request) => link(&pull_request, "html")?,
        None => "",
    };
    pull_request_closed(url, id)
}

fn data_center_pull_request(payload: &Object<'_>, id: &str) -> Result<Contents, Malformed> {
    let links = match payload.object("pullRequest")? {
        Some(pull_request) => pull_request.object("links")?,
        None => None,
    };
    let own = links.map_or(Ok(Vec::new()), |links| links.objects("self"))?;
    let url = own.first().map_or(Ok(""), |link| link.text("href"))?;
    pull_request_closed(url, id)
}

/// `links.NAME.href`, empty where there is none.
fn link<'a>(object: &Object<'a>, name: &'a str) -> Result<&'a str, Malformed> {
    let link = match object.object("links")? {
        Some(links) => links.object(name)?,
        None => None,
    };
    link.map_or(Ok(""), |link| link.text("href"))
}
