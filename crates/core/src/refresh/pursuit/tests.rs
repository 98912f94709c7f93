use super::super::Pointer;
use super::super::handover::{Ask, hand_over};
use super::*;
use crate::artifact::Tag;
use crate::repository::{ImageRepository, Repository};

const INTERVAL: Duration = Duration::from_secs(300);

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(second).unwrap()
}

fn hint(tag: &str) -> Hint {
    Hint {
        repository: Repository::Image(ImageRepository::parse("ghcr.io/shop/api").unwrap()),
        tag: Some(Tag::parse(tag).unwrap()),
        claimed: None,
    }
}

fn hints(tags: &[&str], since: i64) -> BTreeMap<Hint, Timestamp> {
    tags.iter().map(|tag| (hint(tag), at(since))).collect()
}

/// A Warehouse's object, and one who serves it.
struct Story {
    progress: Progress,
    pursuit: Pursuit,
    noticed: Noticed,
}

impl Story {
    /// Everything was found at 100.
    fn settled() -> Self {
        Self {
            progress: Progress {
                generation: 1,
                observed_generation: 1,
                discovered_at: Some(at(100)),
                ..Progress::default()
            },
            pursuit: Pursuit::default(),
            noticed: Noticed::default(),
        }
    }

    fn push(&mut self, token: &str, tags: &[&str]) {
        let pointer = |tag: &&str| Pointer {
            hint: hint(tag),
            event: token.to_owned(),
        };
        let ask = Ask {
            everything: false,
            at: tags.iter().map(pointer).collect(),
        };
        self.progress.hints = Some(hand_over(self.progress.seen(), token, &ask));
        self.progress.token = Some(token.to_owned());
    }

    fn next(&self, now: i64) -> (Extent, Timestamp) {
        self.pursuit
            .next(&self.progress, INTERVAL, &RetryPolicy::default(), at(now))
    }

    fn begin(&mut self, now: i64) -> Option<Task> {
        let policy = RetryPolicy::default();
        self.pursuit
            .begin(&self.progress, INTERVAL, &policy, &mut self.noticed, at(now))
    }

    /// Looks, comes to an outcome, and writes what the status would say.
    fn look(&mut self, now: i64, outcome: Outcome) -> Conclusion {
        let task = self.begin(now).unwrap();
        let found = Found {
            complete_since: (outcome == Outcome::Effected && task.extent != Extent::Hinted).then(|| at(now)),
            outcome,
            unseen: task.hints.keys().cloned().collect(),
        };
        let succeeded = found.outcome == Outcome::Effected;
        let conclusion = self.pursuit.end(&task, found, at(now), 0.0, &RetryPolicy::default());
        self.progress.observed_generation = self.progress.generation;
        if succeeded {
            self.progress.discovered_at = Some(at(now));
        }
        if let Conclusion::Answered(Some(token)) | Conclusion::GivenUp(Some(token), _) = &conclusion {
            self.progress.handled.clone_from(token);
        }
        conclusion
    }
}

fn failed() -> Outcome {
    Outcome::Setback(Setback::Failed("503".to_owned()))
}

fn answered(token: &str) -> Conclusion {
    Conclusion::Answered(Some(token.to_owned()))
}

const BY_INTERVAL: Extent = Extent::Full(Occasion::Interval);
const BY_SPEC: Extent = Extent::Full(Occasion::SpecChanged);

#[test]
fn a_new_warehouse_is_looked_at_once_and_then_by_its_interval() {
    let mut story = Story::settled();
    story.progress = Progress {
        generation: 1,
        ..Progress::default()
    };
    assert_eq!(story.next(1_000), (BY_SPEC, at(1_000)));
    assert_eq!(story.look(1_000, Outcome::Effected), Conclusion::Answered(None));
    assert_eq!(story.next(1_001), (BY_INTERVAL, at(1_300)));
    assert_eq!(story.begin(1_001), None);
    // Before the watch has told of what was written, it is no news either.
    story.progress.discovered_at = None;
    story.progress.observed_generation = 0;
    assert_eq!(story.next(1_001), (BY_INTERVAL, at(1_300)));
}

