//! Who asks: challenges, tokens, and where credentials never go.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use super::super::error::RegistryError;
use super::super::repository::RequestCount;
use super::super::{Access, RegistryClient, RegistryOptions};
use super::wire::{Reply, Seen, Wire, basic, client, kind, options, reply, repository};

/// `bob:hunter22` and `eve:letmein9` as the `Basic` header has them.
const BOB: &str = "Basic Ym9iOmh1bnRlcjIy";
const EVE: &str = "Basic ZXZlOmxldG1laW45";

fn bob() -> Access {
    basic("bob", "hunter22")
}

fn eve() -> Access {
    basic("eve", "letmein9")
}

fn count(registry: u32, token: u32) -> RequestCount {
    RequestCount { registry, token }
}

/// A registry with a token service of its own at `/token`. Tokens name their buyer and scope, and only bob may read
/// `private/*`; `public/*` is for everybody who has a token for it.
fn with_tokens(port: u16, seen: &Seen) -> Reply {
    let query: HashMap<String, String> = reqwest::Url::parse(&format!("http://x/?{}", seen.query))
        .unwrap()
        .query_pairs()
        .into_owned()
        .collect();
    if seen.path == "/token" {
        let buyer = match seen.authorization.as_deref() {
            None => "nobody",
            Some(BOB) => "bob",
            Some(EVE) => "eve",
            Some(_) => return reply(401, &[], r#"{"details":"incorrect username or password"}"#),
        };
        assert_eq!(query.get("service").map(String::as_str), Some("fake"));
        let body = format!(r#"{{"token":"{buyer}/{}","expires_in":300}}"#, query["scope"]);
        return reply(200, &[], body);
    }
    let name = seen.path.trim_start_matches("/v2/").trim_end_matches("/tags/list");
    let challenge =
        format!(r#"Bearer realm="http://127.0.0.1:{port}/token",service="fake",scope="repository:{name}:pull""#);
    let allowed: &[&str] = if name.starts_with("public/") {
        &["nobody", "bob", "eve"]
    } else {
        &["bob"]
    };
    let accepted = allowed
        .iter()
        .any(|buyer| seen.authorization.as_deref() == Some(format!("Bearer {buyer}/repository:{name}:pull").as_str()));
    if accepted {
        reply(200, &[], r#"{"tags":["a"]}"#)
    } else {
        reply(
            401,
            &[("www-authenticate", &challenge)],
            r#"{"errors":[{"code":"UNAUTHORIZED","message":"no"}]}"#,
        )
    }
}

#[tokio::test]
async fn a_token_is_bought_once_and_the_challenge_is_paid_once_a_host() {
    let wire = Wire::start(with_tokens).await;
    let client = client();
    let first = repository(&client, &wire.host(), "public/one", Access::Anonymous);
    first.tags().await.unwrap();
    assert_eq!(first.requests(), count(1, 2), "a challenge and a token");
    first.tags().await.unwrap();
    assert_eq!(first.requests(), count(2, 2));
    let second = repository(&client, &wire.host(), "public/two", bob());
    second.tags().await.unwrap();
    assert_eq!(
        second.requests(),
        count(1, 1),
        "the host's ways are known, so only a token"
    );
    let token = "/token?service=fake&scope=repository%3Apublic%2Fone%3Apull";
    assert_eq!(wire.asked()[1], token);
}

#[tokio::test]
async fn tenants_share_no_tokens() {
    let wire = Wire::start(with_tokens).await;
    let wrong = || basic("bob", "wrong");
    // Each row is one client's life: who asks in turn, and what each gets.
    type Row = (&'static str, Vec<(Access, Result<(), &'static str>)>);
    let rows: Vec<Row> = vec![
        (
            "wrong, then right",
            vec![(wrong(), Err("unauthorized")), (bob(), Ok(()))],
        ),
        (
            "right, then wrong",
            vec![(bob(), Ok(())), (wrong(), Err("unauthorized"))],
        ),
        (
            "bob, then eve",
            vec![(bob(), Ok(())), (eve(), Err("denied")), (bob(), Ok(()))],
        ),
        (
            "bob, then nobody",
            vec![(bob(), Ok(())), (Access::Anonymous, Err("unauthorized"))],
        ),
        (
            "nobody, then bob",
            vec![(Access::Anonymous, Err("unauthorized")), (bob(), Ok(()))],
        ),
    ];
    for (name, turns) in rows {
        let client = client();
        for (access, expected) in turns {
            let result = repository(&client, &wire.host(), "private/x", access).tags().await;
            if let Err(error) = &result {
                assert!(!error.to_string().contains("hunter22"), "{error}");
            }
            assert_eq!(result.map(|_| ()).map_err(|error| kind(&error)), expected, "{name}");
        }
    }
}

#[tokio::test]
async fn a_wrong_password_costs_a_token_request_and_a_challenge() {
    let wire = Wire::start(with_tokens).await;
    let client = client();
    repository(&client, &wire.host(), "private/x", bob())
        .tags()
        .await
        .unwrap();
    let wrong = repository(&client, &wire.host(), "private/x", basic("bob", "wrong"));
    assert_eq!(kind(&wrong.tags().await.unwrap_err()), "unauthorized");
    assert_eq!(wrong.requests(), count(0, 2));
}

#[tokio::test]
async fn tenants_at_once_get_what_is_theirs_and_share_the_buying() {
    let wire = Wire::start(with_tokens).await;
    let client = client();
    let tasks: Vec<_> = (0..30)
        .map(|number| {
            let access = [bob(), eve(), Access::Anonymous][number % 3].clone();
            let repository = repository(&client, &wire.host(), "private/x", access);
            tokio::spawn(async move { (number % 3, repository.tags().await) })
        })
        .collect();
    for task in tasks {
        let (who, result) = task.await.unwrap();
        let expected = [Ok(()), Err("denied"), Err("unauthorized")][who];
        assert_eq!(result.map(|_| ()).map_err(|error| kind(&error)), expected);
    }
    let bought = wire
        .seen()
        .iter()
        .filter(|seen| seen.authorization.as_deref() == Some(BOB))
        .count();
    assert_eq!(bought, 1, "ten asked as bob, one bought");
}

#[tokio::test]
async fn a_revoked_token_is_replaced_once() {
    // The token service numbers its tokens, and the registry takes only the second.
    let issued = AtomicU32::new(0);
    let wire = Wire::start(
        move |port, seen| match (seen.path.as_str(), seen.authorization.as_deref()) {
            ("/token", _) => {
                let number = issued.fetch_add(1, Ordering::SeqCst) + 1;
                reply(200, &[], format!(r#"{{"access_token":"t{number}","expires_in":300}}"#))
            }
            ("/v2/a/b/tags/list", Some("Bearer t1"))
                if issued.load(Ordering::SeqCst) == 1 && seen.query == "n=1000" =>
            {
                reply(200, &[], r#"{"tags":["a"]}"#)
            }
            (_, Some("Bearer t2")) => reply(200, &[("content-type", "application/x")], "{}"),
            _ => reply(
                401,
                &[(
                    "www-authenticate",
                    &format!("Bearer realm=\"http://127.0.0.1:{port}/token\""),
                )],
                "",
            ),
        },
    )
    .await;
    let repository = repository(&client(), &wire.host(), "a/b", Access::Anonymous);
    repository.tags().await.unwrap();
    repository.manifest_by_tag("v1").await.unwrap();
    assert_eq!(repository.requests(), count(2, 4), "two challenges, two tokens");
}

#[tokio::test]
async fn a_registry_that_takes_no_token_is_not_asked_for_ever() {
    let wire = Wire::start(|port, seen| match seen.path.as_str() {
        "/token" => reply(200, &[], r#"{"token":"t"}"#),
        _ => reply(
            401,
            &[(
                "www-authenticate",
                &format!("Bearer realm=\"http://127.0.0.1:{port}/token\""),
            )],
            "",
        ),
    })
    .await;
    let client = client();
    for (access, expected) in [(Access::Anonymous, "unauthorized"), (bob(), "denied")] {
        let repository = repository(&client, &wire.host(), "a/b", access);
        assert_eq!(kind(&repository.tags().await.unwrap_err()), expected);
        assert!(repository.requests().token <= 4, "{:?}", repository.requests());
    }
}

#[tokio::test]
async fn a_fixed_scope_is_learned() {
    // Like a public gallery that gives one kind of token for everything.
    let wire = Wire::start(|port, seen| match (seen.path.as_str(), seen.authorization.as_deref()) {
        ("/token", _) if seen.query == "scope=aws" => reply(200, &[], r#"{"token":"t"}"#),
        ("/token", _) => reply(400, &[], ""),
        (_, Some("Bearer t")) => reply(200, &[], r#"{"tags":["a"]}"#),
        _ => {
            let challenge = format!("Bearer realm=\"http://127.0.0.1:{port}/token\",scope=\"aws\"");
            reply(401, &[("www-authenticate", &challenge)], "")
        }
    })
    .await;
    let client = client();
    for _ in 0..2 {
        repository(&client, &wire.host(), "a/b", Access::Anonymous)
            .tags()
            .await
            .unwrap();
    }
    assert_eq!(
        wire.asked().len(),
        4,
        "challenge, token, list; then list: {:?}",
        wire.asked()
    );
}

/// A registry that wants a user name and password.
fn with_passwords(_: u16, seen: &Seen) -> Reply {
    match seen.authorization.as_deref() {
        Some(BOB) => reply(200, &[], r#"{"tags":["a"]}"#),
        Some(_) => reply(
            401,
            &[("www-authenticate", "Basic realm=x")],
            r#"{"errors":[{"message":"not hunter23"}]}"#,
        ),
        None => reply(401, &[("www-authenticate", "Basic realm=x")], ""),
    }
}

#[tokio::test]
async fn passwords_are_sent_once_they_are_asked_for() {
    let wire = Wire::start(with_passwords).await;
    let client = client();
    let rows = [
        (bob(), Ok(()), count(1, 1)),
        (bob(), Ok(()), count(1, 0)),
        (basic("bob", "hunter23"), Err("unauthorized"), count(0, 1)),
        (bob(), Ok(()), count(1, 0)),
        (Access::Anonymous, Err("unauthorized"), count(0, 1)),
    ];
    for (access, expected, requests) in rows {
        let repository = repository(&client, &wire.host(), "a/b", access);
        let result = repository.tags().await;
        assert!(!format!("{result:?}").contains("hunter23"), "{result:?}");
        assert_eq!(result.map(|_| ()).map_err(|error| kind(&error)), expected);
        assert_eq!(repository.requests(), requests);
    }
}

#[tokio::test]
async fn a_registry_that_hides_what_is_private_is_asked_for_its_challenge() {
    let wire = Wire::start(|_, seen| match (seen.authorization.as_deref(), seen.path.as_str()) {
        (Some(BOB), "/v2/private/x/tags/list") => reply(200, &[], r#"{"tags":["a"]}"#),
        (None, "/v2/") => reply(401, &[("www-authenticate", "Basic realm=x")], ""),
        _ => reply(404, &[], r#"{"errors":[{"code":"NAME_UNKNOWN"}]}"#),
    })
    .await;
    let hidden = repository(&client(), &wire.host(), "private/x", bob());
    assert_eq!(hidden.tags().await.unwrap().tags, ["a"]);
    assert_eq!(hidden.requests(), count(2, 1));
    let stranger = repository(&client(), &wire.host(), "private/x", Access::Anonymous);
    assert_eq!(kind(&stranger.tags().await.unwrap_err()), "not found");
    assert_eq!(stranger.requests(), count(1, 0));
}

#[tokio::test]
async fn credentials_do_not_go_to_another_site() {
    let wire = Wire::start(|_, _| {
        reply(
            401,
            &[(
                "www-authenticate",
                r#"Bearer realm="https://tokens.invalid/t?key=secret""#,
            )],
            "",
        )
    })
    .await;
    let error = repository(&client(), &wire.host(), "a/b", bob())
        .tags()
        .await
        .unwrap_err();
    let why = format!(
        "the token service that {0} names (tokens.invalid) is on another site, and the credentials for {0} are not sent \
         there; list it as a trusted realm if it is right",
        wire.host()
    );
    assert_eq!(error, RegistryError::Refused { why });

    // Trusted, or without credentials, it is tried; and there is no such host.
    let trusted_realms = [(wire.host(), vec!["tokens.invalid".to_owned()])].into();
    let trusting = RegistryClient::new(RegistryOptions {
        trusted_realms,
        ..options()
    })
    .unwrap();
    for (client, access) in [(trusting, bob()), (client(), Access::Anonymous)] {
        let error = repository(&client, &wire.host(), "a/b", access)
            .tags()
            .await
            .unwrap_err();
        assert_eq!(kind(&error), "unavailable", "{error}");
        assert!(!error.to_string().contains("secret"), "{error}");
    }
}

#[tokio::test]
async fn a_token_service_that_fails() {
    let rows = [
        (500, "", "unavailable"),
        (401, r#"{"details":"bad password hunter22"}"#, "unauthorized"),
        (403, "", "unauthorized"),
        (404, "", "rejected"),
        (302, "", "rejected"),
        (200, "{}", "malformed"),
        (200, "<html>", "malformed"),
    ];
    for (status, body, expected) in rows {
        let wire = Wire::start(move |port, seen| match seen.path.as_str() {
            "/token" => reply(status, &[("location", "http://127.0.0.1:1/")], body),
            _ => reply(
                401,
                &[(
                    "www-authenticate",
                    &format!("Bearer realm=\"http://127.0.0.1:{port}/token\""),
                )],
                "",
            ),
        })
        .await;
        let error = repository(&client(), &wire.host(), "a/b", bob())
            .tags()
            .await
            .unwrap_err();
        assert_eq!(kind(&error), expected, "{status}: {error}");
        assert!(!error.to_string().contains("hunter22"), "{error}");
    }
}

#[tokio::test]
async fn a_token_answer_is_bounded() {
    let large = Arc::new(vec![b' '; 64 * 1024 + 1]);
    let wire = Wire::start(move |port, seen| match seen.path.as_str() {
        "/token" => reply(200, &[], large.to_vec()),
        _ => reply(
            401,
            &[(
                "www-authenticate",
                &format!("Bearer realm=\"http://127.0.0.1:{port}/token\""),
            )],
            "",
        ),
    })
    .await;
    let error = repository(&client(), &wire.host(), "a/b", Access::Anonymous)
        .tags()
        .await
        .unwrap_err();
    assert_eq!(kind(&error), "too large", "{error}");
}

#[tokio::test]
async fn challenges_nobody_can_answer() {
    for header in ["Negotiate", "Bearer service=x", ""] {
        let wire = Wire::start(move |_, _| reply(401, &[("www-authenticate", header)], "")).await;
        let error = repository(&client(), &wire.host(), "a/b", bob())
            .tags()
            .await
            .unwrap_err();
        assert_eq!(kind(&error), "unauthorized", "{header}: {error}");
        assert_eq!(wire.seen().len(), 1);
        assert_eq!(wire.seen()[0].authorization, None);
    }
}

#[tokio::test]
async fn a_stranger_may_be_denied() {
    let wire = Wire::start(|_, _| reply(403, &[], r#"{"errors":[{"code":"DENIED","message":"go away"}]}"#)).await;
    let error = repository(&client(), &wire.host(), "a/b", Access::Anonymous)
        .tags()
        .await
        .unwrap_err();
    let detail = format!("no access to {}/a/b (DENIED: go away)", wire.host());
    assert_eq!(
        error,
        RegistryError::Denied {
            host: wire.host(),
            detail
        }
    );
}
