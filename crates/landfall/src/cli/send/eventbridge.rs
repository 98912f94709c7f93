//! A delivery as EventBridge makes it of an event of ECR:
//! <https://docs.aws.amazon.com/AmazonECR/latest/userguide/ecr-eventbridge.html>.

use serde_json::json;

use super::{Delivery, What, ecr, new_id};
use crate::cli::UsageError;
use crate::clock::now;

/// The event names account and region. Another registry than ECR's has to be named by the receiver's URL.
pub(super) fn delivery(what: &What) -> Result<Delivery, UsageError> {
    let (host, repository) = what.registry_and_repository()?;
    let mut url = what.url()?;
    let (account, region) = ecr::account_and_region(host).unwrap_or_else(|| {
        url.query_pairs_mut().append_pair("registry_url", host);
        ("123456789012", "us-east-1")
    });
    let body = json!({
        "version": "0",
        "id": new_id(),
        "detail-type": "ECR Image Action",
        "source": "aws.ecr",
        "account": account,
        "time": now().to_string(),
        "region": region,
        "resources": [],
        "detail": {
            "result": "SUCCESS",
            "repository-name": repository,
            "image-digest": what.digest.as_deref().unwrap_or_default(),
            "action-type": "PUSH",
            "image-tag": what.tag,
        },
    });
    Ok(Delivery {
        url,
        headers: what.headers_with_secret("x-webhook-secret"),
        body: body.to_string(),
    })
}