#[test]
fn a_push_is_looked_at_where_it_points_and_answered() {
    let mut story = Story::settled();
    story.push("t1", &["1.0.0"]);
    let task = story.begin(150).unwrap();
    assert_eq!((task.extent, &task.hints), (Extent::Hinted, &hints(&["1.0.0"], 150)));
    assert_eq!(story.look(150, Outcome::Effected), answered("t1"));
    // It is no look at everything: the interval goes on from the last.
    assert_eq!(story.next(151), (BY_INTERVAL, at(400)));
}

/// W2: a failed refresh is never acknowledged, however long it fails.
#[test]
fn a_failure_is_tried_again_until_it_succeeds_and_is_not_answered_before() {
    let mut story = Story::settled();
    story.push("t1", &["1.0.0"]);
    let mut now = 150;
    for _ in 0..40 {
        assert_eq!(story.look(now, failed()), Conclusion::Unanswered);
        let (_, due) = story.next(now);
        assert!(due > at(now), "no attempt follows at once");
        assert_eq!(story.begin(now), None);
        now = due.as_second() + 1;
    }
    assert_eq!(story.progress.handled, "");
    assert_eq!(story.look(now, Outcome::Effected), answered("t1"));
}

/// A push that comes while an older one waits for its next attempt does not wait with it.
#[test]
fn a_new_request_is_followed_at_once() {
    let mut story = Story::settled();
    story.push("t1", &["1.0.0"]);
    story.look(150, failed());
    story.push("t2", &["1.0.1"]);
    let task = story.begin(150).unwrap();
    assert_eq!(task.hints, hints(&["1.0.0", "1.0.1"], 150));
    assert_eq!(story.look(150, Outcome::Effected), answered("t2"));
}

#[test]
fn what_is_not_visible_is_looked_for_a_while_and_then_given_up() {
    let mut story = Story::settled();
    story.push("t1", &["1.0.0"]);
    let missing = || Outcome::Setback(Setback::NotVisible("404".to_owned()));
    let (mut now, mut attempts) = (150, 1);
    while story.look(now, missing()) == Conclusion::Unanswered {
        // What was seen before says nothing: only a look from then on counts, whoever makes it.
        let ended = at(now);
        now = story.next(now).1.as_second() + 1;
        attempts += 1;
        assert_eq!(story.begin(now).unwrap().hints[&hint("1.0.0")], ended);
    }
    assert_eq!(attempts, RetryPolicy::default().not_visible.attempts);
    assert_eq!(story.progress.handled, "t1");
}

#[test]
fn what_cannot_work_waits_for_the_interval_or_for_a_change() {
    let mut story = Story::settled();
    story.progress.token = Some("now".to_owned());
    let hopeless = || Outcome::Setback(Setback::Hopeless("bad regex".to_owned()));
    assert_eq!(story.look(150, hopeless()), Conclusion::Unanswered);
    assert_eq!(story.next(151), (BY_INTERVAL, at(400)));
    story.progress.generation = 2;
    assert_eq!(story.next(151).1, at(151));
}

/// One subscription that can never work keeps every push from being answered. Each is looked at where it points, all the same,
/// and nothing is looked at again because nobody answers.
#[test]
fn a_push_costs_one_look_where_nothing_can_be_answered() {
    let mut story = Story::settled();
    let hopeless = || Outcome::Setback(Setback::Hopeless("bad regex".to_owned()));
    for number in 0..100 {
        story.push(&format!("t{number}"), &["1.0.0"]);
        let task = story.begin(150 + number).unwrap();
        assert_eq!(
            (task.extent, task.hints),
            (Extent::Hinted, hints(&["1.0.0"], 150 + number))
        );
        assert_eq!(story.look(150 + number, hopeless()), Conclusion::Unanswered);
    }
    assert_eq!(story.progress.handled, "");
    assert!(!story.pursuit.is_awaited(&story.progress));
    // By another spec it may work, and then all that was asked for is answered.
    story.progress.generation = 2;
    assert_eq!(story.begin(300).unwrap().extent, Extent::Full(Occasion::Requested));
    assert_eq!(story.look(300, Outcome::Effected), answered("t99"));
}

