//! Several processes on one PostgreSQL: each store here is what one of them has.

use landfall_core::artifact::{Digest, Tag};
use landfall_core::discovery::{Seen, Unusable};
use landfall_core::journal::{EntryId, Outcome};
use landfall_core::resource::ResourceKey;
use landfall_harness::Postgres;

use super::super::tests::{WINDOW, accepted, api, api_resource, at, claimed, delivery, planned, settled};
use super::super::{Claimed, Listing, Recorded, ResourceRecord, ResourceWrite, Settled, Settlement, Sighting, Store};
use super::*;

/// How long anything may take before a story is over.
const PATIENCE: Duration = Duration::from_secs(60);

/// A process on a database, with its data folder.
struct Process {
    store: Store,
    folder: tempfile::TempDir,
}

async fn process(database: &str) -> Process {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::connect(database.parse().unwrap(), folder.path()).await.unwrap();
    // From its first look on it hears the others.
    assert_eq!(store.news().await, News::Look);
    Process { store, folder }
}

fn database() -> String {
    Postgres::shared().unwrap().database().unwrap()
}

/// Waits until something becomes true.
async fn until<T>(what: &str, look: impl AsyncFn() -> Option<T>) -> T {
    let look = async {
        loop {
            match look().await {
                Some(found) => return found,
                None => sleep(Duration::from_millis(20)).await,
            }
        }
    };
    tokio::time::timeout(PATIENCE, look)
        .await
        .unwrap_or_else(|_| panic!("waited in vain for {what}"))
}

