//! Fakes at the wire: a registry that answers as a test says and remembers what it was asked.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::body::Body;
use axum::http::{Request, Response};
use reqwest::Url;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

use super::super::{
    Access, Password, Priority, RegistryClient, RegistryError, RegistryOptions, RepositoryAddress, RepositoryHandle,
    TlsVerification,
};

/// A request as it arrived.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Seen {
    pub(super) method: String,
    pub(super) path: String,
    pub(super) query: String,
    pub(super) authorization: Option<String>,
    pub(super) accept: String,
    pub(super) host: String,
}

/// What to answer.
pub(super) enum Reply {
    Now(Response<Body>),
    Never,
}

impl From<Response<Body>> for Reply {
    fn from(response: Response<Body>) -> Self {
        Self::Now(response)
    }
}

/// A response with headers.
pub(super) fn reply(status: u16, headers: &[(&str, &str)], body: impl Into<Body>) -> Reply {
    let mut response = Response::builder().status(status);
    for (name, value) in headers {
        response = response.header(*name, *value);
    }
    Reply::Now(response.body(body.into()).expect("a test's response is valid"))
}

/// A fake HTTP server on a free port; it ends when dropped.
pub(super) struct Wire {
    port: u16,
    seen: Arc<Mutex<Vec<Seen>>>,
    task: JoinHandle<()>,
}

impl Wire {
    /// Serves what `answer` says to each request; it is given the server's own port.
    pub(super) async fn start(answer: impl Fn(u16, &Seen) -> Reply + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let seen = Arc::new(Mutex::new(Vec::new()));
        let (log, answer) = (Arc::clone(&seen), Arc::new(answer));
        let router = axum::Router::new().fallback(move |request: Request<Body>| {
            let (log, answer) = (Arc::clone(&log), Arc::clone(&answer));
            async move {
                let request = see(&request);
                log.lock().unwrap().push(request.clone());
                match answer(port, &request) {
                    Reply::Now(response) => response,
                    Reply::Never => std::future::pending().await,
                }
            }
        });
        let task = tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
        Self { port, seen, task }
    }

    pub(super) fn host(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }

    pub(super) fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.host())
    }

    pub(super) fn seen(&self) -> Vec<Seen> {
        self.seen.lock().unwrap().clone()
    }

    /// The paths and queries asked, in order.
    pub(super) fn asked(&self) -> Vec<String> {
        self.seen()
            .into_iter()
            .map(|seen| {
                if seen.query.is_empty() {
                    seen.path
                } else {
                    format!("{}?{}", seen.path, seen.query)
                }
            })
            .collect()
    }
}

impl Drop for Wire {
    fn drop(&mut self) {
        self.task.abort();
    }
}

fn see(request: &Request<Body>) -> Seen {
    let header = |name: &str| {
        request
            .headers()
            .get(name)
            .and_then(|value| value.to_str().ok())
            .map(str::to_owned)
    };
    Seen {
        method: request.method().to_string(),
        path: request.uri().path().to_owned(),
        query: request.uri().query().unwrap_or_default().to_owned(),
        authorization: header("authorization"),
        accept: header("accept").unwrap_or_default(),
        host: header("host").unwrap_or_default(),
    }
}

/// A server below HTTP: it counts greetings in TLS and hangs up on them, and answers anything else with fixed bytes.
pub(super) struct RawWire {
    port: u16,
    pub(super) greetings: Arc<Mutex<u32>>,
    task: JoinHandle<()>,
}

/// What a raw server does after its bytes.
#[derive(Clone)]
pub(super) enum Then {
    HangUp,
    /// Sends the bytes given here over and over, until the client hangs up.
    Repeat(Vec<u8>),
    /// Says nothing more, without hanging up.
    Stall,
}

impl RawWire {
    pub(super) async fn start(bytes: &'static [u8], then: Then) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let greetings = Arc::new(Mutex::new(0));
        let counted = Arc::clone(&greetings);
        let task = tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                let (counted, then) = (Arc::clone(&counted), then.clone());
                tokio::spawn(async move {
                    let mut request = [0; 4096];
                    let read = stream.read(&mut request).await.unwrap_or_default();
                    if read == 0 || request[0] == 0x16 {
                        *counted.lock().unwrap() += u32::from(read > 0);
                        return;
                    }
                    let mut alive = stream.write_all(bytes).await.is_ok();
                    match then {
                        Then::HangUp => {}
                        Then::Stall => std::future::pending().await,
                        Then::Repeat(more) => {
                            while alive {
                                alive = stream.write_all(&more).await.is_ok();
                            }
                        }
                    }
                });
            }
        });
        Self { port, greetings, task }
    }

    pub(super) fn host(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }
}

impl Drop for RawWire {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// Options under which tests need not wait: no test here is about the rate.
pub(super) fn options() -> RegistryOptions {
    RegistryOptions {
        requests_per_second: 1_000_000,
        request_timeout: Duration::from_secs(10),
        wait_deadline: Duration::from_secs(5),
        ..RegistryOptions::default()
    }
}

pub(super) fn client() -> RegistryClient {
    RegistryClient::new(options()).unwrap()
}

pub(super) fn basic(username: &str, password: &str) -> Access {
    Access::Basic {
        username: username.into(),
        password: Password::new(password),
    }
}

/// A repository of a host, asked as an event would.
pub(super) fn repository(client: &RegistryClient, host: &str, path: &str, access: Access) -> RepositoryHandle {
    let address = RepositoryAddress {
        host: host.into(),
        path: path.into(),
    };
    client
        .repository(address, access, TlsVerification::Verify, Priority::Event)
        .unwrap()
}

/// A client for which `canonical` is answered by a fake.
pub(super) fn client_with_mirror(canonical: &str, wire: &Wire) -> RegistryClient {
    let mirrors = [(canonical.to_owned(), Url::parse(&wire.url("")).unwrap())].into();
    RegistryClient::new(RegistryOptions { mirrors, ..options() }).unwrap()
}

/// The error's variant, for tables.
pub(super) fn kind(error: &RegistryError) -> &'static str {
    match error {
        RegistryError::NotFound { .. } => "not found",
        RegistryError::Unauthorized { .. } => "unauthorized",
        RegistryError::Denied { .. } => "denied",
        RegistryError::Throttled { .. } => "throttled",
        RegistryError::Unavailable { .. } => "unavailable",
        RegistryError::Rejected { .. } => "rejected",
        RegistryError::Malformed { .. } => "malformed",
        RegistryError::TooLarge { .. } => "too large",
        RegistryError::Refused { .. } => "refused",
    }
}
