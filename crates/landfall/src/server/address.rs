//! Decides what an address to listen at means, in Go's way of writing them; it opens nothing.

use std::fmt;
use std::net::{IpAddr, SocketAddr};

/// An address to listen at: `:8080` is every address of this machine, `127.0.0.1:8080` one, `localhost:8080` a name's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ListenAddress {
    pub(super) host: Host,
    pub(super) port: u16,
}

/// Which of the machine's addresses are meant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Host {
    /// All, of both families.
    Every,
    /// One.
    Address(IpAddr),
    /// Those that a name stands for.
    Name(String),
}

/// What was typed is no address.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "{0:?} is no address to listen at; one reads 127.0.0.1:8080, [::1]:8080, localhost:8080, or :8080 for every address"
)]
pub struct AddressError(String);

impl ListenAddress {
    /// Every address of this machine, at one port.
    pub fn every(port: u16) -> Self {
        Self {
            host: Host::Every,
            port,
        }
    }

    /// Reads an address.
    pub fn parse(text: &str) -> Result<Self, AddressError> {
        let wrong = || AddressError(text.to_owned());
        if let Ok(address) = text.parse::<SocketAddr>() {
            return Ok(address.into());
        }
        let (host, port) = text.rsplit_once(':').ok_or_else(wrong)?;
        let is_number = !port.is_empty() && port.bytes().all(|byte| byte.is_ascii_digit());
        let port = port.parse().ok().filter(|_| is_number).ok_or_else(wrong)?;
        let host = match host {
            "" => Host::Every,
            name if is_name(name) => Host::Name(name.to_owned()),
            _ => return Err(wrong()),
        };
        Ok(Self { host, port })
    }

    /// Reads an address where `0`, or nothing at all, means that nothing is to be listened at.
    pub fn parse_optional(text: &str) -> Result<Option<Self>, AddressError> {
        match text {
            "" | "0" => Ok(None),
            text => Self::parse(text).map(Some),
        }
    }

    /// Whether nobody outside of this machine can reach it.
    pub fn is_loopback(&self) -> bool {
        match &self.host {
            Host::Every => false,
            Host::Address(address) => address.is_loopback(),
            Host::Name(name) => name.eq_ignore_ascii_case("localhost"),
        }
    }
}

fn is_name(text: &str) -> bool {
    let is_allowed = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_');
    !text.is_empty() && text.bytes().all(is_allowed)
}

impl From<SocketAddr> for ListenAddress {
    fn from(address: SocketAddr) -> Self {
        Self {
            host: Host::Address(address.ip()),
            port: address.port(),
        }
    }
}

impl fmt::Display for ListenAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.host {
            Host::Every => write!(f, ":{}", self.port),
            Host::Address(address) => write!(f, "{}", SocketAddr::new(*address, self.port)),
            Host::Name(name) => write!(f, "{name}:{}", self.port),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_read_as_go_reads_them() {
        for (text, expected) in [
            (":8080", Some((Host::Every, 8080, false))),
            (":0", Some((Host::Every, 0, false))),
            (
                "127.0.0.1:8080",
                Some((Host::Address([127, 0, 0, 1].into()), 8080, true)),
            ),
            ("0.0.0.0:80", Some((Host::Address([0, 0, 0, 0].into()), 80, false))),
            (
                "[::1]:1",
                Some((Host::Address(IpAddr::from([0, 0, 0, 0, 0, 0, 0, 1])), 1, true)),
            ),
            (
                "localhost:65535",
                Some((Host::Name("localhost".to_owned()), 65535, true)),
            ),
            (
                "hooks.example.com:443",
                Some((Host::Name("hooks.example.com".to_owned()), 443, false)),
            ),
            ("8080", None),
            (":", None),
            (":65536", None),
            (":+80", None),
            (":-1", None),
            ("::1:80", None),
            ("a b:80", None),
            ("http://a:80", None),
            ("", None),
        ] {
            let expected = expected.map(|(host, port, is_loopback)| (ListenAddress { host, port }, is_loopback));
            let read = ListenAddress::parse(text).ok();
            assert_eq!(
                read.map(|address| (address.clone(), address.is_loopback())),
                expected,
                "{text}"
            );
            if let Some((address, _)) = expected {
                assert_eq!(address.to_string(), text);
            }
        }
    }

    #[test]
    fn zero_and_nothing_are_off() {
        for (text, expected) in [
            ("0", Ok(None)),
            ("", Ok(None)),
            (":8081", Ok(Some(ListenAddress::every(8081)))),
            ("off", Err(AddressError("off".to_owned()))),
        ] {
            assert_eq!(ListenAddress::parse_optional(text), expected, "{text}");
        }
    }
}
