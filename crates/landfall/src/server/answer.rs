//! Says what a sender is told, in the words and shapes of the program whose door it came through.

use axum::body::Body;
use axum::http::header::{ALLOW, CONNECTION, CONTENT_TYPE, RETRY_AFTER};
use axum::http::{HeaderName, HeaderValue, Response, StatusCode};
use landfall_core::delivery::Entrance;
use landfall_core::journal::EntryId;
use landfall_core::receiver::handshake::Handshake;
use landfall_core::receiver::{Malformed, PING};
use serde::Serialize;

use crate::intake::{ActionResult, Taken};

/// Everything that a request can come to.
#[derive(Debug)]
pub enum Answer {
    /// The intake has decided.
    Taken(Taken),
    /// The sender has only asked whether it is welcome, and it is.
    Greeted(Handshake),
    /// No receiver has this path.
    Unknown,
    /// The proof is missing or wrong. It does not say which.
    Rejected,
    /// Anything but POST.
    WrongMethod,
    /// The body is longer than so many bytes.
    TooLarge(usize),
    /// The body did not come in time.
    TooSlow,
    /// The body broke off.
    Broken,
    /// The door by type was not told a type that it serves; the text says what it serves.
    NoSuchType(String),
    /// More is going on than may be.
    Busy,
}

/// Names the journal's entry in an answer.
const DELIVERY: HeaderName = HeaderName::from_static("x-landfall-delivery");
/// Seconds after which a sender may try again.
pub(super) const RETRY_AFTER_SECONDS: &str = "5";

impl Answer {
    /// The response, in the manner of the door.
    pub fn at(self, entrance: Entrance) -> Response<Body> {
        let id = self.id();
        let status = self.status();
        let mut response = match entrance {
            _ if let Self::Greeted(handshake) = &self => greeting(handshake),
            Entrance::Path => json(status, &self),
            Entrance::Type => text(status, self.words()),
        };
        let headers = response.headers_mut();
        if let Some(id) = id
            && let Ok(id) = HeaderValue::try_from(id.to_string())
        {
            headers.insert(DELIVERY, id);
        }
        match status {
            StatusCode::METHOD_NOT_ALLOWED => {
                headers.insert(ALLOW, HeaderValue::from_static("POST"));
            }
            StatusCode::SERVICE_UNAVAILABLE => {
                headers.insert(RETRY_AFTER, HeaderValue::from_static(RETRY_AFTER_SECONDS));
            }
            // What is left of the body is not worth reading.
            StatusCode::PAYLOAD_TOO_LARGE | StatusCode::REQUEST_TIMEOUT => {
                headers.insert(CONNECTION, HeaderValue::from_static("close"));
            }
            _ => {}
        }
        response
    }

    fn id(&self) -> Option<EntryId> {
        match self {
            Self::Taken(Taken::Accepted { id, .. } | Taken::Duplicate { id, .. } | Taken::Ignored { id, .. }) => {
                Some(*id)
            }
            Self::Taken(Taken::Evaluated(answers)) => answers.id,
            Self::Taken(Taken::Malformed { id, .. }) => *id,
            _ => None,
        }
    }

    /// What it came to, as a word for counts and logs, out of a closed set.
    pub(super) fn outcome(&self) -> &'static str {
        match self {
            Self::Taken(Taken::Accepted { .. }) => "accepted",
            Self::Taken(Taken::Duplicate { .. }) => "duplicate",
            Self::Taken(Taken::Ignored { .. }) => "ignored",
            Self::Taken(Taken::Evaluated(answers)) => answers.outcome,
            Self::Taken(Taken::Malformed { .. }) => "malformed",
            Self::Taken(Taken::Unavailable) => "unavailable",
            Self::Greeted(_) => "greeted",
            Self::Unknown => "unknown",
            Self::Rejected => "rejected",
            Self::WrongMethod => "wrong_method",
            Self::TooLarge(_) => "too_large",
            Self::TooSlow => "too_slow",
            Self::Broken => "broken",
            Self::NoSuchType(_) => "no_such_type",
            Self::Busy => "busy",
        }
    }

    fn status(&self) -> StatusCode {
        match self {
            // As Kargo has it, although no other attempt would fare better.
            Self::Taken(Taken::Evaluated(answers)) if answers.results.iter().any(ActionResult::is_error) => {
                StatusCode::INTERNAL_SERVER_ERROR
            }
            Self::Taken(Taken::Evaluated(_)) => StatusCode::OK,
            Self::Taken(Taken::Accepted { .. } | Taken::Duplicate { .. } | Taken::Ignored { .. })
            | Self::Greeted(_) => StatusCode::OK,
            Self::Taken(Taken::Malformed { .. }) | Self::NoSuchType(_) | Self::Broken => StatusCode::BAD_REQUEST,
            Self::Taken(Taken::Unavailable) | Self::Busy => StatusCode::SERVICE_UNAVAILABLE,
            Self::Unknown => StatusCode::NOT_FOUND,
            Self::Rejected => StatusCode::UNAUTHORIZED,
            Self::WrongMethod => StatusCode::METHOD_NOT_ALLOWED,
            Self::TooLarge(_) => StatusCode::PAYLOAD_TOO_LARGE,
            Self::TooSlow => StatusCode::REQUEST_TIMEOUT,
        }
    }

    /// What the door by type says.
    fn words(&self) -> String {
        match self {
            Self::Taken(Taken::Accepted { .. }) => "Webhook received and processing".to_owned(),
            Self::Greeted(_) | Self::Taken(Taken::Evaluated(_)) => String::new(),
            Self::Taken(Taken::Duplicate { of, .. }) => format!("Webhook received before, as delivery {of}"),
            Self::Taken(Taken::Ignored { reason, .. }) => format!("Webhook ignored: {reason}"),
            Self::Taken(Taken::Malformed { problem, .. }) => match problem {
                Malformed::Payload(problem) => format!("failed to parse webhook payload: {problem}"),
                other => other.to_string(),
            },
            Self::Taken(Taken::Unavailable) => "the webhook cannot be taken at the moment; try again".to_owned(),
            Self::Busy => "too many requests at once; try again".to_owned(),
            Self::Unknown => "not found".to_owned(),
            Self::Rejected => "unauthorized".to_owned(),
            Self::WrongMethod => "method not allowed: use POST".to_owned(),
            Self::TooLarge(_) => "request body too large".to_owned(),
            Self::TooSlow => "the request body did not arrive in time".to_owned(),
            Self::Broken => "failed to read request body".to_owned(),
            Self::NoSuchType(words) => words.clone(),
        }
    }
}

