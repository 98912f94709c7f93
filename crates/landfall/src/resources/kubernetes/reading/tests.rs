use serde_json::{Value, json};

use super::super::object::{Unread, Whole};
use super::super::refreshes::Refreshes;
use super::*;

/// A Warehouse, with `changes` merged into it.
fn warehouse(changes: &Value) -> Value {
    let mut object = json!({
        "metadata": {
            "name": "api",
            "namespace": "shop",
            "uid": "1",
            "resourceVersion": "17",
            "generation": 2,
            "labels": { "team": "a" },
            "annotations": { "kargo.akuity.io/refresh": "t1" },
        },
        "spec": { "interval": "5m0s", "subscriptions": [{ "image": { "repoURL": "shop/api" } }] },
    });
    merge(&mut object, changes);
    object
}

fn merge(into: &mut Value, changes: &Value) {
    match (into, changes) {
        (Value::Object(into), Value::Object(changes)) => {
            for (name, change) in changes {
                merge(into.entry(name).or_insert(Value::Null), change);
            }
        }
        (into, changes) => *into = changes.clone(),
    }
}

fn annotated(token: &str) -> Value {
    json!({ "metadata": { "resourceVersion": token, "annotations": { "kargo.akuity.io/refresh": token } } })
}

fn told<S: Status>(reading: &mut Reading, object: &Value) -> Report {
    let object: Object<S> = serde_json::from_str(&object.to_string()).unwrap();
    reading.report(Event::Apply(object)).unwrap()
}

/// One that has read that Warehouse.
fn reading() -> Reading {
    let mut reading = Reading::new(Kind::Warehouse, Identity::Content);
    let report = told::<Unread>(&mut reading, &warehouse(&json!({})));
    assert!(matches!(report, Report::Changed(_)), "{report:?}");
    reading
}

#[test]
fn an_annotation_and_a_status_are_nothing_new() {
    let mut reading = reading();
    for token in ["t2", "t3"] {
        let mut changes = annotated(token);
        merge(&mut changes, &json!({ "status": { "lastHandledRefresh": token } }));
        let report = told::<Unread>(&mut reading, &warehouse(&changes));
        assert!(matches!(report, Report::Well), "{report:?}");
    }
}

#[test]
fn what_changes_together_with_an_annotation_is_read() {
    for changes in [
        json!({ "metadata": { "uid": "2" } }),
        json!({ "metadata": { "generation": 3 } }),
        json!({ "metadata": { "labels": { "team": "b" } } }),
        json!({ "metadata": { "labels": { "more": "a" } } }),
        json!({ "metadata": { "labels": null } }),
        json!({ "spec": { "interval": "6m0s" } }),
        json!({ "spec": { "subscriptions": [{ "image": { "repoURL": "shop/web" } }] } }),
        json!({ "spec": null }),
    ] {
        let mut reading = reading();
        let mut all = annotated("t2");
        merge(&mut all, &changes);
        let report = told::<Unread>(&mut reading, &warehouse(&all));
        assert!(matches!(report, Report::Changed(_)), "{changes}: {report:?}");
        // And so is the way back.
        let report = told::<Unread>(&mut reading, &warehouse(&annotated("t3")));
        assert!(matches!(report, Report::Changed(_)), "{changes}: {report:?}");
    }
}

