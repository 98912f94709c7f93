//! Decides what Go's `net/url` takes for a host with its port; it must not know what stands around it in a URL.

use std::net::Ipv6Addr;

use super::UrlError;
use super::escape::{Part, unescape};

/// Host and port with their escapes undone.
pub(super) fn parse_host(scheme: &str, host: &str) -> Result<Vec<u8>, UrlError> {
    match host.rfind('[') {
        Some(0) => return parse_ip_literal(host),
        Some(_) => return Err(UrlError::IpLiteral),
        None => {}
    }
    // Only http and https refuse a second colon; database URLs have lists of hosts there.
    let colon = if matches!(scheme, "http" | "https") {
        host.find(':')
    } else {
        host.rfind(':')
    };
    if colon.is_some_and(|colon| !is_optional_port(&host[colon..])) {
        return Err(UrlError::Port);
    }
    unescape(host, Part::Host)
}

/// `[fe80::1%25eth0]:80`; the zone after `%25` may escape more than the rest of a host.
fn parse_ip_literal(host: &str) -> Result<Vec<u8>, UrlError> {
    let end = host.rfind(']').ok_or(UrlError::IpLiteral)?;
    let (address, port) = (&host[1..end], &host[end + 1..]);
    if !is_optional_port(port) {
        return Err(UrlError::Port);
    }
    let zone_at = address.find("%25").unwrap_or(address.len());
    let mut decoded = unescape(&address[..zone_at], Part::Host)?;
    decoded.extend(unescape(&address[zone_at..], Part::Zone)?);
    if !is_ipv6_with_zone(&decoded) {
        return Err(UrlError::IpLiteral);
    }
    Ok([b"[", decoded.as_slice(), b"]", port.as_bytes()].concat())
}

fn is_ipv6_with_zone(text: &[u8]) -> bool {
    let text = String::from_utf8_lossy(text);
    let (address, zone) = text.split_once('%').unwrap_or((&text, "none"));
    !zone.is_empty() && address.parse::<Ipv6Addr>().is_ok()
}

/// Nothing, or a colon with any number of digits.
fn is_optional_port(text: &str) -> bool {
    match text.strip_prefix(':') {
        Some(digits) => digits.bytes().all(|byte| byte.is_ascii_digit()),
        None => text.is_empty(),
    }
}
