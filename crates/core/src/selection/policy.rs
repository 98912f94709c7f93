//! Decides, for an image subscription, which tags count, which of them must be looked at, and which are chosen.

use std::collections::BTreeMap;
use std::num::NonZeroUsize;

use jiff::Timestamp;

use super::platform::Platform;
use super::tag_filter::TagFilter;
use super::{digest, lexical, newest_build, semver};
use crate::artifact::{Digest, Tag};
use crate::discovery::{Catalog, Facts, Seen};
use crate::go::regexp::Patterns;
use crate::resource::ImageSubscription;
use crate::semver::{Constraint, Strictness};

/// An image subscription's wishes, checked and compiled.
#[derive(Debug)]
pub struct ImagePolicy {
    strategy: Strategy,
    filter: TagFilter,
    platform: Option<Platform>,
    limit: Option<NonZeroUsize>,
}

/// How a subscription orders tags.
#[derive(Debug)]
pub(super) enum Strategy {
    /// The greatest versions.
    SemVer {
        constraint: Option<Constraint>,
        strictness: Strictness,
    },
    /// The greatest tags by bytes.
    Lexical,
    /// The images built last.
    NewestBuild,
    /// What one tag points at.
    Digest { tag: String },
}

/// A subscription that cannot be evaluated, because of one field.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{field}: {problem}")]
pub struct PolicyError {
    /// The field of the subscription.
    pub field: String,
    /// What is wrong with it.
    pub problem: String,
}

/// What selection makes of a catalog.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Selection {
    /// These tags must be looked at before anything can be chosen.
    Needs(Vec<Tag>),
    /// The choice.
    Chosen(Choice),
}

/// What was picked, best first, and why the rest was not.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Choice {
    /// Best first, at most the subscription's limit.
    pub references: Vec<Reference>,
    /// Tags that the policy wants and that cannot be used.
    pub left_out: Vec<LeftOut>,
    /// How many tags the policy wants.
    pub candidates: usize,
}

/// One chosen image.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reference {
    /// Its tag.
    pub tag: Tag,
    /// What the tag points at: the index's digest where there is one.
    pub digest: Digest,
    /// When it was built, where known.
    pub created: Option<Timestamp>,
    /// Its annotations, overlaid with those of the wanted platform.
    pub annotations: BTreeMap<String, String>,
}

/// A tag that was wanted and not chosen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LeftOut {
    /// The tag.
    pub tag: Tag,
    /// Why.
    pub reason: String,
}

impl ImagePolicy {
    /// Checks and compiles a subscription.
    pub fn new(subscription: &ImageSubscription) -> Result<Self, PolicyError> {
        Self::compile(subscription, &mut Patterns::default())
    }

    /// Checks and compiles a subscription, sharing expressions with whoever else uses `patterns`.
    pub fn compile(subscription: &ImageSubscription, patterns: &mut Patterns) -> Result<Self, PolicyError> {
        let strategy = strategy(subscription)?;
        // The peer refuses the deprecated fields wherever tags are filtered; Digest filters none.
        let filter = match strategy {
            Strategy::Digest { .. } => Ok(TagFilter::default()),
            _ => {
                refuse_deprecated(subscription)?;
                TagFilter::compile(
                    &subscription.allow_tags_regexes,
                    &subscription.ignore_tags_regexes,
                    patterns,
                )
            }
        };
        let filter = filter.map_err(|error| PolicyError {
            field: error.field(),
            problem: error.problem(),
        })?;
        let platform = match subscription.platform.as_str() {
            "" => None,
            text => Some(text.parse().map_err(|error| problem("platform", error))?),
        };
        let limit = usize::try_from(subscription.discovery_limit)
            .ok()
            .and_then(NonZeroUsize::new);
        Ok(Self {
            strategy,
            filter,
            platform,
            limit,
        })
    }

    /// Whether a pushed tag is of interest, and why or why not.
    pub fn wants(&self, tag: &str) -> Result<String, String> {
        if let Strategy::Digest { tag: wanted } = &self.strategy {
            return digest::wants(wanted, tag);
        }
        self.filter.accepts(tag).map_err(|refusal| refusal.to_string())?;
        match &self.strategy {
            Strategy::SemVer { constraint, strictness } => semver::wants(constraint.as_ref(), *strictness, tag),
            _ => Ok("the tag passes the filters".to_owned()),
        }
    }

    /// The tags to be looked at before there is a choice, or the choice.
    pub fn select(&self, catalog: &Catalog) -> Selection {
        let wanted: Vec<&Tag> = match &self.strategy {
            // The one tag need not have been listed.
            Strategy::Digest { tag } => return self.select_one(catalog, tag),
            _ => catalog
                .tags
                .keys()
                .filter(|tag| self.filter.accepts(tag.as_str()).is_ok())
                .collect(),
        };
        match &self.strategy {
            Strategy::SemVer { constraint, strictness } => {
                self.take_best(catalog, &semver::order(wanted, constraint.as_ref(), *strictness))
            }
            Strategy::Lexical => self.take_best(catalog, &lexical::order(wanted)),
            Strategy::NewestBuild | Strategy::Digest { .. } => match newest_build::order(wanted, catalog) {
                Ok(ordered) => self.take_best(catalog, &ordered),
                Err(unseen) => Selection::Needs(unseen),
            },
        }
    }