#[test]
fn what_it_says_of_refreshes_is_told_where_somebody_wants_to_know() {
    let mut reading = reading();
    let changes = json!({ "metadata": { "annotations": { "landfall.dev/refresh-hints": "{}" } } });
    match told::<Refreshes>(&mut reading, &warehouse(&changes)) {
        Report::Progressed(key, progress) => {
            assert_eq!(key.to_string(), "Warehouse shop/api");
            assert_eq!(
                (progress.token.as_deref(), progress.hints.as_deref()),
                (Some("t1"), Some("{}"))
            );
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn what_cannot_be_used_is_told_each_time_and_so_is_its_recovery() {
    let mut reading = reading();
    let bad = warehouse(&json!({ "spec": { "interval": 5 } }));
    for _ in 0..2 {
        match told::<Unread>(&mut reading, &bad) {
            Report::Changed(read) => assert_eq!(read.outcome, Outcome::Unusable),
            other => panic!("{other:?}"),
        }
    }
    match told::<Unread>(&mut reading, &warehouse(&json!({}))) {
        Report::Changed(read) => assert!(matches!(read.outcome, Outcome::Usable(_)), "{read:?}"),
        other => panic!("{other:?}"),
    }
}

/// JSON that can be told apart from the next object and not be read: one object's problem, and not the watch's.
#[test]
fn what_json_allows_and_nobody_can_hold_is_unusable() {
    let mut reading = reading();
    let deep = "[".repeat(200) + &"]".repeat(200);
    for surplus in ["1e999", &deep] {
        let text = format!(r#"{{"metadata":{{"name":"api","namespace":"shop"}},"spec":{{"surplus":{surplus}}}}}"#);
        let object: Object<Unread> = serde_json::from_str(&text).unwrap();
        let Some(Report::Changed(read)) = reading.report(Event::Apply(object)) else {
            panic!("{surplus} is told otherwise");
        };
        assert_eq!(read.outcome, Outcome::Unusable, "{surplus}");
        assert!(read.problems[0].message.starts_with("cannot be read: "), "{read:?}");
    }
}

/// The same in a status: of a Promotion, whose steps may say there what they like, and of a Warehouse that somebody serves.
#[test]
fn a_status_that_nobody_can_hold_is_its_own_objects_problem() {
    let deep = "[".repeat(200) + &"]".repeat(200);
    for surplus in ["1e999", &deep] {
        let text = format!(
            r#"{{"metadata":{{"name":"api","namespace":"shop"}},"spec":{{}},"status":{{"state":{surplus},"conditions":5}}}}"#
        );
        let promotion: Object<Whole> = serde_json::from_str(&text).unwrap();
        let mut reading = Reading::new(Kind::Promotion, Identity::Nothing);
        let Some(Report::Changed(read)) = reading.report(Event::Apply(promotion)) else {
            panic!("{surplus} is told otherwise");
        };
        assert_eq!(read.outcome, Outcome::Unusable, "{surplus}");
        let warehouse: Object<Refreshes> = serde_json::from_str(&text).unwrap();
        assert_eq!(progress(&warehouse).unwrap().handled, "");
    }
}

#[test]
fn what_was_deleted_or_is_listed_is_read_anew() {
    let mut reading = reading();
    let object = |reading: &mut Reading, event: fn(Object<Unread>) -> Event<Object<Unread>>| {
        let object = serde_json::from_value(warehouse(&json!({}))).unwrap();
        reading.report(event(object))
    };
    assert!(matches!(object(&mut reading, Event::Apply), Some(Report::Well)));
    assert!(matches!(object(&mut reading, Event::Delete), Some(Report::Gone(_))));
    assert!(matches!(object(&mut reading, Event::Apply), Some(Report::Changed(_))));
    assert!(reading.report::<Unread>(Event::Init).is_none());
    assert!(object(&mut reading, Event::InitApply).is_none());
    match reading.report::<Unread>(Event::InitDone) {
        Some(Report::Listed(all)) => assert!(
            matches!(
                all[..],
                [Read {
                    outcome: Outcome::Usable(_),
                    ..
                }]
            ),
            "{all:?}"
        ),
        other => panic!("{other:?}"),
    }
    assert!(matches!(object(&mut reading, Event::Apply), Some(Report::Well)));
    // One that a later list lacks is unknown again.
    assert!(reading.report::<Unread>(Event::Init).is_none());
    assert!(matches!(reading.report::<Unread>(Event::InitDone), Some(Report::Listed(all)) if all.is_empty()));
    assert!(matches!(object(&mut reading, Event::Apply), Some(Report::Changed(_))));
}

#[test]
fn where_a_status_counts_all_is_read() {
    let mut reading = Reading::new(Kind::ProjectConfig, Identity::Nothing);
    let config = json!({ "metadata": { "name": "shop", "namespace": "shop" }, "spec": {} });
    for _ in 0..2 {
        let report = told::<Whole>(&mut reading, &config);
        assert!(matches!(report, Report::Changed(_)), "{report:?}");
    }
}

/// One that has read that Warehouse, and goes on by metadata.
fn glancing() -> Reading {
    let mut reading = Reading::new(Kind::Warehouse, Identity::Generation);
    assert!(reading.report::<Unread>(Event::Init).is_none());
    let object: Object<Unread> = serde_json::from_value(warehouse(&json!({}))).unwrap();
    assert!(reading.report(Event::InitApply(object)).is_none());
    let listed = reading.report::<Unread>(Event::InitDone);
    assert!(matches!(listed, Some(Report::Listed(all)) if all.len() == 1));
    reading
}

/// What metadata alone tell: the report, and the names of what is to be read.
fn glanced(reading: &mut Reading, event: Event<Object<Unread>>) -> Option<(Report, Vec<String>)> {
    let Told { report, unread } = reading.take(event, true)?;
    Some((report, unread.into_iter().map(|key| key.name).collect()))
}

fn metadata(changes: &Value) -> Object<Unread> {
    let mut all = warehouse(changes);
    all.as_object_mut().unwrap().remove("spec");
    serde_json::from_value(all).unwrap()
}

#[test]
fn by_metadata_an_annotation_is_nothing_new_and_another_generation_is_read() {
    let mut reading = glancing();
    let (report, unread) = glanced(&mut reading, Event::Apply(metadata(&annotated("t2")))).unwrap();
    assert!(matches!(report, Report::Well) && unread.is_empty());
    for changes in [
        json!({ "metadata": { "uid": "2" } }),
        json!({ "metadata": { "generation": 3 } }),
        json!({ "metadata": { "generation": 1 } }),
        json!({ "metadata": { "labels": { "team": "b" } } }),
        // Who does not count must not be taken for one that stays the same.
        json!({ "metadata": { "generation": null } }),
        json!({ "metadata": { "name": "web" } }),
    ] {
        // It stays unread until it is read.
        for _ in 0..2 {
            let (report, unread) = glanced(&mut reading, Event::Apply(metadata(&changes))).unwrap();
            assert!(matches!(report, Report::Well));
            assert_eq!(unread.len(), 1, "{changes}");
        }
    }
    let third = json!({ "metadata": { "generation": 3 }, "spec": { "interval": "6m0s" } });
    let report = told::<Unread>(&mut reading, &warehouse(&third));
    assert!(matches!(report, Report::Changed(_)), "{report:?}");
    let (_, unread) = glanced(&mut reading, Event::Apply(metadata(&third))).unwrap();
    assert!(unread.is_empty());
}

#[test]
fn by_metadata_it_is_told_what_remains_and_what_of_it_is_unread() {
    let mut reading = glancing();
    let list = |reading: &mut Reading, all: &[Value]| {
        assert!(glanced(reading, Event::Init).is_none());
        for changes in all {
            assert!(glanced(reading, Event::InitApply(metadata(changes))).is_none());
        }
        match glanced(reading, Event::InitDone).unwrap() {
            (Report::Remaining(keys), unread) => (keys.into_iter().map(|key| key.name).collect::<Vec<_>>(), unread),
            other => panic!("{other:?}"),
        }
    };
    let web = json!({ "metadata": { "name": "web" } });
    assert_eq!(list(&mut reading, &[json!({})]), (vec!["api".into()], vec![]));
    // A list that breaks off is begun anew.
    assert!(glanced(&mut reading, Event::Init).is_none());
    assert!(glanced(&mut reading, Event::InitApply(metadata(&web))).is_none());
    assert_eq!(list(&mut reading, &[json!({})]), (vec!["api".into()], vec![]));
    let both = list(&mut reading, &[json!({}), web]);
    assert_eq!(both, (vec!["api".into(), "web".into()], vec!["web".into()]));
    assert_eq!(list(&mut reading, &[]), (vec![], vec![]));
    // One that was gone and is back is another one, whatever it says.
    let (_, unread) = glanced(&mut reading, Event::Apply(metadata(&json!({})))).unwrap();
    assert_eq!(unread, ["api"]);
    let mut reading = glancing();
    let (report, _) = glanced(&mut reading, Event::Delete(metadata(&json!({})))).unwrap();
    assert!(matches!(report, Report::Gone(key) if key.name == "api"));
    let (_, unread) = glanced(&mut reading, Event::Apply(metadata(&json!({})))).unwrap();
    assert_eq!(unread, ["api"]);
}

/// Whoever may list objects and not read one would otherwise have all of them listed for ever.
#[test]
fn by_metadata_what_cannot_be_used_is_asked_for_again_when_it_has_changed() {
    let mut reading = glancing();
    let bad = json!({ "metadata": { "generation": 3 }, "spec": { "interval": 5 } });
    match told::<Unread>(&mut reading, &warehouse(&bad)) {
        Report::Changed(read) => assert_eq!(read.outcome, Outcome::Unusable),
        other => panic!("{other:?}"),
    }
    for (generation, expected) in [(3, 0), (4, 1)] {
        let changes = json!({ "metadata": { "generation": generation } });
        let (_, unread) = glanced(&mut reading, Event::Apply(metadata(&changes))).unwrap();
        assert_eq!(unread.len(), expected, "{generation}");
    }
}
