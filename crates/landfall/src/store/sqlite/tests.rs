//! What is SQLite's alone; the rest is told in `store/tests.rs`, for both places.

use std::time::Duration;

use jiff::Timestamp;
use landfall_core::receiver::Reach;

use super::*;

#[tokio::test]
async fn one_bad_write_does_not_take_its_neighbours_along() {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(folder.path()).unwrap();
    let entry = NewEntry {
        received: Timestamp::UNIX_EPOCH,
        sender: "dockerhub",
        receiver: "type docker.io".to_owned(),
        reach: Reach::Everywhere,
        peer: "127.0.0.1:1".to_owned(),
        headers: Vec::new(),
        body: Vec::new(),
        contents: Recorded::Ignored("a ping".to_owned()),
        secret: None,
        pace: None,
    };
    let bad = store.write(|writing| writing.connection.execute("INSERT INTO nowhere VALUES (1)", []));
    let (bad, good) = tokio::join!(bad, store.accept(entry, Duration::ZERO, || ()));
    assert!(matches!(bad, Err(StoreError::Unavailable { .. })), "{bad:?}");
    assert!(matches!(good, Ok(Acceptance::Recorded(_))), "{good:?}");
}
