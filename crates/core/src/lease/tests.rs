use super::*;

const ME: &str = "pod-a_1";
const OTHER: &str = "pod-b_2";

fn at(seconds: f64) -> Moment {
    Moment::from_secs_f64(seconds)
}

fn wall(second: i64) -> Timestamp {
    Timestamp::from_second(1_800_000_000 + second).unwrap()
}

fn record(holder: &str, transitions: i32) -> Record {
    Record {
        holder: holder.to_owned(),
        duration: Some(Duration::from_secs(10)),
        acquired: Some(wall(0)),
        renewed: Some(wall(0)),
        transitions,
    }
}

fn stored(version: u32, record: Record) -> Stored {
    Stored {
        record,
        version: version.to_string(),
        created: wall(-100),
    }
}

fn candidate() -> Candidate {
    Candidate::new(ME.to_owned(), Timing::default())
}

/// A candidate that leads, by a renewal that was sent at 0 and answered at once, as version 1.
fn leader() -> Candidate {
    let mut me = candidate();
    me.looked(Some(stored(0, record("", 3))), at(0.0));
    me.wrote(stored(1, record(ME, 4)), at(0.0), at(0.0));
    me
}

/// What a write would make of the Lease: its holder and how often that changed.
fn written(step: &Step) -> Option<(&str, i32)> {
    match step {
        Step::Create(record) | Step::Replace { record, .. } => Some((record.holder.as_str(), record.transitions)),
        _ => None,
    }
}

#[test]
fn what_is_free_is_taken_at_once_and_what_is_held_is_waited_for() {
    let taken = |transitions| Some((ME, transitions));
    for (found, next) in [
        (None, taken(0)),
        (Some(record("", 7)), taken(8)),
        // Written by this process, though it never heard so.
        (Some(record(ME, 7)), taken(7)),
        (Some(record(OTHER, 7)), None),
    ] {
        let mut me = candidate();
        assert_eq!(me.step(at(0.0), wall(0)), Step::Look);
        me.looked(found.clone().map(|record| stored(1, record)), at(1.0));
        assert_eq!(me.leads(at(1.0)), None, "{found:?}: nothing is confirmed yet");
        let step = me.step(at(1.0), wall(1));
        assert_eq!(written(&step), next, "{found:?}");
        if next.is_none() {
            assert_eq!(step, Step::Wait { until: at(3.0) });
        }
    }
}

#[test]
fn a_holder_is_gone_when_its_lease_has_not_changed_for_as_long_as_it_said() {
    let long = Record {
        duration: Some(Duration::from_secs(30)),
        ..record(OTHER, 7)
    };
    let says_nothing = Record {
        duration: None,
        ..record(OTHER, 7)
    };
    for (first, changes_at, expected) in [
        (record(OTHER, 7), None, 11.0),
        (record(OTHER, 7), Some(9.0), 19.0),
        (long, None, 31.0),
        (says_nothing, None, 11.0),
    ] {
        let mut me = candidate();
        let mut version = 1;
        me.looked(Some(stored(version, first.clone())), at(1.0));
        let mut now = at(1.0);
        let took = loop {
            now = match me.step(now, wall(0)) {
                Step::Wait { until } => until,
                Step::Look => {
                    if changes_at.is_some_and(|change| at(change) == now) {
                        version += 1;
                    }
                    me.looked(Some(stored(version, first.clone())), now);
                    now
                }
                Step::Replace { version: replaced, .. } => {
                    assert_eq!(replaced, version.to_string());
                    break now;
                }
                other => panic!("{other:?}"),
            };
        };
        assert_eq!(took, at(expected), "{first:?}, {changes_at:?}");
        assert_eq!(me.holder(), Some(OTHER));
    }
}

#[test]
fn a_leader_believes_from_before_it_asked_until_its_deadline() {
    let mut me = candidate();
    me.looked(None, at(0.0));
    me.wrote(stored(1, record(ME, 0)), at(1.0), at(2.5));
    let term = Term::of(&stored(1, record(ME, 0)));
    for (now, expected) in [(2.5, true), (7.9, true), (8.0, false), (100.0, false)] {
        assert_eq!(
            me.leads(at(now)),
            expected.then_some((term, at(8.0))),
            "at {now} seconds"
        );
    }
    assert_eq!(me.step(at(2.5), wall(2)), Step::Wait { until: at(3.0) });
    let renewal = Record {
        renewed: Some(wall(3)),
        ..record(ME, 0)
    };
    let version = "1".to_owned();
    assert_eq!(
        me.step(at(3.0), wall(3)),
        Step::Replace {
            version,
            record: renewal
        }
    );
}

#[test]
fn a_leader_that_cannot_renew_tries_again_and_then_stands_down() {
    let mut me = leader();
    let mut attempts = Vec::new();
    let mut now = at(0.0);
    while me.leads(now).is_some() {
        match me.step(now, wall(0)) {
            Step::Wait { until } => now = until,
            Step::Look | Step::Replace { .. } => {
                attempts.push(now.as_secs());
                me.failed(Failure::Unanswered, now, now);
            }
            other => panic!("{other:?}"),
        }
    }
    assert_eq!((attempts, now), (vec![2, 4, 6], at(7.0)));
    // It was nobody else's meanwhile, so the term goes on.
    me.looked(Some(stored(1, record(ME, 4))), at(9.0));
    assert_eq!(written(&me.step(at(9.0), wall(9))), Some((ME, 4)));
}

