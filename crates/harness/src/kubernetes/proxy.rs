//! Stands between landfall and an API server: passes requests on, watches event by event, records all of them, and spoils those
//! it is told to. Who asks it speaks plain HTTP. It must not know what the objects mean.

use std::collections::HashMap;
use std::io::{self, BufReader, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};

use anyhow::{Context, Result};
use rustls::crypto::aws_lc_rs;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};

use crate::access_log::RequestLine;
use crate::counting_proxy::{Outcome, Rule, end_to_end, lock, response_bytes};
use crate::http::{self, Request, Response, TIMEOUT};
use crate::wire::{self, Framing};

mod gone;
mod hold;
mod watch;

pub use hold::Held;
use hold::Hold;
use watch::{Form, Watch};

/// A connection to the API server.
type Upstream = BufReader<StreamOwned<ClientConnection, TcpStream>>;

/// How an API server says that the history that a watch wants to go on from is gone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Forgetting {
    /// As the last event of the watch, with the status 200: what `kube-apiserver` does.
    InTheStream,
    /// As the answer's status: what others do that speak its language.
    AsTheAnswer,
}

/// A proxy on a free port of 127.0.0.1. Dropping it ends it and hangs up on everyone.
#[derive(Debug)]
pub struct ApiProxy {
    address: SocketAddr,
    kubeconfig: PathBuf,
    state: Arc<State>,
    accepting: Option<JoinHandle<()>>,
}

#[derive(Debug)]
struct State {
    upstream: String,
    tls: Arc<ClientConfig>,
    ending: AtomicBool,
    requests: Mutex<Vec<RequestLine>>,
    rules: Mutex<Vec<Rule>>,
    holds: Mutex<Vec<Arc<Hold>>>,
    /// No watch goes on from before this revision, and how that is said.
    forgotten: Mutex<Option<(u64, Forgetting)>>,
    /// Open connections by number, so that the end of the proxy can hang up on them; and the watches among them.
    clients: Mutex<HashMap<u64, TcpStream>>,
    watches: Mutex<HashMap<u64, Arc<Watch>>>,
    connections: AtomicU64,
}

impl ApiProxy {
    /// Starts a proxy; whose kubeconfig will be in `folder`, and is not written here.
    pub(super) fn start(upstream: String, certificate: &Path, folder: &Path) -> Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").context("the proxy found no free port")?;
        let address = listener.local_addr().context("a listener without an address")?;
        let state = Arc::new(State {
            upstream,
            tls: Arc::new(trusting(certificate)?),
            ending: AtomicBool::new(false),
            requests: Mutex::default(),
            rules: Mutex::default(),
            holds: Mutex::default(),
            forgotten: Mutex::default(),
            clients: Mutex::default(),
            watches: Mutex::default(),
            connections: AtomicU64::new(0),
        });
        let accepting = thread::spawn({
            let state = Arc::clone(&state);
            move || state.accept(&listener)
        });
        Ok(Self {
            address,
            kubeconfig: folder.join(format!("kubeconfig-proxy-{}", address.port())),
            state,
            accepting: Some(accepting),
        })
    }

    /// `http://127.0.0.1:PORT`.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// The kubeconfig of the user who may do everything, by way of this proxy.
    pub fn kubeconfig(&self) -> &Path {
        &self.kubeconfig
    }

    /// Adds a rule after those there are. The first that fits a request and is not used up applies to it, alone.
    pub fn rule(&self, rule: Rule) {
        lock(&self.state.rules).push(rule);
    }

    /// Removes all rules.
    pub fn clear_rules(&self) {
        lock(&self.state.rules).clear();
    }

    /// Holds up requests of that method whose path and query contain `path`, until what is returned is dropped.
    pub fn hold(&self, method: &str, path: &str) -> Held {
        let hold = Arc::new(Hold::new(method, path));
        lock(&self.state.holds).push(Arc::clone(&hold));
        Held::new(hold)
    }

    /// Forgets what happened up to `revision`: all watches end, and none goes on from before it.
    pub fn forget(&self, revision: u64, forgetting: Forgetting) {
        *lock(&self.state.forgotten) = Some((revision, forgetting));
        let watches: Vec<_> = lock(&self.state.watches).values().cloned().collect();
        for watch in watches {
            let is_told = forgetting == Forgetting::InTheStream;
            watch.end(is_told.then(|| gone::event(watch.form(), revision)).as_deref());
        }
    }

    /// How many of the watches that are going on come in the binary form.
    pub fn binary_watches(&self) -> usize {
        let watches = lock(&self.state.watches);
        watches.values().filter(|watch| watch.form() == Form::Frames).count()
    }

    /// The requests that were answered since the last call, in the order of the answers; a watch when it began.
    pub fn take_requests(&self) -> Vec<RequestLine> {
        std::mem::take(&mut *lock(&self.state.requests))
    }
}

