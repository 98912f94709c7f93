//! Serves one connection from its first byte to its last, over TLS or without, and cuts it off when it is slow or idle. It must
//! not know what requests mean.

use std::convert::Infallible;
use std::io;
use std::net::SocketAddr;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll};

use axum::Router;
use axum::body::Body;
use axum::extract::ConnectInfo;
use axum::http::{Request, Response};
use http_body::{Frame, SizeHint};
use hyper::body::Incoming;
use hyper::server::conn::{http1, http2};
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::graceful::GracefulConnection;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::sync::watch;
use tower::ServiceExt as _;

use super::places::{Busy, Guest, Patience};
use super::tls::{Tls, TlsStream};

/// Heads of requests beyond this are refused with 431, or at the latest beyond the double: the last piece is read whole.
/// Senders' heads have a few hundred bytes, a proxy's a few thousand.
const HEAD_BYTES: usize = 32 << 10;
/// Requests at once on one connection of HTTP/2. No sender needs more, and each costs memory.
const STREAMS: u32 = 32;
/// What a connection of HTTP/2 may send before we have read it: the least that the protocol allows. Bodies that are being read
/// are counted; these bytes are not.
const WINDOW: u32 = 65_535;
/// The first byte of every connection over TLS: a record of its handshake.
const HANDSHAKE: u8 = 0x16;
/// What Go says to a client that forgot the `s` of `https`.
const NOT_TLS: &[u8] = b"HTTP/1.0 400 Bad Request\r\n\r\nClient sent an HTTP request to an HTTPS server.\n";
/// So much of a request that nobody answers is read, so that the client sees why before the connection ends.
const UNREAD: u64 = 64 << 10;

/// What all connections of a listener share.
pub(super) struct Serving {
    pub routes: Router,
    pub tls: Option<Tls>,
    pub patience: Patience,
}

/// What a connection is about.
pub(super) struct Connected {
    pub stream: TcpStream,
    pub peer: SocketAddr,
    pub guest: Guest,
    /// Becomes true when the process is to end.
    pub stopping: watch::Receiver<bool>,
}

/// What a client turns out to speak.
enum Spoken {
    Plainly(TcpStream),
    Securely(Box<TlsStream<TcpStream>>, Version),
    /// Nothing that is served; it was told so, if it would understand.
    Nothing,
}

/// The versions of HTTP. The second is spoken only where it was agreed on in the handshake of TLS.
enum Version {
    Http1,
    Http2,
}

/// A connection on which requests can come.
struct Conversation {
    peer: SocketAddr,
    guest: Arc<Guest>,
    stopping: watch::Receiver<bool>,
}

impl Serving {
    /// Serves a connection to its end.
    pub(super) async fn serve(self: Arc<Self>, connected: Connected) {
        let Connected {
            stream,
            peer,
            guest,
            stopping,
        } = connected;
        // A small answer is to leave at once; where the option is refused, it leaves a little later.
        let _ = stream.set_nodelay(true);
        let spoken = tokio::select! {
            spoken = self.listen(stream) => spoken,
            () = guest.overstays(self.patience) => return,
        };
        guest.waits_anew();
        let guest = Arc::new(guest);
        let conversation = Conversation { peer, guest, stopping };
        match spoken {
            Err(error) => tracing::debug!(%peer, %error, "a connection could not be secured"),
            Ok(Spoken::Nothing) => tracing::debug!(%peer, "what came is not what is spoken here"),
            Ok(Spoken::Plainly(stream)) => self.converse(stream, Version::Http1, conversation).await,
            Ok(Spoken::Securely(stream, version)) => self.converse(stream, version, conversation).await,
        }
    }

