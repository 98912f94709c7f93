//! A delivery as anybody could make it: what was pushed, in fields that `docs/senders/generic.md` reads.

use serde_json::json;

use super::{Delivery, What, new_id};
use crate::cli::UsageError;

pub(super) fn delivery(what: &What) -> Result<Delivery, UsageError> {
    let body = json!({
        "event": "push",
        "id": new_id(),
        "repository": what.repo,
        "tag": what.tag,
        "digest": what.digest,
        "branch": what.branch,
        "pullRequest": what.pull_request,
    });
    Ok(Delivery {
        url: what.url()?,
        headers: vec![("content-type", "application/json".to_owned())],
        body: body.to_string(),
    })
}
