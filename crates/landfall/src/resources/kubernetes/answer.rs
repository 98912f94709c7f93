//! Sends a change of an object, and reads no more of the answer than whether it was made. What an API server sends back of an object is
//! mostly who has changed which field.

use std::borrow::Cow;

use http_body_util::BodyExt as _;
use kube::client::Body;
use kube::core::Status;
use kube::{Client, Error};
use serde::Deserialize;

use super::protobuf::{as_json, is_binary, named};

/// An object as far as it says which it is.
#[derive(Deserialize)]
struct Changed<'a> {
    #[serde(borrow)]
    metadata: Metadata<'a>,
}

#[derive(Deserialize)]
struct Metadata<'a> {
    #[serde(borrow)]
    name: Cow<'a, str>,
}

/// Sends a change of the object of this name. An answer that is not about that object is not an API server's: whatever else stands
/// there says yes to everything, and nothing was changed.
pub(super) async fn changed(client: &Client, request: http::Request<Body>, name: &str) -> kube::Result<()> {
    let answer = client.send(request).await?;
    let status = answer.status();
    let changed = if status.is_success() && is_binary(&answer) {
        // For its name alone, nothing else has to be made of it.
        let body = answer.into_body().collect().await?.to_bytes();
        named(body).map_err(|error| Error::Service(error.into()))?
    } else {
        let body = as_json(answer).await?.into_body();
        let body = body.collect().await.map_err(Error::Service)?.to_bytes();
        if !status.is_success() {
            let refusal = serde_json::from_slice(&body);
            return Err(Error::Api(Box::new(refusal.unwrap_or_else(|_| {
                let said = String::from_utf8_lossy(&body);
                Status::failure(said.trim(), "").with_code(status.as_u16())
            }))));
        }
        let changed: Changed<'_> = serde_json::from_slice(&body).map_err(Error::SerdeError)?;
        changed.metadata.name.into_owned()
    };
    match changed == name {
        true => Ok(()),
        false => Err(Error::Api(Box::new(Status::failure("", "")))),
    }
}