    /// Whether choosing needs a listing of the repository's tags.
    pub fn needs_listing(&self) -> bool {
        !matches!(self.strategy, Strategy::Digest { .. })
    }

    /// Whether an old tag that moves can become the best one: then all tags have to be looked at now and then.
    pub fn depends_on_every_tag(&self) -> bool {
        matches!(self.strategy, Strategy::NewestBuild)
    }

    /// The tags of a catalog that pass the filters, in no particular order.
    pub fn candidates<'a>(&self, catalog: &'a Catalog) -> Vec<&'a Tag> {
        catalog
            .tags
            .keys()
            .filter(|tag| self.wants(tag.as_str()).is_ok())
            .collect()
    }

    /// The platform that images must have; `None` if any will do.
    pub fn platform(&self) -> Option<&Platform> {
        self.platform.as_ref()
    }

    fn select_one(&self, catalog: &Catalog, tag: &str) -> Selection {
        match Tag::parse(tag) {
            Ok(tag) if !catalog.absent.contains_key(&tag) => self.take_best(catalog, &[&tag]),
            Ok(_) | Err(_) => Selection::Chosen(Choice::default()),
        }
    }

    /// Goes through `ordered` from the best on until the limit is reached; stops at the tags that nobody looked at yet.
    fn take_best(&self, catalog: &Catalog, ordered: &[&Tag]) -> Selection {
        let limit = self.limit.map_or(usize::MAX, NonZeroUsize::get);
        let mut choice = Choice {
            candidates: ordered.len(),
            ..Choice::default()
        };
        let mut unseen = Vec::new();
        for tag in ordered {
            if choice.references.len() + unseen.len() >= limit {
                break;
            }
            match catalog.seen(tag) {
                None => unseen.push((*tag).clone()),
                Some((digest, seen)) => match self.reference(tag, digest, seen) {
                    Ok(reference) => choice.references.push(reference),
                    Err(reason) => choice.left_out.push(LeftOut {
                        tag: (*tag).clone(),
                        reason,
                    }),
                },
            }
        }
        if unseen.is_empty() {
            Selection::Chosen(choice)
        } else {
            Selection::Needs(unseen)
        }
    }

    fn reference(&self, tag: &Tag, digest: &Digest, seen: &Seen) -> Result<Reference, String> {
        let facts = match seen {
            Seen::Image(facts) => facts,
            Seen::Unusable(unusable) => return Err(unusable.to_string()),
        };
        let annotations = self.annotations(facts)?;
        Ok(Reference {
            tag: tag.clone(),
            digest: digest.clone(),
            created: facts.created,
            annotations,
        })
    }

    fn annotations(&self, facts: &Facts) -> Result<BTreeMap<String, String>, String> {
        let mut annotations = facts.annotations.clone();
        if let Some(wanted) = &self.platform {
            let platform = facts
                .platforms
                .iter()
                .find(|platform| platform.platform == *wanted)
                .ok_or_else(|| format!("it is not for the platform {wanted}"))?;
            annotations.extend(platform.annotations.clone());
        }
        Ok(annotations)
    }
}

fn strategy(subscription: &ImageSubscription) -> Result<Strategy, PolicyError> {
    let constraint = subscription.constraint.as_str();
    match subscription.image_selection_strategy.as_str() {
        "" | "SemVer" => Ok(Strategy::SemVer {
            constraint: match constraint {
                "" => None,
                text => Some(Constraint::parse(text).map_err(|error| problem("constraint", error))?),
            },
            strictness: if subscription.strict_semvers {
                Strictness::Strict
            } else {
                Strictness::Lenient
            },
        }),
        "Lexical" => Ok(Strategy::Lexical),
        "NewestBuild" => Ok(Strategy::NewestBuild),
        "Digest" if constraint.is_empty() => Err(problem("constraint", "the strategy Digest needs the tag to follow")),
        "Digest" => Ok(Strategy::Digest {
            tag: constraint.to_owned(),
        }),
        other => Err(problem(
            "imageSelectionStrategy",
            format!("{other:?} is none of Digest, Lexical, NewestBuild and SemVer"),
        )),
    }
}

fn refuse_deprecated(subscription: &ImageSubscription) -> Result<(), PolicyError> {
    if !subscription.allow_tags.is_empty() {
        return Err(problem(
            "allowTags",
            "is deprecated and has no effect; use allowTagsRegexes",
        ));
    }
    if !subscription.ignore_tags.is_empty() {
        return Err(problem(
            "ignoreTags",
            "is deprecated and has no effect; use ignoreTagsRegexes",
        ));
    }
    Ok(())
}

fn problem(field: &str, problem: impl ToString) -> PolicyError {
    PolicyError {
        field: field.to_owned(),
        problem: problem.to_string(),
    }
}
