//! The door by path: `<base path>/<receiver type>/<hash>`, one address for each receiver of a project or the cluster.

use std::net::SocketAddr;
use std::sync::Arc;

use axum::body::Body;
use axum::extract::{ConnectInfo, State};
use axum::http::{Method, Request};
use axum::response::Response;
use landfall_core::delivery::Entrance;
use landfall_core::receiver::{Receiver, handshake};

use super::answer::Answer;
use super::{Door, unclean};
use crate::intake::Taken;
use crate::resources::Known;

/// Kargo's limit.
const BODY_LIMIT: usize = 2 << 20;

/// Takes a delivery for the receiver behind the request's path.
pub(super) async fn receive(
    State(door): State<Arc<Door>>,
    ConnectInfo(peer): ConnectInfo<SocketAddr>,
    request: Request<Body>,
) -> Response {
    let live = door.intake.live.load_full();
    let receiver = live.doors.behind(request.uri().path());
    let answer = match &receiver {
        None if let Some(elsewhere) = unclean::redirect(request.uri()) => return elsewhere,
        _ if !door.admits(peer) => Answer::Busy,
        // Whether somebody is there, nobody can tell yet, or not now.
        None if live.known == Known::Nothing || live.hides_receivers || live.doors.withholds(request.uri().path()) => {
            Answer::Taken(Taken::Unavailable)
        }
        None => Answer::Unknown,
        Some(_) if request.method() != Method::POST => Answer::WrongMethod,
        Some(receiver) => take(&door, receiver, peer, request).await,
    };
    door.note(receiver.map(|receiver| receiver.sender()), peer, &answer);
    answer.at(Entrance::Path)
}

async fn take(door: &Door, receiver: &Receiver, peer: SocketAddr, request: Request<Body>) -> Answer {
    let request = match door.read(request, BODY_LIMIT).await {
        Ok(request) => request,
        Err(answer) => return answer,
    };
    match receiver.authenticate(request) {
        Err(_rejected) => Answer::Rejected,
        Ok(delivery) => match handshake::of_delivery(&delivery) {
            Some(handshake) => Answer::Greeted(handshake),
            None => Answer::Taken(door.intake.take(delivery, receiver.reach().clone(), peer).await),
        },
    }
}