#[test]
fn what_changed_in_between_is_looked_at_before_anything_is_written() {
    for (found, leads, next) in [
        // An annotation, say.
        (Some(record(ME, 4)), true, Some((ME, 4))),
        (Some(record(OTHER, 5)), false, None),
        (Some(record("", 4)), true, Some((ME, 5))),
        (None, true, Some((ME, 5))),
    ] {
        let mut me = leader();
        me.failed(Failure::Outdated, at(2.0), at(2.1));
        assert_eq!(me.step(at(2.1), wall(2)), Step::Look);
        me.looked(found.clone().map(|record| stored(2, record)), at(2.2));
        assert_eq!(me.leads(at(2.2)).is_some(), leads, "{found:?}");
        assert_eq!(written(&me.step(at(2.2), wall(2))), next, "{found:?}");
    }
}

#[test]
fn a_lease_that_somebody_deletes_is_not_free_before_its_holder_has_stopped() {
    let mut me = candidate();
    me.looked(Some(stored(1, record(OTHER, 7))), at(1.0));
    me.looked(None, at(3.0));
    assert_eq!(me.step(at(3.0), wall(3)), Step::Wait { until: at(5.0) });
    me.looked(None, at(5.0));
    me.looked(None, at(10.0));
    assert_eq!(me.step(at(10.0), wall(10)), Step::Wait { until: at(11.0) });
    assert_eq!(written(&me.step(at(11.0), wall(11))), Some((ME, 8)));
}

#[test]
fn who_resigns_stops_at_once_and_gives_back_what_is_its_own() {
    let mut me = leader();
    me.resign(at(1.0));
    assert_eq!(me.leads(at(1.0)), None);
    let step = me.step(at(1.0), wall(1));
    assert_eq!(written(&step), Some(("", 4)));
    me.wrote(stored(2, record("", 4)), at(1.0), at(1.1));
    assert_eq!(me.step(at(1.1), wall(1)), Step::Done);

    let mut me = leader();
    me.resign(at(1.0));
    me.failed(Failure::Outdated, at(1.0), at(1.1));
    assert_eq!(me.step(at(1.1), wall(1)), Step::Look);
    me.looked(Some(stored(2, record(OTHER, 5))), at(1.2));
    assert_eq!(me.step(at(1.2), wall(1)), Step::Done);

    // An answer that comes late makes no leader of it.
    let mut me = leader();
    me.resign(at(2.0));
    me.wrote(stored(2, record(ME, 4)), at(1.9), at(2.1));
    assert_eq!(me.leads(at(2.1)), None);
    assert_eq!(written(&me.step(at(2.1), wall(2))), Some(("", 4)));

    let mut never = candidate();
    never.resign(at(0.0));
    assert_eq!(never.step(at(0.0), wall(0)), Step::Done);
}

#[test]
fn each_renewal_differs_from_the_one_before_whatever_the_clock_does() {
    let mut me = leader();
    for (clock, expected) in [(1, 1_000_000), (1, 1_000_001), (-50, 1_000_002), (2, 2_000_000)] {
        me.next = at(0.0);
        let Step::Replace { record, .. } = me.step(at(0.0), wall(clock)) else {
            panic!("a leader renews")
        };
        let renewed = record.renewed.unwrap();
        assert_eq!(renewed.as_microsecond() - wall(0).as_microsecond(), expected);
        me.wrote(stored(2, record), at(0.0), at(0.0));
    }
}

#[test]
fn terms_grow_with_each_holder_and_with_each_lease() {
    let term = |created, transitions| {
        let stored = Stored {
            created: Timestamp::from_second(created).unwrap(),
            ..stored(1, record(ME, transitions))
        };
        Term::of(&stored)
    };
    let terms = [
        term(0, 0),
        term(0, 1),
        term(0, i32::MAX),
        term(1, 0),
        term(1_800_000_000, 5),
    ];
    assert!(terms.is_sorted());
    let numbers: Vec<i64> = terms.into_iter().map(Term::number).collect();
    assert_eq!(numbers, [0, 1, 2_147_483_647, 2_147_483_648, (1_800_000_000 << 31) + 5]);
    assert_eq!(term(1_800_000_000, 5).to_string(), "1800000000.5");
}

#[test]
fn times_must_fit_together() {
    for (lease, deadline, retry, expected) in [
        (10_000, 7_000, 2_000, Ok(())),
        (1_000, 700, 100, Ok(())),
        (15_000, 10_000, 2_000, Ok(())),
        (0, 0, 0, Err(BadTiming::Lease)),
        (1_500, 700, 100, Err(BadTiming::Lease)),
        (10_000, 7_501, 2_000, Err(BadTiming::Deadline)),
        (10_000, 7_000, 3_500, Err(BadTiming::Retry)),
        (10_000, 7_000, 0, Err(BadTiming::Retry)),
    ] {
        let made = Timing::new(
            Duration::from_millis(lease),
            Duration::from_millis(deadline),
            Duration::from_millis(retry),
        );
        assert_eq!(made.map(drop), expected, "{lease} {deadline} {retry}");
    }
}

#[test]
fn terms_read_as_they_print_and_know_whether_they_follow() {
    let term = |text: &str| text.parse::<Term>();
    assert_eq!(term("1795677601.3").unwrap().to_string(), "1795677601.3");
    for broken in ["", "3", "x.1", "1.x", "1.2.3"] {
        assert_eq!(term(broken), Err(NotATerm), "{broken:?}");
    }
    for (earlier, expected) in [
        ("7.3", true),
        ("7.2", true),
        ("7.1", false),
        ("7.4", false),
        ("6.2", false),
    ] {
        assert_eq!(
            term("7.3").unwrap().follows(term(earlier).unwrap()),
            expected,
            "{earlier}"
        );
    }
}
