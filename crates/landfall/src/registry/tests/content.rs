//! Manifests and blobs: checked, bounded, and fetched from where a registry redirects to.

use super::super::Access;
use super::super::digest::sha256_of;
use super::super::error::{Missing, RegistryError};
use super::super::repository::{Head, Manifest, RequestCount};
use super::wire::{RawWire, Reply, Then, Wire, basic, client, kind, options, reply, repository};

const OCI: &str = "application/vnd.oci.image.manifest.v1+json";

#[tokio::test]
async fn a_manifest_is_what_its_digest_says() {
    let body = r#"{"mediaType":"application/vnd.oci.image.index.v1+json"}"#;
    let computed = sha256_of(body.as_bytes());
    let other = sha256_of(b"other");
    let long = format!("sha512:{}", "0".repeat(128));
    type Row<'r> = (&'r str, &'r [(&'r str, &'r str)], Result<&'r str, &'r str>);
    let rows: [Row<'_>; 5] = [
        (
            "named",
            &[("docker-content-digest", &computed), ("content-type", OCI)],
            Ok(OCI),
        ),
        (
            "unnamed",
            &[(
                "content-type",
                "application/vnd.oci.image.manifest.v1+json; charset=utf-8",
            )],
            Ok(OCI),
        ),
        (
            "sha512",
            &[("docker-content-digest", &long), ("content-type", OCI)],
            Ok(OCI),
        ),
        (
            "untyped",
            &[("content-type", "application/json")],
            Ok("application/vnd.oci.image.index.v1+json"),
        ),
        (
            "wrong",
            &[("docker-content-digest", &other), ("content-type", OCI)],
            Err("malformed"),
        ),
    ];
    for (name, headers, expected) in rows {
        let headers: Vec<(String, String)> = headers
            .iter()
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
            .collect();
        let wire = Wire::start(move |_, _| {
            let headers: Vec<(&str, &str)> = headers.iter().map(|(n, v)| (n.as_str(), v.as_str())).collect();
            reply(200, &headers, body)
        })
        .await;
        let repository = repository(&client(), &wire.host(), "a/b", Access::Anonymous);
        let manifest = |digest: &str, media_type: &str| Manifest {
            digest: digest.to_owned(),
            media_type: media_type.to_owned(),
            body: body.into(),
        };
        let by_tag = repository.manifest_by_tag("v1").await;
        assert_eq!(
            by_tag.map_err(|e| kind(&e)),
            expected.map(|media_type| manifest(&computed, media_type)),
            "{name}"
        );
        let by_digest = repository.manifest_by_digest(&computed).await.map(|found| found.digest);
        assert_eq!(by_digest, Ok(computed.clone()), "{name}");
        let wrong = repository.manifest_by_digest(&other).await.unwrap_err();
        assert_eq!(kind(&wrong), "malformed", "{name}");
        assert!(
            wire.seen()[0]
                .accept
                .contains("application/vnd.docker.distribution.manifest.list.v2+json")
        );
    }
}

#[tokio::test]
async fn a_head_is_the_registrys_word() {
    let digest = sha256_of(b"x");
    let named = digest.clone();
    let wire = Wire::start(move |_, seen| {
        assert_eq!(seen.method, "HEAD");
        match seen.path.as_str() {
            "/v2/a/b/manifests/full" => reply(200, &[("docker-content-digest", &named), ("content-type", OCI)], ""),
            "/v2/a/b/manifests/odd" => reply(200, &[("docker-content-digest", "sha256:short")], ""),
            _ => reply(404, &[], ""),
        }
    })
    .await;
    let repository = repository(&client(), &wire.host(), "a/b", Access::Anonymous);
    let full = Head {
        digest: Some(digest),
        media_type: Some(OCI.into()),
    };
    assert_eq!(repository.head_manifest("full").await, Ok(full));
    assert_eq!(
        repository.head_manifest("odd").await,
        Ok(Head {
            digest: None,
            media_type: None
        })
    );
    let name = format!("{}/a/b:none", wire.host());
    assert_eq!(
        repository.head_manifest("none").await,
        Err(RegistryError::NotFound {
            what: Missing::Manifest,
            name
        })
    );
}

