//! Lets a panic cost one request: whoever sent it is told so, and the connection goes on.

use std::any::Any;

use axum::Router;
use axum::body::Body;
use axum::http::{HeaderValue, Response, StatusCode, header};
use tower_http::catch_panic::CatchPanicLayer;

/// The same routes, none of which ends its connection with a panic.
pub(super) fn caught(routes: Router) -> Router {
    routes.layer(CatchPanicLayer::custom(answer))
}

/// What a panic says has been written to standard error with its place; it is nobody else's business.
fn answer(_said: Box<dyn Any + Send>) -> Response<Body> {
    tracing::error!("a request ended in a bug of landfall's; the lines before this one say where");
    let mut response = Response::new(Body::from("internal error\n"));
    *response.status_mut() = StatusCode::INTERNAL_SERVER_ERROR;
    let headers = response.headers_mut();
    headers.insert(
        header::CONTENT_TYPE,
        HeaderValue::from_static("text/plain; charset=utf-8"),
    );
    headers.insert("x-content-type-options", HeaderValue::from_static("nosniff"));
    response
}
