//! A certificate that both servers show, and connections over TLS whose version and cipher suite are fixed; it does not know
//! what goes over them.

use std::fs;
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;

use anyhow::{Context as _, Result, ensure};
use rustls::crypto::{CryptoProvider, aws_lc_rs};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{CipherSuite, ClientConfig, ClientConnection, ProtocolVersion, RootCertStore, StreamOwned, version};

use crate::load::{CONNECTIONS, dial};

/// The one suite that the client offers, and the only version. Both servers have it, and prefer it.
const CIPHER: CipherSuite = CipherSuite::TLS13_AES_256_GCM_SHA384;
/// The same by the name that nginx knows it by.
pub const CIPHER_NAME: &str = "TLS_AES_256_GCM_SHA384";

/// A connection whose handshake is done.
pub type Secured = StreamOwned<ClientConnection, TcpStream>;

/// A certificate for localhost, its key, and a client that trusts it and nothing else.
pub struct Certificate {
    pub certificate: PathBuf,
    pub key: PathBuf,
    client: Arc<ClientConfig>,
}

impl Certificate {
    /// Makes one in a folder, with a key on P-256.
    pub fn make(folder: &Path) -> Result<Self> {
        let (certificate, key) = (folder.join("tls.crt"), folder.join("tls.key"));
        let made = Command::new("openssl")
            .args([
                "req",
                "-x509",
                "-nodes",
                "-newkey",
                "ec",
                "-pkeyopt",
                "ec_paramgen_curve:P-256",
            ])
            .args([
                "-days",
                "2",
                "-subj",
                "/CN=localhost",
                "-addext",
                "subjectAltName=DNS:localhost",
            ])
            // With which it would be an authority's, and no server's.
            .args(["-addext", "basicConstraints=critical,CA:FALSE", "-out"])
            .arg(&certificate)
            .arg("-keyout")
            .arg(&key)
            .output()
            .context("openssl cannot be run")?;
        ensure!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
        let client = Arc::new(client(&fs::read(&certificate)?)?);
        Ok(Self {
            certificate,
            key,
            client,
        })
    }

    /// A connection to `host`.
    pub fn connect(&self, host: &str) -> Result<Secured> {
        let name = ServerName::try_from("localhost")?;
        let mut stream = StreamOwned::new(ClientConnection::new(self.client.clone(), name)?, dial(host)?);
        stream.conn.complete_io(&mut stream.sock).context("no handshake")?;
        Ok(stream)
    }

    /// As many connections as the load needs, and what was agreed on, which is the same on all of them.
    pub fn connect_all(&self, host: &str) -> Result<(Vec<Secured>, String)> {
        let connections = (0..CONNECTIONS).map(|_| self.connect(host));
        let connections = connections.collect::<Result<Vec<_>>>()?;
        for stream in &connections {
            let suite = stream.conn.negotiated_cipher_suite().map(|suite| suite.suite());
            let agreed = (stream.conn.protocol_version(), suite);
            let expected = (Some(ProtocolVersion::TLSv1_3), Some(CIPHER));
            ensure!(agreed == expected, "{host} agreed to {agreed:?}");
        }
        Ok((connections, format!("{:?} {CIPHER_NAME}", ProtocolVersion::TLSv1_3)))
    }
}

fn client(certificate: &[u8]) -> Result<ClientConfig> {
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_slice(certificate)?)?;
    let mut provider: CryptoProvider = aws_lc_rs::default_provider();
    provider.cipher_suites.retain(|suite| suite.suite() == CIPHER);
    let config = ClientConfig::builder_with_provider(Arc::new(provider))
        .with_protocol_versions(&[&version::TLS13])?
        .with_root_certificates(roots)
        .with_no_client_auth();
    Ok(config)
}
