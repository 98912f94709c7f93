//! Decides what travels with a refresh that is asked for by annotation, so that whoever serves the target looks where the
//! events point instead of everywhere. It must not know how annotations are written.
//!
//! The annotation [`REFRESH_ANNOTATION`](crate::resource::REFRESH_ANNOTATION) has room for one token, and the last who writes
//! it wins. So a second annotation, [`HINTS_ANNOTATION`], lists the tokens that nobody has answered yet, each with what it
//! points at. Both are written together, by whoever has seen what they said before; where that chain is broken, because
//! somebody else has asked or because it grew too long, everything is looked at: that costs requests, and never an event.

use serde::{Deserialize, Serialize};

use super::Pointer;
use crate::repository::Repository;

/// The annotation that says what unanswered refreshes point at.
pub const HINTS_ANNOTATION: &str = "landfall.dev/refresh-hints";

/// Steps that are handed over, at most. More are waiting only where nobody answers.
const STEPS: usize = 32;
/// Pointers of one step, at most; a step with more asks for everything.
const HINTS: usize = 64;
/// The longest value, in bytes: an API server takes 256 KiB of annotations, and all that keep a Warehouse in memory keep this.
const SIZE: usize = 32 << 10;

/// What the annotations of a target said, and which token was answered last.
#[derive(Clone, Copy, Debug, Default)]
pub struct Seen<'a> {
    /// The token.
    pub token: Option<&'a str>,
    /// The value of [`HINTS_ANNOTATION`].
    pub hints: Option<&'a str>,
    /// The token that was answered last; empty where none was.
    pub handled: &'a str,
}

/// What a refresh is asked for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Ask {
    /// Whether everything is to be looked at.
    pub everything: bool,
    /// What is to be looked at in any case, which may be none that anybody here can look at. Whoever looks at everything looks
    /// here as well: what a sender claims tells a look that came too early.
    pub at: Vec<Pointer>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Handover {
    /// The token before the first step; empty where there was none.
    #[serde(default)]
    after: String,
    steps: Vec<Step>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Step {
    token: String,
    /// Absent for everything.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    at: Option<Vec<Pointer>>,
    /// Everything beside these.
    #[serde(skip_serializing_if = "std::ops::Not::not", default)]
    all: bool,
}

/// The value of [`HINTS_ANNOTATION`] that goes with a new `token`, where the annotations said what was `seen`. Of Git repositories
/// and charts nothing is handed over yet: nobody looks at them.
pub fn hand_over(seen: Seen<'_>, token: &str, ask: &Ask) -> String {
    let mut handover = Handover {
        after: seen.handled.to_owned(),
        steps: unanswered(seen),
    };
    let all = |token: &str| Step::new(token, Ask::everything());
    handover.steps.push(Step::new(token, handed_over(ask)));
    // What there is no room for asks for everything. It keeps its place: the chain goes back to what was answered last.
    let excess = handover.steps.len().saturating_sub(STEPS);
    let last = handover.steps.drain(..excess).next_back();
    if let Some(last) = last {
        handover.steps.insert(0, all(&last.token));
    }
    let text = written(&handover);
    if text.len() <= SIZE {
        return text;
    }
    handover.steps = match handover.steps.as_slice() {
        [.., before, _] => vec![all(&before.token), all(token)],
        _ => vec![all(token)],
    };
    written(&handover)
}

/// What somebody asks for by a token.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request {
    /// The token.
    pub token: String,
    /// What for.
    pub ask: Ask,
}

/// What the annotations ask for, the first first, beyond what was done for a token that may have no answer yet.
pub fn asked(seen: Seen<'_>, done: Option<&str>) -> Vec<Request> {
    let mut steps = unanswered(seen);
    let done = done.and_then(|done| steps.iter().position(|step| step.token == done));
    if let Some(done) = done {
        steps.drain(..=done);
    }
    let request = |Step { token, at, all }: Step| Request {
        token,
        ask: Ask {
            everything: all || at.is_none(),
            at: at.unwrap_or_default(),
        },
    };
    steps.into_iter().map(request).collect()
}

