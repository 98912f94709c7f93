//! Decides whether one subscription's wish covers an event to its repository.

use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;

use crate::event::{ArtifactPushed, Event, GitRefPushed};
use crate::go::regexp::Patterns;
use crate::resource::{ChartSubscription, GitSubscription, ImageSubscription, Source};
use crate::selection::ImagePolicy;
use crate::selection::chart::{ChartKind, ChartPolicy};
use crate::selection::git_ref::GitRefFilter;
use crate::selection::path_pattern::PathFilter;
use crate::semver::Constraint;

/// A subscription's wish, compiled, with its words for people.
#[derive(Debug)]
pub(super) struct Filter {
    label: String,
    wish: Arc<Wish>,
}

/// Wishes for images, which are the same for very many repositories, by their texts: each is compiled and kept once.
pub(super) type Wishes = HashMap<String, Arc<Wish>>;

#[derive(Debug)]
pub(super) enum Wish {
    Image(ImagePolicy),
    Chart(ChartPolicy),
    Git {
        refs: GitRefFilter,
        paths: PathFilter,
    },
    /// It cannot be evaluated; it refuses every event, and its target's condition says why.
    Broken(String),
}

impl Filter {
    pub(super) fn compile(source: &Source, wishes: &mut Wishes, patterns: &mut Patterns) -> Self {
        let (label, wish) = match source {
            Source::Image(image) => {
                let wish = wishes
                    .entry(text_without_repository(image))
                    .or_insert_with(|| Arc::new(image_wish(image, patterns)));
                return Self {
                    label: image_label(image),
                    wish: wish.clone(),
                };
            }
            Source::Chart(chart) => (chart_label(chart), chart_wish(chart)),
            Source::Git(git) => (git_label(git), git_wish(git)),
            Source::Generic { subscription_type, .. } => (
                subscription_type.clone(),
                Err(format!("subscriptions of type {subscription_type} match no events")),
            ),
            Source::Unreadable { problem } => ("unreadable".to_owned(), Err(problem.clone())),
        };
        Self {
            label,
            wish: Arc::new(wish.unwrap_or_else(Wish::Broken)),
        }
    }

    /// What it wishes.
    pub(super) fn wish(&self) -> &Wish {
        &self.wish
    }

    /// Its words.
    pub(super) fn label(&self) -> &str {
        &self.label
    }

    /// Why the event is for it, or why not.
    pub(super) fn verdict(&self, event: &Event) -> Result<String, String> {
        match (self.wish.as_ref(), event) {
            (Wish::Broken(problem), _) => Err(format!("the subscription cannot be evaluated: {problem}")),
            (Wish::Image(policy), Event::ArtifactPushed(pushed)) => image_verdict(policy, pushed),
            (Wish::Chart(policy), Event::ArtifactPushed(pushed)) => chart_verdict(policy, pushed),
            (Wish::Git { refs, paths }, Event::GitRefPushed(pushed)) => git_verdict(refs, paths, pushed),
            (Wish::Image(_) | Wish::Chart(_), Event::GitRefPushed(_)) => {
                Err("the push was to a Git repository".to_owned())
            }
            (Wish::Git { .. }, Event::ArtifactPushed(_)) => Err("the push was to a registry".to_owned()),
            (_, Event::RefreshRequested(_)) => Err("nothing was pushed".to_owned()),
            (_, Event::PullRequestClosed { .. }) => Err("a pull request was closed, and nothing was pushed".to_owned()),
        }
    }
}

impl fmt::Display for Filter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.label())
    }
}

const NO_TAG: &str = "the sender named no tag, so any may have changed";

fn image_verdict(policy: &ImagePolicy, pushed: &ArtifactPushed) -> Result<String, String> {
    match &pushed.tag {
        _ if !pushed.kind.may_be_image() => Err("a chart was pushed, no image".to_owned()),
        None => Ok(NO_TAG.to_owned()),
        Some(tag) => policy.wants(tag.as_str()),
    }
}

