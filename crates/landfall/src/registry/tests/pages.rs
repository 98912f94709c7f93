//! Tag lists: page by page, and where that must stop.

use super::super::Access;
use super::super::error::{Missing, RegistryError};
use super::wire::{Reply, Seen, Wire, client, kind, reply, repository};

fn cursor(seen: &Seen) -> usize {
    let text = seen.query.split('&').find_map(|pair| pair.strip_prefix("cursor="));
    text.map_or(0, |text| text.parse().unwrap())
}

/// A registry with 250 tags in pages of 100 and opaque cursors; `link` writes the target of a `Link`.
fn paged(link: impl Fn(u16, usize) -> String + Send + Sync + 'static) -> impl Fn(u16, &Seen) -> Reply + Send + Sync {
    move |port, seen| {
        let start = cursor(seen);
        let tags: Vec<String> = (start..250.min(start + 100))
            .map(|number| format!("t{number:03}"))
            .collect();
        let body = serde_json::json!({"name": "a/b", "tags": tags}).to_string();
        let next = format!("<{}>; rel=\"next\"", link(port, start + 100));
        let headers: &[(&str, &str)] = if start + 100 < 250 { &[("Link", &next)] } else { &[] };
        reply(200, headers, body)
    }
}

#[tokio::test]
async fn every_kind_of_link_leads_to_all_tags() {
    type Link = fn(u16, usize) -> String;
    let rows: [(&str, Link); 3] = [
        ("relative path", |_, next| format!("/v2/a/b/tags/list?cursor={next}")),
        ("relative query", |_, next| format!("?cursor={next}&n=100")),
        ("absolute", |port, next| {
            format!("http://127.0.0.1:{port}/v2/a/b/tags/list?cursor={next}")
        }),
    ];
    let all: Vec<String> = (0..250).map(|number| format!("t{number:03}")).collect();
    for (name, link) in rows {
        let wire = Wire::start(paged(link)).await;
        let repository = repository(&client(), &wire.host(), "a/b", Access::Anonymous);
        let listing = repository.tags().await.unwrap();
        assert_eq!((&listing.tags, listing.requests), (&all, 3), "{name}");
        assert_eq!(
            (repository.requests().registry, repository.requests().token),
            (3, 0),
            "{name}"
        );
        assert_eq!(wire.asked()[0], "/v2/a/b/tags/list?n=1000", "{name}");
    }
}

#[tokio::test]
async fn a_link_to_another_origin_is_not_followed() {
    let other = Wire::start(|_, _| reply(200, &[], r#"{"tags":["stolen"]}"#)).await;
    let target = other.url("/v2/a/b/tags/list");
    let wire = Wire::start(paged(move |_, _| target.clone())).await;
    let error = repository(&client(), &wire.host(), "a/b", Access::Anonymous)
        .tags()
        .await
        .unwrap_err();
    let detail = "its Link to the next page leads to another host".into();
    assert_eq!(
        error,
        RegistryError::Malformed {
            host: wire.host(),
            detail
        }
    );
    assert!(other.seen().is_empty());
}

#[tokio::test]
async fn circles_end() {
    // To the page before; to itself; and with ever new cursors to the same tags.
    let to_and_fro = |_: u16, seen: &Seen| {
        let next = if seen.query.contains("x=1") { "?x=2" } else { "?x=1" };
        let tag = format!("{{\"tags\":[\"{}\"]}}", seen.query);
        reply(200, &[("Link", &format!("<{next}>; rel=next"))], tag)
    };
    let to_itself = |_: u16, _: &Seen| reply(200, &[("Link", "<?x=1>; rel=next")], r#"{"tags":[]}"#);
    let ever_new = |_: u16, seen: &Seen| {
        let next = format!("<?cursor={}>; rel=next", cursor(seen) + 1);
        reply(200, &[("Link", &next)], r#"{"tags":["a","b"]}"#)
    };
    let wires = [
        Wire::start(to_and_fro).await,
        Wire::start(to_itself).await,
        Wire::start(ever_new).await,
    ];
    for wire in wires {
        let error = repository(&client(), &wire.host(), "a/b", Access::Anonymous)
            .tags()
            .await
            .unwrap_err();
        assert_eq!(kind(&error), "malformed", "{error}");
        assert!(wire.seen().len() <= 4, "{:?}", wire.asked());
    }
}

#[tokio::test]
async fn a_registry_may_choose_its_own_page_size() {
    let wire = Wire::start(|_, seen| match seen.query.as_str() {
        "" => reply(200, &[], r#"{"tags":["b","a","b"]}"#),
        _ => reply(400, &[], r#"{"errors":[{"code":"PAGINATION_NUMBER_INVALID"}]}"#),
    })
    .await;
    let listing = repository(&client(), &wire.host(), "a/b", Access::Anonymous)
        .tags()
        .await
        .unwrap();
    assert_eq!(
        (listing.tags, listing.requests),
        (vec!["a".to_owned(), "b".to_owned()], 2)
    );
}

#[tokio::test]
async fn what_else_a_tag_list_may_be() {
    type Row = (u16, &'static str, Result<Vec<String>, &'static str>);
    let rows: [Row; 7] = [
        (200, r#"{"name":"a/b","tags":null}"#, Ok(vec![])),
        (200, r#"{"name":"a/b"}"#, Ok(vec![])),
        (200, r#"{"tags":[1]}"#, Err("malformed")),
        (200, "<html>", Err("malformed")),
        (204, "", Err("rejected")),
        (404, r#"{"errors":[{"code":"NAME_UNKNOWN"}]}"#, Err("not found")),
        (502, "<html>", Err("unavailable")),
    ];
    for (status, body, expected) in rows {
        let wire = Wire::start(move |_, _| reply(status, &[], body)).await;
        let result = repository(&client(), &wire.host(), "a/b", Access::Anonymous)
            .tags()
            .await;
        assert_eq!(
            result.as_ref().map(|listing| listing.tags.clone()).map_err(kind),
            expected,
            "{status} {body}"
        );
        if let Err(RegistryError::NotFound { what, .. }) = result {
            assert_eq!(what, Missing::Repository);
        }
    }
}

#[tokio::test]
async fn a_page_is_bounded() {
    let wire = Wire::start(|_, _| reply(200, &[], vec![b' '; 16 * 1024 * 1024 + 1])).await;
    let error = repository(&client(), &wire.host(), "a/b", Access::Anonymous)
        .tags()
        .await
        .unwrap_err();
    assert_eq!(
        error.to_string(),
        format!("a page of tags from {} is larger than 16777216 bytes", wire.host())
    );
}
