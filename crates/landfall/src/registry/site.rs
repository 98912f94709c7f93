//! Decides which other hosts a registry may send us to, and with which secrets; must not know how requests are sent.

use std::net::IpAddr;

use reqwest::Url;

use super::credentials::Access;
use super::endpoint::{Host, authority, host, is_local, is_loopback};
use super::error::RegistryError;

/// Domains under which unrelated parties get hosts of their own: there a site is one host.
const SHARED_DOMAINS: &[&str] = &[
    "amazonaws.com",
    "azurecr.io",
    "azurewebsites.net",
    "cloudfront.net",
    "cluster.local",
    "github.io",
    "herokuapp.com",
    "pkg.dev",
    "run.app",
    "workers.dev",
];
/// Labels that, below a country's domain, are not anybody's own: `co` in `example.co.uk`.
const COUNTRY_SECOND_LEVELS: &[&str] = &[
    "ac", "co", "com", "edu", "go", "gob", "gov", "ne", "net", "nom", "or", "org",
];

/// The registry that named a realm.
#[derive(Debug, Clone, Copy)]
pub(super) struct AskedRegistry<'r> {
    /// The base URL that was asked.
    pub(super) origin: &'r Url,
    /// The registry's canonical host, which a mirror stands in for.
    pub(super) canonical: &'r str,
    /// Realm hosts an administrator trusts with this registry's credentials.
    pub(super) trusted: &'r [String],
}

/// The token endpoint to ask, if the registry may send us and these credentials there.
pub(super) fn realm_to_ask(realm: &str, registry: AskedRegistry<'_>, access: &Access) -> Result<Url, RegistryError> {
    let asked = authority(registry.origin);
    let refused = |why: String| {
        Err(RegistryError::refused(format!(
            "the token service that {asked} names {why}"
        )))
    };
    let Ok(url) = Url::parse(realm) else {
        return refused("is no URL".into());
    };
    if !url.username().is_empty() || url.password().is_some() {
        return refused("has credentials in its URL".into());
    }
    if let Err(why) = may_go(registry.origin, &url) {
        return refused(format!("({}) {why}", authority(&url)));
    }
    if matches!(access, Access::Anonymous) || may_have_credentials(&url, registry) {
        return Ok(url);
    }
    refused(format!(
        "({}) is on another site, and the credentials for {asked} are not sent there; list it as a trusted realm if it is right",
        authority(&url)
    ))
}

/// Whether an answer from `from` may send us on to `to`; the error ends a sentence about the target.
///
/// Plain `http` is only followed from plain `http`, among hosts that may be asked so, and a host out there may not send us
/// to this machine or to link-local addresses, where services trust whoever can reach them.
pub(super) fn may_go(from: &Url, to: &Url) -> Result<(), &'static str> {
    match to.scheme() {
        "https" => {}
        "http" if from.scheme() == "http" && is_local(from) && is_local(to) => {}
        "http" => return Err("would be asked over plain http"),
        _ => return Err("has a scheme other than https"),
    }
    if to.host_str().is_none_or(str::is_empty) {
        return Err("has no host");
    }
    if is_inward(to) && !is_local(from) && host(from) != host(to) {
        return Err("is an address of this machine or its link");
    }
    Ok(())
}

fn is_inward(url: &Url) -> bool {
    match host(url) {
        Some(Host::Address(IpAddr::V4(ip))) => ip.is_loopback() || ip.is_link_local() || ip.is_unspecified(),
        Some(Host::Address(IpAddr::V6(ip))) => {
            ip.is_loopback() || ip.is_unspecified() || ip.is_unicast_link_local() || ip.to_ipv4_mapped().is_some()
        }
        Some(Host::Name(name)) => name == "localhost" || name.ends_with(".localhost"),
        None => false,
    }
}

fn may_have_credentials(realm: &Url, registry: AskedRegistry<'_>) -> bool {
    let Some(realm_host) = realm.host_str() else {
        return false;
    };
    if registry.trusted.iter().any(|trusted| trusted == realm_host) {
        return true;
    }
    let canonical = Url::parse(&format!("https://{}/", registry.canonical)).ok();
    std::iter::once(registry.origin)
        .chain(canonical.as_ref())
        .any(|known| same_site(known, realm))
}

/// Whether one party answers for both hosts, as far as their names tell. Docker Hub's `docker.io`, `registry-1.docker.io`
/// and `auth.docker.io` are one site.
fn same_site(one: &Url, other: &Url) -> bool {
    if is_loopback(one) && is_loopback(other) {
        return true;
    }
    match (host(one), host(other)) {
        (Some(Host::Address(a)), Some(Host::Address(b))) => a == b,
        (Some(Host::Name(a)), Some(Host::Name(b))) => site(a) == site(b),
        _ => false,
    }
}

