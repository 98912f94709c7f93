//! Decides which host a text of a payload names; it must not know whether anybody is there.

/// Host and port of `scheme://user@host:port/path`, where everything but the host may be missing. Empty where there is none.
pub(crate) fn authority(text: &str) -> &str {
    let text = text.trim();
    let rest = text.split_once("://").map_or(text, |(_, rest)| rest);
    let rest = rest.trim_start_matches('/');
    let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
    authority.rsplit_once('@').map_or(authority, |(_, host)| host)
}

/// Host and repository of `scheme://host/repository[:tag][@digest]`, where the scheme may be missing, and nothing else may
/// come first than a host. What is missing is empty.
pub(super) fn split_url(url: &str) -> (&str, &str) {
    let rest = url.split_once("://").map_or(url, |(_, rest)| rest);
    let path = rest.split_once('/').map_or("", |(_, path)| path);
    (authority(url), split_tag(path).0)
}

/// Whether a reference that begins with `host/` would be read as one on that host: other first segments belong to a path on
/// Docker Hub.
pub(super) fn can_lead(host: &str) -> bool {
    host.contains(['.', ':']) || host.eq_ignore_ascii_case("localhost")
}

/// Takes the host off a reference that begins with one.
pub(super) fn split(reference: &str) -> (Option<&str>, &str) {
    match reference.split_once('/') {
        Some((host, path)) if can_lead(host) => (Some(host), path),
        _ => (None, reference),
    }
}

/// The repository and the tag of `[host[:port]/]repository[:tag][@digest]`; empty where there is none.
pub(super) fn split_tag(reference: &str) -> (&str, &str) {
    let reference = reference.split_once('@').map_or(reference, |(name, _)| name);
    match reference.rsplit_once(':') {
        Some((name, tag)) if !tag.contains('/') => (name, tag),
        _ => (reference, ""),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_host_is_found_with_whatever_is_around_it() {
        for (text, expected) in [
            ("https://harbor.example.com/library/app:1", "harbor.example.com"),
            ("harbor.example.com:8443/library/app", "harbor.example.com:8443"),
            ("https://admin:hunter2@harbor.example.com/library", "harbor.example.com"),
            ("//quay.example.com?x=1", "quay.example.com"),
            (" [::1]:5000/app", "[::1]:5000"),
            ("https:///library/app", "library"),
            ("https://", ""),
            ("", ""),
        ] {
            assert_eq!(authority(text), expected, "{text:?}");
        }
    }

    #[test]
    fn urls_of_images_fall_into_host_and_repository() {
        for (url, expected) in [
            ("quay.example.com:8443/shop/api", ("quay.example.com:8443", "shop/api")),
            ("https://quay.io/shop/api:1.4.0", ("quay.io", "shop/api")),
            ("harbor/library/api@sha256:00", ("harbor", "library/api")),
            ("quay.io", ("quay.io", "")),
            ("", ("", "")),
        ] {
            assert_eq!(split_url(url), expected, "{url:?}");
        }
    }

    #[test]
    fn references_fall_into_host_repository_and_tag() {
        for (reference, expected) in [
            (
                "registry.example.com:5000/shop/api:1.4.0",
                (Some("registry.example.com:5000"), "shop/api", "1.4.0"),
            ),
            (
                "registry.example.com:5000/shop/api",
                (Some("registry.example.com:5000"), "shop/api", ""),
            ),
            ("shop/api:1.4.0", (None, "shop/api", "1.4.0")),
            ("api", (None, "api", "")),
            ("localhost/api:1@sha256:00", (Some("localhost"), "api", "1")),
            ("shop/api@sha256:00", (None, "shop/api", "")),
        ] {
            let (name, tag) = split_tag(reference);
            let (host, path) = split(name);
            assert_eq!((host, path, tag), expected, "{reference:?}");
        }
    }
}