#[tokio::test]
async fn references_that_are_not_asked() {
    let client = client();
    let repository = repository(&client, "127.0.0.1:1", "a/b", Access::Anonymous);
    for reference in ["", "../x", "a/b", "a?b", "sha256:abc", "a\nb"] {
        for result in [
            repository.manifest_by_tag(reference).await,
            repository.manifest_by_digest(reference).await,
        ] {
            assert_eq!(kind(&result.unwrap_err()), "refused", "{reference:?}");
        }
        assert_eq!(
            kind(&repository.blob(reference, 10).await.unwrap_err()),
            "refused",
            "{reference:?}"
        );
    }
    assert_eq!(repository.requests(), RequestCount::default());
}

#[tokio::test]
async fn a_blob_comes_from_where_it_is_without_the_proof() {
    let blob = b"config".as_slice();
    let digest = sha256_of(blob);
    let cdn = Wire::start(move |_, seen| match seen.path.as_str() {
        "/signed" => reply(302, &[("Location", "/really")], ""),
        _ => reply(200, &[], blob),
    })
    .await;
    let target = cdn.url("/signed?signature=secret");
    let wire = Wire::start(move |_, seen| match (&seen.authorization, seen.path.as_str()) {
        (None, _) => reply(401, &[("www-authenticate", "Basic realm=x")], ""),
        (_, "/again") => reply(307, &[("Location", &target)], ""),
        _ => reply(307, &[("Location", "/again")], ""),
    })
    .await;
    let repository = repository(&client(), &wire.host(), "a/b", basic("bob", "hunter22"));
    assert_eq!(repository.blob(&digest, 100).await.unwrap(), blob);
    let proofs: Vec<bool> = wire.seen().iter().map(|seen| seen.authorization.is_some()).collect();
    assert_eq!(proofs, [false, true, true], "on its own origin the proof goes along");
    assert_eq!(cdn.asked(), ["/signed?signature=secret", "/really"]);
    assert!(cdn.seen().iter().all(|seen| seen.authorization.is_none()));
    assert_eq!((repository.requests().registry, repository.requests().token), (4, 1));
}

#[tokio::test]
async fn redirects_that_are_not_followed() {
    let rows = [
        ("/loop", "malformed"),
        ("http://cdn.example/x", "refused"),
        ("ftp://127.0.0.1/x", "refused"),
        ("http://user:secret@127.0.0.1:1/x", "refused"),
        ("https://[bad", "malformed"),
    ];
    for (location, expected) in rows {
        let wire = Wire::start(move |_, _| reply(302, &[("Location", location)], "")).await;
        let repository = repository(&client(), &wire.host(), "a/b", Access::Anonymous);
        let error = repository.blob(&sha256_of(b""), 10).await.unwrap_err();
        assert_eq!(kind(&error), expected, "{location}: {error}");
        assert!(!error.to_string().contains("secret"), "{error}");
        assert!(wire.seen().len() <= 6, "{location}");
    }
}

#[tokio::test]
async fn a_place_redirected_to_explains_itself_without_its_query() {
    for (status, expected) in [
        (401, "unauthorized"),
        (403, "denied"),
        (429, "throttled"),
        (500, "unavailable"),
    ] {
        let cdn = Wire::start(move |_, _| reply(status, &[("www-authenticate", "Basic realm=x")], "")).await;
        let target = cdn.url("/x?signature=secret");
        let wire = Wire::start(move |_, _| reply(302, &[("Location", &target)], "")).await;
        let repository = repository(&client(), &wire.host(), "a/b", basic("bob", "hunter22"));
        let error = repository.blob(&sha256_of(b""), 10).await.unwrap_err();
        assert_eq!(kind(&error), expected, "{error}");
        assert!(
            error.to_string().contains(&cdn.host()) && !error.to_string().contains("secret"),
            "{error}"
        );
        assert_eq!(cdn.seen().len(), 1, "{status}");
    }
}

