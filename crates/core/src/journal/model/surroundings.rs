//! What is around the process: a clock that jumps, a registry, senders that try again, and targets that come and go. It must
//! not know how landfall follows anything up.

use std::collections::BTreeMap;

use jiff::Timestamp;

use super::chance::Chance;
use crate::artifact::Tag;
use crate::event::{ArtifactKind, ArtifactPushed, Event};
use crate::receiver::{Reach, Report};
use crate::repository::ImageRepository;
use crate::resource::{ImageSubscription, Source, SubscriptionSpec};
use crate::target::Target;

/// A tag of a repository: where an event says to look.
pub(super) type Hint = (usize, usize);
/// A target by its place in [`TARGETS`].
pub(super) type TargetNo = usize;

pub(super) const REPOSITORIES: [&str; 2] = ["registry.example.com/shop/api", "registry.example.com/shop/web"];
pub(super) const TAGS: [&str; 8] = ["a0", "a1", "a2", "a3", "a4", "b0", "b1", "b2"];

/// How the registry deals with a target.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Nature {
    Healthy,
    /// The registry always refuses it.
    Refused,
    /// Its spec cannot work.
    Hopeless,
}

pub(super) struct Cast {
    pub namespace: &'static str,
    pub name: &'static str,
    /// Repositories, each with what a wanted tag begins with.
    pub wants: &'static [(usize, &'static str)],
    pub nature: Nature,
}

pub(super) const TARGETS: [Cast; 5] = [
    cast("shop", "all", &[(0, ""), (1, "")], Nature::Healthy),
    cast("shop", "half", &[(0, "a")], Nature::Healthy),
    cast("lab", "web", &[(1, "a"), (1, "b")], Nature::Healthy),
    cast("shop", "refused", &[(0, "")], Nature::Refused),
    cast("lab", "hopeless", &[(0, "b")], Nature::Hopeless),
];

const fn cast(
    namespace: &'static str,
    name: &'static str,
    wants: &'static [(usize, &'static str)],
    nature: Nature,
) -> Cast {
    Cast {
        namespace,
        name,
        wants,
        nature,
    }
}

impl Cast {
    pub fn target(&self) -> Target {
        Target::Warehouse {
            namespace: self.namespace.to_owned(),
            name: self.name.to_owned(),
        }
    }

    /// Whether an event for `hint` that came with `reach` is for it: said again without the matcher, to check it.
    pub fn wants(&self, hint: Hint, reach: &Reach) -> bool {
        let wanted = |(repository, begin): &(usize, &str)| *repository == hint.0 && TAGS[hint.1].starts_with(begin);
        *reach != Reach::Project(if self.namespace == "shop" { "lab" } else { "shop" }.to_owned())
            && self.wants.iter().any(wanted)
    }

    pub fn subscriptions(&self) -> Vec<SubscriptionSpec> {
        let image = |(repository, begin): &(usize, &str)| ImageSubscription {
            repo_url: REPOSITORIES[*repository].to_owned(),
            image_selection_strategy: "Lexical".to_owned(),
            constraint: String::new(),
            strict_semvers: true,
            allow_tags_regexes: vec![format!("^{begin}")],
            ignore_tags_regexes: Vec::new(),
            allow_tags: String::new(),
            ignore_tags: Vec::new(),
            platform: String::new(),
            discovery_limit: 20,
            insecure_skip_tls_verify: false,
            cache_by_tag: false,
        };
        let spec = |wish| SubscriptionSpec {
            name: None,
            source: Source::Image(image(wish)),
        };
        self.wants.iter().map(spec).collect()
    }
}

/// True time, and what the clock on the wall makes of it.
#[derive(Debug)]
pub(super) struct Clock {
    /// Milliseconds that really passed.
    pub elapsed: i64,
    /// What the clock was set forward by.
    pub offset: i64,
}

impl Clock {
    const BEGINNING: i64 = 1_780_000_000_000;

    pub fn now(&self) -> Timestamp {
        Timestamp::from_millisecond(Self::BEGINNING + self.elapsed + self.offset).expect("a time of this century")
    }
}

/// One push, as an event tells of it.
#[derive(Clone, Debug)]
pub(super) struct Push {
    pub hint: Hint,
    /// Counts what was pushed under the tag; 0 is a forgery.
    pub version: u32,
    pub report: Report,
}

