//! Parses URLs and writes them again as Go's `net/url` does; it must not know what the URLs name.
//!
//! Only what the normal forms of repositories need: parsing a reference, dropping its user, cutting the end of its
//! path.

mod escape;
mod host;

use std::fmt;

use self::escape::{Part, escape, is_valid_escaping, unescape};
use self::host::parse_host;

/// Go reads no parameters at all from a query that has more than this many.
const MAX_QUERY_PARAMETERS: usize = 10_000;

/// Why a text is no URL.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum UrlError {
    /// A byte below 0x20, or 0x7f.
    #[error("has a control character")]
    ControlCharacter,
    /// A colon comes first.
    #[error("has a colon where a scheme or a path should begin")]
    MissingScheme,
    /// `%` without two hexadecimal digits, or one that escapes what a host cannot contain.
    #[error("has a `%` that escapes nothing it may escape")]
    Escape,
    /// A character that no host has.
    #[error("has a host with a character that no host may have")]
    HostCharacter,
    /// Square brackets around something that is no IPv6 address.
    #[error("has square brackets around something that is no IPv6 address")]
    IpLiteral,
    /// What follows the host's colon is no number.
    #[error("has a port that is no number")]
    Port,
    /// A character that no user or password has.
    #[error("has a user or password with a character that must be escaped")]
    Userinfo,
    /// `10.0.0.1:80/x`: neither a scheme nor a path.
    #[error("has a colon in the first segment of its path")]
    ColonInFirstSegment,
}

/// A URL reference, taken apart.
///
/// [`fmt::Display`] writes it whole, the password included; there is no `Debug` so that none of it reaches a log.
pub struct Url {
    scheme: String,
    opaque: String,
    userinfo: Option<Userinfo>,
    host: Vec<u8>,
    /// `scheme:/path` stays without `//`, although it has a path and no host.
    authority: Authority,
    path: Component,
    /// Without `?`, as written; empty for a bare `?`.
    query: Option<String>,
    fragment: Component,
}

struct Userinfo {
    name: Vec<u8>,
    password: Option<Vec<u8>>,
}

#[derive(PartialEq)]
enum Authority {
    Written,
    Omitted,
}

/// A path or fragment: its meaning, and how to write it. Go keeps the writing it was given as long as that is valid.
struct Component {
    decoded: Vec<u8>,
    escaped: String,
}

impl Component {
    fn parse(text: &str, part: Part) -> Result<Self, UrlError> {
        let decoded = unescape(text, part)?;
        let escaped = if is_valid_escaping(text, part) {
            text.to_owned()
        } else {
            escape(&decoded, part)
        };
        Ok(Self { decoded, escaped })
    }
}

impl Url {
    /// Go's `url.Parse`. The text may be relative: a bare path is a URL too.
    pub fn parse(text: &str) -> Result<Self, UrlError> {
        let (text, fragment) = text.split_once('#').unwrap_or((text, ""));
        if text.bytes().any(|byte| byte.is_ascii_control()) {
            return Err(UrlError::ControlCharacter);
        }
        let (scheme, rest) = split_scheme(text)?;
        let (rest, query) = match rest.split_once('?') {
            Some((rest, query)) => (rest, Some(query.to_owned())),
            None => (rest, None),
        };
        let mut url = Self {
            scheme: scheme.to_ascii_lowercase(),
            opaque: String::new(),
            userinfo: None,
            host: Vec::new(),
            authority: Authority::Written,
            path: Component::parse("", Part::Path)?,
            query,
            fragment: Component::parse(fragment, Part::Fragment)?,
        };
        url.read_hierarchy(rest)?;
        Ok(url)
    }

    /// Reads what stands between the scheme and the query.
    fn read_hierarchy(&mut self, rest: &str) -> Result<(), UrlError> {
        let absolute = !self.scheme.is_empty();
        if !rest.starts_with('/') {
            if absolute {
                self.opaque = rest.to_owned();
                return Ok(());
            }
            if rest.split('/').next().is_some_and(|segment| segment.contains(':')) {
                return Err(UrlError::ColonInFirstSegment);
            }
        }
        let mut path = rest;
        match rest.strip_prefix("//") {
            // Without a scheme, three slashes begin a path and not an empty authority.
            Some(authority) if absolute || !authority.starts_with('/') => {
                let end = authority.find('/').unwrap_or(authority.len());
                self.read_authority(&authority[..end])?;
                path = &authority[end..];
            }
            _ if absolute && rest.starts_with('/') => self.authority = Authority::Omitted,
            _ => {}
        }
        self.path = Component::parse(path, Part::Path)?;
        Ok(())
    }