/// A person who asks while a push waits for its tag to move has everything looked at, and the push its tag.
#[test]
fn what_a_push_points_at_is_looked_for_also_where_everything_is() {
    let mut story = Story::settled();
    story.push("t1", &["1.0.0"]);
    story.progress.token = Some("now".to_owned());
    let task = story.begin(150).unwrap();
    assert_eq!(
        (task.extent, task.hints),
        (Extent::Full(Occasion::Requested), hints(&["1.0.0"], 150))
    );
    let missing = Outcome::Setback(Setback::NotVisible("not moved yet".to_owned()));
    assert_eq!(story.look(150, missing), Conclusion::Unanswered);
}

/// While one subscription fails, what went well counts from when it was first to be looked at: attempts and pushes that follow do not
/// look at it again, and only who asks for everything does.
#[test]
fn what_went_well_is_not_looked_at_again_because_something_else_fails() {
    let mut story = Story::settled();
    story.progress.generation = 2;
    let mut sinces = Vec::new();
    let mut look = |story: &mut Story, now: i64| {
        sinces.push(story.begin(now).unwrap().since.as_second());
        story.look(now, failed());
        story.progress.is_unfinished = true;
    };
    look(&mut story, 150);
    look(&mut story, 200);
    story.push("t1", &["1.0.0"]);
    look(&mut story, 210);
    story.progress.token = Some("now".to_owned());
    look(&mut story, 220);
    look(&mut story, 300);
    // So many that the chain has no room for the first.
    for number in 0..40 {
        story.push(&format!("u{number}"), &["1.0.0"]);
        look(&mut story, 400 + number);
    }
    story.progress.generation = 3;
    look(&mut story, 900);
    let mut expected = vec![150, 150, 150, 220, 220];
    // The person's request stands there until there is no room for it. Then everything is asked for in the name of what was there last.
    let full: Vec<i64> = (0..40)
        .map(|number: i64| if number < 32 { 220 } else { 400 + number - 32 })
        .collect();
    expected.extend(full);
    expected.push(900);
    assert_eq!(sinces, expected);
}

/// Who asks by a token that stands there already, or that was answered before, asks for something new.
#[test]
fn a_token_that_is_used_again_wants_another_look() {
    let mut story = Story::settled();
    let since = |story: &mut Story, now: i64| story.begin(now).unwrap().since;
    story.progress.token = Some("now".to_owned());
    assert_eq!(since(&mut story, 150), at(150));
    story.look(150, failed());
    story.push("t1", &["1.0.0"]);
    story.progress.token = Some("now".to_owned());
    assert_eq!(since(&mut story, 200), at(200));
    assert_eq!(story.look(200, Outcome::Effected), answered("now"));
    story.progress.token = Some("other".to_owned());
    story.look(300, Outcome::Effected);
    story.progress.token = Some("now".to_owned());
    assert_eq!(since(&mut story, 400), at(400));

    // Also one for which something was given up, before something else was answered.
    let mut story = Story::settled();
    story.push("t1", &["1.0.0"]);
    story.progress.token = Some("now".to_owned());
    let missing = || Outcome::Setback(Setback::NotVisible("404".to_owned()));
    let mut now = 150;
    while story.look(now, missing()) == Conclusion::Unanswered {
        now = story.next(now).1.as_second() + 1;
    }
    story.push("t2", &["1.0.1"]);
    assert_eq!(story.look(now + 1, Outcome::Effected), answered("t2"));
    story.progress.token = Some("now".to_owned());
    assert_eq!(story.next(now + 2).0, Extent::Full(Occasion::Requested));
}

