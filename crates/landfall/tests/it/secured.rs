//! A landfall that speaks TLS, and clients that speak it with landfall. It must not know what any story expects.

use std::fs;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Output, Stdio};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use landfall_harness::http::{self, Request, Response};
use landfall_harness::{free_port, wait};
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, aws_lc_rs, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{ClientConfig, ClientConnection, DigitallySignedStruct, SignatureScheme, StreamOwned};
use tempfile::TempDir;

use super::world::{BINARY, PATIENCE, PROOF};

/// A running `landfall serve` at 127.0.0.1 with a listener for probes. Dropping it is SIGKILL.
pub struct Secured {
    child: Child,
    /// Where its door is.
    pub host: String,
    /// Where its probes are.
    pub probes: String,
    pub folder: TempDir,
}

impl Secured {
    /// Starts it in a folder that `prepare` fills, with the arguments that it returns, and waits until it is ready.
    pub fn start(prepare: impl FnOnce(&Path) -> Vec<String>) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let arguments = prepare(folder.path());
        let [host, probes] = [(); 2].map(|()| format!("127.0.0.1:{}", free_port().unwrap()));
        let log = fs::File::create(folder.path().join("log")).unwrap();
        let child = command(folder.path())
            // A flag has the last word.
            .env("LANDFALL_LISTEN", &host)
            .args(["--health-probe-bind-address", &probes])
            .args(arguments)
            .stderr(log)
            .spawn()
            .unwrap();
        let mut started = Self {
            child,
            host,
            probes,
            folder,
        };
        let ready = wait::until(PATIENCE, "landfall to be ready", || {
            assert_eq!(started.child.try_wait().unwrap(), None, "{}", started.log());
            (started.probe("/readyz")?.status == 200).then_some(())
        });
        ready.unwrap_or_else(|error| panic!("{error}: {}", started.log()));
        started
    }

    /// Starts it with a certificate for localhost, and further arguments.
    pub fn with(arguments: &[&str]) -> Self {
        Self::start(|folder| {
            ecdsa(folder, "localhost");
            [files(folder), arguments.iter().map(ToString::to_string).collect()].concat()
        })
    }

    /// What a probe is told; `None` if nobody answers.
    pub fn probe(&self, path: &str) -> Option<Response> {
        http::send(&self.probes, &Request::new("GET", path)).ok()
    }

    /// What it wrote to its log.
    pub fn log(&self) -> String {
        fs::read_to_string(self.folder.path().join("log")).unwrap()
    }

    pub fn connect(&self) -> Client<TcpStream> {
        Client::new(tcp(&self.host))
    }

    /// A connection whose handshake is done.
    pub fn secured(&self) -> Client<Tls> {
        Client::new(tls(&self.host, &[]))
    }

    /// A good delivery, over a connection of its own, is taken.
    pub fn takes(&self) {
        let answer = self.secured().ask(&delivery());
        assert_eq!(
            answer,
            (200, "Webhook received and processing".to_owned()),
            "{}",
            self.log()
        );
    }

    /// Asks it to end with SIGTERM; the caller waits.
    pub fn terminate(&self) {
        let process = rustix::process::Pid::from_child(&self.child);
        rustix::process::kill_process(process, rustix::process::Signal::TERM).unwrap();
    }

    pub fn ended(&mut self) -> ExitStatus {
        wait::until(PATIENCE, "landfall to end", || self.child.try_wait().unwrap()).unwrap()
    }

    /// Memory in use, in KiB.
    pub fn memory(&self) -> u64 {
        let status = fs::read_to_string(format!("/proc/{}/status", self.child.id())).unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
        line.trim().trim_end_matches(" kB").parse().unwrap()
    }
}