    fn read_authority(&mut self, authority: &str) -> Result<(), UrlError> {
        let Some((userinfo, host)) = authority.rsplit_once('@') else {
            self.host = parse_host(&self.scheme, authority)?;
            return Ok(());
        };
        self.host = parse_host(&self.scheme, host)?;
        let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"-._:~!$&'()*+,;=%@".contains(&byte);
        if !userinfo.bytes().all(allowed) {
            return Err(UrlError::Userinfo);
        }
        let (name, password) = match userinfo.split_once(':') {
            Some((name, password)) => (name, Some(unescape(password, Part::Userinfo)?)),
            None => (userinfo, None),
        };
        self.userinfo = Some(Userinfo {
            name: unescape(name, Part::Userinfo)?,
            password,
        });
        Ok(())
    }

    /// Host and port as written, percent-escapes undone; empty where there is none.
    pub fn host(&self) -> &[u8] {
        &self.host
    }

    /// The path with its percent-escapes undone.
    pub fn path(&self) -> &[u8] {
        &self.path.decoded
    }

    /// The user's name with its percent-escapes undone; `None` where there is no `@`.
    pub fn user(&self) -> Option<&[u8]> {
        self.userinfo.as_ref().map(|userinfo| userinfo.name.as_slice())
    }

    /// Forgets user and password.
    pub fn drop_userinfo(&mut self) {
        self.userinfo = None;
    }

    /// Forgets the password and keeps the user.
    pub fn drop_password(&mut self) {
        if let Some(userinfo) = &mut self.userinfo {
            userinfo.password = None;
        }
    }

    /// Cuts `suffix` once from the end of the decoded path, if it is there. What remains is escaped anew, so an escape
    /// that was written elsewhere in the path, `%2F` say, does not survive.
    pub fn trim_path_suffix(&mut self, suffix: &str) {
        let Some(kept) = self.path.decoded.strip_suffix(suffix.as_bytes()) else {
            return;
        };
        let kept = kept.to_vec();
        // Go leaves the path that is one asterisk alone, for `OPTIONS *`.
        let escaped = if kept == b"*" {
            "*".to_owned()
        } else {
            escape(&kept, Part::Path)
        };
        self.path = Component { decoded: kept, escaped };
    }

    /// Whether Go's `url.Query()` finds a parameter. It drops malformed ones: `?`, `?a;b` and `?%zz` have none.
    pub fn has_query_parameters(&self) -> bool {
        let Some(query) = &self.query else {
            return false;
        };
        if query.split('&').count() > MAX_QUERY_PARAMETERS {
            return false;
        }
        query.split('&').any(|parameter| {
            let (key, value) = parameter.split_once('=').unwrap_or((parameter, ""));
            !parameter.is_empty()
                && !parameter.contains(';')
                && unescape(key, Part::Query).is_ok()
                && unescape(value, Part::Query).is_ok()
        })
    }

    fn write_hierarchy(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let has_authority = !self.host.is_empty() || self.userinfo.is_some();
        let has_path = !self.path.decoded.is_empty();
        let omitted = self.authority == Authority::Omitted;
        if has_authority || (!self.scheme.is_empty() && has_path && !omitted) {
            out.write_str("//")?;
        }
        if let Some(userinfo) = &self.userinfo {
            out.write_str(&escape(&userinfo.name, Part::Userinfo))?;
            if let Some(password) = &userinfo.password {
                write!(out, ":{}", escape(password, Part::Userinfo))?;
            }
            out.write_str("@")?;
        }
        out.write_str(&escape(&self.host, Part::Host))?;
        let path = &self.path.escaped;
        if has_path && !path.starts_with('/') && !self.host.is_empty() {
            out.write_str("/")?;
        }
        let first_segment = path.split('/').next().unwrap_or_default();
        if self.scheme.is_empty() && !has_authority && first_segment.contains(':') {
            // Else the segment would read as a scheme.
            out.write_str("./")?;
        }
        out.write_str(path)
    }
}

/// Go's `URL.String()`.
impl fmt::Display for Url {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.scheme.is_empty() {
            write!(out, "{}:", self.scheme)?;
        }
        if self.opaque.is_empty() {
            self.write_hierarchy(out)?;
        } else {
            out.write_str(&self.opaque)?;
        }
        if let Some(query) = &self.query {
            write!(out, "?{query}")?;
        }
        if !self.fragment.decoded.is_empty() {
            write!(out, "#{}", self.fragment.escaped)?;
        }
        Ok(())
    }
}

/// Scheme (empty where there is none) and what follows its colon.
fn split_scheme(text: &str) -> Result<(&str, &str), UrlError> {
    let is_scheme_byte = |byte: u8| byte.is_ascii_alphanumeric() || b"+-.".contains(&byte);
    let end = text
        .bytes()
        .position(|byte| !is_scheme_byte(byte))
        .unwrap_or(text.len());
    match text[end..].strip_prefix(':') {
        Some(_) if end == 0 => Err(UrlError::MissingScheme),
        Some(rest) if text.starts_with(|first: char| first.is_ascii_alphabetic()) => Ok((&text[..end], rest)),
        _ => Ok(("", text)),
    }
}

#[cfg(test)]
mod tests;
