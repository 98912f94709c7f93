//! The door by path: `<base path>/<receiver type>/<hash>`, one address for each receiver of a project or the cluster.

use std::net::SocketAddr;

use axum::body::Body;
use axum::extract::{ConnectInfo, State};
use axum::http::{Method, Request};
use axum::response::Response;
use landfall_core::delivery::Entrance;
use landfall_core::receiver::Receiver;

use super::answer::Answer;
use super::{Door, unclean};
use crate::intake::Taken;

/// Kargo's limit.
const BODY_LIMIT: usize = 2 << 20;

/// Takes a delivery for the receivers behind the request's path.
pub(super) async fn receive(
    State(door): State<Door>,
    ConnectInfo(peer): ConnectInfo<SocketAddr>,
    request: Request<Body>,
) -> Response {
    let live = door.intake.live.load_full();
    let receivers = live.doors.behind(request.uri().path());
    let receivers = receivers.as_deref();
    let answer = match receivers {
        None if let Some(elsewhere) = unclean::redirect(request.uri()) => return elsewhere,
        _ if !door.admits(peer) => Answer::Busy,
        // Whether somebody is there, nobody can tell yet, or not now.
        None if !live.is_known || live.doors.withholds(request.uri().path()) => Answer::Taken(Taken::Unavailable),
        None => Answer::Unknown,
        Some(_) if request.method() != Method::POST => Answer::WrongMethod,
        Some(receivers) => take(&door, receivers, peer, request).await,
    };
    let sender = receivers.and_then(|receivers| receivers.first()).map(Receiver::sender);
    door.note(sender, peer, &answer);
    answer.at(Entrance::Path)
}

/// Almost always there is one receiver. Where two derive the same path, each gets the delivery, and the sender the first
/// answer that is no success.
async fn take(door: &Door, receivers: &[Receiver], peer: SocketAddr, request: Request<Body>) -> Answer {
    let request = match door.read(request, BODY_LIMIT).await {
        Ok(request) => request,
        Err(answer) => return answer,
    };
    let mut total: Option<Taken> = None;
    // The last receiver, almost always the only one, gets the request itself.
    let requests = std::iter::repeat_n(request, receivers.len());
    for (receiver, request) in receivers.iter().zip(requests) {
        let Ok(delivery) = receiver.authenticate(request) else {
            return Answer::Rejected;
        };
        let taken = door.intake.take(delivery, receiver.reach().clone(), peer).await;
        match (&mut total, taken) {
            (_, refused @ (Taken::Malformed(_) | Taken::Unavailable)) => return Answer::Taken(refused),
            (Some(Taken::Accepted { matched, .. }), Taken::Accepted { matched: more, .. }) => *matched += more,
            (Some(Taken::Accepted { .. }), _) => {}
            (total, taken) => *total = Some(taken),
        }
    }
    total.map_or(Answer::Unknown, Answer::Taken)
}