/// What was asked for since the last answer.
///
/// A token that was answered says nothing new; but whoever uses one again may have written it over another that was not
/// answered. Then the chain still goes on from that answer, and what follows there counts, even if it was answered in between.
fn unanswered(seen: Seen<'_>) -> Vec<Step> {
    let chain = seen.hints.and_then(parse).and_then(|before| before.since(seen.handled));
    let token = seen.token.filter(|token| *token != seen.handled);
    match (chain, token) {
        (Some(steps), None) => steps,
        (None, None) => Vec::new(),
        (Some(steps), Some(token)) if steps.last().is_some_and(|last| last.token == token) => steps,
        // Somebody else has asked since, and has not said for what.
        (chain, Some(token)) => {
            let mut steps = chain.unwrap_or_default();
            steps.push(Step::new(token, Ask::everything()));
            steps
        }
    }
}

impl Ask {
    /// A look at everything, and nothing in particular.
    pub fn everything() -> Self {
        Self {
            everything: true,
            at: Vec::new(),
        }
    }
}

impl Step {
    fn new(token: &str, Ask { everything, at }: Ask) -> Self {
        let is_all_there_is = everything && at.is_empty();
        Self {
            token: token.to_owned(),
            at: (!is_all_there_is).then_some(at),
            all: everything && !is_all_there_is,
        }
    }
}

impl Handover {
    /// The steps after that answer; none where nothing is known of it. A token that stands there twice is the earlier one.
    fn since(mut self, handled: &str) -> Option<Vec<Step>> {
        if self.after != handled {
            let answered = self.steps.iter().position(|step| step.token == handled)?;
            self.steps.drain(..=answered);
        }
        Some(self.steps)
    }
}

fn written(handover: &Handover) -> String {
    // Texts, lists and nothing else, which JSON can hold.
    serde_json::to_string(handover).unwrap_or_default()
}

fn parse(text: &str) -> Option<Handover> {
    serde_json::from_str(text).ok()
}