/// Pushes move the time at which everything was found, and a restart believes it until a look tells when all was listed.
#[test]
fn restarts_do_not_put_the_interval_off() {
    let mut story = Story::settled();
    story.progress.discovered_at = Some(at(350));
    story.push("t1", &["1.0.0"]);
    let task = story.begin(360).unwrap();
    let found = Found {
        outcome: Outcome::Effected,
        complete_since: Some(at(100)),
        unseen: Vec::new(),
    };
    assert_eq!(task.extent, Extent::Hinted);
    let policy = RetryPolicy::default();
    assert_eq!(story.pursuit.end(&task, found, at(361), 0.0, &policy), answered("t1"));
    story.progress.handled = "t1".to_owned();
    assert_eq!(story.next(370), (BY_INTERVAL, at(400)));
}

#[test]
fn an_interval_that_fails_is_tried_again_sooner() {
    let mut story = Story::settled();
    assert_eq!(story.next(200), (BY_INTERVAL, at(400)));
    assert_eq!(story.look(400, failed()), Conclusion::Unanswered);
    let (extent, due) = story.next(400);
    assert!(extent == BY_INTERVAL && due <= at(402), "{due}");
    assert_eq!(story.look(403, Outcome::Effected), Conclusion::Answered(None));
    assert_eq!(story.next(403), (BY_INTERVAL, at(703)));
}

/// A spec whose look failed counts as observed; who comes next sees that it is unfinished.
#[test]
fn whoever_comes_next_takes_up_what_is_unfinished() {
    let mut story = Story::settled();
    story.progress.is_unfinished = true;
    assert_eq!(story.next(150), (BY_SPEC, at(150)));
    assert_eq!(story.look(150, Outcome::Effected), Conclusion::Answered(None));
    assert_eq!(story.next(151), (BY_INTERVAL, at(450)));
}

/// Who comes after others does not know what they saw: the first push is a reason to look at everything, and the next is not.
#[test]
fn whoever_comes_after_others_looks_at_everything_once() {
    let mut story = Story::settled();
    story.pursuit = Pursuit::after_others();
    story.push("t1", &["1.0.0"]);
    let task = story.begin(150).unwrap();
    assert_eq!((task.extent, &task.hints), (BY_INTERVAL, &hints(&["1.0.0"], 150)));
    assert_eq!(story.look(150, Outcome::Effected), answered("t1"));
    story.push("t2", &["1.0.1"]);
    assert_eq!(story.begin(151).unwrap().extent, Extent::Hinted);
}

/// Pushes that come all the time do not put the look at everything off.
#[test]
fn pushes_do_not_put_the_interval_off() {
    let mut story = Story::settled();
    for second in (110..400).step_by(10) {
        let token = format!("t{second}");
        story.push(&token, &["1.0.0"]);
        assert_eq!(story.look(second, Outcome::Effected), answered(&token));
    }
    assert_eq!(story.next(399), (BY_INTERVAL, at(400)));
    story.push("last", &["1.0.1"]);
    let task = story.begin(401).unwrap();
    assert_eq!(task.hints, hints(&["1.0.1"], 401));
}

/// Those that were looked at in the same moment are not due in the same moment.
#[test]
fn an_interval_is_late_by_chance_and_never_early() {
    for (spread, due) in [(0.0, 1_300), (0.2, 1_303), (1.0, 1_315)] {
        let mut story = Story::settled();
        story.progress.observed_generation = 0;
        let task = story.begin(1_000).unwrap();
        let found = Found {
            complete_since: Some(at(1_000)),
            outcome: Outcome::Effected,
            unseen: Vec::new(),
        };
        let policy = RetryPolicy::default();
        story.pursuit.end(&task, found, at(1_000), spread, &policy);
        story.progress.observed_generation = 1;
        assert_eq!(story.next(1_001), (BY_INTERVAL, at(due)), "{spread}");
    }
}

