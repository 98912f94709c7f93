//! Much work of one entry: what comes between its pieces, and what becomes of it where not all of them are written.

use std::fs::File;
use std::io;
use std::sync::Mutex;
use std::sync::mpsc::{Receiver, Sender, channel};

use landfall_core::journal::{Outcome, Work};
use landfall_core::matcher::Explanation;

use super::*;
use crate::store::tests::{accepted, api, at, hint, settled};
use crate::store::{self, EntryFilter, sqlite};

/// Targets for three whole pieces and one more; the first of them is [`api`].
fn targets() -> Vec<Target> {
    let others = (0..3 * PIECE).map(|number| format!("Warehouse shop/other-{number:04}").parse().unwrap());
    std::iter::once(api()).chain(others).collect()
}

fn much(id: EntryId) -> Vec<Matched> {
    let work = targets().into_iter().map(|target| (target, vec![hint("1.0.0")]));
    vec![Matched {
        id,
        explanations: vec![Explanation::default()],
        work: work.collect(),
    }]
}

/// A store whose syncs wait to be told whether they work, and that tells when one begins.
fn told(folder: &tempfile::TempDir) -> (store::Store, Receiver<()>, Sender<bool>) {
    let (began, begins) = channel();
    let (tell, told) = channel();
    let sync = |log: File| {
        move || {
            // Once the story is over, nobody listens.
            let _ = began.send(());
            match told.recv() {
                Ok(true) => log.sync_data(),
                Ok(false) | Err(_) => Err(io::Error::other("a broken disk")),
            }
        }
    };
    let store = sqlite::Store::open_with(folder.path(), sync).unwrap();
    (store::Store::Sqlite(store), begins, tell)
}

async fn is_to_be_matched(store: &store::Store, id: EntryId) -> bool {
    let unmatched = store.unmatched(10, Timestamp::MAX).await.unwrap();
    unmatched.iter().any(|entry| entry.id == id)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_delivery_is_written_between_two_pieces() {
    let folder = tempfile::tempdir().unwrap();
    let (store, begins, tell) = told(&folder);
    tell.send(true).unwrap();
    let id = accepted(&store, at(0), None, "1.0.0").await;
    begins.recv().unwrap();

    let planning = tokio::spawn({
        let store = store.clone();
        async move { store.plan(much(id), at(1), |_| ()).await }
    });
    begins.recv().unwrap();
    let delivery = tokio::spawn({
        let store = store.clone();
        async move { accepted(&store, at(2), None, "1.0.1").await }
    });
    // Its commit is made while the first piece is on its way to the disk, and the second piece is not written before that.
    let both = EntryFilter { dead: false, limit: 2 };
    while store.entries(both.clone()).await.unwrap().len() < 2 {
        tokio::task::yield_now().await;
    }
    tell.send(true).unwrap();
    tell.send(true).unwrap();
    let later = delivery.await.unwrap();
    assert!(is_to_be_matched(&store, id).await);
    assert!(!planning.is_finished());

    for _ in 0..3 {
        tell.send(true).unwrap();
    }
    planning.await.unwrap().unwrap();
    assert!(!is_to_be_matched(&store, id).await);
    assert!(is_to_be_matched(&store, later).await);
    assert_eq!(store.work_of(id).await.unwrap().len(), targets().len());
}

/// Whatever ends it in between, each target has its work once in the end, and what is done stays done.
#[tokio::test(flavor = "multi_thread")]
async fn an_entry_of_which_some_pieces_are_missing_is_matched_anew() {
    let folder = tempfile::tempdir().unwrap();
    let (store, _begins, tell) = told(&folder);
    for well in [true, true, false] {
        tell.send(well).unwrap();
    }
    let id = accepted(&store, at(0), None, "1.0.0").await;
    let told = Mutex::new(Vec::new());
    let written = |target: &Target| told.lock().unwrap().push(target.clone());
    assert!(store.plan(much(id), at(1), written).await.is_err());
    // Of what is on the disk, and of nothing that may not be.
    assert_eq!(told.into_inner().unwrap(), targets()[..PIECE]);

    let left = tempfile::tempdir().unwrap();
    copy(&folder, &left);
    let store = store::Store::open(left.path()).unwrap();
    assert!(is_to_be_matched(&store, id).await);
    assert_eq!(store.waiting_targets().await.unwrap().len(), 2 * PIECE);
    settled(&store, Outcome::Effected, at(2)).await;
    store.plan(much(id), at(3), |_| ()).await.unwrap();
    assert!(!is_to_be_matched(&store, id).await);
    let work = store.work_of(id).await.unwrap();
    assert_eq!(work.len(), targets().len());
    let done: Vec<&Target> = work
        .iter()
        .filter(|record| matches!(record.work, Work::Done { .. }))
        .map(|record| &record.target)
        .collect();
    assert_eq!(done, [&api()]);
}

/// What a process that was killed would have left.
fn copy(from: &tempfile::TempDir, to: &tempfile::TempDir) {
    for name in ["landfall.db", "landfall.db-wal"] {
        std::fs::copy(from.path().join(name), to.path().join(name)).unwrap();
    }
}
