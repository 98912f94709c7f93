//! TLS at the webhook door: what was typed becomes settings, settings and files become what connections are served with. The
//! only folder that names the libraries for TLS and certificates.

mod certificate;
mod cipher;
mod contents;
mod keeper;
mod self_signed;
mod serving;
mod settings;
mod status;
#[cfg(test)]
mod testing;
mod version;

pub use serving::Tls;
pub use settings::{CertificateFiles, TlsSettings, Typed};
pub use status::CertificateStatus;

/// A connection with its handshake behind it.
pub(super) use tokio_rustls::server::TlsStream;
