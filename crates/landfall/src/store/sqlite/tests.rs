//! What is SQLite's alone; the rest is told in `store/tests.rs`, for both places.

use std::sync::mpsc::channel;
use std::time::Duration;

use jiff::Timestamp;
use landfall_core::artifact::Tag;
use landfall_core::receiver::Reach;

use super::super::tests::{WINDOW, at, delivery};
use super::super::{Acceptance, EntryFilter, EntryState, Listing, NewEntry, Recorded};
use super::*;

/// What nothing follows from.
fn ping(body: Vec<u8>) -> NewEntry {
    NewEntry {
        received: Timestamp::UNIX_EPOCH,
        sender: "dockerhub",
        receiver: "type docker.io".to_owned(),
        reach: Reach::Everywhere,
        peer: "127.0.0.1:1".to_owned(),
        headers: Vec::new(),
        body,
        contents: Recorded::Ignored("a ping".to_owned()),
        secret: None,
        pace: None,
        set_aside: String::new(),
    }
}

async fn take(store: &Store, body: Vec<u8>) -> Result<Acceptance, StoreError> {
    store.accept(ping(body), Duration::ZERO, |_| ()).await
}

fn refusal(outcome: Result<Acceptance, StoreError>) -> String {
    match outcome {
        Err(StoreError::Unavailable { problem, .. }) => problem,
        other => panic!("{other:?}"),
    }
}

