//! Connections to an API server, HTTP/1.1 over TLS, that cost little themselves: what is measured is the API server, and not a
//! client library. It does not know why anything is asked or changed.

use std::fs;
use std::io::{BufRead, BufReader, Read, Write as _};
use std::net::TcpStream;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use landfall_harness::ApiServer;
use landfall_harness::http::Request;
use rustls::crypto::aws_lc_rs;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};
use serde_json::Value;

use crate::metadata::{self, Event};

/// Of objects that are changed or watched only the metadata come back, in the form that landfall asks for. It is the form that the garbage
/// collector of every cluster watches in, too, which does not run here: an API server encodes an event once for each form.
const METADATA: &str = "application/vnd.kubernetes.protobuf;as=PartialObjectMetadata;g=meta.k8s.io;v=v1, \
                        application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1";
const EVERYTHING: &str = "application/json";
/// A busy API server takes a while for many that ask at once.
const PATIENCE: Duration = Duration::from_secs(120);

/// Where an API server is, and who may do everything there.
#[derive(Clone)]
pub struct Api {
    host: String,
    authorization: String,
    client: Arc<ClientConfig>,
}

/// A connection that is kept.
pub struct Connection {
    stream: BufReader<StreamOwned<ClientConnection, TcpStream>>,
    api: Api,
}

impl Api {
    /// Finds it in the kubeconfig, which is JSON.
    pub fn of(server: &ApiServer) -> Result<Self> {
        let kubeconfig: Value = serde_json::from_str(&fs::read_to_string(server.kubeconfig())?)?;
        let text = |value: &Value| {
            value
                .as_str()
                .map(str::to_owned)
                .context("the kubeconfig lacks a field")
        };
        let cluster = &kubeconfig["clusters"][0]["cluster"];
        let url = text(&cluster["server"])?;
        let token = text(&kubeconfig["users"][0]["user"]["token"])?;
        let mut roots = RootCertStore::empty();
        for certificate in CertificateDer::pem_file_iter(text(&cluster["certificate-authority"])?)? {
            // The server's own comes first, and the authority's, which alone is to be trusted, after it.
            let _ = roots.add(certificate?);
        }
        let client = ClientConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
            .with_safe_default_protocol_versions()?
            .with_root_certificates(roots)
            .with_no_client_auth();
        Ok(Self {
            host: url.trim_start_matches("https://").to_owned(),
            authorization: format!("Bearer {token}"),
            client: Arc::new(client),
        })
    }

    /// A connection whose handshake is done.
    pub fn connect(&self) -> Result<Connection> {
        let name = ServerName::try_from("127.0.0.1")?;
        let socket = TcpStream::connect(&self.host).with_context(|| format!("cannot connect to {}", self.host))?;
        socket.set_nodelay(true)?;
        socket.set_read_timeout(Some(PATIENCE))?;
        let mut stream = StreamOwned::new(ClientConnection::new(self.client.clone(), name)?, socket);
        stream.conn.complete_io(&mut stream.sock).context("no handshake")?;
        Ok(Connection {
            stream: BufReader::new(stream),
            api: self.clone(),
        })
    }

    /// So many of them.
    pub fn connect_all(&self, count: usize) -> Result<Vec<Connection>> {
        (0..count).map(|_| self.connect()).collect()
    }
}

impl Connection {
    /// Sends what is to be changed, and waits until it is.
    pub fn change(&mut self, method: &str, path: &str, content_type: &str, body: &str) -> Result<()> {
        let request = Request::new(method, path)
            .header("Accept", METADATA)
            .header("Content-Type", content_type)
            .body(body);
        let (status, answer) = self.exchange(request)?;
        ensure!(status / 100 == 2, "{method} {path} was answered {status}: {answer}");
        Ok(())
    }

    /// The answer to a question.
    pub fn ask(&mut self, path: &str) -> Result<Value> {
        let (status, answer) = self.exchange(Request::new("GET", path).header("Accept", EVERYTHING))?;
        ensure!(status == 200, "GET {path} was answered {status}: {answer}");
        serde_json::from_str(&answer).context("the API server sent no JSON")
    }

    /// Has the API server collect its garbage, which a profile of its memory begins with.
    pub fn collect(&mut self) -> Result<()> {
        let (status, answer) = self.exchange(Request::new("GET", "/debug/pprof/heap?gc=1"))?;
        ensure!(status == 200, "the profile was answered {status}: {answer}");
        Ok(())
    }