/// What has the name of one that is no more is new, whatever was known of that one.
#[test]
fn one_that_is_made_again_is_new() {
    let mut story = Story::settled();
    story.progress.uid = "first".to_owned();
    story.progress.generation = 5;
    assert_eq!(story.look(150, Outcome::Effected), Conclusion::Answered(None));
    let before = story.begin(1_000).unwrap();
    story.progress = Progress {
        uid: "second".to_owned(),
        generation: 1,
        ..Progress::default()
    };
    assert_eq!(story.next(1_000), (BY_SPEC, at(1_000)));
    // What was on its way for the one that is gone says nothing of this one, before and after it is looked at.
    let found = || Found {
        complete_since: Some(at(1_000)),
        outcome: Outcome::Effected,
        unseen: Vec::new(),
    };
    let policy = RetryPolicy::default();
    let mut fresh = Pursuit::default();
    assert_eq!(
        fresh.end(&before, found(), at(1_001), 0.0, &policy),
        Conclusion::Unanswered
    );
    let task = story.begin(1_001).unwrap();
    let pursuit = &mut story.pursuit;
    assert_eq!(
        pursuit.end(&before, found(), at(1_001), 0.0, &policy),
        Conclusion::Unanswered
    );
    assert_eq!(
        pursuit.end(&task, found(), at(1_001), 0.0, &policy),
        Conclusion::Answered(None)
    );
}

/// The status may not show an answer: it is not written yet, or one that came between has undone it. Another look would change
/// nothing; the next by the interval answers again.
#[test]
fn what_was_answered_is_not_looked_at_again_because_nobody_says_so() {
    let mut story = Story::settled();
    story.push("t1", &["1.0.0"]);
    assert_eq!(story.look(150, Outcome::Effected), answered("t1"));
    story.progress.handled.clear();
    assert_eq!(story.next(151), (BY_INTERVAL, at(400)));
    assert_eq!(story.look(400, Outcome::Effected), answered("t1"));
    story.progress.handled.clear();
    story.push("t2", &["1.0.1"]);
    assert_eq!(story.next(401), (Extent::Hinted, at(401)));
}

/// Neither hints that nobody can follow nor those that come while others are followed put the look at everything off for ever.
#[test]
fn an_interval_that_is_over_for_long_goes_first() {
    let mut story = Story::settled();
    story.push("t1", &["1.0.0"]);
    let (mut now, mut extents) = (150, Vec::new());
    while now < 5_000 {
        extents.push(story.next(now).0);
        story.look(now, failed());
        now = story.next(now).1.as_second() + 1;
    }
    assert!(extents.contains(&BY_INTERVAL), "{extents:?}");

    let mut story = Story::settled();
    for (second, extent) in [
        (150, Extent::Hinted),
        (450, Extent::Hinted),
        (750, BY_INTERVAL),
        (751, Extent::Hinted),
    ] {
        story.push(&format!("t{second}"), &["1.0.0"]);
        assert_eq!(story.next(second), (extent, at(second)));
        story.look(second, Outcome::Effected);
    }
}

/// However late the rest is, a push does not queue behind what nobody waits for.
#[test]
fn a_push_is_awaited_also_where_everything_is_looked_at() {
    for is_after_others in [false, true] {
        let mut story = Story::settled();
        story.pursuit.is_after_others = is_after_others;
        assert!(!story.pursuit.is_awaited(&story.progress));
        let late = story.begin(100_000).unwrap();
        assert_eq!(
            (late.extent, late.is_awaited),
            (Extent::Full(Occasion::Interval), false)
        );
        story.push("a", &["1.0.0"]);
        assert!(story.pursuit.is_awaited(&story.progress));
        let pushed = story.begin(100_000).unwrap();
        assert_eq!(
            (pushed.extent, pushed.is_awaited),
            (Extent::Full(Occasion::Interval), true)
        );
        // What was given up is not waited for any more.
        story.pursuit.concluded = Some(story.progress.mark());
        assert!(!story.pursuit.is_awaited(&story.progress));
    }
}
