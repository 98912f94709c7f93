//! The store over real databases, the same stories in both places: durability's other half is tested by killing the process, in
//! `tests/it`.

use std::sync::Arc;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use landfall_core::artifact::{Digest, Tag};
use landfall_core::discovery::{Seen, Unusable};
use landfall_core::event::{ArtifactKind, ArtifactPushed, Event};
use landfall_core::journal::{DedupeKey, EntryId, Outcome, Retention, RetryPolicy, Setback, Work};
use landfall_core::matcher::Explanation;
use landfall_core::pace::Pace;
use landfall_core::receiver::{Reach, ReceiverName, Report};
use landfall_core::refresh::Hint;
use landfall_core::repository::{ImageRepository, Repository};
use landfall_core::resource::Kind;
use landfall_core::target::Target;

use super::*;

pub(super) const WINDOW: Duration = Duration::from_secs(60);

pub(super) fn at(second: i64) -> Timestamp {
    Timestamp::from_second(1_800_000_000 + second).unwrap()
}

pub(super) fn api_resource() -> ResourceKey {
    ResourceKey {
        kind: Kind::Warehouse,
        namespace: Some("shop".to_owned()),
        name: "api".to_owned(),
    }
}

/// Claims the target for one refresh.
pub(super) async fn claimed(store: &Store) -> Claim {
    match store.claim(&api(), &api_resource()).await.unwrap() {
        Claimed::Taken { claim, .. } => claim,
        Claimed::Elsewhere => panic!("nobody else is there"),
    }
}

pub(super) fn api() -> Target {
    "Warehouse shop/api".parse().unwrap()
}

/// A place that keeps what it is given, for one story.
struct Place {
    folder: tempfile::TempDir,
    database: Option<String>,
}

impl Place {
    /// One of each kind, empty.
    fn all() -> [Self; 2] {
        let database = landfall_harness::Postgres::shared().unwrap().database().unwrap();
        [None, Some(database)].map(|database| Self {
            folder: tempfile::tempdir().unwrap(),
            database,
        })
    }

    async fn try_open(&self) -> Result<Store, OpenError> {
        match &self.database {
            None => Store::open(self.folder.path()),
            Some(url) => Store::connect(url.parse().unwrap(), self.folder.path()).await,
        }
    }

    /// A process that works in the place; the one before has ended.
    async fn open(&self) -> Store {
        let store = self.try_open().await.unwrap();
        // As the pipeline does first.
        store.left_behind(at(0)).await.unwrap();
        store
    }
}

fn event(tag: &str) -> Event {
    Event::ArtifactPushed(ArtifactPushed {
        repository: ImageRepository::parse("example/app").unwrap(),
        kind: ArtifactKind::Image,
        tag: Some(Tag::parse(tag).unwrap()),
        digest: None,
        occurred_at: None,
    })
}

pub(super) fn delivery(received: Timestamp, sender_id: Option<&str>, tag: &str) -> NewEntry {
    let report = Report {
        sender_id: sender_id.map(str::to_owned),
        event: event(tag),
    };
    let receiver = ReceiverName("type docker.io".to_owned());
    let key = DedupeKey::of(&receiver, None, std::slice::from_ref(&report), tag.as_bytes())[0];
    NewEntry {
        received,
        sender: "dockerhub",
        receiver: receiver.0,
        reach: Reach::Everywhere,
        peer: "127.0.0.1:1".to_owned(),
        headers: vec![("content-type".to_owned(), "application/json".to_owned())],
        body: tag.as_bytes().to_vec(),
        contents: Recorded::Events(vec![NewReport {
            key,
            event: report.event,
        }]),
        secret: None,
        pace: None,
        set_aside: String::new(),
    }
}

pub(super) async fn accepted(store: &Store, received: Timestamp, id: Option<&str>, tag: &str) -> EntryId {
    match store.accept(delivery(received, id, tag), WINDOW, |_| ()).await.unwrap() {
        Acceptance::New(id) => id,
        other => panic!("{other:?}"),
    }
}

