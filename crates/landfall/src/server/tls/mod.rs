//! TLS at the webhook door: what was typed becomes settings, settings and files become what connections are served with. The
//! only folder that names the libraries for TLS and certificates.

mod cipher;
mod settings;
mod version;

pub use settings::{CertificateFiles, TlsSettings, Typed};