/// Kargo's way: an object with `msg` or `error`, and a newline.
fn json(status: StatusCode, answer: &Answer) -> Response<Body> {
    let said = match answer {
        // Nothing in these words has to be escaped.
        Answer::Taken(Taken::Accepted {
            matched: Some(matched),
            refreshes,
            ..
        }) => {
            let body = format!("{{\"msg\":\"refreshed {matched} {refreshes}(s)\"}}\n");
            return respond(status, "application/json", body);
        }
        Answer::Taken(Taken::Accepted { refreshes, .. }) => Said::Msg(format!(
            "accepted; each {refreshes} that wants it is refreshed once all of them are known"
        )),
        // The order of the fields is Kargo's, so this is no `Value`, which would sort them.
        Answer::Taken(Taken::Evaluated(answers)) => {
            let results = serde_json::to_string(&answers.results).unwrap_or_default();
            return respond(status, "application/json", format!("{{\"results\":{results}}}\n"));
        }
        Answer::Taken(Taken::Duplicate { of, .. }) => Said::Msg(format!("duplicate of delivery {of}")),
        Answer::Taken(Taken::Ignored { reason, .. }) if reason == PING => Said::Msg(reason.clone()),
        Answer::Taken(Taken::Ignored { reason, .. }) => Said::Msg(format!("ignored: {reason}")),
        Answer::Taken(Taken::Malformed { problem, .. }) => Said::Error(format!("invalid request body: {problem}")),
        Answer::Unknown => return respond(status, "application/json", "{}\n".to_owned()),
        Answer::TooLarge(limit) => Said::Error(format!("content exceeds limit of {limit} bytes")),
        other => Said::Error(other.words()),
    };
    // A field with a text in it is always JSON.
    let mut body = serde_json::to_string(&said).unwrap_or_default();
    body.push('\n');
    respond(status, "application/json", body)
}

/// The only field of an answer in JSON.
#[derive(Serialize)]
#[serde(rename_all = "lowercase")]
enum Said {
    Msg(String),
    Error(String),
}

/// Image Updater's way: text, which ends in a newline and is not to be sniffed at unless all is well.
pub(super) fn text(status: StatusCode, words: String) -> Response<Body> {
    let ok = status.is_success();
    let body = if ok { words } else { format!("{words}\n") };
    let mut response = respond(status, "text/plain; charset=utf-8", body);
    if !ok {
        response
            .headers_mut()
            .insert("x-content-type-options", HeaderValue::from_static("nosniff"));
    }
    response
}

/// In the words of whoever asked, whichever door it came through.
fn greeting(handshake: &Handshake) -> Response<Body> {
    match handshake {
        Handshake::ValidationCode(code) => {
            let body = serde_json::json!({ "validationResponse": code });
            respond(StatusCode::OK, "application/json", body.to_string())
        }
        Handshake::Origin(origin) => {
            let mut response = Response::new(Body::empty());
            let headers = response.headers_mut();
            headers.insert(ALLOW, HeaderValue::from_static("POST"));
            headers.insert("webhook-allowed-rate", HeaderValue::from_static("*"));
            if let Ok(origin) = HeaderValue::from_str(origin) {
                headers.insert("webhook-allowed-origin", origin);
            }
            response
        }
    }
}

fn respond(status: StatusCode, content_type: &'static str, body: String) -> Response<Body> {
    let mut response = Response::new(Body::from(body));
    *response.status_mut() = status;
    response
        .headers_mut()
        .insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
    response
}