pub(super) fn hint(tag: &str) -> Hint {
    let repository = Repository::Image(ImageRepository::parse("example/app").unwrap());
    Hint {
        repository,
        tag: Some(Tag::parse(tag).unwrap()),
        claimed: None,
    }
}

pub(super) async fn planned(store: &Store, id: EntryId, now: Timestamp) {
    let matched = Matched {
        id,
        explanations: vec![Explanation::default()],
        work: vec![(api(), vec![hint("1.0.0")])],
    };
    store.plan(vec![matched], now, |_| ()).await.unwrap();
}

pub(super) async fn settled(store: &Store, outcome: Outcome, now: Timestamp) -> Work {
    let claim = claimed(store).await;
    let waiting = store.waiting(&api()).await.unwrap().remove(0);
    let attempt = waiting.work.next_attempt().unwrap();
    let after = waiting
        .work
        .clone()
        .after(attempt, outcome, now, 0.0, &RetryPolicy::default());
    let record = AttemptRecord {
        attempt,
        began: now,
        asked: now,
        chose: now,
        outcome: "tried".to_owned(),
        requests: 2,
        token_requests: 0,
        choices: vec![],
        served: 1,
    };
    let work = vec![(waiting.entry, waiting.work, after.clone(), record)];
    store
        .settle(
            Settlement {
                target: api(),
                resource: None,
                work,
            },
            claim,
        )
        .await
        .unwrap();
    after
}

#[tokio::test]
async fn what_was_matched_already_comes_with_its_work_once() {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(folder.path()).unwrap();
    let matched = || {
        let plain = delivery(at(0), Some("1"), "1.0.0");
        let Recorded::Events(mut reports) = plain.contents else {
            panic!("it holds an event")
        };
        let found = Found {
            explanations: vec![Explanation::default()],
            work: vec![(api(), vec![hint("1.0.0")])],
        };
        NewEntry {
            contents: Recorded::Matched(reports.remove(0), found),
            ..plain
        }
    };
    let Acceptance::New(id) = store.accept(matched(), WINDOW, |_| ()).await.unwrap() else {
        panic!("it is new")
    };
    assert!(store.unmatched(10, Timestamp::MAX, 0).await.unwrap().is_empty());
    assert_eq!(store.entry(id).await.unwrap().unwrap().entry.matched, Some(at(0)));
    let again = store.accept(matched(), WINDOW, |_| ()).await.unwrap();
    assert!(
        matches!(again, Acceptance::Duplicate { of, .. } if of == id),
        "{again:?}"
    );
    let waiting = store.waiting(&api()).await.unwrap();
    let waiting: Vec<_> = waiting
        .iter()
        .map(|waiting| (waiting.entry, &waiting.hints[..]))
        .collect();
    assert_eq!(waiting, [(id, &[hint("1.0.0")][..])]);
}

#[tokio::test]
async fn a_delivery_is_matched_once_and_its_work_waits_until_it_is_settled() {
    for place in Place::all() {
        let store = place.open().await;
        let id = accepted(&store, at(0), None, "1.0.0").await;
        assert_eq!(
            store
                .unmatched(10, at(0), 0)
                .await
                .unwrap()
                .iter()
                .map(|entry| entry.id)
                .collect::<Vec<_>>(),
            [id]
        );
        planned(&store, id, at(1)).await;
        planned(&store, id, at(2)).await;
        assert!(store.unmatched(10, at(0), 0).await.unwrap().is_empty());
        assert_eq!(store.waiting_targets().await.unwrap(), [(api(), at(1))]);
        assert_eq!(store.waiting(&api()).await.unwrap()[0].hints, [hint("1.0.0")]);
        settled(&store, Outcome::Effected, at(3)).await;
        assert!(store.waiting_targets().await.unwrap().is_empty());
        let record = store.work_of(id).await.unwrap().remove(0);
        assert_eq!((record.work.is_finished(), record.attempts.len()), (true, 1));
    }
}