/// What somebody has to tell us, until it is answered.
#[derive(Clone, Debug)]
pub(super) struct Message {
    pub pushes: Vec<Push>,
    pub reach: Reach,
    pub body: Vec<u8>,
    pub sent: Sent,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Sent {
    /// To be sent, first or again.
    Pending,
    /// On its way.
    Open,
    /// A 2xx came back.
    Answered,
}

#[derive(Debug, Default)]
pub(super) struct Registry {
    pub down: bool,
    /// The newest version of each tag, and since when (true time) it can be seen.
    pub tags: BTreeMap<Hint, (u32, i64)>,
}

impl Registry {
    /// What a look at a tag shows.
    pub fn visible(&self, hint: Hint, elapsed: i64) -> Option<u32> {
        let (version, since) = self.tags.get(&hint)?;
        (*since <= elapsed).then_some(*version)
    }
}

/// Everything that goes on whether the process lives or not.
#[derive(Debug)]
pub(super) struct Surroundings {
    pub clock: Clock,
    pub registry: Registry,
    pub messages: Vec<Message>,
    /// Targets that exist, each with how often it was created.
    pub living: BTreeMap<TargetNo, u32>,
    pub created: u32,
    pushes: usize,
}

impl Surroundings {
    pub fn new(chance: &mut Chance) -> Self {
        let mut surroundings = Self {
            clock: Clock { elapsed: 0, offset: 0 },
            registry: Registry::default(),
            messages: Vec::new(),
            living: BTreeMap::new(),
            created: 0,
            pushes: 0,
        };
        for target in 0..TARGETS.len() {
            if !chance.one_in(4) {
                surroundings.create(target);
            }
        }
        surroundings
    }

    pub fn create(&mut self, target: TargetNo) {
        self.created += 1;
        self.living.insert(target, self.created);
    }

    /// Somebody pushes, or says so: the registry shows a new tag at once, a little later or never, and a tag that moves at
    /// once. Returns the event.
    fn push(&mut self, chance: &mut Chance, announced: Announced) -> Push {
        let hint = (chance.below(REPOSITORIES.len()), chance.below(TAGS.len()));
        let forged = announced == Announced::Yes && chance.one_in(10);
        let version = if forged {
            0
        } else {
            let delay = if chance.one_in(2) { 0 } else { chance.millis(1, 90_000) };
            let since = self.clock.elapsed + delay;
            let tag = self.registry.tags.entry(hint).or_insert((0, since));
            tag.0 += 1;
            tag.0
        };
        self.pushes += 1;
        let pushed = ArtifactPushed {
            repository: ImageRepository::parse(REPOSITORIES[hint.0]).expect("a repository"),
            kind: ArtifactKind::Image,
            tag: Tag::parse(TAGS[hint.1]).ok(),
            digest: None,
            occurred_at: None,
        };
        let report = Report {
            sender_id: (!chance.one_in(4)).then(|| self.pushes.to_string()),
            event: Event::ArtifactPushed(pushed),
        };
        Push { hint, version, report }
    }

    /// A push that no sender tells of.
    pub fn push_silently(&mut self, chance: &mut Chance) {
        self.push(chance, Announced::No);
    }

    /// One or more pushes and a message about them, which may repeat an event of an earlier message.
    pub fn announce(&mut self, chance: &mut Chance) {
        let mut pushes = vec![self.push(chance, Announced::Yes)];
        while chance.one_in(4) {
            pushes.push(self.push(chance, Announced::Yes));
        }
        if !self.messages.is_empty() && chance.one_in(8) {
            let earlier = &self.messages[chance.below(self.messages.len())].pushes;
            pushes.push(earlier[chance.below(earlier.len())].clone());
        }
        let reach = match chance.below(6) {
            0 => Reach::Project("shop".to_owned()),
            1 => Reach::Project("lab".to_owned()),
            _ => Reach::Everywhere,
        };
        let body = self.messages.len().to_be_bytes().to_vec();
        let sent = Sent::Pending;
        self.messages.push(Message {
            pushes,
            reach,
            body,
            sent,
        });
    }

    /// From now on nothing is hidden for longer than `most` milliseconds.
    pub fn calm(&mut self, most: i64) {
        self.registry.down = false;
        for (_, since) in self.registry.tags.values_mut() {
            *since = (*since).min(self.clock.elapsed + most);
        }
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Announced {
    Yes,
    No,
}
