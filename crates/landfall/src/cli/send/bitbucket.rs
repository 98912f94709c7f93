//! A delivery as Bitbucket makes it: the Cloud for a repository of bitbucket.org, and else the Data Center.
//! <https://support.atlassian.com/bitbucket-cloud/docs/event-payloads/>,
//! <https://confluence.atlassian.com/bitbucketserver/event-payload-938025882.html>.

use serde_json::{Value, json};

use super::git::{Repository, commit};
use super::{Delivery, Subject, What, new_id};
use crate::cli::UsageError;

pub(super) fn delivery(what: &What) -> Result<Delivery, UsageError> {
    let repository = what.git_repository()?;
    let subject = what.subject()?;
    let (kind, body) = if repository.host == "bitbucket.org" {
        cloud(&repository, &subject)
    } else {
        data_center(&repository, &subject)
    };
    let body = body.to_string();
    let headers = [("x-event-key", kind.to_owned()), ("x-request-uuid", new_id())];
    Ok(Delivery {
        url: what.url()?,
        headers: what.signed(&body, "x-hub-signature", "sha256=", headers),
        body,
    })
}

fn cloud(repository: &Repository<'_>, subject: &Subject<'_>) -> (&'static str, Value) {
    let told = json!({
        "type": "repository",
        "full_name": repository.path,
        "name": repository.name,
        "links": { "html": { "href": repository.page } },
    });
    let moved = |kind: &str, name: &str| {
        let target = |id: String| json!({ "type": kind, "name": name, "target": { "type": "commit", "hash": id } });
        let change = json!({ "new": target(commit()), "old": target(commit()), "closed": false, "truncated": false });
        (
            "repo:push",
            json!({ "push": { "changes": [change] }, "repository": told }),
        )
    };
    match subject {
        Subject::Tag(name) => moved("tag", name),
        Subject::Branch(name) => moved("branch", name),
        Subject::PullRequest(url) => (
            "pullrequest:fulfilled",
            json!({ "pullrequest": { "state": "MERGED", "links": { "html": { "href": url } } }, "repository": told }),
        ),
    }
}

fn data_center(repository: &Repository<'_>, subject: &Subject<'_>) -> (&'static str, Value) {
    let clone = [
        json!({ "href": format!("{}.git", repository.page), "name": "http" }),
        json!({ "href": format!("ssh://{}", repository.ssh.replacen(':', "/", 1)), "name": "ssh" }),
    ];
    let told = json!({ "slug": repository.name, "name": repository.name, "links": { "clone": clone } });
    match (subject, subject.reference()) {
        (Subject::PullRequest(url), _) => (
            "pr:merged",
            json!({ "pullRequest": { "state": "MERGED", "links": { "self": [{ "href": url }] } } }),
        ),
        (_, reference) => {
            let change = json!({
                "ref": { "id": reference },
                "fromHash": commit(),
                "toHash": commit(),
                "type": "UPDATE",
            });
            ("repo:refs_changed", json!({ "repository": told, "changes": [change] }))
        }
    }
}