    /// Watches metadata, and hands each event to `take`, until the API server ends that.
    pub fn watch(mut self, path: &str, mut take: impl FnMut(Event)) -> Result<()> {
        // It may be silent for as long as it likes.
        self.stream.get_ref().sock.set_read_timeout(None)?;
        self.send(Request::new("GET", path).header("Accept", METADATA))?;
        let (status, framing) = self.head()?;
        ensure!(status == 200, "the watch was answered {status}");
        ensure!(matches!(framing, Framing::Chunked), "the watch has no chunks");
        let mut events = BufReader::new(Chunks {
            stream: &mut self.stream,
            left: 0,
        });
        while let Some(event) = metadata::read(&mut events)? {
            take(event);
        }
        Ok(())
    }

    fn exchange(&mut self, request: Request) -> Result<(u16, String)> {
        self.send(request)?;
        let (status, framing) = self.head()?;
        let mut body = Vec::new();
        match framing {
            Framing::Length(length) => {
                body.resize(length, 0);
                self.stream.read_exact(&mut body)?;
            }
            Framing::Chunked => {
                let stream = &mut self.stream;
                Chunks { stream, left: 0 }.read_to_end(&mut body)?;
            }
        }
        Ok((status, String::from_utf8_lossy(&body).into_owned()))
    }

    fn send(&mut self, request: Request) -> Result<()> {
        let request = request.header("Authorization", &self.api.authorization);
        let bytes = request.to_bytes(&self.api.host);
        Ok(self.stream.get_mut().write_all(&bytes)?)
    }

    /// Reads what comes before a body: the status, and how the body's end is found.
    fn head(&mut self) -> Result<(u16, Framing)> {
        let first = line(&mut self.stream)?;
        let status = first.split(' ').nth(1).and_then(|status| status.parse().ok());
        let status = status.with_context(|| format!("{first:?} is no status line"))?;
        let mut framing = Framing::Length(0);
        loop {
            let header = line(&mut self.stream)?.to_ascii_lowercase();
            match header.split_once(": ") {
                Some(("content-length", length)) => framing = Framing::Length(length.parse()?),
                Some(("transfer-encoding", "chunked")) => framing = Framing::Chunked,
                Some(_) => {}
                None => return Ok((status, framing)),
            }
        }
    }
}

/// How the end of a body is found.
enum Framing {
    Length(usize),
    Chunked,
}

/// A body in chunks, as it comes.
struct Chunks<'a, S> {
    stream: &'a mut S,
    /// What is still to come of the current chunk, and of the line that ends it.
    left: usize,
}

impl<S: BufRead> Read for Chunks<'_, S> {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        const END: usize = "\r\n".len();
        if self.left == 0 {
            let size = line(self.stream)?;
            let size = usize::from_str_radix(size.trim(), 16).map_err(std::io::Error::other)?;
            self.left = size + END;
            if size == 0 {
                line(self.stream)?;
                self.left = 0;
                return Ok(0);
            }
        }
        let wanted = buffer.len().min(self.left - END);
        let read = self.stream.read(&mut buffer[..wanted])?;
        self.left -= read;
        if self.left == END {
            line(self.stream)?;
            self.left = 0;
        }
        Ok(read)
    }
}

/// A line without its end.
fn line(stream: &mut impl BufRead) -> std::io::Result<String> {
    let mut line = String::new();
    if stream.read_line(&mut line)? == 0 {
        return Err(std::io::ErrorKind::UnexpectedEof.into());
    }
    Ok(line.trim_end().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn chunks_are_read_to_their_end_and_no_further() {
        let mut stream = &b"3\r\nabc\r\n10\r\n0123456789abcdef\r\n0\r\n\r\nHTTP/1.1"[..];
        let mut body = String::new();
        let mut chunks = Chunks {
            stream: &mut stream,
            left: 0,
        };
        chunks.read_to_string(&mut body).unwrap();
        assert_eq!((body.as_str(), stream), ("abc0123456789abcdef", &b"HTTP/1.1"[..]));
    }

    #[test]
    fn chunks_that_end_early_are_an_error() {
        let mut stream = &b"3\r\nabc\r\n"[..];
        let mut chunks = Chunks {
            stream: &mut stream,
            left: 0,
        };
        assert!(chunks.read_to_string(&mut String::new()).is_err());
    }
}