/// Waits until so many entries can be read.
async fn readable(store: &Store, count: usize) {
    let all = || async {
        let filter = EntryFilter {
            state: EntryState::Any,
            limit: 100,
        };
        store.entries(filter).await.unwrap().len()
    };
    while all().await != count {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
}

/// Entries in the database itself, without what is in its log alone; `None` where there is not even a table.
fn without_log(folder: &Path) -> Option<i64> {
    let elsewhere = tempfile::tempdir().unwrap();
    let copy = elsewhere.path().join("copy.db");
    std::fs::copy(folder.join("landfall.db"), &copy).unwrap();
    let connection = Connection::open(copy).unwrap();
    connection
        .query_row("SELECT count(*) FROM entries", [], |row| row.get(0))
        .ok()
}

#[tokio::test]
async fn one_bad_write_does_not_take_its_neighbours_along() {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(folder.path()).unwrap();
    let bad = store.write(|writing| writing.connection.execute("INSERT INTO nowhere VALUES (1)", []));
    let (bad, good) = tokio::join!(bad, take(&store, Vec::new()));
    assert!(matches!(bad, Err(StoreError::Unavailable { .. })), "{bad:?}");
    assert!(matches!(good, Ok(Acceptance::Recorded(_))), "{good:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_is_answered_before_a_sync_and_a_sync_that_fails_is_made_good_before_anything_else() {
    let folder = tempfile::tempdir().unwrap();
    let (began, begins) = channel();
    let (end, ends) = channel();
    let sync = |log: File| {
        move || {
            began.send(()).unwrap();
            match ends.recv().unwrap() {
                true => log.sync_data(),
                false => Err(io::Error::other("a broken disk")),
            }
        }
    };
    let store = Store::open_with(folder.path(), sync).unwrap();
    let spawned = || {
        let store = store.clone();
        tokio::spawn(async move { take(&store, Vec::new()).await })
    };

    // While one sync is on its way, the next commit is made.
    let first = spawned();
    begins.recv().unwrap();
    let second = spawned();
    readable(&store, 2).await;
    assert!(!first.is_finished() && !second.is_finished());
    end.send(true).unwrap();
    assert!(first.await.unwrap().is_ok());
    begins.recv().unwrap();
    assert!(!second.is_finished());

    // One that fails takes along what was committed meanwhile: the next sync would tell nothing of either.
    let third = spawned();
    readable(&store, 3).await;
    end.send(false).unwrap();
    assert_eq!(
        refusal(second.await.unwrap()),
        "its log cannot be synced: a broken disk"
    );
    let problem = "a commit before this one could not be synced";
    assert_eq!(refusal(third.await.unwrap()), problem);

    // Before the next write, all of that goes into the database, and the log begins anew.
    assert_eq!(without_log(folder.path()), None);
    let fourth = spawned();
    begins.recv().unwrap();
    assert_eq!(without_log(folder.path()), Some(3));
    end.send(true).unwrap();
    assert!(fourth.await.unwrap().is_ok());
}

/// A refresh that is written down need not wait for the disk: if that is lost with the power, it is done once more.
#[tokio::test(flavor = "multi_thread")]
async fn what_can_be_done_once_more_waits_for_no_sync() {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open_with(folder.path(), |_| || Err(io::Error::other("a broken disk"))).unwrap();
    let entries = |store: Store| async move {
        let count =
            |connection: &Connection| connection.query_row("SELECT count(*) FROM tags", [], |row| row.get::<_, i64>(0));
        store.read(count).await.unwrap()
    };
    store.note_listing("app", "x", listing("1")).await.unwrap();
    assert_eq!(entries(store.clone()).await, 1);
    // In one commit with a delivery, which is not on the disk and is refused.
    let (refused, noted) = tokio::join!(take(&store, Vec::new()), store.note_listing("web", "x", listing("1")));
    refusal(refused);
    noted.unwrap();
    assert_eq!(entries(store.clone()).await, 2);
}

fn listing(tag: &str) -> Listing {
    Listing {
        tags: vec![Tag::parse(tag).unwrap()],
        unnamed: Vec::new(),
        began: Timestamp::UNIX_EPOCH,
    }
}

/// A delivery's sync writes all that was committed before it as well: of that there is never much.
#[tokio::test(flavor = "multi_thread")]
async fn what_nobody_waits_for_is_on_the_disk_soon() {
    let folder = tempfile::tempdir().unwrap();
    let (synced, syncs) = channel();
    let store = Store::open_with(folder.path(), |_| move || synced.send(()).map_err(io::Error::other)).unwrap();
    for tag in ["1", "2"] {
        store.note_listing("app", "x", listing(tag)).await.unwrap();
        syncs.recv_timeout(Duration::from_secs(10)).unwrap();
    }
    let again = syncs.recv_timeout(Duration::from_millis(200));
    assert!(again.is_err(), "what is on the disk already is synced again");
}

/// Nobody waits for it, so nobody can be told: it is made good before anything else is written.
#[tokio::test(flavor = "multi_thread")]
async fn what_nobody_waits_for_and_cannot_be_synced_is_in_the_database_before_the_next_write() {
    let folder = tempfile::tempdir().unwrap();
    let (failed, fails) = channel();
    let sync = |_| {
        move || {
            failed.send(()).map_err(io::Error::other)?;
            Err(io::Error::other("a broken disk"))
        }
    };
    let store = Store::open_with(folder.path(), sync).unwrap();
    let listings = |folder: &Path| {
        let copy = folder.join("copy.db");
        std::fs::copy(folder.join("landfall.db"), &copy).unwrap();
        let connection = Connection::open(copy).unwrap();
        let count = connection.query_row("SELECT count(*) FROM tags", [], |row| row.get::<_, i64>(0));
        count.unwrap_or(0)
    };
    store.note_listing("app", "x", listing("1")).await.unwrap();
    fails.recv_timeout(Duration::from_secs(10)).unwrap();
    assert_eq!(listings(folder.path()), 0);
    // The failure is noted just after it is seen here.
    while listings(folder.path()) == 0 {
        store.note_listing("web", "x", listing("1")).await.unwrap();
    }
}

/// A delivery was refused because of a sync, and what was committed is there all the same. Its sender tries again, as it was told:
/// now somebody has to follow it up.
#[tokio::test(flavor = "multi_thread")]
async fn what_was_refused_and_comes_again_is_followed_up() {
    let folder = tempfile::tempdir().unwrap();
    let mut is_broken = true;
    let sync = |_| {
        move || match std::mem::take(&mut is_broken) {
            true => Err(io::Error::other("a broken disk")),
            false => Ok(()),
        }
    };
    let store = Store::open_with(folder.path(), sync).unwrap();
    let (followed_up, follows) = channel();
    let take = || {
        let followed_up = followed_up.clone();
        let entry = delivery(at(0), Some("1"), "1.0.0");
        store.accept(entry, WINDOW, move |_| followed_up.send(()).unwrap())
    };
    refusal(take().await);
    assert!(follows.try_recv().is_err());
    let again = take().await;
    assert!(matches!(again, Ok(Acceptance::Duplicate { .. })), "{again:?}");
    follows.try_recv().unwrap();
    assert_eq!(store.unmatched(9, at(9), 0).await.unwrap().len(), 1);
}

/// Who comes alone does not wait for other threads; of many, each is written with the others.
#[tokio::test(flavor = "multi_thread")]
async fn a_delivery_that_comes_alone_is_written_by_whoever_brings_it() {
    let folder = tempfile::tempdir().unwrap();
    let (synced, syncs) = channel();
    let sync = |log: File| {
        move || {
            let thread = std::thread::current().name().unwrap_or_default().to_owned();
            synced.send(thread).map_err(io::Error::other)?;
            log.sync_data()
        }
    };
    let store = Store::open_with(folder.path(), sync).unwrap();
    let spawned = |store: Store| tokio::spawn(async move { take(&store, Vec::new()).await.unwrap() });
    // Right after another, nobody is alone; a machine that does much else may make more rounds of it.
    for round in 0.. {
        tokio::time::sleep(Duration::from_millis(20)).await;
        spawned(store.clone()).await.unwrap();
        let thread = syncs.recv().unwrap();
        if !thread.starts_with("journal") {
            break;
        }
        assert!(round < 100, "written by {thread}");
    }

    // Nobody is forgotten between the two ways, whatever else is written.
    let many = (0..8).map(|number| {
        let store = store.clone();
        tokio::spawn(async move {
            for round in 0..100 {
                take(&store, Vec::new()).await.unwrap();
                store
                    .note_listing("app", "x", listing(&round.to_string()))
                    .await
                    .unwrap();
                tokio::time::sleep(Duration::from_micros(number * round % 7 * 100)).await;
            }
        })
    });
    let all = futures_util::future::join_all(many);
    let all = tokio::time::timeout(Duration::from_secs(120), all).await.unwrap();
    all.into_iter().for_each(|ended| ended.unwrap());
}

#[tokio::test]
async fn the_log_is_emptied_and_begins_anew_while_everybody_writes() {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(folder.path()).unwrap();
    let size = |name: &str| std::fs::metadata(folder.path().join(name)).unwrap().len();
    let log_at_most = 16 << 20;
    for round in 0.. {
        assert!(
            round < 100,
            "the log is never emptied: {} bytes",
            size("landfall.db-wal")
        );
        let writes = (0..64).map(|_| take(&store, vec![0; 128 << 10]));
        for taken in futures_util::future::join_all(writes).await {
            taken.unwrap();
        }
        if size("landfall.db") > 4 * log_at_most {
            break;
        }
    }
    // It would have everything in it that is in the database.
    assert!(size("landfall.db-wal") < size("landfall.db"));
}

/// Whoever deletes the database under a running process gets no 2xx for what would be gone with it.
#[tokio::test]
async fn a_database_that_was_deleted_takes_nothing_more() {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(folder.path()).unwrap();
    take(&store, Vec::new()).await.unwrap();
    let (database, elsewhere) = (folder.path().join("landfall.db"), folder.path().join("elsewhere.db"));
    std::fs::rename(&database, &elsewhere).unwrap();
    for _ in 0..2 {
        let problem = refusal(take(&store, Vec::new()).await);
        assert!(problem.contains("it was deleted or replaced"), "{problem}");
    }
    assert!(store.check().await.is_err());
    std::fs::rename(&elsewhere, &database).unwrap();
    take(&store, Vec::new()).await.unwrap();
}
