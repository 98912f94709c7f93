//! Hosts that ask to be asked less.

use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use super::super::Access;
use super::super::error::RegistryError;
use super::wire::{Wire, client, client_with_mirror, kind, reply, repository};

#[tokio::test]
async fn a_short_pause_is_waited_for() {
    for status in [429, 503] {
        let count = AtomicU32::new(0);
        let wire = Wire::start(move |_, _| match count.fetch_add(1, Ordering::SeqCst) {
            0 | 1 => reply(status, &[("Retry-After", "0")], ""),
            _ => reply(200, &[], r#"{"tags":["a"]}"#),
        })
        .await;
        let repository = repository(&client(), &wire.host(), "a/b", Access::Anonymous);
        assert_eq!(repository.tags().await.unwrap().tags, ["a"]);
        assert_eq!(repository.requests().registry, 3);
    }
}

#[tokio::test]
async fn patience_ends() {
    let wire = Wire::start(|_, _| reply(429, &[("Retry-After", "0")], "")).await;
    let error = repository(&client(), &wire.host(), "a/b", Access::Anonymous)
        .tags()
        .await
        .unwrap_err();
    assert_eq!(
        error,
        RegistryError::Throttled {
            host: wire.host(),
            retry_after: Some(Duration::ZERO)
        }
    );
    assert_eq!(wire.seen().len(), 3);
}

#[tokio::test]
async fn a_long_pause_holds_for_the_whole_host() {
    let wire = Wire::start(|_, _| reply(429, &[("Retry-After", "600")], "")).await;
    let client = client();
    let error = repository(&client, &wire.host(), "a/b", Access::Anonymous)
        .tags()
        .await
        .unwrap_err();
    let ten_minutes = Some(Duration::from_secs(600));
    assert_eq!(
        error,
        RegistryError::Throttled {
            host: wire.host(),
            retry_after: ten_minutes
        }
    );
    let error = repository(&client, &wire.host(), "c/d", Access::Anonymous)
        .manifest_by_tag("x")
        .await
        .unwrap_err();
    assert_eq!(kind(&error), "throttled");
    assert!(error.is_transient());
    assert_eq!(wire.seen().len(), 1, "nobody else asks meanwhile");
}

#[tokio::test]
async fn a_503_that_names_no_time_is_left_to_the_caller() {
    let wire = Wire::start(|_, _| reply(503, &[], "")).await;
    let error = repository(&client(), &wire.host(), "a/b", Access::Anonymous)
        .tags()
        .await
        .unwrap_err();
    assert_eq!(kind(&error), "unavailable");
    assert_eq!(wire.seen().len(), 1);
}

#[tokio::test]
async fn a_mirror_is_asked_in_place_of_its_registry() {
    let headers = [("ratelimit-remaining", "0;w=21600")];
    let wire = Wire::start(move |_, _| reply(200, &headers, "{}")).await;
    let client = client_with_mirror("docker.io", &wire);
    repository(&client, "docker.io", "library/nginx", Access::Anonymous)
        .tags()
        .await
        .unwrap();
    assert_eq!(wire.asked(), ["/v2/library/nginx/tags/list?n=1000"]);
}