#[tokio::test]
async fn equal_contents_are_one_within_the_window_and_ids_for_ever() {
    for place in Place::all() {
        let store = place.open().await;
        let by_content = accepted(&store, at(0), None, "1.0.0").await;
        let again = store
            .accept(delivery(at(30), None, "1.0.0"), WINDOW, |_| ())
            .await
            .unwrap();
        assert!(
            matches!(again, Acceptance::Duplicate { of, .. } if of == by_content),
            "{again:?}"
        );
        accepted(&store, at(61), None, "1.0.0").await;
        let by_id = accepted(&store, at(0), Some("a"), "1.0.0").await;
        let again = store
            .accept(delivery(at(100_000), Some("a"), "1.0.0"), WINDOW, |_| ())
            .await
            .unwrap();
        assert!(
            matches!(again, Acceptance::Duplicate { of, .. } if of == by_id),
            "{again:?}"
        );
    }
}

#[tokio::test]
async fn a_repetition_of_what_was_given_up_is_tried_again() {
    for place in Place::all() {
        let store = place.open().await;
        let id = accepted(&store, at(0), Some("a"), "1.0.0").await;
        planned(&store, id, at(0)).await;
        settled(&store, Outcome::Setback(Setback::Hopeless("no".into())), at(1)).await;
        accepted(&store, at(2), Some("a"), "1.0.0").await;
    }
}

/// Whoever has the sender deliver again after he made the Warehouse, wants it refreshed; as long as nobody wants it, it is the same.
#[tokio::test]
async fn a_repetition_of_what_nobody_wanted_is_new_where_somebody_may_now() {
    for place in Place::all() {
        let store = place.open().await;
        let id = accepted(&store, at(0), Some("a"), "1.0.0").await;
        let nobody = Matched {
            id,
            explanations: vec![Explanation::default()],
            work: Vec::new(),
        };
        store.plan(vec![nobody], at(1), |_: &Target| ()).await.unwrap();
        let unwanted = || {
            let mut entry = delivery(at(2), Some("a"), "1.0.0");
            entry.contents = match entry.contents {
                Recorded::Events(reports) => Recorded::Unsubscribed(reports),
                other => other,
            };
            entry
        };
        let again = store.accept(unwanted(), WINDOW, |_| ()).await.unwrap();
        assert!(
            matches!(again, Acceptance::Duplicate { of, .. } if of == id),
            "{again:?}"
        );
        let wanted = accepted(&store, at(3), Some("a"), "1.0.0").await;
        planned(&store, wanted, at(3)).await;
        let again = store.accept(delivery(at(4), Some("a"), "1.0.0"), WINDOW, |_| ()).await;
        let again = again.unwrap();
        assert!(
            matches!(again, Acceptance::Duplicate { of, .. } if of == wanted),
            "{again:?}"
        );
    }
}

#[tokio::test]
async fn a_replay_of_what_nobody_wanted_has_it_matched_again() {
    for place in Place::all() {
        let store = place.open().await;
        let entry = NewEntry {
            set_aside: "a deleted tag".to_owned(),
            ..delivery(at(0), Some("a"), "1.0.0")
        };
        let accepted = store.accept(entry, WINDOW, |_| ()).await.unwrap();
        let Acceptance::New(id) = accepted else {
            panic!("{accepted:?}")
        };
        let nobody = Matched {
            id,
            explanations: vec![Explanation::default()],
            work: Vec::new(),
        };
        store.plan(vec![nobody], at(1), |_: &Target| ()).await.unwrap();
        assert!(store.unmatched(9, at(9), 0).await.unwrap().is_empty());
        assert_eq!(store.replay(id, at(2)).await.unwrap(), Replay::Matching);
        let unmatched = store.unmatched(9, at(9), 0).await.unwrap();
        assert_eq!(unmatched.iter().map(|entry| entry.id).collect::<Vec<_>>(), [id]);
        let whole = store.entry(id).await.unwrap().unwrap();
        assert_eq!(
            (whole.entry.reason.as_str(), whole.entry.matched),
            ("a deleted tag", None)
        );
        planned(&store, id, at(3)).await;
        assert_eq!(store.replay(id, at(4)).await.unwrap(), Replay::Work(vec![api()]));
        let ping = NewEntry {
            contents: Recorded::Ignored("a ping".to_owned()),
            ..delivery(at(5), None, "1.0.0")
        };
        let Acceptance::Recorded(ping) = store.accept(ping, WINDOW, |_| ()).await.unwrap() else {
            panic!("a ping is followed up")
        };
        assert_eq!(store.replay(ping, at(6)).await.unwrap(), Replay::Nothing);
    }
}

