//! Reads `Link` headers and decides which next page may be asked; must not know what the pages hold.

use reqwest::Url;

/// The longest `Link` header worth reading, in bytes.
const MAX_LINK: usize = 4 * 1024;

/// Why a `Link` cannot be followed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(super) enum LinkError {
    /// It cannot be parsed, or its target is no URL.
    #[error("its Link to the next page cannot be read")]
    Unreadable,
    /// It names another host, port or scheme.
    #[error("its Link to the next page leads to another host")]
    ForeignOrigin,
}

/// The URL of the next page that a page's `Link` headers name, resolved against the page's own URL.
///
/// The target must be on the page's own origin. A registry behind a proxy that ends TLS may name itself with `http`;
/// then the page's own scheme and port are kept, so nothing is ever asked in the clear because of a header.
pub(super) fn next_page<'h>(page: &Url, headers: impl Iterator<Item = &'h str>) -> Result<Option<Url>, LinkError> {
    for header in headers {
        if header.len() > MAX_LINK {
            return Err(LinkError::Unreadable);
        }
        let Some(target) = target_of_next(header)? else {
            continue;
        };
        let mut url = page.join(target).map_err(|_| LinkError::Unreadable)?;
        url.set_fragment(None);
        if !url.username().is_empty() || url.password().is_some() {
            return Err(LinkError::ForeignOrigin);
        }
        if url.origin() == page.origin() {
            return Ok(Some(url));
        }
        let downgraded = url.scheme() == "http" && page.scheme() == "https" && url.host() == page.host();
        if !downgraded || (url.port().is_some() && url.port() != page.port()) {
            return Err(LinkError::ForeignOrigin);
        }
        let mut kept = page.clone();
        kept.set_path(url.path());
        kept.set_query(url.query());
        return Ok(Some(kept));
    }
    Ok(None)
}

/// The target of the first link value in a header whose `rel` holds `next`.
fn target_of_next(header: &str) -> Result<Option<&str>, LinkError> {
    let mut rest = header.trim_matches([' ', '\t', ',']);
    while !rest.is_empty() {
        let inside = rest.strip_prefix('<').ok_or(LinkError::Unreadable)?;
        let (target, after) = inside.split_once('>').ok_or(LinkError::Unreadable)?;
        let end = end_of_value(after);
        if is_next(&after[..end]) {
            return Ok(Some(target.trim()));
        }
        rest = after[end..].trim_matches([' ', '\t', ',']);
    }
    Ok(None)
}

/// Where a link value's parameters end: at a comma outside quotes.
fn end_of_value(parameters: &str) -> usize {
    let mut quoted = false;
    let mut escaped = false;
    for (index, byte) in parameters.bytes().enumerate() {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if quoted => escaped = true,
            b'"' => quoted = !quoted,
            b',' if !quoted => return index,
            _ => {}
        }
    }
    parameters.len()
}

fn is_next(parameters: &str) -> bool {
    parameters
        .split(';')
        .filter_map(|parameter| parameter.split_once('='))
        .any(|(name, value)| {
            name.trim().eq_ignore_ascii_case("rel")
                && value
                    .trim()
                    .trim_matches('"')
                    .split_ascii_whitespace()
                    .any(|rel| rel.eq_ignore_ascii_case("next"))
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn next(page: &str, header: &str) -> Result<Option<String>, LinkError> {
        let page = Url::parse(page).expect("a test's URL parses");
        next_page(&page, std::iter::once(header)).map(|url| url.map(String::from))
    }

    #[test]
    fn links_resolve_on_their_own_origin() {
        let page = "https://r.example/v2/a/tags/list?n=2";
        let rows: &[(&str, &str)] = &[
            (
                r#"</v2/a/tags/list?last=b&n=2>; rel="next""#,
                "https://r.example/v2/a/tags/list?last=b&n=2",
            ),
            (r#"<?last=b>; rel=next"#, "https://r.example/v2/a/tags/list?last=b"),
            (
                r#"<https://r.example/x?y=,z>;rel="prev next""#,
                "https://r.example/x?y=,z",
            ),
            (
                r#"<https://r.example:443/x>; REL="Next"; title="a, b""#,
                "https://r.example/x",
            ),
            (
                r#"</first>; rel="first"; title="a\",b", </n>; rel="next""#,
                "https://r.example/n",
            ),
            ("<http://r.example/x?c=1>; rel=\"next\"", "https://r.example/x?c=1"),
        ];
        for (header, expected) in rows {
            assert_eq!(next(page, header), Ok(Some((*expected).into())), "{header}");
        }
    }

    #[test]
    fn links_that_end_or_lead_away() {
        let page = "https://r.example:8443/v2/a/tags/list";
        let rows: &[(&str, Result<Option<String>, LinkError>)] = &[
            ("", Ok(None)),
            (r#"</x>; rel="prev""#, Ok(None)),
            ("</x>", Ok(None)),
            (r#"<https://evil.example/x>; rel="next""#, Err(LinkError::ForeignOrigin)),
            (r#"<//evil.example:8443/x>; rel="next""#, Err(LinkError::ForeignOrigin)),
            (r#"<https://r.example/x>; rel="next""#, Err(LinkError::ForeignOrigin)),
            (
                r#"<http://r.example:80/x>; rel="next""#,
                Ok(Some("https://r.example:8443/x".into())),
            ),
            (r#"<http://r.example:81/x>; rel="next""#, Err(LinkError::ForeignOrigin)),
            (
                r#"<https://u:p@r.example:8443/x>; rel="next""#,
                Err(LinkError::ForeignOrigin),
            ),
            (r#"<file:///etc/passwd>; rel="next""#, Err(LinkError::ForeignOrigin)),
            (r#"<https://[bad/x>; rel="next""#, Err(LinkError::Unreadable)),
            (r#"/x; rel="next""#, Err(LinkError::Unreadable)),
            (r#"</x; rel="next""#, Err(LinkError::Unreadable)),
        ];
        for (header, expected) in rows {
            assert_eq!(&next(page, header), expected, "{header}");
        }
    }
}