impl Drop for Secured {
    fn drop(&mut self) {
        // One that has ended already is as dead.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// `serve` in a folder, with none of the environment's settings.
pub fn command(folder: &Path) -> Command {
    let manifests = folder.join("manifests");
    fs::create_dir_all(&manifests).unwrap();
    let mut command = Command::new(BINARY);
    command
        .env_clear()
        .env("DISTRIBUTION_WEBHOOK_SECRET", PROOF)
        .arg("serve")
        .arg("--manifests")
        .arg(manifests)
        .arg("--data-dir")
        .arg(folder.join("data"))
        .stdin(Stdio::null());
    command
}

/// The flags for the certificate in a folder.
pub fn files(folder: &Path) -> Vec<String> {
    let flag = |flag: &str, file: &str| format!("{flag}={}", folder.join(file).display());
    vec![flag("--tls-cert", "tls.crt"), flag("--tls-key", "tls.key")]
}

/// A delivery that no other call returns, over a connection that is kept.
pub fn delivery() -> Request {
    Request::new("POST", "/webhook?type=distribution")
        .header("Authorization", PROOF)
        .body(super::world::envelope(&[("127.0.0.1:1", "example/app", "1.0.0")]))
}

/// Makes `tls.crt` and `tls.key` in a folder, with a new key on P-256.
pub fn ecdsa(folder: &Path, name: &str) {
    certificate(folder, name, &["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256"]);
}

/// Makes `tls.crt` and `tls.key` in a folder, with a new RSA key.
pub fn rsa(folder: &Path, name: &str) {
    certificate(folder, name, &["-newkey", "rsa:2048"]);
}

fn certificate(folder: &Path, name: &str, key: &[&str]) {
    let subject = format!("/CN={name}");
    let made = [
        "-out", "tls.crt", "-keyout", "tls.key", "-days", "90", "-subj", &subject,
    ];
    openssl(folder, &[&["req", "-x509", "-nodes"], key, &made].concat());
}

/// Makes `tls.crt` and `tls.key` in a folder, valid between two numbers of days from now.
pub fn dated(folder: &Path, name: &str, from: i64, until: i64) {
    let day = |days: i64| {
        let distance = Duration::from_secs(days.unsigned_abs() * 24 * 60 * 60);
        let now = SystemTime::now();
        if days < 0 { now - distance } else { now + distance }
    };
    let key = rcgen::KeyPair::generate().unwrap();
    let mut parameters = rcgen::CertificateParams::new(vec![name.to_owned()]).unwrap();
    parameters.distinguished_name.push(rcgen::DnType::CommonName, name);
    parameters.not_before = day(from).into();
    parameters.not_after = day(until).into();
    fs::write(folder.join("tls.crt"), parameters.self_signed(&key).unwrap().pem()).unwrap();
    fs::write(folder.join("tls.key"), key.serialize_pem()).unwrap();
}

/// Runs openssl in a folder, and wants it to succeed.
pub fn openssl(folder: &Path, arguments: &[&str]) -> Output {
    let output = Command::new("openssl")
        .current_dir(folder)
        .args(arguments)
        .stdin(Stdio::null())
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "openssl {arguments:?}: {said}");
    output
}

/// Every line of the base64 within the private key of a folder.
pub fn key_material(folder: &Path) -> Vec<String> {
    let key = fs::read_to_string(folder.join("tls.key")).unwrap();
    key.lines()
        .filter(|line| !line.starts_with("---"))
        .map(str::to_owned)
        .collect()
}

/// The subject of a certificate, such as `CN=localhost`.
pub fn subject(certificate: &CertificateDer<'_>) -> String {
    let (_, certificate) = x509_parser::parse_x509_certificate(certificate).unwrap();
    certificate.subject().to_string()
}

pub type Tls = StreamOwned<ClientConnection, TcpStream>;

/// A connection of HTTP/1.1 over whatever stream.
pub struct Client<S> {
    pub stream: S,
}

impl<S: Read + Write> Client<S> {
    pub fn new(stream: S) -> Self {
        Self { stream }
    }

    /// Sends a request, and reads status and body of its answer.
    pub fn ask(&mut self, request: &Request) -> (u16, String) {
        self.send(&request.to_bytes("localhost")).unwrap();
        self.answer().unwrap()
    }

    pub fn send(&mut self, bytes: &[u8]) -> std::io::Result<()> {
        self.stream.write_all(bytes)?;
        self.stream.flush()
    }

    /// Reads an answer, whose body has a declared length.
    pub fn answer(&mut self) -> std::io::Result<(u16, String)> {
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            let mut byte = [0];
            self.stream.read_exact(&mut byte)?;
            head.push(byte[0]);
        }
        let head = String::from_utf8(head).unwrap().to_ascii_lowercase();
        let status = head.split(' ').nth(1).unwrap().parse().unwrap();
        let length = head.lines().find_map(|line| line.strip_prefix("content-length: "));
        let mut body = vec![0; length.map_or(0, |length| length.parse().unwrap())];
        self.stream.read_exact(&mut body)?;
        Ok((status, String::from_utf8(body).unwrap()))
    }
}

impl Client<Tls> {
    /// The subject of the certificate that was shown.
    pub fn subject(&self) -> String {
        subject(&self.stream.conn.peer_certificates().unwrap()[0])
    }
}

/// A connection to a host, on which nothing takes longer than a story may.
pub fn tcp(host: &str) -> TcpStream {
    let stream = TcpStream::connect(host).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    stream.set_write_timeout(Some(PATIENCE)).unwrap();
    stream
}

/// A connection whose handshake is done, by a client that believes every certificate.
pub fn tls(host: &str, protocols: &[&str]) -> Tls {
    let client = ClientConnection::new(credulous(protocols), ServerName::try_from("localhost").unwrap()).unwrap();
    let mut stream = StreamOwned::new(client, tcp(host));
    stream.conn.complete_io(&mut stream.sock).unwrap();
    stream
}

/// The configuration of a client that believes every certificate, as long as its key signs.
pub fn credulous(protocols: &[&str]) -> Arc<ClientConfig> {
    let provider = Arc::new(aws_lc_rs::default_provider());
    let mut config = ClientConfig::builder_with_provider(provider.clone())
        .with_safe_default_protocol_versions()
        .unwrap()
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(Credulous(provider)))
        .with_no_client_auth();
    config.alpn_protocols = protocols.iter().map(|name| name.as_bytes().to_vec()).collect();
    Arc::new(config)
}

#[derive(Debug)]
struct Credulous(Arc<CryptoProvider>);

impl ServerCertVerifier for Credulous {
    fn verify_server_cert(
        &self,
        _certificate: &CertificateDer<'_>,
        _others: &[CertificateDer<'_>],
        _name: &ServerName<'_>,
        _ocsp: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls12_signature(message, certificate, signed, &self.0.signature_verification_algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls13_signature(message, certificate, signed, &self.0.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}

/// Mounts the certificate of a folder as Kubernetes mounts Secrets: what changes is one link. Returns the folder to read.
pub fn mount(volume: &Path, generation: &str, make: impl FnOnce(&Path)) -> PathBuf {
    let data = volume.join(generation);
    fs::create_dir_all(&data).unwrap();
    make(&data);
    let new = volume.join("..data_tmp");
    std::os::unix::fs::symlink(generation, &new).unwrap();
    fs::rename(&new, volume.join("..data")).unwrap();
    for file in ["tls.crt", "tls.key"] {
        let link = volume.join(file);
        if fs::symlink_metadata(&link).is_err() {
            std::os::unix::fs::symlink(Path::new("..data").join(file), link).unwrap();
        }
    }
    data
}