/// As if a process had been silent for too long: the others let it go.
fn let_go(database: &str, process: &Process) {
    let name = std::fs::read_to_string(process.folder.path().join("replica")).unwrap();
    let sql = format!("DELETE FROM landfall.replicas WHERE name = '{name}'");
    Postgres::shared().unwrap().sql(database, &sql).unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn of_two_processes_that_get_the_same_at_the_same_time_one_is_first() {
    let database = database();
    let (a, b) = tokio::join!(process(&database), process(&database));
    let mut deliveries = tokio::task::JoinSet::new();
    for number in 0..300 {
        for process in [&a, &b] {
            let store = process.store.clone();
            deliveries.spawn(async move {
                // Half of them have an id, and half are told apart by their content.
                let (id, tag) = (format!("event-{number}"), format!("1.0.{number}"));
                let id = (number % 2 == 0).then_some(&*id);
                let accepted = store.accept(delivery(at(0), id, &tag), WINDOW, |_| ()).await;
                (number, accepted.unwrap())
            });
        }
    }
    let mut firsts: HashMap<i32, EntryId> = HashMap::new();
    let mut repeated: HashMap<i32, EntryId> = HashMap::new();
    while let Some(done) = deliveries.join_next().await {
        let (number, accepted) = done.unwrap();
        let known = match accepted {
            Acceptance::New(id) => firsts.insert(number, id),
            Acceptance::Duplicate { of, .. } => repeated.insert(number, of),
            Acceptance::Recorded(id) => panic!("{id} holds an event"),
        };
        assert_eq!(known, None, "{number}");
    }
    assert_eq!(firsts.len(), 300);
    assert_eq!(firsts, repeated);
}

#[tokio::test]
async fn a_target_is_one_processs_at_a_time_and_whoever_waits_is_told() {
    let database = database();
    let (a, b) = (process(&database).await, process(&database).await);
    let id = accepted(&a.store, at(0), None, "1.0.0").await;
    planned(&a.store, id, at(0)).await;
    let claim = claimed(&a.store).await;
    let refused = b.store.claim(&api(), &api_resource()).await.unwrap();
    assert!(matches!(refused, Claimed::Elsewhere), "{refused:?}");
    a.store.release(&api(), claim).await.unwrap();
    let told = until("the news that it is free", async || {
        Some(b.store.news().await).filter(|news| *news != News::Look)
    });
    assert_eq!(told.await, News::Freed(api()));
    settled(&b.store, Outcome::Effected, at(1)).await;
    assert!(a.store.waiting(&api()).await.unwrap().is_empty());
}

#[tokio::test]
async fn whoever_was_taken_for_gone_writes_nothing_and_comes_back() {
    let database = database();
    let (a, b) = (process(&database).await, process(&database).await);
    let late = claimed(&a.store).await;
    let unmatched = accepted(&a.store, at(0), None, "1.0.0").await;
    let_go(&database, &a);
    // The target is free, and what is to be matched is the other's.
    let taken = claimed(&b.store).await;
    b.store.left_behind(at(0)).await.unwrap();
    let found = b.store.unmatched(9, at(0), 0).await.unwrap();
    assert_eq!(found.iter().map(|entry| entry.id).collect::<Vec<_>>(), [unmatched]);
    let settlement = || Settlement {
        target: api(),
        resource: Some(write(7, "late")),
        work: Vec::new(),
    };
    assert_eq!(a.store.settle(settlement(), late).await.unwrap(), Settled::Lost);
    assert!(a.store.resources().await.unwrap().is_empty());
    assert_eq!(b.store.settle(settlement(), taken).await.unwrap(), Settled::Written);
    // It becomes one of them again by itself.
    until("a claim", async || a.store.claim(&api(), &api_resource()).await.ok()).await;
}

#[tokio::test]
async fn what_a_process_leaves_is_anybodys_at_once() {
    let database = database();
    let (a, b) = (process(&database).await, process(&database).await);
    let unmatched = accepted(&a.store, at(0), None, "1.0.0").await;
    let matched = accepted(&a.store, at(0), None, "2.0.0").await;
    planned(&a.store, matched, at(5)).await;
    assert!(b.store.unmatched(9, at(0), 0).await.unwrap().is_empty());
    assert!(b.store.left_behind(at(4)).await.unwrap().is_empty());
    claimed(&a.store).await;
    assert!(b.store.left_behind(at(5)).await.unwrap().is_empty());
    a.store.leave().await.unwrap();
    assert_eq!(b.store.left_behind(at(5)).await.unwrap(), [api()]);
    let found = b.store.unmatched(9, at(0), 0).await.unwrap();
    assert_eq!(found.iter().map(|entry| entry.id).collect::<Vec<_>>(), [unmatched]);
}

/// A process that does not know who subscribes, for example, takes deliveries all the same.
#[tokio::test]
async fn what_a_process_does_not_match_another_one_does() {
    let database = database();
    let (a, b) = (process(&database).await, process(&database).await);
    let unmatched = accepted(&a.store, at(0), None, "1.0.0").await;
    b.store.left_behind(at(29)).await.unwrap();
    assert!(b.store.unmatched(9, at(29), 0).await.unwrap().is_empty());
    b.store.left_behind(at(31)).await.unwrap();
    let found = b.store.unmatched(9, at(31), 0).await.unwrap();
    assert_eq!(found.iter().map(|entry| entry.id).collect::<Vec<_>>(), [unmatched]);
    assert!(b.store.unmatched(9, at(31), 1).await.unwrap().is_empty());
    assert!(a.store.unmatched(9, at(31), 0).await.unwrap().is_empty());
}

fn write(generation: i64, status: &str) -> ResourceWrite {
    let record = ResourceRecord {
        generation,
        spec_hash: format!("spec {generation}"),
        status: status.to_owned(),
        refreshed: None,
    };
    ResourceWrite {
        key: api_resource(),
        record,
    }
}

#[tokio::test]
async fn a_spec_that_two_processes_see_change_is_noted_once() {
    let database = database();
    let (a, b) = (process(&database).await, process(&database).await);
    let shown = async || {
        let resources: HashMap<ResourceKey, ResourceRecord> = a.store.resources().await.unwrap();
        let record = &resources[&api_resource()];
        (record.generation, record.status.clone())
    };
    a.store.put_resources(vec![write(1, "new")], vec![]).await.unwrap();
    let claim = claimed(&a.store).await;
    let settlement = Settlement {
        target: api(),
        resource: Some(write(1, "refreshed")),
        work: Vec::new(),
    };
    a.store.settle(settlement, claim).await.unwrap();
    // The other one notes what it sees a moment later, and does not undo the refresh.
    b.store.put_resources(vec![write(1, "new")], vec![]).await.unwrap();
    assert_eq!(shown().await, (1, "refreshed".to_owned()));
    b.store.put_resources(vec![write(2, "newer")], vec![]).await.unwrap();
    assert_eq!(shown().await, (2, "newer".to_owned()));
    b.store.put_resources(vec![], vec![api_resource()]).await.unwrap();
    assert!(a.store.resources().await.unwrap().is_empty());
}

#[tokio::test]
async fn what_was_seen_later_stays_whoever_writes_last() {
    let database = database();
    let (a, b) = (process(&database).await, process(&database).await);
    let tag = |name: &str| Tag::parse(name).unwrap();
    let look = |digit: &str, second| {
        let digest = Digest::parse(&format!("sha256:{}", digit.repeat(64))).unwrap();
        let seen = Arc::new(Seen::Unusable(Unusable("no image".to_owned())));
        Sighting {
            seen: at(second),
            found: Some((digest, seen)),
            unnamed: Vec::new(),
        }
    };
    let miss = |second| Sighting {
        seen: at(second),
        found: None,
        unnamed: Vec::new(),
    };
    let listing = |names: &[&str], second| Listing {
        tags: names.iter().map(|name| tag(name)).collect(),
        unnamed: Vec::new(),
        began: at(second),
    };
    a.store.note_tag("app", "x", &tag("1"), look("a", 5)).await.unwrap();
    b.store.note_tag("app", "x", &tag("1"), look("b", 4)).await.unwrap();
    b.store.note_tag("app", "x", &tag("1"), miss(4)).await.unwrap();
    // A listing that began before the look does not know of the tag.
    b.store.note_listing("app", "x", listing(&["2"], 3)).await.unwrap();
    // And one that began before that one knows of nothing.
    a.store.note_listing("app", "x", listing(&["3"], 2)).await.unwrap();
    // Nor does a look from before it know of what it lists.
    a.store.note_tag("app", "x", &tag("2"), miss(2)).await.unwrap();
    let catalog = a.store.catalog("app", "x").await.unwrap();
    let seen: Vec<_> = catalog
        .tags
        .iter()
        .map(|(tag, seen)| (tag.as_str(), seen.as_ref().map(|seen| seen.seen)))
        .collect();
    assert_eq!(
        (catalog.listed, &*seen),
        (Some(at(3)), &[("1", Some(at(5))), ("2", None)][..])
    );
    a.store.note_tag("app", "x", &tag("1"), miss(6)).await.unwrap();
    b.store.note_tag("app", "x", &tag("2"), miss(4)).await.unwrap();
    assert!(a.store.catalog("app", "x").await.unwrap().tags.is_empty());
}

#[tokio::test]
async fn a_database_that_is_away_is_said_without_a_secret_and_comes_back_by_itself() {
    let mut postgres = Postgres::start().unwrap();
    let process = process(&postgres.database().unwrap()).await;
    let first = accepted(&process.store, at(0), Some("a"), "1.0.0").await;
    postgres.crash().unwrap();
    let refused = process
        .store
        .accept(delivery(at(1), Some("b"), "1.0.1"), WINDOW, |_| ())
        .await;
    let said = refused.unwrap_err().to_string();
    assert!(said.starts_with("the journal in PostgreSQL at 127.0.0.1:"), "{said}");
    assert!(!said.contains("s3cret"), "{said}");
    assert!(process.store.check().await.is_err());
    postgres.restart().unwrap();
    until("the database", async || process.store.check().await.ok()).await;
    let again = process
        .store
        .accept(delivery(at(2), Some("a"), "1.0.0"), WINDOW, |_| ())
        .await;
    assert!(
        matches!(again, Ok(Acceptance::Duplicate { of, .. }) if of == first),
        "{again:?}"
    );
}

#[tokio::test]
async fn a_database_that_does_not_answer_is_given_up_and_asked_again() {
    let postgres = Postgres::start().unwrap();
    let process = process(&postgres.database().unwrap()).await;
    accepted(&process.store, at(0), Some("a"), "1.0.0").await;
    postgres.freeze().unwrap();
    let refused = process
        .store
        .accept(delivery(at(1), Some("b"), "1.0.1"), WINDOW, |_| ())
        .await;
    postgres.thaw().unwrap();
    assert!(refused.is_err(), "{refused:?}");
    let again = until("an answer", async || {
        process
            .store
            .accept(delivery(at(2), Some("b"), "1.0.1"), WINDOW, |_| ())
            .await
            .ok()
    });
    // Whether the first attempt came through is the database's to know; it counts once.
    assert!(!matches!(again.await, Acceptance::Recorded(_)));
}

#[tokio::test]
async fn a_certificate_is_checked_as_the_url_says() {
    let postgres = Postgres::start_with_tls().unwrap();
    let roots = postgres.certificate().unwrap().display().to_string();
    for (host, query, expected) in [
        ("127.0.0.1", "sslmode=prefer".to_owned(), "t"),
        ("127.0.0.1", "sslmode=disable".to_owned(), "f"),
        ("127.0.0.1", "sslmode=require".to_owned(), "t"),
        ("127.0.0.1", format!("sslmode=verify-ca&sslrootcert={roots}"), "t"),
        ("localhost", format!("sslmode=verify-full&sslrootcert={roots}"), "t"),
        (
            "127.0.0.1",
            format!("sslmode=verify-full&sslrootcert={roots}"),
            "refused",
        ),
        ("localhost", "sslmode=verify-full".to_owned(), "refused"),
        ("localhost", "sslmode=verify-ca".to_owned(), "refused"),
        (
            "localhost",
            "sslmode=verify-full&sslrootcert=/dev/null".to_owned(),
            "refused",
        ),
    ] {
        let url = format!("postgres://landfall@{host}:{}/postgres?{query}", postgres.port());
        let connected = match Connector::new(url.parse().unwrap()) {
            Ok(connector) => connector.connect().await.ok(),
            Err(_no_authorities) => None,
        };
        let mut encrypted = "refused".to_owned();
        if let Some(mut link) = connected {
            let sql = "SELECT ssl::text FROM pg_stat_ssl WHERE pid = pg_backend_pid()";
            let rows = link.query(sql, &[]).await.unwrap();
            encrypted = rows[0].get::<_, String>(0)[..1].to_owned();
        }
        assert_eq!(encrypted, expected, "{host} {query}");
    }
}

#[tokio::test]
async fn a_newer_versions_database_is_left_alone() {
    let database = database();
    drop(process(&database).await);
    let sql = "INSERT INTO landfall.schema_version VALUES (1000)";
    Postgres::shared().unwrap().sql(&database, sql).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let refused = Store::connect(database.parse().unwrap(), folder.path()).await.err();
    let said = refused.map(|error| error.to_string()).unwrap_or_default();
    assert!(said.contains("newer version of landfall (schema 1000)"), "{said}");
    assert!(!said.contains("s3cret"), "{said}");
}

#[tokio::test]
async fn a_text_that_no_column_can_hold_is_kept_as_well_as_can_be() {
    let process = process(&database()).await;
    let entry = NewEntry {
        contents: Recorded::Malformed("what is a\0b?".to_owned()),
        ..delivery(at(0), None, "1.0.0")
    };
    let Acceptance::Recorded(id) = process.store.accept(entry, WINDOW, |_| ()).await.unwrap() else {
        panic!("nothing follows from it")
    };
    let kept = process.store.entry(id).await.unwrap().unwrap();
    assert_eq!(kept.entry.reason, "what is a\u{fffd}b?");
}
