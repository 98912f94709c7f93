//! What Go 1.26 answers: `url.Parse(text)`, then `String()`.

use super::*;

fn written(text: &str) -> Result<String, UrlError> {
    Url::parse(text).map(|url| url.to_string())
}

#[test]
fn urls_are_written_as_go_writes_them() {
    let rows = [
        ("https://h/%C3%9C", "https://h/%C3%9C"),
        ("https://h/Ü", "https://h/%C3%9C"),
        ("https://Ü/", "https://%C3%9C/"),
        ("https://h/a%2Fb", "https://h/a%2Fb"),
        ("https://h/a b", "https://h/a%20b"),
        ("https://h/{a}", "https://h/%7Ba%7D"),
        ("https://h/*", "https://h/*"),
        ("https://u:p%20w@h:1/x", "https://u:p%20w@h:1/x"),
        ("https://@h", "https://@h"),
        ("https://h?", "https://h?"),
        ("https://h?a=b?c", "https://h?a=b?c"),
        ("https://h#", "https://h"),
        ("https://h#ä", "https://h#%C3%A4"),
        ("https://", "https:"),
        ("https:///", "https:///"),
        ("HTTPS:/x", "https:/x"),
        ("mailto:a@b", "mailto:a@b"),
        ("a:", "a:"),
        ("//h/x", "//h/x"),
        ("///x", "///x"),
        ("*", "*"),
        ("", ""),
        ("x%3Ay", "x%3Ay"),
        ("x%3Ay z", "./x:y%20z"),
        ("1%3A2", "1%3A2"),
        ("https://[fe80::1%25e%20n]:80/", "https://[fe80::1%25e%20n]:80/"),
        ("ssh://a:b:1/x", "ssh://a:b:1/x"),
        ("ssh://a@b@h/x", "ssh://a%40b@h/x"),
    ];
    for (text, expected) in rows {
        assert_eq!(written(text), Ok(expected.to_owned()), "{text}");
    }
}

#[test]
fn what_go_refuses_is_refused_with_a_reason() {
    let rows = [
        ("a\u{7f}", UrlError::ControlCharacter),
        (":x", UrlError::MissingScheme),
        ("https://h/%z", UrlError::Escape),
        ("https://h/#%z", UrlError::Escape),
        ("https://%41/", UrlError::Escape),
        ("https://a b/", UrlError::HostCharacter),
        ("https://[::1", UrlError::IpLiteral),
        ("https://[1.2.3.4]/", UrlError::IpLiteral),
        ("https://[::1%25]/", UrlError::IpLiteral),
        ("https://a[::1]/", UrlError::IpLiteral),
        ("https://h:x/", UrlError::Port),
        ("https://h:1:2/", UrlError::Port),
        ("https://a[b@h/", UrlError::Userinfo),
        ("10.0.0.1:80/x", UrlError::ColonInFirstSegment),
    ];
    for (text, expected) in rows {
        assert_eq!(written(text), Err(expected), "{text}");
    }
}

#[test]
fn a_cut_path_is_escaped_anew() {
    let rows = [
        ("https://h/a%2fb.git", "https://h/a/b"),
        ("https://h/a%2fb", "https://h/a%2fb"),
        ("https://h/ü.git", "https://h/%C3%BC"),
        ("https://h/*.git", "https://h/%2A"),
        ("*.git", "*"),
    ];
    for (text, expected) in rows {
        let mut url = Url::parse(text).unwrap_or_else(|error| panic!("{text}: {error}"));
        url.trim_path_suffix(".git");
        assert_eq!(url.to_string(), expected, "{text}");
    }
}

#[test]
fn malformed_parameters_do_not_count() {
    let rows = [
        ("?", false),
        ("?&", false),
        ("?a;b", false),
        ("?%zz", false),
        ("?a=%zz", false),
        ("?=", true),
        ("?a", true),
    ];
    for (query, expected) in rows {
        let url = Url::parse(&format!("https://h/{query}")).unwrap_or_else(|error| panic!("{query}: {error}"));
        assert_eq!(url.has_query_parameters(), expected, "{query}");
    }
}