impl Drop for ApiProxy {
    fn drop(&mut self) {
        self.state.ending.store(true, Ordering::SeqCst);
        for hold in lock(&self.state.holds).drain(..) {
            hold.release();
        }
        // Wakes the accepting thread, which then sees that it is to end.
        let _ = TcpStream::connect(self.address);
        if let Some(accepting) = self.accepting.take() {
            let _ = accepting.join();
        }
        for client in lock(&self.state.clients).values() {
            let _ = client.shutdown(Shutdown::Both);
        }
        for watch in lock(&self.state.watches).values() {
            watch.end(None);
        }
    }
}

impl State {
    fn accept(self: &Arc<Self>, listener: &TcpListener) {
        for client in listener.incoming() {
            if self.ending.load(Ordering::SeqCst) {
                return;
            }
            let Ok(client) = client else { continue };
            let number = self.connections.fetch_add(1, Ordering::SeqCst);
            let Ok(clone) = client.try_clone() else { continue };
            lock(&self.clients).insert(number, clone);
            let state = Arc::clone(self);
            thread::spawn(move || {
                // A client that hangs up, or sends no HTTP, is no concern of the proxy's.
                let _ = state.serve(number, client);
                if let Some(client) = lock(&state.clients).remove(&number) {
                    let _ = client.shutdown(Shutdown::Both);
                }
            });
        }
    }

    /// Serves one connection until either side hangs up.
    fn serve(&self, number: u64, client: TcpStream) -> io::Result<()> {
        client.set_nodelay(true)?;
        let mut client = BufReader::new(client);
        while let Some(head) = wire::read_head(&mut client)? {
            let body = wire::read_body(&mut client, Framing::declared(&head.headers, Framing::Length(0))?)?;
            let mut words = head.start_line.split(' ');
            let (method, path) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
            let request = Request {
                headers: end_to_end(&head.headers),
                ..Request::new(method, path).body(body)
            };
            let Some(answer) = self.answer(&request) else {
                self.record(&request, 0);
                return Ok(());
            };
            let answer = match answer {
                Answer::Whole(response) => response,
                Answer::Stream(form, upstream) => {
                    self.record(&request, 200);
                    self.watch(number, form, *upstream, client.get_mut())?;
                    continue;
                }
            };
            self.record(&request, answer.status);
            client.get_mut().write_all(&response_bytes(method, &answer))?;
        }
        Ok(())
    }

    /// What the rules, the forgotten history, or else the API server answer; `None` to hang up.
    fn answer(&self, request: &Request) -> Option<Answer> {
        let holds: Vec<_> = lock(&self.holds)
            .iter()
            .filter(|hold| hold.fits(request))
            .cloned()
            .collect();
        holds.iter().for_each(|hold| hold.wait());
        // The locks must not be held through a delay, which is for one request only.
        let applied = lock(&self.rules)
            .iter_mut()
            .find_map(|rule| rule.apply(&request.method, &request.path));
        let (delay, outcome) = applied.unwrap_or_default();
        thread::sleep(delay);
        match outcome {
            Outcome::Forward => {}
            Outcome::Answer(response) => return Some(Answer::Whole(response)),
            Outcome::HangUp => return None,
        }
        if let Some(response) = self.forgets(request) {
            return Some(Answer::Whole(response));
        }
        Some(
            self.forward(request)
                .unwrap_or_else(|error| Answer::Whole(bad_gateway(&error))),
        )
    }