/// The domain that one party owns, guessed from the name: strict where the guess could be wrong.
fn site(name: &str) -> &str {
    let name = name.trim_end_matches('.');
    let under = |domain: &&str| {
        name.strip_suffix(*domain)
            .is_some_and(|head| head.is_empty() || head.ends_with('.'))
    };
    if SHARED_DOMAINS.iter().any(under) {
        return name;
    }
    let mut labels = name.rsplit('.');
    let top = labels.next().unwrap_or_default();
    let second = labels.next().unwrap_or_default();
    let country = top.len() == 2 && COUNTRY_SECOND_LEVELS.contains(&second);
    let keep = if country { 3 } else { 2 };
    let start = name.rmatch_indices('.').nth(keep - 1).map_or(0, |(index, _)| index + 1);
    &name[start..]
}

#[cfg(test)]
mod tests {
    use super::super::credentials::Password;
    use super::*;

    #[test]
    fn which_realms_get_credentials() {
        let rows: &[(&str, &str, &str, bool, bool)] = &[
            // asked, canonical, realm, with credentials, anonymously
            (
                "https://registry-1.docker.io",
                "docker.io",
                "https://auth.docker.io/token",
                true,
                true,
            ),
            (
                "https://registry.gitlab.com",
                "registry.gitlab.com",
                "https://gitlab.com/jwt/auth",
                true,
                true,
            ),
            ("https://ghcr.io", "ghcr.io", "https://ghcr.io/token", true, true),
            (
                "https://mirror.example",
                "docker.io",
                "https://auth.docker.io/token",
                true,
                true,
            ),
            (
                "https://r.example.co.uk",
                "r.example.co.uk",
                "https://a.example.co.uk/t",
                true,
                true,
            ),
            (
                "https://r.example.co.uk",
                "r.example.co.uk",
                "https://a.other.co.uk/t",
                false,
                true,
            ),
            (
                "https://one.azurecr.io",
                "one.azurecr.io",
                "https://two.azurecr.io/t",
                false,
                true,
            ),
            (
                "https://one.azurecr.io",
                "one.azurecr.io",
                "https://one.azurecr.io/oauth2/token",
                true,
                true,
            ),
            ("https://ghcr.io", "ghcr.io", "https://evil.example/token", false, true),
            (
                "https://ghcr.io",
                "ghcr.io",
                "https://trusted.example/token",
                true,
                true,
            ),
            ("https://ghcr.io", "ghcr.io", "http://ghcr.io/token", false, false),
            ("https://ghcr.io", "ghcr.io", "https://127.0.0.1/token", false, false),
            (
                "https://ghcr.io",
                "ghcr.io",
                "https://169.254.169.254/token",
                false,
                false,
            ),
            (
                "https://ghcr.io",
                "ghcr.io",
                "https://user:pw@ghcr.io/token",
                false,
                false,
            ),
            ("https://ghcr.io", "ghcr.io", "ftp://ghcr.io/token", false, false),
            ("https://ghcr.io", "ghcr.io", "not a url", false, false),
            (
                "http://127.0.0.1:5000",
                "127.0.0.1:5000",
                "http://127.0.0.1:5001/token",
                true,
                true,
            ),
            (
                "http://127.0.0.1:5000",
                "127.0.0.1:5000",
                "http://localhost:5001/token",
                true,
                true,
            ),
            (
                "http://127.0.0.1:5000",
                "127.0.0.1:5000",
                "http://10.0.0.1/token",
                false,
                true,
            ),
            (
                "https://127.0.0.1:5000",
                "127.0.0.1:5000",
                "http://127.0.0.1:5001/token",
                false,
                false,
            ),
        ];
        let basic = Access::Basic {
            username: "u".into(),
            password: Password::new("p"),
        };
        let trusted = ["trusted.example".to_owned()];
        for (asked, canonical, realm, with_credentials, anonymously) in rows {
            let origin = Url::parse(asked).expect("a test's URL parses");
            let registry = AskedRegistry {
                origin: &origin,
                canonical,
                trusted: &trusted,
            };
            let results = [&basic, &Access::Anonymous].map(|access| realm_to_ask(realm, registry, access).is_ok());
            assert_eq!(results, [*with_credentials, *anonymously], "{asked} -> {realm}");
        }
    }

    #[test]
    fn where_redirects_may_lead() {
        let rows: &[(&str, &str, bool)] = &[
            ("https://r.example", "https://cdn.example/x", true),
            ("https://r.example", "http://cdn.example/x", false),
            ("https://r.example", "http://127.0.0.1/x", false),
            ("https://r.example", "https://localhost/x", false),
            ("https://r.example", "https://[::ffff:127.0.0.1]/x", false),
            ("https://r.example", "https://10.0.0.5/x", true),
            ("http://10.0.0.4:5000", "http://10.0.0.5:9000/x", true),
            ("http://127.0.0.1:5000", "http://cdn.example/x", false),
            ("http://127.0.0.1:5000", "https://cdn.example/x", true),
            ("https://r.example", "file:///etc/passwd", false),
        ];
        for (from, to, allowed) in rows {
            let [from_url, to_url] = [from, to].map(|url| Url::parse(url).expect("a test's URL parses"));
            assert_eq!(may_go(&from_url, &to_url).is_ok(), *allowed, "{from} -> {to}");
        }
    }
}