#[tokio::test]
async fn a_replay_takes_dead_work_up_again_and_a_late_answer_does_not_undo_it() {
    for place in Place::all() {
        let store = place.open().await;
        let id = accepted(&store, at(0), Some("a"), "1.0.0").await;
        planned(&store, id, at(0)).await;
        let dead = settled(&store, Outcome::Setback(Setback::Hopeless("no".into())), at(1)).await;
        let listed = store
            .entries(EntryFilter {
                state: EntryState::Dead,
                limit: 9,
            })
            .await
            .unwrap();
        assert_eq!(listed.iter().map(|(entry, _)| entry.id).collect::<Vec<_>>(), [id]);
        // What was given up waits no more; what is taken up again does, and so does what is to be matched.
        let waiting = async || {
            let state = EntryState::Waiting;
            let listed = store.entries(EntryFilter { state, limit: 9 }).await.unwrap();
            listed.iter().map(|(entry, _)| entry.id).collect::<Vec<_>>()
        };
        assert_eq!(waiting().await, []);
        assert_eq!(store.replay(id, at(2)).await.unwrap(), Replay::Work(vec![api()]));
        assert_eq!(waiting().await, [id]);
        let unmatched = accepted(&store, at(3), Some("b"), "1.0.1").await;
        assert_eq!(waiting().await, [unmatched, id]);
        let waiting = store.waiting(&api()).await.unwrap().remove(0);
        assert_eq!(waiting.work, dead.clone().replayed(at(2)));
        // Somebody who still holds the old state settles it: the state has moved on, so nothing happens.
        let record = store.work_of(id).await.unwrap().remove(0).attempts.remove(0);
        let claim = claimed(&store).await;
        let late = vec![(id, dead.clone(), dead, record)];
        store
            .settle(
                Settlement {
                    target: api(),
                    resource: None,
                    work: late,
                },
                claim,
            )
            .await
            .unwrap();
        assert_eq!(store.waiting(&api()).await.unwrap().remove(0).work, waiting.work);
    }
}

#[tokio::test]
async fn retention_lets_go_of_finished_entries_alone() {
    for place in Place::all() {
        let store = place.open().await;
        let mut ids = Vec::new();
        for (second, finished) in [(0, true), (1, false), (2, true), (3, true)] {
            let id = accepted(&store, at(second), Some(&second.to_string()), "1.0.0").await;
            if finished {
                planned(&store, id, at(second)).await;
                settled(&store, Outcome::Effected, at(second)).await;
            }
            ids.push(id);
        }
        let kept = async || {
            let mut kept: Vec<_> = store
                .entries(EntryFilter {
                    state: EntryState::Any,
                    limit: 9,
                })
                .await
                .unwrap()
                .into_iter()
                .map(|(e, _)| e.id)
                .collect();
            kept.sort();
            kept
        };
        let by_age = Retention {
            age: Duration::from_secs(1),
            count: 100,
        };
        assert!(!store.prune(by_age, at(3)).await.unwrap());
        assert_eq!(kept().await, [ids[1], ids[2], ids[3]]);
        let by_count = Retention {
            age: Duration::from_secs(1000),
            count: 2,
        };
        assert!(!store.prune(by_count, at(3)).await.unwrap());
        assert_eq!(kept().await, [ids[1], ids[3]]);
        // What is forgotten with its entry is no repetition any more.
        accepted(&store, at(4), Some("0"), "1.0.0").await;
    }
}

