//! A delivery as a CloudEvent in structured mode:
//! <https://github.com/cloudevents/spec/blob/main/cloudevents/bindings/http-protocol-binding.md>.

use serde_json::json;

use super::{Delivery, What, ecr, new_id};
use crate::cli::UsageError;
use crate::clock::now;

/// An event of ECR names account and region where others name the registry.
pub(super) fn delivery(what: &What) -> Result<Delivery, UsageError> {
    let (host, repository) = what.registry_and_repository()?;
    let mut data = json!({
        "repositoryName": repository,
        "imageDigest": what.digest.as_deref().unwrap_or_default(),
        "imageTag": what.tag,
    });
    let (kind, source) = match ecr::account_and_region(host) {
        Some((account, region)) => {
            data["registryId"] = json!(account);
            let source = format!("urn:aws:ecr:{region}:{account}:repository/{repository}");
            ("com.amazon.ecr.image.push", source)
        }
        None => {
            data["registryUrl"] = json!(host);
            (
                "com.example.container.image.push",
                format!("https://{host}/{repository}"),
            )
        }
    };
    let body = json!({
        "specversion": "1.0",
        "id": new_id(),
        "type": kind,
        "source": source,
        "subject": format!("{repository}:{}", what.tag),
        "time": now().to_string(),
        "datacontenttype": "application/json",
        "data": data,
    });
    let mut headers = vec![("content-type", "application/cloudevents+json".to_owned())];
    headers.extend(what.secret.clone().map(|secret| ("x-webhook-secret", secret)));
    Ok(Delivery {
        url: what.url()?,
        headers,
        body: body.to_string(),
    })
}
