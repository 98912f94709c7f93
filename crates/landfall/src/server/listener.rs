//! Listens at an address, gives each connection that comes a place, and lets all finish at the end.

use std::io;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

use super::Limits;
use super::address::{Host, ListenAddress};
use super::connection::{Connected, Serving};
use super::places::{Patience, Places};
use super::tls::Tls;

/// How long to wait after a connection could not be accepted, for example for want of file descriptors.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);
/// How long a request may take beside its body. The journal answers in milliseconds; this bounds what nobody thought of.
const ANSWERING: Duration = Duration::from_secs(30);

/// An address that is listened at.
pub struct Bound {
    listener: TcpListener,
    /// The address, with the port that was given where 0 was asked for.
    pub address: SocketAddr,
}

/// Listens at an address.
pub async fn bind(address: &ListenAddress) -> io::Result<Bound> {
    let port = address.port;
    let listener = match &address.host {
        Host::Address(address) => TcpListener::bind((*address, port)).await?,
        Host::Name(name) => TcpListener::bind((name.as_str(), port)).await?,
        // The address for everything of the newer family takes connections of both.
        Host::Every => match TcpListener::bind((Ipv6Addr::UNSPECIFIED, port)).await {
            Err(error) if error.kind() != io::ErrorKind::AddrInUse => {
                TcpListener::bind((Ipv4Addr::UNSPECIFIED, port)).await?
            }
            bound => bound?,
        },
    };
    let address = listener.local_addr()?;
    Ok(Bound { listener, address })
}

impl Bound {
    /// Serves until `stop` has ended for as long as it lingers, then lets requests that have begun end.
    pub async fn serve(self, routes: Router, tls: Option<Tls>, limits: Limits, stop: impl Future<Output = ()>) {
        let patience = Patience {
            waiting: limits.head,
            answering: limits.body + ANSWERING,
        };
        let serving = Arc::new(Serving { routes, tls, patience });
        let places = Places::new(limits.connections);
        let (stopping, is_stopping) = watch::channel(false);
        let end = async {
            stop.await;
            tokio::time::sleep(limits.linger).await;
        };
        tokio::select! {
            never = accept_all(&self.listener, &serving, &places, &is_stopping) => match never {},
            () = end => {}
        }
        drop(self.listener);
        stopping.send_replace(true);
        if tokio::time::timeout(limits.drain, places.empty()).await.is_err() {
            tracing::warn!("some requests took too long to end and were cut off");
        }
    }
}

async fn accept_all(
    listener: &TcpListener,
    serving: &Arc<Serving>,
    places: &Places,
    is_stopping: &watch::Receiver<bool>,
) -> std::convert::Infallible {
    loop {
        let (stream, peer) = accept(listener).await;
        // Further ones wait with the system, where they cost us nothing.
        let guest = places.take().await;
        let connected = Connected {
            stream,
            peer,
            guest,
            stopping: is_stopping.clone(),
        };
        tokio::spawn(serving.clone().serve(connected));
    }
}

async fn accept(listener: &TcpListener) -> (TcpStream, SocketAddr) {
    loop {
        match listener.accept().await {
            // A listener for both families shows addresses of the older one within the newer.
            Ok((stream, peer)) => return (stream, SocketAddr::new(peer.ip().to_canonical(), peer.port())),
            Err(error) => {
                tracing::warn!(%error, "a connection could not be accepted");
                tokio::time::sleep(ACCEPT_PAUSE).await;
            }
        }
    }
}