#[tokio::test]
async fn a_catalog_comes_back_as_it_was_seen() {
    for place in Place::all() {
        let store = place.open().await;
        let digest = Digest::parse(&format!("sha256:{}", "a".repeat(64))).unwrap();
        let (one, two) = (Tag::parse("1").unwrap(), Tag::parse("2").unwrap());
        let listing = |tags: &[&Tag], unnamed: &[&Digest], second| Listing {
            tags: tags.iter().map(|tag| (*tag).clone()).collect(),
            unnamed: unnamed.iter().map(|digest| (*digest).clone()).collect(),
            began: at(second),
        };
        store
            .note_listing("example/app", "anonymous", listing(&[&one, &two], &[], 1))
            .await
            .unwrap();
        let found = (digest, Arc::new(Seen::Unusable(Unusable("no image".to_owned()))));
        let sighting = |second, found| Sighting {
            seen: at(second),
            found,
            unnamed: Vec::new(),
        };
        store
            .note_tag("example/app", "anonymous", &one, sighting(2, Some(found.clone())))
            .await
            .unwrap();
        let catalog = store.catalog("example/app", "anonymous").await.unwrap();
        assert_eq!((catalog.listed, catalog.tags.len()), (Some(at(1)), 2));
        assert_eq!(catalog.seen(&one), Some((&found.0, &*found.1)));
        assert_eq!(catalog.seen(&two), None);
        // A tag points at it still, of which whoever listed does not know.
        store
            .note_listing("example/app", "anonymous", listing(&[&one, &two], &[&found.0], 3))
            .await
            .unwrap();
        let catalog = store.catalog("example/app", "anonymous").await.unwrap();
        assert_eq!(catalog.seen(&one), Some((&found.0, &*found.1)));
        store
            .note_listing("example/app", "anonymous", listing(&[&two], &[&found.0], 4))
            .await
            .unwrap();
        store
            .note_tag("example/app", "anonymous", &two, sighting(4, None))
            .await
            .unwrap();
        let catalog = store.catalog("example/app", "anonymous").await.unwrap();
        assert!(catalog.tags.is_empty() && catalog.contents.is_empty(), "{catalog:?}");
        // A tag moves where nothing is listed: what it held goes.
        let other = Digest::parse(&format!("sha256:{}", "b".repeat(64))).unwrap();
        let moved = Sighting {
            seen: at(6),
            found: Some((other.clone(), found.1.clone())),
            unnamed: vec![found.0.clone()],
        };
        for look in [sighting(5, Some(found.clone())), moved] {
            store.note_tag("example/app", "anonymous", &one, look).await.unwrap();
        }
        let catalog = store.catalog("example/app", "anonymous").await.unwrap();
        assert_eq!(catalog.contents.keys().collect::<Vec<_>>(), [&other]);
        assert!(
            store
                .catalog("example/app", "Secret shop/x")
                .await
                .unwrap()
                .listed
                .is_none()
        );
    }
}

#[tokio::test]
async fn ids_go_on_after_a_restart_also_when_the_clock_was_set_back() {
    for place in Place::all() {
        let first = place.open().await;
        let before = accepted(&first, at(1000), None, "1.0.0").await;
        drop(first);
        // The writer's thread ends once nobody can reach it; the lock is free when the last handle is gone.
        let second = place.open().await;
        assert!(accepted(&second, at(0), None, "2.0.0").await > before);
    }
}

#[tokio::test]
async fn a_folder_is_for_one_process() {
    for place in Place::all() {
        let _store = place.open().await;
        assert!(matches!(place.try_open().await, Err(OpenError::InUse(_))));
    }
}