#[tokio::test]
async fn bodies_are_bounded_announced_or_not() {
    let announced = Wire::start(|_, _| reply(200, &[], vec![b'x'; 11])).await;
    let digest = sha256_of(&[b'x'; 11]);
    let at = |host: String| repository(&client(), &host, "a/b", Access::Anonymous);
    let error = at(announced.host()).blob(&digest, 10).await.unwrap_err();
    assert_eq!(
        error.to_string(),
        format!("a blob from {} is larger than 10 bytes", announced.host())
    );
    assert_eq!(at(announced.host()).blob(&digest, 11).await.unwrap().len(), 11);

    let chunk = [b"10000\r\n".as_slice(), &[b'x'; 0x10000], b"\r\n"].concat();
    let head = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";
    let endless = RawWire::start(head, Then::Repeat(chunk)).await;
    let error = at(endless.host()).manifest_by_tag("v1").await.unwrap_err();
    assert_eq!(kind(&error), "too large", "{error}");

    let endless_error = RawWire::start(b"HTTP/1.1 500 No\r\n\r\n", Then::Repeat(vec![b' '; 1024])).await;
    let error = at(endless_error.host()).manifest_by_tag("v1").await.unwrap_err();
    assert_eq!(
        error,
        RegistryError::Unavailable {
            host: endless_error.host(),
            detail: "status 500".into()
        }
    );
}

#[tokio::test]
async fn slow_and_broken_servers_are_unavailable() {
    let options = super::super::RegistryOptions {
        request_timeout: std::time::Duration::from_millis(300),
        ..options()
    };
    let client = super::super::RegistryClient::new(options).unwrap();
    let silent = Wire::start(|_, _| Reply::Never).await;
    let half = b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf";
    let stalled = RawWire::start(half, Then::Stall).await;
    let broken = RawWire::start(half, Then::HangUp).await;
    let nobody = {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        listener.local_addr().unwrap().to_string()
    };
    let rows = [
        (silent.host(), "no complete answer within 0.3 s"),
        (stalled.host(), "no complete answer within 0.3 s"),
        (broken.host(), "the answer broke off: "),
        (nobody, "cannot connect: "),
    ];
    for (host, expected) in rows {
        let error = repository(&client, &host, "a/b", Access::Anonymous)
            .manifest_by_tag("v1")
            .await
            .unwrap_err();
        assert_eq!(kind(&error), "unavailable", "{error}");
        assert!(error.is_transient() && error.to_string().contains(expected), "{error}");
    }
}

#[tokio::test]
async fn plain_http_is_found_once_and_remembered() {
    let answer = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\n{}";
    let wire = RawWire::start(answer, Then::HangUp).await;
    let client = client();
    for _ in 0..3 {
        let repository = repository(&client, &wire.host(), "a/b", Access::Anonymous);
        repository.tags().await.unwrap();
        assert_eq!(repository.requests().registry, 1, "a greeting in TLS is no request");
    }
    assert_eq!(*wire.greetings.lock().unwrap(), 1);
}

#[tokio::test]
async fn what_a_404_says() {
    let rows = [
        (r#"{"errors":[{"code":"NAME_UNKNOWN"}]}"#, Missing::Repository),
        (r#"{"errors":[{"code":"MANIFEST_UNKNOWN"}]}"#, Missing::Manifest),
        (r#"{"errors":[{"code":"NOT_FOUND"}]}"#, Missing::Manifest),
        ("", Missing::Manifest),
    ];
    for (body, what) in rows {
        let wire = Wire::start(move |_, _| reply(404, &[], body)).await;
        let error = repository(&client(), &wire.host(), "a/b", Access::Anonymous)
            .manifest_by_tag("v1")
            .await;
        assert_eq!(
            error,
            Err(RegistryError::NotFound {
                what,
                name: format!("{}/a/b:v1", wire.host())
            }),
            "{body}"
        );
    }
}
