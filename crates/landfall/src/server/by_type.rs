//! The door by type: `/webhook?type=…`, or the header `X-Registry-Type`, one secret for each sender.

use std::net::SocketAddr;
use std::sync::Arc;

use axum::body::Body;
use axum::extract::{ConnectInfo, State};
use axum::http::{Method, Request};
use axum::response::Response;
use landfall_core::delivery::Entrance;
use landfall_core::receiver::{Receiver, Sender, handshake};

use super::Door;
use super::answer::Answer;
use super::body::query;
use crate::intake::Taken;
use crate::live::Live;
use crate::resources::Known;

/// Image Updater's limit.
const BODY_LIMIT: usize = 1 << 20;

/// So much of an unknown type is said back, in characters: enough to see a slip of the pen.
const ECHOED: usize = 64;

/// Takes a delivery for the receiver of the type that the request names.
pub(super) async fn receive(
    State(door): State<Arc<Door>>,
    ConnectInfo(peer): ConnectInfo<SocketAddr>,
    request: Request<Body>,
) -> Response {
    let live = door.intake.live.load_full();
    let receiver = receiver(&live, &request);
    let sender = receiver.as_ref().ok().map(Receiver::sender);
    let answer = match (request.method(), receiver) {
        _ if !door.admits(peer) => Answer::Busy,
        (&Method::POST, Ok(receiver)) => take(&door, &receiver, peer, request).await,
        (&Method::POST, Err(_)) if live.known == Known::Nothing => Answer::Taken(Taken::Unavailable),
        (&Method::POST, Err(answer)) => answer,
        (&Method::OPTIONS, Ok(receiver)) => greet(&door, &receiver, request).await,
        _ => Answer::WrongMethod,
    };
    door.note(sender, peer, &answer);
    answer.at(Entrance::Type)
}

/// The receiver that the request names; what is wrong with the name is told in the peer's words.
fn receiver(live: &Live, request: &Request<Body>) -> Result<Receiver, Answer> {
    if live.by_type.is_empty() {
        let words = "no webhook handlers are registered; configure at least one *-webhook-secret or set \
                     --webhook-require-secret=false";
        return Err(Answer::NoSuchType(words.to_owned()));
    }
    let parameters = query(request.uri());
    let named = parameters
        .iter()
        .find(|(name, _)| name == "type")
        .map(|(_, value)| value.as_str());
    let header = request
        .headers()
        .get("x-registry-type")
        .and_then(|value| value.to_str().ok());
    let named = named.filter(|named| !named.is_empty()).or(header).unwrap_or_default();
    let known = Sender::from_type_name(named).and_then(|sender| live.by_type.get(&sender));
    known.cloned().ok_or_else(|| {
        let mut supported: Vec<&str> = live.by_type.keys().filter_map(|sender| sender.type_name()).collect();
        supported.sort_unstable();
        let supported = supported.join(", ");
        Answer::NoSuchType(match named {
            "" => format!("missing registry type parameter. Supported types: {supported}"),
            _ => {
                let named: String = named.chars().take(ECHOED).collect();
                format!("invalid registry type: {named}. Supported types: {supported}")
            }
        })
    })
}

async fn take(door: &Door, receiver: &Receiver, peer: SocketAddr, request: Request<Body>) -> Answer {
    match door.read(request, BODY_LIMIT).await {
        Err(answer) => answer,
        Ok(request) => match receiver.authenticate(request) {
            Err(_rejected) => Answer::Rejected,
            Ok(delivery) => match handshake::of_delivery(&delivery) {
                Some(handshake) => Answer::Greeted(handshake),
                None => Answer::Taken(door.intake.take(delivery, receiver.reach().clone(), peer).await),
            },
        },
    }
}

/// Some senders ask before their first delivery. Nothing is kept of it: nothing has happened.
async fn greet(door: &Door, receiver: &Receiver, request: Request<Body>) -> Answer {
    match door.read(request, BODY_LIMIT).await {
        Err(answer) => answer,
        Ok(request) => match handshake::of_options(receiver, &request) {
            Err(_rejected) => Answer::Rejected,
            Ok(None) => Answer::WrongMethod,
            Ok(Some(handshake)) => Answer::Greeted(handshake),
        },
    }
}