#[tokio::test]
async fn a_pace_makes_entries_wait_in_order_and_across_a_restart() {
    for place in Place::all() {
        let pace = Pace::new(60, SignedDuration::from_hours(1), 1);
        let store = place.open().await;
        let mut ids = Vec::new();
        for (second, tag) in [(0, "1.0.0"), (1, "1.0.1"), (2, "1.0.2")] {
            let paced = NewEntry {
                pace,
                ..delivery(at(second), None, tag)
            };
            match store.accept(paced, WINDOW, |_| ()).await.unwrap() {
                Acceptance::New(id) => ids.push(id),
                other => panic!("{other:?}"),
            }
        }
        // What has no pace does not wait behind what has one.
        let free = accepted(&store, at(3), None, "2.0.0").await;
        let unmatched = async |store: &Store, second| {
            let found = store.unmatched(10, at(second), 0).await.unwrap();
            found.iter().map(|entry| entry.id).collect::<Vec<_>>()
        };
        assert_eq!(unmatched(&store, 3).await, [free, ids[0]]);
        planned(&store, free, at(3)).await;
        planned(&store, ids[0], at(3)).await;
        assert_eq!(store.next_turn().await.unwrap(), Some(at(60)));
        let shown = store.entry(ids[2]).await.unwrap().unwrap().entry;
        assert_eq!(shown.waits_until, Some(at(120)));
        drop(store);
        let store = place.open().await;
        assert_eq!(unmatched(&store, 59).await, []);
        assert_eq!(unmatched(&store, 120).await, [ids[1], ids[2]]);
        // The pace goes on where it was.
        let paced = NewEntry {
            pace,
            ..delivery(at(121), None, "1.0.3")
        };
        let Acceptance::New(id) = store.accept(paced, WINDOW, |_| ()).await.unwrap() else {
            panic!("it is new")
        };
        assert_eq!(store.entry(id).await.unwrap().unwrap().entry.waits_until, Some(at(180)));
    }
}

/// Writes a delivery that has its pace, and returns its id.
async fn paced(store: &Store, pace: Option<Pace>, received: Timestamp, tag: &str) -> EntryId {
    let entry = NewEntry {
        pace,
        ..delivery(received, None, tag)
    };
    match store.accept(entry, WINDOW, |_| ()).await.unwrap() {
        Acceptance::New(id) => id,
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn a_pace_does_not_follow_a_clock_that_was_wrong() {
    let pace = Pace::new(60, SignedDuration::from_hours(1), 1);
    for place in Place::all() {
        let store = place.open().await;
        let waits_until = async |id| store.entry(id).await.unwrap().unwrap().entry.waits_until;
        // Two deliveries of a time that is an hour ahead, the first of which is matched.
        let first = paced(&store, pace, at(3600), "1.0.0").await;
        planned(&store, first, at(3600)).await;
        let second = paced(&store, pace, at(3601), "1.0.1").await;
        assert_eq!(waits_until(second).await, Some(at(3660)));
        // Whoever asks twice has brought nothing forward twice, and what is sooner stays so.
        for wanted in [60, 60, 90] {
            store.bring_turns_forward(at(wanted)).await.unwrap();
            assert_eq!(store.first_turn().await.unwrap(), Some(at(60)));
        }
        // Who comes then queues behind what waits, and not behind what is done.
        let third = paced(&store, pace, at(3), "1.0.2").await;
        assert_eq!(waits_until(third).await, Some(at(120)));
        for (id, second) in [(second, 60), (third, 120)] {
            planned(&store, id, at(second)).await;
        }
        let fourth = paced(&store, pace, at(121), "1.0.3").await;
        assert_eq!(waits_until(fourth).await, Some(at(180)));
        planned(&store, fourth, at(180)).await;
        // After a quiet time nothing has to wait, whatever was given out for later.
        let fifth = paced(&store, pace, at(600), "1.0.4").await;
        assert_eq!(waits_until(fifth).await, None);
    }
}
