//! One request as a server saw it, and the reading of such lines from an access log; it knows no registry.

/// A request that a server has answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RequestLine {
    /// `GET`, `HEAD`, …
    pub method: String,
    /// Path and query.
    pub path: String,
    /// The status of the answer; 0 where the server hung up instead.
    pub status: u16,
    /// The client's `User-Agent`, empty if it sent none.
    pub user_agent: String,
}

impl RequestLine {
    /// Reads a line of the combined log format: `… "GET /v2/ HTTP/1.1" 200 2 "referer" "user agent"`. `None` if it is
    /// none.
    pub(crate) fn from_combined_log(line: &str) -> Option<Self> {
        // Quotes within a field are escaped, so the quoted fields are every second piece.
        let mut pieces = line.split('"');
        let request = pieces.nth(1)?;
        let status = pieces.next()?.split_whitespace().next()?.parse().ok()?;
        let user_agent = pieces.nth(2).unwrap_or_default().to_owned();
        let mut words = request.split(' ');
        let (method, path) = (words.next()?.to_owned(), words.next()?.to_owned());
        Some(Self {
            method,
            path,
            status,
            user_agent,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines() {
        let line = |method: &str, path: &str, status, user_agent: &str| {
            Some(RequestLine {
                method: method.to_owned(),
                path: path.to_owned(),
                status,
                user_agent: user_agent.to_owned(),
            })
        };
        for (input, expected) in [
            (
                r#"127.0.0.1 - - [23/Nov/2026:18:33:22 +0000] "GET /v2/a/tags/list?n=1 HTTP/1.1" 200 29 "" "curl/7.88.1""#,
                line("GET", "/v2/a/tags/list?n=1", 200, "curl/7.88.1"),
            ),
            (
                r#"127.0.0.1 - robot [23/Nov/2026:18:33:22 +0000] "HEAD /v2/a/manifests/v1 HTTP/1.1" 404 0 "x" """#,
                line("HEAD", "/v2/a/manifests/v1", 404, ""),
            ),
            (
                r#"time="2026-11-23T18:33:21Z" level=info msg="listening on 127.0.0.1:18555""#,
                None,
            ),
            (r#"127.0.0.1 - - [23/Nov/2026:18:33:22 +0000] "GET /v2/"#, None),
            ("", None),
        ] {
            assert_eq!(RequestLine::from_combined_log(input), expected, "{input}");
        }
    }
}
