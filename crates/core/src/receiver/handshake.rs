//! Decides how a sender is answered that asks, before its first delivery, whether it is welcome. Whoever shows no secret is
//! not answered: otherwise anybody could have anybody's deliveries sent here.

use super::payload::{Value, items, parse_any};
use super::{Receiver, Sender};
use crate::delivery::{Delivery, Rejected, Unverified};

/// The answer to a sender that asks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Handshake {
    /// Deliveries of this origin are welcome, as many as there are.
    /// <https://github.com/cloudevents/spec/blob/main/cloudevents/http-webhook.md#4-abuse-protection>
    Origin(String),
    /// The code that Azure Event Grid wants to see again.
    /// <https://learn.microsoft.com/azure/event-grid/end-point-validation-event-grid-events-schema>
    ValidationCode(String),
}

/// What `OPTIONS` at a receiver comes to: `None` where it is no question that its sender asks, and the method is wrong.
///
/// `WebHook-Request-Callback` is not called: an address that a stranger wrote is nobody's to visit.
pub fn of_options(receiver: &Receiver, request: &Unverified) -> Result<Option<Handshake>, Rejected> {
    match receiver.sender() {
        Sender::CloudEvents => {}
        Sender::DockerHub
        | Sender::Distribution
        | Sender::GitHub
        | Sender::Harbor
        | Sender::Quay
        | Sender::AliyunAcr
        | Sender::Azure
        | Sender::EventBridge
        | Sender::Gitea
        | Sender::GitLab
        | Sender::Bitbucket
        | Sender::Artifactory => return Ok(None),
    }
    receiver.proof.of(request)?;
    let origin = request.header("webhook-request-origin").unwrap_or_default();
    let is_name = |byte: &u8| byte.is_ascii_alphanumeric() || b".-_:[]*".contains(byte);
    let origin = std::str::from_utf8(origin)
        .ok()
        .filter(|text| text.bytes().all(|byte| is_name(&byte)));
    Ok(origin
        .filter(|origin| !origin.is_empty())
        .map(|origin| Handshake::Origin(origin.to_owned())))
}

/// The question that a delivery asks instead of telling anything, if it does.
pub fn of_delivery(delivery: &Delivery) -> Option<Handshake> {
    if delivery.sender() != Sender::Azure || delivery.header("aeg-event-type") != "SubscriptionValidation" {
        return None;
    }
    let Ok(Value::Array(list)) = parse_any(delivery.body()) else {
        return None;
    };
    let event = items(&list).next()?.ok()?;
    let data = event.object("data").ok().flatten()?;
    let code = data.text_if_any("validationCode");
    let asks = event.text_if_any("eventType") == "Microsoft.EventGrid.SubscriptionValidationEvent";
    (asks && !code.is_empty()).then(|| Handshake::ValidationCode(code.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::secret::Secrets;

    fn asking(receiver: &Receiver, secret: &str, origin: &str) -> Result<Option<Handshake>, Rejected> {
        let request = Unverified {
            headers: vec![("webhook-request-origin".to_owned(), origin.into())],
            query: vec![("secret".to_owned(), secret.to_owned())],
            body: Vec::new(),
        };
        of_options(receiver, &request)
    }

    #[test]
    fn an_origin_is_welcome_where_the_secret_is_shown() {
        let events = Receiver::by_type(Sender::CloudEvents, Secrets::rotating("new".into(), "old".into()));
        let hub = Receiver::by_type(Sender::DockerHub, Secrets::only("new".into()));
        let azure = || Ok(Some(Handshake::Origin("eventgrid.azure.net".to_owned())));
        for (receiver, secret, origin, expected) in [
            (&events, "new", "eventgrid.azure.net", azure()),
            (&events, "old", "eventgrid.azure.net", azure()),
            (&events, "wrong", "eventgrid.azure.net", Err(Rejected)),
            (&events, "", "eventgrid.azure.net", Err(Rejected)),
            (&events, "new", "", Ok(None)),
            (&events, "new", "a b", Ok(None)),
            (&events, "new", "a\r\nset-cookie: x", Ok(None)),
            (&hub, "new", "eventgrid.azure.net", Ok(None)),
        ] {
            assert_eq!(
                asking(receiver, secret, origin),
                expected,
                "{} {secret:?} {origin:?}",
                receiver.sender()
            );
        }
    }

    #[test]
    fn event_grid_sees_its_code_again() {
        const ASKS: &str =
            r#"[{"eventType":"Microsoft.EventGrid.SubscriptionValidationEvent","data":{"validationCode":"5-1"}}]"#;
        const PUSH: &str =
            r#"[{"eventType":"Microsoft.ContainerRegistry.ImagePushed","data":{"validationCode":"5-1"}}]"#;
        let code = Some(Handshake::ValidationCode("5-1".to_owned()));
        for (sender, kind, body, expected) in [
            (Sender::Azure, "SubscriptionValidation", ASKS, code.clone()),
            (Sender::Azure, "Notification", ASKS, None),
            (Sender::Azure, "SubscriptionValidation", PUSH, None),
            (Sender::Azure, "SubscriptionValidation", "[]", None),
            (Sender::Azure, "SubscriptionValidation", "{}", None),
            (Sender::Azure, "SubscriptionValidation", "[", None),
            (Sender::Harbor, "SubscriptionValidation", ASKS, None),
        ] {
            let request = Unverified {
                headers: vec![("aeg-event-type".to_owned(), kind.into())],
                query: Vec::new(),
                body: body.into(),
            };
            let delivery = Receiver::open_by_type(sender).authenticate(request).unwrap();
            assert_eq!(of_delivery(&delivery), expected, "{sender} {kind} {body}");
        }
    }
}
