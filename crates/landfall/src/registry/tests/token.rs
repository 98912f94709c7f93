//! Tokens: how long they may be used, who shares them, and how many are kept.

use super::*;

fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

#[test]
fn token_answers() {
    let now = at("2026-01-01T00:01:00Z");
    type Row<'r> = (&'r str, Result<(&'r str, u64), &'r str>);
    let rows: &[Row<'_>] = &[
        (r#"{"token":"t","expires_in":300}"#, Ok(("Bearer t", 270))),
        (
            r#"{"access_token":"a","expires_in":300,"issued_at":"2026-01-01T00:00:00Z"}"#,
            Ok(("Bearer a", 210)),
        ),
        (r#"{"token":"","access_token":"a"}"#, Ok(("Bearer a", 45))),
        (
            r#"{"token":"t","expires_in":300,"issued_at":"2026-01-01T09:00:00Z"}"#,
            Ok(("Bearer t", 270)),
        ),
        (
            r#"{"token":"t","expires_in":300,"issued_at":"2025-01-01T00:00:00Z"}"#,
            Ok(("Bearer t", 0)),
        ),
        (r#"{"token":"t","expires_in":-5}"#, Ok(("Bearer t", 0))),
        (r#"{"token":"t","expires_in":1e300}"#, Ok(("Bearer t", 24 * 3600 - 30))),
        (
            r#"{"token":"t","expires_in":"soon","issued_at":7}"#,
            Ok(("Bearer t", 45)),
        ),
        (r#"{"expires_in":300}"#, Err("its token answer holds no token")),
        (
            "{\"token\":\"a\\nb\"}",
            Err("its token holds characters no header can carry"),
        ),
        ("<html>", Err("its token answer is not the JSON it should be")),
    ];
    for (body, expected) in rows {
        let read = read_token(body.as_bytes(), now);
        let read = read
            .as_ref()
            .map(|token| (token.header.to_str().unwrap(), token.usable_for.as_secs()));
        assert_eq!(read.map_err(|error| *error), *expected, "{body}");
    }
}

#[test]
fn a_token_is_not_shown() {
    let token = read_token(br#"{"token":"very-secret"}"#, at("2026-01-01T00:00:00Z")).unwrap();
    assert!(!format!("{token:?}").contains("very-secret"));
}

fn key(scope: &str, buyer: Option<&str>) -> TokenKey {
    use super::super::credentials::{Access, Password};
    let buyer = buyer.and_then(|name| {
        Access::Basic {
            username: name.into(),
            password: Password::new("p"),
        }
        .fingerprint()
    });
    let service = TokenService {
        realm: "https://a.example".into(),
        service: None,
        scope: Some(scope.into()),
    };
    TokenKey {
        service,
        buyer,
        tls: TlsVerification::Verify,
    }
}

fn token(text: &'static str, seconds: u64) -> Result<Token, RegistryError> {
    Ok(Token {
        header: HeaderValue::from_static(text),
        usable_for: Duration::from_secs(seconds),
    })
}

#[tokio::test(start_paused = true)]
async fn a_token_is_used_until_it_runs_out_or_is_rejected() {
    let cache = TokenCache::default();
    let key = key("s", None);
    let first = cache.token(&key, None, async { token("one", 10) }).await.unwrap();
    assert_eq!((first.header.to_str().unwrap(), first.age), ("one", Age::Fresh));
    tokio::time::advance(Duration::from_secs(9)).await;
    let again = cache.token(&key, None, async { token("two", 10) }).await.unwrap();
    assert_eq!((again.header.to_str().unwrap(), again.age), ("one", Age::Cached));
    tokio::time::advance(Duration::from_secs(1)).await;
    let later = cache.token(&key, None, async { token("two", 10) }).await.unwrap();
    assert_eq!((later.header.to_str().unwrap(), later.age), ("two", Age::Fresh));
    let rejected = HeaderValue::from_static("two");
    let after = cache
        .token(&key, Some(&rejected), async { token("three", 10) })
        .await
        .unwrap();
    assert_eq!((after.header.to_str().unwrap(), after.age), ("three", Age::Fresh));
    let late = cache
        .token(&key, Some(&rejected), async { token("four", 10) })
        .await
        .unwrap();
    assert_eq!(
        late.header.to_str().unwrap(),
        "three",
        "the token that replaced the rejected one will do"
    );
}

#[tokio::test(start_paused = true)]
async fn buyers_share_nothing() {
    let cache = TokenCache::default();
    for (buyer, text) in [(None, "nobody"), (Some("a"), "a"), (Some("b"), "b")] {
        let held = cache
            .token(&key("s", buyer), None, async { token(text, 10) })
            .await
            .unwrap();
        assert_eq!(held.header.to_str().unwrap(), text);
    }
    let unverified = TokenKey {
        tls: TlsVerification::Skip,
        ..key("s", Some("a"))
    };
    let held = cache
        .token(&unverified, None, async { token("unverified", 10) })
        .await
        .unwrap();
    assert_eq!(held.header.to_str().unwrap(), "unverified");
}

#[tokio::test]
async fn those_who_wait_share_a_failure_and_later_ones_try_again() {
    let cache = Arc::new(TokenCache::default());
    let bought = Arc::new(std::sync::atomic::AtomicU32::new(0));
    let ask = || {
        let (cache, bought) = (Arc::clone(&cache), Arc::clone(&bought));
        tokio::spawn(async move {
            let buy = async {
                bought.fetch_add(1, std::sync::atomic::Ordering::SeqCst);
                for _ in 0..100 {
                    tokio::task::yield_now().await;
                }
                Err(RegistryError::refused("no"))
            };
            cache.token(&key("s", None), None, buy).await
        })
    };
    let waiting: Vec<_> = (0..5).map(|_| ask()).collect();
    for task in waiting {
        assert_eq!(task.await.unwrap(), Err(RegistryError::refused("no")));
    }
    assert_eq!(bought.load(std::sync::atomic::Ordering::SeqCst), 1);
    assert!(ask().await.unwrap().is_err());
    assert_eq!(bought.load(std::sync::atomic::Ordering::SeqCst), 2);
}

#[tokio::test(start_paused = true)]
async fn the_number_of_tokens_is_bounded() {
    let cache = TokenCache::default();
    for number in 0..MAX_TOKENS + 100 {
        cache
            .token(&key(&number.to_string(), None), None, async { token("t", 1000) })
            .await
            .unwrap();
    }
    assert!(cache.len() <= MAX_TOKENS, "{}", cache.len());
}
