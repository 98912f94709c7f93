//! Reads the URL of a database. Its password is in it, so nothing of the URL is ever shown but host, port and database.

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use tokio_postgres::config::{Host, SslMode};

use super::tls::Trust;

/// Where the database is, and how it is spoken to.
#[derive(Clone)]
pub struct DatabaseUrl {
    pub(super) config: tokio_postgres::Config,
    pub(super) trust: Trust,
}

/// The text is no URL of a database. It is not repeated: it may hold a password.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadUrl {
    /// Something in it cannot be read.
    #[error(
        "it reads postgres://USER:PASSWORD@HOST:5432/DATABASE, with what is special in a user or a password written as %XX"
    )]
    Unreadable,
    /// It names a way of TLS that is not there.
    #[error("its sslmode is one of disable, prefer, require, verify-ca and verify-full")]
    SslMode,
    /// It asks for certificates to be checked against nothing.
    #[error("its sslrootcert is the path of a file with certificates")]
    RootCertificate,
}

impl FromStr for DatabaseUrl {
    type Err = BadUrl;

    fn from_str(text: &str) -> Result<Self, BadUrl> {
        let text = text.trim();
        if !text.starts_with("postgres://") && !text.starts_with("postgresql://") {
            return Err(BadUrl::Unreadable);
        }
        let (address, query) = text.split_once('?').unwrap_or((text, ""));
        let (mut mode, mut roots, mut others) = ("prefer", None, Vec::new());
        for pair in query.split('&').filter(|pair| !pair.is_empty()) {
            match pair.split_once('=') {
                Some(("sslmode", value)) => mode = value,
                Some(("sslrootcert", "")) => return Err(BadUrl::RootCertificate),
                Some(("sslrootcert", value)) => roots = Some(PathBuf::from(unescaped(value)?)),
                _ => others.push(pair),
            }
        }
        let mut config: tokio_postgres::Config = format!("{address}?{}", others.join("&"))
            .parse()
            .map_err(|_| BadUrl::Unreadable)?;
        if config.get_hosts().is_empty() && config.get_hostaddrs().is_empty() {
            return Err(BadUrl::Unreadable);
        }
        let (ssl_mode, trust) = match (mode, roots) {
            ("disable", _) => (SslMode::Disable, Trust::Anyone),
            ("prefer", _) => (SslMode::Prefer, Trust::Anyone),
            ("require", None) => (SslMode::Require, Trust::Anyone),
            // As libpq does: certificates that are named are meant to be checked.
            ("require" | "verify-ca", roots) => (SslMode::Require, Trust::Chain(roots)),
            ("verify-full", roots) => (SslMode::Require, Trust::ChainAndName(roots)),
            _ => return Err(BadUrl::SslMode),
        };
        config.ssl_mode(ssl_mode);
        if config.get_application_name().is_none() {
            config.application_name("landfall");
        }
        if config.get_connect_timeout().is_none() {
            config.connect_timeout(Duration::from_secs(2));
        }
        // A server that is gone without a word is noticed by what waits for it, and by this where nothing does.
        config.keepalives_idle(Duration::from_secs(15));
        Ok(Self { config, trust })
    }
}

/// What `%XX` stands for.
fn unescaped(text: &str) -> Result<String, BadUrl> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let [first, tail @ ..] = rest {
        rest = tail;
        if *first != b'%' {
            bytes.push(*first);
            continue;
        }
        let digits = tail.get(..2).and_then(|digits| std::str::from_utf8(digits).ok());
        let byte = digits.and_then(|digits| u8::from_str_radix(digits, 16).ok());
        bytes.push(byte.ok_or(BadUrl::Unreadable)?);
        rest = tail.get(2..).unwrap_or_default();
    }
    String::from_utf8(bytes).map_err(|_| BadUrl::Unreadable)
}

/// Hosts, ports and the database.
impl fmt::Display for DatabaseUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PostgreSQL at ")?;
        let ports = self.config.get_ports();
        for (index, host) in self.config.get_hosts().iter().enumerate() {
            let port = ports.get(index).or(ports.first()).copied().unwrap_or(5432);
            let comma = if index > 0 { "," } else { "" };
            match host {
                Host::Tcp(name) if name.contains(':') => write!(f, "{comma}[{name}]:{port}")?,
                Host::Tcp(name) => write!(f, "{comma}{name}:{port}")?,
                Host::Unix(folder) => write!(f, "{comma}{}:{port}", folder.display())?,
            }
        }
        match self.config.get_dbname() {
            Some(database) => write!(f, "/{database}"),
            None => Ok(()),
        }
    }
}

impl fmt::Debug for DatabaseUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "DatabaseUrl({self})")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What a URL comes to, in short.
    fn read(text: &str) -> Result<(String, SslMode, Trust), BadUrl> {
        let url: DatabaseUrl = text.parse()?;
        assert!(!format!("{url:?} {url}").contains("s3cret"));
        Ok((url.to_string(), url.config.get_ssl_mode(), url.trust))
    }

    #[test]
    fn a_url_says_where_and_how_and_shows_no_password() {
        let roots = || Some(PathBuf::from("/etc/ca certs.pem"));
        for (text, address, mode, trust) in [
            (
                "postgres://me:s3cret@db/landfall",
                "db:5432/landfall",
                SslMode::Prefer,
                Trust::Anyone,
            ),
            (
                "postgresql://me@db:6000/x?sslmode=disable",
                "db:6000/x",
                SslMode::Disable,
                Trust::Anyone,
            ),
            (
                "postgres://a,b:1/x?sslmode=require",
                "a:5432,b:1/x",
                SslMode::Require,
                Trust::Anyone,
            ),
            (
                "postgres://db/x?sslmode=require&sslrootcert=/etc/ca%20certs.pem",
                "db:5432/x",
                SslMode::Require,
                Trust::Chain(roots()),
            ),
            (
                "postgres://db/x?sslmode=verify-ca&sslrootcert=/etc/ca%20certs.pem",
                "db:5432/x",
                SslMode::Require,
                Trust::Chain(roots()),
            ),
            (
                "postgres://[::1]/x?sslmode=verify-full&application_name=y",
                "[::1]:5432/x",
                SslMode::Require,
                Trust::ChainAndName(None),
            ),
            (
                "postgres://%2Frun%2Fpg:1/x\n",
                "/run/pg:1/x",
                SslMode::Prefer,
                Trust::Anyone,
            ),
        ] {
            assert_eq!(
                read(text),
                Ok((format!("PostgreSQL at {address}"), mode, trust)),
                "{text}"
            );
        }
    }

    #[test]
    fn what_is_no_url_is_said_and_not_repeated() {
        for (text, expected) in [
            ("", BadUrl::Unreadable),
            ("host=db password=s3cret", BadUrl::Unreadable),
            ("mysql://db/x", BadUrl::Unreadable),
            ("postgres://me:s3cret@db:s3/x", BadUrl::Unreadable),
            ("postgres://db/x?s3cret=1", BadUrl::Unreadable),
            ("postgres://db/x?sslmode=sometimes", BadUrl::SslMode),
            (
                "postgres://db/x?sslmode=verify-full&sslrootcert=",
                BadUrl::RootCertificate,
            ),
            ("postgres://db/x?sslrootcert=%4", BadUrl::Unreadable),
        ] {
            let error = read(text).unwrap_err();
            assert_eq!(error, expected, "{text}");
            assert!(!error.to_string().contains("s3"), "{error}");
        }
    }
}