    async fn converse<S>(&self, stream: S, version: Version, conversation: Conversation)
    where
        S: AsyncRead + AsyncWrite + Send + Unpin + 'static,
    {
        let stream = TokioIo::new(stream);
        let (routes, peer, guest) = (self.routes.clone(), conversation.peer, conversation.guest.clone());
        let service = hyper::service::service_fn(move |request| answer(routes.clone(), guest.begins(), peer, request));
        match version {
            Version::Http1 => {
                let mut builder = http1::Builder::new();
                // The guest's patience is what bounds the time for a head.
                builder.header_read_timeout(None).max_buf_size(HEAD_BYTES);
                // Who has sent a whole request and hangs up before the answer has sent it all the same.
                builder.half_close(true);
                drive(builder.serve_connection(stream, service), conversation, self.patience).await;
            }
            Version::Http2 => {
                let mut builder = http2::Builder::new(TokioExecutor::new());
                builder
                    .max_concurrent_streams(STREAMS)
                    .max_header_list_size(HEAD_BYTES as u32)
                    .initial_stream_window_size(WINDOW)
                    .initial_connection_window_size(WINDOW)
                    .max_send_buf_size(HEAD_BYTES);
                drive(builder.serve_connection(stream, service), conversation, self.patience).await;
            }
        }
    }

    async fn listen(&self, stream: TcpStream) -> io::Result<Spoken> {
        let Some(tls) = &self.tls else {
            return Ok(Spoken::Plainly(stream));
        };
        let mut first = [0];
        if stream.peek(&mut first).await? > 0 && first[0] != HANDSHAKE {
            if first[0].is_ascii_uppercase() {
                refuse(stream).await?;
            }
            return Ok(Spoken::Nothing);
        }
        let stream = tls.acceptor.accept(stream).await?;
        let version = match stream.get_ref().1.alpn_protocol() {
            Some(b"h2") => Version::Http2,
            _ => Version::Http1,
        };
        Ok(Spoken::Securely(Box::new(stream), version))
    }
}

/// Tells a client that it does not speak TLS. What it sends is read for a while: a connection that is closed over unread bytes
/// is reset, and the client never sees what it was told.
async fn refuse(mut stream: TcpStream) -> io::Result<()> {
    stream.write_all(NOT_TLS).await?;
    stream.shutdown().await?;
    tokio::io::copy(&mut stream.take(UNREAD), &mut tokio::io::sink()).await?;
    Ok(())
}

async fn answer(
    routes: Router,
    busy: Busy,
    peer: SocketAddr,
    request: Request<Incoming>,
) -> Result<Response<Handed>, Infallible> {
    let mut request = request.map(Body::new);
    request.extensions_mut().insert(ConnectInfo(peer));
    let response = routes.oneshot(request).await?;
    Ok(response.map(|body| Handed { body, _busy: busy }))
}

/// Drives a connection until it ends or has to.
async fn drive<C>(connection: C, conversation: Conversation, patience: Patience)
where
    C: GracefulConnection,
    C::Error: std::fmt::Display,
{
    let Conversation {
        peer,
        guest,
        mut stopping,
    } = conversation;
    let mut connection = pin!(connection);
    let mut overstays = pin!(guest.overstays(patience));
    let mut is_stopping = false;
    loop {
        tokio::select! {
            ended = connection.as_mut() => {
                if let Err(error) = ended {
                    tracing::debug!(%peer, %error, "a connection ended early");
                }
                return;
            }
            () = &mut overstays => {
                tracing::debug!(%peer, "a connection was slow or idle, and is cut off");
                return;
            }
            _ = stopping.wait_for(|stopping| *stopping), if !is_stopping => {
                is_stopping = true;
                connection.as_mut().graceful_shutdown();
            }
        }
    }
}

/// The body of an answer. Until it has been handed over, its request is not done.
struct Handed {
    body: Body,
    _busy: Busy,
}

impl http_body::Body for Handed {
    type Data = <Body as http_body::Body>::Data;
    type Error = <Body as http_body::Body>::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Self::Data>, Self::Error>>> {
        Pin::new(&mut self.body).poll_frame(context)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
