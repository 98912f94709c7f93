//! Reads `WWW-Authenticate`: which proof a registry wants; must not know credentials or send anything.

/// The longest header worth reading, in bytes.
const MAX_HEADER: usize = 8 * 1024;

/// A proof a registry asks for.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) enum Challenge {
    /// User name and password with every request.
    Basic,
    /// A token, to be had from the service named here.
    Bearer(TokenService),
}

/// Where a bearer token is to be had, and for what.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct TokenService {
    /// The token endpoint, as the registry wrote it.
    pub(super) realm: String,
    /// Whom the token is for, as the token service knows the registry.
    pub(super) service: Option<String>,
    /// Scopes, separated by spaces.
    pub(super) scope: Option<String>,
}

/// The challenge to answer among a response's `WWW-Authenticate` headers: the first `Bearer`, else `Basic`.
pub(super) fn strongest<'h>(headers: impl Iterator<Item = &'h str>) -> Option<Challenge> {
    let mut found = None;
    for header in headers.filter(|header| header.len() <= MAX_HEADER) {
        for (scheme, parameters) in challenges(header) {
            if scheme.eq_ignore_ascii_case("bearer") {
                let value = |name: &str| {
                    let found = parameters.iter().find(|(key, _)| key.eq_ignore_ascii_case(name));
                    found.map(|(_, value)| value.clone()).filter(|value| !value.is_empty())
                };
                if let Some(realm) = value("realm") {
                    let service = TokenService {
                        realm,
                        service: value("service"),
                        scope: value("scope"),
                    };
                    return Some(Challenge::Bearer(service));
                }
            } else if scheme.eq_ignore_ascii_case("basic") {
                found = Some(Challenge::Basic);
            }
        }
    }
    found
}

type Parameters = Vec<(String, String)>;

/// Splits a header into its challenges. Lenient: what is no challenge is passed over.
fn challenges(header: &str) -> Vec<(&str, Parameters)> {
    let mut list: Vec<(&str, Parameters)> = Vec::new();
    let mut rest = header;
    loop {
        rest = rest.trim_start_matches([' ', '\t', ',']);
        if rest.is_empty() {
            return list;
        }
        let end = rest.find(|c: char| !is_token_char(c)).unwrap_or(rest.len());
        if end == 0 {
            // Not a word: pass over one character, so that the loop always moves on.
            rest = rest
                .get(rest.chars().next().map_or(1, char::len_utf8)..)
                .unwrap_or_default();
            continue;
        }
        let (word, after) = rest.split_at(end);
        match after.trim_start_matches([' ', '\t']).strip_prefix('=') {
            Some(value) => {
                let (value, remaining) = parameter_value(value.trim_start_matches([' ', '\t']));
                if let Some((_, parameters)) = list.last_mut() {
                    parameters.push((word.to_owned(), value));
                }
                rest = remaining;
            }
            None => {
                list.push((word, Vec::new()));
                rest = after;
            }
        }
    }
}

/// A quoted string or a bare word, and what follows it.
fn parameter_value(text: &str) -> (String, &str) {
    let Some(quoted) = text.strip_prefix('"') else {
        let end = text.find([',', ' ', '\t']).unwrap_or(text.len());
        return (text[..end].to_owned(), &text[end..]);
    };
    let mut value = String::new();
    let mut escaped = false;
    for (index, c) in quoted.char_indices() {
        match c {
            _ if escaped => {
                value.push(c);
                escaped = false;
            }
            '\\' => escaped = true,
            '"' => return (value, &quoted[index + 1..]),
            _ => value.push(c),
        }
    }
    (value, "")
}

fn is_token_char(c: char) -> bool {
    c.is_ascii_alphanumeric() || "!#$%&'*+-.^_`|~".contains(c)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bearer(realm: &str, service: Option<&str>, scope: Option<&str>) -> Option<Challenge> {
        Some(Challenge::Bearer(TokenService {
            realm: realm.into(),
            service: service.map(Into::into),
            scope: scope.map(Into::into),
        }))
    }

    #[test]
    fn challenges_as_registries_write_them() {
        let hub = "https://auth.docker.io/token";
        let rows: &[(&str, Option<Challenge>)] = &[
            (
                r#"Bearer realm="https://auth.docker.io/token",service="registry.docker.io",scope="repository:library/nginx:pull""#,
                bearer(hub, Some("registry.docker.io"), Some("repository:library/nginx:pull")),
            ),
            (
                r#"bearer Realm = "https://auth.docker.io/token" , scope="repository:a:pull,push", error="invalid_token""#,
                bearer(hub, None, Some("repository:a:pull,push")),
            ),
            (r#"Basic realm="Registry Realm""#, Some(Challenge::Basic)),
            (
                r#"BASIC realm="x", Bearer realm="https://auth.docker.io/token""#,
                bearer(hub, None, None),
            ),
            ("Basic", Some(Challenge::Basic)),
            (
                r#"Bearer realm=https://auth.docker.io/token,service=s"#,
                bearer(hub, Some("s"), None),
            ),
            (
                r#"Bearer realm="https://auth.docker.io/token\"",service="""#,
                bearer("https://auth.docker.io/token\"", None, None),
            ),
            (r#"Bearer service="no realm""#, None),
            ("Negotiate abc==, NTLM", None),
            (r#"realm="orphan""#, None),
            ("é\"", None),
            ("", None),
        ];
        for (header, expected) in rows {
            assert_eq!(&strongest(std::iter::once(*header)), expected, "{header}");
        }
    }

    #[test]
    fn an_unterminated_or_endless_header_ends() {
        assert_eq!(
            strongest(std::iter::once("Bearer realm=\"https://x")),
            bearer("https://x", None, None)
        );
        assert_eq!(strongest(std::iter::once("\"".repeat(MAX_HEADER).as_str())), None);
        assert_eq!(
            strongest(std::iter::once(format!("Basic {}", " ".repeat(MAX_HEADER)).as_str())),
            None
        );
    }
}