    /// What is answered to a watch that wants to go on from what is forgotten.
    fn forgets(&self, request: &Request) -> Option<Response> {
        let (revision, forgetting) = (*lock(&self.forgotten))?;
        let from: u64 = parameter(&request.path, "resourceVersion")?.parse().ok()?;
        // Who wants to know everything first needs no history.
        let is_a_beginning = parameter(&request.path, "sendInitialEvents") == Some("true");
        if !is_watch(request) || is_a_beginning || from >= revision {
            return None;
        }
        let (status, body) = match forgetting {
            Forgetting::InTheStream => (200, gone::event(Form::Lines, revision)),
            Forgetting::AsTheAnswer => (410, gone::status(revision).to_string().into_bytes()),
        };
        let headers = vec![("Content-Type".to_owned(), "application/json".to_owned())];
        Some(Response { status, headers, body })
    }

    fn forward(&self, request: &Request) -> Result<Answer> {
        let mut upstream = self.connect()?;
        upstream.get_mut().write_all(&request.to_bytes(&self.upstream))?;
        if !is_watch(request) {
            let (response, _) = http::read_response(&mut upstream, &request.method)?;
            return Ok(Answer::Whole(response));
        }
        let head = wire::read_head(&mut upstream)?.context("the API server hung up without an answer")?;
        let status = http::status_of(&head)?;
        let framing = Framing::declared(&head.headers, Framing::UntilClose)?;
        if status == 200 && framing == Framing::Chunked {
            // It may be silent for long.
            upstream.get_ref().sock.set_read_timeout(None)?;
            let form = Form::of(wire::header(&head.headers, "content-type").unwrap_or_default());
            return Ok(Answer::Stream(form, Box::new(upstream)));
        }
        let body = wire::read_body(&mut upstream, framing)?;
        let headers = head.headers;
        Ok(Answer::Whole(Response { status, headers, body }))
    }

    fn connect(&self) -> Result<Upstream> {
        let address: SocketAddr = self.upstream.parse()?;
        let stream = TcpStream::connect_timeout(&address, TIMEOUT)?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(TIMEOUT))?;
        let connection = ClientConnection::new(Arc::clone(&self.tls), ServerName::from(address.ip()))?;
        Ok(BufReader::new(StreamOwned::new(connection, stream)))
    }

    /// Passes events on until the API server ends them, or history is forgotten.
    fn watch(&self, number: u64, form: Form, mut upstream: Upstream, client: &mut TcpStream) -> io::Result<()> {
        client.write_all(form.head().as_bytes())?;
        let ends = (client.try_clone()?, upstream.get_ref().sock.try_clone()?);
        let watch = Arc::new(Watch::new(form, ends.0, ends.1));
        lock(&self.watches).insert(number, Arc::clone(&watch));
        let passed = watch.pass(&mut upstream);
        lock(&self.watches).remove(&number);
        passed
    }

    fn record(&self, request: &Request, status: u16) {
        let user_agent = wire::header(&request.headers, "user-agent").unwrap_or_default();
        lock(&self.requests).push(RequestLine {
            method: request.method.clone(),
            path: request.path.clone(),
            status,
            user_agent: user_agent.to_owned(),
        });
    }
}

enum Answer {
    Whole(Response),
    Stream(Form, Box<Upstream>),
}

/// A client that trusts whoever a certificate's file names, and nobody else.
fn trusting(certificate: &Path) -> Result<ClientConfig> {
    let mut roots = RootCertStore::empty();
    let file = certificate.display();
    for one in CertificateDer::pem_file_iter(certificate).with_context(|| format!("cannot read {file}"))? {
        roots.add(one.with_context(|| format!("{file} is no certificate"))?)?;
    }
    let config = ClientConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
        .with_safe_default_protocol_versions()?
        .with_root_certificates(roots)
        .with_no_client_auth();
    Ok(config)
}

fn is_watch(request: &Request) -> bool {
    request.method == "GET" && matches!(parameter(&request.path, "watch"), Some("true" | "1"))
}

/// The value of a parameter of a query, as it is written there.
fn parameter<'a>(path: &'a str, name: &str) -> Option<&'a str> {
    let (_, query) = path.split_once('?')?;
    let mut pairs = query.split('&').filter_map(|pair| pair.split_once('='));
    pairs.find_map(|(key, value)| (key == name).then_some(value))
}

fn bad_gateway(error: &anyhow::Error) -> Response {
    Response {
        status: 502,
        headers: Vec::new(),
        body: format!("{error:#}\n").into_bytes(),
    }
}

#[cfg(test)]
mod tests;
