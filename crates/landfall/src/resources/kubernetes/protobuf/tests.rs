use http::StatusCode;
use serde_json::{Value, json};

use super::*;

fn around(kind: &str, raw: &impl Message) -> Bytes {
    let unknown = Unknown {
        type_meta: Some(TypeMeta { kind: kind.to_owned() }),
        raw: raw.encode_to_vec().into(),
    };
    [MAGIC, &unknown.encode_to_vec()].concat().into()
}

fn warehouse() -> Bytes {
    let labels = [("team".to_owned(), "a".to_owned())];
    let metadata = ObjectMeta {
        name: "api".to_owned(),
        namespace: "shop".to_owned(),
        uid: "1".to_owned(),
        resource_version: "17".to_owned(),
        generation: 2,
        labels: labels.into(),
        annotations: BTreeMap::new(),
    };
    let metadata = Some(metadata);
    around("PartialObjectMetadata", &PartialObjectMetadata { metadata })
}

fn expected() -> Value {
    json!({
        "kind": "PartialObjectMetadata",
        "apiVersion": "meta.k8s.io/v1",
        "metadata": {
            "name": "api", "namespace": "shop", "uid": "1", "resourceVersion": "17", "generation": 2,
            "labels": { "team": "a" },
        },
    })
}

fn refusal() -> Bytes {
    let status = Status {
        status: "Failure".to_owned(),
        message: "too old".to_owned(),
        reason: "Expired".to_owned(),
        code: 410,
    };
    around("Status", &status)
}

/// As a watch sends it.
fn framed(kind: &str, object: Bytes) -> Vec<u8> {
    let kind = kind.to_owned();
    let object = Some(RawExtension { raw: object });
    let event = WatchEvent { kind, object }.encode_to_vec();
    let length = u32::try_from(event.len()).unwrap();
    [&length.to_be_bytes()[..], &event].concat()
}

/// What becomes of an answer whose body comes in these pieces.
async fn handed_on(content_type: &str, pieces: Vec<Vec<u8>>) -> Result<(Option<HeaderValue>, Bytes), String> {
    // The library makes bodies of what a service answers.
    let content_type = content_type.to_owned();
    let service = tower::service_fn(move |_: http::Request<Body>| {
        let pieces = pieces
            .clone()
            .into_iter()
            .map(|piece| Ok::<_, io::Error>(Frame::data(Bytes::from(piece))));
        let body = StreamBody::new(futures_util::stream::iter(pieces));
        let answer = Response::builder()
            .status(StatusCode::OK)
            .header(CONTENT_TYPE, &content_type)
            .body(body);
        async move { answer.map_err(BoxError::from) }
    });
    let answer = kube::Client::new(service, "default")
        .send(http::Request::new(Body::empty()))
        .await
        .unwrap();
    let answer = as_json(answer).await.map_err(|error| error.to_string())?;
    let content_type = answer.headers().get(CONTENT_TYPE).cloned();
    let body = answer.into_body().collect().await.map_err(|error| error.to_string())?;
    Ok((content_type, body.to_bytes()))
}

#[tokio::test]
async fn an_object_and_a_refusal_are_handed_on_as_json() {
    let refused = json!({
        "kind": "Status", "apiVersion": "v1", "status": "Failure", "message": "too old", "reason": "Expired", "code": 410,
    });
    for (object, expected) in [(warehouse(), expected()), (refusal(), refused)] {
        let (content_type, body) = handed_on(BINARY, vec![object.to_vec()]).await.unwrap();
        assert_eq!(content_type.unwrap(), JSON);
        assert_eq!(serde_json::from_slice::<Value>(&body).unwrap(), expected);
    }
    let status: kube::core::Status =
        serde_json::from_slice(&serde_json::to_vec(&object(refusal()).unwrap()).unwrap()).unwrap();
    assert_eq!((status.code, status.reason.as_str()), (410, "Expired"));
}

#[tokio::test]
async fn events_are_handed_on_as_lines_however_they_come() {
    let stream = [framed("MODIFIED", warehouse()), framed("DELETED", warehouse())].concat();
    for size in [1, 7, stream.len()] {
        let pieces = stream.chunks(size).map(<[u8]>::to_vec).collect();
        let (_, lines) = handed_on("application/vnd.kubernetes.protobuf;stream=watch", pieces)
            .await
            .unwrap();
        let lines = String::from_utf8(lines.to_vec()).unwrap();
        let events: Vec<Value> = lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        let event = |kind: &str| json!({ "type": kind, "object": expected() });
        assert_eq!(events, [event("MODIFIED"), event("DELETED")], "pieces of {size} bytes");
    }
}

#[tokio::test]
async fn json_stays_as_it_is() {
    let text = b"{\"kind\": \"Status\"}".to_vec();
    let (content_type, body) = handed_on("application/json", vec![text.clone()]).await.unwrap();
    assert_eq!(
        (content_type.unwrap(), body),
        (HeaderValue::from_static(JSON), text.into())
    );
}

#[test]
fn an_object_is_named_and_nothing_else_is() {
    assert_eq!(named(warehouse()).unwrap(), "api");
    assert_eq!(
        named(around(METADATA_KIND, &PartialObjectMetadata::default())).unwrap(),
        ""
    );
    for (bytes, expected) in [
        (refusal(), "something else than metadata: Status"),
        (warehouse().slice(..30), "cannot be read"),
        (Bytes::from_static(b"{}"), "does not begin"),
    ] {
        let error = named(bytes).unwrap_err().to_string();
        assert!(error.contains(expected), "{error}");
    }
}

/// Who has changed which field comes as well, and other fields may come that nobody knows yet.
#[test]
fn what_is_not_read_is_passed_over() {
    let mut metadata = ObjectMeta {
        name: "api".to_owned(),
        ..ObjectMeta::default()
    }
    .encode_to_vec();
    metadata.extend([17 << 3 | 2, 1, 3, b'a', b'b', b'c']);
    metadata.extend([31 << 3 & 0x7f | 0x80 | 2, 31 >> 4, 1, b'd']);
    assert_eq!(ObjectMeta::decode(&metadata[..]).unwrap().name, "api");
}

#[tokio::test]
async fn what_cannot_be_read_is_an_error_that_says_so() {
    const WATCH: &str = "application/vnd.kubernetes.protobuf;stream=watch";
    let other = around("Table", &PartialObjectMetadata::default());
    let cut = warehouse().slice(..30);
    let large = u32::try_from(LARGEST + 1).unwrap().to_be_bytes().to_vec();
    for (content_type, bytes, expected) in [
        (BINARY, b"{}".to_vec(), "does not begin"),
        (BINARY, other.to_vec(), "something else than metadata: Table"),
        (BINARY, cut.to_vec(), "cannot be read"),
        (WATCH, framed("ADDED", Bytes::from_static(b"{}")), "does not begin"),
        (WATCH, framed("ADDED", other), "something else than metadata: Table"),
        (WATCH, framed("ADDED", cut), "cannot be read"),
        (WATCH, large, "frame size too big"),
        (
            WATCH,
            framed("ADDED", warehouse())[..20].to_vec(),
            "bytes remaining on stream",
        ),
    ] {
        let error = handed_on(content_type, vec![bytes]).await.unwrap_err();
        assert!(error.contains(expected), "{error}");
    }
}