/// What there is room for in one step. Of too many pointers the latest stay, and everything is looked at for the others.
fn handed_over(ask: &Ask) -> Ask {
    let is_image = |pointer: &&Pointer| matches!(pointer.hint.repository, Repository::Image(_));
    let images: Vec<&Pointer> = ask.at.iter().filter(is_image).collect();
    let excess = images.len().saturating_sub(HINTS);
    Ask {
        everything: ask.everything || excess > 0,
        at: images.into_iter().skip(excess).cloned().collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::artifact::Tag;
    use crate::refresh::Hint;
    use crate::repository::{GitRepository, ImageRepository};

    fn pointer(tag: &str) -> Pointer {
        Pointer {
            hint: Hint {
                repository: Repository::Image(ImageRepository::parse("ghcr.io/shop/api").unwrap()),
                tag: Some(Tag::parse(tag).unwrap()),
                claimed: None,
            },
            event: "1m8b".to_owned(),
        }
    }

    /// Annotations, and who writes them.
    #[derive(Default)]
    struct Target {
        token: Option<String>,
        hints: Option<String>,
        handled: String,
    }

    impl Target {
        fn seen(&self) -> Seen<'_> {
            Seen {
                token: self.token.as_deref(),
                hints: self.hints.as_deref(),
                handled: &self.handled,
            }
        }

        fn push(&mut self, token: &str, tags: &[&str]) {
            self.ask(token, &at(tags));
        }

        fn ask(&mut self, token: &str, ask: &Ask) {
            self.hints = Some(hand_over(self.seen(), token, ask));
            self.token = Some(token.to_owned());
        }

        fn asks(&self) -> Option<Ask> {
            self.asks_beyond(None)
        }

        /// All of it together.
        fn asks_beyond(&self, done: Option<&str>) -> Option<Ask> {
            let requests = asked(self.seen(), done);
            let mut all = Ask::default();
            for Request { ask, .. } in &requests {
                all.everything |= ask.everything;
                all.at.extend(ask.at.clone());
            }
            all.at.sort();
            all.at.dedup();
            (!requests.is_empty()).then_some(all)
        }

        fn answer(&mut self) {
            self.handled = self.token.clone().unwrap_or_default();
        }
    }

    fn at(tags: &[&str]) -> Ask {
        Ask {
            everything: false,
            at: tags.iter().map(|tag| pointer(tag)).collect(),
        }
    }

    fn everything_and(tags: &[&str]) -> Option<Ask> {
        Some(Ask {
            everything: true,
            ..at(tags)
        })
    }

    #[test]
    fn pushes_add_up_until_they_are_answered() {
        let mut target = Target::default();
        assert_eq!(target.asks(), None);
        target.push("t1", &["1.0.0"]);
        target.push("t2", &["1.0.1", "1.0.0"]);
        assert_eq!(target.asks(), Some(at(&["1.0.0", "1.0.1"])));
        target.answer();
        assert_eq!(target.asks(), None);
        target.push("t3", &["1.0.2"]);
        assert_eq!(target.asks(), Some(at(&["1.0.2"])));
        assert_eq!(
            target.hints.as_deref(),
            Some(
                r#"{"after":"t2","steps":[{"token":"t3","at":[{"repository":{"image":"ghcr.io/shop/api"},"tag":"1.0.2","event":"1m8b"}]}]}"#
            )
        );
    }

    #[test]
    fn an_answer_that_comes_between_two_pushes_answers_the_first_alone() {
        let mut target = Target::default();
        target.push("t1", &["1.0.0"]);
        target.push("t2", &["1.0.1"]);
        target.handled = "t1".to_owned();
        assert_eq!(target.asks(), Some(at(&["1.0.1"])));
        target.push("t3", &["1.0.2"]);
        assert_eq!(target.asks(), Some(at(&["1.0.1", "1.0.2"])));
    }

    /// Somebody's own request asks for everything, before and after a push, until it is answered.
    #[test]
    fn who_says_nothing_asks_for_everything() {
        let mut target = Target::default();
        target.push("t1", &["1.0.0"]);
        target.token = Some("now".to_owned());
        assert_eq!(target.asks(), everything_and(&["1.0.0"]));
        target.push("t2", &["1.0.1"]);
        assert_eq!(target.asks(), everything_and(&["1.0.0", "1.0.1"]));
        target.handled = "now".to_owned();
        assert_eq!(target.asks(), Some(at(&["1.0.1"])));
        target.ask("t3", &Ask::everything());
        assert_eq!(target.asks(), everything_and(&["1.0.1"]));
    }

    /// A push that asks for everything besides, because a person does in the same moment, says what it claims all the same.
    #[test]
    fn everything_does_not_hide_what_is_claimed() {
        let mut target = Target::default();
        let both = everything_and(&["1.0.0"]);
        target.ask("t1", both.as_ref().unwrap());
        assert_eq!(target.asks(), both);
        target.push("t2", &["1.0.1"]);
        assert_eq!(target.asks(), everything_and(&["1.0.0", "1.0.1"]));
        target.handled = "t1".to_owned();
        assert_eq!(target.asks(), Some(at(&["1.0.1"])));
    }

    /// What was done for one that has no answer is not done again for the next, however long the chain has grown.
    #[test]
    fn what_was_done_is_not_asked_for_again() {
        let mut target = Target::default();
        target.push("t0", &["1.0.0"]);
        target.push("t1", &["1.0.1"]);
        assert_eq!(target.asks_beyond(Some("t1")), None);
        target.push("t2", &["1.0.2"]);
        assert_eq!(target.asks_beyond(Some("t1")), Some(at(&["1.0.2"])));
        assert_eq!(target.asks_beyond(Some("of somebody")), target.asks());
        for number in 3..STEPS + 5 {
            let done = format!("t{}", number - 1);
            target.push(&format!("t{number}"), &["1.0.3"]);
            assert_eq!(target.asks_beyond(Some(&done)), Some(at(&["1.0.3"])));
        }
        assert!(target.asks().unwrap().everything);
    }

    #[test]
    fn a_chain_that_is_broken_asks_for_everything() {
        let mut target = Target::default();
        target.push("t1", &["1.0.0"]);
        target.handled = "of somebody".to_owned();
        assert_eq!(target.asks(), everything_and(&[]));

        let mut target = Target::default();
        for number in 0..STEPS + 5 {
            target.push(&format!("t{number}"), &["1.0.0"]);
        }
        assert_eq!(target.asks(), everything_and(&["1.0.0"]));
        target.handled = "t4".to_owned();
        assert_eq!(target.asks(), Some(at(&["1.0.0"])));

        for broken in ["", "{", "{}", r#"{"steps":[]}"#, r#"{"steps":[{"token":"x","at":[]}]}"#] {
            target.hints = Some(broken.to_owned());
            assert_eq!(target.asks(), everything_and(&[]), "{broken:?}");
        }
    }

    /// A person who asks by the same token again may write it over a push that was not answered.
    #[test]
    fn a_token_that_is_used_again_hides_no_push() {
        let mut target = Target {
            token: Some("now".to_owned()),
            handled: "now".to_owned(),
            ..Target::default()
        };
        target.push("t1", &["1.0.0"]);
        target.token = Some("now".to_owned());
        assert_eq!(target.asks(), Some(at(&["1.0.0"])));
        target.push("t2", &["1.0.1"]);
        assert_eq!(target.asks(), Some(at(&["1.0.0", "1.0.1"])));
        target.answer();
        assert_eq!(target.asks(), None);

        target.token = Some("now".to_owned());
        target.answer();
        for number in 0..STEPS + 5 {
            target.push(&format!("u{number}"), &["1.0.0"]);
        }
        target.token = Some("now".to_owned());
        assert_eq!(target.asks(), everything_and(&["1.0.0"]));
    }

    #[test]
    fn an_annotation_that_somebody_takes_away_hides_no_push() {
        let mut target = Target::default();
        target.push("t1", &["1.0.0"]);
        target.token = None;
        assert_eq!(target.asks(), Some(at(&["1.0.0"])));
        target.push("t2", &["1.0.1"]);
        assert_eq!(target.asks(), Some(at(&["1.0.0", "1.0.1"])));
    }

    #[test]
    fn what_is_handed_over_has_a_bound() {
        let long = |number: usize| format!("{number:0128}");
        let mut target = Target::default();
        for push in 0..STEPS {
            let tags: Vec<String> = (0..HINTS).map(|tag| long(push * HINTS + tag)).collect();
            let tags: Vec<&str> = tags.iter().map(String::as_str).collect();
            target.push(&format!("t{push}"), &tags);
            assert!(target.hints.as_ref().unwrap().len() <= SIZE);
            assert_ne!(target.asks(), None);
        }
        assert!(target.asks().unwrap().everything);
        target.answer();
        target.push("last", &["1.0.0"]);
        assert_eq!(target.asks(), Some(at(&["1.0.0"])));
    }

    /// Whoever does not know what was there before may only ask for everything.
    #[test]
    fn too_many_hints_ask_for_everything_and_git_for_nothing_that_is_looked_at() {
        let many: Vec<String> = (0..=HINTS).map(|number| format!("1.0.{number:02}")).collect();
        let many: Vec<&str> = many.iter().map(String::as_str).collect();
        let mut target = Target::default();
        target.push("t1", &many);
        assert_eq!(target.asks(), everything_and(&many[1..]));
        target.answer();
        let git = Pointer {
            hint: Hint {
                repository: Repository::Git(GitRepository::parse("https://git.example/a/b").unwrap()),
                tag: None,
                claimed: None,
            },
            event: "1m8b".to_owned(),
        };
        let nothing_here = Ask {
            everything: false,
            at: vec![git],
        };
        target.ask("t2", &nothing_here);
        assert_eq!(target.asks(), Some(Ask::default()));
    }
}
