//! Accepts connections: so many at once, each cut off when it is slow or idle, all let finish at the end.

use std::io;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::ConnectInfo;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::GracefulShutdown;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tower::ServiceExt as _;

use super::Limits;
use super::address::{Host, ListenAddress};

/// How long requests that have begun may take when the process is told to stop.
const DRAIN: Duration = Duration::from_secs(10);
/// How long to wait after a connection could not be accepted, for example for want of file descriptors.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);
/// Heads of requests beyond this are refused by hyper with 431.
const HEAD_BYTES: usize = 64 << 10;

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
    /// Serves until `stop` ends, then lets requests that have begun end.
    pub async fn serve(self, routes: Router, limits: Limits, stop: impl Future<Output = ()>) {
        let slots = Arc::new(Semaphore::new(limits.connections));
        let graceful = GracefulShutdown::new();
        tokio::pin!(stop);
        loop {
            let accepted = async {
                // The semaphore is never closed; if it were, there would be no slot to wait for.
                let slot = slots.clone().acquire_owned().await;
                (slot, self.listener.accept().await)
            };
            let (slot, accepted) = tokio::select! {
                accepted = accepted => accepted,
                () = &mut stop => break,
            };
            match (slot, accepted) {
                (Ok(slot), Ok((stream, peer))) => {
                    let connection = serve_connection(stream, peer, routes.clone(), limits, &graceful);
                    tokio::spawn(async move {
                        connection.await;
                        drop(slot);
                    });
                }
                (_, Err(error)) => {
                    tracing::warn!(%error, "a connection could not be accepted");
                    tokio::time::sleep(ACCEPT_PAUSE).await;
                }
                (Err(_closed), _) => break,
            }
        }
        drop(self.listener);
        if tokio::time::timeout(DRAIN, graceful.shutdown()).await.is_err() {
            tracing::warn!("some requests took too long to end and were cut off");
        }
    }
}

fn serve_connection(
    stream: TcpStream,
    peer: SocketAddr,
    routes: Router,
    limits: Limits,
    graceful: &GracefulShutdown,
) -> impl Future<Output = ()> + Send + 'static {
    // A small answer is to leave at once; where the option is refused, it leaves a little later.
    let _ = stream.set_nodelay(true);
    let service = hyper::service::service_fn(move |request: hyper::Request<Incoming>| {
        let mut request = request.map(axum::body::Body::new);
        request.extensions_mut().insert(ConnectInfo(peer));
        routes.clone().oneshot(request)
    });
    let mut builder = http1::Builder::new();
    builder
        .timer(TokioTimer::new())
        .header_read_timeout(limits.head)
        .max_buf_size(HEAD_BYTES);
    let connection = graceful.watch(builder.serve_connection(TokioIo::new(stream), service));
    async move {
        if let Err(error) = connection.await {
            tracing::debug!(%peer, %error, "a connection ended early");
        }
    }
}