fn chart_verdict(policy: &ChartPolicy, pushed: &ArtifactPushed) -> Result<String, String> {
    match &pushed.tag {
        _ if !pushed.kind.may_be_chart() => Err("an image was pushed, no chart".to_owned()),
        None => Ok(NO_TAG.to_owned()),
        Some(tag) if policy.matches_pushed(tag.as_str()) => Ok("the tag is a wanted version".to_owned()),
        Some(_) => Err("the tag is not a wanted version".to_owned()),
    }
}

fn git_verdict(refs: &GitRefFilter, paths: &PathFilter, pushed: &GitRefPushed) -> Result<String, String> {
    if pushed.refs.is_empty() {
        return Ok("the sender named no ref, so any may have changed".to_owned());
    }
    let default_branch = pushed.default_branch.as_deref();
    let mut verdicts = pushed
        .refs
        .iter()
        .map(|reference| refs.accepts_push(reference, default_branch));
    let first = verdicts.next().unwrap_or(Ok(()));
    if first.is_err() && !verdicts.any(|verdict| verdict.is_ok()) {
        return first.map(|()| String::new());
    }
    if !pushed.changed_files.is_empty() && !paths.matches_any(&pushed.changed_files) {
        return Err("none of the changed files is within the paths".to_owned());
    }
    Ok("the ref is wanted".to_owned())
}

fn image_wish(image: &ImageSubscription, patterns: &mut Patterns) -> Wish {
    ImagePolicy::compile(image, patterns).map_or_else(|error| Wish::Broken(error.to_string()), Wish::Image)
}

/// What tells a wish for an image from others, wherever the image is.
fn text_without_repository(image: &ImageSubscription) -> String {
    let ImageSubscription {
        repo_url: _,
        image_selection_strategy,
        constraint,
        strict_semvers,
        allow_tags_regexes,
        ignore_tags_regexes,
        allow_tags,
        ignore_tags,
        platform,
        discovery_limit,
        insecure_skip_tls_verify,
        cache_by_tag,
    } = image;
    let versions = (image_selection_strategy, constraint, strict_semvers);
    let tags = (allow_tags_regexes, ignore_tags_regexes, allow_tags, ignore_tags);
    let rest = (platform, discovery_limit, insecure_skip_tls_verify, cache_by_tag);
    format!("{:?}", (versions, tags, rest))
}

fn chart_wish(chart: &ChartSubscription) -> Result<Wish, String> {
    let kind = if chart.repo_url.to_ascii_lowercase().starts_with("oci://") {
        ChartKind::Oci
    } else {
        ChartKind::Http
    };
    let constraint = match chart.semver_constraint.as_str() {
        "" => None,
        text => Some(Constraint::parse(text).map_err(|error| format!("semverConstraint: {error}"))?),
    };
    let limit = usize::try_from(chart.discovery_limit).unwrap_or_default();
    Ok(Wish::Chart(ChartPolicy {
        kind,
        constraint,
        limit,
    }))
}

fn git_wish(git: &GitSubscription) -> Result<Wish, String> {
    let refs = GitRefFilter::new(git).map_err(|error| error.to_string())?;
    let paths = PathFilter::new(&git.include_paths, &git.exclude_paths).map_err(|error| error.to_string())?;
    Ok(Wish::Git { refs, paths })
}

fn image_label(image: &ImageSubscription) -> String {
    let mut label = format!("image {}, {}", image.repo_url, image.image_selection_strategy);
    if !image.constraint.is_empty() {
        label.push_str(&format!(" {}", image.constraint));
    }
    for (name, regexes) in [
        ("allow", &image.allow_tags_regexes),
        ("ignore", &image.ignore_tags_regexes),
    ] {
        if !regexes.is_empty() {
            label.push_str(&format!(", {name} {}", regexes.join(" ")));
        }
    }
    if !image.platform.is_empty() {
        label.push_str(&format!(", {}", image.platform));
    }
    label
}

fn chart_label(chart: &ChartSubscription) -> String {
    [
        format!("chart {}", chart.repo_url),
        chart.name.clone(),
        chart.semver_constraint.clone(),
    ]
    .into_iter()
    .filter(|part| !part.is_empty())
    .collect::<Vec<_>>()
    .join(" ")
}

fn git_label(git: &GitSubscription) -> String {
    format!("git {}, {}", git.repo_url, git.commit_selection_strategy)
}
