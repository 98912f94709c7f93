//! Reads the service hooks of Azure DevOps, which the receiver of Azure takes beside those of its registry.
//! Shape: <https://learn.microsoft.com/azure/devops/service-hooks/events#git.push> and `#git.pullrequest.updated`.

use super::forge::{RefPush, is_nothing, pull_request_closed};
use super::payload::Object;
use super::{Contents, Malformed, host};

/// The hosts of Azure DevOps Services, by https and by ssh.
const HOST: &str = "dev.azure.com";
const SSH_HOST: &str = "ssh.dev.azure.com";
/// The names that organizations had before, which still answer: `ORGANIZATION.visualstudio.com`.
const OLD_SUFFIX: &str = ".visualstudio.com";
const OLD_SSH_HOST: &str = "vs-ssh.visualstudio.com";

pub(super) fn read(payload: &Object<'_>) -> Result<Contents, Malformed> {
    let kind = payload.text("eventType")?;
    if kind.is_empty() {
        return Err(Malformed::Missing("eventType"));
    }
    if !matches!(kind, "git.push" | "git.pullrequest.merged" | "git.pullrequest.updated") {
        return Ok(Contents::nothing(format!("unsupported event type: {kind}")));
    }
    let Some(resource) = payload.object("resource")? else {
        return Err(Malformed::Missing("resource"));
    };
    let id = payload.text_if_any("id");
    if kind == "git.push" {
        return push(&resource, id);
    }
    match (kind, resource.text("status")?) {
        // That a merge was attempted is told as `merged`, and that the pull request is completed as `updated`.
        ("git.pullrequest.merged", _) | (_, "completed" | "abandoned") => pull_request_closed(web_page(&resource)?, id),
        (_, status) => Ok(Contents::nothing(format!("ignoring pull request of status: {status}"))),
    }
}

fn push(resource: &Object<'_>, id: &str) -> Result<Contents, Malformed> {
    let Some(repository) = resource.object("repository")? else {
        return Err(Malformed::Missing("repository URL"));
    };
    let remote = repository.text("remoteUrl")?;
    let mut names = vec![remote.to_owned(), repository.text_if_any("sshUrl").to_owned()];
    names.extend(other_names(remote));
    let (mut moved, mut deleted) = (Vec::new(), Vec::new());
    for update in resource.objects("refUpdates")? {
        let name = update.text("name")?.to_owned();
        let is_deleted = is_nothing(update.text_if_any("newObjectId"));
        if is_deleted { &mut deleted } else { &mut moved }.push(name);
    }
    let default_branch = repository.text_if_any("defaultBranch");
    RefPush {
        names,
        moved,
        deleted,
        changed_files: Vec::new(),
        default_branch: default_branch
            .strip_prefix("refs/heads/")
            .unwrap_or_default()
            .to_owned(),
        sender_id: Some(id.to_owned()),
    }
    .contents()
}

/// The other names of a repository of Azure DevOps Services; a server of one's own has no others that could be known. A
/// project's repository that is named like the project has a short name besides.
fn other_names(remote: &str) -> Vec<String> {
    let (host, path) = host::split_url(remote);
    let host = host.to_ascii_lowercase();
    let (organization, path) = match host.strip_suffix(OLD_SUFFIX) {
        Some(organization) => (organization, path),
        None if host == HOST => path.split_once('/').unwrap_or_default(),
        None => return Vec::new(),
    };
    let path = path.strip_prefix("DefaultCollection/").unwrap_or(path);
    // A repository of its project's name has a URL without the project.
    let (project, repository) = match (path.strip_prefix("_git/"), path.split_once("/_git/")) {
        (Some(repository), _) => (repository, repository),
        (None, Some(names)) => names,
        (None, None) => return Vec::new(),
    };
    let mut places = vec![format!("{project}/_git/{repository}")];
    if project.eq_ignore_ascii_case(repository) {
        places.push(format!("_git/{repository}"));
    }
    let mut names = vec![
        format!("git@{SSH_HOST}:v3/{organization}/{project}/{repository}"),
        format!("{organization}@{OLD_SSH_HOST}:v3/{organization}/{project}/{repository}"),
    ];
    for place in places {
        names.push(format!("https://{HOST}/{organization}/{place}"));
        names.push(format!("https://{organization}{OLD_SUFFIX}/{place}"));
    }
    names
}

/// The page of a pull request, where people see it.
fn web_page<'a>(resource: &Object<'a>) -> Result<&'a str, Malformed> {
    let web = match resource.object("_links")? {
        Some(links) => links.object("web")?,
        None => None,
    };
    web.map_or(Ok(""), |web| web.text("href"))
}
