//! Much work of one entry: what comes between its pieces, and what becomes of it where not all of them are written.

use std::sync::Mutex;

use landfall_core::journal::{Outcome, Work};
use landfall_core::matcher::Explanation;
use rusqlite::Connection;

use super::*;
use crate::store;
use crate::store::tests::{accepted, api, at, hint, settled};

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

async fn is_to_be_matched(store: &store::Store, id: EntryId) -> bool {
    let unmatched = store.unmatched(10, Timestamp::MAX, 0).await.unwrap();
    unmatched.iter().any(|entry| entry.id == id)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_delivery_is_written_between_two_pieces() {
    let folder = tempfile::tempdir().unwrap();
    let store = store::Store::open(folder.path()).unwrap();
    let id = accepted(&store, at(0), None, "1.0.0").await;
    let runtime = tokio::runtime::Handle::current();
    let came = Mutex::new(None);
    let comes = |target: &Target| {
        if *target == api() {
            let delivery = async {
                let id = accepted(&store, at(2), None, "1.0.1").await;
                (id, store.waiting_targets().await.unwrap().len())
            };
            *came.lock().unwrap() = Some(tokio::task::block_in_place(|| runtime.block_on(delivery)));
        }
    };
    store.plan(much(id), at(1), comes).await.unwrap();
    let (later, waiting) = came.into_inner().unwrap().unwrap();
    assert_eq!(waiting, PIECE);
    assert!(!is_to_be_matched(&store, id).await);
    assert!(is_to_be_matched(&store, later).await);
    assert_eq!(store.work_of(id).await.unwrap().len(), targets().len());
}

/// Whatever ends it in between, each target has its work once in the end, and what is done stays done.
#[tokio::test(flavor = "multi_thread")]
async fn an_entry_of_which_some_pieces_are_missing_is_matched_anew() {
    let folder = tempfile::tempdir().unwrap();
    let store = store::Store::open(folder.path()).unwrap();
    let id = accepted(&store, at(0), None, "1.0.0").await;
    let refused = targets().swap_remove(PIECE + 7);
    let refusing = format!(
        "CREATE TRIGGER refusing BEFORE INSERT ON work WHEN NEW.target = '{refused}'
         BEGIN SELECT RAISE(ABORT, 'a broken disk'); END"
    );
    change(&folder, &refusing);
    let told = Mutex::new(Vec::new());
    let written = |target: &Target| told.lock().unwrap().push(target.clone());
    assert!(store.plan(much(id), at(1), written).await.is_err());
    // Of what is written, and of nothing that is not.
    assert_eq!(told.into_inner().unwrap(), targets()[..PIECE]);

    let left = tempfile::tempdir().unwrap();
    copy(&folder, &left);
    change(&left, "DROP TRIGGER refusing");
    let store = store::Store::open(left.path()).unwrap();
    assert!(is_to_be_matched(&store, id).await);
    assert_eq!(store.waiting_targets().await.unwrap().len(), PIECE);
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

/// Changes the database beside its process.
fn change(folder: &tempfile::TempDir, sql: &str) {
    let connection = Connection::open(folder.path().join("landfall.db")).unwrap();
    connection.execute_batch(sql).unwrap();
}

/// What a process that was killed would have left.
fn copy(from: &tempfile::TempDir, to: &tempfile::TempDir) {
    for name in ["landfall.db", "landfall.db-wal"] {
        std::fs::copy(from.path().join(name), to.path().join(name)).unwrap();
    }
}
