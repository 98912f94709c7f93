//! Sends requests for `//webhook` or `/./webhook` to where they were meant for, as Go's HTTP server does.

use axum::body::Body;
use axum::http::header::LOCATION;
use axum::http::{HeaderValue, Response, StatusCode, Uri};
use axum::response::IntoResponse as _;

/// The paths that requests can be sent to. A receiver's own path is not among them: it has to be right.
const MEANT: [&str; 3] = ["/webhook", "/healthz", "/readyz"];

/// Where to go instead, if this is a path with a slip. The query goes along.
pub(super) fn redirect(uri: &Uri) -> Option<Response<Body>> {
    let clean = clean(uri.path());
    let meant = MEANT.iter().find(|meant| **meant == clean && uri.path() != **meant)?;
    let location = match uri.query() {
        Some(query) => format!("{meant}?{query}"),
        None => (*meant).to_owned(),
    };
    let mut response = Response::new(Body::empty());
    *response.status_mut() = StatusCode::TEMPORARY_REDIRECT;
    // What came as a URI is visible ASCII, as a header has to be.
    response
        .headers_mut()
        .insert(LOCATION, HeaderValue::try_from(location).ok()?);
    Some(response)
}

/// What `/webhook/` gets, which Go takes for another page.
pub(super) async fn no_page() -> Response<Body> {
    let headers = [("x-content-type-options", "nosniff")];
    (StatusCode::NOT_FOUND, headers, "404 page not found\n").into_response()
}

/// The path without empty parts, `.` and `..`.
fn clean(path: &str) -> String {
    let mut parts = Vec::new();
    for part in path.split('/') {
        match part {
            "" | "." => {}
            ".." => {
                parts.pop();
            }
            part => parts.push(part),
        }
    }
    let slash = if path.ends_with('/') && !parts.is_empty() {
        "/"
    } else {
        ""
    };
    format!("/{}{slash}", parts.join("/"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slips_are_mended() {
        for (uri, expected) in [
            (
                "//webhook?type=quay.io&secret=a%20b",
                Some("/webhook?type=quay.io&secret=a%20b"),
            ),
            ("/./webhook", Some("/webhook")),
            ("/a/../webhook", Some("/webhook")),
            ("///healthz", Some("/healthz")),
            ("/webhook", None),
            ("/webhook/", None),
            ("//webhook/", None),
            ("/", None),
            ("//", None),
            ("//dockerhub/0123", None),
            ("/webhooks", None),
        ] {
            // As a request line has it, where `//webhook` is a path and no host.
            let uri = Uri::builder().path_and_query(uri).build().unwrap();
            let response = redirect(&uri);
            let location = response
                .as_ref()
                .map(|response| response.headers()[LOCATION].to_str().unwrap());
            assert_eq!(location, expected, "{uri}");
        }
    }
}
